"""Nodes of flows that decide, compute and ask outside: branch, hours, language, set, look_up, script, call, done."""

from collections.abc import Mapping
from typing import NamedTuple

from ccserver.config import kinds
from ccserver.config.asking_nodes import Values, field_name, given_values, look_up, next_node, node
from ccserver.config.expression_kind import ExpressionText, variable, variable_name
from ccserver.config.kinds import NAME_PATTERN, duration
from ccserver.config.positions import Node, PathInFile, Table
from ccserver.config.schema import Field, Flag, Group, ListOf, MapOf, Reader, Text, got, hinted
from ccserver.config.ways import priority, requirement
from ccserver.core.expressions import ValueType
from ccserver.core.ids import FlowId, HoursId, LookUpId, NodeId, QueueId
from ccserver.core.settings import (
    EVERYBODY,
    BranchNode,
    CallNode,
    Case,
    DoneNode,
    HoursNode,
    LanguageNode,
    LookUpNode,
    Requirement,
    ScriptNode,
    SetNode,
)
from ccserver.core.settings import Node as FlowNode

result = Text("a word for a result", str, NAME_PATTERN, 40, "found")
script_name = Text(
    "a function of a script", str, r"[A-Za-z_][A-Za-z0-9_]{0,39}\.[A-Za-z_][A-Za-z0-9_]{0,39}", 81, "orders.check"
)
_failure = Field("on_failure", kinds.node_name, "The node when it failed; without it `exits.failure`.", default=None)
_into = MapOf(variable, field_name, "variables", 30)


# --- making -----------------------------------------------------------------------------------------------------------
class HoursOf(NamedTuple):
    """Whose hours decide; both None: those of the called number."""

    hours: HoursId | None = None
    queue: QueueId | None = None


class _HoursOf:
    """The name of opening hours, or a table that says whose."""

    expected = "the name of opening hours, {queue: …} or {did: true}"
    _queue = Group("a queue's hours", lambda queue: HoursOf(queue=queue), [Field("queue", kinds.queue, "Those of this queue.")])

    def read(self, reader: Reader, node: Node, path: PathInFile) -> HoursOf | None:
        if not isinstance(node, Table):
            name = kinds.hours_name.read(reader, node, path)
            return None if name is None else HoursOf(hours=name)
        if list(node.entries) == ["did"]:
            is_so = Flag().read(reader, node.entries["did"][1], (*path, "did"))
            if is_so is False:
                reader.tell((*path, "did"), "expected did: true, got false (name the hours instead)", node.entries["did"][0])
            return HoursOf() if is_so else None
        if "queue" in node.entries:
            return self._queue.read(reader, node, path)
        reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", "for example hours: office"), node.mark)
        return None


class _Changes(NamedTuple):
    requires: Requirement
    priority: int | None
    variables: Values
    data: Values
    serves: bool


def _changes(requires: Requirement, priority: int | None, variables: Values, data: Values, serves: bool) -> _Changes:
    if requires == EVERYBODY and priority is None and not variables and not data and not serves:
        raise ValueError("expected requires, priority, variables, data or serves, got none of them (for example {priority: 5})")
    return _Changes(requires, priority, variables, data, serves)


def _set_node(set: _Changes, next: NodeId) -> FlowNode:
    return SetNode(next=next, **set._asdict())


def _hours_node(hours: HoursOf, on_open: NodeId, on_closed: NodeId, on_holiday: NodeId | None) -> FlowNode:
    return HoursNode(hours=hours.hours, queue=hours.queue, on_open=on_open, on_closed=on_closed, on_holiday=on_holiday)


def _branch(branch: tuple[Case, ...], otherwise: NodeId) -> FlowNode:
    if not branch:
        raise ValueError("expected a case or more under branch, got none (for example {when: amount > 100, then: other})")
    return BranchNode(cases=branch, otherwise=otherwise)


def _look_up(look_up: LookUpId, **given: object) -> FlowNode:
    return LookUpNode(look_up=look_up, parameters=given.pop("with"), **given)  # type: ignore[arg-type]


def _script(script: str, **given: object) -> FlowNode:
    return ScriptNode(script=script, parameters=given.pop("with"), **given)  # type: ignore[arg-type]


