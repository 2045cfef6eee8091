"""From the core's records to rows, and nothing else."""

import json
from datetime import UTC, datetime, timedelta
from typing import assert_never

from sqlalchemy import Table

from ccserver.core.ids import CommandId
from ccserver.core.records import (
    AgentStateRecord,
    AttemptRecord,
    AuditRecord,
    CallbackRecord,
    ConferenceMemberRecord,
    ConferenceRecord,
    ConsentRecord,
    DoNotCallRecord,
    EvidenceRecord,
    FaultRecord,
    FlowRecord,
    InteractionRecord,
    MarkRecord,
    MessageRecord,
    NoticeRecord,
    ObjectionRecord,
    OfferRecord,
    OwnCallRecord,
    QualityRecord,
    Record,
    RecordingRecord,
    RefusalRecord,
    RefusedDialRecord,
    RepairRecord,
    SegmentRecord,
    SurveyRecord,
    TransferRecord,
    TrunkRecord,
    VisitRecord,
    WatchRecord,
)
from ccserver.store import schema

Cell = str | int | float | bool | datetime | None
Row = dict[str, Cell]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(seconds: float) -> datetime:
    """POSIX seconds as an aware time. Raises OverflowError when there is no such year."""
    return _EPOCH + timedelta(seconds=seconds)


