"""The link against a manager that misbehaves: nothing is lost without a word, nothing is sent twice, nothing stays behind."""

import asyncio
import gc

import pytest
from fake_ami import QUICK, Action, Bench, FakeAmi, linked, message, run

from ccserver.ami.digits import LEGS_MAX, KeyFilter
from ccserver.ami.link import AmiLink, LinkTimes
from ccserver.core.commands import HangUpLeg, JoinLeg, LampState, Move, Place, RedirectLegs, RingAgent, SetLamp
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    LegDigit,
    LegEnded,
    LegEnteredBridge,
    LegStarted,
    LegStranded,
    LinkLost,
    LinkUp,
    OutcomeUnknown,
    PbxObserved,
    PhoneStateChanged,
    RingEnded,
)
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, QueueId
from ccserver.core.records import PhoneState

LEG = LegId("pbx", "ccpbx-000007-00000001")


def ring(leg: LegId = LEG, **changed: object) -> RingAgent:
    given: dict[str, object] = {
        "leg": leg,
        "interaction": InteractionId(1),
        "agent": AgentId("7"),
        "phone": PhoneId("PJSIP/1001"),
        "queue": QueueId("sales"),
        "caller": LegId("pbx", "1700000000.1"),
        "caller_channel": "PJSIP/trunk-00000001",
        "number": "+12025550123",
        "name": "Sales",
        "ring_timeout_s": 2.0,
        "max_talk_s": 60.0,
        "recording": "",
        "auto_answer": False,
    }
    return RingAgent(**(given | changed))  # type: ignore[arg-type]


def hang_up(number: int) -> HangUpLeg:
    return HangUpLeg(leg=LegId("pbx", f"ccpbx-000007-{number:08d}"))


def channel_row(action: Action, uniqueid: str = "1700000000.1", **changed: str) -> bytes:
    fields = {
        "Event": "CoreShowChannel",
        "ActionID": action["ActionID"][0],
        "Channel": "PJSIP/trunk-00000001",
        "ChannelState": "6",
        "ChannelStateDesc": "Up",
        "Context": "cc-call",
        "Application": "AGI",
        "BridgeId": "",
        "Uniqueid": uniqueid,
    }
    return message(**(fields | changed))


def list_end(action: Action, items: int, event: str = "CoreShowChannelsComplete") -> bytes:
    return message(Event=event, ActionID=action["ActionID"][0], EventList="Complete", ListItems=str(items))


def device_row(action: Action, device: str, state: str) -> bytes:
    return message(Event="DeviceStateChange", ActionID=action["ActionID"][0], Device=device, State=state)


def answers_all(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, Message="Originate successfully queued")


def refuses_setvar(fake: FakeAmi, action: Action) -> None:
    if action["Action"] == ["Setvar"]:
        fake.answer(action, "Error", Message="No such channel")
    else:
        answers_all(fake, action)


