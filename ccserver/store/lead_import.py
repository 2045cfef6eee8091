"""Reading a file of leads into a list: in batches, each a transaction with the line that was reached, so that whoever is killed goes on.

What makes no lead is written to a file of rejected rows, with line and reason; that file is synced before the batch is committed, and
cut back to the last batch when an import goes on. The memory is that of one batch, however long the file is.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, insert, select, update

from ccserver.core.ids import LeadId
from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_book import Known, LeadList, ListId
from ccserver.store.lead_csv import BadRow, CsvFile, Row, written
from ccserver.store.lead_rows import BadLead, NewLead, Reading, lead_of_row
from ccserver.store.lead_schema import lead_imports
from ccserver.store.persons import lock

BATCH = 1000
NO_LIST = ListId(0)
_READ_BYTES = 1024 * 1024


class Duplicates(Enum):
    """What is done with a lead whose key, or one of whose numbers, the list has already."""

    REJECT = "reject"
    UPDATE = "update"
    ALLOW = "allow"
    """Numbers may be there twice; keys never."""


class MayNotImport(Exception):
    """The file is not read into the list. The text says why, and what to do; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`across`: a number that another list has is rejected too."""

    duplicates: Duplicates = Duplicates.REJECT
    across: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is. `went_on`: an earlier import had read a part of it."""

    bytes: int
    bytes_total: int
    line: int
    added: int = 0
    updated: int = 0
    rejected: int = 0
    went_on: bool = False


Beside = Callable[[Sequence[NewLead]], Known]


