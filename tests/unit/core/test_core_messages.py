"""Messages: left by a caller, waiting for an agent, heard at the desk; each step, and each way in which it can fail."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue, spoken
from test_core_callbacks import bridged, customer_answers, dialled
from test_core_headsets import LINE, at_desk, dials, parks

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import LegId, RequestId
from ccserver.core.invariants import check
from ccserver.core.records import (
    AuditRecord,
    CallbackOutcome,
    CallbackRecord,
    EndedBy,
    FaultRecord,
    InteractionRecord,
    MessageRecord,
    NoticeKind,
    NoticeRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    PhoneState,
    SegmentKind,
    SegmentRecord,
    ShownState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import (
    DIRECT,
    AgentNode,
    AnswerPolicy,
    CallbackRules,
    DidSettings,
    Exit,
    ExitKind,
    Flow,
    MessageNode,
    NumberMark,
    PhoneKind,
    PhoneSettings,
    QueueSettings,
    SayNode,
    SetNode,
    Settings,
    Spoken,
    SpokenKind,
    Strategy,
)
from ccserver.core.views import overview

MESSAGE, TALK = 2, "904"
"""The number of the first message: that of its call is 1."""
NUMBER = "+34911222333"
LEAVE, LEAVE_AND_WAIT, TO_102 = "905", "906", "907"


class Mailbox(Desk):
    """Callers of 905 leave a message for sales; those of 906 say what they want first, and go on waiting; 907 is agent 102's."""

    def adapted(self, settings: Settings) -> Settings:
        told = {"set": SetNode(next="leave", priority=7), "leave": MessageNode(queue="sales", next="said", max_s=30.0)}
        flows = {
            "leave": Flow(start="leave", nodes={"leave": MessageNode(queue="sales", say=spoken("tell-us"))}),
            "on": Flow(start="set", nodes={**told, "said": SayNode(say=spoken("thanks"), next="set")}),
            "one": Flow(start="one", nodes={"one": AgentNode(agent="102")}),
        }
        did = DidSettings(flow="leave", language="es", answer=AnswerPolicy.AT_ONCE)
        return replace(
            settings,
            flows={**settings.flows, **flows},
            dids={**settings.dids, LEAVE: did, LEAVE_AND_WAIT: replace(did, flow="on"), TO_102: replace(did, flow="one")},
        )


def a_mailbox(agents: int = 0, *, queue: QueueSettings | None = None, **queues: QueueSettings) -> Mailbox:
    return Mailbox(agents, sales=queue or a_queue(), **queues)


def leaves(desk: Desk, seconds: float = 20.0, did: str = LEAVE, number: str | None = NUMBER) -> c.RecordMessage:
    """Somebody calls, speaks for so long, and hangs up."""
    caller = desk.call(did, number=number)
    ((command, verb),) = [(i, x) for i, x in desk.last if isinstance(x, c.RecordMessage)]
    desk.now_s += seconds
    end = ev.VerbEnd.DONE if seconds else ev.VerbEnd.TIMEOUT
    desk.hangs_up(caller)
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=end, duration_s=seconds))
    last = desk.last
    desk.tell(ev.SessionClosed(session=verb.session))
    desk.last = last
    return verb


