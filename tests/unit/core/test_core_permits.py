"""The law's gate before calls that no campaign makes: what it refuses does not go out, and what nobody could ask does not either."""

from dataclasses import replace

import pytest
from desk import UTC_AT_0, Desk, a_queue
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rules import obey, obey_for
from test_core_callbacks import RULES, accepts, asked, bridged, comes_back, customer_answers, dialled, hears_why, records
from test_core_own_calls import MOBILE, answer, dial

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core import permits
from ccserver.core.center import CallCenter
from ccserver.core.claimed import known_attempts
from ccserver.core.codec import decode, decode_command, decode_event, dump, encode_command, encode_event, parse
from ccserver.core.dialer import gate
from ccserver.core.dialer.facts import AttemptsMade, FactSheet, Listing, RegisterFacts
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CallerIdSettings, DialingSettings
from ccserver.core.dialer.terms import DAY_S, LineType, Purpose, ZoneSource
from ccserver.core.dialer.verdict import Allowed, Refusal
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import (
    AttemptRecord,
    CallbackOutcome,
    DialKind,
    NoticeKind,
    NoticeRecord,
    OwnCallRecord,
    RefusedDialRecord,
    ShownState,
)
from ccserver.core.settings import ClassOfService, NumberKind
from ccserver.core.state import CenterState

OURS, OTHER = "+34910000001", "+34910000002"
LISTED = (Listing(campaign=None, at_utc_s=UTC_AT_0 + 60.0),)
ASKED_AGES_AGO = (Listing(campaign=None, at_utc_s=UTC_AT_0 - 30 * DAY_S),)


def a_law(**changes: object) -> DialingSettings:
    rules = replace(PRESETS["es"].rules, countries=frozenset({"ES"}), holidays={"ES": frozenset({"2026-12-25"})})
    shown = CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True)
    return replace(DialingSettings(country="ES", rules=rules, caller_ids={OURS: shown, OTHER: shown}), **changes)


def a_desk(agents: int = 1, *, law: DialingSettings | None = None) -> Desk:
    desk = Desk(agents, sales=a_queue(callback=RULES))
    allowed = ClassOfService(allows=frozenset({NumberKind.INTERNAL, NumberKind.LOCAL, NumberKind.MOBILE}))
    obey(desk, classes_of_service={"office": allowed}, dialing=law or a_law(), trunk="carrier")
    obey_for(desk, 1, class_of_service="office")
    return desk


def reading(desk: Desk) -> tuple[CommandId, c.StoreAttempt]:
    """What is being put on record now, as it comes out of a journal."""
    (found,) = [(i, x) for i, x in desk.last if isinstance(x, c.StoreAttempt)]
    assert decode_command(encode_command(found[1])) == found[1]
    return found


def in_spain(sheet: FactSheet, **changes: object) -> FactSheet:
    known = replace(sheet, line_type=LineType.MOBILE, region="ES", zones=("Europe/Madrid",), zone_source=ZoneSource.NUMBER)
    return replace(known, **changes)


def stored(command: CommandId, asks: c.StoreAttempt, **changes: object) -> ev.AttemptStored:
    return ev.AttemptStored(
        command=command, attempt=asks.attempt, end=ev.StoreEnd.STORED, sheet=in_spain(asks.sheet, **changes)
    )


def failed(command: CommandId, asks: c.StoreAttempt) -> ev.AttemptStored:
    return ev.AttemptStored(command=command, attempt=asks.attempt, end=ev.StoreEnd.FAILED, why="the disk is full")


def settled(desk: Desk) -> list[tuple[str, str]]:
    """Attempts whose end is on record: of one that nobody waited for it may be told twice that nothing was dialled."""
    ends = dict.fromkeys((r.attempt, r.outcome.value) for r in desk.kept(AttemptRecord))
    assert len({attempt for attempt, _ in ends}) == len(ends), "one end each"
    assert all(r.campaign is None and r.lead is None for r in desk.kept(AttemptRecord))
    return list(ends)


def tells(desk: Desk, **changes: object) -> None:
    """The database answers."""
    command, asks = reading(desk)
    event = stored(command, asks, **changes)
    assert decode_event(encode_event(event)) == event
    desk.tell(event)


