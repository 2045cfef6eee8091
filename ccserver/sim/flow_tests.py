"""The administrator's own transcripts: what a caller does, and what must be heard and become of it, as YAML.

    tests:
      - name: Who calls in the night leaves a message
        dial: "+34910000001"            # or flow: main, with language: es
        at: 2026-11-27T22:00            # local time of the site
        caller: "+34600111222"          # nothing: withheld
        attestation: A                  # A, B, C, failed; nothing: the carrier says nothing of the number
        staffed: [101, 102]             # or true: all agents; nothing: nobody
        look_ups:
          orders: {found: {status: sent, amount: 12.5}}      # or missing, failed, {slow: {…}}
        scripts:
          orders.check: {result: paid, values: {total: 3}}   # or failed, timeout
        outside: nobody                 # nobody answers at numbers outside
        steps:
          - hears: We are closed        # in what was said since the last step; or a prompt's name
          - types: 12345678#
          - waits: true                 # until the time is over, or so many seconds
          - speaks: 10                  # into a message, so many seconds
          - hangs_up: true
          - then: message sales         # where the caller is: hung up, queue NAME, agent, agent NUMBER, number NUMBER,
                                        # extension NUMBER, message QUEUE, callback QUEUE, node FLOW/NODE

Values of look-ups and scripts that are not given are empty, 0 or false. What is not given at all and is asked fails the test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from ccserver.config.positions import Node, PathInFile, Problem, Scalar, Table, Unreadable, file_name, parse
from ccserver.config.schema import Choice, Field, Flag, Group, ListOf, MapOf, Number, OneOf, Reader, Text, got, hinted, nearest
from ccserver.core.events import LookUpEnd, VerbEnd
from ccserver.core.expressions import Value
from ccserver.core.records import Attestation
from ccserver.core.settings import Settings
from ccserver.sim.outside import LookUpAnswer, ScriptAnswer

MAX_BYTES = 1024 * 1024
USUAL_TIME = "2026-01-07T11:00"
"""A Wednesday: when a test that names no time takes place."""


class StepKind(Enum):
    HEARS = "hears"
    TYPES = "types"
    WAITS = "waits"
    SPEAKS = "speaks"
    HANGS_UP = "hangs_up"
    THEN = "then"


@dataclass(frozen=True, slots=True)
class CallerStep:
    """`what` is the text, the keys or the place; `duration_s` None: until something happens."""

    kind: StepKind
    what: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTest:
    name: str
    dial: str = ""
    flow: str = ""
    language: str = ""
    at: datetime = field(default_factory=lambda: datetime.fromisoformat(USUAL_TIME))
    caller: str | None = None
    caller_name: str = ""
    attestation: Attestation = Attestation.NONE
    staffed: tuple[str, ...] | bool = False
    look_ups: Mapping[str, LookUpAnswer] = field(default_factory=dict)
    scripts: Mapping[str, ScriptAnswer] = field(default_factory=dict)
    outside: bool = True
    steps: tuple[CallerStep, ...]


# --- reading ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Value:
    """A value of a look-up or script: true and false are truths, all else is read as the field's type asks."""

    expected: str = "a text, a number, true or false"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Value | None:
        if not isinstance(node, Scalar):
            reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
            return None
        return node.text == "true" if node.text in ("true", "false") and not node.is_quoted else node.text


_NAME = Text("a name", str, r".+", 80)
_VALUES: MapOf[str, Value] = MapOf(_NAME, _Value(), "values", 100)


@dataclass(frozen=True, slots=True)
class _LookUpAnswers:
    expected: str = "missing, failed, {found: VALUES} or {slow: VALUES}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> LookUpAnswer | None:
        if isinstance(node, Scalar) and node.text in ("missing", "failed", "found"):
            return LookUpAnswer(end=LookUpEnd(node.text))
        if isinstance(node, Table) and len(node.entries) == 1:
            ((word, (_, values)),) = node.entries.items()
            if word in ("found", "slow"):
                given = _VALUES.read(reader, values, (*path, word))
                is_slow = word == "slow"
                return None if given is None else LookUpAnswer(end=LookUpEnd.FOUND, values=given, is_slow=is_slow)
        reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
        return None