def answers(desk: Desk, offer: c.RingAgent) -> None:
    """The phone is picked up, and the leg comes to the desk."""
    desk.tell(ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"), ev.LegAnswered(leg=offer.leg))
    opens(desk, offer.leg)


def opens(desk: Desk, leg: LegId) -> None:
    desk.tell(ev.DeskOpened(session=f"d-{len(desk.all)}", leg=leg, channel="PJSIP/1001-01"))


def said(desk: Desk) -> list[str]:
    verbs = [x for _, x in desk.last if isinstance(x, c.Say | c.Collect)]
    return [piece.value for verb in verbs for piece in verb.say]


def heard_whole(desk: Desk, leg: LegId) -> None:
    """Up to the menu."""
    desk.wait(2.0)
    desk.prompt_ends(leg)
    desk.wait(20.0)
    desk.prompt_ends(leg)
    assert said(desk) == ["cc-message-menu"]


def offers(desk: Desk) -> list[tuple[str, OfferOutcome]]:
    return [(o.agent, o.outcome) for o in desk.kept(OfferRecord)]


def visits(desk: Desk) -> list[VisitOutcome]:
    return [v.outcome for v in desk.kept(VisitRecord)]


def told(desk: Desk, number: int = MESSAGE) -> InteractionRecord:
    return next(r for r in desk.kept(InteractionRecord) if r.interaction == number)


def listening(agents: int = 1, **changes: object) -> tuple[Mailbox, c.RingAgent]:
    """Agent 101 has heard the message, and hears the menu."""
    desk = a_mailbox(agents, queue=a_queue(**changes))
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    heard_whole(desk, offer.leg)
    return desk, offer


# --- it is left -----------------------------------------------------------------------------------------------------------
def test_what_a_caller_says_waits_in_the_queue_as_a_child_of_the_call() -> None:
    desk = a_mailbox()
    verb = leaves(desk)
    assert verb.say == spoken("tell-us") and verb.language == "es"
    waiting = desk.center.snapshot().interactions[MESSAGE]
    assert (waiting.kind, waiting.state.value, waiting.leg, waiting.parent) == ("message", "waiting", None, 1)
    assert (waiting.caller_number, waiting.language, waiting.queue) == (NUMBER, "es", "sales")
    assert waiting.message is not None and (waiting.message.path, waiting.message.duration_s) == (verb.path, 20.0)
    assert desk.kept(MessageRecord)[0].path == verb.path
    assert told(desk, 1).outcome is Outcome.LEFT_MESSAGE
    notice = desk.kept(NoticeRecord)[-1]
    assert (notice.kind, notice.interaction) == (NoticeKind.QUEUED, MESSAGE)
    assert notice.data == {"kind": "message", "path": verb.path, "length_s": "20.0"}


def test_who_says_nothing_leaves_nothing() -> None:
    desk = a_mailbox()
    leaves(desk, 0.0)
    assert not desk.center.snapshot().interactions and not desk.kept(MessageRecord)


def test_the_flow_goes_on_after_the_message_and_a_second_one_has_a_file_of_its_own() -> None:
    desk = a_mailbox()
    caller, paths = desk.call(LEAVE_AND_WAIT), []
    for _ in range(2):
        ((command, verb),) = [(i, x) for i, x in desk.last if isinstance(x, c.RecordMessage)]
        assert (verb.say, verb.max_s) == (spoken("cc-message-leave"), 30.0)
        paths.append(verb.path)
        desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DIGIT, duration_s=5.0))
        assert said(desk) == ["thanks"]
        desk.prompt_ends(caller)
    assert len(set(paths)) == 2
    waiting = [i for i in desk.center.snapshot().interactions.values() if i.message is not None]
    assert [i.message.path for i in waiting if i.message] == paths
    assert [i.priority for i in waiting] == [7, 7] and [i.visit.priority for i in waiting if i.visit] == [7, 7]


def test_no_door_of_the_queue_refuses_a_message_and_it_takes_nobodys_place() -> None:
    desk = a_mailbox(queue=a_queue(max_waiting=1, max_wait_s=60.0, on_unstaffed=None))
    leaves(desk)
    leaves(desk, number="+34600000000")
    desk.call("901", number="+34600000001")
    desk.wait(59.0)
    shown = next(q for q in overview(desk.center.snapshot(), desk.settings, desk.moment()).queues if q.id == "sales")
    assert [w.kind for w in shown.waiting] == ["message", "message", "voice"] and shown.messages_waiting == 2
    assert shown.longest_wait_s == pytest.approx(59.0)
    desk.wait(3600.0)
    assert [desk.state(n) for n in (2, 4)] == ["waiting", "waiting"]


