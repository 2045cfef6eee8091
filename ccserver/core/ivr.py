"""The IVR's stepper: from a node of a flow to the next one that takes time. Pure.

A flow is a graph of nodes. Those that take no time (language, hours, branch, set, and the way into another flow and back) are walked
through at once; the walk stops at a node that speaks, asks, waits or leads away, and says what is known of the caller by then. So
a walk always ends: each node counts as a step of the call, and a call has so many (`Limits.menu_steps_max`). At the limit the flow's
failure exit is taken, with a few steps more; without one, or past those, the walk stops at `Overrun`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ccserver.core import requirements
from ccserver.core.change import replace
from ccserver.core.expressions import NOTHING, Look, Value, evaluate, fitted, type_of
from ccserver.core.ids import FlowId, Language, NodeId
from ccserver.core.records import FlowStep, StepHow
from ccserver.core.settings import (
    EVERYBODY,
    AgentNode,
    BranchNode,
    CallbackNode,
    CallNode,
    CollectNode,
    ConferenceNode,
    ConsentNode,
    DoneNode,
    DoNotCallNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
    HangUpNode,
    HoursNode,
    LanguageChoiceNode,
    LanguageNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    NumberNode,
    Requirement,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SetNode,
    SurveyKind,
    SurveyNode,
)
from ccserver.core.state import Frame

GRACE_STEPS = 20
"""Nodes on the way out of a call that went through too many."""
FRAMES_MAX = 8
"""Flows within flows; the check of the settings allows no more."""
DATA_MAX = 50
"""Texts that a flow tells with the notices."""

ANSWERS: Mapping[SurveyKind, Mapping[str, int]] = {
    SurveyKind.CSAT: {str(score): score for score in range(1, 6)},
    SurveyKind.NPS: {str(score): score for score in range(11)},
    SurveyKind.FCR: {"1": 1, "2": 0},
}
"""What is typed, and the score it is kept as."""


class Overrun:
    """The call went through more nodes than a call may, or its flow has no way on."""


Stop = (
    SayNode
    | MenuNode
    | LanguageChoiceNode
    | CollectNode
    | SecretNode
    | LookUpNode
    | EnqueueNode
    | CallbackNode
    | MessageNode
    | AgentNode
    | NumberNode
    | ScriptNode
    | SurveyNode
    | ConsentNode
    | DoNotCallNode
    | DoneNode
    | ReturnNode
    | ExtensionNode
    | ConferenceNode
    | HangUpNode
    | Overrun
)
"""Where a walk stops. A DoneNode only when no flow waits for it."""


class Hours(Protocol):
    """What an hours node goes by: asked for the node as it is written."""

    def is_open(self, node: HoursNode) -> bool: ...
    def is_holiday(self, node: HoursNode) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Where a caller is in the flows, and what the flows know of them. `requires` and `priority` are what the nodes gone through ask for
    (None: as before). `node` None: the flow has no such way."""

    flow: FlowId
    node: NodeId | None
    language: Language
    variables: Mapping[str, Value]
    frames: tuple[Frame, ...]
    steps: int
    path: tuple[FlowStep, ...] = ()
    requires: Requirement = EVERYBODY
    priority: int | None = None
    data: Mapping[str, str]
    is_served: bool = False


def walk(at: Walk, flows: Mapping[FlowId, Flow], *, look: Look, hours: Hours, steps_max: int) -> tuple[Walk, Stop]:
    """Go on from `at.node` to the first node that takes time. `look` knows every name but the variables of the flow."""
    while True:
        flow = flows.get(at.flow)
        node = flow.nodes.get(at.node) if flow is not None and at.node is not None else None
        if flow is None or node is None:
            return at, Overrun()
        if at.steps >= steps_max + GRACE_STEPS:
            return at, Overrun()
        if at.steps == steps_max:
            at = replace(at, steps=at.steps + 1, node=flow.exits.failure)
            continue
        at = replace(at, steps=at.steps + 1)
        match node:
            case LanguageNode():
                at = _left(replace(at, language=node.language), node.next)
            case HoursNode():
                at = _left(at, _by_hours(node, hours))
            case BranchNode():
                at = _left(at, _branch(node, scope(flow, at.variables, look)))
            case SetNode():
                at = _left(_set(at, flow, node, look), node.next)
            case CallNode():
                at = _called(at, flow, node, flows, look)
            case DoneNode() if at.frames:
                at = _returned(at, flow, node, flows)
            case _:
                return at, node