def text(value: str | None) -> str | None:
    """What every database takes: no NUL (PostgreSQL refuses it) and no half of a surrogate pair (not UTF-8)."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")


def row_of(run: str, command: CommandId, record: Record) -> tuple[Table, Row]:
    """The table and the row of one record. Raises ValueError or OverflowError for a time that is none."""
    row: Row = {"run": run, "seq": command.seq, "command_index": command.place}
    match record:
        case InteractionRecord():
            row |= {
                "interaction": record.interaction,
                "kind": text(record.kind),
                "pbx": text(record.leg.pbx) if record.leg else "",
                "uniqueid": text(record.leg.uniqueid) if record.leg else "",
                "did": text(record.did),
                "caller_number": text(record.caller_number),
                "caller_name": text(record.caller_name),
                "language": text(record.language),
                "queue": text(record.queue),
                "agent": text(record.agent),
                "outcome": record.outcome.value,
                "ended_by": record.ended_by.value,
                "disposition": text(record.disposition),
                "arrived_at": utc(record.arrived_utc_s),
                "ended_at": utc(record.ended_utc_s),
                "wait_s": record.wait_s,
                "talk_s": record.talk_s,
                "parent": record.parent,
            }
            return schema.interactions, row
        case SegmentRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "kind": record.kind.value,
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
                "queue": text(record.queue),
                "agent": text(record.agent),
                "detail": text(record.detail),
            }
            return schema.segments, row
        case VisitRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "queue": text(record.queue),
                "entered_at": utc(record.entered_utc_s),
                "wait_s": record.wait_s,
                "outcome": record.outcome.value,
                "is_within_service_level": record.is_within_service_level,
                "agent": text(record.agent),
                "announced_wait_s": record.announced_wait_s,
            }
            return schema.queue_visits, row
        case OfferRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "queue": text(record.queue),
                "agent": text(record.agent),
                "phone": text(record.phone),
                "pbx": text(record.leg.pbx) if record.leg else "",
                "uniqueid": text(record.leg.uniqueid) if record.leg else "",
                "offered_at": utc(record.offered_utc_s),
                "ring_s": record.ring_s,
                "outcome": record.outcome.value,
                "why": text(record.why),
            }
            return schema.offers, row
        case AgentStateRecord():
            row |= {
                "agent": text(record.agent),
                "state": record.state.value,
                "reason": text(record.reason),
                "phone": text(record.phone),
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
                "interaction": record.interaction,
            }
            return schema.agent_states, row
        case RecordingRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "agent": text(record.agent),
                "pbx": text(record.leg.pbx),
                "uniqueid": text(record.leg.uniqueid),
                "path": text(record.path),
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
                "kind": record.kind.value,
                "queue": text(record.queue),
                "is_provisional": record.is_provisional,
                "pauses": json.dumps(record.pauses),
                "side": record.side.value,
            }
            return schema.recordings, row
        case ConsentRecord() | ObjectionRecord():
            return _of_consent(record, row)
        case QualityRecord():
            received, sent = record.received, record.sent
            row |= {
                "interaction": record.interaction,
                "pbx": text(record.leg.pbx),
                "uniqueid": text(record.leg.uniqueid),
                "side": record.side.value,
                "agent": text(record.agent),
                "codec": text(record.codec),
                "received": received.packets,
                "received_lost": received.lost,
                "received_jitter_ms": received.jitter_ms,
                "sent": None if sent is None else sent.packets,
                "sent_lost": None if sent is None else sent.lost,
                "sent_jitter_ms": None if sent is None else sent.jitter_ms,
                "rtt_ms": record.rtt_ms,
                "mos": record.mos,
                "at": utc(record.at_utc_s),
            }
            return schema.leg_quality, row
        case RepairRecord():
            row |= {
                "kind": record.kind.value,
                "what": text(record.what),
                "at": utc(record.at_utc_s),
                "interaction": record.interaction,
            }
            return schema.repairs, row
        case FaultRecord():
            row |= {"interaction": record.interaction, "reason": text(record.reason), "at": utc(record.at_utc_s)}
            return schema.faults, row
        case TransferRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "kind": record.kind.value,
                "agent": text(record.agent),
                "target": text(record.to),
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
                "outcome": record.outcome.value,
            }
            return schema.transfers, row
        case OwnCallRecord():
            row |= {
                "agent": text(record.agent),
                "phone": text(record.phone),
                "pbx": text(record.leg.pbx),
                "uniqueid": text(record.leg.uniqueid),
                "target": text(record.to),
                "kind": record.kind.value,
                "is_allowed": record.is_allowed,
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
            }
            return schema.own_calls, row
        case RefusedDialRecord():
            return schema.refused_dials, row | _refused_dial(record)
        case ConferenceRecord() | ConferenceMemberRecord():
            return _of_conference(record, row)
        case CallbackRecord():
            row |= {
                "interaction": record.interaction,
                "call": record.call,
                "queue": text(record.queue),
                "number": text(record.number),
                "confirmed_by": text(record.confirmed_by),
                "asked_at": utc(record.asked_utc_s),
                "tries": record.tries,
                "outcome": record.outcome.value,
                "ended_at": utc(record.ended_utc_s),
            }
            return schema.callbacks, row
        case MessageRecord():
            row |= {
                "interaction": record.interaction,
                "queue": text(record.queue),
                "path": text(record.path),
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
            }
            return schema.messages, row
        case MarkRecord():
            row |= {
                "interaction": record.interaction,
                "agent": text(record.agent),
                "what": text(record.what),
                "at": utc(record.at_utc_s),
            }
            return schema.marks, row
        case AuditRecord():
            row |= {
                "by": text(record.by),
                "act": text(record.act),
                "what": text(record.what),
                "is_done": record.is_done,
                "at": utc(record.at_utc_s),
                "interaction": record.interaction,
                "agent": text(record.agent),
                "position": None,  # its place in the chain is given when it is written
                "digest": None,
            }
            return schema.audit, row
        case WatchRecord():
            row |= {
                "interaction": record.interaction,
                "watch": record.watch,
                "number": record.number,
                "by": text(record.by),
                "supervisor": text(record.supervisor),
                "phone": text(record.phone),
                "agent": text(record.agent),
                "mode": record.mode.value,
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
            }
            return schema.supervisions, row
        case NoticeRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "kind": record.kind.value,
                "at": utc(record.at_utc_s),
                "caller_number": text(record.caller_number),
                "caller_name": text(record.caller_name),
                "did": text(record.did),
                "language": text(record.language),
                "queue": text(record.queue),
                "agent": text(record.agent),
                "phone": text(record.phone),
                "data": json.dumps({key: text(value) for key, value in record.data.items()}, sort_keys=True),
            }
            return schema.notices, row
        case FlowRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "version": text(record.version),
                "started_at": utc(record.started_utc_s),
                "duration_s": record.duration_s,
                "ending": record.end.value,
                "steps": json.dumps([[text(s.flow), text(s.node), s.how.value, s.repeats] for s in record.steps]),
            }
            return schema.flow_passages, row
        case SurveyRecord():
            row |= {
                "interaction": record.interaction,
                "number": record.number,
                "kind": record.kind.value,
                "question": text(record.question),
                "score": record.score,
                "queue": text(record.queue),
                "agent": text(record.agent),
                "at": utc(record.at_utc_s),
            }
            return schema.survey_answers, row
        case TrunkRecord():
            return schema.trunk_events, row | _of_trunk(record)
        case AttemptRecord() | DoNotCallRecord() | EvidenceRecord() | RefusalRecord():
            raise TypeError(f"{type(record).__name__} changes rows that are there, and is none itself")
        case _:
            assert_never(record)


def _of_trunk(record: TrunkRecord) -> Row:
    return {"trunk": text(record.trunk), "is_down": record.is_down, "why": text(record.why), "at": utc(record.at_utc_s)}


def _refused_dial(record: RefusedDialRecord) -> Row:
    return {
        "kind": record.kind.value,
        "number": text(record.number),
        "reason": record.reason.value,
        "says": text(record.says),
        "until_at": None if record.until_utc_s is None else utc(record.until_utc_s),
        "agent": text(record.agent),
        "phone": text(record.phone),
        "interaction": record.interaction,
        "at": utc(record.at_utc_s),
    }


def _of_consent(record: ConsentRecord | ObjectionRecord, row: Row) -> tuple[Table, Row]:
    if isinstance(record, ObjectionRecord):
        told: Row = {"interaction": record.interaction, "agent": text(record.agent), "at": utc(record.at_utc_s)}
        return schema.objections, row | told
    return schema.consents, row | {
        "interaction": record.interaction,
        "kind": record.kind.value,
        "language": text(record.language),
        "flow": text(record.flow),
        "node": text(record.node),
        "at": utc(record.at_utc_s),
    }


def _of_conference(record: ConferenceRecord | ConferenceMemberRecord, row: Row) -> tuple[Table, Row]:
    if isinstance(record, ConferenceRecord):
        return schema.conferences, row | {
            "conference": record.conference,
            "room": text(record.room),
            "made_by": text(record.made_by),
            "started_at": utc(record.started_utc_s),
            "duration_s": record.duration_s,
            "members": record.members,
            "most_at_once": record.most_at_once,
        }
    return schema.conference_members, row | {
        "conference": record.conference,
        "room": text(record.room),
        "pbx": text(record.leg.pbx),
        "uniqueid": text(record.leg.uniqueid),
        "agent": text(record.agent),
        "phone": text(record.phone),
        "caller_number": text(record.caller_number),
        "interaction": record.interaction,
        "is_moderator": record.is_moderator,
        "joined_at": utc(record.joined_utc_s),
        "duration_s": record.duration_s,
        "outcome": record.end.value,
    }