# --- an agent's own call ------------------------------------------------------------------------------------------------
def test_an_own_call_goes_out_when_the_gate_allows_it_and_shows_a_number_of_ours() -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    _, asks = reading(desk)
    sheet = asks.sheet
    assert (asks.number, sheet.purpose, sheet.campaign, sheet.trunk) == (MOBILE, Purpose.SERVICE, None, "carrier")
    assert not desk.told(c.EndSession) and not desk.told(c.Say), "the phone waits"
    assert desk.shown(1) is ShownState.ON_OWN_CALL, "and is offered nothing"
    tells(desk)
    assert desk.told(c.EndSession) == [c.EndSession(session="o-1", next=c.Next.DIAL, shown=OURS)]
    desk.now_s += 50.0
    desk.hangs_up(leg)
    assert [(r.is_allowed, r.to) for r in desk.kept(OwnCallRecord)] == [(True, MOBILE)]
    assert not desk.kept(RefusedDialRecord)


@pytest.mark.parametrize(
    ("known", "reason", "heard"),
    [
        ({"listings": LISTED}, Refusal.DO_NOT_CALL, "cc-law-do-not-call"),
        ({"zones": ("America/Lima",)}, Refusal.OUTSIDE_WINDOW, "cc-law-hours"),
        ({"line_type": LineType.PREMIUM}, Refusal.LINE_TYPE, "cc-law-rules"),
        ({"region": "PT"}, Refusal.COUNTRY_NOT_COVERED, "cc-law-rules"),
        ({"caller_id": None}, Refusal.CALLER_ID_MISSING, "cc-law-rules"),
        ({"read_utc_s": UTC_AT_0 - 7200.0}, Refusal.STALE_FACTS, "cc-law-unavailable"),
    ],
)
def test_what_the_gate_refuses_is_not_dialled_and_the_agent_hears_why(
    known: dict[str, object], reason: Refusal, heard: str
) -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    tells(desk, **known)
    assert answer(desk) == heard and [type(x) for _, x in desk.last if not isinstance(x, c.Store)] == [c.AnswerCall, c.Say]
    assert desk.shown(1) is ShownState.READY
    (refused,) = desk.kept(RefusedDialRecord)
    assert (refused.kind, refused.number, refused.reason, refused.agent) == (DialKind.OWN_CALL, MOBILE, reason, "101")
    (notice,) = [n for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.DIAL_REFUSED]
    assert notice.agent == "101" and notice.data["reason"] == reason.value and notice.data["to"] == MOBILE
    assert [r.is_allowed for r in desk.kept(OwnCallRecord)] == [False]
    desk.prompt_ends(leg)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(leg)
    assert len(desk.kept(OwnCallRecord)) == 1


def test_a_marketing_call_needs_the_persons_consent() -> None:
    desk = a_desk(law=a_law(own_calls=Purpose.MARKETING))
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    registers = RegisterFacts(name="robinson", as_of_utc_s=UTC_AT_0, is_listed=True)
    tells(desk, registers=(registers,))
    assert answer(desk) == "cc-law-register"


@pytest.mark.parametrize("answers", [None, "nothing"])
def test_who_cannot_be_asked_about_is_not_called(answers: str | None) -> None:
    """The database says that it could not, or says nothing for two seconds."""
    desk = a_desk()
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    if answers is None:
        desk.tell(failed(command, asks))
    else:
        desk.wait(1.9)
        assert not desk.told(c.Say)
        desk.wait(0.2)
    assert answer(desk) == "cc-law-unavailable"
    assert [r.reason for r in desk.kept(RefusedDialRecord)] == [Refusal.UNAVAILABLE]
    desk.tell(stored(command, asks))
    assert [type(x.record) for _, x in desk.last if isinstance(x, c.Store)] == [AttemptRecord], "too late, and not left open"
    assert settled(desk) == [(asks.attempt, "not_placed")]


def test_internal_calls_wait_for_nothing() -> None:
    desk = a_desk(2)
    dial(desk, 1, "1002", NumberKind.INTERNAL)
    assert answer(desk) == "dial" and not desk.ever(c.StoreAttempt)


