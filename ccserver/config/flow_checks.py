"""IVR flows as graphs: every node can be reached, nobody walks in silence for ever, exits of queues arrive somewhere."""

from collections.abc import Mapping

from ccserver.config.circles import circles
from ccserver.config.exits import all_queues, exits, exits_at_once, next_queue, place_of, reached_queues
from ccserver.config.positions import quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.ids import FlowId, NodeId, QueueId
from ccserver.core.settings import (
    DIRECT,
    AgentNode,
    AnswerPolicy,
    EnqueueNode,
    ExitKind,
    Flow,
    HoursNode,
    LanguageNode,
    MenuNode,
    Node,
    QueueSettings,
    ReturnNode,
    SayNode,
    SetNode,
)


def check_flows(document: Document, reader: Reader) -> None:
    """Tell the reader what is wrong with the shape of each flow. A flow of which a node could not be read is left alone:
    its shape is not known."""
    queues = all_queues(document)
    for name, flow in document.flows.items():
        names = reader.names.get(("flows", name, "nodes"), [])
        if len(names) != len(flow.nodes) or flow.start not in flow.nodes:
            continue
        if not reader.has_problem(("flows", name)):
            _unreachable(name, flow, queues, reader)
        _silent_circles(name, flow, queues, reader)
        _exits_of_queues(name, flow, queues, reader)
    _answer_policies(document, reader)
    _started(document, reader)
    _returns(document, reader)


# --- edges of the graph -----------------------------------------------------------------------------------------------
def onward(node: Node, queues: Mapping[QueueId, QueueSettings]) -> list[NodeId]:
    """The nodes that may come after this one, in the order of the file; those after a queue included."""
    match node:
        case SayNode() | LanguageNode() | SetNode():
            return [node.next]
        case MenuNode():
            return [*node.choices.values(), node.on_no_input, node.on_invalid]
        case HoursNode():
            return [node.on_open, node.on_closed]
        case EnqueueNode():
            return _after_queue(node.queue, queues)
        case AgentNode():
            return [] if node.on_no_answer is None else [node.on_no_answer]
        case _:
            return []


def _after_queue(queue: QueueId, queues: Mapping[QueueId, QueueSettings]) -> list[NodeId]:
    ways = (way for each in reached_queues(queue, queues) for _, way in exits(queues.get(each)))
    return [NodeId(way.target) for way in ways if way.kind is ExitKind.NODE]


def _silently_onward(node: Node, queues: Mapping[QueueId, QueueSettings]) -> list[NodeId]:
    """Where a call may go from here at once, without having heard or done anything."""
    match node:
        case SayNode():
            return [] if node.say else [node.next]
        case LanguageNode() | HoursNode() | SetNode() | AgentNode():
            return onward(node, queues)
        case EnqueueNode():
            found = []
            seen = [node.queue]
            for each in seen:
                for _, way in exits_at_once(queues.get(each)):
                    target = next_queue(way)
                    if way.prompt is None and target is not None and target not in seen:
                        seen.append(target)
                    elif way.prompt is None and way.kind is ExitKind.NODE:
                        found.append(NodeId(way.target))
            return found
        case _:
            return []


# --- the checks -------------------------------------------------------------------------------------------------------
def _unreachable(name: FlowId, flow: Flow, queues: Mapping[QueueId, QueueSettings], reader: Reader) -> None:
    reached = [flow.start]
    for each in reached:
        node = flow.nodes.get(each)
        if node is not None:
            reached.extend(target for target in dict.fromkeys(onward(node, queues)) if target not in reached)
    for each in flow.nodes:
        if each not in reached:
            message = f"expected a node that can be reached from {flow.start}, got one that cannot"
            reader.tell(("flows", name, "nodes", each), hinted(message, "lead to it from another node, or remove it"))


def _silent_circles(name: FlowId, flow: Flow, queues: Mapping[QueueId, QueueSettings], reader: Reader) -> None:
    silent = {each: _silently_onward(node, queues) for each, node in flow.nodes.items()}
    for circle in circles(silent):
        shown = " -> ".join([*circle, circle[0]])
        message = f"expected nodes that say something or wait, got the silent circle {shown}"
        reader.tell(("flows", name, "nodes", circle[0]), hinted(message, "let one of them say something, or end the call"))


def _exits_of_queues(name: FlowId, flow: Flow, queues: Mapping[QueueId, QueueSettings], reader: Reader) -> None:
    doors = (queue for node in flow.nodes.values() if (queue := _door(node)) is not None)
    entered = dict.fromkeys(queue for door in doors for queue in reached_queues(door, queues))
    for queue in entered:
        for key, way in exits(queues.get(queue)):
            if way.kind is ExitKind.NODE and way.target not in flow.nodes:
                near = nearest(way.target, flow.nodes)
                hint = f"did you mean {near}?" if near else f"callers reach this queue by the flow {name}; add the node there"
                message = f"expected a node of the flow {name}, got {quoted(way.target)}"
                reader.tell((*place_of(queue), *key, "node"), hinted(message, hint))


def _door(node: Node) -> QueueId | None:
    """The queue whose exits apply to a call at this node."""
    if isinstance(node, EnqueueNode):
        return node.queue
    return DIRECT if isinstance(node, AgentNode) and node.on_no_answer is None else None


def _answer_policies(document: Document, reader: Reader) -> None:
    for number, did in document.dids.items():
        flow = document.flows.get(did.flow)
        if flow is None or did.answer is AnswerPolicy.AT_ONCE:
            continue
        where = ("dids", number, "answer")
        message = f"expected at_once for the flow {did.flow}, got {did.answer.value}"
        asks = [each for each, node in flow.nodes.items() if isinstance(node, MenuNode)]
        queued = [
            each
            for each, node in flow.nodes.items()
            if isinstance(node, EnqueueNode | AgentNode) and did.answer is AnswerPolicy.NEVER
        ]
        says = [each for each, node in flow.nodes.items() if isinstance(node, SayNode) and node.say]
        if asks:
            reader.tell(where, hinted(message, f"its node {asks[0]} asks for keys, which needs an answered call"))
        elif queued:
            reader.tell(
                where, hinted(message, f"its node {queued[0]} puts the call into a queue, which needs an answered call")
            )
        elif says:
            reader.warn(where, hinted(message, f"what its node {says[0]} says may not be heard"))


def _started(document: Document, reader: Reader) -> None:
    started = {did.flow for did in document.dids.values()} | set(document.sendable_flows.values())
    for queue in all_queues(document).values():
        started |= {FlowId(way.target) for _, way in exits(queue) if way.kind is ExitKind.FLOW}
    for name in document.flows:
        if name not in started and document.dids and not reader.has_problem(("dids",)):
            reader.warn(("flows", name), "expected a number under dids that starts it, got none (it is never heard)")


def _returns(document: Document, reader: Reader) -> None:
    sent = set(document.sendable_flows.values())
    for name, flow in document.flows.items():
        back = [each for each, node in flow.nodes.items() if isinstance(node, ReturnNode)]
        if back and name not in sent:
            message = "expected a flow of sendable_flows around a return node, got another (its callers are released there)"
            reader.warn(("flows", name, "nodes", back[0]), message)
    for code, name in document.sendable_flows.items():
        sendable = document.flows.get(name)
        if sendable is None or reader.has_problem(("flows", name)):
            continue
        if not any(isinstance(node, ReturnNode) for node in sendable.nodes.values()):
            message = f"expected a flow with a return node, got {name} (its customers do not come back to the agent)"
            reader.warn(("sendable_flows", code), message)