# --- it is heard ----------------------------------------------------------------------------------------------------------
def test_an_agent_is_rung_hears_whom_it_is_from_the_message_and_the_menu() -> None:
    desk = a_mailbox(1)
    verb = leaves(desk)
    offer = desk.ring()
    assert (offer.place, offer.caller, offer.number, offer.recording) == (c.Place.DESK, None, NUMBER, "")
    assert offer.name.startswith("Message:")
    answers(desk, offer)
    (say,) = desk.told(c.Say)
    assert say.say == (*spoken("cc-message-new"), Spoken(SpokenKind.DIGITS, "34911222333")) and say.stop_digits == "123"
    desk.wait(2.0)
    desk.prompt_ends(offer.leg)
    assert desk.told(c.Say)[0].say == (Spoken(SpokenKind.RECORDING, verb.path.removesuffix(".wav")),)
    assert desk.shown(1) is ShownState.RINGING, "two seconds are not enough to have taken it"
    desk.wait(1.0)
    assert desk.shown(1) is ShownState.TALKING and offers(desk) == [("101", OfferOutcome.ANSWERED)]
    assert visits(desk) == [VisitOutcome.ANSWERED]
    desk.wait(19.0)
    desk.prompt_ends(offer.leg)
    assert desk.told(c.Collect)[0].complete == ("1", "2", "3")


def test_it_is_heard_again_and_then_done_with_a_disposition() -> None:
    desk, offer = listening()
    desk.types(offer.leg, "1")
    assert desk.told(c.Say)[0].say[0].kind is SpokenKind.RECORDING
    desk.wait(20.0)
    desk.prompt_ends(offer.leg)
    desk.types(offer.leg, "3")
    assert said(desk) == ["cc-disposition-ask"] and desk.shown(1) is ShownState.WRAP_UP
    desk.types(offer.leg, "1")
    desk.prompt_ends(offer.leg)
    desk.hangs_up(offer.leg)
    over = told(desk)
    assert (over.kind, over.outcome, over.ended_by, over.agent, over.disposition) == (
        "message",
        Outcome.ANSWERED,
        EndedBy.AGENT,
        "101",
        "sold",
    )
    assert over.talk_s == pytest.approx(39.0) and over.parent == 1
    assert [s.kind for s in desk.kept(SegmentRecord) if s.interaction == MESSAGE] == [
        SegmentKind.RING,
        SegmentKind.WAIT,
        SegmentKind.TALK,
    ]
    assert not desk.center.snapshot().interactions and desk.shown(1) is ShownState.READY


def test_a_key_may_be_typed_at_any_time() -> None:
    """It stays typed ahead, and the menu takes it."""
    desk = a_mailbox(1)
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    desk.wait(0.5)
    desk.prompt_ends(offer.leg, ev.VerbEnd.DIGIT)
    assert said(desk) == ["cc-message-menu"]
    desk.types(offer.leg, "3")
    assert desk.shown(1) is ShownState.WRAP_UP and told_of_offers(desk) == [OfferOutcome.ANSWERED]


def told_of_offers(desk: Desk) -> list[OfferOutcome]:
    return [o.outcome for o in desk.kept(OfferRecord)]


def test_a_menu_that_gets_no_key_is_told_three_times() -> None:
    desk, offer = listening()
    for digits in ("", "9"):
        desk.types(offer.leg, digits)
        assert said(desk) == ["cc-message-menu"]
    desk.types(offer.leg, "")
    assert desk.shown(1) is ShownState.WRAP_UP


def test_who_hangs_up_after_the_message_is_done_with_it() -> None:
    desk, offer = listening()
    desk.hangs_up(offer.leg, cause=0)
    assert desk.shown(1) is ShownState.WRAP_UP and desk.state(MESSAGE) == "gone"
    desk.wait(21.0)
    assert told(desk).outcome is Outcome.ANSWERED


def test_a_number_that_is_withheld_is_said_to_be_none() -> None:
    desk = a_mailbox(1)
    leaves(desk, number=None)
    answers(desk, desk.ring())
    assert said(desk) == ["cc-message-new", "cc-message-none-number"]


