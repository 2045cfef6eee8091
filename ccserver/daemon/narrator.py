"""Tells the log what the core decided: from its commands and records, so that log, history and metrics tell one story.

The core itself does not log. Every line about a call carries its number as `interaction`.
"""

import logging
from collections.abc import Callable
from typing import assert_never

import structlog

from ccserver.core.commands import EndSession, RingAgent
from ccserver.core.events import CallArrived, LinkLost, LinkUp, SettingsLoaded
from ccserver.core.ids import InteractionId
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

log = structlog.stdlib.get_logger("ccserver.center")


def tell_event(event: object, number: Callable[[], InteractionId | None]) -> None:
    """The few inputs that an operator wants to see themselves. `number` tells the interaction of a call that arrived."""
    match event:
        case CallArrived() if log.isEnabledFor(logging.INFO):  # `number` searches: not for a line that nobody writes
            log.info(
                "call.arrived",
                interaction=number(),
                leg=event.leg.uniqueid,
                session=event.session,
                did=event.did,
                caller=event.caller_number,
            )
        case LinkUp():
            log.info("pbx_link.established", pbx=event.pbx, pbx_uptime_s=event.uptime_s)
        case LinkLost():
            log.warning("pbx_link.lost", pbx=event.pbx)
        case SettingsLoaded():
            log.info("settings.loaded", content_hash=event.settings.content_hash)
        case _:
            if log.isEnabledFor(logging.DEBUG):
                log.debug("event.handled", event_type=type(event).__name__)


def tell_command(command: object) -> None:
    match command:
        case RingAgent():
            log.info(
                "offer.started",
                interaction=command.interaction,
                agent=command.agent,
                phone=command.phone,
                queue=command.queue,
                leg=command.leg.uniqueid,
                caller_leg=command.caller.uniqueid if command.caller is not None else "",
            )
        case EndSession():
            log.debug("session.ended", session=command.session, next=command.next.value)
        case _:
            pass