def answers_lists(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start", Message="will follow")
    if action["Action"] == ["CoreShowChannels"]:
        fake.send(channel_row(action) + channel_row(action, LEG.uniqueid, BridgeId="b-1", ChannelState="5"))
        fake.send(list_end(action, 2))
    else:
        fake.send(device_row(action, "PJSIP/1001", "INUSE") + device_row(action, "PJSIP/stranger", "INUSE"))
        fake.send(list_end(action, 2, "DeviceStateListComplete"))


async def observed(bench: Bench) -> bool:
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    bench.link.observe().addCallbacks(future.set_result, lambda failure: future.set_exception(failure.value))
    return await asyncio.wait_for(future, 5)


def test_logs_in_and_tells_the_uptime() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            assert await bench.got(LinkUp) == LinkUp(pbx="pbx", uptime_s=42.0)
            assert bench.link.is_up
            assert bench.link.version == "11.0.0"

    run(scenario)


def test_an_answer_ends_the_command_and_originate_response_comes_through() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            bench.fake.behaviour = answers_all
            await bench.got(LinkUp)
            bench.link.perform(CommandId(12, 3), ring())
            assert await bench.got(CommandDone) == CommandDone(command=CommandId(12, 3))
            sent = bench.fake.named("Originate")[0]
            assert sent["ActionID"] == ["7-12-3"]
            assert sent["ChannelId"] == [LEG.uniqueid]
            bench.fake.send(
                message(Event="OriginateResponse", ActionID="7-12-3", Response="Failure", Reason="3", Uniqueid=LEG.uniqueid)
            )
            ended = await bench.got(RingEnded)
            assert ended == RingEnded(command=CommandId(12, 3), leg=LEG, is_ok=False, reason=3)
            assert bench.link.outstanding == 0

    run(scenario)


def test_originate_response_before_the_answer_is_told_after_the_commands_end() -> None:
    async def scenario() -> None:
        async with linked() as bench:

            def hasty(fake: FakeAmi, action: Action) -> None:
                given = action["ActionID"][0]
                fake.send(
                    message(Event="OriginateResponse", ActionID=given, Response="Failure", Reason="0", Uniqueid=LEG.uniqueid)
                )
                answers_all(fake, action)

            bench.fake.behaviour = hasty
            await bench.got(LinkUp)
            bench.link.perform(CommandId(1, 0), ring())
            await bench.until(lambda: bench.link.counts.late_answers)
            assert [type(event) for event in bench.events] == [LinkUp, CommandDone, RingEnded]

    run(scenario)


def test_a_refusal_of_asterisk_is_a_failed_command_with_its_reason() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            bench.fake.behaviour = lambda fake, action: fake.answer(action, "Error", Message="No such channel")
            await bench.got(LinkUp)
            bench.link.perform(CommandId(1, 0), hang_up(1))
            assert await bench.got(CommandFailed) == CommandFailed(command=CommandId(1, 0), reason="No such channel")

    run(scenario)


def test_no_answer_is_an_unknown_outcome_once_and_a_late_answer_changes_nothing() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.link.perform(CommandId(1, 0), ring())
            assert await bench.got(OutcomeUnknown) == OutcomeUnknown(command=CommandId(1, 0))
            answers_all(bench.fake, bench.fake.named("Originate")[0])
            await bench.until(lambda: bench.link.counts.late_answers == 1)
            assert bench.of(CommandDone) == []
            # The end of the action itself is told however late it comes.
            bench.fake.send(
                message(Event="OriginateResponse", ActionID="7-1-0", Response="Success", Reason="4", Uniqueid=LEG.uniqueid)
            )
            assert (await bench.got(RingEnded)).is_ok
            assert len(bench.of(OutcomeUnknown)) == 1

    run(scenario)


def test_the_end_of_a_ring_of_an_earlier_incarnation_is_told() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            leg = LegId("pbx", "ccpbx-000003-00000009")
            bench.fake.send(
                message(Event="OriginateResponse", ActionID="3-5-1", Response="Success", Reason="4", Uniqueid=leg.uniqueid)
            )
            assert await bench.got(RingEnded) == RingEnded(command=CommandId(5, 1), leg=leg, is_ok=True, reason=4)

    run(scenario)


def test_a_link_lost_in_mid_action_is_unknown_and_nothing_is_sent_again() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.behaviour = lambda fake, _action: fake.drop()
            bench.link.perform(CommandId(1, 0), ring())
            await bench.got(LinkLost)
            assert [type(event) for event in bench.events] == [LinkUp, OutcomeUnknown, LinkLost]
            await bench.got(LinkUp, 2)
            # A command after the reconnect is a mark: whatever was to be repeated would have come before it.
            bench.fake.behaviour = answers_all
            bench.link.perform(CommandId(2, 0), hang_up(2))
            await bench.got(CommandDone)
            assert [action["Action"] for action in bench.fake.actions] == [["Originate"], ["Hangup"]]
            assert bench.fake.logins == 2

    run(scenario)


def test_without_a_link_a_command_fails_at_once_and_is_not_kept() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        async with linked(fake, is_listening=False) as bench:
            bench.link.perform(CommandId(1, 0), ring())
            assert "no link" in bench.of(CommandFailed)[0].reason
            await bench.until(lambda: bench.link.counts.failed_to_connect >= 3)
            await fake.listen()
            await bench.got(LinkUp)
            assert await observed(bench) is False  # the fake does not answer lists
            assert fake.named("Originate") == []

    run(scenario)


def test_a_silent_manager_is_left_and_found_again() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.is_silent = True
            await bench.got(LinkLost)
            assert bench.link.counts.silent == 1
            bench.fake.is_silent = False
            await bench.got(LinkUp, 2)

    run(scenario)


def test_an_idle_link_with_answered_pings_stays() -> None:
    async def scenario() -> None:
        times = LinkTimes(ping_every_s=0.02, silence_max_s=0.2, answer_s=1.0)
        async with linked(times=times) as bench:
            await bench.got(LinkUp)
            sent = bench.link.counts.actions_sent
            await bench.until(lambda: bench.link.counts.actions_sent > sent + 20)  # twice the silence that would end it
            assert bench.link.is_up
            assert bench.link.counts.actions_unanswered == 0

    run(scenario)


def test_a_manager_that_never_boots_is_left() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        fake.boots = False
        async with linked(fake, times=LinkTimes(login_s=0.1, back_off_first_s=0.02)) as bench:
            await bench.until(lambda: bench.link.counts.connected >= 2)
            assert bench.events == []  # never up, so never lost
            assert "FullyBooted" in str(bench.link.refusal)

    run(scenario)


def test_a_refused_login_is_shown_and_tried_again_slowly() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        fake.takes_login = False
        async with linked(fake) as bench:
            await bench.until(lambda: fake.logins >= 2)
            assert bench.link.refusal == "Authentication failed"
            assert bench.events == []
            fake.takes_login = True
            await bench.got(LinkUp)
            assert bench.link.refusal is None

    run(scenario)


def test_a_port_that_slams_shut_is_tried_again() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        fake.slams = True
        async with linked(fake) as bench:
            counts = bench.link.counts
            await bench.until(lambda: counts.failed_to_connect + counts.lost >= 8)
            fake.slams = False
            await bench.got(LinkUp)

    run(scenario)


def test_a_connection_that_is_over_before_it_is_told_is_tried_again() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        async with linked(fake, is_listening=False) as bench:
            await bench.until(lambda: bench.link.counts.failed_to_connect)
            manager = bench.link._manager
            assert manager is not None
            told = manager.connection_made
            closed = 0

            def late(task: object) -> None:
                nonlocal closed
                if not task.cancelled() and task.exception() is None and closed < 3:  # type: ignore[attr-defined]
                    closed += 1
                    task.result()[0].abort()  # type: ignore[attr-defined]
                    # The loop tells the end of the connection first.
                    asyncio.get_running_loop().call_later(0.01, told, task)
                else:
                    told(task)

            manager.connection_made = late  # type: ignore[method-assign]
            await fake.listen()
            await bench.got(LinkUp)
            assert closed == 3

    run(scenario)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"x" * 1000, b"\0\r\n\r\n"])