def test_the_longest_talk_ends_it() -> None:
    desk, _ = listening(max_talk_s=40.0)
    desk.wait(30.0)
    assert desk.shown(1) is ShownState.WRAP_UP and said(desk) == ["cc-disposition-ask"]


def test_an_agent_outside_accepts_it_first() -> None:
    desk = a_mailbox(0)
    outside = PhoneSettings(number="+34600999888", kind=PhoneKind.EXTERNAL)
    desk.settings = replace(
        desk.settings,
        content_hash="outside",
        agents=Mailbox(1).settings.agents,
        phones={"PJSIP/1001": outside},
    )
    desk.tell(ev.SettingsLoaded(settings=desk.settings))
    desk.log_in(1)
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    assert said(desk) == ["cc-accept-call"]
    desk.types(offer.leg, "1")
    assert said(desk) == ["cc-message-new", "34911222333"] and not desk.told(c.EndSession)


# --- it is not taken ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("cause", "tech_cause", "outcome"), [(19, 480, OfferOutcome.MISSED), (21, 603, OfferOutcome.REJECTED)])
def test_who_does_not_answer_or_rejects_leaves_it_to_the_next(cause: int, tech_cause: int, outcome: OfferOutcome) -> None:
    desk = a_mailbox(2)
    leaves(desk)
    first = desk.ring()
    desk.ringing(first)
    desk.hangs_up(first.leg, cause, tech_cause)
    second = desk.ring()
    assert (second.agent, second.interaction) == ("102", MESSAGE)
    assert offers(desk) == [("101", outcome)] and visits(desk) == []


def test_who_hangs_up_within_three_seconds_has_not_taken_it() -> None:
    desk = a_mailbox(2)
    leaves(desk)
    first = desk.ring()
    answers(desk, first)
    desk.wait(2.9)
    desk.hangs_up(first.leg)
    assert offers(desk) == [("101", OfferOutcome.MISSED)] and desk.shown(1) is ShownState.BACK_OFF
    answers(desk, second := desk.ring())
    assert second.agent == "102" and said(desk)[0] == "cc-message-new"


def test_where_all_ring_the_first_to_answer_hears_it() -> None:
    desk = a_mailbox(2, queue=a_queue(strategy=Strategy.RING_ALL))
    leaves(desk)
    first, second = desk.told(c.RingAgent)
    answers(desk, second)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [first.leg] and said(desk)[0] == "cc-message-new"
    desk.hangs_up(first.leg)
    desk.wait(3.0)
    assert desk.shown(2) is ShownState.TALKING and desk.shown(1) is ShownState.READY
    assert sorted(told_of_offers(desk), key=str) == [OfferOutcome.ANSWERED, OfferOutcome.CANCELLED]


# --- it comes back --------------------------------------------------------------------------------------------------------
def test_a_line_that_breaks_puts_it_first_in_line() -> None:
    desk = a_mailbox(1)
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    desk.wait(10.0)
    desk.call("901")
    desk.hangs_up(offer.leg, cause=44)
    assert desk.state(MESSAGE) == "waiting" and desk.shown(1) is ShownState.BACK_OFF
    assert visits(desk) == [VisitOutcome.ANSWERED]
    desk.wait(60.0)
    again = desk.ring() if desk.told(c.RingAgent) else desk.ever(c.RingAgent)[-1]
    assert again.interaction == MESSAGE, "before the caller who came meanwhile"


def test_a_restart_of_the_pbx_puts_it_first_in_line() -> None:
    desk, _ = listening()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0), after_s=60.0)
    desk.observe()
    desk.wait(30.0)
    assert desk.state(MESSAGE) == "offered"


def test_a_daemon_that_was_killed_tells_it_again_from_the_beginning() -> None:
    desk, offer = listening()
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    opens(desk, offer.leg)
    assert said(desk) == ["cc-message-new", "34911222333"] and desk.shown(1) is ShownState.TALKING
    heard_whole(desk, offer.leg)
    desk.types(offer.leg, "3")
    assert desk.shown(1) is ShownState.WRAP_UP