class LeadImport:
    """One file into the list `list_name` of `store`, which is made if it is not there.

    `reading` says what the columns of `csv_file` are, whose bytes come from `file`. `rejects` is where rejected rows go. With `again`
    a file that was read to its end is read once more. `beside`: for a dry run, what the real list knows.
    """

    def __init__(
        self,
        store: Store,
        *,
        path: Path,
        file: BinaryIO,
        csv_file: CsvFile,
        list_name: str,
        reading: Reading,
        rules: Rules,
        rejects: Path,
        by: str,
        again: bool = False,
        beside: Beside | None = None,
        batch: int = BATCH,
    ) -> None:
        self._store = store
        self._path = path
        self._file = file
        self._csv = csv_file
        self._list_name = list_name
        self._reading = reading
        self._rules = rules
        self._rejects_path = rejects
        self._by = by
        self._again = again
        self._beside = beside
        self._batch = batch
        self._digest = ""
        self._total = os.fstat(file.fileno()).st_size

    def run(self, told: Callable[[Progress], None] = lambda _: None) -> Progress:
        """Read it to its end. `told` hears of each batch when it is committed. Raises MayNotImport, BadLead, OSError, SQLAlchemyError."""
        self._digest = _digest_of(self._file)
        self._file.seek(0)
        self._csv.go_to(*self._first_row())
        of, progress = self._begin()
        with ExitStack() as stack:
            rejects = _Rejects(self._rejects_path, self._csv, progress.rejected > 0, self._rejects_bytes)
            stack.callback(rejects.close)
            rows = self._csv.rows()
            while batch := list(islice(rows, self._batch)):
                progress = self._read(of, batch, rejects, progress)
                told(progress)
            self._end(of, progress)
        return progress

    # --- where it begins ----------------------------------------------------------------------------------------------
    def _first_row(self) -> tuple[int, int]:
        self._place = self._csv.place
        return self._place

    def _begin(self) -> tuple[LeadList, Progress]:
        place, line = self._place
        told = {
            "duplicates": self._rules.duplicates.value,
            "across": self._rules.across,
            "rejects": str(self._rejects_path.absolute()),
        }
        options = json.dumps({**told, **asdict(self._reading)}, sort_keys=True)
        now = datetime.now(UTC)
        with self._store.engine.begin() as connection:
            lock(connection)
            of = lead_book.open_list(connection, self._list_name, self._reading.custom, self._by)
            row = connection.execute(self._here(of.id)).one_or_none()
            if row is not None and row.state == "done" and not self._again:
                raise MayNotImport(
                    f"this very file was read into {of.name} at {row.at:%Y-%m-%d %H:%M} UTC, all of it: --again reads it once more"
                )
            if row is not None and row.state != "done" and row.options != options:
                raise MayNotImport(
                    f"an import of this file into {of.name} stopped at line {row.line}, with other options: give the same ones, and "
                    "it goes on"
                )
            values: dict[str, Any] = {
                "file": self._path.name,
                "options": options,
                "state": "running",
                "place": place,
                "line": line,
                "added": 0,
                "updated": 0,
                "rejected": 0,
                "rejects_bytes": 0,
                "by": self._by,
                "began_at": now,
                "at": now,
            }
            self._rejects_bytes = 0
            if (row is None or row.state == "done") and self._rejects_path.exists():
                raise MayNotImport(
                    f"{self._rejects_path} is there already, and is not written over: move it, or name another file with --rejects"
                )
            if row is None:
                connection.execute(insert(lead_imports).values(digest=self._digest, list=of.id, **values))
            elif row.state == "done":
                connection.execute(self._place_of(of.id).values(values))
            else:
                self._rejects_bytes = row.rejects_bytes
                self._csv.go_to(row.place, row.line)
                return of, Progress(
                    bytes=row.place,
                    bytes_total=self._total,
                    line=row.line,
                    added=row.added,
                    updated=row.updated,
                    rejected=row.rejected,
                    went_on=row.place > place,
                )
        return of, Progress(bytes=place, bytes_total=self._total, line=line)

    def _here(self, of: ListId) -> Any:
        return select(lead_imports).where(lead_imports.c.digest == self._digest, lead_imports.c.list == of).with_for_update()

    def _place_of(self, of: ListId) -> Any:
        return update(lead_imports).where(lead_imports.c.digest == self._digest, lead_imports.c.list == of)

    def _end(self, of: LeadList, progress: Progress) -> None:
        with self._store.engine.begin() as connection:
            values = {"state": "done", "line": progress.line, "place": progress.bytes, "at": datetime.now(UTC)}
            connection.execute(self._place_of(of.id).values(values))

    # --- a batch ------------------------------------------------------------------------------------------------------
    def _read(self, of: LeadList, rows: Sequence[Row | BadRow], rejects: "_Rejects", before: Progress) -> Progress:
        new: list[tuple[Row, NewLead]] = []
        for row in rows:
            if isinstance(row, BadRow):
                rejects.add(row, row.reason)
                continue
            try:
                new.append((row, lead_of_row(row.cells, self._reading, row.line)))
            except BadLead as error:
                rejects.add(row, str(error))
        with self._store.engine.begin() as connection:
            lock(connection)
            found = connection.execute(self._here(of.id)).one()
            if (found.place, found.state) != (before.bytes, "running"):
                raise MayNotImport("another import of this file is under way, or the list was deleted meanwhile")
            added, updated = _Batch(connection, of.id, self._rules, rejects).put(new, self._beside)
            done = replace(
                before,
                bytes=rows[-1].end,
                line=rows[-1].end_line,
                added=before.added + added,
                updated=before.updated + updated,
                rejected=before.rejected + rejects.taken(),
            )
            reached = {
                "place": done.bytes,
                "line": done.line,
                "added": done.added,
                "updated": done.updated,
                "rejected": done.rejected,
                "rejects_bytes": rejects.synced(),
                "at": datetime.now(UTC),
            }
            connection.execute(self._place_of(of.id).values(reached))
        return done


@dataclass(frozen=True, slots=True)
class _There:
    """A lead that is in the list already: `id` in the database that is written, or its `place` among those of this batch; neither for
    one that only a dry run knows of."""

    where: str
    id: LeadId | None = None
    place: int | None = None


