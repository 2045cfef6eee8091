"""The systems beside the virtual PBX: look-ups, the administrator's scripts, what checks secrets, and who keeps recorded prompts.

They answer by chance, as slowly and as strangely as their settings allow, or as a story says. A daemon that dies takes its
questions with it: those are never answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import assert_never

from ccserver.core.commands import (
    CloseRecording,
    KeepPrompt,
    LookUp,
    MeasureMessage,
    OpenRecording,
    RunScript,
    SecretCheck,
)
from ccserver.core.dialer.facts import FactSheet, Listing
from ccserver.core.dialer.terms import DAY_S, LineType, ZoneSource
from ccserver.core.events import (
    Event,
    LookedUp,
    LookUpEnd,
    MessageMeasured,
    OpenEnd,
    PromptKept,
    RecordingOpened,
    VerbEnd,
)
from ccserver.core.expressions import NUMBER_MAX, TEXT_MAX, Value, ValueType
from ccserver.core.ids import CommandId, InteractionId, LookUpId
from ccserver.core.records import KeptRecording
from ccserver.core.settings import ScriptNode, Settings
from ccserver.sim.agenda import Agenda, Entry
from ccserver.sim.wire import Wire

QUICK_S = (0.005, 0.4)
FOUND_RATIO, MISSING_RATIO = 0.75, 0.13
"""Of all look-ups; the others fail."""
SLOW_RATIO = 0.15
"""Of all look-ups: as slow as they may be, or a little quicker."""
GOOD_RATIO, WRONG_RATIO = 0.6, 0.3
"""Of all secrets; the others cannot be checked."""
DONE_RATIO, RAISES_RATIO = 0.8, 0.1
"""Of all scripts; the others take longer than they may."""
MISFIT_RATIO = 0.05
"""Per value that a script gives: it is of another type, or missing."""
STRANGE_RATIO = 0.2
"""Of all values."""
LISTED_RATIO = 0.2
MESSAGE_MIN_S = 0.5
SCRIPT_S = (0.01, 20.0)
TEXTS = ("paid", "sent", "Ann Brown", "2026-12-25", "14:05")
STRANGE: Mapping[ValueType, tuple[Value, ...]] = {
    ValueType.TEXT: ("", " ", "*#", "x" * TEXT_MAX, "'; drop table orders; --", "\x00\r\n", "ñ漢🎧", "-0", "9" * 30),
    ValueType.NUMBER: (0.0, -0.0, -1.0, 0.1 + 0.2, NUMBER_MAX, -NUMBER_MAX, 1e-9),
    ValueType.TRUTH: (True, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Of a look-up, `after_s` it was asked."""

    end: LookUpEnd
    values: Mapping[str, Value] = field(default_factory=dict)
    after_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Of a secret: as in `SecretChecked`."""

    is_ok: bool | None
    is_failed: bool = False
    token: str = ""
    after_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRun:
    """How a script ends that nobody hangs up on: as in `ScriptEnded`."""

    end: VerbEnd
    result: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    after_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a story says of some of the systems. All others answer by chance."""

    look_ups: Mapping[LookUpId, Callable[[Mapping[str, Value]], Answer]] = field(default_factory=dict)
    secrets: Mapping[LookUpId, str] = field(default_factory=dict)
    """The one that is right."""
    scripts: Mapping[str, Callable[[Mapping[str, Value]], ScriptRun]] = field(default_factory=dict)


NOTHING_TOLD = Told()


Outside = LookUp | KeepPrompt | OpenRecording | CloseRecording | MeasureMessage
"""What the daemon does itself, or asks others."""


