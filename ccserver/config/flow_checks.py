"""IVR flows as graphs: every node can be reached, nobody walks in silence for ever, every way arrives somewhere."""

from ccserver.config.circles import circles
from ccserver.config.exits import all_queues, exits, place_of, reached_queues
from ccserver.config.flow_calls import calls, check_calls, within
from ccserver.config.flow_expressions import check_computing
from ccserver.config.flow_people import check_operator_keys, check_way_to_people
from ccserver.config.flow_ways import NEEDED, Queues, Quiet, door, onward, reached, way_out
from ccserver.config.positions import quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.ids import FlowId
from ccserver.core.settings import (
    AgentNode,
    AnswerPolicy,
    CallbackNode,
    CollectNode,
    DidSettings,
    EnqueueNode,
    ExitKind,
    Flow,
    HoursNode,
    LanguageChoiceNode,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SurveyNode,
)

_ASKS_FOR_KEYS = (MenuNode, LanguageChoiceNode, CollectNode, SecretNode, SurveyNode)
_NEEDS_ANSWER = (MessageNode, CallbackNode, ScriptNode, NumberNode)


def check_flows(document: Document, reader: Reader) -> None:
    """Tell the reader what is wrong with each flow. A flow of which a node could not be read is left alone: its shape is not known."""
    queues = all_queues(document)
    quiet = Quiet(document.flows, queues)
    whole = {
        name: flow
        for name, flow in document.flows.items()
        if len(reader.names.get(("flows", name, "nodes"), [])) == len(flow.nodes) and flow.start in flow.nodes
    }
    written = [FlowId(each) for each in reader.names.get(("flows",), ())]
    broken = frozenset(each for each in written if each not in whole or reader.has_problem(("flows", each)))
    check_computing(document, reader)
    do_calls_end = check_calls(document, reader)
    if do_calls_end:
        check_way_to_people(document, frozenset(_entered(document)), broken, reader)
    for name, flow in whole.items():
        are_all_out = _ways_out(name, flow, reader)
        if name not in broken and are_all_out:
            _unreachable(name, flow, queues, reader)
        if do_calls_end:
            _silent_circles(name, flow, quiet, reader)
        _exits_of_queues(name, flow, queues, reader)
        check_operator_keys(name, flow, reader)
        _by_hours(name, flow, document, reader)
        _languages(name, flow, reader)
    _answer_policies(document, reader)
    _started(document, reader)
    _returns(document, reader)
    _surveys(document, reader)


# --- the shape --------------------------------------------------------------------------------------------------------
def _unreachable(name: FlowId, flow: Flow, queues: Queues, reader: Reader) -> None:
    ways = {at: onward(node, flow, queues) for at, node in flow.nodes.items()}
    # Too many nodes on one call lead to exits.failure from anywhere.
    found = set(reached([flow.start, *([] if flow.exits.failure is None else [flow.exits.failure])], ways))
    for each in flow.nodes:
        if each not in found:
            message = f"expected a node that can be reached from {flow.start}, got one that cannot"
            reader.tell(("flows", name, "nodes", each), hinted(message, "lead to it from another node, or remove it"))


def _silent_circles(name: FlowId, flow: Flow, quiet: Quiet, reader: Reader) -> None:
    for circle in circles(quiet.onward(flow)):
        shown = " -> ".join([*circle, circle[0]])
        message = f"expected nodes that say something or wait, got the silent circle {shown}"
        reader.tell(("flows", name, "nodes", circle[0]), hinted(message, "let one of them say something, or end the call"))


def _ways_out(name: FlowId, flow: Flow, reader: Reader) -> bool:
    """Whether each node has the ways out that it needs."""
    are_all_there = True
    for at, node in flow.nodes.items():
        for key, exit_ in NEEDED.get(type(node), {}).items():
            path = ("flows", name, "nodes", at, key)
            way = way_out(node, key, flow)
            if reader.has_problem(path) or reader.has_problem(("flows", name, "exits")):
                continue
            if way is None:
                are_all_there = False
                message = "expected the name of a node of this flow, got nothing"
                reader.tell(path, hinted(message, f"name the node to go to then, or give the flow exits.{exit_}"))
            elif way == at and getattr(node, key) is None:
                message = f"expected a way out of its own, got exits.{exit_}, which leads back here"
                reader.tell(path, hinted(message, "name the node to go to then, for example one that hangs up"))
    return are_all_there


def _exits_of_queues(name: FlowId, flow: Flow, queues: Queues, reader: Reader) -> None:
    doors = (queue for node in flow.nodes.values() if (queue := door(node)) is not None)
    entered = dict.fromkeys(queue for door in doors for queue in reached_queues(door, queues))
    for queue in entered:
        for key, way in exits(queues.get(queue)):
            if way.kind is ExitKind.NODE and way.target not in flow.nodes:
                near = nearest(way.target, flow.nodes)
                hint = f"did you mean {near}?" if near else f"callers reach this queue by the flow {name}; add the node there"
                message = f"expected a node of the flow {name}, got {quoted(way.target)}"
                reader.tell((*place_of(queue), *key, "node"), hinted(message, hint))


