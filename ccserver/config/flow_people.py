"""No flow hides the people: from every question a caller can come to one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccserver.config.exits import all_queues
from ccserver.config.flow_calls import calls, results
from ccserver.config.flow_ways import ASKS, PEOPLE, Flows, Queues, onward, operator, reached
from ccserver.config.positions import quoted
from ccserver.config.schema import Reader, hinted
from ccserver.config.sections import Document
from ccserver.core.ids import FlowId, NodeId
from ccserver.core.settings import CollectNode, DoneNode, Flow, MenuNode, Node, SecretNode

_NOUNS = {MenuNode: "menu", CollectNode: "question", SecretNode: "question"}


def check_way_to_people(document: Document, entered: frozenset[FlowId], broken: frozenset[FlowId], reader: Reader) -> None:
    """Tell the reader the questions from which no way leads to a person. `entered`: the flows that calls come to otherwise than by a
    call of another flow; `broken`: those of which not all is known. The flow of a survey asks customers who had their person. For
    flows whose calls have no circle."""
    queues = all_queues(document)
    surveys = {queue.survey for queue in queues.values() if queue.survey is not None}
    people = _People(document.flows, queues, entered, frozenset(surveys - entered | broken), are_all_known=not broken)
    for name, flow in document.flows.items():
        for at, node in flow.nodes.items() if name not in people.exempt else ():
            if isinstance(node, ASKS) and not people.can_be_reached(name, at):
                message = f"expected a way to a person from this {_NOUNS[type(node)]}, got none"
                reader.tell(("flows", name, "nodes", at), hinted(message, _mend(flow, node)))


def _mend(flow: Flow, node: Node) -> str:
    if isinstance(node, SecretNode):  # what is typed there is never the operator's key
        return "lead on from it to a queue, an agent, a message or a number"
    if flow.exits.operator is not None:
        return f"let exits.operator, {flow.exits.operator}, lead to a queue, an agent, a message or a number"
    return "give the flow an exits.operator that leads to a queue, an agent, a message or a number"


@dataclass(slots=True)
class _People:
    flows: Flows
    queues: Queues
    entered: frozenset[FlowId]
    exempt: frozenset[FlowId]
    are_all_known: bool
    _backward: dict[FlowId, Mapping[NodeId, list[NodeId]]] = field(default_factory=dict)
    _near: dict[FlowId, frozenset[NodeId]] = field(default_factory=dict)
    _callers: dict[FlowId, list[tuple[FlowId, NodeId]]] = field(default_factory=dict)
    _answers: dict[tuple[FlowId, NodeId], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, flow in self.flows.items():
            for at, node in calls(flow):
                self._callers.setdefault(node.flow, []).append((name, at))

    def can_be_reached(self, name: FlowId, at: NodeId) -> bool:
        """Within the flow, or, if it is only called, from wherever each of its callers goes on with what it may end with."""
        if name in self.exempt or at in self._near_people(name):
            return True
        callers = self._callers.get(name, [])
        if name in self.entered or not callers:
            return name not in self.entered and not self.are_all_known
        if (name, at) not in self._answers:
            self._answers[name, at] = all(self._after(name, at, caller, call) for caller, call in callers)
        return self._answers[name, at]

    def _after(self, name: FlowId, at: NodeId, caller: FlowId, call: NodeId) -> bool:
        ways = dict(calls(self.flows[caller]))[call].on
        return any(
            self.can_be_reached(caller, ways[result])
            for result in results(self.flows[name])
            if result in ways and at in self._leading_to_result(name, result)
        )

    def _near_people(self, name: FlowId) -> frozenset[NodeId]:
        """The nodes of the flow from which a person can be reached without leaving it, but for flows that it calls."""
        if name not in self._near:
            flow = self.flows[name]
            ends = [at for at, node in flow.nodes.items() if isinstance(node, PEOPLE)]
            ends += [at for at, node in calls(flow) if self._has_people(node.flow)]
            self._near[name] = frozenset(reached(ends, self._against(name)))
        return self._near[name]

    def _has_people(self, name: FlowId) -> bool:
        return name in self.exempt or name not in self.flows or self.flows[name].start in self._near_people(name)

    def _leading_to_result(self, name: FlowId, result: str) -> list[NodeId]:
        ends = [at for at, node in self.flows[name].nodes.items() if isinstance(node, DoneNode) and node.result == result]
        return reached(ends, self._against(name))

    def _against(self, name: FlowId) -> Mapping[NodeId, list[NodeId]]:
        """The ways of the flow, backwards."""
        if name not in self._backward:
            flow = self.flows[name]
            found: dict[NodeId, list[NodeId]] = {}
            for at, node in flow.nodes.items():
                for target in onward(node, flow, self.queues):
                    found.setdefault(target, []).append(at)
            self._backward[name] = found
        return self._backward[name]


# --- the operator's key -----------------------------------------------------------------------------------------------
def check_operator_keys(name: FlowId, flow: Flow, reader: Reader) -> None:
    """Tell the reader where the operator's key cannot be what it is elsewhere."""
    key = flow.exits.operator_key
    if flow.exits.operator is None:
        return
    for at, node in flow.nodes.items():
        path = ("flows", name, "nodes", at)
        if isinstance(node, CollectNode) and node.terminator == key:
            message = f"expected another key than the operator's as terminator, got {quoted(key)}"
            reader.tell((*path, "terminator"), hinted(message, "choose another, or another exits.operator_key"))
        if not isinstance(node, MenuNode) or operator(node, flow) is not None:
            continue
        for choice, target in node.choices.items():
            if choice == key and target != flow.exits.operator:
                message = f"expected another choice than the operator's key, got {quoted(key)}"
                reader.warn((*path, "choices", choice), hinted(message, "in this menu it does not lead to the operator"))
            elif choice != key and choice.startswith(key) and key not in node.choices:
                message = f"expected a choice that does not begin with the operator's key {key}, got {quoted(choice)}"
                reader.tell((*path, "choices", choice), hinted(message, "choose another, or another exits.operator_key"))