def scope(flow: Flow, variables: Mapping[str, Value], look: Look) -> Look:
    """The values of all names in a flow: a variable that was not set is empty, 0 or false."""

    def value(name: str) -> Value:
        type_ = flow.variables.get(name)
        return look(name) if type_ is None else variables.get(name, NOTHING[type_])

    return value


def kept(flow: Flow, variables: Mapping[str, Value], new: Mapping[str, object]) -> dict[str, Value] | None:
    """The variables with new values; None where one of them is no value of its variable's type, or there is no such variable."""
    result = dict(variables)
    for name, given in new.items():
        type_ = flow.variables.get(name)
        value = fitted(given, type_) if type_ is not None else None
        if value is None:
            return None
        result[name] = value
    return result


def left(at: Walk, to: NodeId | None, how: StepHow, repeats: int) -> Walk:
    """Out of a node that took time, after so many tries that led to another try."""
    assert at.node is not None
    return replace(at, path=(*at.path, FlowStep(at.flow, at.node, how, repeats)), node=to)


def _left(at: Walk, to: NodeId) -> Walk:
    return left(at, to, StepHow.PASSED, 0)


def _by_hours(node: HoursNode, hours: Hours) -> NodeId:
    if hours.is_open(node):
        return node.on_open
    return node.on_holiday if node.on_holiday is not None and hours.is_holiday(node) else node.on_closed


def _branch(node: BranchNode, look: Look) -> NodeId:
    return next((case.then for case in node.cases if evaluate(case.when, look)), node.otherwise)


def _set(at: Walk, flow: Flow, node: SetNode, look: Look) -> Walk:
    variables = dict(at.variables)
    for name, expression in node.variables.items():
        variables[name] = evaluate(expression, scope(flow, variables, look))
    data = dict(at.data)
    for name, expression in node.data.items():
        if name in data or len(data) < DATA_MAX:
            data[name] = as_shown(evaluate(expression, scope(flow, variables, look)))
    return replace(
        at,
        variables=variables,
        data=data,
        requires=requirements.all_of((at.requires, node.requires)),
        priority=at.priority if node.priority is None else node.priority,
        is_served=at.is_served or node.serves,
    )


def as_shown(value: Value) -> str:
    """A value as a text."""
    shown = fitted(value, type_of(""))
    assert isinstance(shown, str)
    return shown


def _called(at: Walk, flow: Flow, node: CallNode, flows: Mapping[FlowId, Flow], look: Look) -> Walk:
    assert at.node is not None
    known = flows.get(node.flow)
    if known is None or len(at.frames) >= FRAMES_MAX:
        return left(at, flow.exits.failure, StepHow.FAILED, 0)
    values = {name: evaluate(each, scope(flow, at.variables, look)) for name, each in node.parameters.items()}
    frame = Frame(flow=at.flow, node=at.node, variables=at.variables)
    return replace(at, flow=node.flow, node=known.start, variables=values, frames=(*at.frames, frame))


def _returned(at: Walk, flow: Flow, node: DoneNode, flows: Mapping[FlowId, Flow]) -> Walk:
    """Back into the flow that waits, which still has its call: a passage stays in one version of the settings."""
    frame = at.frames[-1]
    call = flows[frame.flow].nodes[frame.node]
    assert isinstance(call, CallNode)
    given = scope(flow, at.variables, lambda name: "")
    variables = {**frame.variables, **{name: given(theirs) for name, theirs in call.into.items()}}
    at = replace(
        left(at, call.on.get(node.result), StepHow.PASSED, 0), flow=frame.flow, frames=at.frames[:-1], variables=variables
    )
    step = FlowStep(frame.flow, frame.node, StepHow.PASSED)
    return replace(at, path=(*at.path, step))


# --- what keys mean ---------------------------------------------------------------------------------------------------
def complete_choices(choices: Mapping[str, object]) -> tuple[str, ...]:
    """The choices that no longer one begins with: typed, they need no further digit."""
    return tuple(sorted(c for c in choices if not any(o != c and o.startswith(c) for o in choices)))


def operator_key(flow: Flow, node: MenuNode | CollectNode | SurveyNode | ConsentNode | LanguageChoiceNode) -> str:
    """The key that leads to a person from this node; empty: there is none, or the node uses it itself."""
    key = flow.exits.operator_key if flow.exits.operator is not None else ""
    if isinstance(node, MenuNode):
        return key if not any(choice.startswith(key) or key.startswith(choice) for choice in node.choices) else ""
    if isinstance(node, CollectNode):
        is_used = key.isdigit() and len(key) >= node.min_digits
        return "" if is_used or node.terminator in key else key
    return ""
