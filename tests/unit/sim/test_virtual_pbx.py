"""The virtual PBX against what was seen on the real one: commands in, events out, nothing decided."""

import pytest
from pbx_bench import OTHER_PHONE, PHONE, Bench, kinds, one

from ccserver.core.commands import Collect, EndSession, HangUpLeg, Next, Say, WaitUntil
from ccserver.core.events import (
    CallArrived,
    CommandDone,
    CommandFailed,
    DigitsCollected,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegLeftBridge,
    LegRinging,
    LegStarted,
    LinkLost,
    OutcomeUnknown,
    PbxObserved,
    PhoneStateChanged,
    RingEnded,
    SessionClosed,
    VerbEnd,
    WaitEnded,
    WrapUpOpened,
)
from ccserver.core.ids import LegId
from ccserver.core.records import PhoneState
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.sim.sample import ENGLISH
from ccserver.sim.wire import Faults


def test_an_answered_offer_joins_caller_and_agent() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    assert [e.leg for e in bench.events if isinstance(e, LegEnteredBridge)] == [caller.leg, agent.leg]
    assert one(bench.events, RingEnded).is_ok
    assert {"CommandDone", "LegStarted", "LegRinging", "LegAnswered", "SessionClosed"} <= set(kinds(bench.events))
    assert bench.pbx.phones[PHONE].shown is PhoneState.IN_USE


def test_the_order_of_answer_and_originate_response_is_not_promised() -> None:
    orders = set()
    for seed in range(30):
        bench = Bench(seed)
        bench.talk()
        orders.add(tuple(k for k in kinds(bench.events) if k in ("LegAnswered", "RingEnded")))
    assert orders == {("LegAnswered", "RingEnded"), ("RingEnded", "LegAnswered")}


def test_a_phone_without_contact_gives_no_channel_only_the_end_of_the_action() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    bench.pbx.set_registered(bench.pbx.phones[PHONE], False)
    command = bench.perform(bench.ring(caller))
    events = bench.run(1.0)
    assert one(events, CommandDone).command == command
    assert not one(events, RingEnded).is_ok
    assert not [e for e in events if isinstance(e, LegStarted | LegEnded)]
    assert [e.state for e in events if isinstance(e, PhoneStateChanged)] == [PhoneState.UNAVAILABLE]


@pytest.mark.parametrize(("way", "cause", "tech_cause"), [("busy", 17, 486), ("declined", 21, 603), ("unanswered", 19, 480)])
def test_offers_that_fail_differ_in_the_cause_of_the_hang_up(way: str, cause: int, tech_cause: int) -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    if way == "busy":
        bench.pbx.set_own_call(bench.pbx.phones[PHONE], True)
    bench.perform(bench.ring(caller))
    bench.run(1.0)
    if way == "declined":
        assert bench.agent.channel is not None
        bench.pbx.decline(bench.agent.channel)
    bench.run(30.0)
    ended = one(bench.events, LegEnded)
    assert (ended.cause, ended.tech_cause) == (cause, tech_cause)
    assert not one(bench.events, RingEnded).is_ok
    assert caller.session is not None


def test_hanging_up_a_ringing_leg_ends_it_and_an_unknown_one_is_refused() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    ring = bench.ring(caller)
    bench.perform(ring)
    bench.run(0.1)
    bench.perform(HangUpLeg(leg=ring.leg))
    assert one(bench.run(0.1), LegEnded).cause == 16
    failed = bench.perform(HangUpLeg(leg=ring.leg))
    assert one(bench.run(0.1), CommandFailed).command == failed


def test_a_phone_that_answers_in_the_instant_of_the_hang_up_is_told_and_joins_nobody() -> None:
    orders = set()
    for seed in range(20):
        bench = Bench(seed)
        _, caller, _ = bench.caller()
        ring = bench.ring(caller)
        bench.perform(ring)
        bench.run(0.1)
        command = bench.perform(HangUpLeg(leg=ring.leg))
        bench.run(0.002)
        assert bench.agent.channel is not None
        bench.pbx.answer(bench.agent.channel)
        bench.run(0.1)
        told = [e for e in bench.events if e == CommandDone(command=command) or getattr(e, "leg", None) == ring.leg]
        assert "LegEnteredBridge" not in kinds(told) and one(told, LegEnded).cause == 16
        assert caller.bridge is None and caller.session is not None
        orders.add(tuple(kind for kind in kinds(told) if kind in ("CommandDone", "LegAnswered")))
    assert orders == {("CommandDone",), ("CommandDone", "LegAnswered")}


def test_an_originate_with_a_channel_id_in_use_fails_and_names_the_living_leg() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    again = bench.perform(bench.ring(caller, phone=OTHER_PHONE))
    events = bench.run(1.0)
    assert one(events, RingEnded) == RingEnded(command=again, leg=agent.leg, is_ok=False, reason=0)
    assert agent.bridge is not None


def test_a_second_bridge_takes_the_caller_out_of_the_first() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.perform(bench.ring(caller, 2, OTHER_PHONE))
    bench.run(0.1)
    assert bench.other.channel is not None
    bench.pbx.answer(bench.other.channel)
    events = bench.run(0.1)
    assert caller.bridge is not None and caller.bridge.agent is bench.other.channel
    assert {e.leg for e in events if isinstance(e, LegLeftBridge)} == {caller.leg, agent.leg}
    assert one(events, WrapUpOpened).leg == agent.leg
    assert bench.pbx.steals == 1


