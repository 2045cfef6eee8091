"""From the claim to the gate: what the database knows of a number decides whether it is called."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from lead_desk import NOW, a_lead, a_list, an_attempt, next_of, number

from ccserver.core.dialer.asking import blank_sheet
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.gate import all_refusals, judge
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import CampaignSettings, Outcome
from ccserver.core.dialer.terms import ConsentKind, LineType, Mode, Purpose, ZoneSource
from ccserver.core.dialer.verdict import ALLOWED, Refusal, Refused
from ccserver.core.ids import AttemptId, CampaignId, QueueId, TrunkId
from ccserver.core.records import AttemptOutcome, DoNotCallSource
from ccserver.store import attempts, do_not_call
from ccserver.store.attempts import Result
from ccserver.store.claims import Claimed
from ccserver.store.database import Store
from ccserver.store.fact_sheets import filled, of_number
from ccserver.store.lead_phones import _LINE_TYPES
from ccserver.store.registers import Registers, import_register

SALES = CampaignId("sales")
SPAIN: Rules = replace(PRESETS["es"].rules, holidays={"ES": frozenset()}, registers={"robinson": 30 * 86_400.0})
MONDAY = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)  # NOW is a Saturday
AGREED = {"consent_kind": "calls", "consent_at": NOW - timedelta(days=9)}


SHOWN = CallerIdFacts(
    number="+34910000001",
    line_type=LineType.FIXED,
    is_ours=True,
    answers_back=True,
    calls_today=0,
    calls_a_day=100,
)


@pytest.fixture
def registers(store: Store, tmp_path: Path) -> Iterator[Registers]:
    import_register(store.engine, tmp_path / "r", "robinson", [int(number(66)[1:])], as_of=date(2026, 11, 20), by="dora")
    opened = Registers(store.engine, tmp_path / "r")
    yield opened
    opened.close()


def the_campaign(rules: Rules) -> CampaignSettings:
    return CampaignSettings(
        name="Sales", mode=Mode.PROGRESSIVE, queue=QueueId("sales"), rules=rules, trunks=(TrunkId("main"),), caller_ids=()
    )


def a_sheet(registers: Registers, claimed: Claimed, rules: Rules = SPAIN, now: datetime = MONDAY) -> FactSheet:
    """As the center asks, with all that only it knows in order."""
    blank = blank_sheet(SALES, the_campaign(rules), now.timestamp())
    assert judge(blank, rules, now.timestamp()) != ALLOWED, "a sheet that nobody filled in is refused"
    sheet = filled(blank, claimed, claimed.lead.numbers[0], registers, now)
    return replace(sheet, is_campaign_open=True, is_agent_reserved=True, caller_id=SHOWN, trunk=TrunkId("main"))


def with_consent(claimed: Claimed, **changes: object) -> Claimed:
    return replace(claimed, lead=replace(claimed.lead, **{**AGREED, **changes}))  # type: ignore[arg-type]


def reasons(sheet: FactSheet, rules: Rules = SPAIN, now: datetime = MONDAY) -> list[Refusal]:
    return [each.reason for each in all_refusals(sheet, rules, now.timestamp())]


def test_who_agreed_and_is_on_no_list_is_called(store: Store, registers: Registers) -> None:
    (claimed,) = next_of(store, a_list(store, a_lead(1)))
    sheet = a_sheet(registers, with_consent(claimed))
    assert (sheet.number, sheet.line_type, sheet.zones, sheet.zone_source) == (
        *(number(1), LineType.MOBILE, ("Europe/Madrid",), ZoneSource.NUMBER),
    )
    assert reasons(sheet) == []


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"consent_kind": None}, [Refusal.CONSENT_MISSING]),
        ({"consent_kind": "newsletter"}, [Refusal.CONSENT_MISSING]),
        ({"consent_at": None}, [Refusal.CONSENT_MISSING]),
        ({"consent_until": MONDAY}, [Refusal.CONSENT_MISSING]),
        ({"consent_until": MONDAY + timedelta(seconds=1)}, []),
        ({"time_zone": "Asia/Tokyo"}, []),  # 19 o'clock there
        ({"time_zone": "America/New_York"}, [Refusal.OUTSIDE_WINDOW]),
        ({"time_zone": "Mars/Olympus"}, [Refusal.ZONE_UNKNOWN]),
    ],
)
def test_consent_and_time_zone_come_with_the_lead(
    store: Store, registers: Registers, changes: dict[str, object], refused: list[Refusal]
) -> None:
    (claimed,) = next_of(store, a_list(store, a_lead(1)))
    assert reasons(a_sheet(registers, with_consent(claimed, **changes))) == refused


def test_automatic_consent_is_a_word_of_its_own(store: Store, registers: Registers) -> None:
    (claimed,) = next_of(store, a_list(store, a_lead(1)))
    for word, kind in (("calls", ConsentKind.CALLS), ("automatic", ConsentKind.AUTOMATIC)):
        sheet = replace(a_sheet(registers, with_consent(claimed, consent_kind=word)), mode=Mode.AGENTLESS)
        assert sheet.consent is not None and sheet.consent.kind is kind
        assert (reasons(sheet) == []) is (word == "automatic")


def test_lists_and_registers_refuse(store: Store, registers: Registers) -> None:
    spring = a_list(store, a_lead(1), a_lead(2), a_lead(66))
    with store.engine.begin() as connection:
        do_not_call.add(connection, [number(1)], source=DoNotCallSource.KEYPAD, by="call 7", at=NOW)
        do_not_call.add(connection, [number(2)], source=DoNotCallSource.REQUEST, by="dora", campaign="sales", at=NOW)
    one, two, listed = next_of(store, spring)
    assert reasons(a_sheet(registers, with_consent(one))) == [Refusal.DO_NOT_CALL]
    assert reasons(a_sheet(registers, with_consent(two))) == [Refusal.CAMPAIGN_DO_NOT_CALL]
    british = replace(SPAIN, consent_for=frozenset())
    assert reasons(a_sheet(registers, listed, british), british) == [Refusal.REGISTER_LISTED]
    other = replace(british, registers={"tps": 86_400.0})
    assert reasons(a_sheet(registers, one, other), other) == [Refusal.DO_NOT_CALL, Refusal.REGISTER_MISSING]
    later = MONDAY + timedelta(days=28)
    assert Refusal.REGISTER_TOO_OLD in reasons(a_sheet(registers, one, british, later), british, later)


def test_calls_there_were_count_and_an_abandoned_one_is_remembered(store: Store, registers: Registers) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring, now=MONDAY - timedelta(hours=2))
    attempts.store(store.engine, an_attempt(claimed), MONDAY - timedelta(hours=2))
    again = Result(
        outcome=AttemptOutcome.ABANDONED, ended_at=MONDAY - timedelta(hours=2), again_at=MONDAY - timedelta(minutes=1)
    )
    attempts.settle(store.engine, AttemptId("a1"), again)
    (claimed,) = next_of(store, spring, now=MONDAY)
    sheet = a_sheet(registers, with_consent(claimed))
    made = sheet.attempts
    assert (made.day, made.month, made.number, made.campaign, made.lifetime) == (1, 1, 1, 1, 1)
    assert reasons(sheet) == [Refusal.ABANDON_HOLD_OFF]
    capped = replace(SPAIN, calls_a_day=1)
    assert reasons(sheet, capped) == [Refusal.ABANDON_HOLD_OFF, Refusal.DAY_CAP]
    later = MONDAY + timedelta(days=2)
    sheet = a_sheet(registers, with_consent(claimed), now=later)
    assert sheet.attempts.day == 0 and reasons(sheet, now=later) == []
    assert reasons(replace(sheet, is_agent_reserved=False), now=later)[0] is Refusal.AGENT_NOT_RESERVED


# --- a number that somebody types -----------------------------------------------------------------------------------------
def typed(told: str) -> FactSheet:
    """As the center asks about a call that an agent wants to make."""
    blank = blank_sheet(SALES, the_campaign(SPAIN), MONDAY.timestamp())
    sheet = replace(blank, number=told, campaign=None, purpose=Purpose.SERVICE, mode=Mode.MANUAL, is_campaign_open=True)
    return replace(sheet, is_agent_reserved=True, caller_id=SHOWN, trunk=TrunkId("main"))


def test_of_a_number_that_somebody_types_the_same_is_known(store: Store, registers: Registers) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring, now=MONDAY - timedelta(hours=2))
    attempts.store(store.engine, an_attempt(claimed), MONDAY - timedelta(hours=2))
    over = Result(outcome=AttemptOutcome.ANSWERED, ended_at=MONDAY - timedelta(hours=2))
    attempts.settle(store.engine, AttemptId("a1"), over)
    with store.engine.begin() as connection:
        do_not_call.add(connection, [number(1)], source=DoNotCallSource.KEYPAD, by="call 7", at=NOW, campaign="sales")
    with store.reading() as connection:
        sheet = of_number(connection, typed(number(1)), registers, None, MONDAY)
    assert (sheet.line_type, sheet.region) == (LineType.MOBILE, "ES") and "Europe/Madrid" in sheet.zones
    assert sheet.zone_source is ZoneSource.NUMBER and sheet.read_utc_s == MONDAY.timestamp()
    assert [each.campaign for each in sheet.listings] == ["sales"]
    assert (sheet.attempts.day, sheet.attempts.lifetime, sheet.attempts.number) == (1, 1, 0)
    assert sheet.last_talk_utc_s == (MONDAY - timedelta(hours=2)).timestamp()
    assert sheet.caller_id is not None and sheet.caller_id.calls_today == 1, "it was shown for that call"
    assert {each.name for each in sheet.registers} == {each.name for each in registers.known}


@pytest.mark.parametrize("told", ["", "101", "+34", "+999123456789", "+34600"])
def test_of_what_is_no_number_nothing_is_known_and_the_gate_refuses(store: Store, registers: Registers, told: str) -> None:
    with store.reading() as connection:
        sheet = of_number(connection, typed(told), registers, None, MONDAY)
    assert sheet.line_type is LineType.UNKNOWN and isinstance(judge(sheet, SPAIN, MONDAY.timestamp()), Refused)


def test_the_words_of_the_database_are_those_of_the_core() -> None:
    assert {each.value for each in LineType} - {"unknown"} == set(_LINE_TYPES.values())
    assert {each.value for each in Outcome} - {"unknown"} <= {each.value for each in AttemptOutcome}
