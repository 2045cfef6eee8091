"""Who calls back is told which call of ours it was: the newest one to their number, and nothing else of anybody."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from lead_desk import a_lead, a_list, an_attempt, next_of, number
from sqlalchemy import update

from ccserver.config.key_files import key_of
from ccserver.config.look_up_edges import RecordsLookUp, RecordsQuestion
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import Language, LookUpId
from ccserver.lookups import by_hand
from ccserver.lookups.answers import Answer
from ccserver.store import attempts, lead_erasure
from ccserver.store.attempts import AttemptId, AttemptOutcome, NewAttempt, Result
from ccserver.store.database import Store
from ccserver.store.lead_schema import attempts as table
from ccserver.store.vault import Vault

ON_POSTGRESQL = True
CALLER = number(1)
NOW = datetime.now(UTC).replace(microsecond=0)


def asks(store: Store, told: Value = CALLER) -> Answer:
    url = store.engine.url.render_as_string(hide_password=False)
    edge = RecordsLookUp(
        records=RecordsQuestion.RETURNED_CALL, url=url, timezone="America/Lima", campaigns={"sales": "The winter offer"}
    )
    return by_hand.ask(LookUpId("returned"), edge, {}, {"number": told}, Language("en"), run_function=_no_function)


def _no_function(*_: object) -> object:
    raise AssertionError("no function is asked")


def made(store: Store, name: str, ago: timedelta, campaign: str = "sales", who: str = number(1)) -> None:
    new = NewAttempt(
        id=AttemptId(name),
        number=who,
        campaign=campaign,
        purpose="service",
        asked_by="x",
        caller_id="+34910000001",
        trunk="main",
    )
    attempts.store(store.engine, new, NOW - ago)


def over(store: Store, name: str, outcome: AttemptOutcome, agent: str | None = None) -> None:
    attempts.settle(store.engine, AttemptId(name), Result(outcome=outcome, ended_at=NOW, agent=agent))


def values(answer: Answer) -> Mapping[str, Value]:
    assert answer.end is LookUpEnd.FOUND, answer
    return answer.values


def test_the_newest_call_of_a_campaign_is_told(store: Store) -> None:
    (claimed,) = next_of(store, a_list(store, a_lead(1)))
    attempts.store(store.engine, an_attempt(claimed), NOW - timedelta(days=3))
    over(store, "a1", AttemptOutcome.NO_ANSWER)
    made(store, "a2", timedelta(hours=1))
    over(store, "a2", AttemptOutcome.ANSWERED, agent="101")
    local = (NOW - timedelta(hours=6)).isoformat()  # Lima is five hours behind
    assert values(asks(store)) == {
        "campaign": "sales",
        "campaign_name": "The winter offer",
        "outcome": "answered",
        "agent": "101",
        "date": local[:10],
        "time": local[11:16],
    }


def test_of_a_call_that_goes_on_and_of_an_agents_own_less_is_known(store: Store) -> None:
    made(store, "a1", timedelta(minutes=1), campaign="")
    found = values(asks(store))
    assert (found["campaign"], found["campaign_name"], found["outcome"], found["agent"]) == ("", "", "", "")
    made(store, "a2", timedelta(minutes=2), campaign="gone", who=number(2))
    assert values(asks(store, number(2)))["campaign_name"] == "gone", "a campaign that is in the settings no more"


@pytest.mark.parametrize("told", [number(9), "", "anonymous", "' or 1=1 --"])
def test_who_was_not_called_is_missing(store: Store, told: str) -> None:
    made(store, "a1", timedelta(hours=1))
    assert asks(store, told).end is LookUpEnd.MISSING


def test_a_call_long_ago_and_one_to_an_erased_person_are_missing(store: Store) -> None:
    made(store, "a1", timedelta(days=30, minutes=1))
    assert asks(store).end is LookUpEnd.MISSING
    made(store, "a2", timedelta(hours=1), who=number(2))
    over(store, "a2", AttemptOutcome.ANSWERED)
    with store.engine.begin() as connection:
        lead_erasure.forget(connection, number(2), Vault(key_of(b"k" * 32)))
    assert asks(store, number(2)).end is LookUpEnd.MISSING
    assert asks(store, "").end is LookUpEnd.MISSING


def test_a_database_that_cannot_be_asked_is_a_failure(store: Store) -> None:
    made(store, "a1", timedelta(hours=1))
    with store.engine.begin() as connection:
        connection.execute(update(table).values(campaign="x"))
        connection.exec_driver_sql("ALTER TABLE attempts RENAME TO away")
    assert asks(store).end is LookUpEnd.FAILED
