"""The notices as a feed that can be read on from any place: for the event stream and for webhooks.

A place is the key of a notice as text, `run:seq:index`. Keys rise in the order in which the one writer commits, so who reads on
from the last place it has seen misses nothing and gets nothing twice, also after a restart of either side.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, tuple_

from ccserver.core.ids import AgentId, InteractionId, Language, PhoneId, QueueId
from ccserver.core.records import NoticeKind, NoticeRecord
from ccserver.store import schema
from ccserver.store.database import Store
from ccserver.store.forgetting import forget_history
from ccserver.store.persons import CLOSED, NOT_SHOWN, Opener

_PLACE = re.compile(r"([A-Za-z0-9-]{1,40}):([0-9]{1,18}):([0-9]{1,6})", re.ASCII)
_NOTICES = schema.notices.c
_KEY = tuple_(_NOTICES.run, _NOTICES.seq, _NOTICES.command_index)
_PLACES = schema.feed_places


class NoSuchPlace(ValueError):
    """The text is no place in a feed."""


class NoticeFeed:
    """Reads committed notices; blocking, for threads. Of callers who were erased nothing is told."""

    def __init__(self, store: Store, opener: Opener = CLOSED) -> None:
        self._engine = store.engine
        self._opener = opener

    def read(self, after: str | None, limit: int) -> list[tuple[str, NoticeRecord]]:
        """Up to `limit` notices behind the place `after` (None: from the first), each with its own. Raises NoSuchPlace."""
        query = select(schema.notices).order_by(_NOTICES.run, _NOTICES.seq, _NOTICES.command_index).limit(limit)
        if after is not None:
            query = query.where(tuple_(*_key(after)) < _KEY)
        with self._engine.connect() as connection:
            rows = self._opener.rows(connection, schema.notices, connection.execute(query).all())
            return [(f"{row.run}:{row.seq}:{row.command_index}", _notice(row)) for row in rows]

    def newest(self) -> str | None:
        """The place of the newest notice; None when there is none."""
        descending = (_NOTICES.run.desc(), _NOTICES.seq.desc(), _NOTICES.command_index.desc())
        query = select(_NOTICES.run, _NOTICES.seq, _NOTICES.command_index).order_by(*descending).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else f"{row.run}:{row.seq}:{row.command_index}"

    def place_of(self, reader: str) -> str | None:
        """How far a named reader has come; None when it never read."""
        with self._engine.connect() as connection:
            return connection.execute(select(_PLACES.c.place).where(_PLACES.c.reader == reader)).scalar_one_or_none()

    def keep_place(self, reader: str, place: str) -> None:
        with self._engine.begin() as connection:
            changed = connection.execute(_PLACES.update().where(_PLACES.c.reader == reader).values(place=place)).rowcount
            if not changed:
                connection.execute(_PLACES.insert().values(reader=reader, place=place))


def forget(store: Store, before_utc_s: float) -> int:
    """Take notices of before that time out of the feed; how many. Readers who were behind them go on with the next one."""
    return forget_history(store.engine, schema.notices, datetime.fromtimestamp(before_utc_s, tz=UTC))


def check_place(text: str) -> None:
    """Raises NoSuchPlace."""
    _key(text)


def _key(place: str) -> Sequence[object]:
    match = _PLACE.fullmatch(place)
    if match is None:
        raise NoSuchPlace(f"{place[:60]!r} is no place in the feed: it reads run:seq:index")
    return match[1], int(match[2]), int(match[3])


def _notice(row: Any) -> NoticeRecord:
    def told(cell: Any, otherwise: Any) -> Any:
        return otherwise if cell in NOT_SHOWN else cell

    return NoticeRecord(
        interaction=None if row.interaction is None else InteractionId(row.interaction),
        number=row.number,
        kind=NoticeKind(row.kind),
        at_utc_s=row.at.timestamp(),
        caller_number=told(row.caller_number, None),
        caller_name=told(row.caller_name, ""),
        did=row.did,
        language=Language(row.language),
        queue=None if row.queue is None else QueueId(row.queue),
        agent=None if row.agent is None else AgentId(row.agent),
        phone=None if row.phone is None else PhoneId(row.phone),
        data=json.loads(told(row.data, "{}")),
    )
