"""`ccserver ivr walk` and `ccserver ivr test`: flows without a phone."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from ccserver.cli.ivr import FILE, flow_named, ivr, language_named, look_into
from ccserver.cli.shared import NOT_DONE, as_json, config_option, fail, json_option, safe
from ccserver.config import Configuration, Problem
from ccserver.core.commands import CollectSecret, RecordMessage
from ccserver.core.events import LookUpEnd, VerbEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import AgentId, FlowId, Language, PromptId
from ccserver.core.records import Attestation
from ccserver.core.settings import Settings, Spoken, SpokenKind
from ccserver.sim.flow_test_runs import Outcome, run_tests
from ccserver.sim.flow_tests import read_tests
from ccserver.sim.outside import Impossible, LookUpAnswer, ScriptAnswer
from ccserver.sim.transcript import Line, LineKind
from ccserver.sim.walker import Call, Say, Walker
from ccserver.speech.words import Unspeakable, parts

TESTS_FILE = "ivr-tests.yaml"
"""Beside the configuration."""
WAIT, HANG_UP, SPEAK = "", "h", "s"
SPEAKS_S = 10.0
_MARGIN = {
    LineKind.NODE: "─",
    LineKind.LEFT: "─",
    LineKind.SAYS: "«",
    LineKind.ASKS: "?",
    LineKind.TYPES: ">",
    LineKind.SPEAKS: ">",
    LineKind.WAITS: ">",
}
_WORDS = {
    LineKind.LEFT: "left: ",
    LineKind.WAITS: "waits ",
    LineKind.SPEAKS: "speaks ",
    LineKind.MUSIC: "music: ",
    LineKind.LOOKS_UP: "look-up ",
    LineKind.SCRIPT: "script ",
    LineKind.ANSWERED: "survey: ",
    LineKind.QUEUE: "waits in the queue ",
}


def spoken(configuration: Configuration) -> Say:
    """Pieces of speech in words: texts of prompts, and values as the voice says them. A prompt that is only recorded is its name."""
    prompts = configuration.edges.prompts

    def say(piece: Spoken, language: Language) -> str:
        if piece.kind in (SpokenKind.PROMPT, SpokenKind.RECORDING):
            source = prompts.get(PromptId(piece.value), {}).get(language)
            return source.text if source is not None and source.text else f"[{piece.value}]"
        try:
            return " ".join(part.words for part in parts(piece, language))
        except Unspeakable:
            return f"[{piece.value}]"

    return say


# --- walk -------------------------------------------------------------------------------------------------------------
@ivr.command()
@config_option
@json_option
@click.argument("start", metavar="FLOW|NUMBER")
@click.option("--at", help="The site's local time: 2026-12-24T10:00; without it now.")
@click.option("--caller", help="The caller's number; without it withheld.")
@click.option(
    "--attestation",
    type=click.Choice([each.value for each in Attestation]),
    default=Attestation.NONE.value,
    help="What the carrier says of the number.",
)
@click.option("--language", help="Of the caller, where START is a flow; without it the default.")
@click.option("--staffed", help="Agents who are logged in: all, or 101,102; without it nobody.")
@click.option(
    "--look-up",
    "look_ups",
    multiple=True,
    metavar="NAME=ANSWER",
    help="orders=found:status=sent,amount=12, missing, failed or slow:…",
)
@click.option("--script", "scripts", multiple=True, metavar="NAME=ANSWER", help="orders.check=paid:total=3, failed or timeout.")
@click.option("--nobody-outside", is_flag=True, help="Nobody answers at numbers outside.")
@click.option(
    "--digits",
    help="What the caller does, one after the other: 1,,12345678#,s10,h. Nothing between two commas waits, s10 speaks for 10 seconds, h "
    "hangs up. Without it you are asked.",
)
def walk(
    *,
    config: Path,
    is_json: bool,
    start: str,
    at: str | None,
    caller: str | None,
    attestation: str,
    language: str | None,
    staffed: str | None,
    look_ups: tuple[str, ...],
    scripts: tuple[str, ...],
    nobody_outside: bool,
    digits: str | None,
) -> None:
    """Walk one caller through FLOW, or from the NUMBER that is called, without a phone and without Asterisk.

    In a terminal you are the caller: type keys and Enter; Enter alone waits, s speaks into a message, h hangs up.
    """
    configuration = look_into(config)
    settings = configuration.settings
    is_flow = start in settings.flows
    if not is_flow and start not in settings.dids and "*" not in settings.dids:
        flow_named(configuration, start)
    call = Call(
        at_utc_s=_instant(at, settings),
        did="" if is_flow else start,
        flow=FlowId(start) if is_flow else None,
        language=language_named(configuration, language) if language else None,
        caller=caller,
        attestation=Attestation(attestation),
        staffed=_staff(staffed, settings),
        is_reached_outside=not nobody_outside,
    )
    is_asking = digits is None
    outside = _Told(_look_up_answers(look_ups), _script_answers(scripts), is_asking=is_asking)
    walker = Walker(settings, call, outside, spoken(configuration))
    shown = _Shown(is_quiet=is_json)
    outside.before_asking = lambda: shown.show(walker)
    try:
        walker.start()
        if digits is None:
            _walk_by_hand(walker, shown)
        else:
            for act in digits.split(",") if digits else ():
                _act(walker, act.strip())
    except Impossible as error:
        shown.show(walker)
        fail(str(error), NOT_DONE)
    shown.show(walker)
    if is_json:
        click.echo(as_json(_walked(walker)))
    elif not walker.is_over:
        click.echo(f"the caller is still there: {safe(str(walker.standing))}")


def _walk_by_hand(walker: Walker, shown: "_Shown") -> None:
    while not walker.is_over:
        shown.show(walker)
        given = click.prompt(
            "   ", default="", show_default=False, prompt_suffix="> ", hide_input=isinstance(walker.asked, CollectSecret)
        )
        try:
            _act(walker, given.strip())
        except Impossible as error:
            click.echo(f"     {safe(str(error))}")


def _act(walker: Walker, act: str) -> None:
    """Raises Impossible."""
    if act == WAIT:
        walker.wait()
    elif act == HANG_UP:
        walker.hang_up()
    elif act[:1] == SPEAK:
        try:
            walker.speak(float(act[1:] or SPEAKS_S))
        except ValueError:
            raise Impossible(f"{act[1:]!r} are no seconds") from None
    elif isinstance(walker.asked, RecordMessage):
        walker.speak(SPEAKS_S)
    else:
        walker.type(act)


class _Shown:
    """Prints what is new on the transcript."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._lines = 0

    def show(self, walker: Walker) -> None:
        for line in walker.lines[self._lines :] if not self._is_quiet else ():
            click.echo(_line(line))
        self._lines = len(walker.lines)