def test_without_outbound_calls_in_the_settings_nothing_is_asked() -> None:
    desk = a_desk()
    obey(desk, dialing=None)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "dial" and desk.told(c.EndSession)[0].shown == ""


def test_what_the_class_of_service_refuses_is_not_asked_about() -> None:
    desk = a_desk()
    dial(desk, 1, "+1900", NumberKind.PREMIUM)
    assert answer(desk) == "cc-dial-not-allowed" and not desk.ever(c.StoreAttempt)


def test_a_refused_call_does_not_count_for_the_hour() -> None:
    desk = a_desk()
    classes = {"office": replace(desk.settings.classes_of_service["office"], calls_per_hour=1)}
    obey(desk, classes_of_service=classes)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    tells(desk, listings=LISTED)
    desk.hangs_up(LegId("pbx", "1700000000.71"))
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    tells(desk)
    assert answer(desk) == "dial"
    desk.hangs_up(leg)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "cc-dial-too-many"


@pytest.mark.parametrize("first", ["the leg", "the session"])
def test_who_hangs_up_meanwhile_is_forgotten(first: str) -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    if first == "the leg":
        desk.hangs_up(leg)
        desk.tell(ev.SessionClosed(session="o-1"))
    else:
        desk.tell(ev.SessionClosed(session="o-1"))
        assert desk.shown(1) is ShownState.ON_OWN_CALL, "the dialplan may be dialling by its rule for a center that is away"
        desk.hangs_up(leg)
    assert [r.is_allowed for r in desk.kept(OwnCallRecord)] == [False] and desk.shown(1) is ShownState.READY
    desk.tell(stored(command, asks))
    assert not desk.told(c.EndSession)
    assert not desk.center.snapshot().outstanding and not desk.center.snapshot().own_calls


def test_a_new_start_while_it_is_asked_leaves_the_call_to_the_dialplan() -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    desk.tell(stored(command, asks))
    assert not desk.told(c.EndSession)
    desk.hangs_up(leg)
    assert [r.is_allowed for r in desk.kept(OwnCallRecord)] == [False]


# --- what is on record of it ----------------------------------------------------------------------------------------------
def own_dial(desk: Desk) -> tuple[LegId, c.StoreAttempt]:
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    _, asks = reading(desk)
    tells(desk)
    return leg, asks


@pytest.mark.parametrize(
    ("end", "cause", "outcome"),
    [
        (ev.DialEnd.ANSWERED, 16, "answered"),
        (ev.DialEnd.BUSY, 17, "busy"),
        (ev.DialEnd.NO_ANSWER, 19, "no_answer"),
        (ev.DialEnd.CANCELLED, 16, "cancelled"),
        (ev.DialEnd.UNAVAILABLE, 1, "no_such_number"),
        (ev.DialEnd.UNAVAILABLE, 21, "rejected"),
        (ev.DialEnd.UNAVAILABLE, 0, "not_placed"),
        (ev.DialEnd.CONGESTION, 34, "not_placed"),
        (ev.DialEnd.UNAVAILABLE, 127, "congestion"),
    ],
)
def test_an_own_call_is_on_record_before_it_rings_and_settled_once(end: ev.DialEnd, cause: int, outcome: str) -> None:
    desk = a_desk()
    leg, asks = own_dial(desk)
    assert (asks.number, asks.asked_by, asks.campaign, asks.lead, asks.caller_id) == (MOBILE, "101", None, None, OURS)
    assert not settled(desk)
    desk.now_s += 50.0
    told = ev.OwnDialEnded(leg=leg, end=end, cause=cause, talk_s=40.0 if outcome == "answered" else 0.0)
    assert decode_event(encode_event(told)) == told
    desk.tell(told)
    desk.tell(told)
    desk.hangs_up(leg)
    assert settled(desk) == [(asks.attempt, outcome)]
    (record,) = desk.kept(AttemptRecord)
    assert (record.agent, record.cause, record.placed_utc_s) == ("101", cause, UTC_AT_0 + desk.now_s - 50.0)
    if outcome == "answered":
        assert (record.talk_s, record.answered_utc_s) == (40.0, UTC_AT_0 + desk.now_s - 40.0)
    assert not desk.center.snapshot().own_calls and not desk.center.snapshot().outstanding


