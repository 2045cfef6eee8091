"""What the daemon does once in a while beside the calls: it tells the head of the audit log, so that it is known outside the database, and
forgets by their age notices, traces, files of the journal that no restart needs, and what campaigns no longer have to show."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ccserver.config.edges import PrivacyEdge
from ccserver.core.dialer.rules import EVIDENCE_DAYS, Rules
from ccserver.core.dialer.settings import DialingSettings
from ccserver.store import chain, evidence, feed
from ccserver.store.chain import BEGINNING, Head
from ccserver.store.database import Store

LOOK_EVERY_S = 600.0
DAY_S = 86_400.0
REFUSALS_DAYS = 400
"""Of how often the law's gate refused, and of what became of trunks: this month beside the same one of last year."""
ATTEMPTS_DAYS_MIN = 40
"""Whatever the settings say: limits of 30 days count them."""

log = structlog.stdlib.get_logger(__name__)


class Sweeper(Protocol):
    """What is needed of the journal."""

    def sweep(self, before_utc_s: float) -> int: ...


class Housekeeping:
    """`look` is to be called every LOOK_EVERY_S, on a thread. The first time everything is due, then once a day.

    `privacy` None: nothing that identifies people is forgotten. `evidence_days`: how long the
    evidence of abandoned calls is kept, `attempts_days` how long attempts are; None: for ever. `trace`: the file of a trace that is being
    written; others lie beside it.
    """

    def __init__(
        self,
        store: Store,
        *,
        seconds: Callable[[], float],
        journal: Sweeper | None = None,
        trace: Path | None = None,
        privacy: PrivacyEdge | None = None,
        evidence_days: Callable[[], int] = lambda: EVIDENCE_DAYS,
        attempts_days: Callable[[], int | None] = lambda: None,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._journal = journal
        self._trace = trace
        self._privacy = privacy
        self._evidence_days = evidence_days
        self._attempts_days = attempts_days
        self._utc = utc
        self._next_s = seconds()
        self.audit_head = Head(0, BEGINNING)
        self.failures = 0

    def look(self) -> None:
        """Do what is due; what failed is due again at the next look. Never raises for the sake of a disk or a database."""
        if self._seconds() < self._next_s:
            return
        try:
            self._tell_head()
            if self._privacy is not None:
                self._forget(self._privacy)
            self._forget_evidence()
        except (OSError, SQLAlchemyError) as error:
            self.failures += 1
            log.error("housekeeping.failed", reason=str(error), mend="mend the database or the disk; it is tried again")
            return
        self._next_s = self._seconds() + DAY_S

    def _tell_head(self) -> None:
        with self._store.engine.connect() as connection:
            self.audit_head = chain.head(connection)
        log.info("audit.head", head=str(self.audit_head))

    def _forget(self, privacy: PrivacyEdge) -> None:
        before_utc_s = self._utc() - privacy.journal_days * DAY_S
        files = 0 if self._journal is None else self._journal.sweep(before_utc_s)
        traces = 0 if self._trace is None else sweep_traces(self._trace, before_utc_s)
        notices = feed.forget(self._store, self._utc() - privacy.notice_days * DAY_S)
        if files or traces or notices:
            log.info("housekeeping.forgotten", journal_files=files, traces=traces, notices=notices)

    def _forget_evidence(self) -> None:
        engine, attempts_days = self._store.engine, self._attempts_days()
        parts = evidence.forget_evidence(engine, self._days_ago(self._evidence_days()))
        refusals = evidence.forget_refusals(engine, self._days_ago(REFUSALS_DAYS))
        trunks = evidence.forget_trunk_events(engine, self._days_ago(REFUSALS_DAYS))
        attempts = 0 if attempts_days is None else evidence.forget_attempts(engine, self._days_ago(attempts_days))
        if parts or refusals or trunks or attempts:
            told = {"parts": parts, "refusals": refusals, "trunk_events": trunks, "attempts": attempts}
            log.info("housekeeping.evidence_forgotten", **told)

    def _days_ago(self, days: int) -> datetime:
        return datetime.fromtimestamp(self._utc() - days * DAY_S, UTC)


def evidence_days_of(dialing: DialingSettings | None) -> int:
    """The longest that any rules ask for: what is there may be of a campaign that is not in the settings any more."""
    return EVIDENCE_DAYS if dialing is None else max(each.evidence_days for each in _all_rules(dialing))


def attempts_days_of(dialing: DialingSettings | None) -> int | None:
    """As long as the evidence, and as whoever refused is left in peace. None: for ever, since there are limits that count all the attempts
    there ever were, or nobody says what there is."""
    if dialing is None:
        return None
    rules = _all_rules(dialing)
    if any(limit is not None for each in rules for limit in (each.calls_ever, each.calls_to_number, each.calls_to_lead)):
        return None
    left_in_peace = max(math.ceil(each.refusal_hold_off_s / DAY_S) for each in rules)
    return max(evidence_days_of(dialing), left_in_peace, ATTEMPTS_DAYS_MIN)


def _all_rules(dialing: DialingSettings) -> list[Rules]:
    return [dialing.rules, *(campaign.rules for campaign in dialing.campaigns.values())]


def sweep_traces(current: Path, before_utc_s: float) -> int:
    """Remove the traces beside `current` that were written last before that time. Raises OSError."""
    count = 0
    for path in current.parent.glob("trace-*.jsonl"):
        with suppress(FileNotFoundError):
            if path != current and path.stat().st_mtime < before_utc_s:
                path.unlink()
                count += 1
    return count
