"""Messages that were being recorded when the daemon died, their connection broke, or Asterisk died: each becomes one message."""

import pytest
from desk import Desk, a_queue
from test_core_messages import LEAVE, LEAVE_AND_WAIT, MESSAGE, NUMBER, a_mailbox, said

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.codec import decode, dump, parse
from ccserver.core.ids import CommandId, LegId, RequestId
from ccserver.core.records import InteractionRecord, MessageRecord, Outcome
from ccserver.core.settings import Exit, ExitKind
from ccserver.core.state import CenterState


def speaks(desk: Desk, did: str = LEAVE, number: str = NUMBER) -> tuple[LegId, c.RecordMessage, CommandId]:
    """Somebody is asked for a message."""
    caller = desk.call(did, number=number)
    ((command, verb),) = [(i, x) for i, x in desk.last if isinstance(x, c.RecordMessage)]
    return caller, verb, command


def killed(desk: Desk, down_for_s: float = 5.0) -> None:
    """The daemon, and it starts again from what was written."""
    desk.now_s += down_for_s
    read = decode(CenterState, parse(dump(desk.center.snapshot())))
    desk.center = CallCenter.restore(read)
    incarnation = read.clockwork.incarnation + 1
    desk.tell(ev.CenterStarted(incarnation=incarnation, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))


def looks(desk: Desk, *callers: LegId) -> None:
    """Asterisk is read, in which these callers are."""
    views = [
        ev.ChannelView(leg=leg, channel="x", is_up=True, bridge=None, application="AGI", context="cc-in") for leg in callers
    ]
    desk.observe(*views, after_s=0.1)


def comes_back(desk: Desk, caller: LegId, did: str = LEAVE) -> None:
    """Out of the recording, through the loop of the dialplan."""
    desk.tell(
        ev.CallArrived(
            session=f"again-{len(desk.all)}",
            leg=caller,
            channel="PJSIP/x",
            did=did,
            caller_number=NUMBER,
            number_as_given=NUMBER,
            caller_name="",
        )
    )


def asked(desk: Desk) -> CommandId:
    """The newest question for the length of a message."""
    return [i for i, x in desk.all if isinstance(x, c.MeasureMessage)][-1]


def answered(desk: Desk, duration_s: float | None = 12.0, ended_utc_s: float | None = None) -> None:
    desk.tell(ev.MessageMeasured(command=asked(desk), duration_s=duration_s, ended_utc_s=ended_utc_s))


def kept(desk: Desk) -> list[tuple[str, float]]:
    """What waits, each with its length."""
    left = [i.message for i in desk.center.snapshot().interactions.values() if i.message is not None]
    return [(each.path, each.duration_s) for each in left]


def test_who_hung_up_while_nobody_looked_has_left_a_message() -> None:
    desk = a_mailbox()
    _, verb, _ = speaks(desk)
    killed(desk)
    assert not desk.ever(c.MeasureMessage), "they may speak on"
    looks(desk)
    desk.wait(30.0)
    looks(desk)
    assert desk.ever(c.MeasureMessage) == [c.MeasureMessage(path=verb.path)]
    ended = desk.moment().utc_s - 20.0
    answered(desk, ended_utc_s=ended)
    assert kept(desk) == [(verb.path, 12.0)] and desk.state(MESSAGE) == "waiting"
    (record,) = desk.kept(MessageRecord)
    assert (record.path, record.duration_s, record.started_utc_s) == (verb.path, 12.0, ended - 12.0)
    assert desk.center.snapshot().interactions[MESSAGE].caller_number == NUMBER
    assert not desk.center.snapshot().unmeasured and not desk.center.snapshot().outstanding


