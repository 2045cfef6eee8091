"""Imported registers of numbers that may not be called (Robinson lists, TPS, the national registry): which there are, and looking up.

What counts is the row of the table: a new import writes a file of its own, and the commit of the row makes it the register. Who has the
old file open goes on with it until told to open them anew.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from ccserver.store import audit
from ccserver.store.lead_phones import BadNumber, as_digits
from ccserver.store.lead_schema import registers
from ccserver.store.persons import lock
from ccserver.store.register_file import DRAFTS, BadRegister, RegisterFile, build

FOLDER = "registers"
SUFFIX = ".register"
LEFT_OVER_S = 24 * 3600.0
LINE_BYTES_MAX = 4096
BAD_LINES_MAX = 20


class NoRegister(Exception):
    """There is no register of that name, or it may not be replaced so. The text says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    name: str
    file: str
    entries: int
    as_of: date
    imported_at: datetime
    by: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RegisterHit:
    """That a register has a number, and how old it is."""

    name: str
    as_of: date


@dataclass(frozen=True, slots=True)
class BadLine:
    line: int
    reason: str


def all_registers(connection: Connection) -> list[Register]:
    return [_register(row) for row in connection.execute(select(registers).order_by(registers.c.name))]


def _register(row: Any) -> Register:
    return Register(
        name=row.name,
        file=row.file,
        entries=row.entries,
        as_of=row.as_of,
        imported_at=row.imported_at,
        by=row.by,
        sha256=row.sha256,
    )


# --- importing ----------------------------------------------------------------------------------------------------------
def numbers_in(path: Path, country: str, bad: list[BadLine]) -> Iterator[int]:
    """The digits of E.164 of each line: the first cell of it, if it has several. A first line without any digit is the head. What is
    no number goes to `bad`, of which at most `BAD_LINES_MAX` are kept. Raises OSError."""
    with path.open("rb") as file:
        line = 0
        while content := file.readline(LINE_BYTES_MAX):
            line += 1
            text = content.decode("utf-8-sig", "replace").strip()
            cell = text.replace(";", ",").replace("\t", ",").split(",", 1)[0].strip().strip('"').strip()
            if not cell or (line == 1 and not any(letter.isdigit() for letter in cell)):
                continue
            try:
                yield as_digits(cell, country)
            except BadNumber as error:
                bad.append(BadLine(line, str(error)))
                if len(bad) >= BAD_LINES_MAX:
                    raise NoRegister(
                        f"{path}: {BAD_LINES_MAX} lines are no numbers, the first is line {bad[0].line}: {bad[0].reason}"
                    ) from None


def import_register(
    engine: Engine,
    folder: Path,
    name: str,
    numbers: Iterable[int],
    *,
    as_of: date,
    by: str,
    may_be_older: bool = False,
    on_read: Callable[[int], None] = lambda _: None,
) -> Register:
    """Make it the register of this name; whoever is killed before the end leaves the one before in its place.

    Raises NoRegister for one that is older than what is there, or empty; OSError, SQLAlchemyError.
    """
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    path = folder / f"{name}-{now:%Y%m%dT%H%M%S%f}{SUFFIX}"
    entries, sha256 = build(path, numbers, as_of, on_read)
    try:
        if not entries:
            raise NoRegister("the file has no number: an empty register would let everybody be called")
        made = Register(name=name, file=path.name, entries=entries, as_of=as_of, imported_at=now, by=by, sha256=sha256)
        before = _commit(engine, made, may_be_older)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if before is not None:
        (folder / before).unlink(missing_ok=True)
    _clear(engine, folder)
    return made


def _commit(engine: Engine, made: Register, may_be_older: bool) -> str | None:
    """The file of the one before."""
    values = {name: getattr(made, name) for name in ("file", "entries", "as_of", "imported_at", "by", "sha256")}
    with engine.begin() as connection:
        lock(connection)
        here = registers.c.name == made.name
        row = connection.execute(select(registers).where(here).with_for_update()).one_or_none()
        if row is not None and row.as_of > made.as_of and not may_be_older:
            raise NoRegister(
                f"the register {made.name} is as of {row.as_of} already: --older puts one of {made.as_of} in its place"
            )
        if row is None:
            connection.execute(insert(registers).values(name=made.name, **values))
        else:
            connection.execute(update(registers).where(here).values(values))
        what = f"register {made.name}: {made.entries} entries as of {made.as_of}"
        audit.append(connection, by=made.by, act="register_import", what=what, is_done=True, at=made.imported_at)
    return None if row is None else str(row.file)


def remove(engine: Engine, folder: Path, name: str, by: str) -> None:
    """Raises NoRegister, SQLAlchemyError."""
    with engine.begin() as connection:
        lock(connection)
        here = registers.c.name == name
        row = connection.execute(select(registers.c.file).where(here)).one_or_none()
        if row is None:
            raise NoRegister(f"there is no register {name!r}")
        connection.execute(delete(registers).where(here))
        audit.append(connection, by=by, act="register_remove", what=f"register {name}", is_done=True, at=datetime.now(UTC))
    (folder / row.file).unlink(missing_ok=True)


def _clear(engine: Engine, folder: Path) -> None:
    """What imports left that were killed long ago; another one may be under way."""
    with engine.connect() as connection:
        used = {each.file for each in all_registers(connection)}
    for path in folder.iterdir():
        if path.name in used or time.time() - path.stat().st_mtime < LEFT_OVER_S:
            continue
        if path.name.startswith(DRAFTS):
            shutil.rmtree(path)
        elif path.suffix == SUFFIX:
            path.unlink(missing_ok=True)


# --- looking up ---------------------------------------------------------------------------------------------------------
class Registers:
    """All registers, opened: as a whole or not at all, since one that is missing would let people be called. `close` it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Raises BadRegister, OSError, SQLAlchemyError."""
        with engine.connect() as connection:
            self.known = all_registers(connection)
        self._files: list[tuple[Register, RegisterFile]] = []
        try:
            for each in self.known:
                self._files.append((each, opened(folder, each)))
        except (BadRegister, OSError):
            self.close()
            raise

    def hits(self, number: str) -> tuple[RegisterHit, ...]:
        """Which of them have a number in E.164."""
        return tuple(RegisterHit(each.name, each.as_of) for each, file in self._files if number in file)

    def too_old(self, names: Sequence[str], today: date, days_max: int) -> list[str]:
        """Those of `names` that are older than so many days, or not there: nothing may be concluded from them."""
        as_of = {each.name: each.as_of for each in self.known}
        return [name for name in names if name not in as_of or (today - as_of[name]).days > days_max]

    def close(self) -> None:
        for _, file in self._files:
            file.close()
        self._files = []


def opened(folder: Path, register: Register) -> RegisterFile:
    """Raises BadRegister, OSError."""
    path = folder / register.file
    if not path.is_file():
        raise BadRegister(f"the register {register.name} has lost its file {path}: import it again")
    file = RegisterFile(path)
    if file.sha256 != register.sha256:
        file.close()
        raise BadRegister(f"the file {path} is another register than {register.name}: import it again")
    return file