def test_a_daemon_that_was_killed_in_the_first_seconds_tells_it_again_as_well() -> None:
    desk = a_mailbox(1)
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    opens(desk, offer.leg)
    assert said(desk)[0] == "cc-message-new" and desk.shown(1) is ShownState.RINGING
    view = ev.ChannelView(leg=offer.leg, channel="x", is_up=True, bridge=None, application="AGI", context="cc-agent")
    desk.observe(view)
    desk.wait(3.0)
    assert desk.shown(1) is ShownState.TALKING


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_fault_loses_nothing_and_the_third_ends_it(is_taken: bool) -> None:
    desk = a_mailbox(1)
    leaves(desk)
    for fault in range(3):
        if fault and is_taken:
            desk.wait(10.0)  # the back-off of an agent whose line broke
        offer = desk.ever(c.RingAgent)[-1]
        answers(desk, offer)
        desk.wait(5.0 if is_taken else 1.0)
        desk.tell(ev.InteractionFaulted(interaction=MESSAGE, reason="a bug"))
        assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg] and not desk.told(c.RingAgent)
        desk.hangs_up(offer.leg)
        assert desk.state(MESSAGE) in ("waiting", "offered") if fault < 2 else "over"
    assert told(desk).outcome is Outcome.LOST and len(desk.kept(FaultRecord)) == 3
    assert desk.shown(1) is ShownState.READY and not desk.center.snapshot().legs


def test_a_file_that_cannot_be_played_is_told_and_the_agent_has_the_menu() -> None:
    desk = a_mailbox(1)
    leaves(desk)
    offer = desk.ring()
    answers(desk, offer)
    desk.wait(2.0)
    desk.prompt_ends(offer.leg)
    desk.prompt_ends(offer.leg, ev.VerbEnd.FAILED)
    assert said(desk) == ["cc-message-missing"]
    assert [(n.kind, n.agent) for n in desk.kept(NoticeRecord)][-1] == (NoticeKind.MESSAGE_MISSING, "101")
    desk.wait(2.0)
    desk.prompt_ends(offer.leg)
    assert said(desk) == ["cc-message-menu"]


# --- the caller is called back --------------------------------------------------------------------------------------------
def test_two_calls_the_customer_back_on_the_same_leg() -> None:
    desk, offer = listening()
    desk.types(offer.leg, "2")
    (parked,) = desk.told(c.EndSession)
    assert parked.next is c.Next.PARK and told(desk).outcome is Outcome.ANSWERED
    request = desk.center.snapshot().interactions[3]
    assert (request.kind, request.parent, request.state.value) == ("callback", MESSAGE, "offered")
    desk.tell(ev.SessionClosed(session=parked.session), ev.LegParked(leg=offer.leg))
    dial = dialled(desk)
    assert dial.to == f"PJSIP/{NUMBER}@{desk.settings.trunk}"
    customer_answers(desk, dial)
    assert desk.told(c.JoinLeg)[0].leg == offer.leg
    bridged(desk, dial.leg, offer.leg)
    assert desk.shown(1) is ShownState.TALKING
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.WRAP_UP, "of the callback, and of nothing before"
    assert [(r.outcome, r.call) for r in desk.kept(CallbackRecord)] == [(CallbackOutcome.DONE, MESSAGE)]


def test_a_customer_who_does_not_answer_is_tried_again_by_anybody() -> None:
    desk, offer = listening(callback=CallbackRules(tries=2, retry_after_s=600.0))
    desk.types(offer.leg, "2")
    desk.tell(ev.LegParked(leg=offer.leg))
    dial = dialled(desk)
    desk.hangs_up(dial.leg, 17, 486)
    desk.hangs_up(offer.leg)
    assert desk.state(3) == "waiting" and desk.shown(1) is ShownState.READY
    desk.wait(600.0)
    assert desk.ever(c.RingAgent)[-1].interaction == 3


