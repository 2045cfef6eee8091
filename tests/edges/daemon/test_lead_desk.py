"""The thread that performs the center's orders of leads: each has its end, whatever the database does, and they keep their order."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.events import AttemptStored, LeadsClaimed, StoreEnd
from ccserver.core.ids import AttemptId, CampaignId, CommandId, LeadId, TrunkId
from ccserver.daemon.lead_desk import LeadDesk
from ccserver.store.lead_orders import NOTHING_KNOWN, KnownCalls

PATIENCE_S = 20.0
SALES = CampaignId("sales")
SHEET = FactSheet(
    number="+34600111222",
    line_type=LineType.MOBILE,
    region="ES",
    zones=(),
    zone_source=ZoneSource.NONE,
    purpose=Purpose.SERVICE,
    mode=Mode.PROGRESSIVE,
    campaign=SALES,
    read_utc_s=0.0,
    is_campaign_open=True,
)
CLAIM = ClaimLeads(campaign=SALES, lists=("spring",), count=3, hold_s=300.0, sheet=SHEET)
STORE = StoreAttempt(
    attempt=AttemptId("a1"),
    number="+34600111222",
    campaign=SALES,
    sheet=SHEET,
    asked_by="campaign",
    caller_id="+34910000001",
    trunk=TrunkId("main"),
)
GIVE_BACK = GiveBackLeads(campaign=SALES, leads=((LeadId(1), "t"),))
KNOWN = KnownCalls(attempts=frozenset({AttemptId("a0")}), leads=frozenset({LeadId(7)}))
End = LeadsClaimed | AttemptStored


def place(of: int) -> CommandId:
    return CommandId(of, 0)


class Database:
    """What is done in it, in order. `fails`: what the next of a kind raises. `gate` closed: it stalls."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.fails: dict[str, Exception] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.is_reached = threading.Event()

    def _do(self, kind: str, *told: object) -> None:
        self.is_reached.set()
        assert self.gate.wait(PATIENCE_S)
        if kind in self.fails:
            raise self.fails.pop(kind)
        self.done.append((kind, *told))

    def claim(self, command_id: CommandId, command: ClaimLeads) -> LeadsClaimed:
        self._do("claim", command_id.seq)
        return LeadsClaimed(command=command_id, campaign=command.campaign, is_ok=True)

    def store(self, command_id: CommandId, command: StoreAttempt) -> AttemptStored:
        self._do("store", command_id.seq)
        return AttemptStored(command=command_id, attempt=command.attempt, end=StoreEnd.STORED, sheet=command.sheet)

    def give_back(self, command: GiveBackLeads) -> None:
        self._do("give_back", *(lead for lead, _ in command.leads))

    def take_over(self, known: KnownCalls) -> None:
        self._do("take_over", known)

    def give_up(self) -> None:
        self._do("give_up")

    def close(self) -> None:
        self.done.append("closed")


class Office:
    """A desk, its database, and what it told. `is_written`: history has caught up."""

    def __init__(self) -> None:
        self.database = Database()
        self.told: queue.Queue[End] = queue.Queue()
        self.is_written = True
        self.desk = LeadDesk(cast(Any, self.database), self.told.put, lambda: self.is_written)

    def next(self) -> End:
        return self.told.get(timeout=PATIENCE_S)

    def kinds(self) -> list[str]:
        return [each[0] if isinstance(each, tuple) else str(each) for each in self.database.done]


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.database.gate.set()
    assert made.desk.close(PATIENCE_S)


def test_what_a_dead_daemon_left_comes_first_and_then_orders_in_their_order(office: Office) -> None:
    office.desk.perform(place(1), CLAIM)
    office.desk.perform(place(2), GIVE_BACK)
    office.desk.perform(place(3), STORE)
    office.desk.start(KNOWN)
    assert [office.next().command.seq for _ in range(2)] == [1, 3]
    office.desk.tidy()
    assert office.desk.close(PATIENCE_S)
    taken = ("take_over", KNOWN)
    assert taken in office.database.done and office.database.done.count(taken) == 1, "once in its life"
    assert [kind for kind in office.kinds() if kind != "give_up"] == ["take_over", "claim", "give_back", "store", "closed"]
    assert office.kinds()[0] == "take_over" and office.desk.failures == 0