# --- hours and languages ----------------------------------------------------------------------------------------------
def _by_hours(name: FlowId, flow: Flow, document: Document, reader: Reader) -> None:
    for at, node in flow.nodes.items():
        if not isinstance(node, HoursNode):
            continue
        path = ("flows", name, "nodes", at)
        if node.queue is not None:
            queue = document.queues.get(node.queue)
            names = [] if queue is None else [queue.hours]
            if queue is not None and queue.hours is None and not reader.has_problem(("queues", node.queue)):
                reader.warn((*path, "hours"), f"expected a queue with hours, got {node.queue} without (it is always open)")
        elif node.hours is not None:
            names = [node.hours]
        else:
            names = [did.hours for did in document.dids.values()]
            if not any(names) and not reader.has_problem(("dids",)):
                reader.warn((*path, "hours"), "expected hours at a number under dids, got none (it is always open)")
        known = [document.hours[each] for each in names if each is not None and each in document.hours]
        if (
            node.on_holiday is not None
            and known
            and not reader.has_problem(("hours",))
            and not any(each.holidays for each in known)
        ):
            message = "expected holidays in the hours that decide, got none (on_holiday never happens)"
            reader.warn((*path, "on_holiday"), message)


def _languages(name: FlowId, flow: Flow, reader: Reader) -> None:
    for at, node in flow.nodes.items():
        if isinstance(node, LanguageChoiceNode):
            first: dict[str, str] = {}
            for key, language in node.choices.items():
                if language in first:
                    message = f"expected each language once, got {language} again"
                    where = ("flows", name, "nodes", at, "choose_language", key)
                    reader.tell(where, hinted(message, f"its key is {first[language]} already"))
                first.setdefault(language, key)


# --- how flows are come to --------------------------------------------------------------------------------------------
def _entered(document: Document) -> set[FlowId]:
    """The flows that calls come to from outside, out of queues, and sent by agents."""
    found = {did.flow for did in document.dids.values()} | set(document.sendable_flows.values())
    for queue in all_queues(document).values():
        found |= {FlowId(way.target) for _, way in exits(queue) if way.kind is ExitKind.FLOW}
    return found


def _answer_policies(document: Document, reader: Reader) -> None:
    for number, did in document.dids.items():
        if did.flow in document.flows and did.answer is not AnswerPolicy.AT_ONCE:
            _answered(number, did, document, reader)


def _answered(number: str, did: DidSettings, document: Document, reader: Reader) -> None:
    where = ("dids", number, "answer")
    message = f"expected at_once for the flow {did.flow}, got {did.answer.value}"
    nodes: dict[str, Node] = {}
    for name in within(did.flow, document.flows):
        before = "" if name == did.flow else f"{name}."
        nodes |= {f"{before}{at}": node for at, node in document.flows[name].nodes.items()}
    asks = [at for at, node in nodes.items() if isinstance(node, _ASKS_FOR_KEYS)]
    needs = [at for at, node in nodes.items() if isinstance(node, _NEEDS_ANSWER)]
    queued = [at for at, node in nodes.items() if isinstance(node, EnqueueNode | AgentNode)]
    says = [at for at, node in nodes.items() if isinstance(node, SayNode) and node.say]
    if asks:
        reader.tell(where, hinted(message, f"its node {asks[0]} asks for keys, which needs an answered call"))
    elif needs:
        reader.tell(where, hinted(message, f"its node {needs[0]} needs an answered call"))
    elif queued and did.answer is AnswerPolicy.NEVER:
        reader.tell(where, hinted(message, f"its node {queued[0]} puts the call into a queue, which needs an answered call"))
    elif says:
        reader.warn(where, hinted(message, f"what its node {says[0]} says may not be heard"))


def _started(document: Document, reader: Reader) -> None:
    started = _entered(document) | {node.flow for flow in document.flows.values() for _, node in calls(flow)}
    started |= {queue.survey for queue in all_queues(document).values() if queue.survey is not None}
    for name in document.flows:
        if name not in started and document.dids and not reader.has_problem(("dids",)):
            reader.warn(("flows", name), "expected a number under dids that starts it, got none (it is never heard)")


def _returns(document: Document, reader: Reader) -> None:
    sent = {each for name in document.sendable_flows.values() for each in within(name, document.flows)}
    for name, flow in document.flows.items():
        back = [at for at, node in flow.nodes.items() if isinstance(node, ReturnNode)]
        if back and name not in sent:
            message = "expected a flow of sendable_flows around a return node, got another (its callers are released there)"
            reader.warn(("flows", name, "nodes", back[0]), message)
    for code, name in document.sendable_flows.items():
        if name not in document.flows or reader.has_problem(("flows", name)):
            continue
        if not _has(ReturnNode, name, document):
            message = f"expected a flow with a return node, got {name} (its customers do not come back to the agent)"
            reader.warn(("sendable_flows", code), message)


def _surveys(document: Document, reader: Reader) -> None:
    for name, queue in all_queues(document).items():
        flow = queue.survey
        if (
            flow is not None
            and flow in document.flows
            and not reader.has_problem(("flows", flow))
            and not _has(SurveyNode, flow, document)
        ):
            message = f"expected a flow with a survey node, got {flow} (its customers are asked nothing)"
            reader.warn((*place_of(name), "survey"), message)


def _has(kind: type[Node], name: FlowId, document: Document) -> bool:
    return any(isinstance(node, kind) for each in within(name, document.flows) for node in document.flows[each].nodes.values())
