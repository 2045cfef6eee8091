"""IVR flows as graphs: every node can be reached, nobody walks in silence for ever, exits of queues arrive somewhere."""

from collections.abc import Iterator, Mapping, Sequence

from ccserver.config.circles import circles
from ccserver.config.positions import quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.ids import FlowId, NodeId, QueueId
from ccserver.core.settings import (
    AnswerPolicy,
    EnqueueNode,
    Exit,
    ExitKind,
    Flow,
    HoursNode,
    LanguageNode,
    MenuNode,
    Node,
    QueueSettings,
    SayNode,
)

_AT_ONCE = ("on_full", "on_closed", "on_unstaffed")  # exits that may be taken without any waiting
_ALL_EXITS = (*_AT_ONCE, "on_max_wait")


def check_flows(document: Document, reader: Reader) -> None:
    """Tell the reader what is wrong with the shape of each flow. A flow of which a node could not be read is left alone:
    its shape is not known."""
    for name, flow in document.flows.items():
        names = reader.names.get(("flows", name, "nodes"), [])
        if len(names) != len(flow.nodes) or flow.start not in flow.nodes:
            continue
        if not reader.has_problem(("flows", name)):
            _unreachable(name, flow, document.queues, reader)
        _silent_circles(name, flow, document.queues, reader)
        _exits_of_queues(name, flow, document.queues, reader)
    _answer_policies(document, reader)
    started = {did.flow for did in document.dids.values()}
    for name in document.flows:
        if name not in started and document.dids and not reader.has_problem(("dids",)):
            reader.warn(("flows", name), "expected a number under dids that starts it, got none (it is never heard)")


# --- edges of the graph -----------------------------------------------------------------------------------------------
def reached_queues(queue: QueueId, queues: Mapping[QueueId, QueueSettings]) -> list[QueueId]:
    """The queue and all to which its callers may be sent on."""
    found = [queue]
    for each in found:
        for _, way in _exits(queues.get(each), _ALL_EXITS):
            if way.kind is ExitKind.QUEUE and QueueId(way.target) not in found:
                found.append(QueueId(way.target))
    return found


def _exits(queue: QueueSettings | None, keys: Sequence[str]) -> Iterator[tuple[str, Exit]]:
    for key in keys:
        way: Exit | None = getattr(queue, key) if queue is not None else None
        if way is not None:
            yield key, way


def onward(node: Node, queues: Mapping[QueueId, QueueSettings]) -> list[NodeId]:
    """The nodes that may come after this one, in the order of the file; those after a queue included."""
    match node:
        case SayNode() | LanguageNode():
            return [node.next]
        case MenuNode():
            return [*node.choices.values(), node.on_no_input, node.on_invalid]
        case HoursNode():
            return [node.on_open, node.on_closed]
        case EnqueueNode():
            ways = (way for queue in reached_queues(node.queue, queues) for _, way in _exits(queues.get(queue), _ALL_EXITS))
            return [NodeId(way.target) for way in ways if way.kind is ExitKind.NODE]
        case _:
            return []


def _silently_onward(node: Node, queues: Mapping[QueueId, QueueSettings]) -> list[NodeId]:
    """Where a call may go from here at once, without having heard or done anything."""
    match node:
        case SayNode():
            return [] if node.say else [node.next]
        case LanguageNode() | HoursNode():
            return onward(node, queues)
        case EnqueueNode():
            found = []
            seen = [node.queue]
            for each in seen:
                for _, way in _exits(queues.get(each), _AT_ONCE):
                    if way.prompt is None and way.kind is ExitKind.QUEUE and QueueId(way.target) not in seen:
                        seen.append(QueueId(way.target))
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
    entered = dict.fromkeys(
        queue for node in flow.nodes.values() if isinstance(node, EnqueueNode) for queue in reached_queues(node.queue, queues)
    )
    for queue in entered:
        for key, way in _exits(queues.get(queue), _ALL_EXITS):
            if way.kind is ExitKind.NODE and way.target not in flow.nodes:
                near = nearest(way.target, flow.nodes)
                hint = f"did you mean {near}?" if near else f"callers reach this queue by the flow {name}; add the node there"
                message = f"expected a node of the flow {name}, got {quoted(way.target)}"
                reader.tell(("queues", queue, key, "node"), hinted(message, hint))


def _answer_policies(document: Document, reader: Reader) -> None:
    for number, did in document.dids.items():
        flow = document.flows.get(did.flow)
        if flow is None or did.answer is AnswerPolicy.AT_ONCE:
            continue
        where = ("dids", number, "answer")
        message = f"expected at_once for the flow {did.flow}, got {did.answer.value}"
        asks = [each for each, node in flow.nodes.items() if isinstance(node, MenuNode)]
        queued = [
            each for each, node in flow.nodes.items() if isinstance(node, EnqueueNode) and did.answer is AnswerPolicy.NEVER
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
