"""A flow's graph as text for Mermaid and for Graphviz, and as an SVG picture that Graphviz' `dot` lays out.

Both texts depend on nothing but the graph: the same flow gives the same text, so that a difference of two versions can be read.
"""

import html
import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from ccserver.config.flow_graph import Arc, FlowGraph, Group, Vertex, VertexKind

LINE_CHARACTERS = 30
LABEL_CHARACTERS = 26
NEW_LINE = "\n"
DOT_TIMEOUT_S = 60.0
FONT = "Helvetica,Arial,sans-serif"
MIDDLE, FAINT = "#5b6770", "#a9b3ba"


class DrawingUnavailable(Exception):
    """A picture is wanted and Graphviz is not there, or refused the graph. Install it (`apt-get install graphviz`), or take
    `--format mermaid` or `dot`, which need nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of vertex is drawn: `mermaid` is what stands before and after the text."""

    mermaid: tuple[str, str]
    dot_shape: str
    fill: str
    line: str
    style: str = "filled"


LOOKS = {
    VertexKind.ENTRY: Look(("([", "])"), "plain", "#ffffff", "#ffffff"),
    VertexKind.SPEECH: Look(("[", "]"), "box", "#e8f1fa", "#7ba7d1", "rounded,filled"),
    VertexKind.QUESTION: Look(("[/", "/]"), "box", "#fff6d6", "#d0a928", "diagonals,filled"),
    VertexKind.DECISION: Look(("{{", "}}"), "hexagon", "#f1eaf8", "#9a7bc0"),
    VertexKind.CHANGE: Look(("[", "]"), "box", "#f2f4f5", "#a9b3ba"),
    VertexKind.OUTSIDE: Look(("[(", ")]"), "cylinder", "#e2f4ee", "#4fa88a"),
    VertexKind.STEPS: Look(("[[", "]]"), "box", "#e2f4ee", "#4fa88a"),
    VertexKind.PEOPLE: Look(("([", "])"), "box", "#ffe6d5", "#dd8a4e", "rounded,filled,bold"),
    VertexKind.END: Look(("([", "])"), "box", "#f5dfe1", "#c0717a", "rounded,filled"),
    VertexKind.ANYWHERE: Look((">", "]"), "plain", "#ffffff", "#ffffff"),
}

BARE = (VertexKind.ENTRY, VertexKind.ANYWHERE)
"""Words without a frame."""


# --- Mermaid ----------------------------------------------------------------------------------------------------------
def mermaid(graph: FlowGraph) -> str:
    """A `flowchart`, as GitHub and others draw it out of a Markdown page."""
    names = {vertex.id: f"n{number}" for number, vertex in enumerate(_vertices(graph))}
    lines = ["flowchart TD"]
    lines += [f"    {_mermaid_vertex(names[vertex.id], vertex)}" for vertex in graph.entries]
    for number, group in enumerate(graph.groups):
        inside = [_mermaid_vertex(names[vertex.id], vertex) for vertex in group.vertices]
        if number == 0:
            lines += [f"    {line}" for line in inside]
        else:
            lines += [f'    subgraph g{number} ["{_mermaid_text(f"flow {group.flow}")}"]']
            lines += [*(f"        {line}" for line in inside), "    end"]
    lines += [f"    {_mermaid_arc(names, arc)}" for arc in graph.arcs]
    for kind, look in LOOKS.items():
        members = [names[vertex.id] for vertex in _vertices(graph) if vertex.kind is kind]
        if members:
            colour = MIDDLE if kind in BARE else "#1d2830"
            lines.append(f"    classDef {kind.value} fill:{look.fill},stroke:{look.line},color:{colour}")
            lines.append(f"    class {','.join(members)} {kind.value}")
    faint = [str(number) for number, arc in enumerate(graph.arcs) if arc.is_faint]
    if faint:
        lines.append(f"    linkStyle {','.join(faint)} stroke:{FAINT},color:{MIDDLE}")
    return "\n".join(lines) + "\n"


def _mermaid_vertex(name: str, vertex: Vertex) -> str:
    before, after = LOOKS[vertex.kind].mermaid
    lines = [_mermaid_text(line) for line in _lines(vertex)]
    if vertex.kind not in BARE:
        lines[0] = f"<b>{lines[0]}</b>"
    return f'{name}{before}"{"<br>".join(lines)}"{after}'