def test_a_caller_who_is_still_there_is_thanked_and_not_asked_again() -> None:
    desk = a_mailbox()
    caller, verb, _ = speaks(desk)
    killed(desk)
    looks(desk, caller)
    desk.wait(20.0)
    assert not desk.ever(c.MeasureMessage), "they speak on"
    comes_back(desk, caller)
    assert desk.told(c.MeasureMessage) and not desk.told(c.RecordMessage) and not said(desk)
    answered(desk)
    assert said(desk) == ["cc-goodbye"] and kept(desk) == [(verb.path, 12.0)]
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(caller)
    assert desk.state(1) == "over"
    assert len(desk.kept(MessageRecord)) == 1 and len(desk.ever(c.RecordMessage)) == 1


def test_the_flow_goes_on_with_a_caller_who_comes_back() -> None:
    desk = a_mailbox()
    caller, verb, _ = speaks(desk, LEAVE_AND_WAIT)
    killed(desk)
    comes_back(desk, caller, LEAVE_AND_WAIT)
    answered(desk)
    assert said(desk) == ["thanks"] and kept(desk) == [(verb.path, 12.0)]
    desk.prompt_ends(caller)
    (second,) = desk.told(c.RecordMessage)
    assert second.path != verb.path


def test_who_has_said_nothing_is_asked_again_into_a_file_of_its_own() -> None:
    """The daemon was killed during the words that ask."""
    desk = a_mailbox()
    caller, verb, _ = speaks(desk)
    killed(desk)
    comes_back(desk, caller)
    answered(desk, 0.0)
    (again,) = desk.told(c.RecordMessage)
    assert again.path != verb.path and not kept(desk) and not desk.kept(MessageRecord)


@pytest.mark.parametrize("kills", [1, 2, 3])
def test_killed_before_its_length_is_known_it_is_measured_again_and_kept_once(kills: int) -> None:
    desk = a_mailbox()
    caller, verb, _ = speaks(desk)
    killed(desk)
    for _ in range(kills):
        comes_back(desk, caller)
        killed(desk)
    comes_back(desk, caller)
    questions = [i for i, x in desk.all if isinstance(x, c.MeasureMessage)]
    assert len(questions) == kills + 1
    for question in reversed(questions):  # the old ones come late
        desk.tell(ev.MessageMeasured(command=question, duration_s=12.0))
    assert kept(desk) == [(verb.path, 12.0)] and len(desk.kept(MessageRecord)) == 1


def test_killed_after_its_length_is_known_it_is_not_measured_again() -> None:
    desk = a_mailbox()
    caller, _, _ = speaks(desk)
    killed(desk)
    comes_back(desk, caller)
    answered(desk)
    killed(desk)
    comes_back(desk, caller)
    assert said(desk) == ["cc-goodbye"], "who was not thanked to the end is thanked again"
    assert len(desk.ever(c.MeasureMessage)) == 1 and len(kept(desk)) == 1 and len(desk.ever(c.RecordMessage)) == 1


def test_killed_after_a_message_was_over_the_caller_is_thanked_again() -> None:
    desk = a_mailbox()
    caller, verb, command = speaks(desk)
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DIGIT, duration_s=5.0))
    killed(desk)
    comes_back(desk, caller)
    assert said(desk) == ["cc-goodbye"] and not desk.ever(c.MeasureMessage) and len(kept(desk)) == 1


def test_a_caller_who_leaves_before_it_is_measured_has_left_it_all_the_same() -> None:
    desk = a_mailbox()
    caller, verb, _ = speaks(desk)
    killed(desk)
    comes_back(desk, caller)
    desk.hangs_up(caller)
    answered(desk)
    assert kept(desk) == [(verb.path, 12.0)] and not desk.told(c.Say)


def test_what_cannot_be_read_is_rather_queued_than_lost() -> None:
    desk = a_mailbox()
    caller, verb, _ = speaks(desk)
    killed(desk)
    comes_back(desk, caller)
    answered(desk, None)
    assert kept(desk) == [(verb.path, 0.0)] and said(desk) == ["cc-goodbye"]


