"""The ways through a flow: from each node, by its own keys, by the flow's exits, out of queues and out of called flows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ccserver.config.exits import exits, exits_at_once, next_queue, reached_queues
from ccserver.core.ids import FlowId, NodeId, QueueId
from ccserver.core.ivr import operator_key
from ccserver.core.settings import (
    DIRECT,
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
    ExitKind,
    ExtensionNode,
    Flow,
    HangUpNode,
    HoursNode,
    LanguageChoiceNode,
    LanguageNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    QueueSettings,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SetNode,
    SurveyNode,
)

Queues = Mapping[QueueId, QueueSettings]
Flows = Mapping[FlowId, Flow]

NEEDED: Mapping[type, Mapping[str, str]] = {
    MenuNode: {"on_no_input": "no_input", "on_invalid": "invalid"},
    CollectNode: {"on_no_input": "no_input", "on_invalid": "invalid"},
    SecretNode: {"on_no_input": "no_input", "on_invalid": "invalid", "on_failure": "failure"},
    LookUpNode: {"on_failure": "failure"},
    ScriptNode: {"on_failure": "failure"},
    NumberNode: {"on_failure": "failure"},
    DoNotCallNode: {"on_failure": "failure"},
}
"""The ways out that a node must have, each with the flow's exit that stands in for it."""

ASKS = (MenuNode, CollectNode, SecretNode)
"""What a caller must answer to come on; from each of them a person can be reached."""
PEOPLE = (EnqueueNode, AgentNode, CallbackNode, MessageNode, NumberNode, ExtensionNode, ConferenceNode, ReturnNode)


def reached(starts: Sequence[NodeId], onward: Mapping[NodeId, Sequence[NodeId]]) -> list[NodeId]:
    """All nodes of the graph that can be reached from `starts`, these included, in the order in which they are met."""
    found = dict.fromkeys(starts)
    pending = list(found)
    while pending:
        for target in onward.get(pending.pop(), ()):
            if target not in found:
                found[target] = None
                pending.append(target)
    return list(found)


def way_out(node: Node, key: str, flow: Flow) -> NodeId | None:
    """The node's own way, or that of the flow's exits."""
    own: NodeId | None = getattr(node, key)
    return own if own is not None else getattr(flow.exits, NEEDED[type(node)][key])


def _ways_out(node: Node, flow: Flow) -> list[NodeId]:
    return [way for key in NEEDED.get(type(node), ()) if (way := way_out(node, key, flow)) is not None]


def operator(node: Node, flow: Flow) -> NodeId | None:
    """Where the operator's key leads from this node; None: it does not."""
    if not isinstance(node, MenuNode | CollectNode) or not operator_key(flow, node):
        return None
    return flow.exits.operator


def onward(node: Node, flow: Flow, queues: Queues) -> list[NodeId]:
    """The nodes that may come after this one, each once; those after a queue and after a called flow included."""
    found = [*_onward(node, queues), *_ways_out(node, flow)]
    at_operator = operator(node, flow)
    return list(dict.fromkeys(found if at_operator is None else [*found, at_operator]))


def _onward(node: Node, queues: Queues) -> list[NodeId]:
    match node:
        case SayNode() | LanguageNode() | LanguageChoiceNode() | CollectNode() | SecretNode() | SetNode() | SurveyNode():
            return [node.next]
        case DoNotCallNode():
            return [node.next]
        case MenuNode():
            return list(node.choices.values())
        case BranchNode():
            return [*(case.then for case in node.cases), node.otherwise]
        case HoursNode():
            return [node.on_open, node.on_closed, *_optional(node.on_holiday)]
        case ConsentNode():
            return [node.next, *_optional(node.on_refused)]
        case LookUpNode():
            return [node.on_found, *_optional(node.on_missing)]
        case ScriptNode():
            return [*node.on.values(), node.next]
        case CallNode():
            return list(node.on.values())
        case EnqueueNode() | CallbackNode():
            return _after_queue(node.queue, queues)
        case AgentNode():
            return _after_queue(DIRECT, queues) if node.on_no_answer is None else [node.on_no_answer]
        case MessageNode():
            return _optional(node.next)
        case NumberNode() | DoneNode() | ReturnNode() | ExtensionNode() | ConferenceNode() | HangUpNode():
            return []
        case _:
            assert_never(node)


def _optional(node: NodeId | None) -> list[NodeId]:
    return [] if node is None else [node]


def _after_queue(queue: QueueId, queues: Queues) -> list[NodeId]:
    ways = (way for each in reached_queues(queue, queues) for _, way in exits(queues.get(each)))
    return [NodeId(way.target) for way in ways if way.kind is ExitKind.NODE]


def door(node: Node) -> QueueId | None:
    """The queue whose exits apply to a call at this node."""
    if isinstance(node, EnqueueNode | CallbackNode):
        return node.queue
    return DIRECT if isinstance(node, AgentNode) and node.on_no_answer is None else None


# --- without a sound --------------------------------------------------------------------------------------------------
def silently_onward(node: Node, flow: Flow, queues: Queues, quiet: "Quiet") -> list[NodeId]:
    """Where a call may go from here at once, without having heard or done anything. A look-up takes time, but may answer at once; a
    script and a call outside may fail at once."""
    match node:
        case SayNode():
            return [] if node.say else [node.next]
        case LanguageNode() | HoursNode() | SetNode() | BranchNode() | LookUpNode():
            return onward(node, flow, queues)
        case AgentNode():
            return _silently_after_queue(DIRECT, queues) if node.on_no_answer is None else [node.on_no_answer]
        case ScriptNode() | NumberNode() | DoNotCallNode():
            return _ways_out(node, flow)
        case CallNode():
            silent = quiet.results(node.flow)
            return [target for result, target in node.on.items() if result in silent]
        case EnqueueNode():
            return _silently_after_queue(node.queue, queues)
        case _:
            return []


def _silently_after_queue(queue: QueueId, queues: Queues) -> list[NodeId]:
    found = []
    seen = {queue: None}
    pending = [queue]
    while pending:
        for _, way in exits_at_once(queues.get(pending.pop())):
            target = next_queue(way)
            if way.prompt is None and target is not None and target not in seen:
                seen[target] = None
                pending.append(target)
            elif way.prompt is None and way.kind is ExitKind.NODE:
                found.append(NodeId(way.target))
    return found


@dataclass(slots=True)
class Quiet:
    """The results that a called flow may give without having said anything. For flows whose calls have no circle."""

    flows: Flows
    queues: Queues
    _known: dict[FlowId, frozenset[str]] = field(default_factory=dict)

    def results(self, name: FlowId) -> frozenset[str]:
        """None of them for a flow that could not be read."""
        if name not in self._known:
            flow = self.flows.get(name)
            self._known[name] = frozenset()  # while it is worked out: of a flow that calls itself
            if flow is not None:
                silent = self.reached(flow)
                self._known[name] = frozenset(node.result for at in silent if isinstance(node := flow.nodes.get(at), DoneNode))
        return self._known[name]

    def onward(self, flow: Flow) -> Mapping[NodeId, list[NodeId]]:
        """`silently_onward` of all nodes."""
        return {name: silently_onward(node, flow, self.queues, self) for name, node in flow.nodes.items()}

    def reached(self, flow: Flow) -> list[NodeId]:
        """The nodes that a call may come to without having heard anything."""
        return reached([flow.start], self.onward(flow))
