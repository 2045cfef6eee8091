"""What the center orders of leads: claims with the facts of each number, attempts with those of the moment, and what a dead daemon left."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from lead_desk import NOW, a_lead, a_list, an_attempt, attempts_now, lead_now, next_of, number
from sqlalchemy import update

from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.events import AttemptStored, LeadsClaimed, StoreEnd
from ccserver.core.ids import AgentId, AttemptId, CampaignId, CommandId, Language, LeadId, TrunkId
from ccserver.core.records import AttemptOutcome, AttemptRecord, DoNotCallSource
from ccserver.store import attempts, do_not_call
from ccserver.store.applied import apply
from ccserver.store.attempts import AttemptState, Result
from ccserver.store.database import Store
from ccserver.store.lead_book import LeadState, Urgency
from ccserver.store.lead_orders import CALL_MAX, HOLD_OFF, KnownCalls, LeadOrders
from ccserver.store.lead_schema import lead_numbers
from ccserver.store.register_file import BadRegister
from ccserver.store.registers import import_register

ON_POSTGRESQL = True
SALES, A1, NINTH = CampaignId("sales"), AttemptId("a1"), CommandId(9, 0)
HOUR = timedelta(hours=1)
BLANK = FactSheet(
    number="",
    line_type=LineType.UNKNOWN,
    region="",
    zones=(),
    zone_source=ZoneSource.NONE,
    purpose=Purpose.SERVICE,
    mode=Mode.PROGRESSIVE,
    campaign=SALES,
    read_utc_s=0.0,
    is_campaign_open=True,
)


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Iterator[LeadOrders]:
    languages = (Language("es"), Language("de"))
    made = LeadOrders(
        engine=store.engine,
        folder=tmp_path / "registers",
        vault=None,
        languages=lambda: languages,
        utc_s=NOW.timestamp,
    )
    yield made
    made.close()


def claim(desk: LeadOrders, *lists: str, count: int = 10) -> LeadsClaimed:
    order = ClaimLeads(campaign=SALES, lists=lists or ("spring",), count=count, hold_s=300.0, sheet=BLANK)
    return desk.claim(NINTH, order)


def keep(desk: LeadOrders, lead: Any = None, **told: Any) -> AttemptStored:
    given: dict[str, Any] = {
        "attempt": A1,
        "number": number(1),
        "sheet": BLANK,
        "asked_by": "campaign",
        "trunk": TrunkId("main"),
    }
    given |= {"caller_id": "+34910000001", "campaign": SALES}
    given |= {} if lead is None else {"lead": lead.id, "token": lead.token}
    return desk.store(NINTH, StoreAttempt(**{**given, **told}))


def test_a_claim_tells_the_leads_with_a_sheet_for_each_good_number(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1, 2, name="Eva", fields={"language": "DE", "city": "Jaén"}), a_lead(3, fields={"language": "xx"}))
    told = claim(desk, "spring", "not there")
    assert (told.command, told.campaign, told.is_ok, told.ready, told.next_utc_s) == (NINTH, SALES, True, 0, None)
    eva, other = told.leads
    assert (eva.name, eva.list, eva.language, eva.fields["city"]) == ("Eva", "spring", "de", "Jaén")
    assert (eva.is_hot, eva.only, eva.callback_utc_s, eva.outcomes) == (False, None, None, {})
    assert eva.until_utc_s == NOW.timestamp() + 300
    assert [sheet.number for sheet in eva.sheets] == [number(1), number(2)]
    assert all(
        (sheet.campaign, sheet.purpose, sheet.line_type) == (SALES, Purpose.SERVICE, LineType.MOBILE) for sheet in eva.sheets
    )
    assert other.language is None
    assert claim(desk).leads == (), "nobody gets them twice"


def test_the_number_that_was_tried_least_comes_first_and_outcomes_are_counted(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1, 2))
    (lead,) = claim(desk).leads
    keep(desk, lead)
    again = Result(outcome=AttemptOutcome.BUSY, ended_at=NOW, again_at=NOW, is_refusal=True)
    attempts.settle(store.engine, A1, again)
    (lead,) = claim(desk).leads
    assert [sheet.number for sheet in lead.sheets] == [number(2), number(1)]
    assert (lead.outcomes, lead.dispositions) == ({"busy": 1}, {})
    untried, tried = lead.sheets
    assert (untried.last_refusal_utc_s, tried.last_refusal_utc_s) == (None, NOW.timestamp())
    assert (tried.attempts.number, untried.attempts.campaign) == (1, 1)


def test_what_agents_entered_is_counted(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1))
    for attempt, entered in (("a1", "away"), ("a2", None), ("a3", "away"), ("a4", "no money")):
        (lead,) = claim(desk).leads
        keep(desk, lead, attempt=AttemptId(attempt))
        attempts.settle(
            store.engine,
            AttemptId(attempt),
            Result(outcome=AttemptOutcome.ANSWERED, ended_at=NOW, again_at=NOW, disposition=entered),
        )
    (lead,) = claim(desk).leads
    assert (lead.outcomes, lead.dispositions) == ({"answered": 4}, {"away": 2, "no money": 1})


def test_a_lead_without_a_good_number_is_done_and_not_told(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1), a_lead(2))
    with store.engine.begin() as connection:
        connection.execute(update(lead_numbers).where(lead_numbers.c.e164 == number(1)).values(state="bad"))
    (only,) = claim(desk).leads
    assert only.sheets[0].number == number(2)
    (gone,) = [each for each in next_states(store) if each[0] != only.id]
    assert gone[1] is LeadState.DONE


def next_states(store: Store) -> list[tuple[LeadId, LeadState]]:
    return [(LeadId(each), lead_now(store, LeadId(each)).state) for each in (1, 2)]


def test_what_is_left_is_told_with_the_claim(store: Store, desk: LeadOrders) -> None:
    a_list(store, *(a_lead(each) for each in range(1, 6)))
    first = claim(desk, count=2)
    assert (len(first.leads), first.ready, first.next_utc_s) == (2, 3, None)
    until = (NOW + HOUR).timestamp()
    given = tuple((lead.id, lead.token) for lead in first.leads)
    desk.give_back(GiveBackLeads(campaign=SALES, leads=given[:1], until_utc_s=until))
    desk.give_back(GiveBackLeads(campaign=SALES, leads=given[1:], is_over=True))
    rest = claim(desk)
    assert (len(rest.leads), rest.ready, rest.next_utc_s) == (3, 0, until)


def test_a_callback_is_told_with_who_promised_it(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1))
    (lead,) = claim(desk).leads
    keep(desk, lead)
    promised = Result(outcome=AttemptOutcome.ANSWERED, ended_at=NOW, again_at=NOW, is_callback=True, only="101")
    attempts.settle(store.engine, A1, promised)
    (lead,) = claim(desk).leads
    assert (lead.only, lead.callback_utc_s, lead.is_hot) == (AgentId("101"), NOW.timestamp(), False)
    a_list(store, a_lead(7), name="web", urgency=Urgency.HOT)
    (hot,) = claim(desk, "web").leads
    assert hot.is_hot and hot.callback_utc_s is None


def test_an_attempt_is_stored_once_with_the_facts_of_just_before_it(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1))
    (lead,) = claim(desk).leads
    with store.engine.begin() as connection:
        do_not_call.add(connection, [number(1)], source=DoNotCallSource.REQUEST, by="dora", at=NOW)
    for _ in range(2):  # nobody heard the first answer
        told = keep(desk, lead)
        assert (told.end, told.attempt, told.command) == (StoreEnd.STORED, A1, NINTH)
        assert told.sheet is not None and len(told.sheet.listings) == 1, "said after the claim"
        assert told.sheet.attempts.lifetime == 0, "the attempt itself is none of those that were made"
    (stored,) = attempts_now(store)
    assert (stored.state, stored.lead, stored.purpose, stored.trunk) == (AttemptState.STORED, lead.id, "service", "main")
    attempts.settle(store.engine, A1, Result(outcome=AttemptOutcome.BUSY, ended_at=NOW))
    assert keep(desk, lead).end is StoreEnd.REFUSED, "it is over"


def test_what_may_not_be_dialled_is_refused_with_the_reason(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1, 2))
    (lead,) = claim(desk).leads
    keep(desk, lead)
    for told in (
        keep(desk, lead, attempt=AttemptId("a2")),
        keep(desk, lead, attempt=AttemptId("a2"), number=number(2)),
        keep(desk, lead, attempt=AttemptId("a2"), number=number(5)),
        keep(desk, attempt=AttemptId("a2")),
        keep(desk, replace(lead, id=LeadId(4711)), attempt=AttemptId("a2")),
    ):
        assert told.end is StoreEnd.REFUSED and told.why and told.sheet is None
    assert [each.id for each in attempts_now(store)] == ["a1"]


def test_a_number_that_somebody_typed_has_the_facts_of_a_number(store: Store, desk: LeadOrders) -> None:
    told = keep(desk, campaign=None, trunk=None, number="+34910000009")
    assert told.sheet is not None
    assert (told.sheet.line_type, told.sheet.region, told.sheet.zones, told.sheet.zone_source) == (
        *(LineType.FIXED, "ES", ("Europe/Madrid",), ZoneSource.NUMBER),
    )
    odd = keep(desk, attempt=AttemptId("a2"), number="+999")
    assert odd.sheet is not None and (odd.sheet.line_type, odd.sheet.zones) == (LineType.UNKNOWN, ())


def own(desk: LeadOrders, attempt: str, **told: Any) -> AttemptStored:
    """Somebody's own call, or a callback."""
    return keep(desk, attempt=AttemptId(attempt), campaign=None, asked_by="101", **told)


