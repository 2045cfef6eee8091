"""What an agent hears of a lead before it is dialled, the keys that decide, and the time at which somebody wants to be called again."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from desk import a_queue
from dial_desk import RULES, WINTER, DialDesk, a_campaign

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.appointments import local_time
from ccserver.core.dialer.facts import Consent
from ccserver.core.dialer.terms import ConsentKind, Mode
from ccserver.core.ids import LegId
from ccserver.core.records import AttemptOutcome, AttemptRecord, Outcome, ShownState
from ccserver.core.settings import (
    DispositionMeaning,
    DispositionSettings,
    Flow,
    HangUpNode,
    SayNode,
    Settings,
    Spoken,
    SpokenKind,
)

PREVIEW = a_campaign(mode=Mode.PREVIEW, whisper=("name", "city"), preview_s=40.0)


def previewed(desk: DialDesk) -> tuple[c.RingAgent, c.Collect]:
    """The agent has picked up and hears who it is."""
    offer = desk.ring()
    assert offer.place is c.Place.DESK
    session = f"desk-{offer.leg.uniqueid}"
    desk.tell(
        ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"),
        ev.LegAnswered(leg=offer.leg),
        ev.DeskOpened(session=session, leg=offer.leg, channel=f"{offer.phone}-01"),
    )
    (said,) = desk.told(c.Collect)
    return offer, said


def parks(desk: DialDesk, leg: LegId) -> None:
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.PARK
    desk.tell(ev.SessionClosed(session=end.session), ev.LegParked(leg=leg))


def test_preview_says_the_fields_and_the_number_and_dials_by_key() -> None:
    desk = DialDesk(1, campaign=PREVIEW)
    desk.waiting.append(desk.a_lead(fields={"city": "Avila"}))
    desk.start()
    offer, said = previewed(desk)
    assert [piece.value for piece in said.say] == ["Lead 1", "Avila", "34910100001", "cc-preview-keys"]
    assert said.first_timeout_s == 40.0 and not desk.dials()
    desk.types(offer.leg, "1")
    parks(desk, offer.leg)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    assert desk.told(c.JoinLeg)


@pytest.mark.parametrize(("key", "is_over"), [("2", False), ("3", True), ("", False)])
def test_preview_a_lead_is_left_for_later_or_for_good(key: str, is_over: bool) -> None:
    desk = DialDesk(1, campaign=PREVIEW)
    desk.add(1)
    desk.start()
    offer, _ = previewed(desk)
    desk.types(offer.leg, key)
    (back,) = desk.told(c.GiveBackLeads)
    assert back.is_over is is_over and (back.until_utc_s is None) is is_over
    desk.hangs_up(offer.leg)
    desk.wait(1.0)
    assert not desk.dials() and desk.shown(1) is ShownState.READY


def test_preview_the_next_number_of_the_lead_is_taken_by_key() -> None:
    desk = DialDesk(1, campaign=PREVIEW)
    desk.waiting.append(desk.a_lead("+34910100001", "+34910100002"))
    desk.start()
    offer, said = previewed(desk)
    assert "4" in said.complete
    desk.types(offer.leg, "4")
    (again,) = desk.told(c.Collect)
    assert again.say[-2].value == "34910100002"
    desk.types(offer.leg, "1")
    parks(desk, offer.leg)
    assert desk.dials()[0].to == "PJSIP/+34910100002@carrier"


def test_preview_an_agent_who_hangs_up_leaves_the_lead_to_the_next_look() -> None:
    desk = DialDesk(1, campaign=PREVIEW)
    desk.add(1)
    desk.start()
    offer, _ = previewed(desk)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert len(desk.ever(c.RingAgent)) > 1 and not desk.dials()


def test_progressive_whispers_and_dials_without_a_key() -> None:
    desk = DialDesk(1, campaign=a_campaign(whisper=("name",)))
    desk.add(1)
    desk.start()
    offer = desk.ring()
    assert offer.place is c.Place.DESK
    desk.tell(
        ev.LegStarted(leg=offer.leg, channel="PJSIP/1001-01"),
        ev.LegAnswered(leg=offer.leg),
        ev.DeskOpened(session="d", leg=offer.leg, channel="PJSIP/1001-01"),
    )
    (said,) = desk.told(c.Say)
    assert [piece.value for piece in said.say] == ["Lead 1", "34910100001"]
    desk.prompt_ends(offer.leg)
    parks(desk, offer.leg)
    assert desk.dials()


def test_manual_nothing_comes_unless_the_agent_asks_for_it() -> None:
    desk = DialDesk(1, campaign=a_campaign(mode=Mode.MANUAL))
    desk.add(2)
    desk.start()
    desk.wait(30.0)
    assert not desk.ever(c.RingAgent)
    leg = LegId("pbx", "1700000000.900")
    desk.tell(ev.FeatureDialled(session="f", leg=leg, channel="PJSIP/1001-09", phone="PJSIP/1001", digits="45"))
    assert desk.ever(c.Say)[-1].say[0].value == "cc-lead-coming"
    desk.hangs_up(leg)
    desk.wait(1.0)
    assert desk.ring().place is c.Place.DESK


# --- called again ---------------------------------------------------------------------------------------------------------------
class PromiseDesk(DialDesk):
    def adapted(self, settings: Settings) -> Settings:
        adapted = super().adapted(settings)
        later = DispositionSettings(code="5", name="Later", means=DispositionMeaning.CALL_BACK)
        return replace(
            adapted,
            dispositions={**adapted.dispositions, "later": later},
            queues={name: replace(each, dispositions=(*each.dispositions, "later")) for name, each in adapted.queues.items()},
        )


def wrapping_up(desk: DialDesk) -> c.RingAgent:
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    desk.bridged(dial.leg, offer.leg)
    desk.hangs_up(dial.leg)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    return offer


@pytest.mark.parametrize(("answer", "only"), [("1", "101"), ("2", None)])
def test_the_time_is_entered_by_the_callees_clock_and_read_back(answer: str, only: str | None) -> None:
    desk = PromiseDesk(1)
    offer = wrapping_up(desk)
    desk.types(offer.leg, "5")
    (when,) = desk.told(c.Collect)
    assert when.say[0].value == "cc-appointment-when"
    desk.types(offer.leg, "1630")
    (back,) = desk.told(c.Collect)
    assert [(piece.kind, piece.value) for piece in back.say[:2]] == [
        (SpokenKind.DATE, "2027-01-15"),
        (SpokenKind.TIME, "16:30"),
    ]
    assert not desk.kept(AttemptRecord)
    desk.types(offer.leg, answer)
    (record,) = desk.kept(AttemptRecord)
    assert record.outcome is AttemptOutcome.ANSWERED and record.is_callback and record.only == only
    at = datetime(2027, 1, 15, 16, 30, tzinfo=ZoneInfo("Europe/Madrid")).timestamp()
    assert record.again_utc_s == at


def test_a_time_that_is_none_is_asked_for_again_and_given_up_in_the_end() -> None:
    desk = PromiseDesk(1)
    offer = wrapping_up(desk)
    desk.types(offer.leg, "5")
    for _ in range(2):
        desk.types(offer.leg, "9999")
        assert desk.told(c.Collect)[0].say[0].value == "cc-appointment-unknown"
    desk.types(offer.leg, "12")
    assert desk.told(c.Say)[0].say[0].value == "cc-appointment-none"


NOON = datetime(2027, 1, 15, 11, 0, tzinfo=UTC).timestamp()  # noon in Madrid


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("1230", "2027-01-15T12:30:00+01:00"),
        ("1200", "2027-01-16T12:00:00+01:00"),
        ("24121530", "2027-12-24T15:30:00+01:00"),
        ("14011530", "2028-01-14T15:30:00+01:00"),
        ("28030230", None),
        ("31021200", None),
        ("2400", None),
        ("123", None),
        ("", None),
        ("12\u0661\u0662", None),
    ],
)
def test_what_is_typed_is_the_next_such_time_there(digits: str, expected: str | None) -> None:
    found = local_time(digits, "Europe/Madrid", NOON)
    assert (found.isoformat() if found is not None else None) == expected


def test_a_callback_is_for_its_agent_and_after_a_grace_time_for_the_team() -> None:
    desk = DialDesk(2)
    now_s = desk.moment().utc_s
    talked = replace(desk.a_sheet("+34910100001"), last_talk_utc_s=now_s - 7200.0)
    lead = replace(desk.a_lead(), sheets=(talked,), only="102", callback_utc_s=now_s - 60.0)
    desk.waiting.append(lead)
    desk.start()
    assert desk.ring().agent == "102"
    late = DialDesk(2)
    lead = replace(lead, callback_utc_s=late.moment().utc_s - 2000.0)
    late.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    late.waiting.append(lead)
    late.start()
    assert late.ring().agent == "101"


def test_a_callback_whose_agent_is_away_waits_for_a_moment() -> None:
    desk = DialDesk(2)
    desk.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    now_s = desk.moment().utc_s
    talked = replace(desk.a_sheet("+34910100001"), last_talk_utc_s=now_s - 7200.0)
    desk.waiting.append(replace(desk.a_lead(), sheets=(talked,), only="102", callback_utc_s=now_s - 60.0))
    desk.start()
    (back,) = desk.ever(c.GiveBackLeads)
    assert back.until_utc_s == pytest.approx(now_s + 60.0, abs=1.0) and not desk.ever(c.RingAgent)


# --- without agents -------------------------------------------------------------------------------------------------------------
class NewsDesk(DialDesk):
    def adapted(self, settings: Settings) -> Settings:
        news = Flow(
            start="news",
            nodes={"news": SayNode(say=(Spoken(SpokenKind.PROMPT, "news"),), next="bye"), "bye": HangUpNode()},
        )
        adapted = super().adapted(settings)
        return replace(adapted, flows={**adapted.flows, "news": news})


def test_agentless_only_who_agreed_is_called_and_goes_through_the_flow() -> None:
    desk = NewsDesk(1, campaign=a_campaign(mode=Mode.AGENTLESS, flow="news", queue=None, rules=RULES))
    agreed = Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=1000.0)
    lead, other = desk.a_lead(), desk.a_lead()
    desk.waiting.extend([replace(lead, sheets=(replace(lead.sheets[0], consent=agreed),)), other])
    desk.start()
    (dial,) = desk.dials()
    assert desk.known().refused == {"automatic_without_consent": 1}
    desk.picks_up(dial)
    assert desk.told(c.Say)[0].say[0].value == "news"
    desk.prompt_ends(dial.leg)
    desk.hangs_up(dial.leg)
    assert desk.settled() == [(1, AttemptOutcome.ANSWERED)]
    assert desk.tally().connected == 0 and desk.tally().abandoned == 0


def test_a_hot_lead_is_dialled_before_those_that_were_claimed() -> None:
    desk = DialDesk(1)
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    desk.add(3)
    desk.start()
    desk.wait(1.0)
    desk.waiting.appendleft(desk.a_lead(is_hot=True))
    desk.tell(ev.LeadsAdded(list="winter"))
    desk.wait(0.5)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    desk.wait(0.5)
    desk.accepts(desk.ring())
    assert desk.dials()[0].to == "PJSIP/+34910100004@carrier"


def test_the_interaction_carries_the_leads_fields() -> None:
    desk = DialDesk(1)
    desk.waiting.append(desk.a_lead(fields={"city": "Avila"}))
    desk.start()
    (interaction,) = desk.center.snapshot().interactions.values()
    assert interaction.data == {"campaign": WINTER, "lead": "1", "lead_name": "Lead 1", "lead_city": "Avila"}
    assert interaction.outcome is not Outcome.LOST


# --- longer than an agent's phone may ring ------------------------------------------------------------------------------------------
def test_an_agent_who_is_there_waits_for_as_long_as_the_callees_phone_rings() -> None:
    desk = DialDesk(1, campaign=a_campaign(ring_s=30.0), sales=a_queue(ring_timeout_s=2.0))
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.wait(29.0)
    assert not desk.ever(c.HangUpLeg)
    desk.tell(ev.LegAnswered(leg=dial.leg))
    desk.comes(dial)
    assert desk.told(c.JoinLeg)


def test_preview_an_agent_may_think_for_longer_than_a_phone_may_ring() -> None:
    desk = DialDesk(1, campaign=PREVIEW, sales=a_queue(ring_timeout_s=2.0))
    desk.add(1)
    desk.start()
    offer, _ = previewed(desk)
    desk.wait(39.0)
    assert not desk.ever(c.HangUpLeg)
    desk.types(offer.leg, "1")
    parks(desk, offer.leg)
    assert desk.dials()


def test_preview_an_agent_who_does_not_come_back_from_it_is_given_up() -> None:
    desk = DialDesk(1, campaign=PREVIEW, sales=a_queue(ring_timeout_s=2.0))
    desk.add(1)
    desk.start()
    offer, _ = previewed(desk)
    desk.wait(20.0)
    desk.types(offer.leg, "1")
    desk.wait(4.9)
    assert not desk.ever(c.HangUpLeg)
    desk.wait(0.2)
    assert [each.leg for each in desk.ever(c.HangUpLeg)] == [offer.leg] and not desk.dials()
