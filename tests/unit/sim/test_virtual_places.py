"""Where legs can be sent on the virtual PBX, and what is told of it there."""

import pytest
from pbx_bench import OTHER_PHONE, PHONE, Bench, Somebody, kinds, one

from ccserver.core.commands import (
    AwaitSilence,
    CollectNumber,
    ControlRecording,
    DialOut,
    EndSession,
    HangUpLeg,
    JoinLeg,
    LampState,
    Move,
    Next,
    Place,
    RecordingStep,
    RecordMessage,
    RedirectLegs,
    SetLamp,
)
from ccserver.core.events import (
    CallArrived,
    CalleeTold,
    CommandDone,
    CommandFailed,
    DeskOpened,
    EmergencyDialled,
    Event,
    FeatureDialled,
    Heard,
    LegDigit,
    LegEnded,
    LegEnteredBridge,
    LegParked,
    LegsTransferred,
    LegUnheld,
    MessageRecorded,
    NumberCollected,
    OwnCallDialled,
    PbxObserved,
    PromptEnded,
    RingEnded,
    SessionClosed,
    TransferAsked,
    VerbEnd,
    WrapUpOpened,
)
from ccserver.core.ids import InteractionId, LegId, PhoneId, SessionId
from ccserver.core.settings import NumberKind
from ccserver.sim.channels import Channel
from ccserver.sim.sample import ENGLISH


def parked(bench: Bench, caller: Channel, number: int = 1, phone: PhoneId = PHONE) -> Channel:
    """An agent's leg that has answered and waits to be joined."""
    bench.perform(bench.ring(caller, number, phone, place=Place.PARK))
    bench.run(0.1)
    person = bench.agent if phone == PHONE else bench.other
    assert person.channel is not None
    bench.pbx.answer(person.channel)
    bench.run(0.1)
    return person.channel


def join(leg: Channel, caller: Channel, *, is_kept: bool = False) -> JoinLeg:
    return JoinLeg(
        leg=leg.leg,
        channel=leg.name,
        caller=caller.leg,
        caller_channel=caller.name,
        recording="/rec/1",
        max_talk_s=60.0,
        is_kept=is_kept,
    )


def to(channel: Channel, place: Place, room: str = "") -> Move:
    return Move(leg=channel.leg, channel=channel.name, place=place, room=room)


def talk_with(channel: Channel) -> Channel | None:
    """The other one in its talk."""
    if channel.bridge is None or len(channel.bridge.members) != 2:
        return None
    return channel.bridge.others(channel)[0]


def opened(events: list[Event]) -> SessionId:
    return one(events, DeskOpened).session


# --- waiting to be joined ---------------------------------------------------------------------------------------------
def test_two_phones_answer_and_wait_and_the_one_that_is_chosen_talks() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    first, second = parked(bench, caller), parked(bench, caller, 2, OTHER_PHONE)
    assert [e.leg for e in bench.events if isinstance(e, LegParked)] == [first.leg, second.leg]
    assert caller.bridge is None
    command = bench.perform(join(second, caller))
    bench.perform(HangUpLeg(leg=first.leg))
    events = bench.run(0.1)
    assert command in [e.command for e in events if isinstance(e, CommandDone)]
    assert talk_with(caller) is second
    assert one(events, LegEnded).leg == first.leg
    assert one(events, SessionClosed)
    assert bench.pbx.steals == 0


def test_a_leg_that_is_joined_before_it_waits_goes_in_first_or_not() -> None:
    ways = set()
    for seed in range(40):
        bench = Bench(seed=seed)
        _, caller, _ = bench.caller()
        bench.perform(bench.ring(caller, place=Place.PARK))
        bench.run(0.1)
        agent = bench.agent.channel
        assert agent is not None
        bench.pbx.answer(agent)
        while not agent.is_parking:
            bench.run(0.0001)
        before = len(bench.events)
        command = bench.perform(join(agent, caller))
        bench.run(0.1)
        told = [e for e in bench.events[before:] if getattr(e, "leg", None) == agent.leg or isinstance(e, CommandDone)]
        assert talk_with(caller) is agent
        assert [e.command for e in told if isinstance(e, CommandDone)] == [command]
        ways.add(tuple(kind for kind in kinds(told) if kind in ("CommandDone", "LegEnteredBridge")))
    entered, done = "LegEnteredBridge", "CommandDone"
    assert ways == {(done, entered), (done, entered, entered), (entered, done, entered)}


