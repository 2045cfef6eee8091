"""Flows that go through other flows: without circles, not too deep, and back by exactly the results that there are."""

from collections.abc import Iterator, Mapping

from ccserver.config.circles import circles
from ccserver.config.flow_ways import Flows
from ccserver.config.positions import quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.ids import FlowId, NodeId
from ccserver.core.ivr import FRAMES_MAX
from ccserver.core.settings import CallNode, DoneNode, Flow


def calls(flow: Flow) -> Iterator[tuple[NodeId, CallNode]]:
    """The nodes at which it goes through another flow."""
    return ((at, node) for at, node in flow.nodes.items() if isinstance(node, CallNode))


def results(flow: Flow) -> dict[str, NodeId]:
    """What the flow can end with, each with the first node that says so."""
    found: dict[str, NodeId] = {}
    for at, node in flow.nodes.items():
        if isinstance(node, DoneNode):
            found.setdefault(node.result, at)
    return found


def within(name: FlowId, flows: Flows) -> list[FlowId]:
    """The flow and all that its callers may go through, by calls."""
    found = dict.fromkeys([name])
    pending = [name]
    while pending:
        flow = flows.get(pending.pop())
        for _, node in calls(flow) if flow is not None else ():
            if node.flow not in found and node.flow in flows:
                found[node.flow] = None
                pending.append(node.flow)
    return list(found)


def check_calls(document: Document, reader: Reader) -> bool:
    """Tell the reader what does not fit between flows and those that they call. Whether calls end: no circle, and not too deep."""
    onward = {
        name: [node.flow for _, node in calls(flow) if node.flow in document.flows] for name, flow in document.flows.items()
    }
    found = circles(onward)
    for circle in found:
        at = next(at for at, node in calls(document.flows[circle[-1]]) if node.flow == circle[0])
        shown = " -> ".join([*circle, circle[0]])
        message = f"expected flows that do not call one another in circles, got {shown}"
        reader.tell(("flows", circle[-1], "nodes", at, "call"), hinted(message, "lead back to a node instead"))
    is_too_deep = False if found else _too_deep(onward, document, reader)
    for name, flow in document.flows.items():
        for at, node in calls(flow):
            called = document.flows.get(node.flow)
            if called is not None and not reader.has_problem(("flows", node.flow, "nodes")):
                _fits(("flows", name, "nodes", at), node, called, reader)
    _not_called(document, reader)
    return not found and not is_too_deep


def _too_deep(onward: Mapping[FlowId, list[FlowId]], document: Document, reader: Reader) -> bool:
    """Whether some flow is more than FRAMES_MAX calls away from the first. In rounds: after the n-th those that are n calls deep."""
    level = list(onward)
    for _ in range(FRAMES_MAX):
        level = list(dict.fromkeys(target for each in level for target in onward[each]))
    for each in level:
        for at, node in calls(document.flows[each]):
            if node.flow in document.flows:
                message = f"expected calls of flows within flows to be at most {FRAMES_MAX} deep, got a deeper one"
                reader.tell(("flows", each, "nodes", at, "call"), hinted(message, "lead to a node of the same flow instead"))
                return True
    return False


def _fits(path: tuple[str, ...], node: CallNode, called: Flow, reader: Reader) -> None:
    there = results(called)
    for result in node.on:
        if result not in there:
            near = nearest(result, there)
            hint = (
                f"did you mean {near}?" if near else f"its results are {', '.join(there)}" if there else "it has no done node"
            )
            message = f"expected a result of the flow {node.flow}, got {quoted(result)}"
            reader.tell((*path, "on", result), hinted(message, hint))
    if reader.has_problem((*path, "on")):
        return
    missing = [result for result in there if result not in node.on]
    if missing:
        message = f"expected a node for each result of the flow {node.flow}, got none for {', '.join(missing)}"
        reader.tell((*path, "on"), hinted(message, f"add {missing[0]}: and a node"))


def _not_called(document: Document, reader: Reader) -> None:
    called = {node.flow for flow in document.flows.values() for _, node in calls(flow)}
    for name, flow in document.flows.items():
        first = next(iter(results(flow).values()), None)
        if name not in called and first is not None:
            message = "expected a flow that another one calls around a done node, got another (its callers are released there)"
            reader.warn(("flows", name, "nodes", first), message)