def test_something_else_on_the_port_is_left(greeting: bytes) -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        fake.greeting = greeting
        async with linked(fake) as bench:
            await bench.until(lambda: bench.link.counts.streams_broken >= 2)
            assert bench.events == []

    run(scenario)


def test_garbage_and_huge_messages_are_counted_and_the_next_one_is_read() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            ended = message(Event="Hangup", Uniqueid="1.1", Cause="16")
            bench.fake.send(b"\xff\xfe garbage\r\nno colon\r\n\r\n" + ended)
            bench.fake.send(message(Event="Hangup", Uniqueid="1.2", Junk="x" * 100_000) + ended)
            bench.fake.send(message(Event="Hangup", Uniqueid="", Cause="16") + ended)
            assert await bench.got(LegEnded, 3) == LegEnded(leg=LegId("pbx", "1.1"), cause=16)
            assert bench.link.counts.stream.garbled == 1
            assert bench.link.counts.stream.oversized == 1
            assert bench.link.counts.events_garbled == 1

    run(scenario)


def test_an_endless_message_breaks_the_link() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.send(b"Event: Hangup\r\nJunk: " + b"x" * 400_000)
            await bench.got(LinkLost)
            assert bench.link.counts.streams_broken == 1
            await bench.got(LinkUp, 2)

    run(scenario)