def _script_done(result: str, values: Mapping[str, Value]) -> ScriptAnswer:
    return ScriptAnswer(end=VerbEnd.DONE, result=result, values=values)


_SCRIPT = Group(
    "what a script gives",
    _script_done,
    [Field("result", _NAME, "The word.", ""), Field("values", _VALUES, "Its values.", {})],
)


@dataclass(frozen=True, slots=True)
class _ScriptAnswers:
    expected: str = "failed, timeout, or a table with result and values"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> ScriptAnswer | None:
        if isinstance(node, Scalar):
            if node.text in ("failed", "timeout"):
                return ScriptAnswer(end=VerbEnd(node.text))
            reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
            return None
        return _SCRIPT.read(reader, node, path)


@dataclass(frozen=True, slots=True)
class _Staffed:
    expected: str = "true, false, or a list of agents"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> tuple[str, ...] | bool | None:
        if isinstance(node, Scalar) and node.text in ("true", "false"):
            return node.text == "true"
        return ListOf(Text("an agent's number", str, r"[0-9]+", 20, "101")).read(reader, node, path)


@dataclass(frozen=True, slots=True)
class _Duration:
    expected: str = "true, or seconds"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> float | bool | None:
        if isinstance(node, Scalar) and node.text == "true":
            return True
        return Number(float, 0.0, 86_400.0, "30", "seconds").read(reader, node, path)


_THEN = r"hung up|agent( [0-9]+)?|queue \S+|number \S+|extension \S+|message \S+|callback \S+|node \S+/\S+"
_STEP = OneOf(
    "a step",
    {
        "hears": Group(
            "a step",
            lambda hears: CallerStep(StepKind.HEARS, hears),
            [Field("hears", Text("a text", str, r".+", 500), "What is said.")],
        ),
        "types": Group(
            "a step",
            lambda types: CallerStep(StepKind.TYPES, types),
            [Field("types", Text("keys", str, r"[0-9*#]+", 60, '"12#"'), "Keys.")],
        ),
        "waits": Group(
            "a step",
            lambda waits: CallerStep(StepKind.WAITS, "", None if waits is True else waits),
            [Field("waits", _Duration(), "Lets time pass.")],
        ),
        "speaks": Group(
            "a step",
            lambda speaks: CallerStep(StepKind.SPEAKS, "", speaks),
            [Field("speaks", Number(float, 0.0, 3600.0, "10", "seconds"), "Into a message.")],
        ),
        "hangs_up": Group(
            "a step", lambda hangs_up: CallerStep(StepKind.HANGS_UP), [Field("hangs_up", Flag(), "Ends the call.")]
        ),
        "then": Group(
            "a step",
            lambda then: CallerStep(StepKind.THEN, then),
            [
                Field(
                    "then",
                    Text("a place", str, _THEN, 120, "queue sales, hung up, agent 101, node main/menu"),
                    "Where they are.",
                )
            ],
        ),
    },
)


def _test(**given: object) -> FlowTest:
    outside = given.pop("outside")
    if bool(given["dial"]) == bool(given["flow"]):
        raise ValueError("expected either dial or flow, got " + ("both" if given["dial"] else "neither"))
    return FlowTest(outside=outside != "nobody", **given)  # type: ignore[arg-type]