def test_an_own_call_of_which_the_dialplan_told_nothing_is_unknown() -> None:
    """The event was lost, or the PBX is gone."""
    desk = a_desk()
    leg, asks = own_dial(desk)
    desk.hangs_up(leg)
    assert settled(desk) == [(asks.attempt, "unknown")]


def test_a_restart_while_it_rings_knows_of_the_attempt_and_settles_it_once() -> None:
    desk = a_desk()
    leg, asks = own_dial(desk)
    assert known_attempts(desk.center.snapshot()) == {asks.attempt}
    desk.center = CallCenter.restore(decode(CenterState, parse(dump(desk.center.snapshot()))))
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    assert not settled(desk)
    desk.tell(ev.OwnDialEnded(leg=leg, end=ev.DialEnd.NO_ANSWER, cause=19, talk_s=0.0))
    desk.hangs_up(leg)
    assert settled(desk) == [(asks.attempt, "no_answer")]


def test_a_restart_that_finds_the_call_gone_knows_nothing_of_it() -> None:
    desk = a_desk()
    _, asks = own_dial(desk)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=1.0))
    for _ in range(3):
        desk.now_s += 10.0
        desk.observe()
    assert settled(desk) == [(asks.attempt, "unknown")] and not desk.center.snapshot().own_calls


def test_what_the_dialplan_dials_alone_after_it_was_asked_is_on_record_with_its_end() -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    desk.tell(ev.SessionClosed(session="o-1"))
    desk.tell(stored(command, asks))
    assert not settled(desk), "the dialplan may have dialled it"
    desk.tell(ev.OwnDialEnded(leg=leg, end=ev.DialEnd.ANSWERED, cause=16, talk_s=5.0))
    desk.hangs_up(leg)
    assert settled(desk) == [(asks.attempt, "answered")]


def test_a_number_that_is_being_called_already_is_not_called_twice() -> None:
    desk = a_desk()
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    why = f"{MOBILE} is being dialled already"
    desk.tell(ev.AttemptStored(command=command, attempt=asks.attempt, end=ev.StoreEnd.REFUSED, why=why))
    assert answer(desk) == "cc-law-being-called"
    (refused,) = desk.kept(RefusedDialRecord)
    assert (refused.reason, refused.says) == (Refusal.BEING_CALLED, why)


@pytest.mark.parametrize(
    ("caps", "made", "reason"),
    [
        ({"calls_a_day": 2}, AttemptsMade(day=2, month=2, lifetime=2, last_utc_s=UTC_AT_0), Refusal.DAY_CAP),
        ({"calls_ever": 3}, AttemptsMade(lifetime=3), Refusal.LIFETIME_CAP),
    ],
)
def test_calls_of_all_kinds_count_in_the_caps(caps: dict[str, int], made: AttemptsMade, reason: Refusal) -> None:
    law = a_law()
    rules = replace(law.rules, caps_bind=frozenset({Purpose.SERVICE}), **caps)
    desk = a_desk(law=replace(law, rules=rules))
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    tells(desk, attempts=made)
    assert answer(desk) == "cc-law-too-often"
    assert [r.reason for r in desk.kept(RefusedDialRecord)] == [reason]


# --- a callback ---------------------------------------------------------------------------------------------------------
def accepted(desk: Desk) -> c.RingAgent:
    """An agent has taken the request of a caller who asked for it."""
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    return offer


def test_a_callback_is_judged_as_requested_when_an_agent_has_accepted() -> None:
    desk = a_desk()
    offer = accepted(desk)
    _, asks = reading(desk)
    assert asks.sheet.purpose is Purpose.REQUESTED and asks.sheet.requested_utc_s is not None
    assert not desk.told(c.DialOut)
    tells(desk, listings=ASKED_AGES_AGO)
    dial = dialled(desk)
    assert dial.number == OURS, "the number that was called is none that the settings show"
    customer_answers(desk, dial)
    assert [j.leg for j in desk.told(c.JoinLeg)] == [offer.leg]