def test_two_that_are_joined_take_the_caller_from_each_other() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    first, second = parked(bench, caller), parked(bench, caller, 2, OTHER_PHONE)
    bench.perform(join(first, caller))
    bench.perform(join(second, caller))
    events = bench.run(0.1)
    assert bench.pbx.steals == 1
    assert len([e for e in events if isinstance(e, WrapUpOpened)]) == 1


def test_a_kept_leg_waits_again_after_the_talk_and_an_ordinary_one_is_asked_for_the_disposition() -> None:
    for is_kept, told in ((True, LegParked), (False, WrapUpOpened)):
        bench = Bench()
        _, caller, _ = bench.caller()
        agent = parked(bench, caller)
        bench.perform(join(agent, caller, is_kept=is_kept))
        bench.run(0.1)
        bench.pbx.hang_up(caller)
        assert one(bench.run(0.1), told).leg == agent.leg


def test_a_caller_who_is_gone_at_the_join_parks_a_kept_leg_again_and_ends_another() -> None:
    for is_kept, told in ((True, LegParked), (False, LegEnded)):
        bench = Bench()
        _, caller, _ = bench.caller()
        agent = parked(bench, caller)
        bench.pbx.hang_up(caller)
        bench.run(0.1)
        bench.perform(join(agent, caller, is_kept=is_kept))
        events = bench.run(0.1)
        assert one(events, told).leg == agent.leg
        assert one(events, CommandDone)


def test_who_is_joined_with_a_leg_that_is_gone_is_refused() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    agent = parked(bench, caller)
    bench.pbx.hang_up(agent)
    bench.run(0.1)
    command = bench.perform(join(agent, caller))
    assert one(bench.run(0.1), CommandFailed).command == command
    assert caller.session is not None


def test_the_longest_talk_ends_a_joined_one_too() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    agent = parked(bench, caller)
    bench.perform(join(agent, caller, is_kept=True))
    bench.run(1.0)
    assert talk_with(caller) is agent
    assert {"CallArrived", "LegParked"} <= set(kinds(bench.run(61.0)))


def test_a_reading_shows_where_a_leg_waits() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    agent = parked(bench, caller)
    bench.pbx.observe()
    shown = one(bench.run(0.1), PbxObserved)
    (view,) = [view for view in shown.channels if view.leg == agent.leg]
    assert (view.application, view.context) == ("BridgeWait", "cc-agent")
    assert view.bridge == [e.bridge for e in bench.events if isinstance(e, LegEnteredBridge)][-1]


# --- apart and together again -----------------------------------------------------------------------------------------
def test_both_legs_of_a_talk_go_apart_in_one_stroke_and_come_together_again() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.perform(RedirectLegs(moves=(to(caller, Place.LOOP), to(agent, Place.DESK))))
    events = bench.run(0.1)
    assert one(events, CallArrived).leg == caller.leg
    assert one(events, DeskOpened).leg == agent.leg
    assert not [e for e in events if isinstance(e, WrapUpOpened | LegEnded)]
    bench.perform(join(agent, caller))
    closed = [e for e in bench.run(0.1) if isinstance(e, SessionClosed)]
    assert len(closed) == 2
    assert talk_with(caller) is agent


def test_one_leg_that_is_sent_away_leaves_the_other_to_the_dialplan() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.perform(RedirectLegs(moves=(to(agent, Place.PARK),)))
    events = bench.run(0.1)
    assert one(events, LegParked).leg == agent.leg
    assert one(events, CallArrived).leg == caller.leg


