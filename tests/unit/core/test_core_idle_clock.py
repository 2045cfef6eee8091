"""What starts an agent's idle clock anew, by each setting, and what never does. Own calls: see test_core_own_calls."""

from collections.abc import Callable

import pytest
from desk import Desk
from keypad import Keypad
from rules import obey

from ccserver.core import events as ev
from ccserver.core import idle_clock
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.moment import Moment
from ccserver.core.settings import AgentRules, IdleReset
from ccserver.core.state import CONSULT, VOICE, Agent, Work
from ccserver.core.transitions import Phase

LATER_S = 50.0


def logs_in_again(desk: Desk) -> None:
    Keypad(desk, 1, "12")
    desk.now_s += LATER_S
    desk.log_in(1)


def comes_back(desk: Desk) -> None:
    Keypad(desk, 1, "131")
    desk.now_s += LATER_S
    Keypad(desk, 1, "14")


def says_ready_twice(desk: Desk) -> None:
    desk.now_s += LATER_S
    Keypad(desk, 1, "14")


def misses(desk: Desk, cause: int = 19, tech_cause: int = 0) -> None:
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.now_s += LATER_S
    desk.hangs_up(offer.leg, cause=cause, tech_cause=tech_cause)


def rejects(desk: Desk) -> None:
    misses(desk, cause=21, tech_cause=603)


def is_busy(desk: Desk) -> None:
    misses(desk, cause=17, tech_cause=486)


def caller_leaves(desk: Desk) -> None:
    caller = desk.call()
    offer = desk.ring()
    desk.now_s += LATER_S
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)


def talks(desk: Desk, cause: int = 16) -> None:
    caller, offer = desk.talk()
    desk.now_s += LATER_S
    desk.hangs_up(offer.leg, cause=cause)
    desk.hangs_up(caller)
    Keypad(desk, 1, "15")


def loses_the_line(desk: Desk) -> None:
    talks(desk, cause=102)


def moves(desk: Desk) -> None:
    Keypad(desk, 2, "12")
    desk.now_s += LATER_S
    desk.tell(ev.LoginRequested(request=1, agent="101", phone="PJSIP/1002"))


ALWAYS, NEVER = frozenset(IdleReset), frozenset[IdleReset]()


@pytest.mark.parametrize(
    ("happens", "by"),
    [
        (logs_in_again, IdleReset.LOG_IN),
        (comes_back, IdleReset.READY),
        (misses, IdleReset.MISSED),
        (rejects, IdleReset.MISSED),
        (says_ready_twice, NEVER),
        (is_busy, NEVER),
        (caller_leaves, NEVER),
        (moves, NEVER),
        (talks, ALWAYS),
        (loses_the_line, ALWAYS),
    ],
)
@pytest.mark.parametrize("rule", [None, *IdleReset])
def test_the_clock_starts_anew(
    happens: Callable[[Desk], None], by: IdleReset | frozenset[IdleReset], rule: IdleReset | None
) -> None:
    desk = Desk(agents=2)
    obey(desk, agent_rules=AgentRules(idle_clock=frozenset() if rule is None else frozenset({rule})))
    Keypad(desk, 2, "131")
    before = desk.center.snapshot().agents["101"].idle_since_s
    happens(desk)
    is_anew = desk.center.snapshot().agents["101"].idle_since_s != before
    assert is_anew is (by is ALWAYS or by is rule)


@pytest.mark.parametrize(("kind", "rule", "is_anew"), [(VOICE, NEVER, True), (CONSULT, NEVER, False), (CONSULT, ALWAYS, True)])
def test_a_colleagues_question_counts_by_its_own_rule(kind: str, rule: frozenset[IdleReset], is_anew: bool) -> None:
    desk = Desk()
    obey(desk, agent_rules=AgentRules(idle_clock=rule))
    work = Work(
        interaction=InteractionId(1), kind=kind, phase=Phase.TALKING, queue=QueueId("sales"), leg=None, since=Moment(1.0, 1.0)
    )
    after = idle_clock.after_work(Agent(id=AgentId("101"), idle_since_s=5.0), work, desk.settings, 90.0)
    assert after.idle_since_s == (90.0 if is_anew else 5.0)
