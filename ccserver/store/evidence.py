"""What campaigns have to show: the evidence of abandoned calls, and how often the law refused. Nobody is named in it."""

from datetime import datetime

from sqlalchemy import Engine, delete

from ccserver.store.lead_schema import abandonment_evidence, call_refusals


def forget_evidence(engine: Engine, before: datetime) -> int:
    """Of parts of the account that were over before that time; how many."""
    with engine.begin() as connection:
        return connection.execute(delete(abandonment_evidence).where(abandonment_evidence.c.until_at < before)).rowcount


def forget_refusals(engine: Engine, before: datetime) -> int:
    """Of hours that began before that time; how many rows."""
    with engine.begin() as connection:
        return connection.execute(delete(call_refusals).where(call_refusals.c.hour < before)).rowcount
