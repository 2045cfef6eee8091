"""Consultations: the customer waits while the agent asks a colleague."""

import pytest
from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import SessionId
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    Outcome,
    RecordingRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    TransferOutcome,
    TransferRecord,
)


def outcomes(desk: HandoverDesk) -> list[tuple[str, TransferOutcome]]:
    return [(t.to, t.outcome) for t in desk.kept(TransferRecord)]


def test_the_key_sends_both_apart_in_one_stroke_and_asks_for_the_number() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*2")
    (order,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.place) for m in order.moves] == [(customer, c.Place.LOOP), (offer.leg, c.Place.DESK)]
    desk.done(c.RedirectLegs)
    desk.left(customer, offer.leg)
    desk.arrive(customer)
    (music,) = desk.told(c.WaitUntil)
    assert music.music == "default"
    desk.desk(offer.leg)
    (question,) = desk.told(c.CollectNumber)
    assert question.say[0].value == "cc-consult-with"
    assert desk.shown(1) is ShownState.CONSULTING


def test_a_colleague_answers_and_takes_over() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    assert desk.state(2) == "talking"
    desk.now_s += 10.0
    desk.keys(agent, "*1")
    (order,) = desk.told(c.JoinLeg)
    assert (order.leg, order.caller) == (colleague, customer)
    assert desk.state(2) == "over"
    desk.join_happens()
    desk.desk(agent)
    assert desk.it().talk.agent == "102"
    assert desk.state(1) == "talking"
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.work(2) == [(1, "talking")]
    assert desk.told(c.Collect), "the transferrer is asked for the disposition"
    assert outcomes(desk) == [("102", TransferOutcome.DONE)]
    (child,) = desk.kept(InteractionRecord)
    assert (child.kind, child.parent, child.outcome, child.talk_s) == ("consult", 1, Outcome.ANSWERED, 10.0)
    (consult,) = [s for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.CONSULT]
    assert (consult.interaction, consult.agent, consult.duration_s) == (1, "101", 10.0)
    assert [n.data["to"] for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.TRANSFERRED] == ["102"]


def test_after_the_takeover_everybody_wraps_up_once() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*1")
    desk.join_happens()
    desk.desk(agent)
    desk.wait(21.0)
    desk.hangs_up(agent)
    desk.hangs_up(customer)
    desk.wraps(colleague)
    desk.wait(21.0)
    desk.hangs_up(colleague)
    wraps = [(s.agent, s.interaction) for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.WRAP_UP]
    assert sorted(wraps) == [("101", 1), ("102", 1)]
    assert [r.interaction for r in desk.kept(InteractionRecord)] == [2, 1]
    talks = [(s.agent, s.interaction) for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.TALK]
    assert talks == [("101", 1), ("102", 2), ("102", 1)]
    assert desk.shown(1) is desk.shown(2) is ShownState.READY


def test_hanging_up_completes_it_whatever_is_read_first() -> None:
    for colleague_first in (False, True):
        desk = HandoverDesk()
        customer, agent, colleague = desk.consulting()
        if colleague_first:
            desk.wraps(colleague)
            assert desk.state(2) == "talking", "the news of the agent's leg is awaited"
        desk.hangs_up(agent)
        (order,) = desk.told(c.JoinLeg)
        assert (order.leg, order.caller) == (colleague, customer)
        desk.join_happens()
        assert desk.it().talk.agent == "102"
        assert outcomes(desk) == [("102", TransferOutcome.DONE)]


def test_the_end_of_the_talk_with_the_agent_is_read_after_the_takeover_was_ordered() -> None:
    """The agent's leg left first, and the colleague's came to its wrap-up, before the redirect took it to the customer."""
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*1")
    (order,) = desk.told(c.JoinLeg)
    desk.left(agent)
    desk.done(c.JoinLeg)
    desk.wraps(colleague)
    desk.bridged(colleague, customer)
    assert (desk.state(1), desk.it().talk.agent, desk.it().handover) == ("talking", "102", None)
    assert outcomes(desk) == [("102", TransferOutcome.DONE)]
    desk.wait(30.0)
    assert not [x for _, x in desk.all if isinstance(x, c.HangUpLeg) and x.leg in (customer, colleague)]
    assert len([x for _, x in desk.all if isinstance(x, c.JoinLeg)]) == 1 and order.leg == colleague