def test_half_a_message_before_a_drop_is_forgotten() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.send(b"Event: Hangup\r\nUniqueid: 1.1\r\nCause: 16\r\n")
            await bench.until(lambda: bench.link.counts.stream.bytes > 200)
            bench.fake.drop()
            await bench.got(LinkUp, 2)
            bench.fake.send(message(Event="Hangup", Uniqueid="1.2", Cause="17"))
            assert (await bench.got(LegEnded)).leg.uniqueid == "1.2"

    run(scenario)


def test_a_fault_of_the_daemon_does_not_close_the_link() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fails_on = LegEnded
            bench.fake.send(message(Event="Hangup", Uniqueid="1.1", Cause="16") * 2)
            bench.fake.send(message(Event="DeviceStateChange", Device="PJSIP/1001", State="RINGING"))
            changed = await bench.got(PhoneStateChanged)
            assert changed == PhoneStateChanged(phone=PhoneId("PJSIP/1001"), state=PhoneState.RINGING)
            assert bench.link.counts.sink_errors == 2
            assert bench.link.is_up

    run(scenario)


def test_keys_go_to_the_digit_sink_once() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            for direction in ("Received", "Sent"):
                bench.fake.send(message(Event="DTMFEnd", Uniqueid="1.1", Digit="5", Direction=direction))
            bench.fake.send(message(Event="Hangup", Uniqueid="1.1", Cause="16"))
            await bench.got(LegEnded)
            assert bench.digits == [(LegId("pbx", "1.1"), "5")]

    run(scenario)


def test_a_key_that_ends_again_after_a_hold_counts_once() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            key = {"Uniqueid": "1.1", "Digit": "5", "Direction": "Received"}
            bench.fake.send(message(Event="DTMFBegin", **key) + 3 * message(Event="DTMFEnd", **key))
            bench.fake.send(message(Event="Hangup", Uniqueid="1.1", Cause="16"))
            await bench.got(LegEnded)
            assert bench.digits == [(LegId("pbx", "1.1"), "5")]
            assert bench.link.counts.keys_repeated == 2

    run(scenario)


def key(uniqueid: str, digit: str) -> bytes:
    return message(Event="DTMFEnd", Uniqueid=uniqueid, Digit=digit, Direction="Received")


def bridge(uniqueid: str, what: str = "BridgeEnter") -> bytes:
    return message(Event=what, Uniqueid=uniqueid, BridgeUniqueid="b-1")


def test_a_key_in_a_talk_reaches_the_core_from_legs_it_listens_to_and_from_no_other() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            agent = LegId("pbx", "1.1")
            bench.listened_to = {agent}
            bench.fake.send(bridge("1.1") + bridge("1.2") + key("1.2", "9") + key("1.1", "*"))
            assert await bench.got(LegDigit) == LegDigit(leg=agent, digit="*")

    run(scenario)


def test_a_key_typed_in_a_session_never_reaches_the_core_not_even_late() -> None:
    """A PIN, say. The session may be over by the time the key is read; the leg's next bridge then is not yet read."""

    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            agent = LegId("pbx", "1.1")
            bench.listened_to, bench.in_session = {agent}, {agent}
            bench.fake.send(bridge("1.1") + bridge("1.1", "BridgeLeave") + key("1.1", "4"))
            await bench.until(lambda: len(bench.digits) == 1)
            bench.in_session = set()
            bench.fake.send(key("1.1", "7") + bridge("1.1") + key("1.1", "*"))
            await bench.got(LegDigit)
            assert bench.of(LegDigit) == [LegDigit(leg=agent, digit="*")]

    run(scenario)


def test_join_leg_ends_with_its_redirect_and_fails_with_any_of_its_actions() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.behaviour = answers_all
            join = JoinLeg(
                leg=LegId("pbx", "ccpbx-000001-00000001"),
                channel="PJSIP/1001-00000002",
                caller=LegId("pbx", "1.1"),
                caller_channel="PJSIP/trunk-00000001",
                recording="",
                max_talk_s=60.0,
            )
            bench.link.perform(CommandId(1, 0), join)
            assert await bench.got(CommandDone) == CommandDone(command=CommandId(1, 0))
            assert [action["Action"] for action in bench.fake.actions] == [["Setvar"]] * 4 + [["Redirect"]]
            bench.fake.behaviour = refuses_setvar
            bench.link.perform(CommandId(2, 0), join)
            failed = await bench.got(CommandFailed)
            assert failed == CommandFailed(command=CommandId(2, 0), reason="No such channel")
            assert len(bench.of(CommandDone)) == 1

    run(scenario)


