"""What handing customers on means for figures, the idle clock, the rest, and for whose caller it is."""

import pytest
from handover_desk import HandoverDesk
from rules import obey, obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.commands import LampState
from ccserver.core.records import ShownState
from ccserver.core.settings import AgentRules, IdleReset
from ccserver.core.state import Agent


def known(desk: HandoverDesk, n: int) -> Agent:
    return desk.center.snapshot().agents[f"10{n}"]


@pytest.mark.parametrize("rule", [frozenset(), frozenset({IdleReset.CONSULT})])
def test_a_colleague_who_was_only_asked(rule: frozenset[IdleReset]) -> None:
    desk = HandoverDesk()
    obey(desk, agent_rules=AgentRules(idle_clock=rule))
    obey_for(desk, 2, min_rest_s=30.0)
    before = known(desk, 2).idle_since_s
    _, agent, colleague = desk.consulting()
    desk.now_s += 10.0
    desk.keys(agent, "*9")
    desk.join_happens()
    desk.hangs_up(colleague)
    asked = known(desk, 2)
    assert (asked.figures.calls, asked.figures.served, asked.last_caller) == (0, 0, None)
    assert asked.figures.talk_s == pytest.approx(10.0), "it is work all the same"
    assert desk.shown(2) is ShownState.READY, "and earns no rest"
    assert (asked.idle_since_s != before) is bool(rule)


def test_a_colleague_who_takes_over() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.now_s += 10.0
    desk.keys(agent, "*1")
    desk.join_happens()
    desk.desk(agent)
    assert known(desk, 2).figures.served == 1
    assert known(desk, 2).last_caller == known(desk, 1).last_caller == "+34911222333"
    desk.now_s += 20.0
    desk.hangs_up(customer)
    desk.hangs_up(colleague)
    assert [known(desk, n).figures.calls for n in (1, 2)] == [1, 1]
    assert known(desk, 2).figures.talk_s == pytest.approx(30.0)


def test_the_lamp_of_an_agent_whose_customer_is_on_hold_for_too_long_blinks_by_itself() -> None:
    desk = HandoverDesk()
    _, offer = desk.talk()
    desk.tell(ev.LegHeld(leg=offer.leg))
    desk.wait(59.9)
    assert desk.center.snapshot().lamps["agent-101"] is LampState.LIT
    desk.wait(0.2)
    assert desk.center.snapshot().lamps["agent-101"] is LampState.BLINKING
    assert [x.lamp for x in desk.ever(c.SetLamp)][-1] == "agent-101"
