"""Look-ups in ccserver's own records: what is known of the call that somebody returns."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ccserver.config.look_up_edges import RecordsLookUp
from ccserver.config.sql_text import read_statement
from ccserver.core.expressions import Value
from ccserver.lookups.answers import Fields, LookUpFailed
from ccserver.lookups.sql import Database

RETURNED_WITHIN = timedelta(days=30)
_NEWEST = read_statement(
    "select campaign, outcome, agent, stored_at from attempts where number = :number and stored_at >= :since "
    "order by stored_at desc limit 1"
)


def returned_call(database: Database, edge: RecordsLookUp, number: Value, now: datetime, timeout_s: float) -> Fields | None:
    """The newest of our calls to this number; None: there was none lately. Raises LookUpFailed."""
    if not number:
        return None  # withheld; and of persons who were erased nothing is left but an empty number
    since = (now - RETURNED_WITHIN).astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    row = database.first_row(
        _NEWEST, {"number": number, "since": f"{since}{'' if database.is_sqlite else '+00'}"}, None, timeout_s
    )
    if row is None:
        return None
    campaign = str(row["campaign"])
    at = _moment(row["stored_at"]).astimezone(ZoneInfo(edge.timezone))
    return {
        "campaign": campaign,
        "campaign_name": edge.campaigns.get(campaign, campaign),
        "outcome": str(row["outcome"] or ""),
        "agent": str(row["agent"] or ""),
        "date": at.date().isoformat(),
        "time": at.strftime("%H:%M"),
    }


def _moment(written: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        raise LookUpFailed("the database gives no time", is_down=False) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
