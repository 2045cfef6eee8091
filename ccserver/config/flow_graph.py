"""A flow as a graph that people can look at: nodes with what is said there, and every way a caller can go.

What the flow as a whole says about silence, wrong keys, failures and the operator's key is not repeated at each node: it leads from a
faint vertex beside the node where it ends. Where a queue sends its callers back into the flow, the way leaves the node that enqueues.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, assert_never

from ccserver.config.edges import PromptLibrary
from ccserver.config.exits import exits, reached_queues
from ccserver.config.expression_written import written
from ccserver.config.flow_ways import door, operator
from ccserver.config.requirements import written as written_requirement
from ccserver.core.ids import FlowId, Language, NodeId, PromptId, QueueId
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
    OverflowBy,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SetNode,
    Settings,
    Spoken,
    SpokenKind,
    SurveyNode,
)

TEXT_CHARACTERS_MAX = 90
"""Of what is said at a node; the rest is cut."""
LABEL_CHARACTERS_MAX = 60


class VertexKind(Enum):
    ENTRY = "entry"  # where callers come in
    SPEECH = "speech"
    QUESTION = "question"  # waits for keys
    DECISION = "decision"
    CHANGE = "change"  # language, variables, what is required
    OUTSIDE = "outside"  # asks another system
    STEPS = "steps"  # another flow, a script
    PEOPLE = "people"  # leaves the flow towards somebody
    END = "end"
    ANYWHERE = "anywhere"  # what holds for all nodes of the flow


class Arc(NamedTuple):
    """`is_faint`: it holds for the whole flow, or says only which flow is gone through."""

    source: str
    target: str
    label: str = ""
    is_faint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """`id` is unique in the drawing. `what` says what is done there, `said` what the caller hears."""

    id: str
    kind: VertexKind
    title: str
    what: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One flow: the one that is drawn, or one that it calls."""

    flow: FlowId
    vertices: tuple[Vertex, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowGraph:
    flow: FlowId
    groups: tuple[Group, ...]
    """The flow itself first."""
    entries: tuple[Vertex, ...]
    arcs: tuple[Arc, ...]


class Instead(Enum):
    """The exit of the flow that a node takes where it names none itself."""

    NO_INPUT = "no input"
    INVALID = "invalid"
    FAILURE = "failure"


class Way(NamedTuple):
    """One way out of a node. `to` None: that of the flow's exits, `instead`."""

    label: str
    to: NodeId | None
    instead: Instead | None = None


def flow_graph(
    settings: Settings, flow: FlowId, prompts: PromptLibrary, language: Language, *, with_called: bool = True
) -> FlowGraph:
    """The graph of `flow`; `with_called`: and of the flows that it goes through. Prompts' texts in `language`, or as named.

    Raises KeyError for a flow that there is not.
    """
    flows = [flow]
    if with_called:
        for each in flows:
            called = (node.flow for node in settings.flows[each].nodes.values() if isinstance(node, CallNode))
            flows.extend(name for name in dict.fromkeys(called) if name not in flows)
    speech = Speech(prompts, language)
    groups = [_group(name, settings.flows[name], speech) for name in flows]
    arcs = [arc for name in flows for arc in _arcs(name, settings.flows[name], settings, flows)]
    entries = list(_entries(flow, settings))
    arcs = [*(Arc(each.id, _id(flow, settings.flows[flow].start)) for each in entries), *arcs]
    return FlowGraph(flow=flow, groups=tuple(groups), entries=tuple(entries), arcs=tuple(arcs))


def _id(flow: FlowId, node: str) -> str:
    return f"{flow}.{node}"


def _anywhere(flow: FlowId, target: NodeId) -> str:
    return f"{flow}.* {target}"


# --- where callers come in --------------------------------------------------------------------------------------------
def _entries(flow: FlowId, settings: Settings) -> Iterator[Vertex]:
    def entry(what: str, title: str) -> Vertex:
        return Vertex(id=f">{what} {title}", kind=VertexKind.ENTRY, title=title, what=what)

    for number, did in settings.dids.items():
        if did.flow == flow:
            yield entry("call to", "any other number" if number == "*" else number)
    for code, sent in settings.sendable_flows.items():
        if sent == flow:
            yield entry("sent by an agent", f"{settings.keys.send_to_flow}{code}#")
    for name, queue in settings.queues.items():
        if queue.survey == flow:
            yield entry("after a talk", name)
        if any(way.kind is ExitKind.FLOW and way.target == flow for _, way in exits(queue)):
            yield entry("from the queue", name)


# --- nodes ------------------------------------------------------------------------------------------------------------
class Speech:
    """What pieces of speech say, as one short text in one language; what is computed stands in <>."""

    def __init__(self, prompts: PromptLibrary, language: Language) -> None:
        self._prompts = prompts
        self._language = language

    def text(self, say: tuple[Spoken, ...], characters_max: int = TEXT_CHARACTERS_MAX) -> str:
        return shortened(" ".join(self.piece(each) for each in say), characters_max)

    def piece(self, piece: Spoken) -> str:
        if piece.kind is SpokenKind.PROMPT:
            source = self._prompts.get(PromptId(piece.value), {}).get(piece.language or self._language)
            return source.text if source is not None and source.text else f"[{piece.value}]"
        if piece.kind is SpokenKind.EXPECTED_WAIT:
            return f"<expected wait in {piece.value}>"
        if piece.kind is SpokenKind.CALL_NUMBER:
            return "<call number>"
        return f"<{piece.value if piece.of is None else written(piece.of)}>"


def shortened(text: str, characters_max: int) -> str:
    """Cut at a word, with … where something is left out."""
    text = " ".join(text.split())
    if len(text) <= characters_max:
        return text
    cut = text[: characters_max - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,.;:") + "…"


def _group(name: FlowId, flow: Flow, speech: Speech) -> Group:
    vertices = [_vertex(name, each, node, speech) for each, node in flow.nodes.items()]
    vertices += [
        Vertex(id=_anywhere(name, target), kind=VertexKind.ANYWHERE, title="from anywhere", what=" / ".join(why))
        for target, why in _from_anywhere(flow).items()
    ]
    return Group(flow=name, vertices=tuple(vertices))


def _vertex(flow: FlowId, name: NodeId, node: Node, speech: Speech) -> Vertex:
    kind, what, say = look_of(node)
    return Vertex(id=_id(flow, name), kind=kind, title=name, what=shortened(what, LABEL_CHARACTERS_MAX), said=speech.text(say))


def look_of(node: Node) -> tuple[VertexKind, str, tuple[Spoken, ...]]:
    """What a node is, what it does in a few words, and what the caller hears there."""
    match node:
        case SayNode():
            return VertexKind.SPEECH, "", node.say
        case MenuNode():
            return VertexKind.QUESTION, "", node.say
        case LanguageChoiceNode():
            return VertexKind.QUESTION, "language: " + ", ".join(f"{k} {v}" for k, v in node.choices.items()), ()
        case CollectNode():
            digits = str(node.max_digits) if node.min_digits == node.max_digits else f"{node.min_digits}-{node.max_digits}"
            checked = "" if node.checksum is None else f", {node.checksum.value}"
            return VertexKind.QUESTION, f"{node.into} = {digits} digits{checked}", node.say
        case SecretNode():
            return VertexKind.QUESTION, f"secret, checked by {node.check.look_up}", node.say
        case SurveyNode():
            return VertexKind.QUESTION, f"survey {node.kind.value}", node.say
        case ConsentNode():
            what = (VertexKind.QUESTION, "may we record?") if node.asks else (VertexKind.SPEECH, "recording is announced")
            return *what, node.say
        case DoNotCallNode():
            whose = "" if node.campaign is None else f" by {written(node.campaign)}"
            return VertexKind.CHANGE, f"not called any more{whose}", node.say or (Spoken(SpokenKind.PROMPT, "cc-not-called"),)
        case BranchNode():
            return VertexKind.DECISION, "", ()
        case HoursNode():
            whose = node.hours or (f"of {node.queue}" if node.queue else "of the number")
            return VertexKind.DECISION, f"hours {whose}", ()
        case LanguageNode():
            return VertexKind.CHANGE, f"language {node.language}", ()
        case SetNode():
            parts = [f"{key} = {written(value)}" for key, value in node.variables.items()]
            parts += [] if node.requires == EVERYBODY else [f"requires {written_requirement(node.requires)}"]
            parts += [] if node.priority is None else [f"priority {node.priority}"]
            parts += [f"tells {', '.join(node.data)}"] if node.data else []
            parts += ["from here on served"] if node.serves else []
            return VertexKind.CHANGE, "; ".join(parts), ()
        case LookUpNode():
            return VertexKind.OUTSIDE, f"look up {node.look_up}", ()
        case ScriptNode():
            return VertexKind.STEPS, f"script {node.script}", ()
        case CallNode():
            return VertexKind.STEPS, f"flow {node.flow}", ()
        case EnqueueNode():
            return VertexKind.PEOPLE, f"queue {node.queue}", ()
        case CallbackNode():
            return VertexKind.PEOPLE, f"callback by {node.queue}", ()
        case MessageNode():
            return VertexKind.PEOPLE, f"message for {node.queue}", node.say
        case AgentNode():
            return VertexKind.PEOPLE, f"agent {node.agent}", ()
        case NumberNode():
            return VertexKind.PEOPLE, f"number {node.number}", ()
        case ExtensionNode():
            return VertexKind.PEOPLE, f"extension {node.extension}", node.say
        case ConferenceNode():
            return VertexKind.PEOPLE, f"conference {node.conference}", ()
        case HangUpNode():
            return VertexKind.END, "hang up", node.say
        case DoneNode():
            return VertexKind.END, f"done: {node.result}", ()
        case ReturnNode():
            return VertexKind.END, "back to the agent", (Spoken(SpokenKind.PROMPT, node.result),)
        case _:
            assert_never(node)


# --- ways -------------------------------------------------------------------------------------------------------------
def ways_out(node: Node) -> list[Way]:
    """The ways that a node itself names or leaves to the flow; queues' exits apart."""
    match node:
        case SayNode() | LanguageNode() | SetNode() | LanguageChoiceNode() | SurveyNode():
            return [Way("", node.next)]
        case MenuNode():
            return [*_by_target(node.choices.items()), *_unheard(node)]
        case CollectNode():
            return [Way("", node.next), *_unheard(node)]
        case SecretNode():
            return [Way("right", node.next), *_unheard(node), Way("failure", node.on_failure, Instead.FAILURE)]
        case BranchNode():
            cases = ((written(case.when), case.then) for case in node.cases)
            return [*_by_target(cases, " or "), Way("otherwise", node.otherwise)]
        case HoursNode():
            holiday = [] if node.on_holiday is None else [Way("holiday", node.on_holiday)]
            return [Way("open", node.on_open), Way("closed", node.on_closed), *holiday]
        case LookUpNode():
            missing = [] if node.on_missing is None else [Way("missing", node.on_missing)]
            failure = "failure" if missing else "missing or failure"
            return [Way("found", node.on_found), *missing, Way(failure, node.on_failure, Instead.FAILURE)]
        case ScriptNode():
            rest = "otherwise" if node.on else ""
            return [*_by_target(node.on.items()), Way(rest, node.next), Way("failure", node.on_failure, Instead.FAILURE)]
        case CallNode():
            return _by_target(node.on.items())
        case ConsentNode():
            return [
                Way("yes" if node.asks else "", node.next),
                *([] if node.on_refused is None else [Way("no", node.on_refused)]),
            ]
        case DoNotCallNode():
            return [Way("", node.next), Way("number not known", node.on_failure, Instead.FAILURE)]
        case MessageNode():
            return [] if node.next is None else [Way("recorded", node.next)]
        case AgentNode():
            return [] if node.on_no_answer is None else [Way("no answer", node.on_no_answer)]
        case NumberNode():
            return [Way("no answer", node.on_failure, Instead.FAILURE)]
        case EnqueueNode() | CallbackNode() | ExtensionNode() | ConferenceNode() | HangUpNode() | DoneNode() | ReturnNode():
            return []
        case _:
            assert_never(node)


def _by_target(pairs: Iterable[tuple[str, NodeId]], between: str = ", ") -> list[Way]:
    """Ways with the same end as one: 1, 2, 3."""
    labels: dict[NodeId, list[str]] = {}
    for label, target in pairs:
        labels.setdefault(target, []).append(label)
    return [Way(between.join(each), target) for target, each in labels.items()]


def _unheard(node: MenuNode | CollectNode | SecretNode) -> list[Way]:
    return [
        Way("no input", node.on_no_input, Instead.NO_INPUT),
        Way("invalid", node.on_invalid, Instead.INVALID),
    ]


def of_flow(flow: Flow, which: Instead) -> NodeId | None:
    return {
        Instead.NO_INPUT: flow.exits.no_input,
        Instead.INVALID: flow.exits.invalid,
        Instead.FAILURE: flow.exits.failure,
    }[which]


def _arcs(name: FlowId, flow: Flow, settings: Settings, drawn: list[FlowId]) -> Iterator[Arc]:
    for each, node in flow.nodes.items():
        own = [way for way in ways_out(node) if way.to is not None]
        for target in dict.fromkeys(way.to for way in own):
            label = " / ".join(way.label for way in own if way.to == target and way.label)
            yield Arc(_id(name, each), _id(name, str(target)), shortened(label, LABEL_CHARACTERS_MAX))
        for label, target in _out_of_queue(node, settings):
            if target in flow.nodes:
                yield Arc(_id(name, each), _id(name, target), label)
        if isinstance(node, CallNode) and node.flow in drawn:
            yield Arc(_id(name, each), _id(node.flow, settings.flows[node.flow].start), is_faint=True)
    for target in _from_anywhere(flow):
        yield Arc(_anywhere(name, target), _id(name, target), is_faint=True)


def _from_anywhere(flow: Flow) -> dict[NodeId, list[str]]:
    """Where the flow's own exits lead, and which they are: only those that some node really leaves to the flow."""
    found: dict[NodeId, list[str]] = {}
    left = {way.instead for node in flow.nodes.values() for way in ways_out(node) if way.to is None}
    for which in Instead:
        target = of_flow(flow, which)
        if target is not None and which in left:
            found.setdefault(target, []).append(which.value)
    if flow.exits.operator is not None and any(operator(node, flow) is not None for node in flow.nodes.values()):
        found.setdefault(flow.exits.operator, []).append(f"key {flow.exits.operator_key}")
    return found


_EXIT_WORDS = {
    "on_full": "full",
    "on_closed": "closed",
    "on_unstaffed": "nobody logged in",
    "on_max_wait": "waited too long",
    "on_closing": "closing",
    "on_deserted": "deserted",
}
_OVERFLOW_WORDS = {
    OverflowBy.WAIT_S: "waited {:g} s",
    OverflowBy.EXPECTED_WAIT_S: "expects {:g} s",
    OverflowBy.SIZE: "more than {:g} waiting",
    OverflowBy.RATIO: "more than {:g} waiting per agent",
}


def _out_of_queue(node: Node, settings: Settings) -> Iterator[tuple[str, NodeId]]:
    entered = door(node)
    if entered is None:
        return
    found: dict[NodeId, list[str]] = {}
    for queue in reached_queues(entered, settings.queues):
        for key, way in exits(settings.queues.get(queue)):
            if way.kind is ExitKind.NODE:
                found.setdefault(NodeId(way.target), []).append(_exit_words(entered, queue, key, settings))
    for target, labels in found.items():
        yield shortened(" / ".join(dict.fromkeys(labels)), LABEL_CHARACTERS_MAX), target


def _exit_words(door: QueueId, queue: QueueId, key: tuple[str | int, ...], settings: Settings) -> str:
    if key[0] == "overflow":
        overflow = settings.queues[queue].overflow[int(key[1])]
        words = _OVERFLOW_WORDS[overflow.by].format(overflow.above)
    else:
        words = _EXIT_WORDS[str(key[0])]
    return words if queue == door else f"{queue}: {words}"