def test_an_agent_who_hangs_up_instead_leaves_the_request() -> None:
    desk, offer = listening()
    desk.types(offer.leg, "2")
    desk.hangs_up(offer.leg)
    assert desk.state(3) == "waiting" and offers(desk)[-1] == ("101", OfferOutcome.MISSED)


def test_a_daemon_killed_between_the_key_and_the_park_goes_on() -> None:
    desk, offer = listening()
    desk.types(offer.leg, "2")
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    opens(desk, offer.leg)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK
    desk.tell(ev.LegParked(leg=offer.leg))
    assert dialled(desk).number is not None


@pytest.mark.parametrize("why", ["withheld", "blocked", "hours", "under way"])
def test_who_cannot_be_called_now_is_said_so(why: str) -> None:
    rules = CallbackRules(hours="never") if why == "hours" else CallbackRules()
    desk = a_mailbox(2, queue=a_queue(callback=rules))
    leaves(desk, number=None if why == "withheld" else NUMBER)
    offer = desk.ring()
    answers(desk, offer)
    heard_whole(desk, offer.leg)
    if why == "blocked":
        desk.tell(ev.MarkNumberRequested(request=RequestId(1), number=NUMBER, mark=NumberMark.BLOCKED, note="", by="eva"))
    if why == "under way":
        leaves(desk)
        other = desk.ring()
        answers(desk, other)
        heard_whole(desk, other.leg)
        desk.types(other.leg, "2")
    desk.types(offer.leg, "2")
    assert said(desk) == ["cc-message-no-callback"]
    desk.prompt_ends(offer.leg)
    assert said(desk) == ["cc-message-menu"]