def over(store: Store, attempt: str, outcome: AttemptOutcome, **told: Any) -> AttemptRecord:
    """The center tells that it is over."""
    given: dict[str, Any] = {
        "campaign": None,
        "lead": None,
        "number": number(1),
        "ended_utc_s": NOW.timestamp(),
        "agent": "101",
    }
    record = AttemptRecord(attempt=AttemptId(attempt), outcome=outcome, **(given | told))
    with store.engine.begin() as connection:
        apply(connection, record, None)
    return record


def test_calls_that_no_campaign_makes_count_in_every_later_look(store: Store, desk: LeadOrders) -> None:
    """In a claim, in a campaign's look before the dial, and for the next own call; limits of a campaign are about its own calls."""
    assert own(desk, "o1").end is StoreEnd.STORED
    over(store, "o1", AttemptOutcome.NO_ANSWER)
    told = own(desk, "o2")
    assert told.sheet is not None
    made = told.sheet.attempts
    assert (made.day, made.month, made.lifetime, made.number, made.campaign) == (1, 1, 1, 0, 0)
    assert told.sheet.caller_id is None and made.last_utc_s == NOW.timestamp()
    over(store, "o2", AttemptOutcome.ANSWERED)
    a_list(store, a_lead(1))
    (lead,) = claim(desk).leads
    assert (lead.sheets[0].attempts.lifetime, lead.sheets[0].attempts.number) == (2, 0)
    fresh = keep(desk, lead)
    assert fresh.sheet is not None and (fresh.sheet.attempts.day, fresh.sheet.attempts.campaign) == (2, 0)