def test_who_asked_not_to_be_called_after_the_request_is_not_called() -> None:
    desk = a_desk()
    offer = accepted(desk)
    tells(desk, listings=(Listing(campaign=None, at_utc_s=UTC_AT_0 + desk.now_s),))
    assert not desk.ever(c.DialOut)
    hears_why(desk, offer, "cc-law-do-not-call")
    assert desk.shown(1) is ShownState.READY and len(settled(desk)) == 1 and settled(desk)[0][1] == "not_placed"
    assert records(desk) == [(CallbackOutcome.REFUSED, 0)]
    (refused,) = desk.kept(RefusedDialRecord)
    assert (refused.kind, refused.reason, refused.agent, refused.interaction) == (
        DialKind.CALLBACK,
        Refusal.DO_NOT_CALL,
        "101",
        2,
    )
    assert [n.data["reason"] for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.DIAL_REFUSED] == ["do_not_call"]


@pytest.mark.parametrize("answers", ["none", "nothing", "another number"])
def test_a_callback_that_could_not_be_judged_rests_and_is_tried_again(answers: str) -> None:
    desk = a_desk()
    offer = accepted(desk)
    command, asks = reading(desk)
    if answers == "none":
        desk.tell(failed(command, asks))
    elif answers == "nothing":
        desk.wait(2.1)
    else:
        tells(desk, caller_id=None)
    assert not desk.ever(c.DialOut)
    hears_why(desk, offer, "cc-law-rules" if answers == "another number" else "cc-law-unavailable")
    assert not records(desk) and not desk.ever(c.DialOut)
    desk.wait(RULES.retry_after_s - 10.0)
    assert len(desk.ever(c.RingAgent)) == 1
    desk.wait(12.0)
    accepts(desk, desk.ever(c.RingAgent)[1])
    tells(desk)
    assert dialled(desk).number == OURS


def test_an_agent_who_hangs_up_while_it_is_asked_leaves_the_request_waiting() -> None:
    desk = a_desk(2)
    desk.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    offer = accepted(desk)
    command, asks = reading(desk)
    desk.hangs_up(offer.leg)
    desk.tell(stored(command, asks))
    assert not desk.ever(c.DialOut) and not records(desk)
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    accepts(desk, desk.ring())
    tells(desk)
    assert dialled(desk)


def test_a_request_that_is_cancelled_while_it_is_asked_is_not_dialled() -> None:
    desk = a_desk()
    offer = accepted(desk)
    command, asks = reading(desk)
    desk.tell(ev.CancelCallbackRequested(request=5, interaction=2))
    desk.tell(stored(command, asks))
    desk.hangs_up(offer.leg)
    assert not desk.ever(c.DialOut) and records(desk) == [(CallbackOutcome.CANCELLED, 0)]


def test_the_dial_of_a_callback_is_on_record_with_its_talk() -> None:
    desk = a_desk()
    offer = accepted(desk)
    _, asks = reading(desk)
    assert (asks.asked_by, asks.campaign, asks.sheet.purpose) == ("101", None, Purpose.REQUESTED)
    tells(desk)
    dial = dialled(desk)
    assert dial.leg.uniqueid == asks.attempt and known_attempts(desk.center.snapshot()) == {asks.attempt}
    customer_answers(desk, dial)
    bridged(desk, dial.leg, offer.leg)
    desk.now_s += 30.0
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    desk.wait(60.0)
    assert settled(desk) == [(asks.attempt, "answered")]
    (record,) = desk.kept(AttemptRecord)
    assert (record.agent, record.talk_s, record.interaction) == ("101", 30.0, 2)