class VirtualSystems:
    """`perform` is for what the daemon asks itself; the other questions are asked in an AGI session."""

    def __init__(self, settings: Settings, agenda: Agenda, chance: Random, wire: Wire, told: Told) -> None:
        self._settings = settings
        self._agenda = agenda
        self._chance = chance
        self._wire = wire
        self._told = told
        self._words, self._given = _scripts(settings)
        self._under_way: dict[CommandId, Entry] = {}
        self.recorded: dict[str, float] = {}
        """The files of messages, and how long somebody spoke into each."""
        self.laid_ready: set[str] = set()
        """Recordings that are there for somebody to hear."""

    def perform(self, command_id: CommandId, command: Outside) -> None:
        """Each has its end, unless the daemon dies before, or a fault keeps the end of a look-up back."""
        match command:
            case LookUp():
                ratio = self._wire.faults.unanswered_ratio
                if ratio and self._chance.random() < ratio:
                    return
                answer = self.look_up(command.look_up, command.parameters)
                ended = LookedUp(command=command_id, end=answer.end, values=answer.values)
                self._answer_after(answer.after_s, command_id, ended)
            case KeepPrompt():
                is_ok = self._chance.random() < 0.9
                self._answer_after(self._chance.uniform(*QUICK_S), command_id, PromptKept(command=command_id, is_ok=is_ok))
            case OpenRecording():
                self._answer_after(self._chance.uniform(*QUICK_S), command_id, self._opened(command_id, command))
            case CloseRecording():
                self.laid_ready.discard(command.path)
            case MeasureMessage():
                said_s = self.recorded.get(command.path, 0.0)
                measured = MessageMeasured(command=command_id, duration_s=said_s if said_s >= MESSAGE_MIN_S else 0.0)
                self._answer_after(self._chance.uniform(*QUICK_S), command_id, measured)
            case _:
                assert_never(command)

    def facts(self, sheet: FactSheet) -> FactSheet:
        """Of a number on no list: somebody in the country, who by chance does not want to be called."""
        chance, dialing = self._chance, self._settings.dialing
        listed = (Listing(campaign=None, at_utc_s=sheet.read_utc_s - chance.uniform(0.0, DAY_S)),)
        return replace(
            sheet,
            line_type=chance.choice((LineType.MOBILE, LineType.FIXED, LineType.FIXED_OR_MOBILE, LineType.UNKNOWN)),
            region=dialing.country if dialing is not None else "",
            zones=(self._settings.timezone,),
            zone_source=ZoneSource.NUMBER,
            listings=listed if chance.random() < LISTED_RATIO else (),
        )

    def _opened(self, command_id: CommandId, command: OpenRecording) -> RecordingOpened:
        chance, beside = self._chance, command.beside
        end = OpenEnd.OPENED if chance.random() < 0.7 else chance.choice(tuple(OpenEnd))
        if end is OpenEnd.NONE or end is OpenEnd.FAILED:
            return RecordingOpened(command=command_id, end=end)
        number = InteractionId(1 if beside is None else max(1, beside.interaction + (1 if command.is_newer else -1)))
        agents = (command.agent, chance.choice(list(self._settings.agents)))
        kept = KeptRecording(interaction=number)
        if end is not OpenEnd.OPENED:
            return RecordingOpened(command=command_id, end=end, kept=kept, agents=agents)
        path = f"/rec/.heard/{command_id.seq}-{command_id.place}"
        self.laid_ready.add(path)
        return RecordingOpened(
            command=command_id, end=end, kept=kept, agents=agents, path=path, duration_s=chance.uniform(5.0, 300.0)
        )

    def daemon_died(self) -> None:
        for entry in self._under_way.values():
            entry.cancel()
        self._under_way.clear()
        self.laid_ready.clear()

    def _answer_after(self, after_s: float, command_id: CommandId, event: Event) -> None:
        self._under_way[command_id] = self._agenda.after(after_s, self._answer, command_id, event)

    def _answer(self, command_id: CommandId, event: Event) -> None:
        del self._under_way[command_id]
        self._wire.own(event)

    # --- the answers --------------------------------------------------------------------------------------------------
    def look_up(self, look_up: LookUpId, parameters: Mapping[str, Value]) -> Answer:
        said = self._told.look_ups.get(look_up)
        if said is not None:
            return said(parameters)
        chance, shape = self._chance, self._settings.look_ups[look_up]
        is_slow = chance.random() < SLOW_RATIO
        after_s = shape.longest_s * chance.uniform(0.5, 1.0) if is_slow else min(chance.uniform(*QUICK_S), shape.longest_s)
        luck = chance.random()
        if luck < FOUND_RATIO:
            values = {name: self._value(type_) for name, type_ in shape.gives.items()}
            return Answer(end=LookUpEnd.FOUND, values=values, after_s=after_s)
        end = LookUpEnd.MISSING if luck < FOUND_RATIO + MISSING_RATIO else LookUpEnd.FAILED
        return Answer(end=end, after_s=after_s)

    def check(self, check: SecretCheck, digits: str) -> Judgement:
        right = self._told.secrets.get(check.look_up)
        if right is not None:
            return Judgement(is_ok=digits == right)
        chance = self._chance
        after_s = min(chance.uniform(*QUICK_S), self._settings.look_ups[check.look_up].longest_s)
        luck = chance.random()
        if luck < GOOD_RATIO:
            token = f"t{chance.randrange(10**9)}" if check.token_field else ""
            return Judgement(is_ok=True, token=token, after_s=after_s)
        if luck < GOOD_RATIO + WRONG_RATIO:
            return Judgement(is_ok=False, after_s=after_s)
        return Judgement(is_ok=None, is_failed=True, after_s=after_s)

    def run(self, script: RunScript) -> ScriptRun:
        said = self._told.scripts.get(script.script)
        if said is not None:
            return said(script.parameters)
        chance, luck = self._chance, self._chance.random()
        after_s = chance.uniform(*SCRIPT_S)
        if luck < DONE_RATIO and after_s < script.time_limit_s:
            words = self._words.get(script.script, ())
            result = chance.choice((*words, *words, "", "something else"))
            return ScriptRun(end=VerbEnd.DONE, result=result, values=self._values(script.script), after_s=after_s)
        if luck < DONE_RATIO + RAISES_RATIO:
            return ScriptRun(end=VerbEnd.FAILED, after_s=min(after_s, script.time_limit_s))
        return ScriptRun(end=VerbEnd.TIMEOUT, after_s=script.time_limit_s)

    def _values(self, script: str) -> dict[str, Value]:
        given = {}
        for name, type_ in self._given.get(script, {}).items():
            luck = self._chance.random()
            if luck >= MISFIT_RATIO / 2:
                given[name] = self._value(type_ if luck >= MISFIT_RATIO else self._chance.choice(list(ValueType)))
        return given

    def _value(self, type_: ValueType) -> Value:
        chance = self._chance
        if chance.random() < STRANGE_RATIO:
            return chance.choice(STRANGE[type_])
        match type_:
            case ValueType.TEXT:
                return chance.choice(TEXTS)
            case ValueType.NUMBER:
                return float(chance.randrange(500))
            case ValueType.TRUTH:
                return chance.random() < 0.5
            case _:
                assert_never(type_)


def _scripts(settings: Settings) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, ValueType]]]:
    """The words that lead somewhere, and the values that are wanted, by script."""
    words: dict[str, tuple[str, ...]] = {}
    given: dict[str, dict[str, ValueType]] = {}
    for flow in settings.flows.values():
        for node in flow.nodes.values():
            if isinstance(node, ScriptNode):
                words[node.script] = (*words.get(node.script, ()), *node.on)
                wanted = {name: flow.variables[variable] for variable, name in node.into.items()}
                given[node.script] = given.get(node.script, {}) | wanted
    return words, given
