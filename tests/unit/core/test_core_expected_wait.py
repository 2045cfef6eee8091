"""The expected wait: the formula where it has one, and how it moves where it has none."""

import pytest
from desk import Desk, a_queue
from test_core_queue_rules import TO_SUPPORT, pause, queue_of

from ccserver.core import commands as c
from ccserver.core.expected_wait import (
    ARRIVALS_S,
    Ahead,
    Pool,
    arrivals_per_s,
    arrived,
    expected_wait_s,
    giving_up_per_s,
    service_s,
    talked,
    waited,
    wrapped_up,
)
from ccserver.core.records import VisitRecord
from ccserver.core.settings import Overflow, OverflowBy
from ccserver.core.state import QueueCounters


def those(count: int, service_s: float = 200.0, **changes: float) -> Ahead:
    return Ahead([(1, float(n)) for n in range(count)], service_s, **changes)


def wait(ahead: list[Ahead], pools: list[Pool], *, free: int = 0, gives_up_per_s: float = 0.0) -> float | None:
    return expected_wait_s(ahead, pools, free=free, own_service_s=200.0, gives_up_per_s=gives_up_per_s)


def ours(count: int, classes: int = 1) -> Pool:
    return Pool(count, tuple(range(classes)), True)


@pytest.mark.parametrize("number", [0, 1, 7, 40])
@pytest.mark.parametrize("agents", [1, 4, 25])
def test_where_all_serve_all_it_is_erlangs_virtual_wait(number: int, agents: int) -> None:
    assert wait([those(number)], [ours(agents)]) == pytest.approx((number + 1) * 200.0 / agents)


def test_who_gives_up_shortens_it_as_the_sum_says() -> None:
    rate, per_s = 1 / 300.0, 10 / 200.0
    formula = sum(1 / (per_s + k * rate) for k in range(31))
    assert wait([those(30)], [ours(10)], gives_up_per_s=rate) == pytest.approx(formula, rel=0.1)


def test_nobody_there_is_not_known_and_somebody_free_is_no_wait() -> None:
    assert wait([those(3)], []) is None
    assert wait([those(3)], [Pool(5, (0,), False)]) is None
    assert wait([], [ours(5, 0)], free=1) == 0.0


def test_work_that_others_do_is_not_in_the_way() -> None:
    alone = wait([], [ours(5, 0)])
    assert alone == pytest.approx(40.0)
    assert wait([those(50)], [ours(5, 0), Pool(5, (0,), False)]) == pytest.approx(40.0, rel=0.3)


def test_a_long_queue_is_walked_through_in_strides_with_the_same_result() -> None:
    assert wait([those(5000)], [ours(50)]) == pytest.approx(5001 * 4.0, rel=0.02)


def test_those_who_overtake_lengthen_it_by_at_most_their_head_start() -> None:
    plain = wait([those(10)], [ours(4)])
    with_some = wait([those(10), those(0, joins_per_s=0.01, joins_for_s=120.0)], [ours(4, 2)])
    assert plain is not None and with_some is not None
    assert plain < with_some <= plain + (0.01 * 120.0 + 1.0) * 50.0


def test_what_is_learned_forgets() -> None:
    counters = QueueCounters()
    assert service_s(counters, 240.0) == 240.0
    for _ in range(300):
        counters = wrapped_up(talked(counters, 100.0), 20.0)
    assert service_s(counters, 240.0) == pytest.approx(120.0, rel=0.12)
    for _ in range(150):
        counters = wrapped_up(talked(counters, 200.0), 20.0)
    assert service_s(counters, 240.0) == pytest.approx(220.0, rel=0.1)


def test_the_rate_of_giving_up_counts_those_who_were_answered_as_patient() -> None:
    counters = QueueCounters()
    for n in range(1000):
        counters = waited(counters, 60.0, gave_up=n % 10 == 0)
    assert giving_up_per_s(counters) == pytest.approx(0.1 / 60.0, rel=0.35)


def test_the_arrival_rate_fades_when_nobody_comes() -> None:
    counters = QueueCounters()
    for n in range(2000):
        counters = arrived(counters, 10.0 * n)
    assert arrivals_per_s(counters, 20_000.0) == pytest.approx(0.1, rel=0.05)
    assert arrivals_per_s(counters, 20_000.0 + 3 * ARRIVALS_S) < 0.006


def test_it_is_announced_and_kept_with_the_visit() -> None:
    desk = Desk(1, sales=a_queue(announce_position_every_s=30.0, announce_wait=True, expected_service_s=300.0))
    desk.talk()
    caller = desk.call()
    assert [p.value for p in desk.told(c.Say)[0].say] == ["cc-queue-next", "cc-wait-about", "300"]
    desk.wait(40.0)
    desk.hangs_up(caller)
    assert desk.kept(VisitRecord)[-1].announced_wait_s == pytest.approx(300.0)


def test_overflow_by_the_expected_wait_at_the_door_and_while_waiting() -> None:
    rule = Overflow(by=OverflowBy.EXPECTED_WAIT_S, above=400.0, exit=TO_SUPPORT)
    desk = Desk(2, sales=a_queue(overflow=(rule,), expected_service_s=300.0), support=a_queue(skills=("other",)))
    desk.talk()
    leaving, offer = desk.talk()
    for _ in range(3):
        desk.call()
    assert [queue_of(desk, n) for n in (3, 4, 5)] == ["sales", "sales", "support"]
    pause(desk, 2)
    desk.hangs_up(leaving)
    desk.hangs_up(offer.leg)
    desk.wait(45.0)
    # One agent is left: two who wait are two services of 300 s for the second of them.
    assert [queue_of(desk, n) for n in (3, 4)] == ["sales", "support"]