def test_nobody_is_moved_when_one_of_two_is_gone() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.pbx.hang_up(caller)
    bench.run(0.1)
    command = bench.perform(RedirectLegs(moves=(to(agent, Place.PARK), to(caller, Place.LOOP))))
    events = bench.run(0.1)
    assert one(events, CommandFailed).command == command
    assert agent.session is not None


def test_an_agent_at_the_desk_can_be_somebodys_caller_and_is_at_the_desk_again_afterwards() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.perform(RedirectLegs(moves=(to(caller, Place.LOOP), to(agent, Place.DESK))))
    bench.run(0.1)
    bench.perform(bench.ring(agent, 2, OTHER_PHONE))
    bench.run(0.1)
    colleague = bench.other.channel
    assert colleague is not None
    bench.pbx.answer(colleague)
    bench.run(0.1)
    assert talk_with(agent) is colleague
    bench.perform(join(colleague, caller))
    events = bench.run(0.1)
    assert one(events, DeskOpened).leg == agent.leg
    assert talk_with(caller) is colleague
    assert bench.pbx.steals == 0


def test_who_leaves_a_conference_leaves_the_others_together() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    third = parked(bench, caller, 2, OTHER_PHONE)
    bench.perform(RedirectLegs(moves=(to(caller, Place.CONFERENCE, "7"), to(agent, Place.CONFERENCE, "7"))))
    bench.perform(RedirectLegs(moves=(to(third, Place.CONFERENCE, "7"),)))
    bench.run(0.1)
    assert caller.bridge is not None
    assert set(caller.bridge.members) == {caller, agent, third}
    bench.pbx.hang_up(agent)
    events = bench.run(0.1)
    assert caller.bridge is not None and set(caller.bridge.members) == {caller, third}
    bench.pbx.hang_up(third)
    events += bench.run(0.1)
    assert not [e for e in events if isinstance(e, CallArrived | WrapUpOpened)]
    assert caller.bridge is not None and caller.bridge.members == [caller]


def test_the_desk_asks_again_when_the_daemon_is_back() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.perform(RedirectLegs(moves=(to(caller, Place.LOOP), to(agent, Place.DESK))))
    bench.run(0.1)
    bench.pbx.daemon_died()
    bench.run(10.0)
    bench.pbx.daemon_started()
    bench.wire.is_agi_open = True
    events = bench.run(2.1)
    assert {one(events, DeskOpened).leg, one(events, CallArrived).leg} == {agent.leg, caller.leg}


# --- headsets and external phones -------------------------------------------------------------------------------------
def test_a_phones_own_call_becomes_a_line_that_stays() -> None:
    bench = Bench()
    line = bench.pbx.dial_feature(bench.agent, bench.pbx.phones[PHONE], "18")
    assert line is not None
    dialled = one(bench.run(0.1), FeatureDialled)
    bench.perform(EndSession(session=dialled.session, next=Next.PARK))
    assert one(bench.run(0.1), LegParked).leg == line.leg
    _, caller, _ = bench.caller()
    bench.perform(join(line, caller, is_kept=True))
    bench.run(0.1)
    bench.pbx.hang_up(caller)
    assert one(bench.run(0.1), LegParked).leg == line.leg
    bench.perform(RedirectLegs(moves=(to(line, Place.DESK),)))
    desk = opened(bench.run(0.1))
    bench.perform(EndSession(session=desk, next=Next.PARK))
    assert one(bench.run(0.1), LegParked).leg == line.leg


def test_an_external_phone_answers_at_the_desk_where_a_voicemail_says_nothing() -> None:
    bench = Bench()
    _, caller, _ = bench.caller()
    ring = bench.ring(caller, place=Place.DESK)
    bench.perform(ring)
    bench.run(0.1)
    assert bench.agent.channel is not None
    bench.pbx.answer(bench.agent.channel)
    events = bench.run(0.1)
    bench.perform(EndSession(session=opened(events), next=Next.PARK))
    assert one(bench.run(0.1), LegParked).leg == ring.leg


