"""`ccserver look-up`: what flows ask of outside systems, listed and tried without a call; and a database to begin with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import fail as failed

from ccserver.agi.secrets import hash_pin
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, as_json, config_option, fail, json_option, safe, table
from ccserver.config import Configuration
from ccserver.config.look_up_edges import SECRET, AnyLookUp, HttpLookUp, PythonLookUp, RecordsLookUp, SqlLookUp
from ccserver.config.schema import nearest
from ccserver.config.script_files import ScriptKind
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value, ValueType
from ccserver.core.ids import Language, LookUpId
from ccserver.lookups import by_hand
from ccserver.lookups.answers import as_word
from ccserver.lookups.demo import CUSTOMERS, make_demo
from ccserver.scripts.call import Call, read_answer
from ccserver.scripts.folder import ScriptFolder


@root.group("look-up")
def look_up() -> None:
    """What flows ask of outside systems: list it, try it, and a demo database to begin with."""


@look_up.command("list")
@config_option
@json_option
def list_look_ups(config: Path, is_json: bool) -> None:
    """List the look-ups of the configuration, where each asks, and what it takes and gives."""
    place = Place(config=config, socket=None, is_json=is_json)
    edges = place.configuration().edges.look_ups
    if is_json:
        click.echo(as_json([{"look_up": name, **_described(edge)} for name, edge in edges.items()]))
        return
    rows = [
        (name, _where(edge), _typed(edge.parameters), _typed(edge.gives), f"{edge.longest_s:g} s")
        for name, edge in edges.items()
    ]
    click.echo(table(("look-up", "asks", "takes", "gives", "longest"), rows) if rows else "there are no look-ups")


@look_up.command("try")
@config_option
@json_option
@click.option("--language", help="The caller's; without it the default language.")
@click.argument("name")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
def try_look_up(config: Path, is_json: bool, language: str | None, name: str, parameters: tuple[str, ...]) -> None:
    """Ask the look-up NAME once, as a flow would, and show what it gives. Ends with 1 unless it found something.

    Secret digits are not taken: a command line is kept in histories and shown in lists of processes.
    """
    place = Place(config=config, socket=None, is_json=is_json)
    configuration = place.configuration()
    edges = configuration.edges
    edge = edges.look_ups.get(LookUpId(name))
    if edge is None:
        near = nearest(name, edges.look_ups)
        fail(f"there is no look-up {safe(name)}" + (f"; did you mean {near}?" if near else ""), NOT_DONE)
    given = _given(edge, parameters)
    scripts = _ByHand(configuration)
    spoken = Language(language or configuration.settings.default_language)
    try:
        answer = by_hand.ask(LookUpId(name), edge, edges.databases, given, spoken, run_function=scripts.run)
    finally:
        scripts.close()
    if is_json:
        shown = {"ok": answer.end is LookUpEnd.FOUND, "end": answer.end, "values": answer.values, "reason": answer.reason}
        click.echo(as_json(shown))
    else:
        click.echo(answer.end.value)
        for key, value in answer.values.items():
            click.echo(f"  {key}: {safe(as_word(value))}")
        if answer.reason:
            click.echo(safe(answer.reason), err=True)
    if answer.end is not LookUpEnd.FOUND:
        raise SystemExit(NOT_DONE)


@look_up.command("demo-database")
@json_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def demo_database(is_json: bool, file: Path) -> None:
    """Make FILE, an SQLite database with customers, orders and appointments, for the example `selfservice`."""
    try:
        make_demo(file, hash_pin=hash_pin, today=datetime.now(UTC).date())
    except OSError as error:
        fail(f"{file}: {error.strerror}", NOT_DONE)
    if is_json:
        customers = [{"number": each.number, "phone": each.phone, "name": each.name, "pin": each.pin} for each in CUSTOMERS]
        click.echo(as_json({"ok": True, "file": file, "customers": customers}))
    else:
        click.echo(f"{file}: made\n")
        click.echo(
            table(("customer", "phone", "name", "PIN"), [(each.number, each.phone, each.name, each.pin) for each in CUSTOMERS])
        )


def _given(edge: AnyLookUp, texts: tuple[str, ...]) -> dict[str, Value]:
    if SECRET in edge.parameters:
        fail("this look-up takes secret digits, which are not typed into a command line: call it", NOT_DONE)
    given: dict[str, Value] = {}
    for text in texts:
        key, is_given, value = text.partition("=")
        type_ = edge.parameters.get(key)
        if not is_given or type_ is None:
            known = ", ".join(edge.parameters) or "none"
            raise click.UsageError(f"expected KEY=VALUE with one of the parameters ({known}), got {safe(key)}")
        try:
            given[key] = by_hand.read_value(value, type_)
        except ValueError as error:
            raise click.UsageError(f"expected after {key}= {error}, got {safe(value)}") from None
    missing = [key for key in edge.parameters if key not in given]
    if missing:
        raise click.UsageError(f"expected {'=…, '.join(missing)}=… as well")
    return given


class _ByHand:
    """Runs a function here and now, without a time limit; what it raises is shown."""

    def __init__(self, configuration: Configuration) -> None:
        self._folder = ScriptFolder(lambda: configuration.edges.scripts_dir)

    def run(
        self, name: str, parameters: Mapping[str, Value], facts: Mapping[str, str], language: str, time_limit_s: float, /
    ) -> "Deferred[Mapping[str, object] | None]":
        try:
            call = Call.of(parameters, facts, language)
            return succeed(read_answer(self._folder.function(name, ScriptKind.PURE)(call)))
        except Exception as error:  # an administrator's function may raise anything
            click.echo(f"{name}: {type(error).__name__}: {safe(str(error))}", err=True)
            return failed(error)

    def close(self) -> None:
        self._folder.close()


def _where(edge: AnyLookUp) -> str:
    match edge:
        case SqlLookUp():
            return f"database {edge.database}"
        case HttpLookUp():
            return f"{edge.method.value} {urlsplit(edge.url).netloc}"
        case RecordsLookUp():
            return "own records"
        case PythonLookUp():
            return f"function {edge.function}"


def _described(edge: AnyLookUp) -> dict[str, object]:
    return {
        "asks": _where(edge),
        "parameters": dict(edge.parameters),
        "gives": dict(edge.gives),
        "timeout_s": edge.timeout_s,
        "tries": edge.tries,
        "longest_s": edge.longest_s,
    }


def _typed(names: Mapping[str, ValueType]) -> str:
    return ", ".join(f"{name}: {type_.value}" for name, type_ in names.items()) or "–"
