"""A working day in each of the example centers: the settings that are shipped do what their comments say."""

import dataclasses
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from ccserver.config import load
from ccserver.core.ids import QueueId
from ccserver.core.records import Outcome, VisitOutcome
from ccserver.core.settings import PhoneKind, Settings, WrapUpKind
from ccserver.sim.day import AFTERWARDS_S, OPENING_S, Day, Plan, verify
from ccserver.sim.people import OFFICE_DAY, arrivals
from ccserver.sim.world import World

EXAMPLES = Path(__file__).parents[2] / "ccserver/config/examples"
HOURS = 8.0


def settings_of(name: str, folder: Path) -> Settings:
    """The example, with secrets of its own and without external phones: nobody can begin a shift there by keypad."""
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    for secret in ("ami.secret", "agi.secret"):
        (folder / secret).write_text("a-good-secret")
        (folder / secret).chmod(0o600)
    file = folder / f"{name}.yaml"
    file.write_text(file.read_text().replace("/etc/ccserver/", ""))
    settings = load(file).settings
    phones = {phone: each for phone, each in settings.phones.items() if each.kind is not PhoneKind.EXTERNAL}
    return dataclasses.replace(settings, phones=phones)


def a_day(settings: Settings, calls: int, seed: int, *, checks_every: int = 0) -> Day:
    plan = Plan(agents=len(settings.agents), calls=calls, hours=HOURS)
    steps = 0

    def watch(world: World, event: object, commands: object) -> None:
        nonlocal steps
        steps += 1
        if steps % checks_every == 0:
            verify(world, event, commands)  # type: ignore[arg-type]

    pins = dict.fromkeys(settings.agents, "1234")
    world = World(settings, seed=seed, pins=pins, watch=watch if checks_every else None)
    length_s = HOURS * 3600.0
    world.staff(1.0, length_s + OPENING_S, plan.agent)
    moments = arrivals(Random(f"{seed}/arrivals"), calls, OFFICE_DAY[8:18], OPENING_S, length_s)
    world.expect_calls(moments, list(settings.dids), plan.callers)
    world.start()
    world.run_until(OPENING_S + length_s + AFTERWARDS_S)
    return Day(plan, world)


def nothing_is_wrong(day: Day) -> bool:
    """As every simulated day is judged; where a queue has no wrap-up, none can be missing."""
    without = any(queue.wrap_up is WrapUpKind.NONE for queue in day.world.settings.queues.values())
    found = [each for each in day.findings() if not (without and each.endswith("did not wrap up"))]
    assert found == []
    return True


@pytest.mark.parametrize(("name", "calls"), [("support", 380), ("sales", 300), ("small_office", 60)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_passes_and_nobody_is_lost(name: str, calls: int, seed: int, tmp_path: Path) -> None:
    day = a_day(settings_of(name, tmp_path), calls, seed)
    assert nothing_is_wrong(day)
    assert day.placed == calls
    assert day.books.outcomes[Outcome.LOST] == 0
    assert day.books.outcomes[Outcome.ANSWERED] >= calls * 0.6


def test_every_step_of_a_day_in_support_is_sound(tmp_path: Path) -> None:
    day = a_day(settings_of("support", tmp_path), 120, 3, checks_every=5)
    assert nothing_is_wrong(day)


def in_time(day: Day, queue: str) -> float:
    """The service level: answered in time of those who did not leave at once."""
    name = QueueId(queue)
    visits = day.books.visits[name]
    offered = sum(visits.values()) - visits[VisitOutcome.SHORT_ABANDONED]
    return day.books.within_service_level[name] / offered


def test_support_answers_most_callers_in_time(tmp_path: Path) -> None:
    day = a_day(settings_of("support", tmp_path), 380, 1)
    assert in_time(day, "first_line") > 0.6
    assert in_time(day, "second_line") > 0.6


def test_on_a_quiet_day_the_closers_of_sales_talk_most(tmp_path: Path) -> None:
    day = a_day(settings_of("sales", tmp_path), 80, 1)
    talks = Counter(agent for _, agent in day.books.talks.elements())
    closers, sellers = talks["201"] + talks["202"], talks["203"] + talks["204"]  # type: ignore[index]
    assert closers > 2 * sellers


def test_the_small_office_takes_messages_at_lunch_and_answers_else(tmp_path: Path) -> None:
    day = a_day(settings_of("small_office", tmp_path), 60, 1)
    visits = day.books.visits[QueueId("office")]
    # Who calls while it is closed may leave a message.
    assert visits[VisitOutcome.LEFT_MESSAGE] > 0
    assert visits[VisitOutcome.ANSWERED] > visits[VisitOutcome.ABANDONED]