# --- calls that we and phones make ------------------------------------------------------------------------------------
def dial_out(place: Place, **changes: object) -> DialOut:
    given: dict[str, object] = {
        "leg": LegId("pbx", "ccpbx-000001-00000077"),
        "interaction": InteractionId(1),
        "to": PhoneId("PJSIP/+15550123@carrier"),
        "number": None,
        "name": "",
        "ring_timeout_s": 20.0,
        "place": place,
    }
    return DialOut(**(given | changes))  # type: ignore[arg-type]


def test_a_customer_who_is_called_arrives_with_the_leg_that_was_given() -> None:
    bench = Bench()
    customer = Somebody()
    bench.pbx.dialplan.outside = lambda to: customer if to == "PJSIP/+15550123@carrier" else None
    bench.perform(dial_out(Place.LOOP))
    bench.run(0.1)
    assert customer.channel is not None
    bench.pbx.answer(customer.channel)
    events = bench.run(0.1)
    assert one(events, CallArrived).leg == LegId("pbx", "ccpbx-000001-00000077")
    assert one(events, RingEnded).is_ok


def callee(bench: Bench, **changes: object) -> tuple[Somebody, Channel]:
    """Somebody whom a campaign calls, and who has just answered."""
    person = Somebody()
    bench.pbx.dialplan.outside = lambda to: person
    bench.perform(dial_out(Place.CALLEE, sound="/prompts/en/who-called", **changes))
    bench.run(0.1)
    assert person.channel is not None
    bench.pbx.answer(person.channel)
    return person, person.channel


def test_a_callee_arrives_with_what_was_heard_of_them() -> None:
    bench = Bench()
    _, channel = callee(bench)
    arrived = one(bench.run(0.1), CallArrived)
    assert (arrived.leg, arrived.heard) == (channel.leg, Heard.NOTHING)
    bench = Bench()
    bench.pbx.dialplan.ear = lambda channel: Heard.MACHINE
    callee(bench, amd="2500,1500,800,5000")
    assert not [event for event in bench.run(0.1) if isinstance(event, CallArrived)], "AMD() takes its time"
    assert one(bench.run(6.0), CallArrived).heard is Heard.MACHINE


def test_a_callee_who_has_talked_is_a_customer_like_any_other() -> None:
    bench = Bench()
    _, channel = callee(bench)
    bench.run(0.1)
    agent = parked(bench, channel)
    bench.perform(join(agent, channel))
    bench.run(0.1)
    assert talk_with(channel) is agent
    bench.pbx.hang_up(agent)
    assert one(bench.run(0.1), CallArrived).leg == channel.leg
    bench.wire.is_agi_open = False
    bench.pbx.dialplan.daemon_died()
    events = bench.run(1.0)
    assert not [event for event in events if isinstance(event, CalleeTold | LegEnded)], "the music of those who wait"


@pytest.mark.parametrize("is_early", [True, False])
def test_a_callee_without_the_daemon_is_told_who_called_and_let_go(is_early: bool) -> None:
    bench = Bench()
    bench.wire.is_agi_open = not is_early
    person, _ = callee(bench)
    bench.run(0.1)
    if not is_early:
        bench.wire.is_agi_open = False
        bench.pbx.dialplan.daemon_died()
    bench.run(5.0)
    assert [type(event) for event in bench.events if isinstance(event, CalleeTold | LegEnded)] == [CalleeTold, LegEnded]
    assert person.heard[-1] == "ended"


def test_a_message_is_left_when_the_greeting_is_over() -> None:
    ends = set()
    for seed in range(12):
        bench = Bench(seed)
        callee(bench)
        session = one(bench.run(0.1), CallArrived).session
        bench.perform(AwaitSilence(session=session, silence_s=1.5, timeout_s=12.0))
        bench.perform(EndSession(session=session, next=Next.HANG_UP)) if seed % 3 == 0 else None
        ends.add(one(bench.run(20.0), PromptEnded).end)
    assert ends == {VerbEnd.DONE, VerbEnd.TIMEOUT, VerbEnd.SUPERSEDED}


def test_a_callee_whose_connection_broke_comes_back() -> None:
    bench = Bench()
    _, channel = callee(bench)
    bench.run(0.1)
    bench.pbx.dialplan.lose_session(channel)
    assert one(bench.run(0.1), CallArrived).leg == channel.leg