def _line(line: Line) -> str:
    minutes, seconds = divmod(int(line.at_s), 60)
    return f"{minutes:3d}:{seconds:02d} {_MARGIN.get(line.kind, ' ')} {_WORDS.get(line.kind, '')}{safe(line.text)}".rstrip()


def _walked(walker: Walker) -> dict[str, object]:
    return {
        "lines": [_plain(line) for line in walker.lines],
        "is_over": walker.is_over,
        "at": walker.standing.at.value,
        "of": walker.standing.of,
        "messages": walker.messages,
        "callbacks": walker.callbacks,
        "passages": [
            {"end": passage.end.value, "nodes": [f"{s.flow}/{s.node}" for s in passage.steps]} for passage in walker.passages
        ],
    }


def _plain(line: Line) -> dict[str, object]:
    return {each.name: getattr(line, each.name) for each in fields(line)}


# --- what is told of the world ----------------------------------------------------------------------------------------
def _instant(at: str | None, settings: Settings) -> float:
    if at is None:
        return datetime.now(tz=UTC).timestamp()
    try:
        local = datetime.fromisoformat(at)
    except ValueError:
        fail(f"{at!r} is no time; for example 2026-12-24T10:00", NOT_DONE)
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(settings.timezone))).timestamp()


def _staff(given: str | None, settings: Settings) -> tuple[AgentId, ...]:
    if given in (None, ""):
        return ()
    if given == "all":
        return tuple(settings.agents)
    named = tuple(AgentId(each.strip()) for each in str(given).split(","))
    for agent in named:
        if agent not in settings.agents:
            fail(f"there is no agent {safe(agent)!r}; there are: {', '.join(settings.agents)}", NOT_DONE)
    return named


def _named(given: tuple[str, ...], what: str) -> Mapping[str, tuple[str, dict[str, Value]]]:
    """`NAME=WORD:field=value,field=value`."""
    found = {}
    for each in given:
        name, is_there, rest = each.partition("=")
        word, _, values = rest.partition(":")
        pairs = [pair.partition("=") for pair in values.split(",") if pair]
        if not is_there or any(not middle for _, middle, _ in pairs):
            fail(f"{each!r} is no {what}; for example {name}=found:status=sent,amount=12", NOT_DONE)
        found[name] = (word, {field.strip(): _value(value) for field, _, value in pairs})
    return found


def _value(text: str) -> Value:
    return text == "true" if text in ("true", "false") else text