def test_nothing_that_was_not_dialled_counts(store: Store, desk: LeadOrders) -> None:
    shown = CallerIdFacts(
        number="+34910000001", line_type=LineType.FIXED, is_ours=True, answers_back=True, calls_today=0, calls_a_day=9
    )
    own(desk, "o1")
    over(store, "o1", AttemptOutcome.NOT_PLACED)
    told = own(desk, "o2", sheet=replace(BLANK, campaign=None, caller_id=shown))
    assert told.sheet is not None and told.sheet.caller_id is not None
    assert (told.sheet.attempts.lifetime, told.sheet.caller_id.calls_today) == (0, 0)
    over(store, "o2", AttemptOutcome.BUSY)
    again = own(desk, "o3", sheet=replace(BLANK, campaign=None, caller_id=shown))
    assert again.sheet is not None and again.sheet.caller_id is not None and again.sheet.caller_id.calls_today == 1


def test_whoever_asks_a_number_is_called_once_at_a_time(store: Store, desk: LeadOrders) -> None:
    a_list(store, a_lead(1))
    assert own(desk, "o1").end is StoreEnd.STORED
    refused = own(desk, "o2")
    assert refused.end is StoreEnd.REFUSED and "being dialled" in refused.why
    (lead,) = claim(desk).leads
    assert keep(desk, lead).end is StoreEnd.REFUSED
    over(store, "o1", AttemptOutcome.ANSWERED)
    assert keep(desk, lead).end is StoreEnd.STORED
    assert own(desk, "o3").end is StoreEnd.REFUSED, "a campaign calls"