class _Batch:
    """Puts a batch into the list, within one transaction, by the rules for what is there already."""

    def __init__(self, connection: Connection, of: ListId, rules: Rules, rejects: "_Rejects") -> None:
        self._connection = connection
        self._of = of
        self._rules = rules
        self._rejects = rejects
        self._keys: dict[str, _There] = {}
        self._numbers: dict[str, _There] = {}
        self._elsewhere: dict[str, str] = {}
        self._fresh: list[NewLead] = []
        self._changes: list[tuple[_There, NewLead]] = []

    def put(self, new: Sequence[tuple[Row, NewLead]], beside: Beside | None) -> tuple[int, int]:
        """How many were added, and how many changed a lead that was there."""
        told = [lead for _, lead in new]
        if beside is not None:
            self._learn(beside(told), is_here=False)
        self._learn(lead_book.known(self._connection, self._of, told, elsewhere=self._rules.across), is_here=True)
        for row, lead in new:
            reason = self._place(lead)
            if reason:
                self._rejects.add(row, reason)
        ids = lead_book.add(self._connection, self._of, self._fresh) if self._fresh else []
        for there, lead in self._changes:
            lead_id = ids[there.place] if there.place is not None else there.id
            if lead_id is not None:
                lead_book.change(self._connection, lead_id, lead)
        return len(self._fresh), len(self._changes)

    def _learn(self, known: Known, *, is_here: bool) -> None:
        for ids, there in ((known.by_key, self._keys), (known.here, self._numbers)):
            there |= {text: _There(f"lead {number}", number if is_here else None) for text, number in ids.items()}
        self._elsewhere |= known.elsewhere

    def _place(self, lead: NewLead) -> str:
        """Among the new ones or the changes; or why in neither."""
        other = next((phone.e164 for phone in lead.phones if phone.e164 in self._elsewhere), None)
        if other is not None:
            return f"{other} is in the list {self._elsewhere[other]}"
        by_key = None if lead.key is None else self._keys.get(lead.key)
        number = next((phone.e164 for phone in lead.phones if phone.e164 in self._numbers), None)
        by_number = None if number is None or self._rules.duplicates is Duplicates.ALLOW else self._numbers[number]
        if by_key is not None and self._rules.duplicates is not Duplicates.UPDATE:
            return f"the key {lead.key} is in the list already ({by_key.where})"
        # one lead's number under another one's key is a mistake of the list, whatever the rule
        if by_key is None and by_number is not None and (self._rules.duplicates is Duplicates.REJECT or lead.key is not None):
            return f"{number} is in the list already ({by_number.where})"
        there = by_key or by_number
        if there is None:
            there = _There(f"line {lead.line}", place=len(self._fresh))
            self._fresh.append(lead)
        else:
            self._changes.append((there, lead))
        if lead.key is not None:
            self._keys.setdefault(lead.key, there)
        for phone in lead.phones:
            self._numbers.setdefault(phone.e164, there)
        return ""


class _Rejects:
    """The file of rejected rows: made when the first one comes, cut back to what was committed."""

    def __init__(self, path: Path, csv_file: CsvFile, is_there: bool, length: int) -> None:
        self._path = path
        self._csv = csv_file
        self._file: BinaryIO | None = None
        self._fresh = 0
        self._length = length
        if is_there and path.exists():
            self._file = path.open("r+b")
            self._file.truncate(min(length, path.stat().st_size))
            self._file.seek(0, os.SEEK_END)

    def add(self, row: Row | BadRow, reason: str) -> None:
        self._fresh += 1
        if self._file is None:
            self._file = open(self._path, "wb", opener=_for_its_owner)  # noqa: SIM115  closed by `close`
            self._write(["line", "reason", *self._csv.columns])
        self._write([str(row.line), reason, *(row.cells if isinstance(row, Row) else [row.text])])

    def _write(self, cells: list[str]) -> None:
        assert self._file is not None
        self._file.write(written(cells, self._csv.separator).encode("utf-8", "replace"))

    def taken(self) -> int:
        """How many were rejected since it was asked the last time."""
        count, self._fresh = self._fresh, 0
        return count

    def synced(self) -> int:
        """On the disk, all of it; its length."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._length = self._file.tell()
        return self._length

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _digest_of(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    for part in _parts(file):
        digest.update(part)
    return digest.hexdigest()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_READ_BYTES):
        yield part


def known_beside(store: Store, list_name: str, rules: Rules) -> Beside:
    """What the list of a database knows, for a dry run into another one."""

    def beside(new: Sequence[NewLead]) -> Known:
        with store.reading() as connection:
            there = [each for each in lead_book.lists(connection) if each.name == list_name]
            of = there[0].id if there else NO_LIST
            return lead_book.known(connection, of, new, elsewhere=rules.across)

    return beside
