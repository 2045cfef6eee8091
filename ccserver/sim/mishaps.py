"""What befalls a simulated center at moments drawn from the seed: the daemon killed, the link broken, Asterisk killed."""

from dataclasses import dataclass
from random import Random

from ccserver.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishaps:
    """How often each happens, and the longest it lasts."""

    kills: int = 0
    killed_up_to_s: float = 20.0
    breaks: int = 0
    broken_up_to_s: float = 60.0
    crashes: int = 0
    crashed_up_to_s: float = 20.0

    @property
    def outage_s(self) -> float:
        """The longest time in which no deadline can be kept, should everything happen at once."""
        return (
            self.kills * self.killed_up_to_s + self.breaks * self.broken_up_to_s + self.crashes * (self.crashed_up_to_s + 5.0)
        )


def prepare(world: World, mishaps: Mishaps, start_s: float, length_s: float) -> None:
    """Put the mishaps on the agenda, somewhere in the `length_s` after `start_s`."""
    chance = Random(f"{world.seed}/mishaps")
    plans = (
        (mishaps.kills, mishaps.killed_up_to_s, world.kill),
        (mishaps.breaks, mishaps.broken_up_to_s, world.break_link),
        (mishaps.crashes, mishaps.crashed_up_to_s, world.crash_pbx),
    )
    for count, up_to_s, befall in plans:
        for _ in range(count):
            world.agenda.at(start_s + chance.uniform(0.0, length_s), befall, chance.uniform(0.1, up_to_s))