def test_a_lamp_that_cannot_be_set_is_counted_and_has_no_end() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            bench.fake.behaviour = refuses_setvar
            bench.link.perform(CommandId(1, 0), SetLamp(lamp="agent-101", state=LampState.LIT))
            await bench.until(lambda: bench.link.counts.actions_failed == 1)
            bench.link.perform(CommandId(1, 1), SetLamp(lamp="no lamp", state=LampState.LIT))
            await bench.until(lambda: bench.link.counts.actions_refused == 1)
            assert not bench.of(CommandFailed)

    run(scenario)


def test_a_leg_that_began_a_key_must_begin_each() -> None:
    keys = KeyFilter()
    by_info, by_rtp = LegId("pbx", "1.1"), LegId("pbx", "1.2")
    keys.begun(by_rtp)
    assert [keys.is_pressed(leg) for leg in (by_rtp, by_rtp, by_info, by_info)] == [True, False, True, True]
    keys.forget(by_rtp)
    assert keys.is_pressed(by_rtp)


def test_the_legs_with_keys_are_bounded() -> None:
    keys = KeyFilter()
    for number in range(LEGS_MAX + 10):
        keys.begun(LegId("pbx", str(number)))
    assert len(keys._is_down) == LEGS_MAX


def test_a_hang_up_before_the_bridge_that_asterisk_lost_is_told() -> None:
    """As seen with Asterisk 22: HangupRequest, then BridgeEnter, and no Hangup ever."""

    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)

            def entered(uniqueid: str) -> bytes:
                return message(Event="BridgeEnter", Uniqueid=uniqueid, BridgeUniqueid="b")

            bench.fake.send(message(Event="HangupRequest", Uniqueid="1.1") + entered("1.1") + entered("1.2"))
            bench.fake.send(message(Event="HangupRequest", Uniqueid="1.2"))  # in the bridge already: a Hangup will follow
            bench.fake.send(message(Event="HangupRequest", Uniqueid=LEG.uniqueid) + entered(LEG.uniqueid))  # not pulled in
            bench.fake.send(
                message(Event="HangupRequest", Uniqueid="1.3") + message(Event="Hangup", Uniqueid="1.3", Cause="16")
            )
            await bench.got(LegEnded)
            told = [(type(e).__name__, e.leg.uniqueid) for e in bench.events if isinstance(e, LegEnteredBridge | LegStranded)]
            assert told == [
                ("LegEnteredBridge", "1.1"),
                ("LegStranded", "1.1"),
                ("LegEnteredBridge", "1.2"),
                ("LegEnteredBridge", LEG.uniqueid),
            ]
            assert LegId("pbx", "1.3") not in bench.link._leaving

    run(scenario)


def test_outstanding_actions_are_bounded() -> None:
    async def scenario() -> None:
        async with linked(times=LinkTimes(answer_s=5.0)) as bench:
            await bench.got(LinkUp)
            for number in range(AmiLink.outstanding_max + 5):
                bench.link.perform(CommandId(number, 0), hang_up(number))
            assert len(bench.of(CommandFailed)) == 5
            await bench.until(lambda: len(bench.fake.actions) == AmiLink.outstanding_max)
            bench.fake.drop()
            await bench.got(OutcomeUnknown, AmiLink.outstanding_max)
            assert bench.link.outstanding == 0

    run(scenario)


def test_timed_out_actions_leave_nothing_behind() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            await bench.got(LinkUp)
            gc.collect()
            before = sum(isinstance(thing, asyncio.Future) for thing in gc.get_objects())
            for number in range(200):
                bench.link.perform(CommandId(number, 0), hang_up(number))
            await bench.got(OutcomeUnknown, 200)
            gc.collect()
            after = sum(isinstance(thing, asyncio.Future) for thing in gc.get_objects())
            assert after <= before + 5
            await bench.until(lambda: bench.link.outstanding <= 3)  # pings

    run(scenario)


