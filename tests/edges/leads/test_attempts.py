"""Attempts: durable before the phone rings, never two at a time, counted once, and nothing repeated blindly after a crash."""

import threading
from datetime import timedelta

import pytest
from lead_desk import HOLD, NOW, a_lead, a_list, an_attempt, attempts_now, lead_now, next_of, number

from ccserver.core.ids import AttemptId
from ccserver.core.records import AttemptOutcome
from ccserver.store import attempts
from ccserver.store.attempts import AttemptState, MayNotDial, NewAttempt, Result
from ccserver.store.database import Store
from ccserver.store.lead_book import LeadState, NumberState, Urgency

ON_POSTGRESQL = True
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
A1 = AttemptId("a1")


def by_hand(name: str, to: int) -> NewAttempt:
    return NewAttempt(
        id=AttemptId(name),
        number=number(to),
        campaign="sales",
        purpose="service",
        asked_by="agent 101",
        caller_id="+34910000001",
        trunk="carrier",
    )


def test_an_attempt_from_its_beginning_to_its_end(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    assert attempts.store(store.engine, an_attempt(claimed), NOW)
    assert [each.state for each in attempts_now(store)] == [AttemptState.STORED]
    lead = lead_now(store, claimed.lead.id)
    assert (lead.tries, lead.last_attempt_at, lead.numbers[0].tries) == (1, NOW, 1), "it counts from now on: it may ring"
    assert attempts.placed(store.engine, A1, NOW, trunk="other") and not attempts.placed(store.engine, A1, NOW)
    done = Result(
        outcome=AttemptOutcome.ANSWERED,
        ended_at=NOW + HOUR,
        cause=16,
        answered_at=NOW + MINUTE,
        agent="101",
        interaction=4711,
        disposition="sold",
    )
    assert attempts.settle(store.engine, A1, done)
    (told,) = attempts_now(store)
    assert (told.state, told.outcome, told.trunk, told.agent, told.interaction, told.disposition, told.cause) == (
        AttemptState.SETTLED,
        AttemptOutcome.ANSWERED,
        "other",
        "101",
        4711,
        "sold",
        16,
    )
    lead = lead_now(store, claimed.lead.id)
    assert (lead.state, lead.tries, lead.last_outcome, lead.numbers[0].answers) == (LeadState.DONE, 1, "answered", 1)
    again = Result(outcome=AttemptOutcome.BUSY, ended_at=NOW + HOUR, again_at=NOW + HOUR)
    assert not attempts.settle(store.engine, A1, again), "what is settled stays"
    assert lead_now(store, claimed.lead.id).state is LeadState.DONE


def test_the_same_attempt_stored_twice_is_dialled_once(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    assert attempts.store(store.engine, an_attempt(claimed), NOW)
    assert not attempts.store(store.engine, an_attempt(claimed), NOW)
    assert lead_now(store, claimed.lead.id).tries == 1


def test_one_number_is_never_dialled_twice_at_a_time_whoever_asks(store: Store) -> None:
    spring = a_list(store, a_lead(1, 5))
    autumn = a_list(store, a_lead(1), name="autumn")
    (first,) = next_of(store, spring)
    (second,) = next_of(store, autumn)
    attempts.store(store.engine, an_attempt(first), NOW)
    for other in (an_attempt(second, "a2"), by_hand("a3", 1), an_attempt(first, "a4", place=1)):
        with pytest.raises(MayNotDial):
            attempts.store(store.engine, other, NOW)
    assert [each.id for each in attempts_now(store)] == ["a1"]
    assert lead_now(store, second.lead.id).tries == 0


def test_the_database_itself_refuses_the_second_of_two_at_the_same_instant(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL, where both may have looked before either wrote."""
    attempts.store(store.engine, by_hand("a1", 1), NOW)
    monkeypatch.setattr(attempts, "_require", lambda *_: None)
    with pytest.raises(MayNotDial, match="being dialled already"):
        attempts.store(store.engine, by_hand("a2", 1), NOW)


def test_of_many_threads_one_gets_the_number(store: Store) -> None:
    refused: list[str] = []
    start = threading.Barrier(8)

    def dial(name: str) -> None:
        start.wait()
        try:
            attempts.store(store.engine, by_hand(name, 1), NOW)
        except MayNotDial as error:
            refused.append(str(error))

    threads = [threading.Thread(target=dial, args=(f"a{each}",)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7 and len(attempts_now(store)) == 1


@pytest.mark.parametrize("late", [False, True])
def test_who_has_no_claim_any_more_does_not_dial(store: Store, late: bool) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    when = NOW + HOLD if late else NOW
    told = an_attempt(claimed) if late else an_attempt(claimed, token="another")
    with pytest.raises(MayNotDial, match="not claimed any more"):
        attempts.store(store.engine, told, when)
    with pytest.raises(MayNotDial, match="no number of lead"):
        attempts.store(store.engine, an_attempt(claimed, number=number(9)), NOW)
    assert attempts_now(store) == []


def test_what_was_not_placed_counts_as_no_attempt(store: Store) -> None:
    spring = a_list(store, a_lead(1))
    (claimed,) = next_of(store, spring)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    away = Result(outcome=AttemptOutcome.NOT_PLACED, ended_at=NOW, again_at=NOW + MINUTE)
    attempts.settle(store.engine, A1, away)
    lead = lead_now(store, claimed.lead.id)
    assert (lead.tries, lead.numbers[0].tries, lead.state) == (0, 0, LeadState.WAITING)


def test_a_number_that_does_not_exist_is_bad_and_the_lead_is_done_with_its_last_one(store: Store) -> None:
    spring = a_list(store, a_lead(1, 2))
    for place in range(2):
        (claimed,) = next_of(store, spring, now=NOW + place * HOUR)
        attempts.store(store.engine, an_attempt(claimed, f"a{place}", place=place), NOW + place * HOUR)
        gone = Result(outcome=AttemptOutcome.NO_SUCH_NUMBER, ended_at=NOW, again_at=NOW + HOUR, cause=1)
        attempts.settle(store.engine, AttemptId(f"a{place}"), gone)
    lead = lead_now(store, claimed.lead.id)
    assert [each.state for each in lead.numbers] == [NumberState.BAD, NumberState.BAD]
    assert lead.state is LeadState.DONE
    attempts.store(store.engine, by_hand("a9", 1), NOW + 9 * HOUR)


def test_a_bad_number_is_not_dialled_again(store: Store) -> None:
    spring = a_list(store, a_lead(1, 2))
    (claimed,) = next_of(store, spring)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    gone = Result(outcome=AttemptOutcome.NO_SUCH_NUMBER, ended_at=NOW, again_at=NOW)
    attempts.settle(store.engine, A1, gone)
    (claimed,) = next_of(store, spring)
    with pytest.raises(MayNotDial, match="no number of lead"):
        attempts.store(store.engine, an_attempt(claimed, "a2"), NOW)


def test_a_callback_goes_before_others_when_it_is_due(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2, priority=900))
    (claimed,) = [each for each in next_of(store, spring) if each.lead.priority == 0]
    attempts.store(store.engine, an_attempt(claimed), NOW)
    later = Result(outcome=AttemptOutcome.ANSWERED, ended_at=NOW, again_at=NOW + HOUR, is_callback=True)
    attempts.settle(store.engine, A1, later)
    lead = lead_now(store, claimed.lead.id)
    assert (lead.state, lead.urgency, lead.wake_at) == (LeadState.WAITING, Urgency.CALLBACK, NOW + HOUR)


# --- after a crash --------------------------------------------------------------------------------------------------------
def test_what_a_daemon_left_open_is_unknown_and_not_repeated_blindly(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2), a_lead(3))
    first, second, third = next_of(store, spring)
    for name, each in (("a1", first), ("a2", second), ("a3", third)):
        attempts.store(store.engine, an_attempt(each, name), NOW)
    attempts.placed(store.engine, AttemptId("a2"), NOW)
    attempts.settle(store.engine, AttemptId("a3"), Result(outcome=AttemptOutcome.BUSY, ended_at=NOW))
    assert sorted(attempts.take_over(store.engine, NOW + MINUTE, HOUR)) == ["a1", "a2"]
    assert attempts.take_over(store.engine, NOW + MINUTE, HOUR) == [], "again there is nothing"
    assert next_of(store, spring, now=NOW + HOUR) == [], "the leads are left alone"
    with pytest.raises(MayNotDial, match="not known whether"):
        attempts.store(store.engine, by_hand("a9", 1), NOW + MINUTE)
    # one is known after all, of the other nothing is ever heard
    late = Result(outcome=AttemptOutcome.ANSWERED, ended_at=NOW + MINUTE)
    assert attempts.settle(store.engine, AttemptId("a2"), late)
    assert attempts.give_up_unknown(store.engine, NOW + HOUR, 2 * HOUR) == []
    assert attempts.give_up_unknown(store.engine, NOW + 2 * HOUR, 2 * HOUR) == ["a1"]
    (again,) = next_of(store, spring, now=NOW + 2 * HOUR)
    assert (again.lead.id, again.lead.tries) == (first.lead.id, 1), "it counts: it may have rung"
    assert attempts.store(store.engine, an_attempt(again, "a4"), NOW + 2 * HOUR)
