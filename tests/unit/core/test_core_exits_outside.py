"""Exits that lead to a number outside, and to a message."""

from dataclasses import replace

from desk import Desk, a_queue, spoken
from flow_desk import FlowDesk, a_flow

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import (
    InteractionRecord,
    MessageRecord,
    Outcome,
    SegmentKind,
    SegmentRecord,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import Exit, ExitKind, NumberNode

OUTSIDE = Exit(kind=ExitKind.NUMBER, target="+34600111222")
MESSAGE = Exit(kind=ExitKind.MESSAGE, prompt="closed-now")


def to_outside() -> tuple[Desk, LegId, c.DialOut]:
    """A caller of a queue where nobody is, whose exit calls a number outside."""
    desk = Desk(0, sales=a_queue(on_unstaffed=OUTSIDE))
    caller = desk.call()
    (dial,) = desk.told(c.DialOut)
    assert desk.told(c.AnswerCall) and desk.told(c.WaitUntil)
    return desk, caller, dial


def answers(desk: Desk, caller: LegId, leg: LegId) -> None:
    session = desk.session_of(caller)
    desk.tell(ev.LegStarted(leg=leg, channel="PJSIP/carrier-1"), ev.LegAnswered(leg=leg))
    desk.tell(ev.LegEnteredBridge(leg=caller, bridge="b"), ev.SessionClosed(session=session))
    desk.tell(ev.LegEnteredBridge(leg=leg, bridge="b"))


def outcome(desk: Desk) -> Outcome:
    return desk.kept(InteractionRecord)[0].outcome


def test_the_number_is_called_for_the_caller_and_both_talk() -> None:
    desk, caller, dial = to_outside()
    assert (dial.to, dial.place) == ("PJSIP/+34600111222@carrier", c.Place.JOIN)
    assert [v.outcome for v in desk.kept(VisitRecord)] == [VisitOutcome.TRANSFERRED_OUT]
    answers(desk, caller, dial.leg)
    assert desk.state(1) == "talking"
    desk.now_s += 30.0
    desk.hangs_up(caller)
    desk.hangs_up(dial.leg)
    assert desk.state(1) == "over" and outcome(desk) is Outcome.OVERFLOWED
    assert SegmentKind.TALK in {s.kind for s in desk.kept(SegmentRecord)}


def test_a_talk_outside_whose_end_nobody_tells_is_over_when_the_caller_is_back_for_a_while() -> None:
    desk, caller, dial = to_outside()
    answers(desk, caller, dial.leg)
    desk.tell(ev.LegLeftBridge(leg=caller, bridge="b"), ev.LegLeftBridge(leg=dial.leg, bridge="b"))
    desk.arrive(caller)
    desk.wait(1.0)
    assert desk.state(1) == "talking"
    desk.wait(2.0)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [dial.leg] and desk.told(c.EndSession)
    desk.hangs_up(caller)
    desk.hangs_up(dial.leg)
    assert desk.state(1) == "over" and outcome(desk) is Outcome.OVERFLOWED


def test_nobody_answers_there_and_the_caller_hears_so() -> None:
    desk, caller, dial = to_outside()
    desk.hangs_up(dial.leg, cause=19)
    assert desk.told(c.Say)[0].say == spoken("cc-unavailable")
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)
    desk.hangs_up(caller)
    assert desk.state(1) == "over"


def test_a_call_outside_that_says_nothing_is_ended() -> None:
    desk, caller, dial = to_outside()
    desk.wait(40.0)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [dial.leg]
    desk.hangs_up(dial.leg)
    assert desk.told(c.Say)
    desk.hangs_up(caller)
    assert desk.state(1) == "over"


def test_asterisk_refuses_the_call_outside() -> None:
    desk = Desk(0, sales=a_queue(on_unstaffed=OUTSIDE))
    desk.ACCEPTED = (c.AnswerCall,)  # type: ignore[misc]
    desk.call()
    (command,) = [i for i, x in desk.last if isinstance(x, c.DialOut)]
    desk.tell(ev.CommandFailed(command=command, reason="no trunk"))
    assert desk.told(c.Say)[0].say == spoken("cc-unavailable")


def test_the_caller_hangs_up_while_it_rings_outside() -> None:
    desk, caller, dial = to_outside()
    desk.hangs_up(caller)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [dial.leg]
    desk.hangs_up(dial.leg)
    assert desk.state(1) == "over" and not desk.center.snapshot().legs


