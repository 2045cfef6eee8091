"""The law's gate before calls that no campaign makes: what it refuses does not go out, and what nobody could ask does not either."""

from dataclasses import replace

import pytest
from desk import UTC_AT_0, Desk, a_queue
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rules import obey, obey_for
from test_core_callbacks import RULES, accepts, asked, comes_back, customer_answers, dialled, records
from test_core_own_calls import MOBILE, answer, dial

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.codec import decode_command, decode_event, encode_command, encode_event
from ccserver.core.dialer import gate
from ccserver.core.dialer.facts import AttemptsMade, FactSheet, Listing, RegisterFacts
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CallerIdSettings, DialingSettings
from ccserver.core.dialer.terms import DAY_S, LineType, Purpose, ZoneSource
from ccserver.core.dialer.verdict import Allowed, Refusal
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import (
    CallbackOutcome,
    DialKind,
    NoticeKind,
    NoticeRecord,
    OwnCallRecord,
    RefusedDialRecord,
    ShownState,
)
from ccserver.core.settings import ClassOfService, NumberKind

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


def reading(desk: Desk) -> tuple[CommandId, c.ReadFacts]:
    """What is being asked now, as it comes out of a journal."""
    (found,) = [(i, x) for i, x in desk.last if isinstance(x, c.ReadFacts)]
    assert decode_command(encode_command(found[1])) == found[1]
    return found


def in_spain(sheet: FactSheet, **changes: object) -> FactSheet:
    known = replace(sheet, line_type=LineType.MOBILE, region="ES", zones=("Europe/Madrid",), zone_source=ZoneSource.NUMBER)
    return replace(known, **changes)


def tells(desk: Desk, **changes: object) -> None:
    """The database answers."""
    command, asks = reading(desk)
    event = ev.FactsRead(command=command, sheet=in_spain(asks.sheet, **changes))
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
        desk.tell(ev.FactsRead(command=command, sheet=None))
    else:
        desk.wait(1.9)
        assert not desk.told(c.Say)
        desk.wait(0.2)
    assert answer(desk) == "cc-law-unavailable"
    assert [r.reason for r in desk.kept(RefusedDialRecord)] == [Refusal.UNAVAILABLE]
    desk.tell(ev.FactsRead(command=command, sheet=in_spain(asks.sheet)))
    assert not desk.last, "too late"


def test_internal_calls_wait_for_nothing() -> None:
    desk = a_desk(2)
    dial(desk, 1, "1002", NumberKind.INTERNAL)
    assert answer(desk) == "dial" and not desk.ever(c.ReadFacts)


def test_without_outbound_calls_in_the_settings_nothing_is_asked() -> None:
    desk = a_desk()
    obey(desk, dialing=None)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "dial" and desk.told(c.EndSession)[0].shown == ""


def test_what_the_class_of_service_refuses_is_not_asked_about() -> None:
    desk = a_desk()
    dial(desk, 1, "+1900", NumberKind.PREMIUM)
    assert answer(desk) == "cc-dial-not-allowed" and not desk.ever(c.ReadFacts)


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
    desk.tell(ev.FactsRead(command=command, sheet=in_spain(asks.sheet)))
    assert not desk.told(c.EndSession)
    assert not desk.center.snapshot().outstanding and not desk.center.snapshot().own_calls


def test_a_new_start_while_it_is_asked_leaves_the_call_to_the_dialplan() -> None:
    desk = a_desk()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    command, asks = reading(desk)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=90.0))
    desk.tell(ev.FactsRead(command=command, sheet=in_spain(asks.sheet)))
    assert not desk.told(c.EndSession)
    desk.hangs_up(leg)
    assert [r.is_allowed for r in desk.kept(OwnCallRecord)] == [False]


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
    assert not desk.ever(c.DialOut) and [h.leg for h in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
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
    command, _ = reading(desk)
    if answers == "none":
        desk.tell(ev.FactsRead(command=command, sheet=None))
    elif answers == "nothing":
        desk.wait(2.1)
    else:
        tells(desk, caller_id=None)
    assert not desk.ever(c.DialOut) and [h.leg for h in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
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
    desk.tell(ev.FactsRead(command=command, sheet=in_spain(asks.sheet)))
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
    desk.tell(ev.FactsRead(command=command, sheet=in_spain(asks.sheet)))
    desk.hangs_up(offer.leg)
    assert not desk.ever(c.DialOut) and records(desk) == [(CallbackOutcome.CANCELLED, 0)]


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
