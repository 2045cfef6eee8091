"""What the daemon does once in a while beside the calls: it tells the head of the audit log, so that it is known outside the database."""

from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ccserver.store import chain
from ccserver.store.chain import BEGINNING, Head
from ccserver.store.database import Store

LOOK_EVERY_S = 600.0
DAY_S = 86_400.0

log = structlog.stdlib.get_logger(__name__)


class Housekeeping:
    """`look` is to be called every LOOK_EVERY_S, on a thread. The first time everything is due, then once a day."""

    def __init__(self, store: Store, *, seconds: Callable[[], float]) -> None:
        self._store = store
        self._seconds = seconds
        self._next_s = seconds()
        self.audit_head = Head(0, BEGINNING)
        self.failures = 0

    def look(self) -> None:
        """Do what is due; what failed is due again at the next look. Never raises for the sake of a disk or a database."""
        if self._seconds() < self._next_s:
            return
        try:
            self._tell_head()
        except (OSError, SQLAlchemyError) as error:
            self.failures += 1
            log.error("housekeeping.failed", reason=str(error), mend="mend the database or the disk; it is tried again")
            return
        self._next_s = self._seconds() + DAY_S

    def _tell_head(self) -> None:
        with self._store.engine.connect() as connection:
            self.audit_head = chain.head(connection)
        log.info("audit.head", head=str(self.audit_head))
