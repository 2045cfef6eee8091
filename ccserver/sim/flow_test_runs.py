"""Runs the administrator's transcripts (`flow_tests`): walks the caller, and holds what is heard and what becomes of it against them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ccserver.config.positions import Problem
from ccserver.core.expressions import Value
from ccserver.core.ids import AgentId, FlowId, Language
from ccserver.core.settings import Settings
from ccserver.sim.flow_tests import CallerStep, FlowTest, FlowTests, StepKind
from ccserver.sim.outside import Impossible, LookUpAnswer, ScriptAnswer
from ccserver.sim.transcript import Line, LineKind, Stand
from ccserver.sim.walker import Call, Say, Walker


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one test. `problem` None: it passed. `lines` is what happened."""

    name: str
    problem: Problem | None
    lines: tuple[Line, ...]


class _Failed(Exception):
    """The step does not hold; the text says what was found instead."""


class _Planned:
    """What the test says of the systems outside."""

    def __init__(self, test: FlowTest) -> None:
        self._test = test

    def look_up(self, name: str, parameters: Mapping[str, Value]) -> LookUpAnswer:
        found = self._test.look_ups.get(name)
        if found is None:
            raise Impossible(f"the look-up {name} is asked, and look_ups of the test does not say what it answers")
        return found

    def script(self, name: str, parameters: Mapping[str, Value]) -> ScriptAnswer:
        found = self._test.scripts.get(name)
        if found is None:
            raise Impossible(f"the script {name} is run, and scripts of the test does not say what it gives")
        return found


def run_test(tests: FlowTests, index: int, settings: Settings, say: Say) -> Outcome:
    """One test, from the call to its last step."""
    test = tests.tests[index]
    walker = Walker(settings, call_of(test, settings), _Planned(test), say)
    heard = _Heard(walker)
    now_at = 0
    try:
        walker.start()
        for now_at, step in enumerate(test.steps):  # noqa: B007 - where it stopped
            _do(walker, heard, step)
    except (Impossible, _Failed) as error:
        return Outcome(name=test.name, problem=tests.problem(index, now_at, str(error)), lines=tuple(walker.lines))
    return Outcome(name=test.name, problem=None, lines=tuple(walker.lines))


def call_of(test: FlowTest, settings: Settings) -> Call:
    everybody = tuple(settings.agents) if test.staffed else ()
    local = test.at if test.at.tzinfo is not None else test.at.replace(tzinfo=ZoneInfo(settings.timezone))
    return Call(
        at_utc_s=local.timestamp(),
        did=test.dial,
        flow=FlowId(test.flow) if test.flow else None,
        language=Language(test.language) if test.language else None,
        caller=test.caller,
        attestation=test.attestation,
        name=test.caller_name,
        staffed=everybody if isinstance(test.staffed, bool) else tuple(map(AgentId, test.staffed)),
        is_reached_outside=test.outside,
    )


def _do(walker: Walker, heard: "_Heard", step: CallerStep) -> None:
    match step.kind:
        case StepKind.HEARS:
            heard.expect(step.what)
        case StepKind.TYPES:
            walker.type(step.what)
        case StepKind.WAITS:
            walker.wait(step.duration_s)
        case StepKind.SPEAKS:
            walker.speak(step.duration_s or 0.0)
        case StepKind.HANGS_UP:
            walker.hang_up()
        case StepKind.THEN:
            if not _is_there(walker, step.what):
                raise _Failed(f"expected {step.what}, got {_whereabouts(walker)}")


def _is_there(walker: Walker, place: str) -> bool:
    what, _, of = place.partition(" ")
    standing = walker.standing
    match what:
        case "hung":
            return standing.at is Stand.HUNG_UP
        case "message":
            return of in walker.messages
        case "callback":
            return of in walker.callbacks
        case "queue":
            return walker.last_queue == of and standing.at in (Stand.QUEUE, Stand.AGENT)
        case _:
            return standing.at.value == what and of in ("", standing.of)


def _whereabouts(walker: Walker) -> str:
    left = [f"a message for {queue}" for queue in walker.messages] + [f"a callback by {queue}" for queue in walker.callbacks]
    return ", ".join([str(walker.standing), *left])


class _Heard:
    """What was said since the last step that expected something: in order, each word once."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._line = 0
        self._offset = 0

    def expect(self, wanted: str) -> None:
        """Raises _Failed."""
        plain = _plain(wanted)
        said: list[str] = []
        for number, line in enumerate(self._walker.lines[self._line :], self._line):
            if line.kind is not LineKind.SAYS:
                continue
            text = _plain(line.text)
            offset = self._offset if number == self._line else 0
            found = text.find(plain, offset)
            if found >= 0 or wanted in line.prompts:
                self._line, self._offset = number, found + len(plain) if found >= 0 else offset
                return
            if rest := _spaced(line.text)[offset:].strip(" ,.;:"):
                said.append(rest)
        raise _Failed(f"expected to hear {wanted!r}, heard " + (" / ".join(map(repr, said)) or "nothing"))


def _plain(text: str) -> str:
    return _spaced(text).casefold()


def _spaced(text: str) -> str:
    return " ".join(text.split())


def run_tests(tests: FlowTests, settings: Settings, say: Say) -> Iterator[Outcome]:
    for index in range(len(tests.tests)):
        yield run_test(tests, index, settings, say)
