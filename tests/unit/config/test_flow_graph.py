"""Flows as graphs: every way of every kind of node is drawn, with what people need to read it; and the pages are current."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ccserver.config import flow_pages, look_over
from ccserver.config.edges import PromptSource
from ccserver.config.flow_drawing import LOOKS, DrawingUnavailable, dot, mermaid, svg
from ccserver.config.flow_graph import Arc, FlowGraph, VertexKind, flow_graph, look_of, ways_out
from ccserver.config.flow_ways import onward
from ccserver.core.expressions import Compare, Comparison, Literal, Name
from ccserver.core.ids import AgentId, FlowId, Language, LookUpId, NodeId, PromptId, QueueId, RoomId
from ccserver.core.settings import (
    AgentNode,
    BranchNode,
    CallbackNode,
    CallNode,
    Case,
    CollectNode,
    ConferenceNode,
    ConsentNode,
    DidSettings,
    DoneNode,
    DoNotCallNode,
    EnqueueNode,
    Exit,
    ExitKind,
    ExtensionNode,
    Flow,
    FlowExits,
    HangUpNode,
    HoursNode,
    LanguageChoiceNode,
    LanguageNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    Overflow,
    OverflowBy,
    QueueSettings,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SecretRule,
    SetNode,
    Settings,
    Spoken,
    SpokenKind,
    SurveyKind,
    SurveyNode,
)
from ccserver.sim.sample import sample_center

DOCS = Path(__file__).parents[3] / "docs" / "flows"
ENGLISH = Language("en")
MAIN, SALES = FlowId("main"), QueueId("sales")
SAY = (Spoken(SpokenKind.PROMPT, "hello"),)
A, B, C, D = (NodeId(name) for name in "abcd")
RICH = Compare(Comparison.MORE, Name("amount"), Literal(100.0))

NODES: dict[str, tuple[Node, set[tuple[str, str]]]] = {
    "say": (SayNode(say=SAY, next=A), {("", "a")}),
    "menu": (
        MenuNode(say=SAY, choices={"1": A, "2": B, "3": A}, timeout_s=5, tries=2, on_no_input=C, on_invalid=D),
        {("1, 3", "a"), ("2", "b"), ("no input", "c"), ("invalid", "d")},
    ),
    "collect": (
        CollectNode(say=SAY, into="x", next=A, on_no_input=B, on_invalid=B),
        {("", "a"), ("no input / invalid", "b")},
    ),
    "secret": (
        SecretNode(say=SAY, check=SecretRule(look_up=LookUpId("p")), next=A, on_no_input=B, on_invalid=C, on_failure=D),
        {("right", "a"), ("no input", "b"), ("invalid", "c"), ("failure", "d")},
    ),
    "branch": (
        BranchNode(cases=(Case(RICH, A), Case(Name("is_known"), B)), otherwise=C),
        {("amount > 100", "a"), ("is_known", "b"), ("otherwise", "c")},
    ),
    "hours": (HoursNode(on_open=A, on_closed=B, on_holiday=C), {("open", "a"), ("closed", "b"), ("holiday", "c")}),
    "language": (LanguageNode(language=ENGLISH, next=A), {("", "a")}),
    "choose": (LanguageChoiceNode(choices={"1": ENGLISH}, next=A), {("", "a")}),
    "look_up": (
        LookUpNode(look_up=LookUpId("orders"), on_found=A, on_missing=B, on_failure=C),
        {("found", "a"), ("missing", "b"), ("failure", "c")},
    ),
    "look_up_2": (
        LookUpNode(look_up=LookUpId("orders"), on_found=A, on_failure=C),
        {("found", "a"), ("missing or failure", "c")},
    ),
    "set": (SetNode(next=A, variables={"x": RICH}), {("", "a")}),
    "call": (CallNode(flow=FlowId("other"), on={"found": A, "lost": B}), {("found", "a"), ("lost", "b")}),
    "script": (
        ScriptNode(script="m.f", next=A, on={"paid": B}, on_failure=C),
        {("otherwise", "a"), ("paid", "b"), ("failure", "c")},
    ),
    "survey": (SurveyNode(kind=SurveyKind.CSAT, say=SAY, next=A), {("", "a")}),
    "consent": (ConsentNode(say=SAY, asks=True, next=A, on_refused=B), {("yes", "a"), ("no", "b")}),
    "do_not_call": (DoNotCallNode(next=A, on_failure=B), {("", "a"), ("number not known", "b")}),
    "message": (MessageNode(queue=SALES, next=A), {("recorded", "a")}),
    "agent": (AgentNode(agent=AgentId("101"), on_no_answer=A), {("no answer", "a")}),
    "number": (NumberNode(number="+34910000009", on_failure=A), {("no answer", "a")}),
    "enqueue": (EnqueueNode(queue=SALES), {("full / waited 30 s", "c"), ("support: closed", "d")}),
    "callback": (CallbackNode(queue=SALES), {("full / waited 30 s", "c"), ("support: closed", "d")}),
    "extension": (ExtensionNode(extension="2000"), set()),
    "conference": (ConferenceNode(conference=RoomId("board")), set()),
    "hang_up": (HangUpNode(say=SAY), set()),
    "done": (DoneNode(result="found"), set()),
    "return": (ReturnNode(result=PromptId("hello")), set()),
}


def a_site(flow: Flow, **others: Flow) -> Settings:
    """Its queue sends callers back into the flow, also by way of another queue."""
    to = lambda node: Exit(kind=ExitKind.NODE, target=node)  # noqa: E731
    sales = QueueSettings(
        name="Sales",
        skills=(),
        on_full=to("c"),
        on_max_wait=Exit(kind=ExitKind.QUEUE, target="support"),
        overflow=(Overflow(by=OverflowBy.WAIT_S, above=30, exit=to("c")),),
    )
    support = QueueSettings(name="Support", skills=(), on_closed=to("d"))
    flows = {MAIN: flow, **{FlowId(name): each for name, each in others.items()}}
    dids = {
        "+34910000001": DidSettings(flow=MAIN, language=ENGLISH),
        "*": DidSettings(flow=MAIN, language=ENGLISH),
        "7": DidSettings(flow=FlowId("other"), language=ENGLISH),
    }
    return replace(sample_center(1).settings, flows=flows, queues={SALES: sales, QueueId("support"): support}, dids=dids)


OTHER = Flow(start=A, nodes={A: SayNode(say=SAY, next=B), B: DoneNode(result="found")})
PROMPTS = {PromptId("hello"): {ENGLISH: PromptSource(text='Hello "you" & <me>; #1')}}


def a_flow(**nodes: Node) -> Flow:
    ends = {each: HangUpNode() for each in (A, B, C, D)}
    return Flow(start=NodeId(next(iter(nodes))), nodes={**{NodeId(name): node for name, node in nodes.items()}, **ends})


def drawn(flow: Flow, **others: Flow) -> FlowGraph:
    return flow_graph(a_site(flow, other=OTHER, **others), MAIN, PROMPTS, ENGLISH)


def out_of(graph: FlowGraph, node: str) -> set[tuple[str, str]]:
    """Label and target of the ways out of a node of the flow, those into a called flow left out."""
    return {
        (arc.label, arc.target.removeprefix("main.")) for arc in graph.arcs if arc.source == f"main.{node}" and not arc.is_faint
    }


def test_every_kind_of_node_is_in_the_table() -> None:
    assert {type(node) for node, _ in NODES.values()} == set(Node.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NODES)
def test_every_way_out_of_a_node_is_drawn(name: str) -> None:
    node, ways = NODES[name]
    graph = drawn(a_flow(**{name: node}))
    assert out_of(graph, name) == ways
    # the two forms have as many arrows as the graph
    assert len(re.findall(r"^    n\d+ -\.?->", mermaid(graph), re.M)) == len(graph.arcs)
    assert len(re.findall(r"^ +\"[^\"]+\" -> ", dot(graph), re.M)) == len(graph.arcs)


@pytest.mark.parametrize("name", NODES)
def test_no_name_of_a_node_in_the_settings_is_forgotten(name: str) -> None:
    """Whatever a node of this kind refers to as another node is a way out of it."""
    node, _ = NODES[name]
    told = {way.to for way in ways_out(node)}
    named: set[object] = set()
    for field in type(node).__slots__:
        value = getattr(node, field)
        if isinstance(value, str) and value in (A, B, C, D):
            named.add(value)
        elif isinstance(value, dict):
            named.update(each for each in value.values() if isinstance(each, str) and each in (A, B, C, D))
        elif isinstance(value, tuple):
            named.update(each.then for each in value if isinstance(each, Case))
    assert named <= told
    assert look_of(node)[0] in LOOKS


def test_what_holds_for_the_whole_flow_is_drawn_once_and_faintly() -> None:
    menus = {
        f"m{n}": MenuNode(say=SAY, choices={"1": A}, timeout_s=5, tries=2, on_no_input=B if n == 1 else None) for n in range(3)
    }
    flow = replace(a_flow(**menus), exits=FlowExits(no_input=C, invalid=D, failure=D, operator=D, operator_key="9"))
    graph = drawn(flow)
    assert out_of(graph, "m0") == {("1", "a")}
    assert out_of(graph, "m1") == {("1", "a"), ("no input", "b")}
    beside = [vertex for vertex in graph.groups[0].vertices if vertex.kind is VertexKind.ANYWHERE]
    # nothing can fail in this flow, so that exit is not drawn
    assert [(vertex.title, vertex.what) for vertex in beside] == [
        ("from anywhere", "no input"),
        ("from anywhere", "invalid / key 9"),
    ]
    assert [arc for arc in graph.arcs if arc.source in {vertex.id for vertex in beside}] == [
        Arc("main.* c", "main.c", is_faint=True),
        Arc("main.* d", "main.d", is_faint=True),
    ]
    assert "style=dashed" in dot(graph) and "-.->" in mermaid(graph)


@pytest.mark.parametrize("name", sorted(flow_pages.examples()))
def test_what_is_drawn_is_what_is_checked(name: str) -> None:
    """The check of the settings follows the ways of a flow by itself; both find the same, in every example."""
    path = flow_pages.examples()[name]
    center = look_over(path)[0] if path.suffix == ".yaml" else None
    for flow_id, flow in center.settings.flows.items() if center is not None else ():
        assert center is not None
        graph = flow_graph(center.settings, flow_id, center.edges.prompts, ENGLISH, with_called=False)
        anywhere = {vertex.id for vertex in graph.groups[0].vertices if vertex.kind is VertexKind.ANYWHERE}
        usual = {arc.target for arc in graph.arcs if arc.source in anywhere}
        for each, node in flow.nodes.items():
            drawn_to = {arc.target for arc in graph.arcs if arc.source == f"{flow_id}.{each}"}
            checked = {f"{flow_id}.{target}" for target in onward(node, flow, center.settings.queues)}
            assert drawn_to <= checked <= drawn_to | usual, each


def test_the_ways_into_a_flow_are_drawn() -> None:
    flow = a_flow(say=SayNode(say=SAY, next=A))
    settings = a_site(flow, other=OTHER)
    queues = {
        **settings.queues,
        QueueId("after"): QueueSettings(name="After", skills=(), survey=MAIN),
        QueueId("into"): QueueSettings(name="Into", skills=(), on_full=Exit(kind=ExitKind.FLOW, target="main")),
    }
    graph = flow_graph(replace(settings, queues=queues, sendable_flows={"1": MAIN}), MAIN, PROMPTS, ENGLISH)
    assert [(entry.what, entry.title) for entry in graph.entries] == [
        ("call to", "+34910000001"),
        ("call to", "any other number"),
        ("sent by an agent", "*81#"),
        ("after a talk", "after"),
        ("from the queue", "into"),
    ]
    assert all(Arc(entry.id, "main.say") in graph.arcs for entry in graph.entries)


def test_a_flow_that_is_gone_through_is_drawn_beside_it_or_left_out() -> None:
    flow = a_flow(call=CallNode(flow=FlowId("other"), on={"found": A}))
    graph = drawn(flow)
    assert [group.flow for group in graph.groups] == ["main", "other"]
    assert Arc("main.call", "other.a", is_faint=True) in graph.arcs
    assert 'label="flow other"' in dot(graph) and 'subgraph g1 ["flow other"]' in mermaid(graph)
    alone = flow_graph(a_site(flow, other=OTHER), MAIN, PROMPTS, ENGLISH, with_called=False)
    assert [group.flow for group in alone.groups] == ["main"]
    assert not any("other" in arc.target for arc in alone.arcs)


def test_flows_that_go_through_each_other_are_drawn_once_each() -> None:
    """The check of the settings refuses them; a drawing of a file that is being mended must end nevertheless."""
    back = Flow(start=A, nodes={A: CallNode(flow=MAIN, on={})})
    graph = flow_graph(a_site(a_flow(call=CallNode(flow=FlowId("back"), on={"x": A})), back=back), MAIN, PROMPTS, ENGLISH)
    assert [group.flow for group in graph.groups] == ["main", "back"]


def test_what_is_said_is_in_the_chosen_language_shortened_and_harmless() -> None:
    spanish = Language("es")
    prompts = {PromptId("hello"): {ENGLISH: PromptSource(text="Good morning " * 20), spanish: PromptSource(text="Buenos días")}}
    say = (*SAY, Spoken(SpokenKind.MONEY, "EUR", Name("amount")), Spoken(SpokenKind.PROMPT, "tone"))
    settings = a_site(a_flow(say=SayNode(say=say, next=A)), other=OTHER)
    said = {
        language: flow_graph(settings, MAIN, prompts, language).groups[0].vertices[0].said for language in (ENGLISH, spanish)
    }
    assert said[spanish] == "Buenos días <amount> [tone]"
    assert said[ENGLISH].startswith("Good morning Good") and said[ENGLISH].endswith("…") and len(said[ENGLISH]) <= 90
    graph = drawn(a_flow(say=SayNode(say=SAY, next=A)))
    assert "Hello #34;you#34; #38; #60;me#62;#59; #35;1" in mermaid(graph).replace("<br>", " ")
    assert "Hello &quot;you&quot; &amp; &lt;me&gt;; #1" in dot(graph).replace("<br/>", " ")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_every_kind_of_node() -> None:
    nodes = {name: node for name, (node, _) in NODES.items()}
    picture = svg(dot(drawn(a_flow(**nodes))))
    assert "</svg>" in picture
    assert all(f">{name}<" in picture for name in nodes)


def test_without_graphviz_the_mend_is_told() -> None:
    with pytest.raises(DrawingUnavailable, match="apt-get install graphviz"):
        svg("digraph {}", program="no-such-program")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_what_graphviz_refuses_is_told() -> None:
    with pytest.raises(DrawingUnavailable, match="syntax error"):
        svg("digraph {")


def test_the_pages_are_current() -> None:
    """`make docs` leaves no difference; a picture names the text that it was drawn from."""
    centers = flow_pages.drawn_examples()
    pictures = set()
    for name, path in centers.items():
        assert (DOCS / f"{name}.md").read_text() == flow_pages.page(name, path), "run `make docs`"
        for picture, graph in flow_pages.drawn(name, path):
            pictures.add(picture)
            assert flow_pages.mark_of(dot(graph)) in (DOCS / picture).read_text(), f"{picture}: run `make docs`"
    assert {file.name for file in DOCS.iterdir()} == pictures | {f"{name}.md" for name in centers}