def test_a_number_that_does_not_exist_ends_at_once() -> None:
    bench = Bench()
    bench.perform(dial_out(Place.LOOP))
    events = bench.run(0.1)
    assert (one(events, LegEnded).cause, one(events, RingEnded).is_ok) == (1, False)


def test_somebody_outside_is_joined_with_the_caller_on_answer() -> None:
    bench = Bench()
    guest = Somebody()
    bench.pbx.dialplan.outside = lambda to: guest
    _, caller, _ = bench.caller()
    bench.perform(dial_out(Place.JOIN, caller_channel=caller.name))
    bench.run(0.1)
    assert guest.channel is not None
    bench.pbx.answer(guest.channel)
    bench.run(0.1)
    assert talk_with(caller) is guest.channel


def own_call(bench: Bench, number: str) -> tuple[Channel, OwnCallDialled]:
    channel = bench.pbx.dial(bench.agent, bench.pbx.phones[PHONE], number)
    assert channel is not None
    return channel, one(bench.run(0.1), OwnCallDialled)


def test_a_phones_own_call_goes_on_when_it_may_and_ends_when_it_may_not() -> None:
    bench = Bench()
    channel, asked = own_call(bench, "2001")
    assert (asked.phone, asked.number, asked.kind) == (PHONE, "2001", NumberKind.INTERNAL)
    bench.perform(EndSession(session=asked.session, next=Next.DIAL))
    bench.run(0.1)
    assert bench.other.channel is not None
    bench.pbx.answer(bench.other.channel)
    bench.run(0.1)
    assert talk_with(channel) is bench.other.channel
    bench.pbx.hang_up(channel)
    assert len([e for e in bench.run(0.1) if isinstance(e, LegEnded)]) == 2
    channel, asked = own_call(bench, "9005550")
    assert asked.kind is NumberKind.PREMIUM
    bench.perform(EndSession(session=asked.session, next=Next.HANG_UP, cause=21))
    assert one(bench.run(0.1), LegEnded) == LegEnded(leg=channel.leg, cause=21)


def test_without_the_daemon_internal_calls_go_through_and_outside_ones_do_not() -> None:
    bench = Bench()
    bench.pbx.daemon_died()
    inside = bench.pbx.dial(bench.agent, bench.pbx.phones[PHONE], "2001")
    bench.run(0.1)
    assert inside is not None and bench.other.heard == ["rings"]
    bench.pbx.hang_up(inside)
    outside = bench.pbx.dial(bench.agent, bench.pbx.phones[PHONE], "5550123")
    bench.run(0.1)
    assert outside is not None and outside.is_gone


def test_an_emergency_call_is_told_and_not_asked_for() -> None:
    bench = Bench()
    channel = bench.pbx.dial(bench.agent, bench.pbx.phones[PHONE], "112")
    assert channel is not None
    events = bench.run(0.1)
    assert one(events, EmergencyDialled) == EmergencyDialled(leg=channel.leg, phone=PHONE, to="112")
    assert channel.is_up and not [e for e in events if isinstance(e, OwnCallDialled)]


# --- transfers by the phone -------------------------------------------------------------------------------------------
def test_a_blind_transfer_brings_the_customer_to_the_daemon() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.pbx.refer(agent, "2001")
    events = bench.run(0.1)
    asked = one(events, TransferAsked)
    assert (asked.leg, asked.to, asked.kind) == (caller.leg, "2001", NumberKind.INTERNAL)
    assert one(events, LegUnheld).leg == agent.leg
    bench.pbx.daemon_died()
    bench.pbx.daemon_started()
    bench.wire.is_agi_open = True
    assert one(bench.run(2.1), CallArrived).leg == caller.leg


def test_a_phone_that_transferred_hangs_up_or_stays_for_the_wrap_up() -> None:
    ways = set()
    for seed in range(20):
        bench = Bench(seed=seed)
        _, agent = bench.talk()
        bench.pbx.refer(agent, "2001")
        events = bench.run(0.1)
        is_over = [e.leg for e in events if isinstance(e, LegEnded)] == [agent.leg]
        assert is_over or one(events, WrapUpOpened).leg == agent.leg
        ways.add(is_over)
    assert ways == {True, False}


