"""What campaigns have to show, and for how long it is kept: evidence of abandoned calls, how often the law refused, attempts, trunks."""

from datetime import datetime

from sqlalchemy import Engine, delete, select

from ccserver.store import campaign_reports, schema
from ccserver.store.attempts import AttemptState
from ccserver.store.forgetting import AT_ONCE, forget_history
from ccserver.store.lead_schema import abandonment_evidence, attempts, call_refusals

BY_HAND = ""
"""In the place of a campaign's name."""


def forget_evidence(engine: Engine, before: datetime) -> int:
    """Of parts of the account that were over before that time; how many."""
    with engine.begin() as connection:
        return connection.execute(delete(abandonment_evidence).where(abandonment_evidence.c.until_at < before)).rowcount


def forget_refusals(engine: Engine, before: datetime) -> int:
    """Of hours that began before that time; how many rows."""
    with engine.begin() as connection:
        return connection.execute(delete(call_refusals).where(call_refusals.c.hour < before)).rowcount


def forget_attempts(engine: Engine, before: datetime) -> int:
    """Of attempts that are settled and were stored before that time; how many. Each campaign's are a stretch of an index."""
    count = 0
    for campaign in (BY_HAND, *campaign_reports.campaigns_of(engine)):
        mine = (attempts.c.campaign == campaign, attempts.c.stored_at < before, attempts.c.state == AttemptState.SETTLED.value)
        some = select(attempts.c.id).where(*mine).limit(AT_ONCE)
        while True:
            with engine.begin() as connection:
                gone = connection.execute(delete(attempts).where(attempts.c.id.in_(some))).rowcount
            count += gone
            if gone < AT_ONCE:
                break
    return count


def forget_trunk_events(engine: Engine, before: datetime) -> int:
    """That trunks were taken for dead, or worked again, before that time; how many rows."""
    return forget_history(engine, schema.trunk_events, before)