def _mermaid_arc(names: dict[str, str], arc: Arc) -> str:
    line = "-.->" if arc.is_faint else "-->"
    label = f'|"{"<br>".join(_mermaid_text(part) for part in _label(arc))}"|' if arc.label else ""
    return f"{names[arc.source]} {line}{label} {names[arc.target]}"


def _mermaid_text(text: str) -> str:
    """Mermaid reads #…; as a character, and HTML tags; a backquote at the beginning would make Markdown of it."""
    return re.sub(r"[#<>&\"`;|]", lambda found: f"#{ord(found[0])};", text)


# --- Graphviz ---------------------------------------------------------------------------------------------------------
def dot(graph: FlowGraph) -> str:
    """The text for Graphviz."""
    lines = [
        f"digraph {_dot_text(graph.flow)} {{",
        '    graph [rankdir=TB, nodesep=0.3, ranksep=0.42, pad=0.2, bgcolor="white", '
        f'fontname="{FONT}", fontsize=12, fontcolor="{MIDDLE}"]',
        f'    node [fontname="{FONT}", fontsize=10, fontcolor="#1d2830", margin="0.14,0.07", height=0.3]',
        f'    edge [fontname="{FONT}", fontsize=9, color="{MIDDLE}", fontcolor="{MIDDLE}", arrowsize=0.6]',
    ]
    lines += [f"    {_dot_vertex(vertex)}" for vertex in graph.entries]
    for number, group in enumerate(graph.groups):
        lines += _dot_group(number, group)
    lines += [f"    {_dot_arc(arc)}" for arc in graph.arcs]
    return "\n".join([*lines, "}"]) + "\n"


def svg(text: str, program: str = "dot") -> str:
    """The picture of a text of `dot`. Raises DrawingUnavailable."""
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=text.encode(),
            capture_output=True,
            timeout=DOT_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise DrawingUnavailable(f"{DrawingUnavailable.__doc__}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DrawingUnavailable(f"{program}: {error}") from error
    if done.returncode:
        raise DrawingUnavailable(f"{program}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def _dot_group(number: int, group: Group) -> Iterator[str]:
    inside = [_dot_vertex(vertex) for vertex in group.vertices]
    if number == 0:
        yield from (f"    {line}" for line in inside)
        return
    yield f"    subgraph cluster_{number} {{"
    yield f'        label={_dot_text(f"flow {group.flow}")}; style="rounded"; color="{FAINT}"; margin=12'
    yield from (f"        {line}" for line in inside)
    yield "    }"


def _dot_vertex(vertex: Vertex) -> str:
    look = LOOKS[vertex.kind]
    title, *rest = _lines(vertex)
    if vertex.kind in BARE:
        parts = [f'<font color="{MIDDLE}">{html.escape(line)}</font>' for line in (title, *rest)]
    else:
        parts = [f"<b>{html.escape(title)}</b>", *map(html.escape, rest)]
    attributes = [f"label=<{'<br/>'.join(parts)}>", f"shape={look.dot_shape}", f'fillcolor="{look.fill}"']
    attributes += [f'color="{look.line}"', f'style="{look.style}"']
    if vertex.kind is VertexKind.STEPS:
        attributes.append("peripheries=2")
    return f"{_dot_text(vertex.id)} [{', '.join(attributes)}]"


def _dot_arc(arc: Arc) -> str:
    attributes = [f"label={_dot_text(NEW_LINE.join(f' {part} ' for part in _label(arc)))}"] if arc.label else []
    if arc.is_faint:
        attributes.append(f'style=dashed, color="{FAINT}"')
    return f"{_dot_text(arc.source)} -> {_dot_text(arc.target)}" + (f" [{', '.join(attributes)}]" if attributes else "")


def _dot_text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# --- both -------------------------------------------------------------------------------------------------------------
def _vertices(graph: FlowGraph) -> list[Vertex]:
    return [*graph.entries, *(vertex for group in graph.groups for vertex in group.vertices)]


def _lines(vertex: Vertex) -> list[str]:
    """The text in a vertex: its name, what is done, what is said."""
    head = [vertex.what, vertex.title] if vertex.kind is VertexKind.ENTRY else [vertex.title, vertex.what]
    lines = [line for part in head for line in textwrap.wrap(part, LINE_CHARACTERS)]
    return [*lines, *textwrap.wrap(f"“{vertex.said}”" if vertex.said else "", LINE_CHARACTERS)]


def _label(arc: Arc) -> list[str]:
    return textwrap.wrap(arc.label, LABEL_CHARACTERS)