def test_an_attended_transfer_brings_the_customer_to_whom_the_phone_had_called() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.pbx.hold(agent, True)
    second, asked = own_call(bench, "2001")
    bench.perform(EndSession(session=asked.session, next=Next.DIAL))
    bench.run(0.1)
    target = bench.other.channel
    assert target is not None
    bench.pbx.answer(target)
    bench.run(0.1)
    bench.pbx.refer_attended(agent, second)
    events = bench.run(0.1)
    told = one(events, LegsTransferred)
    assert (told.transferrer, told.second, told.transferee, told.target) == (agent.leg, second.leg, caller.leg, target.leg)
    assert talk_with(caller) is target
    assert {e.leg for e in events if isinstance(e, LegEnded)} == {agent.leg, second.leg}
    bench.pbx.hang_up(target)
    assert one(bench.run(0.1), CallArrived).leg == caller.leg


# --- keys, numbers, messages, lamps -----------------------------------------------------------------------------------
def test_keys_are_told_of_legs_that_are_listened_to_and_never_of_what_is_typed_into_a_session() -> None:
    bench = Bench()
    caller, agent = bench.talk()
    bench.listened.add(agent.leg)
    bench.pbx.press(agent, "*2")
    bench.pbx.press(caller, "99")
    assert [(e.leg, e.digit) for e in bench.run(0.1) if isinstance(e, LegDigit)] == [(agent.leg, "*"), (agent.leg, "2")]
    bench.perform(RedirectLegs(moves=(to(caller, Place.LOOP), to(agent, Place.DESK))))
    bench.run(0.1)
    bench.pbx.press(agent, "1234")
    assert not [e for e in bench.run(0.1) if isinstance(e, LegDigit)]


def test_a_number_that_is_typed_is_read_as_what_it_is() -> None:
    bench = Bench()
    _, caller, arrived = bench.caller()
    for typed, number, kind in (
        ("2001#", "2001", NumberKind.INTERNAL),
        ("5550123#", "+15555550123", NumberKind.LOCAL),
        ("0034911222333#", "+34911222333", NumberKind.INTERNATIONAL),
        ("*#", "", NumberKind.UNKNOWN),
    ):
        bench.perform(CollectNumber(session=arrived.session, say=(), language=ENGLISH, first_timeout_s=5.0, next_timeout_s=3.0))
        bench.pbx.press(caller, typed)
        collected = one(bench.run(0.1), NumberCollected)
        assert (collected.end, collected.number, collected.kind) == (VerbEnd.DONE, number, kind)


def test_a_message_ends_by_a_key_or_by_itself() -> None:
    ends = set()
    for seed in range(20):
        bench = Bench(seed)
        _, caller, arrived = bench.caller()
        bench.perform(
            RecordMessage(session=arrived.session, say=(), language=ENGLISH, path="/m.wav", max_s=20.0, silence_s=3.0)
        )
        bench.run(0.9)
        if seed % 2:
            bench.pbx.press(caller, "#")
        told = one([*bench.events, *bench.run(60.0)][-1:], MessageRecorded)
        assert 0.0 <= told.duration_s <= 20.0
        ends.add(told.end)
    assert ends == {VerbEnd.DIGIT, VerbEnd.DONE, VerbEnd.TIMEOUT}


def test_lamps_outlive_a_killed_pbx_and_recordings_can_be_paused() -> None:
    bench = Bench()
    _, agent = bench.talk()
    bench.perform(SetLamp(lamp="agent-1000", state=LampState.LIT))
    bench.perform(ControlRecording(leg=agent.leg, channel=agent.name, what=RecordingStep.PAUSE))
    assert not bench.run(0.1)
    assert agent.controls == [RecordingStep.PAUSE]
    bench.pbx.crash()
    assert bench.pbx.lamps == {"agent-1000": LampState.LIT}
