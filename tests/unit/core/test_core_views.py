"""What status, top and the wallboard are shown of agents and queues."""

from desk import Desk
from keypad import Keypad
from rules import obey_for

from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import ShownState
from ccserver.core.settings import NumberKind
from ccserver.core.views import AgentView, QueueView, overview


def agent(desk: Desk, n: int = 1) -> AgentView:
    seen = overview(desk.center.snapshot(), desk.center.settings, desk.moment())
    return next(a for a in seen.agents if a.id == f"10{n}")


def queue(desk: Desk) -> QueueView:
    (seen,) = overview(desk.center.snapshot(), desk.center.settings, desk.moment()).queues
    return seen


def test_an_agents_day() -> None:
    desk = Desk(agents=1)
    since_s = desk.now_s
    caller, offer = desk.talk()
    desk.now_s += 60.0
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.now_s += 10.0
    Keypad(desk, 1, "15")
    desk.now_s += 5.0
    seen = agent(desk)
    assert (seen.calls_today, seen.missed_today) == (1, 0)
    assert (round(seen.talk_today_s), round(seen.wrap_up_today_s)) == (60, 10)
    assert seen.logged_in_today_s == desk.now_s - since_s
    desk.now_s += 24 * 3600.0
    assert agent(desk).calls_today == 0, "also where no deadline has been handled yet"


def test_an_own_call_with_its_number() -> None:
    desk = Desk(agents=1)
    leg = LegId("pbx", "1.1")
    desk.tell(
        ev.OwnCallDialled(
            session="o", leg=leg, channel="x", phone="PJSIP/1001", to="1002", number="1002", kind=NumberKind.INTERNAL
        )
    )
    assert (agent(desk).state, agent(desk).own_call) == (ShownState.ON_OWN_CALL, "1002")
    desk.hangs_up(leg)
    assert agent(desk).own_call is None


def test_the_rest_that_is_left() -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, min_rest_s=30.0)
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    Keypad(desk, 1, "15")
    desk.now_s += 10.0
    assert (agent(desk).state, agent(desk).rest_left_s) == (ShownState.RESTING, 20.0)


def test_a_queue_that_was_closed_by_hand() -> None:
    desk = Desk(agents=1)
    assert queue(desk).closed_by is None
    desk.tell(ev.CloseQueueRequested(request=1, queue="sales", prompt=None, by="maria"))
    assert queue(desk).closed_by == "maria"


def test_callers_are_shown_in_the_order_of_service_and_not_of_arrival() -> None:
    desk = Desk(agents=1, logged_in=False)
    desk.call()
    desk.wait(1.0)
    desk.call()
    desk.tell(ev.PriorityRequested(request=1, interaction=2, priority=5))
    assert [(w.number, w.position) for w in queue(desk).waiting] == [(2, 1), (1, 2)]