def test_the_end_of_the_talk_with_the_agent_is_read_after_the_takeover_itself() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*1")
    desk.join_happens()
    late = SessionId("late")
    desk.tell(ev.WrapUpOpened(session=late, leg=colleague))
    assert (desk.state(1), desk.it().talk.agent) == ("talking", "102")
    assert not desk.told(c.HangUpLeg) and not desk.told(c.EndSession)
    desk.tell(ev.SessionClosed(session=late))
    desk.wait(5.0)
    desk.left(customer)
    desk.wraps(colleague)
    assert desk.state(1) == "returning", "the next one is meant"


def test_a_customer_who_leaves_right_after_the_takeover_is_not_kept() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*1")
    desk.join_happens()
    desk.tell(ev.WrapUpOpened(session=SessionId("real"), leg=colleague))
    desk.hangs_up(customer)
    assert desk.state(1) == "gone"
    assert desk.work(2) == [(1, "wrap_up")]
    desk.wait(120.0)
    assert desk.it() is None
    assert [x.session for _, x in desk.all if isinstance(x, c.EndSession)][-1] == "real", "the line is let go after the wrap-up"


def test_the_agents_broken_line_leaves_the_customer_with_the_colleague() -> None:
    desk = HandoverDesk()
    _, agent, _ = desk.consulting()
    desk.hangs_up(agent, cause=102)
    desk.join_happens()
    assert desk.it().talk.agent == "102"
    assert desk.work(1) == []


def test_back_to_the_customer() -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*9")
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [colleague]
    order = desk.join_happens()
    assert (order.leg, order.caller) == (agent, customer)
    desk.hangs_up(colleague)
    assert desk.it().talk.agent == "101"
    assert desk.shown(1) is ShownState.TALKING
    assert desk.shown(2) is ShownState.READY, "a consultation has no wrap-up"
    assert outcomes(desk) == [("102", TransferOutcome.CANCELLED)]


def test_the_recording_goes_on_in_a_file_of_its_own() -> None:
    desk = HandoverDesk()
    _, agent, _ = desk.consulting()
    desk.keys(agent, "*9")
    first = desk.kept(RecordingRecord)[0]
    order = desk.join_happens()
    assert order.recording
    assert order.recording != first.path


@pytest.mark.parametrize("desk_first", [False, True])
def test_the_colleague_hangs_up_and_the_agent_is_told(desk_first: bool) -> None:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    if desk_first:
        desk.desk(agent)
        desk.hangs_up(colleague)
    else:
        desk.hangs_up(colleague)
        desk.desk(agent)
    (told,) = desk.told(c.Say)
    assert told.say[0].value == "cc-consult-ended"
    desk.prompt_ends(agent)
    order = desk.join_happens()
    assert (order.leg, order.caller) == (agent, customer)
    assert desk.state(1) == "talking"
    assert desk.state(2) == "over"


def test_a_colleague_who_does_not_answer() -> None:
    desk = HandoverDesk()
    _, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    (told,) = desk.told(c.Say)
    assert told.say[0].value == "cc-transfer-failed"
    assert desk.state(2) == "over"
    desk.prompt_ends(agent)
    desk.join_happens()
    assert outcomes(desk) == [("102", TransferOutcome.CANCELLED)]


def test_into_a_queue_whoever_answers_takes_over() -> None:
    desk = HandoverDesk()
    customer, agent, offer = desk.consult("402")
    assert offer.agent == "103"
    desk.ringing(offer)
    desk.joined(offer)
    desk.keys(agent, "*1")
    desk.join_happens()
    assert desk.it().talk.agent == "103"
    assert desk.it().talk.queue == "support"
    assert outcomes(desk) == [("support", TransferOutcome.DONE)]
    desk.hangs_up(customer)
    assert desk.work(3) == [(1, "wrap_up")]


