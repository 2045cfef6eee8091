"""Stories in which a campaign calls somebody, as `scenarios` has them of callers: for the virtual PBX, and for a real one with the lab's
network at the other end of its trunks.

Who is called, and what they do, is in the last two digits of the number, as in that network. "callee" is whoever is called, "boss" starts
the campaign, and cuts the link between the daemon and the PBX. `WINTER` has an agent there first; `MACHINES` also listens whether a
machine answers.
"""

from ccserver.core.commands import DialOut
from ccserver.core.events import CampaignAct, CampaignRequested, Heard
from ccserver.core.ids import CampaignId, PhoneId, RequestId
from ccserver.core.settings import Settings
from ccserver.sim.callees import BUSY, CONGESTED
from ccserver.sim.channels import Asking, Channel, Person, Unreached
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.scenarios import ANN, ONE, at, on, play, script
from ccserver.sim.script import Act, Actor, Cast, Script, ScriptStep, Seen
from ccserver.sim.trace import TraceLine
from ccserver.sim.world import World

BOSS, CALLEE = "boss", "callee"
WINTER, MACHINES = "winter", "machines"
HUMAN, SLOW_HUMAN, LEAVES_SOON, BUSY_ONE, NO_ANSWER, DECLINES, CONGESTION, MACHINE = (
    "10",
    "11",
    "13",
    "20",
    "21",
    "22",
    "23",
    "30",
)
ANSWERS_S, ANSWERS_SLOWLY_S, REFUSES_S, LEAVES_S = 0.5, 3.0, 0.2, 4.0

ANN_ANSWERS = on(ANN, Seen.RINGS, ANN, Act.ANSWER)


def _called(name: str, number: str, *steps: ScriptStep, campaign: str = WINTER) -> Script:
    starts = at(0.1, BOSS, Act.START_CAMPAIGN, campaign)
    return script(name, ONE, starts, ANN_ANSWERS, *steps, leads=((campaign, f"+349112{number}"),))


CALLED: tuple[Script, ...] = (
    _called(
        "callee answers and talks until the agent hangs up",
        f"001{HUMAN}",
        on(CALLEE, Seen.JOINED, ANN, Act.HANG_UP, after_s=1.0),
    ),
    _called("callee hangs up after a while", f"002{LEAVES_SOON}"),
    _called("callee is busy", f"003{BUSY_ONE}"),
    _called("callee declines", f"004{DECLINES}"),
    _called("callee does not answer", f"005{NO_ANSWER}"),
    _called("neither trunk takes the call", f"006{CONGESTION}"),
    _called(
        "agent hangs up while the callees phone rings",
        f"007{NO_ANSWER}",
        on(CALLEE, Seen.RINGS, ANN, Act.HANG_UP, after_s=1.0),
    ),
    _called("a machine answers and is hung up on", f"008{MACHINE}", campaign=MACHINES),
    _called(
        "callee answers while the link is lost and hears who called",
        f"009{SLOW_HUMAN}",
        on(CALLEE, Seen.RINGS, BOSS, Act.CUT_LINK, after_s=1.0),
        on(CALLEE, Seen.RINGS, BOSS, Act.MEND_LINK, after_s=12.0),
    ),
)


class LabCallee:
    """Somebody at the lab's network."""

    def __init__(self, pbx: VirtualPbx, ending: str, actor: Actor) -> None:
        self._pbx = pbx
        self._actor = actor
        self.ending = ending

    def rings(self, channel: Channel) -> None:
        self._actor.rings(channel)
        pbx, after = self._pbx, self._pbx.agenda.after
        if self.ending == BUSY_ONE:
            after(REFUSES_S, pbx.dialplan.end, channel, BUSY.cause, BUSY.tech_cause)
        elif self.ending == DECLINES:
            after(REFUSES_S, pbx.decline, channel)
        elif self.ending != NO_ANSWER:
            after(ANSWERS_SLOWLY_S if self.ending == SLOW_HUMAN else ANSWERS_S, pbx.answer, channel)
            if self.ending == LEAVES_SOON:
                after(ANSWERS_S + LEAVES_S, self._leave, channel)

    def _leave(self, channel: Channel) -> None:
        if not channel.is_gone:
            self._pbx.hang_up(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        self._actor.asked(channel, verb)

    def joined(self, channel: Channel) -> None:
        self._actor.joined(channel)

    def parted(self, channel: Channel) -> None:
        self._actor.parted(channel)

    def ended(self, channel: Channel) -> None:
        self._actor.ended(channel)


def play_called(story: Script, seed: int, settings: Settings) -> list[TraceLine]:
    """One run on the virtual PBX."""
    return play(story, seed, settings, prepare=_prepare)


def _prepare(world: World, cast: Cast) -> None:
    """The leads, the network, and whoever is in the office."""
    for name, number in cast.script.leads:
        world.leads.book.add(name, (number,))

    def reach(to: PhoneId) -> Person | Unreached | None:
        number, _, _ = to.removeprefix("PJSIP/").partition("@")
        ending = number[-2:]
        return CONGESTED if ending == CONGESTION else LabCallee(world.pbx, ending, cast.actors[CALLEE])

    def hear(channel: Channel) -> Heard:
        is_machine = isinstance(channel.person, LabCallee) and channel.person.ending == MACHINE
        return Heard.MACHINE if is_machine and isinstance(channel.ring, DialOut) else Heard.HUMAN

    def office(act: Act, value: str) -> None:
        if act is Act.CUT_LINK:
            world.pbx.break_link()
        elif act is Act.MEND_LINK:
            world.pbx.mend_link()
        else:
            campaign = CampaignId(value)
            world.post(CampaignRequested(request=RequestId(99), campaign=campaign, act=CampaignAct.START, mode=None, by=BOSS))

    world.pbx.dialplan.outside, world.pbx.dialplan.ear, cast.office = reach, hear, office