def test_a_connection_that_breaks_leaves_the_recording_to_asterisk() -> None:
    desk = a_mailbox()
    caller, verb, command = speaks(desk)
    desk.tell(ev.SessionClosed(session=verb.session))
    assert not desk.told(c.MeasureMessage)
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DONE, duration_s=9.0))
    assert not kept(desk), "late"
    desk.hangs_up(caller)
    assert desk.told(c.MeasureMessage)
    answered(desk, 9.0)
    assert kept(desk) == [(verb.path, 9.0)]


def test_who_is_back_before_the_end_of_the_old_connection_is_told_is_not_recorded_twice() -> None:
    desk = a_mailbox()
    caller, verb, command = speaks(desk)
    comes_back(desk, caller)
    assert desk.told(c.MeasureMessage) and not desk.told(c.RecordMessage)
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DONE, duration_s=9.0))
    desk.tell(ev.SessionClosed(session=verb.session))
    answered(desk, 9.0)
    assert kept(desk) == [(verb.path, 9.0)]


def test_asterisk_that_dies_leaves_what_was_said() -> None:
    desk = a_mailbox()
    _, verb, _ = speaks(desk)
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0), after_s=60.0)
    assert desk.told(c.MeasureMessage)
    answered(desk, 3.0)
    assert kept(desk) == [(verb.path, 3.0)]


def test_who_is_hung_up_while_they_speak_has_left_what_they_said() -> None:
    desk = a_mailbox()
    caller, verb, command = speaks(desk)
    desk.tell(ev.HangUpRequested(request=RequestId(1), interaction=1))
    desk.hangs_up(caller)
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DONE, duration_s=9.0))
    desk.tell(ev.SessionClosed(session=verb.session))
    if desk.ever(c.MeasureMessage):
        answered(desk, 9.0)
    assert kept(desk) == [(verb.path, 9.0)] and len(desk.kept(MessageRecord)) == 1


def test_a_length_that_is_not_told_is_asked_for_again() -> None:
    desk = a_mailbox()
    caller, _, _ = speaks(desk)
    killed(desk)
    looks(desk, caller)
    comes_back(desk, caller)
    for _ in range(4):
        desk.wait(60.0)
        looks(desk, caller)
    assert len(desk.ever(c.MeasureMessage)) >= 2
    answered(desk)
    assert len(kept(desk)) == 1


def test_a_length_that_nobody_asked_for_means_nothing() -> None:
    desk = a_mailbox()
    desk.tell(ev.MessageMeasured(command=CommandId(9, 9), duration_s=7.0))
    assert not kept(desk)


def test_a_person_is_not_forgotten_while_their_message_is_not_kept_yet() -> None:
    desk = a_mailbox()
    caller, _, _ = speaks(desk)
    killed(desk)
    looks(desk, caller)
    desk.hangs_up(caller)
    desk.tell(ev.ForgetNumberRequested(request=RequestId(3), number=NUMBER, by="boss"))
    (reply,) = desk.told(c.Reply)
    assert not reply.is_ok and "from call 1" in reply.text


def test_an_exit_of_a_queue_that_asks_for_a_message_goes_on_as_well() -> None:
    desk = a_mailbox(queue=a_queue(max_wait_s=10.0, on_max_wait=Exit(kind=ExitKind.MESSAGE), on_unstaffed=None))
    caller = desk.call("901", number=NUMBER)
    desk.wait(10.0)
    (verb,) = desk.told(c.RecordMessage)
    killed(desk)
    comes_back(desk, caller, "901")
    assert not desk.told(c.RecordMessage)
    answered(desk)
    assert said(desk) == ["cc-goodbye"] and kept(desk) == [(verb.path, 12.0)]
    desk.prompt_ends(caller)
    desk.hangs_up(caller)
    assert [r.outcome for r in desk.kept(InteractionRecord)] == [Outcome.LEFT_MESSAGE]