_TEST = Group(
    "a test",
    _test,
    [
        Field("name", Text("a text", str, r".+", 200), "What it shows."),
        Field("dial", Text("a number", str, r"\S+", 40, '"+34910000001"'), "The number that is called.", ""),
        Field("flow", _NAME, "The flow, where no number is to be called.", ""),
        Field("language", Text("a language", str, r"\S+", 20), "With flow: the caller's.", ""),
        Field(
            "at",
            Text("a time", datetime.fromisoformat, r".+", 30, USUAL_TIME),
            "The site's local time.",
            datetime.fromisoformat(USUAL_TIME),
        ),
        Field("caller", Text("a number", str, r"\S+", 40, '"+34600111222"'), "Who calls.", None),
        Field("attestation", Choice(Attestation), "What the carrier says of the number.", Attestation.NONE),
        Field("caller_name", _NAME, "The name that comes with the call.", ""),
        Field("staffed", _Staffed(), "Who is logged in.", False),
        Field("look_ups", MapOf(_NAME, _LookUpAnswers(), "look-ups", 100), "What they answer.", {}),
        Field("scripts", MapOf(_NAME, _ScriptAnswers(), "scripts", 100), "What they give.", {}),
        Field("outside", Text("nobody", str, "nobody", 10), "Nobody answers outside.", ""),
        Field("steps", ListOf(_STEP, 500), "What happens, in order."),
    ],
)
_FILE = Group("the file", lambda tests: tests, [Field("tests", ListOf(_TEST, 1000), "The tests.")])


class FlowTests:
    """The tests of one file, with the places of their steps."""

    def __init__(self, tests: tuple[FlowTest, ...], reader: Reader) -> None:
        self.tests = tests
        self._reader = reader

    def problem(self, test: int, step: int, message: str) -> Problem:
        path: PathInFile = ("tests", test, "steps", step)
        mark = self._reader.mark(path)
        return Problem(mark.file, mark.line, mark.column, self.tests[test].name, message)


def read_tests(path: Path, settings: Settings) -> tuple[FlowTests | None, list[Problem]]:
    """The tests of a file; None when something in it is wrong, with every problem."""
    name = file_name(path)
    try:
        source = path.read_bytes()
        if len(source) > MAX_BYTES:
            return None, [Problem(name, 1, 1, "", f"expected at most {MAX_BYTES} bytes, got {len(source)}")]
        tree, twice = parse(source, name)
    except OSError as error:
        return None, [Problem(name, 1, 1, "", f"cannot be read: {error.strerror or error}")]
    except Unreadable as fault:
        return None, fault.problems
    reader = Reader()
    reader.problems.extend(twice)
    tests = _FILE.read(reader, tree, ())
    for index, test in enumerate(tests or ()):
        if not reader.problems:
            _check_names(index, test, settings, reader)
    return (None if tests is None or reader.problems else FlowTests(tests, reader)), reader.problems


def _check_names(index: int, test: FlowTest, settings: Settings, reader: Reader) -> None:
    where: PathInFile = ("tests", index)

    def known(path: PathInFile, name: str, names: Iterable[str], noun: str) -> None:
        there = [str(each) for each in names]
        if name and name not in there:
            near = nearest(name, there)
            reader.tell(path, hinted(f"expected the name of {noun}, got {name!r}", f"did you mean {near}?" if near else ""))

    known((*where, "flow"), test.flow, settings.flows, "a flow")
    known((*where, "language"), test.language, settings.language_skills, "a language")
    if "*" not in settings.dids:
        known((*where, "dial"), test.dial, settings.dids, "a number under dids")
    for name in test.look_ups:
        known((*where, "look_ups", name), name, settings.look_ups, "a look-up")
    for agent in test.staffed if not isinstance(test.staffed, bool) else ():
        known((*where, "staffed"), agent, settings.agents, "an agent")
    for number, step in enumerate(test.steps):
        what, _, of = step.what.partition(" ") if step.kind is StepKind.THEN else ("", "", "")
        if what in ("queue", "message", "callback"):
            known((*where, "steps", number), of, settings.queues, "a queue")
        elif what == "node":
            flow, _, node = of.partition("/")
            nodes = (f"{one}/{each}" for one, its in settings.flows.items() for each in its.nodes)
            known((*where, "steps", number), f"{flow}/{node}", nodes, "a node, with its flow")