def _call(call: FlowId, into: Mapping[str, str], on: Mapping[str, NodeId], **given: Values) -> FlowNode:
    return CallNode(flow=call, on=on, parameters=given["with"], into=into)


# --- the nodes --------------------------------------------------------------------------------------------------------
language = node("a language node", LanguageNode, [Field("language", kinds.language, "Spoken from here on."), next_node])
branch = node(
    "a branch node",
    _branch,
    [
        Field(
            "branch",
            ListOf(
                Group(
                    "a case",
                    Case,
                    [
                        Field("when", ExpressionText(ValueType.TRUTH), "A condition."),
                        Field("then", kinds.node_name, "The node where it holds."),
                    ],
                ),
                50,
            ),
            "Cases in order: the first whose condition holds decides.",
        ),
        Field("otherwise", kinds.node_name, "The node where none holds."),
    ],
)
hours = node(
    "an hours node",
    _hours_node,
    [
        Field(
            "hours",
            _HoursOf(),
            "The hours that decide: a name, `{queue: sales}`, or `{did: true}` for those of the called number.",
        ),
        Field("on_open", kinds.node_name, "The node within these hours."),
        Field("on_closed", kinds.node_name, "The node outside them."),
        Field("on_holiday", kinds.node_name, "The node on public holidays when closed; without it `on_closed`.", default=None),
    ],
)
set_ = node(
    "a set node",
    _set_node,
    [
        Field(
            "set",
            Group(
                "what is set",
                _changes,
                [
                    Field(
                        "requires",
                        requirement,
                        "Required of the agent from here on, beside the queue's conditions.",
                        default=EVERYBODY,
                    ),
                    Field(
                        "priority", priority, "The call's priority from here on, 0 to 10; without it, as it was.", default=None
                    ),
                    Field(
                        "variables",
                        MapOf(variable, ExpressionText(), "variables", 50),
                        "New values of variables, one after the other.",
                        default={},
                    ),
                    Field(
                        "data",
                        MapOf(variable_name, ExpressionText(), "values", 50),
                        "Values told with the notices, and shown on the agent's screen.",
                        default={},
                    ),
                    Field(
                        "serves",
                        Flag(),
                        "true: what the caller came for is done; who hangs up from here on counts as served by the flow.",
                        default=False,
                    ),
                ],
            ),
            "What is asked of the agent, how urgent the call is, and what is known of it, from here on.",
        ),
        next_node,
    ],
)
look_up_node = node(
    "a look_up node",
    _look_up,
    [
        Field("look_up", look_up, "The look-up that is asked."),
        given_values,
        Field("into", _into, "The field that each variable takes.", default={}),
        Field("on_found", kinds.node_name, "The node when it found something."),
        Field("on_missing", kinds.node_name, "The node when it found nothing; without it as `on_failure`.", default=None),
        _failure,
        Field("music", kinds.word, "Heard by callers who wait longer than a moment.", default="default"),
    ],
)
script = node(
    "a script node",
    _script,
    [
        Field(
            "script", script_name, "The function (`module.function`) of `scripts_dir` that is run with the caller on the line."
        ),
        given_values,
        Field("into", _into, "The returned value that each variable takes.", default={}),
        Field("on", MapOf(result, kinds.node_name, "results", 50), "The node for each word that it returns.", default={}),
        Field("next", kinds.node_name, "The node for all other words, and for none."),
        _failure,
        Field("time_limit_s", duration(1, 3600, "30"), "It fails after so long.", default=30.0),
    ],
)
call = node(
    "a call node",
    _call,
    [
        Field("call", kinds.flow, "The flow that is gone through; then the call comes back here."),
        given_values,
        Field(
            "into",
            MapOf(variable, variable_name, "variables", 30),
            "What each variable takes of what that flow `gives`.",
            default={},
        ),
        Field("on", MapOf(result, kinds.node_name, "results", 50), "The node for each result of that flow.", default={}),
    ],
)
done = node(
    "a done node", lambda done: DoneNode(result=done), [Field("done", result, "The end of a called flow, with this result.")]
)