def test_an_agent_who_waits_at_a_phone_goes_before_campaigns_but_not_before_what_a_dead_daemon_left(office: Office) -> None:
    own = replace(STORE, campaign=None)
    office.desk.perform(place(1), CLAIM)
    office.desk.perform(place(2), STORE)
    office.desk.perform(place(3), own)
    office.desk.start(KNOWN)
    assert [office.next().command.seq for _ in range(3)] == [3, 1, 2]
    assert office.kinds()[0] == "take_over"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("x"), MemoryError()])
def test_a_database_that_fails_is_told_and_asked_again(office: Office, error: Exception) -> None:
    office.desk.start(NOTHING_KNOWN)
    office.database.fails = {"claim": error, "store": error, "give_back": error}
    for of, order in enumerate((CLAIM, STORE, GIVE_BACK, CLAIM, STORE)):
        office.desk.perform(place(of), order)
    claimed, stored = office.next(), office.next()
    assert isinstance(claimed, LeadsClaimed) and (claimed.command, claimed.is_ok, claimed.leads) == (place(0), False, ())
    assert isinstance(stored, AttemptStored) and (stored.attempt, stored.end) == (STORE.attempt, StoreEnd.FAILED)
    assert stored.sheet is None and type(error).__name__ in stored.why
    claimed, stored = office.next(), office.next()
    assert isinstance(claimed, LeadsClaimed) and claimed.is_ok
    assert isinstance(stored, AttemptStored) and stored.end is StoreEnd.STORED
    assert office.desk.failures == 3, "what is given back has no end that is told, but is counted"


def test_a_database_that_stalls_keeps_nobody_waiting_but_the_thread(office: Office) -> None:
    office.database.gate.clear()
    office.desk.start(NOTHING_KNOWN)
    assert office.database.is_reached.wait(PATIENCE_S)
    for of in range(3):
        office.desk.perform(place(of), CLAIM)
    assert office.desk.backlog == 3 and office.told.empty()
    assert not office.desk.close(0.01), "it is told that leads were not given back"
    office.database.gate.set()
    assert office.desk.close(PATIENCE_S)
    assert "claim" not in office.kinds() and office.told.empty(), "what nobody hears of any more is not claimed"


def test_an_order_that_comes_before_history_has_caught_up_fails(office: Office) -> None:
    office.is_written = False
    office.desk.start(KNOWN)
    office.desk.perform(place(1), CLAIM)
    office.desk.perform(place(2), STORE)
    claimed, stored = office.next(), office.next()
    assert isinstance(claimed, LeadsClaimed) and not claimed.is_ok
    assert isinstance(stored, AttemptStored) and stored.end is StoreEnd.FAILED
    assert office.database.done == [], "nothing is done before"
    office.is_written = True
    office.desk.perform(place(3), CLAIM)
    claimed = office.next()
    assert isinstance(claimed, LeadsClaimed) and claimed.is_ok
    assert office.database.done == [("take_over", KNOWN), ("claim", 3)]


def test_a_take_over_that_fails_is_tried_again_with_all_that_is_known(office: Office) -> None:
    office.database.fails = {"take_over": OSError("gone")}
    office.desk.start(KNOWN)
    office.desk.perform(place(1), CLAIM)
    claimed = office.next()
    assert isinstance(claimed, LeadsClaimed) and claimed.is_ok and office.desk.failures == 1
    assert office.database.done == [("take_over", KNOWN), ("claim", 1)]


def test_at_the_end_leads_are_given_back_and_nothing_else_is_done(office: Office) -> None:
    office.database.gate.clear()
    office.desk.start(NOTHING_KNOWN)
    assert office.database.is_reached.wait(PATIENCE_S)
    orders: tuple[ClaimLeads | GiveBackLeads | StoreAttempt, ...] = (CLAIM, GIVE_BACK, STORE)
    for of, order in enumerate(orders):
        office.desk.perform(place(of), order)
    assert not office.desk.close(0.0)
    office.database.gate.set()
    assert office.desk.close(PATIENCE_S) and office.told.empty()
    assert office.kinds() == ["take_over", "give_up", "give_back", "closed"]


def test_a_desk_that_never_began_ends_at_once() -> None:
    office = Office()
    office.desk.perform(place(1), CLAIM)
    assert office.desk.close(0.0) and office.database.done == []
