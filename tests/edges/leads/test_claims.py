"""Whom to call next: the order, that nobody is claimed twice, and what is told with a claim."""

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

from lead_desk import HOLD, NOW, a_lead, a_list, an_attempt, lead_now, next_of, number, numbers_of, of_list

from ccserver.config.key_files import key_of
from ccserver.core.records import AttemptOutcome, DoNotCallSource
from ccserver.store import attempts, claims, do_not_call, lead_book
from ccserver.store.attempts import Result
from ccserver.store.database import Store
from ccserver.store.lead_book import LeadState, Urgency
from ccserver.store.vault import Vault

ON_POSTGRESQL = True
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_hot_then_callbacks_then_priority_then_tries_then_the_oldest_attempt(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2, priority=5), a_lead(3), a_lead(4), a_lead(5), a_lead(6))
    # 3 wanted a callback, 4 and 5 did not answer, 4 longer ago
    for each, ended, is_callback in ((4, NOW, False), (5, NOW + MINUTE, False), (3, NOW, True)):
        (claimed,) = [one for one in next_of(store, spring, now=ended) if numbers_of([one]) == [each]]
        attempts.store(store.engine, an_attempt(claimed, f"a{each}"), ended)
        again = Result(outcome=AttemptOutcome.NO_ANSWER, ended_at=ended, again_at=NOW + HOUR, is_callback=is_callback)
        attempts.settle(store.engine, attempts.AttemptId(f"a{each}"), again)
        claims.give_back(store.engine, claimed.token, [one.id for one in of_list(store)])
    lead_book.push(store.engine, "spring", a_lead(6), "crm")
    assert numbers_of(next_of(store, spring, now=NOW + HOUR)) == [6, 3, 2, 1, 4, 5]


def test_a_claim_is_told_in_the_order_of_several_lists(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2, priority=3))
    autumn = a_list(store, a_lead(3, priority=5), a_lead(4, priority=1), name="autumn")
    assert numbers_of(next_of(store, spring, autumn, count=3)) == [3, 2, 4]
    assert numbers_of(next_of(store, spring, autumn, count=3)) == [1]
    assert next_of(store, spring, autumn) == [] and next_of(store) == []


def test_who_waits_is_not_claimed_before_the_time(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    assert claims.give_back(store.engine, claimed.token, [claimed.lead.id], until=NOW + HOUR) == 1
    assert next_of(store, spring, now=NOW + HOUR - MINUTE) == []
    assert numbers_of(next_of(store, spring, now=NOW + HOUR)) == [1]


def test_a_claim_lapses_unless_a_phone_may_ring_under_it(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2))
    first, second = next_of(store, spring)
    attempts.store(store.engine, an_attempt(first), NOW)
    assert next_of(store, spring, now=NOW + HOLD - MINUTE) == []
    assert numbers_of(next_of(store, spring, now=NOW + HOLD)) == numbers_of([second])
    assert claims.give_back(store.engine, second.token, [second.lead.id]) == 0, "it is somebody else's now"
    assert claims.give_back(store.engine, first.token, [first.lead.id]) == 0