def _look_up_answers(given: tuple[str, ...]) -> Mapping[str, LookUpAnswer]:
    return {name: _look_up_answer(word, values) for name, (word, values) in _named(given, "answer of a look-up").items()}


def _look_up_answer(word: str, values: Mapping[str, Value]) -> LookUpAnswer:
    if word == "slow":
        return LookUpAnswer(end=LookUpEnd.FOUND, values=values, is_slow=True)
    if word not in (end.value for end in LookUpEnd):
        fail(f"{word!r} is no answer of a look-up; there are: found, slow, missing, failed", NOT_DONE)
    return LookUpAnswer(end=LookUpEnd(word), values=values)


def _script_answers(given: tuple[str, ...]) -> Mapping[str, ScriptAnswer]:
    return {name: _script_answer(word, values) for name, (word, values) in _named(given, "answer of a script").items()}


def _script_answer(word: str, values: Mapping[str, Value]) -> ScriptAnswer:
    if word in (VerbEnd.FAILED.value, VerbEnd.TIMEOUT.value):
        return ScriptAnswer(end=VerbEnd(word))
    return ScriptAnswer(end=VerbEnd.DONE, result=word, values=values)


class _Told:
    """The answers of the command line; in a terminal who walks is asked for those that it lacks."""

    def __init__(self, look_ups: Mapping[str, LookUpAnswer], scripts: Mapping[str, ScriptAnswer], *, is_asking: bool) -> None:
        self._look_ups = look_ups
        self._scripts = scripts
        self._is_asking = is_asking
        self.before_asking: Callable[[], None] = lambda: None

    def look_up(self, name: str, parameters: Mapping[str, Value]) -> LookUpAnswer:
        found = self._look_ups.get(name)
        if found is not None:
            return found
        given = self._asked(name, parameters, f"--look-up {name}=found:…", "found:field=value, slow:…, missing, failed")
        (answer,) = _look_up_answers((f"{name}={given}",)).values()
        return answer

    def script(self, name: str, parameters: Mapping[str, Value]) -> ScriptAnswer:
        found = self._scripts.get(name)
        if found is not None:
            return found
        given = self._asked(name, parameters, f"--script {name}=RESULT", "its result, RESULT:name=value, failed, timeout")
        (answer,) = _script_answers((f"{name}={given}",)).values()
        return answer

    def _asked(self, name: str, parameters: Mapping[str, Value], option: str, choices: str) -> str:
        if not self._is_asking:
            raise Impossible(f"{name} is asked, and it is not said what it answers: {option}")
        self.before_asking()
        shown = ", ".join(f"{key} {value}" for key, value in parameters.items())
        return str(click.prompt(f"     {safe(name)} ({safe(shown)}) answers ({choices})"))


# --- test -------------------------------------------------------------------------------------------------------------
@ivr.command("test")
@config_option
@json_option
@click.argument("files", nargs=-1, type=FILE)
def test_flows(config: Path, is_json: bool, files: tuple[Path, ...]) -> None:
    """Run the transcripts of FILES, by default ivr-tests.yaml beside the configuration, against its flows.

    Exit code 1 when one of them does not hold.
    """
    configuration = look_into(config)
    say = spoken(configuration)
    passed, results = 0, []
    problems: list[Problem] = []
    for file in files or (config.parent / TESTS_FILE,):
        tests, wrong = read_tests(file, configuration.settings)
        problems += wrong
        if not is_json:
            click.echo(str(file))
            for problem in wrong:
                click.echo(f"  {problem}")
        for outcome in run_tests(tests, configuration.settings, say) if tests is not None else ():
            passed += outcome.problem is None
            results.append({"file": file, **_result(outcome)})
            if not is_json:
                _show_outcome(outcome)
    failed = len(results) - passed
    if is_json:
        click.echo(as_json({"ok": not failed and not problems, "problems": problems, "tests": results}))
    else:
        click.echo(f"{passed} passed, {failed} failed" + (f", {len(problems)} problems in the files" if problems else ""))
    if failed or problems:
        raise SystemExit(NOT_DONE)


def _result(outcome: Outcome) -> dict[str, object]:
    lines = [] if outcome.problem is None else [_plain(line) for line in outcome.lines]
    return {"name": outcome.name, "ok": outcome.problem is None, "problem": outcome.problem, "lines": lines}


def _show_outcome(outcome: Outcome) -> None:
    if outcome.problem is None:
        click.echo(f"  ok    {safe(outcome.name)}")
        return
    problem = outcome.problem
    click.echo(f"  FAIL  {safe(outcome.name)}")
    click.echo(f"        {safe(f'{problem.file}:{problem.line}:{problem.column}: {problem.message}')}")
    for line in outcome.lines:
        click.echo(f"        {_line(line)}")
