"""What the commands share: where the configuration and the daemon are, how answers are printed, and the exit codes."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import click
import phonenumbers
from sqlalchemy.exc import SQLAlchemyError

from ccserver.config import Configuration, ConfigurationRejected, load
from ccserver.config.positions import Scalar, Table, Unreadable, parse
from ccserver.control.client import ControlClient, DaemonNotRunning, MayNotAsk, NoAnswer, NotDone
from ccserver.control.protocol import ProtocolError
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.persons import Opener
from ccserver.store.vault import Vault

T = TypeVar("T")

NOT_DONE = 1
UNREACHABLE = 3
REFUSED = 78

DEFAULT_CONFIG = Path("/etc/ccserver/ccserver.yaml")


DEFAULT_SOCKET = Path("/run/ccserver/control.sock")
EXTENDS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which center a command is about, and how its answer is shown."""

    config: Path
    socket: Path | None
    is_json: bool

    def configuration(self) -> Configuration:
        """Ends the program with every problem shown when the file is refused."""
        try:
            return load(self.config)
        except ConfigurationRejected as rejected:
            for problem in rejected.problems:
                click.echo(str(problem), err=True)
            raise SystemExit(REFUSED) from None

    def control_socket(self) -> Path:
        """Where the daemon listens. Read out of the file without judging the rest of it: a file that is being edited, or
        secrets that this user may not read, must not lock people out of the daemon that runs."""
        return self.socket or path_told(self.config, "control_socket") or DEFAULT_SOCKET

    @contextmanager
    def daemon(self) -> Iterator[ControlClient]:
        """A connection to the daemon. Whatever goes wrong ends the program with a sentence and its exit code."""
        try:
            with ControlClient(self.control_socket()) as client:
                yield client
        except DaemonNotRunning as error:
            fail(f"{error}\nStart it with: systemctl start ccserver (or: ccserver run --config FILE)", UNREACHABLE)
        except (MayNotAsk, NoAnswer, ProtocolError) as error:
            fail(str(error), UNREACHABLE)
        except NotDone as error:
            self.refuse(error)

    def refuse(self, error: NotDone) -> NoReturn:
        if self.is_json:
            click.echo(json.dumps({"ok": False, "why": error.why.value, "text": str(error)}))
            raise SystemExit(NOT_DONE)
        fail(str(error), NOT_DONE)

    def show(self, value: object, text: Callable[[], str]) -> None:
        """`value` as JSON, or `text` for people."""
        click.echo(as_json(value) if self.is_json else text())


def act(place: Place, do: str, **arguments: object) -> None:
    """Have the daemon do something, and show what it says."""
    with place.daemon() as daemon:
        answer = cast(dict[str, Any], daemon.ask(do, **arguments))
    place.show({"ok": True, **answer}, lambda: safe(str(answer["text"])))


def from_history(place: Place, read: Callable[[Store], T]) -> T:
    """Read the database. Whatever goes wrong ends the program with a sentence."""
    return from_opened_history(place, lambda store, _: read(store))


def from_opened_history(place: Place, read: Callable[[Store, Opener], T]) -> T:
    """The same, of what identifies people: with what opens it, if the key is here."""
    configuration = place.configuration()
    store = Store(configuration.edges.database.url)
    try:
        store.require_schema()
        return read(store, opener_of(configuration))
    except (SchemaMismatch, SQLAlchemyError) as error:
        fail(str(error), NOT_DONE)
    finally:
        store.close()


def opener_of(configuration: Configuration) -> Opener:
    country = configuration.settings.country
    return Opener(Vault.of(configuration.edges.privacy), lambda number: as_e164(number, country))


def as_e164(number: str, country: str) -> str:
    """A number as people write it (911 222 333), read as in `country`; as it is when it is no telephone number."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def path_told(path: Path, key: str, extends_left: int = EXTENDS_MAX) -> Path | None:
    """The path under a key of the file, or of one that it extends, without judging the rest; None: it is not there."""
    try:
        tree, _ = parse(path.read_bytes(), path.name)
    except (OSError, Unreadable):
        return None
    entries = tree.entries if isinstance(tree, Table) else {}
    _, told = entries.get(key, (None, None))
    if isinstance(told, Scalar):
        return path.parent.absolute() / told.text
    _, other = entries.get("extends", (None, None))
    if isinstance(other, Scalar) and extends_left:
        return path_told(path.parent / other.text, key, extends_left - 1)
    return None


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):  # and a datetime, which is one
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def fail(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(code)


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_CONFIG,
        envvar="CCSERVER_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The configuration of the center.",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "is_json", is_flag=True, help="Answer in JSON, for programs.")(command)


def socket_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--socket",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        envvar="CCSERVER_SOCKET",
        show_envvar=True,
        help="The daemon's control socket, if no configuration is at hand.",
    )(command)


def at_a_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that talks to the daemon; it gets them as one `Place`."""

    @wraps(command)  # with the options given to it by decorators below this one
    def made(config: Path, socket: Path | None, is_json: bool, **rest: Any) -> Any:
        return command(place=Place(config=config, socket=socket, is_json=is_json), **rest)

    return config_option(socket_option(json_option(made)))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their content; numbers are the caller's to align."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
    return "\n".join(lines)


def shown_time(seconds: float) -> str:
    """A duration for people: 4:05, 1:02:03."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def as_utc(given: datetime | None) -> datetime | None:
    """A time of an option, which has no zone of its own."""
    return None if given is None else given.replace(tzinfo=UTC)


def safe(text: str | None) -> str:
    """What callers or agents chose, for a terminal: nothing in it can move the cursor."""
    return "" if text is None else "".join(letter if letter.isprintable() else "?" for letter in text)