def test_the_agent_gives_up_while_the_queue_waits() -> None:
    desk = HandoverDesk(2)
    desk.tell(ev.LogoutRequested(request=1, agent="102"))
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", "402")
    assert desk.state(2) == "waiting"
    desk.star(offer.leg, "*9")
    assert desk.state(2) == "over"
    desk.join_happens()
    assert desk.state(1) == "talking"


def test_a_wrong_key_while_waiting_changes_nothing() -> None:
    desk = HandoverDesk()
    _, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.star(agent, "*5")
    assert desk.state(2) == "offered"
    desk.star(agent, "**9")
    assert desk.state(2) == "gone"


def test_complete_before_the_answer_is_a_blind_transfer() -> None:
    desk = HandoverDesk()
    _, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.star(agent, "*1")
    assert desk.state(1) == "waiting"
    assert desk.work(1) == [(1, "wrap_up")]
    desk.hangs_up(offer.leg)
    again = desk.ring()
    assert (again.agent, again.interaction) == ("102", 1)


def test_hanging_up_before_the_answer_is_a_blind_transfer_too() -> None:
    desk = HandoverDesk()
    _, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.hangs_up(agent)
    assert desk.state(1) == "waiting"
    desk.hangs_up(offer.leg)
    assert desk.ring().agent == "102"


def test_a_line_that_breaks_before_the_answer_puts_the_customer_before_all_others() -> None:
    desk = HandoverDesk()
    __, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.hangs_up(agent, cause=102)
    visit = desk.it().visit
    assert (visit.queue, visit.rank) == ("sales", 0)
    assert outcomes(desk) == [("102", TransferOutcome.REQUEUED)]


@pytest.mark.parametrize("is_answered", [False, True])
def test_the_customer_hangs_up(is_answered: bool) -> None:
    desk = HandoverDesk()
    if is_answered:
        customer, agent, colleague = desk.consulting()
    else:
        customer, agent, offer = desk.consult()
        desk.ringing(offer)
        colleague = offer.leg
    desk.hangs_up(customer)
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [colleague]
    desk.hangs_up(colleague)
    if is_answered:
        desk.desk(agent)
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.told(c.Collect) or not is_answered, "asked for the disposition"
    assert outcomes(desk) == [("102", TransferOutcome.CUSTOMER_GONE)]
    desk.wait(21.0)
    desk.hangs_up(agent)
    assert desk.state(1) == "over"
    record = desk.kept(InteractionRecord)[-1]
    assert (record.outcome, record.ended_by) == (Outcome.ANSWERED, EndedBy.CUSTOMER)


def test_a_guest_outside_is_consulted_and_takes_over() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    agent = offer.leg
    desk.asks(1, customer, agent, "*2", "911")
    (dial,) = desk.told(c.DialOut)
    assert (dial.to, dial.place) == ("PJSIP/+34911@carrier", c.Place.JOIN)
    assert dial.caller_channel == desk.leg(agent).channel
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"), ev.LegAnswered(leg=dial.leg))
    desk.bridged(agent, dial.leg)
    assert desk.state(2) == "talking"
    desk.keys(agent, "*1")
    order = desk.join_happens()
    assert (order.leg, order.caller) == (dial.leg, customer)
    desk.desk(agent)
    assert desk.state(1) == "talking"
    assert desk.it().talk is None
    desk.now_s += 30.0
    desk.hangs_up(dial.leg)
    desk.left(customer)
    desk.arrive(customer)
    assert desk.told(c.EndSession), "let go"
    desk.hangs_up(customer)
    assert outcomes(desk) == [("+34911", TransferOutcome.DONE)]
    desk.wait(30.0)
    desk.hangs_up(agent)
    assert desk.kept(InteractionRecord)[-1].talk_s == pytest.approx(30.0)