def test_a_command_that_could_break_out_is_not_sent() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            bench.fake.behaviour = answers_all
            await bench.got(LinkUp)
            bench.link.perform(CommandId(1, 0), ring(name="x\r\n\r\nAction: Originate"))
            bad = Move(leg=LegId("pbx", "1.1"), channel="PJSIP/a-1", place=Place.CONFERENCE, room="a\r\nX: y")
            bench.link.perform(CommandId(1, 1), RedirectLegs(moves=(bad,)))
            bench.link.perform(CommandId(1, 2), hang_up(1))
            await bench.got(CommandDone)
            assert [failed.command for failed in bench.of(CommandFailed)] == [CommandId(1, 0), CommandId(1, 1)]
            assert [action["Action"] for action in bench.fake.actions] == [["Hangup"]]

    run(scenario)


def test_reads_the_whole_pbx() -> None:
    async def scenario() -> None:
        async with linked() as bench:
            bench.fake.behaviour = answers_lists
            await bench.got(LinkUp)
            assert await observed(bench) is True
            view: PbxObserved = bench.of(PbxObserved)[0]
            assert view.asked_at_s == 1000.0
            assert [(channel.leg.uniqueid, channel.is_up, channel.bridge) for channel in view.channels] == [
                ("1700000000.1", True, None),
                (LEG.uniqueid, False, "b-1"),
            ]
            assert view.phones == {PhoneId("PJSIP/1001"): PhoneState.IN_USE}
            # Rows of a list are no news of their own.
            assert bench.of(PhoneStateChanged) == []

    run(scenario)


def test_events_between_the_rows_of_a_list_are_told() -> None:
    async def scenario() -> None:
        async with linked() as bench:

            def interleaved(fake: FakeAmi, action: Action) -> None:
                fake.send(message(Event="Newchannel", Channel="PJSIP/1001-0000000a", Uniqueid=LEG.uniqueid))
                answers_lists(fake, action)

            bench.fake.behaviour = interleaved
            await bench.got(LinkUp)
            assert await observed(bench) is True
            assert len(bench.of(LegStarted)) == 2

    run(scenario)


def says_one_more(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start")
    fake.send(channel_row(action) + list_end(action, 2))


def never_ends(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start")
    fake.send(channel_row(action))


def refuses(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, "Error", Message="Permission denied")


def drops_in_the_list(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start")
    fake.send(channel_row(action))
    asyncio.get_running_loop().call_soon(fake.drop)


def lacks_an_id(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start")
    fake.send(channel_row(action, "") + list_end(action, 1))


def cancelled(fake: FakeAmi, action: Action) -> None:
    fake.answer(action, EventList="start")
    fake.send(message(Event="CoreShowChannelsComplete", ActionID=action["ActionID"][0], EventList="cancelled", ListItems="0"))


@pytest.mark.parametrize("behaviour", [says_one_more, never_ends, refuses, drops_in_the_list, lacks_an_id, cancelled])
def test_half_a_reading_is_none(behaviour: object) -> None:
    async def scenario() -> None:
        async with linked(times=QUICK) as bench:
            bench.fake.behaviour = behaviour  # type: ignore[assignment]
            await bench.got(LinkUp)
            assert await observed(bench) is False
            assert bench.of(PbxObserved) == []
            assert bench.link.counts.observations_failed == 1

    run(scenario)


def test_stopping_while_the_link_comes_back_ends_it() -> None:
    async def scenario() -> None:
        fake = FakeAmi()
        async with linked(fake, is_listening=False) as bench:
            await bench.until(lambda: bench.link.counts.failed_to_connect >= 1)
        attempts = bench.link.counts.failed_to_connect
        await fake.listen()
        # Longer than the longest pause: a timer that survived would have connected by now.
        await asyncio.wait_for(asyncio.shield(_nobody_comes(fake)), 5)
        assert bench.link.counts.failed_to_connect == attempts
        assert fake.logins == 0
        await fake.close()

    async def _nobody_comes(fake: FakeAmi) -> None:
        end = asyncio.get_running_loop().time() + 3 * QUICK.back_off_max_s
        while asyncio.get_running_loop().time() < end:
            assert fake.logins == 0
            await asyncio.sleep(0.01)

    run(scenario)