def test_the_callers_session_comes_back_while_it_rings_outside() -> None:
    desk, caller, _ = to_outside()
    desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
    desk.arrive(caller)
    assert desk.told(c.WaitUntil) and desk.state(1) == "held"


# --- messages -----------------------------------------------------------------------------------------------------------
def recording() -> tuple[Desk, LegId, c.RecordMessage, CommandId]:
    desk = Desk(0, sales=a_queue(on_unstaffed=MESSAGE))
    caller = desk.call("900")
    desk.prompt_ends(caller)
    desk.types(caller, "1")
    assert desk.told(c.Say)[0].say == spoken("closed-now")
    desk.prompt_ends(caller)
    ((command, verb),) = [(i, x) for i, x in desk.last if isinstance(x, c.RecordMessage)]
    return desk, caller, verb, command


def recorded(desk: Desk, verb: c.RecordMessage, command: CommandId, duration_s: float) -> None:
    end = ev.VerbEnd.DIGIT if duration_s else ev.VerbEnd.TIMEOUT
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=end, duration_s=duration_s))


def test_a_caller_leaves_a_message_and_is_thanked() -> None:
    desk, caller, verb, command = recording()
    assert verb.path.startswith("/rec/message-") and verb.path.endswith("-1.wav")
    desk.now_s += 12.0
    recorded(desk, verb, command, 9.5)
    (kept,) = desk.kept(MessageRecord)
    assert (kept.interaction, kept.queue, kept.path, kept.duration_s) == (1, "sales", verb.path, 9.5)
    desk.tell(ev.PromptEnded(session=verb.session, command=desk.verbs[verb.session], end=ev.VerbEnd.DONE))
    assert desk.told(c.EndSession)
    desk.hangs_up(caller)
    assert outcome(desk) is Outcome.LEFT_MESSAGE
    assert [v.outcome for v in desk.kept(VisitRecord)] == [VisitOutcome.LEFT_MESSAGE]


def test_a_message_that_ends_by_hanging_up_is_kept_in_either_order() -> None:
    desk, caller, verb, command = recording()
    desk.hangs_up(caller)
    assert desk.state(1) == "over"
    recorded(desk, verb, command, 20.0)
    assert desk.kept(MessageRecord)[0].duration_s == 20.0
    desk.tell(ev.SessionClosed(session=verb.session))
    assert not desk.center.snapshot().sessions

    desk, caller, verb, command = recording()
    recorded(desk, verb, command, 20.0)
    desk.hangs_up(caller)
    assert len(desk.kept(MessageRecord)) == 1


def test_silence_is_no_message() -> None:
    desk, _, verb, command = recording()
    recorded(desk, verb, command, 0.0)
    assert not desk.kept(MessageRecord) and desk.told(c.Say)[0].say == spoken("cc-goodbye")


def test_a_session_that_breaks_asks_for_the_message_anew_where_nothing_was_said() -> None:
    desk, caller, verb, _ = recording()
    desk.tell(ev.SessionClosed(session=verb.session))
    desk.arrive(caller)
    (question,) = [each for each, command in desk.last if isinstance(command, c.MeasureMessage)]
    assert not desk.told(c.RecordMessage), "it may be there already"
    desk.tell(ev.MessageMeasured(command=question, duration_s=0.0))
    assert desk.told(c.RecordMessage)


def test_without_a_place_for_recordings_the_caller_is_let_go() -> None:
    desk = Desk(0, sales=a_queue(on_unstaffed=replace(MESSAGE, prompt=None)))
    desk.settings = replace(desk.settings, content_hash="no-recordings", recording_dir="")
    desk.tell(ev.SettingsLoaded(settings=desk.settings))
    desk.call()
    assert desk.told(c.EndSession) and not desk.ever(c.RecordMessage)


def test_a_flow_leads_outside_before_any_queue_and_both_talk() -> None:
    """There is no queue whose longest talk could be meant."""
    desk = FlowDesk(a_flow(start=NumberNode(number="+34600111222", on_failure="people")))
    caller = desk.dial()
    (dial,) = desk.told(c.DialOut)
    answers(desk, caller, dial.leg)
    assert desk.state(1) == "talking"
    desk.wait(4 * 3600.0)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [dial.leg], "the longest talk is over"