def test_who_is_over_is_never_claimed_again(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    claims.give_back(store.engine, claimed.token, [claimed.lead.id], is_over=True)
    assert next_of(store, spring, now=NOW + 1000 * HOUR) == []
    assert lead_now(store, claimed.lead.id).state is LeadState.DONE


def test_what_the_gate_has_to_know_comes_with_the_claim(store: Store) -> None:
    spring, vault = a_list(store, a_lead(1, 2, time_zone="Atlantic/Canary"), a_lead(3)), Vault(key_of(b"k" * 32))
    with store.engine.begin() as connection:
        do_not_call.add(connection, [number(2)], source=DoNotCallSource.KEYPAD, by="call 7", at=NOW)
        do_not_call.add(connection, [number(3)], source=DoNotCallSource.REQUEST, by="dora", campaign="sales", at=NOW)
        do_not_call.forget(connection, number(3), vault)
        hasher = do_not_call.hasher(connection, vault)
    (claimed,) = next_of(store, spring, count=1)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    over = Result(outcome=AttemptOutcome.ABANDONED, ended_at=NOW + MINUTE, again_at=NOW + HOUR)
    attempts.settle(store.engine, attempts.AttemptId("a1"), over)
    found = claims.claim(store.engine, [spring], campaign="sales", count=2, now=NOW + HOUR, hold=HOLD, hasher=hasher)
    other, one = found
    assert numbers_of([one, other]) == [1, 3]
    past = one.past[number(1)]
    assert [(each.at, each.campaign, each.outcome) for each in past.recent] == [(NOW, "sales", "abandoned")]
    assert (past.by_campaign, past.last_abandoned_at, past.is_open) == ({"sales": 1}, NOW + MINUTE, False)
    assert one.past[number(2)] == claims.NO_PAST
    assert [each.number for each in one.listed[number(2)]] == [number(2)] and one.listed[number(1)] == ()
    assert [(each.number, each.campaign) for each in other.listed[number(3)]] == [(None, "sales")], "known by its hash"
    assert (one.lead.numbers[0].tries, one.lead.numbers[0].answers, one.lead.time_zone) == (1, 1, "Atlantic/Canary")
    assert one.until == NOW + HOUR + HOLD


def test_a_number_that_was_called_for_another_list_is_known_here(store: Store) -> None:
    autumn = a_list(store, a_lead(1), name="autumn")
    (claimed,) = next_of(store, autumn)
    attempts.store(store.engine, an_attempt(claimed, campaign="surveys"), NOW)
    spring = a_list(store, a_lead(1))
    (here,) = next_of(store, spring, now=NOW + MINUTE)
    assert here.past[number(1)].by_campaign == {"surveys": 1} and here.past[number(1)].is_open


_CLAIMER = """
import json, sys
from datetime import timedelta
sys.path.insert(0, sys.argv[1])
from lead_desk import NOW
from ccserver.store.claims import claim
from ccserver.store.database import Store
store, mine = Store(sys.argv[2], busy_s=100.0), []
sys.stdin.readline()
while found := claim(store.engine, [1], campaign="x", count=7, now=NOW, hold=timedelta(hours=1), hasher=None):
    mine += [each.lead.id for each in found]
print(json.dumps(mine))
"""


def test_two_processes_never_claim_the_same_lead(store: Store) -> None:
    assert a_list(store, *(a_lead(each) for each in range(700))) == 1
    arguments = [sys.executable, "-c", _CLAIMER, str(Path(__file__).parent), str(store.engine.url)]
    claimers = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for each in claimers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    got = [json.loads(each.communicate(timeout=120)[0]) for each in claimers]
    assert [each.returncode for each in claimers] == [0, 0]
    counted = Counter(got[0] + got[1])
    assert len(counted) == 700 and set(counted.values()) == {1}


# --- pushed ---------------------------------------------------------------------------------------------------------------
def test_a_pushed_lead_is_next(store: Store) -> None:
    spring = a_list(store, a_lead(1, priority=1000))
    pushed, is_new = lead_book.push(store.engine, "spring", a_lead(2, key="k2", fields={"from": "web"}), "crm")
    assert is_new and lead_now(store, pushed).urgency is Urgency.HOT
    assert numbers_of(next_of(store, spring)) == [2, 1]
    with store.reading() as connection:
        assert lead_book.list_named(connection, "spring").fields == ("from",)


def test_a_lead_that_is_there_is_made_hot_also_when_it_waits_or_was_done(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2, key="k2"), a_lead(3))
    one, two, _ = next_of(store, spring)
    claims.give_back(store.engine, one.token, [one.lead.id], until=NOW + HOUR)
    claims.give_back(store.engine, two.token, [two.lead.id], is_over=True)
    assert lead_book.push(store.engine, "spring", a_lead(1), "crm") == (one.lead.id, False)
    assert lead_book.push(store.engine, "spring", a_lead(4, key="k2"), "crm") == (two.lead.id, False)
    assert numbers_of(next_of(store, spring)) == [1, 2]
    assert [each.e164 for each in lead_now(store, two.lead.id).numbers] == [number(2), number(4)]


def test_a_push_with_a_key_that_is_new_finds_the_number(store: Store) -> None:
    a_list(store, a_lead(1), a_lead(2, key="k2"))
    one, _ = lead_book.push(store.engine, "spring", a_lead(1, key="k1"), "crm")
    two, _ = lead_book.push(store.engine, "spring", a_lead(2, key="other"), "crm")
    assert [lead_now(store, each).key for each in (one, two)] == ["k1", "k2"]
    assert len(of_list(store)) == 2, "one number is one lead"


def test_a_lead_that_is_being_dialled_is_not_made_ready_by_a_push(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    lead_book.push(store.engine, "spring", a_lead(1), "crm")
    assert next_of(store, spring) == []
    attempts.take_over(store.engine, NOW, HOUR)
    lead_book.push(store.engine, "spring", a_lead(1), "crm")
    assert next_of(store, spring) == [], "nobody knows whether it rings"
