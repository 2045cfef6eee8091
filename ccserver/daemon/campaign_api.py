"""What is told of campaigns over HTTP, and done to them: as over the control socket, and what the command line reads from the database."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from ccserver.control.protocol import Why
from ccserver.control.server import NotDone
from ccserver.core.dialer import key_figures
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.ids import CampaignId
from ccserver.core.moment import Moment
from ccserver.core.settings import Settings
from ccserver.daemon.live_acts import Given, text_of
from ccserver.daemon.requests import Requests, not_done
from ccserver.store import campaign_reports
from ccserver.store.database import Store
from ccserver.web.calls import Answer

PERIOD = timedelta(days=30)
"""Of the figures, without a time since when."""
AT_ONCE = 2
"""Readings that may take seconds: who wants more at a time is told to come again, so that threads are left for the calls."""

T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class Desk(Protocol):
    """What is needed of the daemon."""

    @property
    def settings(self) -> Settings: ...
    def now(self) -> Moment: ...
    def on_thread(self, work: Callable[[], T]) -> "Deferred[T]": ...


class CampaignApi:
    def __init__(self, requests: Requests, store: Store, desk: Desk) -> None:
        self._requests = requests
        self._store = store
        self._desk = desk
        looks = requests.handlers()
        self._live: Mapping[str, tuple[str, Callable[[Given], object]]] = {
            "campaigns": ("campaigns", looks["campaigns"]),
            "campaign.show": ("campaign", looks["campaign.show"]),
        }
        self._slow: Mapping[str, tuple[str, Callable[[Given], object]]] = {
            "campaign.explain": ("explained", looks["campaign.explain"]),
            "campaign.figures": ("figures", self._figures),
            "campaign.overdue": ("callbacks", self._overdue),
        }
        self._reading = 0

    def ask(self, do: str, given: Given) -> "Deferred[Answer]":
        """Never fails."""
        if do in self._live:
            return self._look(*self._live[do], given)
        if do not in self._slow:
            return self._requests.ask(do, given)
        if self._reading >= AT_ONCE:
            return succeed(Answer(503, f"{AT_ONCE} such requests are being answered: ask again"))
        self._reading += 1
        return self._look(*self._slow[do], given).addCallback(self._over)

    def _over(self, answer: Answer) -> Answer:
        self._reading -= 1
        return answer

    def _look(self, what: str, read: Callable[[Given], object], given: Given) -> "Deferred[Answer]":
        asked: Deferred[object] = maybeDeferred(read, given)
        return asked.addCallback(lambda found: Answer(200, "", {what: found})).addErrback(_not_told)

    # --- what the database knows ----------------------------------------------------------------------------------------
    def _figures(self, given: Given) -> object:
        name, config = self._campaign(given)
        until = _time_of(given, "until") or datetime.fromtimestamp(self._desk.now().utc_s, UTC)
        since = _time_of(given, "since") or until - PERIOD
        if since >= until:
            raise NotDone(Why.MALFORMED, "the period ends before it begins")

        def work() -> object:
            counts = campaign_reports.counts(self._store, name, since, until)
            told = key_figures.told(counts, key_figures.priced(counts, config.costs))
            return {"campaign": name, "since": since.isoformat(), "until": until.isoformat(), **told}

        return self._desk.on_thread(work)

    def _overdue(self, given: Given) -> object:
        name, config = self._campaign(given)
        now = datetime.fromtimestamp(self._desk.now().utc_s, UTC)

        def work() -> object:
            found = campaign_reports.overdue(self._store, config.lists or (str(name),), now)
            return [
                {
                    "lead": each.lead,
                    "list": each.list,
                    "name": each.name,
                    "due_at": each.due_at.isoformat(),
                    "only": each.only,
                    "tries": each.tries,
                }
                for each in found
            ]

        return self._desk.on_thread(work)

    def _campaign(self, given: Given) -> tuple[CampaignId, CampaignSettings]:
        """Raises NotDone."""
        dialing = self._desk.settings.dialing
        known = {} if dialing is None else dialing.campaigns
        name = CampaignId(text_of(given, "campaign"))
        if name not in known:
            raise NotDone(Why.NOT_FOUND, f"no campaign {name!r}; there are: {', '.join(known) or 'none'}")
        return name, known[name]


def _time_of(given: Given, what: str) -> datetime | None:
    time: Any = given.get(what)
    assert time is None or isinstance(time, datetime)
    return time


def _not_told(failure: Failure) -> Answer:
    if not isinstance(failure.value, SQLAlchemyError):
        return not_done(failure)
    log.error(
        "campaigns.not_told", reason=type(failure.value).__name__, mend="look at the database; who asked is told to ask again"
    )
    return Answer(503, "the database does not answer: ask again")
