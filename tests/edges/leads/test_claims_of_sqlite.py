"""What claims cost in SQLite: an index that gives the order, and no waiting for the disk."""

from lead_desk import NOW, a_lead, a_list, an_attempt, next_of
from sqlalchemy import Connection, event, text

from ccserver.store import attempts
from ccserver.store.database import Store


def test_the_next_ones_are_found_by_the_index(store: Store) -> None:
    """However long the list is: nothing is sorted, nothing is read beside the first ones."""
    spring = a_list(store, a_lead(1))
    with store.engine.connect() as connection:
        query = (
            "explain query plan select id from leads where list = :of and state = 'ready' "
            "order by urgency, precedence, tries, last_attempt_at, id limit 50"
        )
        plan = " ".join(row.detail for row in connection.execute(text(query), {"of": spring}))
    assert "USING COVERING INDEX ix_leads_turn" in plan and "TEMP B-TREE" not in plan


def test_claims_are_not_synced_and_everything_else_is(store: Store) -> None:
    spring = a_list(store, a_lead(1), a_lead(2))
    seen = []

    @event.listens_for(store.engine, "commit")
    def before_commit(connection: Connection) -> None:
        seen.append(connection.exec_driver_sql("pragma synchronous").scalar())

    claimed, _ = next_of(store, spring)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    assert seen == [1, 2]
