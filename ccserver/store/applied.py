"""Records that are no rows of their own but change what is there: an attempt is settled with its lead, a number is put on the list of
those that are not called, evidence is replaced, refusals are summed.

To apply one twice may be wrong, so the writer does it only behind the place that `projection` has noted, in the transaction that moves it.
"""

from datetime import timedelta
from typing import assert_never

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from ccserver.core.dialer.gate import E164
from ccserver.core.records import AttemptRecord, DoNotCallRecord, EvidenceRecord, RefusalRecord
from ccserver.store import attempts, do_not_call
from ccserver.store.lead_schema import abandonment_evidence, call_refusals
from ccserver.store.rows import Row, text, utc
from ccserver.store.vault import Vault

Applied = AttemptRecord | DoNotCallRecord | EvidenceRecord | RefusalRecord


def apply(connection: Connection, record: Applied, vault: Vault | None) -> None:
    """Raises ValueError or OverflowError for a number or time that is none, SQLAlchemyError."""
    match record:
        case AttemptRecord():
            attempts.settle_told(connection, record)
        case DoNotCallRecord():
            do_not_call.keep(connection, [_not_called(record)], vault)
        case EvidenceRecord():
            _replace(connection, record)
        case RefusalRecord():
            _add(connection, record)
        case _:
            assert_never(record)


def _not_called(record: DoNotCallRecord) -> Row:
    if E164.fullmatch(record.number) is None:
        raise ValueError("what is put on the list of those that are not called is no number in E.164")
    return {
        "number": record.number,
        "campaign": record.campaign or "",
        "source": record.source.value,
        "at": utc(record.at_utc_s),
        "by": text(record.by),
        "note": "",
        "interaction": record.interaction,
    }


def _replace(connection: Connection, record: EvidenceRecord) -> None:
    key: Row = {"campaign": text(record.campaign), "from_at": utc(record.from_utc_s)}
    told: Row = {
        "until_at": utc(record.until_utc_s),
        "connected": record.connected,
        "abandoned": record.abandoned,
        "amd_errors": record.amd_errors,
        "machines": record.machines,
        "left_before": record.left,
        "told": record.told,
        "preset": text(record.preset),
        "max_abandon": record.max_abandon,
        "share_of": text(record.share_of),
        "abandon_window": text(record.abandon_window),
        "counts_amd_errors": record.counts_amd_errors,
        "share": record.share,
    }
    insert = _insert(connection)(abandonment_evidence).values(**key, **told)
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=told))


def _add(connection: Connection, record: RefusalRecord) -> None:
    at = utc(record.at_utc_s)
    key: Row = {
        "campaign": text(record.campaign) or "",
        "reason": text(record.reason),
        "look": record.where.value,
        "hour": at - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond),
    }
    insert = _insert(connection)(call_refusals).values(**key, refused=record.count)
    sum_ = call_refusals.c.refused + insert.excluded.refused
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_={"refused": sum_}))


def _insert(connection: Connection) -> type[sqlite.Insert] | type[postgresql.Insert]:
    return sqlite.Insert if connection.dialect.name == "sqlite" else postgresql.Insert