@pytest.mark.parametrize(
    ("cause", "tech_cause", "outcome"), [(17, 486, "busy"), (19, 480, "no_answer"), (34, 503, "not_placed"), (0, 0, "unknown")]
)
def test_a_callback_that_reaches_nobody_is_on_record_each_time(cause: int, tech_cause: int, outcome: str) -> None:
    desk = a_desk()
    offer = accepted(desk)
    first = reading(desk)[1].attempt
    tells(desk)
    dial = dialled(desk)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"))
    desk.hangs_up(dial.leg, cause, tech_cause)
    desk.hangs_up(offer.leg)
    assert settled(desk) == [(first, outcome)]
    desk.wait(RULES.retry_after_s + 2.0)
    accepts(desk, desk.ever(c.RingAgent)[1])
    second = reading(desk)[1].attempt
    assert second != first
    tells(desk)
    assert dialled(desk).leg.uniqueid == second


def test_a_callback_to_a_number_that_is_being_called_rests_and_the_agent_hears_it() -> None:
    desk = a_desk()
    offer = accepted(desk)
    command, asks = reading(desk)
    desk.tell(ev.AttemptStored(command=command, attempt=asks.attempt, end=ev.StoreEnd.REFUSED, why="it is being dialled"))
    hears_why(desk, offer, "cc-law-being-called")
    assert not desk.ever(c.DialOut) and not records(desk)
    desk.wait(permits.AGAIN_S + 2.0)
    assert len(desk.ever(c.RingAgent)) == 2


def test_an_agent_who_hangs_up_while_told_why_is_free() -> None:
    desk = a_desk()
    offer = accepted(desk)
    tells(desk, caller_id=None)
    assert desk.told(c.RedirectLegs)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.READY
    desk.wait(RULES.retry_after_s + 2.0)
    assert len(desk.ever(c.RingAgent)) == 2


def test_an_agents_leg_that_does_not_come_to_hear_why_is_ended() -> None:
    desk = a_desk()
    offer = accepted(desk)
    tells(desk, caller_id=None)
    desk.wait(60.0)
    assert [h.leg for h in desk.ever(c.HangUpLeg)] == [offer.leg]


# --- whatever is known --------------------------------------------------------------------------------------------------
@st.composite
def known(draw: st.DrawFn) -> dict[str, object]:
    made = draw(st.integers(0, 30))
    return {
        "line_type": draw(st.sampled_from(LineType)),
        "region": draw(st.sampled_from(["ES", "ES-MD", "PT", ""])),
        "zones": draw(st.sampled_from([(), ("Europe/Madrid",), ("Atlantic/Canary",), ("America/Lima",), ("No/Where",)])),
        "listings": tuple(
            Listing(campaign=draw(st.sampled_from([None, "winter"])), at_utc_s=UTC_AT_0 + draw(st.floats(-1e6, 200)))
            for _ in range(draw(st.integers(0, 2)))
        ),
        "registers": draw(st.sampled_from([(), (RegisterFacts(name="robinson", as_of_utc_s=UTC_AT_0, is_listed=True),)])),
        "attempts": AttemptsMade(day=made, month=made, lifetime=made, last_utc_s=UTC_AT_0 if made else None),
        "read_utc_s": UTC_AT_0 + draw(st.sampled_from([-1e6, 100.0, 130.0, 1e6])),
    }


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(known=known(), purpose=st.sampled_from([Purpose.SERVICE, Purpose.MARKETING]))
def test_no_own_call_goes_out_that_the_gate_refuses(known: dict[str, object], purpose: Purpose) -> None:
    law = a_law(own_calls=purpose)
    desk = a_desk(law=law)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    sheet = in_spain(reading(desk)[1].sheet, **known)
    tells(desk, **known)
    is_allowed = isinstance(gate.judge(sheet, law.rules, UTC_AT_0 + desk.now_s), Allowed)
    assert [end.next for end in desk.told(c.EndSession)] == ([c.Next.DIAL] if is_allowed else [])


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(known=known())
def test_no_callback_goes_out_that_the_gate_refuses(known: dict[str, object]) -> None:
    law = a_law()
    desk = a_desk(law=law)
    accepted(desk)
    sheet = in_spain(reading(desk)[1].sheet, **known)
    tells(desk, **known)
    is_allowed = isinstance(gate.judge(sheet, law.rules, UTC_AT_0 + desk.now_s), Allowed)
    assert bool(desk.told(c.DialOut)) is is_allowed