def test_a_guest_who_does_not_answer() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", "911")
    (dial,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"))
    desk.hangs_up(dial.leg, cause=19)
    assert desk.told(c.Say)[0].say[0].value == "cc-transfer-failed"
    desk.prompt_ends(offer.leg)
    desk.join_happens()
    assert desk.state(1) == "talking"


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("101", "cc-transfer-self"),
        ("103", "cc-transfer-not-there"),
        ("777", "cc-transfer-unknown"),
        ("811", "cc-transfer-refused"),
    ],
)
def test_targets_that_are_refused(typed: str, prompt: str) -> None:
    desk = HandoverDesk()
    desk.tell(ev.LogoutRequested(request=1, agent="103"))
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", typed)
    assert desk.told(c.Say)[0].say[0].value == prompt
    desk.prompt_ends(offer.leg)
    desk.join_happens()
    assert desk.state(1) == "talking"
    assert outcomes(desk) == [(typed, TransferOutcome.REFUSED)]


def test_nothing_typed_leads_back_without_a_word() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", "")
    assert not desk.told(c.Say)
    desk.join_happens()
    assert outcomes(desk) == []


def test_the_takeover_fails_and_the_customer_waits_before_all_others() -> None:
    desk = HandoverDesk()
    __, agent, colleague = desk.consulting()
    desk.keys(agent, "*1")
    desk.done(c.JoinLeg)
    desk.left(agent, colleague)
    desk.hangs_up(colleague, cause=102)
    visit = desk.it().visit
    assert (visit.queue, visit.rank) == ("support" if visit.queue == "support" else "sales", 0)
    assert outcomes(desk) == [("102", TransferOutcome.REQUEUED)]
    desk.desk(agent)
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.work(2) == []


def test_a_join_that_is_refused_is_tried_again_at_the_desk_and_not_for_ever() -> None:
    desk = HandoverDesk()
    __, agent, colleague = desk.consulting()
    desk.keys(agent, "*9")
    desk.hangs_up(colleague)
    desk.refused(c.JoinLeg)
    desk.desk(agent)
    desk.wait_ends(agent)
    assert desk.told(c.JoinLeg)
    desk.refused(c.JoinLeg)
    desk.wait(20.0)
    assert any(h.leg == agent for h in desk.ever(c.HangUpLeg))
    desk.hangs_up(agent)
    assert desk.it().visit.rank == 0


def test_both_legs_come_back_after_a_restart() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*2")
    desk.apart(customer, offer.leg)
    desk.restarted()
    desk.arrive(customer)
    assert desk.told(c.WaitUntil)
    desk.desk(offer.leg)
    assert desk.told(c.CollectNumber)
    desk.number(offer.leg, "102")
    assert desk.ring().agent == "102"


def test_what_nobody_ends_ends_by_itself() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*2")
    desk.apart(customer, offer.leg)
    desk.wait(70.0)
    assert [h.leg for h in desk.ever(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
    assert desk.it().visit.rank == 0


def test_the_agent_is_reminded_of_the_customer() -> None:
    desk = HandoverDesk()
    _, agent, offer = desk.consult()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    desk.prompt_ends(agent)
    desk.join_happens()
    desk.tell(ev.LegHeld(leg=agent))
    desk.wait(130.0)
    held = [n.data["held_s"] for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.HELD_TOO_LONG]
    assert held == ["60", "120"]
    desk.tell(ev.LegUnheld(leg=agent))
    desk.wait(100.0)
    assert len([n for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.HELD_TOO_LONG]) == 2


def test_the_colleagues_own_keys_mean_nothing_in_a_consultation() -> None:
    desk = HandoverDesk()
    _, _, colleague = desk.consulting()
    desk.keys(colleague, "*1")
    desk.keys(colleague, "*0")
    assert desk.state(2) == "talking"


def test_out_of_a_consultation_nobody_is_sent_into_a_flow_and_the_agent_alone_is_told() -> None:
    desk = HandoverDesk()
    _, agent, _ = desk.consulting()
    before = desk.it()
    desk.keys(agent, "*81#")
    (told,) = desk.told(c.SpeakInTalk)
    assert (told.leg, told.ears, told.prompt) == (agent, c.Ears.AGENT, "cc-watch-not-now")
    assert desk.it() == before and not desk.told(c.RedirectLegs)