def test_an_own_call_is_settled_once_whatever_is_told_later(store: Store, desk: LeadOrders) -> None:
    own(desk, "o1")
    over(store, "o1", AttemptOutcome.ANSWERED, talk_s=40.0, cause=16, placed_utc_s=NOW.timestamp() - 50.0)
    over(store, "o1", AttemptOutcome.NOT_PLACED)
    over(store, "o1", AttemptOutcome.UNKNOWN)
    (row,) = attempts_now(store)
    assert (row.state, row.outcome, row.talk_s, row.agent, row.asked_by, row.campaign, row.purpose) == (
        *(AttemptState.SETTLED, AttemptOutcome.ANSWERED, 40.0, "101", "101", "", "service"),
    )


def test_what_the_dialplan_dialled_alone_counts_from_its_end(store: Store, desk: LeadOrders) -> None:
    over(store, "o1", AttemptOutcome.NOT_PLACED)
    assert not attempts_now(store)
    over(store, "o2", AttemptOutcome.ANSWERED, answered_utc_s=NOW.timestamp() - 30.0)
    over(store, "o2", AttemptOutcome.ANSWERED)
    (row,) = attempts_now(store)
    assert (row.id, row.state, row.outcome, row.agent) == ("o2", AttemptState.SETTLED, AttemptOutcome.ANSWERED, "101")
    told = own(desk, "o3")
    assert told.sheet is not None and told.sheet.attempts.lifetime == 1
    assert own(desk, "o2").end is StoreEnd.REFUSED, "it comes late, and is over"


def test_an_own_call_that_a_center_knows_of_stays_open_and_another_is_unknown(store: Store, desk: LeadOrders) -> None:
    own(desk, "o1")
    own(desk, "o2", number=number(2))
    desk.take_over(KnownCalls(attempts=frozenset({AttemptId("o1")})))
    states = {row.id: row.state for row in attempts_now(store)}
    assert states == {"o1": AttemptState.STORED, "o2": AttemptState.UNKNOWN}
    assert own(desk, "o3", number=number(2)).end is StoreEnd.REFUSED, "its phone may be ringing"


def test_a_register_that_is_imported_meanwhile_is_asked(store: Store, desk: LeadOrders, tmp_path: Path) -> None:
    a_list(store, a_lead(1), a_lead(2))
    (first,) = claim(desk, count=1).leads
    assert first.sheets[0].registers == ()
    import_register(store.engine, tmp_path / "registers", "tps", [int(number(2)[1:])], as_of=date(2026, 11, 20), by="dora")
    (second,) = claim(desk, count=1).leads
    assert [(each.name, each.is_listed) for each in second.sheets[0].registers] == [("tps", True)]


def test_without_a_register_that_was_imported_nothing_is_claimed(store: Store, desk: LeadOrders, tmp_path: Path) -> None:
    a_list(store, a_lead(1))
    import_register(store.engine, tmp_path / "registers", "tps", [int(number(2)[1:])], as_of=date(2026, 11, 20), by="dora")
    for file in (tmp_path / "registers").iterdir():
        file.unlink()
    with pytest.raises(BadRegister):
        claim(desk)
    assert lead_now(store, LeadId(1)).state is LeadState.READY


def test_what_a_dead_daemon_left_is_sorted_out(store: Store, desk: LeadOrders) -> None:
    """Four leads: dialled and known, dialled and lost, claimed and known, claimed and lost."""
    spring = a_list(store, *(a_lead(each) for each in range(1, 5)))
    for each, name in zip(next_of(store, spring, count=2), ("known", "lost"), strict=True):
        attempts.store(store.engine, an_attempt(each, name), NOW)
    kept, lost = next_of(store, spring)
    desk.take_over(KnownCalls(attempts=frozenset({AttemptId("known")}), leads=frozenset({kept.lead.id})))
    states = {each.id: each.state for each in attempts_now(store)}
    assert states == {"known": AttemptState.STORED, "lost": AttemptState.UNKNOWN}
    found = [lead_now(store, LeadId(each)) for each in range(1, 5)]
    assert [each.state for each in found] == [LeadState.CLAIMED, LeadState.WAITING, LeadState.CLAIMED, LeadState.READY]
    assert found[1].wake_at == NOW + HOLD_OFF and found[3].id == lost.lead.id
    desk.utc_s = (NOW + CALL_MAX).timestamp
    desk.give_up()
    (given_up,) = [each for each in attempts_now(store) if each.id == "lost"]
    assert (given_up.state, given_up.outcome) == (AttemptState.SETTLED, AttemptOutcome.UNKNOWN)
