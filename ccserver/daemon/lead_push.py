"""Leads that other systems push over HTTP, on their way into the database; the center hears of each that is in it."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ccserver.core.events import LeadsAdded
from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_rows import KNOWN, NUMBERS, BadLead, lead_of
from ccserver.web.calls import API, Answer
from ccserver.web.leads import PushedLead

T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class Threads(Protocol):
    def on_thread(self, work: Callable[[], T]) -> "Deferred[T]": ...


class LeadPush:
    """`country`: whose numbers are written without a country code, at the time it is asked. `post`: the inbox of the core."""

    def __init__(self, store: Store, threads: Threads, country: Callable[[], str], post: Callable[[LeadsAdded], None]) -> None:
        self._store = store
        self._threads = threads
        self._country = country
        self._post = post

    def push(self, asked: PushedLead) -> "Deferred[Answer]":
        """Never fails."""
        country = self._country()
        answered = self._threads.on_thread(lambda: self._put(asked, country)).addErrback(_not_put)
        return answered.addCallback(self._told, asked.list)

    def _told(self, answer: Answer, of_list: str) -> Answer:
        if answer.code == 200:
            self._post(LeadsAdded(list=of_list))
        return answer

    def _put(self, asked: PushedLead, country: str) -> Answer:
        """On a thread."""
        try:
            told = {**_custom(asked.fields), **asked.told, **dict(zip(NUMBERS, asked.numbers, strict=False))}
            lead, is_new = lead_book.push(self._store.engine, asked.list, lead_of(told, country=country), API)
        except BadLead as error:
            return Answer(400, str(error))
        return Answer(200, f"lead {lead} of {asked.list} is hot", {"lead": lead, "is_new": is_new})


def _custom(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Raises BadLead for one that is no custom field."""
    for name in fields:
        if name in KNOWN or not name:
            raise BadLead(f"fields: {name!r} is not the name of a custom field")
    return fields


def _not_put(failure: Failure) -> Answer:
    if not isinstance(failure.value, SQLAlchemyError):
        log.error("lead.not_pushed", reason=repr(failure.value))
        return Answer(500, "a fault in the daemon; its log says more")
    log.error(
        "lead.not_pushed", reason=type(failure.value).__name__, mend="look at the database; the sender is told to try again"
    )
    return Answer(503, "the database did not take it: send it again")