# --- headsets -------------------------------------------------------------------------------------------------------------
def on_headset() -> Mailbox:
    """Agent 101's line is parked."""
    desk = a_mailbox(1)
    dials(desk, "18")
    desk.prompt_ends(LINE)
    desk.tell(ev.SessionClosed(session=f"h-{LINE.uniqueid}"), ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    parks(desk)
    leaves(desk)
    ((move,),) = [x.moves for x in desk.told(c.RedirectLegs)]
    assert (move.leg, move.place) == (LINE, c.Place.DESK)
    at_desk(desk)
    assert said(desk) == ["cc-message-new", "34911222333"]
    return desk


def test_a_headset_hears_it_and_parks_again_for_the_wrap_up() -> None:
    desk = on_headset()
    heard_whole(desk, LINE)
    desk.types(LINE, "3")
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.PARK and desk.shown(1) is ShownState.WRAP_UP
    desk.tell(ev.SessionClosed(session=end.session))
    parks(desk)
    desk.tell(ev.LegDigit(leg=LINE, digit="1"))
    assert told(desk).disposition == "sold" and desk.shown(1) is ShownState.READY


def test_a_headset_calls_back_on_its_line() -> None:
    desk = on_headset()
    heard_whole(desk, LINE)
    desk.types(LINE, "2")
    desk.tell(ev.SessionClosed(session=desk.told(c.EndSession)[0].session))
    desk.tell(ev.LegParked(leg=LINE))
    customer_answers(desk, dial := dialled(desk))
    bridged(desk, dial.leg, LINE)
    assert desk.shown(1) is ShownState.TALKING


def test_a_headsets_line_that_breaks_gives_it_back() -> None:
    desk = on_headset()
    heard_whole(desk, LINE)
    desk.hangs_up(LINE, cause=44)
    assert desk.state(MESSAGE) == "waiting" and desk.shown(1) is ShownState.UNREACHABLE


# --- hours, and for whom --------------------------------------------------------------------------------------------------
def test_outside_the_hours_it_rests_and_begins_to_wait_when_they_begin() -> None:
    """At 08:00 the mornings are open, until 12:00."""
    desk = a_mailbox(1, queue=a_queue(hours="mornings"))
    desk.now_s += 5 * 3600.0
    leaves(desk)
    assert not desk.ever(c.RingAgent) and desk.state(MESSAGE) == "waiting"
    desk.wait(17 * 3600.0 - 200.0)
    assert not desk.ever(c.RingAgent)
    desk.wait(200.0)
    (offer,) = desk.ever(c.RingAgent)
    assert offer.interaction == MESSAGE
    visit = desk.center.snapshot().interactions[MESSAGE].visit
    assert visit is not None and visit.waiting_since_s > visit.entered.mono_s + 3600.0


def test_hours_that_are_opened_again_by_hand_wake_it() -> None:
    desk = a_mailbox(1, queue=a_queue(hours="mornings"))
    desk.tell(ev.CloseHoursRequested(request=RequestId(1), hours="mornings", until_utc_s=None, by="eva"))
    leaves(desk)
    desk.wait(1.0)
    assert not desk.ever(c.RingAgent)
    desk.tell(ev.OpenHoursRequested(request=RequestId(2), hours="mornings", by="eva"))
    desk.wait(0.0)
    assert desk.ever(c.RingAgent)


def test_one_that_is_left_instead_of_a_direct_call_is_for_that_agent_alone() -> None:
    direct = a_queue(skills=(), ring_timeout_s=5.0, max_wait_s=6.0, on_max_wait=Exit(kind=ExitKind.MESSAGE))
    desk = Mailbox(2, **{DIRECT: direct})
    desk.tell(ev.PauseRequested(request=RequestId(1), agent="102", reason="lunch"))
    caller = desk.call(TO_102)
    desk.wait(6.0)
    ((command, verb),) = [(i, x) for i, x in desk.last if isinstance(x, c.RecordMessage)]
    desk.tell(ev.MessageRecorded(session=verb.session, command=command, end=ev.VerbEnd.DIGIT, duration_s=5.0))
    desk.hangs_up(caller)
    desk.wait(60.0)
    assert desk.state(MESSAGE) == "waiting" and desk.shown(1) is ShownState.READY
    desk.tell(ev.UnpauseRequested(request=RequestId(2), agent="102"))
    assert (desk.ring().agent, desk.ring().interaction) == ("102", MESSAGE)


# --- a supervisor ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("when", ["waiting", "ringing", "heard", "taken"])
def test_a_supervisor_ends_it_whatever_it_is_at(when: str) -> None:
    desk = a_mailbox(0 if when == "waiting" else 1)
    leaves(desk)
    leg = None
    if when != "waiting":
        offer = desk.ring()
        leg = offer.leg
        desk.ringing(offer)
        if when != "ringing":
            answers(desk, offer)
            desk.wait(1.0 if when == "heard" else 5.0)
    desk.tell(ev.HangUpRequested(request=RequestId(9), interaction=MESSAGE, by="eva"))
    assert desk.told(c.Reply)[0].is_ok and desk.kept(AuditRecord)[-1].act == "hang_up"
    if leg is not None:
        desk.hangs_up(leg)
        desk.wait(60.0)
    over = told(desk)
    assert over.outcome is (Outcome.ANSWERED if when == "taken" else Outcome.ABANDONED)
    assert visits(desk) == [VisitOutcome.ANSWERED if when == "taken" else VisitOutcome.ABANDONED]
    assert not desk.center.snapshot().interactions and not check(desk.center.snapshot(), desk.settings)


def test_it_is_moved_picked_and_made_urgent_like_a_call() -> None:
    desk = a_mailbox(0, support=a_queue(name="Support"))
    leaves(desk)
    desk.tell(ev.MoveCallRequested(request=RequestId(1), interaction=MESSAGE, queue="support", by="eva"))
    assert desk.told(c.Reply)[0].is_ok and visits(desk) == [VisitOutcome.TRANSFERRED_OUT]
    desk.tell(ev.PriorityRequested(request=RequestId(2), interaction=MESSAGE, priority=9, by="eva"))
    moved = desk.center.snapshot().interactions[MESSAGE]
    assert moved.visit is not None and (moved.visit.queue, moved.visit.priority) == ("support", 9)