def tell_record(record: Record) -> None:
    match record:
        case InteractionRecord():
            log.info(
                "interaction.ended",
                interaction=record.interaction,
                outcome=record.outcome.value,
                ended_by=record.ended_by.value,
                queue=record.queue,
                agent=record.agent,
                caller=record.caller_number,
                wait_s=round(record.wait_s, 3),
                talk_s=round(record.talk_s, 3),
                leg=record.leg.uniqueid if record.leg else None,
            )
        case VisitRecord():
            log.info(
                "visit.ended",
                interaction=record.interaction,
                queue=record.queue,
                outcome=record.outcome.value,
                wait_s=round(record.wait_s, 3),
                agent=record.agent,
            )
        case SegmentRecord():
            log.debug("segment.ended", interaction=record.interaction, kind=record.kind.value, duration_s=record.duration_s)
        case OfferRecord():
            log.info(
                "offer.ended",
                interaction=record.interaction,
                queue=record.queue,
                agent=record.agent,
                outcome=record.outcome.value,
                ring_s=round(record.ring_s, 3),
                why=record.why,
            )
        case AgentStateRecord():
            log.info(
                "agent_state.ended",
                agent=record.agent,
                state=record.state.value,
                reason=record.reason,
                duration_s=round(record.duration_s, 3),
                interaction=record.interaction,
            )
        case RecordingRecord():
            log.info(
                "recording.ended", interaction=record.interaction, path=record.path, duration_s=round(record.duration_s, 3)
            )
        case RepairRecord():
            log.warning("difference.repaired", kind=record.kind.value, what=record.what, interaction=record.interaction)
        case FaultRecord():
            log.error("interaction.faulted", interaction=record.interaction, reason=record.reason)
        case TransferRecord():
            log.info(
                "transfer.ended",
                interaction=record.interaction,
                kind=record.kind.value,
                agent=record.agent,
                to=record.to,
                outcome=record.outcome.value,
            )
        case OwnCallRecord():
            log.info(
                "own_call.ended", agent=record.agent, phone=record.phone, kind=record.kind.value, allowed=record.is_allowed
            )
        case CallbackRecord():
            log.info(
                "callback.ended",
                interaction=record.interaction,
                call=record.call,
                queue=record.queue,
                tries=record.tries,
                outcome=record.outcome.value,
            )
        case MessageRecord():
            log.info("message.left", interaction=record.interaction, path=record.path, duration_s=round(record.duration_s, 3))
        case MarkRecord():
            log.info("call.marked", interaction=record.interaction, agent=record.agent, what=record.what)
        case AuditRecord():
            log.info("act.done" if record.is_done else "act.refused", by=record.by, act=record.act, what=record.what)
        case WatchRecord():
            log.info(
                "supervision.ended",
                session=record.watch,
                by=record.by,
                mode=record.mode.value,
                agent=record.agent,
                interaction=record.interaction,
                duration_s=round(record.duration_s, 3),
            )
        case FlowRecord():
            where = record.steps[-1] if record.steps else None
            log.info(
                "flow.ended",
                interaction=record.interaction,
                end=record.end.value,
                node=None if where is None else f"{where.flow}/{where.node}",
                steps=len(record.steps),
                duration_s=round(record.duration_s, 3),
            )
        case SurveyRecord():
            log.info(
                "survey.answered",
                interaction=record.interaction,
                kind=record.kind.value,
                score=record.score,
                queue=record.queue,
                agent=record.agent,
            )
        case ConferenceRecord():
            log.info(
                "conference.ended",
                interaction=record.conference,
                room=record.room,
                members=record.members,
                duration_s=round(record.duration_s, 3),
            )
        case ConferenceMemberRecord():
            log.info(
                "conference_member.ended",
                interaction=record.conference,
                room=record.room,
                agent=record.agent,
                caller=record.caller_number,
                outcome=record.end.value,
                duration_s=round(record.duration_s, 3),
            )
        case ConsentRecord() | ObjectionRecord() | DoNotCallRecord():
            _tell_wish(record)
        case QualityRecord():
            log.debug("leg.measured", interaction=record.interaction, leg=record.leg.uniqueid, mos=round(record.mos, 2))
        case NoticeRecord():
            log.debug("notice", interaction=record.interaction, kind=record.kind.value)
        case AttemptRecord() | EvidenceRecord() | RefusalRecord() | RefusedDialRecord() | TrunkRecord():
            _tell_dialling(record)
        case _:
            assert_never(record)


def _tell_wish(record: ConsentRecord | ObjectionRecord | DoNotCallRecord) -> None:
    match record:
        case ConsentRecord():
            log.info("consent.told", interaction=record.interaction, answer=record.kind.value)
        case ObjectionRecord():
            log.info("recording.objected", interaction=record.interaction, agent=record.agent)
        case DoNotCallRecord():
            log.info(
                "do_not_call.asked",
                interaction=record.interaction,
                caller=record.number,
                campaign=record.campaign,
                source=record.source.value,
                by=record.by,
            )


def _tell_dialling(record: AttemptRecord | EvidenceRecord | RefusalRecord | RefusedDialRecord | TrunkRecord) -> None:
    match record:
        case AttemptRecord():
            log.info(
                "attempt.ended",
                attempt=record.attempt,
                campaign=record.campaign,
                lead=record.lead,
                caller=record.number,
                outcome=record.outcome.value,
                cause=record.cause,
                trunk=record.trunk,
                agent=record.agent,
                interaction=record.interaction,
                disposition=record.disposition,
            )
        case EvidenceRecord():
            log.info(
                "abandonment.counted",
                campaign=record.campaign,
                connected=record.connected,
                abandoned=record.abandoned,
                share=round(record.share, 4),
                limit=record.max_abandon,
            )
        case RefusalRecord():
            log.debug(
                "gate.refused", campaign=record.campaign, reason=record.reason, look=record.where.value, calls=record.count
            )
        case RefusedDialRecord():
            log.info(
                "dial.refused",
                kind=record.kind.value,
                reason=record.reason.value,
                says=record.says,
                agent=record.agent,
                interaction=record.interaction,
            )
        case TrunkRecord(is_down=True):
            log.error("trunk.down", trunk=record.trunk, reason=record.why, mend="other trunks are tried; ask the carrier")
        case TrunkRecord():
            log.info("trunk.up", trunk=record.trunk)