def test_a_caller_who_is_gone_when_the_agent_answers_ends_the_agents_leg() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    ring = bench.ring(caller)
    bench.perform(ring)
    bench.run(0.1)
    assert bench.agent.channel is not None
    bench.pbx.answer(bench.agent.channel)
    bench.pbx.hang_up(caller)
    events = bench.run(0.1)
    assert {e.leg for e in events if isinstance(e, LegEnded)} == {caller.leg, ring.leg}
    assert not [e for e in events if isinstance(e, LegEnteredBridge | WrapUpOpened)]


def test_who_stays_after_a_talk_asks_the_daemon() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.pbx.hang_up(agent)
    back = one(bench.run(0.1), CallArrived)
    assert back.leg == caller.leg
    bench = Bench()
    caller, agent = bench.talk()
    bench.pbx.hang_up(caller)
    assert one(bench.run(0.1), WrapUpOpened).leg == agent.leg


def test_the_longest_talk_parts_both() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    bench.perform(bench.ring(caller, max_talk_s=60.0, auto_answer=True))
    bench.run(1.0)
    assert caller.bridge is not None
    events = bench.run(60.0)
    assert len([e for e in events if isinstance(e, LegLeftBridge)]) == 2
    assert {"CallArrived", "WrapUpOpened"} <= set(kinds(events))


def test_a_menu_takes_the_first_complete_choice_and_keeps_what_was_typed_ahead() -> None:
    bench = Bench()
    _, caller, arrived = bench.caller()
    menu = Collect(
        session=arrived.session,
        say=(Spoken(SpokenKind.PROMPT, "menu"),),
        language=ENGLISH,
        max_digits=2,
        first_timeout_s=5.0,
        next_timeout_s=2.0,
        complete=("1", "2"),
    )
    bench.perform(menu)
    bench.run(0.1)
    bench.pbx.press(caller, "12")
    bench.run(0.1)
    bench.perform(menu)
    events = bench.run(0.1)
    assert [e.digits for e in bench.events if isinstance(e, DigitsCollected)] == ["1", "2"]
    bench.perform(menu)
    silent = one(bench.run(20.0), DigitsCollected)
    assert (silent.end, silent.digits) == (VerbEnd.TIMEOUT, "")
    assert events


def test_music_gives_way_to_a_newer_verb_within_a_second() -> None:
    bench = Bench()
    _, _, arrived = bench.caller()
    bench.perform(WaitUntil(session=arrived.session, music="default"))
    assert not bench.run(100.0)
    bench.perform(Say(session=arrived.session, say=(), language=ENGLISH))
    assert one(bench.run(1.1), WaitEnded).end is VerbEnd.SUPERSEDED


def test_a_session_ends_before_its_caller_does() -> None:
    bench = Bench()
    person, caller, arrived = bench.caller()
    bench.perform(EndSession(session=arrived.session, next=Next.HANG_UP, cause=17))
    events = bench.run(0.1)
    assert one(events, SessionClosed).session == arrived.session
    assert one(events, LegEnded) == LegEnded(leg=caller.leg, cause=17)
    assert person.heard == ["ended"]


def test_callers_outlive_the_daemon_and_come_back_with_the_same_leg() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    bench.pbx.daemon_died()
    assert not bench.run(10.0)
    bench.pbx.daemon_started()
    bench.wire.is_agi_open = True
    back = one(bench.run(2.1), CallArrived)
    assert back.leg == caller.leg


def test_a_daemon_that_stays_away_leaves_callers_to_the_fallback() -> None:
    bench = Bench()
    person, caller, _ = bench.caller()
    bench.pbx.daemon_died()
    bench.run(40.0)
    assert caller.is_gone
    assert person.heard == ["ended"]


def test_a_broken_link_leaves_the_outcome_of_an_action_unknown() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    command = bench.perform(bench.ring(caller))
    bench.pbx.break_link()
    events = bench.run(1.0)
    assert events == [LinkLost(pbx="pbx"), OutcomeUnknown(command=command)]
    refused = bench.perform(HangUpLeg(leg=caller.leg))
    assert one(bench.run(0.1), CommandFailed).command == refused


def test_a_killed_pbx_tells_nothing_but_closed_sockets() -> None:
    bench = Bench()
    bench.talk()
    _, _, arrived = bench.caller()
    bench.pbx.crash()
    events = bench.run(1.0)
    assert sorted(kinds(events)) == ["LinkLost", "SessionClosed"]
    assert one(events, SessionClosed).session == arrived.session
    assert not bench.pbx.channels


def test_a_reading_may_be_older_than_the_events_before_it() -> None:
    """A caller hangs up between the reading and its delivery: the list still shows the channel."""
    overtaken = 0
    for seed in range(40):
        bench = Bench(seed)
        _, caller, _ = bench.caller()
        bench.pbx.observe()
        bench.run(0.005)
        bench.pbx.hang_up(caller)
        bench.run(1.0)
        shown = one(bench.events, PbxObserved)
        order = kinds(bench.events)
        if order.index("LegEnded") < order.index("PbxObserved") and shown.channels:
            overtaken += 1
    assert overtaken > 0


def test_faults_lose_double_and_delay_what_is_told() -> None:
    bench = Bench(faults=Faults(lost_ratio=0.2, doubled_ratio=0.2, late_ratio=0.2))
    for number in range(300):
        bench.wire.ami(LegRinging(leg=LegId("pbx", str(number))))
    bench.run(10.0)
    told = [e.leg.uniqueid for e in bench.events if isinstance(e, LegRinging)]
    assert len(set(told)) == 300 - bench.wire.lost
    assert len(told) == len(set(told)) + bench.wire.doubled
    assert told != sorted(told, key=int)
    assert min(bench.wire.lost, bench.wire.doubled, bench.wire.late) > 10


def test_the_answer_comes_after_the_phone_was_picked_up() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    bench.perform(bench.ring(caller))
    bench.run(5.0)
    assert not [e for e in bench.events if isinstance(e, LegAnswered)]
