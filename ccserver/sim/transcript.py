"""The transcript of a walk: line by line what the caller hears and does, and which nodes of which flow they came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import FlowId
from ccserver.core.records import FlowStep, StepHow
from ccserver.core.settings import CallNode, DoneNode, Flow


class LineKind(Enum):
    NODE = "node"  # came to a node
    LEFT = "left"  # left one otherwise than it is meant
    SAYS = "says"
    ASKS = "asks"
    TYPES = "types"
    SPEAKS = "speaks"
    WAITS = "waits"
    MUSIC = "music"
    LOOKS_UP = "looks_up"
    SCRIPT = "script"
    ANSWERED = "answered"  # a survey
    QUEUE = "queue"
    ENDS = "ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the transcript, `at_s` seconds after the call came in. `prompts` are the ids of those that are said."""

    at_s: float
    kind: LineKind
    text: str
    prompts: tuple[str, ...] = ()


class Stand(Enum):
    """Where a caller is."""

    NODE = "node"
    QUEUE = "queue"
    AGENT = "agent"
    NUMBER = "number"
    EXTENSION = "extension"
    HUNG_UP = "hung up"  # by the center
    CALLER_GONE = "caller gone"


@dataclass(frozen=True, slots=True)
class Standing:
    """`of` is the node (`main/menu`), the queue, the agent…; empty for HUNG_UP and CALLER_GONE."""

    at: Stand
    of: str = ""

    def __str__(self) -> str:
        return f"{self.at.value} {self.of}".rstrip()


IS_OVER = frozenset({Stand.AGENT, Stand.NUMBER, Stand.EXTENSION, Stand.HUNG_UP, Stand.CALLER_GONE})


class Transcript:
    """`lines` so far. Nodes are told as the core keeps them: those that were left, then the one the caller is at."""

    def __init__(self, flows: Mapping[FlowId, Flow]) -> None:
        self.lines: list[Line] = []
        self._flows = flows
        self._told = 0

    def tell(self, at_s: float, kind: LineKind, text: str, prompts: tuple[str, ...] = ()) -> None:
        self.lines.append(Line(at_s=round(at_s, 1), kind=kind, text=text, prompts=prompts))

    def way(self, at_s: float, steps: tuple[FlowStep, ...], *, is_over: bool) -> None:
        """The way of one passage as far as it is known; what is new of it is told. `is_over`: the next one begins anew.

        The last node that was told may have been left since, and it was not known how.
        """
        if self._told and len(steps) >= self._told:
            self._left(at_s, steps[self._told - 1], is_left=is_over or len(steps) > self._told)
        for number, step in enumerate(steps[self._told :], self._told + 1):
            self.tell(at_s, LineKind.NODE, self._shown(step, is_left=number < len(steps)))
            self._left(at_s, step, is_left=number < len(steps))
        self._told = 0 if is_over else max(self._told, len(steps))

    def _left(self, at_s: float, step: FlowStep, *, is_left: bool) -> None:
        if is_left and step.how is not StepHow.PASSED:
            self.tell(at_s, LineKind.LEFT, step.how.value.replace("_", " "))

    def _shown(self, step: FlowStep, *, is_left: bool) -> str:
        node = self._flows[step.flow].nodes.get(step.node)
        if isinstance(node, CallNode) and is_left:
            return f"{step.flow}/{step.node} (back from {node.flow})"
        return f"{step.flow}/{step.node}" + (f" ({node.result})" if isinstance(node, DoneNode) else "")
