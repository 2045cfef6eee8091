"""From the journal back to a center: the last run's state, and the records that history may still lack."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ccserver.core.center import CallCenter
from ccserver.core.commands import Command, Store, StoreAudit
from ccserver.core.events import DeadlineReached, SettingsLoaded
from ccserver.core.ids import CommandId
from ccserver.core.moment import Moment
from ccserver.core.records import Record
from ccserver.core.settings import Settings
from ccserver.core.upgrade import read_state
from ccserver.daemon.journal import Restored

log = structlog.stdlib.get_logger(__name__)

Keep = Callable[[str, CommandId, Record], None]
"""Told the run that wrote the input, the id of the Store command, and the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """A center as it was at the last input. `last` None: it is a new one."""

    center: CallCenter
    last: Moment | None
    replayed: int


def revive(restored: Restored, settings: Settings, keep: Keep) -> Revived:
    """Rebuild the center. Commands that were given then are not given again: after CenterStarted their outcome is unknown,
    and the first reading of the PBX settles it. Only the records are told once more, for a history that missed them.

    A snapshot of an older release is brought up to date; raises ValueError for one of a newer release.
    """
    for warning in restored.warnings:
        log.warning("journal.damaged", what=warning)
    center, last = CallCenter(_first_settings(restored) or settings), None
    if restored.state is not None:
        state = read_state(restored.state)
        center, last = CallCenter.restore(state), state.moment
    for seq, moment, event, run in restored.inputs:
        last = moment
        try:
            commands: list[Command] = (
                center.on_deadline(moment) if isinstance(event, DeadlineReached) else center.handle(event, moment)
            )
        except Exception as error:
            # it raised the first time as well, and the InteractionFaulted that mended it is the next input or a later one
            log.warning("replay.faulted", seq=seq, on=type(event).__name__, reason=f"{type(error).__name__}: {error}")
            continue
        for index, command in enumerate(commands):
            if isinstance(command, Store | StoreAudit):
                keep(run, CommandId(seq, index), command.record)
    return Revived(center=center, last=last, replayed=len(restored.inputs))


def _first_settings(restored: Restored) -> Settings | None:
    """Those that the journalled center began with: a replay must begin with the same."""
    for given in restored.inputs:
        if isinstance(given.event, SettingsLoaded):
            return given.event.settings
    return None
