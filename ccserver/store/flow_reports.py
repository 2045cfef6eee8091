"""How a flow does: where its callers go, where they stumble, and where they give up. Counted out of the passages in history.

Of one node, over the passages that began in the period and came through the flow:

    visits        times that a caller stood at it; one caller may come several times
    repeats       tries at it that led to another try
    no input, invalid, failed, operator    visits that ended so, after all tries; the others went on as the flow says
    dropped       visits in which the caller hung up there
    drop-out      dropped / visits

Of the flow, over the same passages:

    containment = passages that end served / passages
    to people   = passages that went on to a queue, an agent, a number, an extension, a callback or a message / passages
    gave up     = passages that the caller ended in the middle / passages

Served is what the flow itself calls so (`serves`), whoever hung up then: that the flow ended a call, or that the caller asked for nobody,
does not say that anybody was helped. Suhm and Peterson ("A Data-Driven Methodology for Evaluating and Optimizing Call Center IVRs",
International Journal of Speech Technology 5, 2002) show how far the two can be apart, and count by where callers are lost, as is done
here. A passage that the PBX or a fault ended is in the visits, and dropped nowhere.

The passages are read as a stream: what is held grows with the nodes, not with the calls.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select

from ccserver.core.ids import FlowId, InteractionId, NodeId
from ccserver.core.records import FlowEnd, FlowRecord, FlowStep, StepHow
from ccserver.store import schema
from ccserver.store.database import Store

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStats:
    """`ended` counts the visits by how the node was left; a visit that was cut off is in none of them."""

    node: NodeId
    visits: int
    repeats: int
    ended: Mapping[StepHow, int]
    dropped: int

    @property
    def dropped_ratio(self) -> float:
        """0 to 1, of the visits."""
        return self.dropped / self.visits


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStats:
    """`nodes` by visits, the most first. `ends`: all of them; 0 for those that did not happen."""

    flow: FlowId
    passages: int
    ends: Mapping[FlowEnd, int]
    duration_s: float
    """Of all passages together."""
    nodes: tuple[NodeStats, ...]
    versions: int
    """Of the settings that the callers went by."""

    def ratio(self, end: FlowEnd) -> float | None:
        """0 to 1; None when nobody came through."""
        return self.ends[end] / self.passages if self.passages else None

    @property
    def containment_ratio(self) -> float | None:
        return self.ratio(FlowEnd.SERVED)

    @property
    def worst(self) -> NodeStats | None:
        """Where most callers hung up; None when nobody did."""
        found = max(self.nodes, key=lambda node: (node.dropped, node.dropped_ratio, node.node), default=None)
        return found if found is not None and found.dropped else None


def flow_stats(store: Store, flow: FlowId, *, since: datetime | None = None, until: datetime | None = None) -> FlowStats:
    """Of the passages through `flow` that began in the period (`since <= it < until`)."""
    table = schema.flow_passages
    query = select(table.c.version, table.c.ending, table.c.duration_s, table.c.steps)
    if since is not None:
        query = query.where(table.c.started_at >= since)
    if until is not None:
        query = query.where(table.c.started_at < until)
    # a filter for the database to leave out most of the others; what is meant is decided below
    query = query.where(table.c.steps.contains(json.dumps(flow), autoescape=True))
    counted = _Counted(flow)
    with store.reading() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query):
            counted.add(row.version, FlowEnd(row.ending), row.duration_s, json.loads(row.steps))
    return counted.stats()


def passage_of(row: Row[tuple[object, ...]]) -> FlowRecord:
    """A row of the table as the record that it came from."""
    return FlowRecord(
        interaction=InteractionId(row.interaction),
        number=row.number,
        version=row.version,
        started_utc_s=row.started_at.timestamp(),
        duration_s=row.duration_s,
        end=FlowEnd(row.ending),
        steps=tuple(FlowStep(flow, node, StepHow(how), repeats) for flow, node, how, repeats in json.loads(row.steps)),
    )


class _Node:
    __slots__ = ("dropped", "ended", "repeats", "visits")

    def __init__(self) -> None:
        self.visits = self.repeats = self.dropped = 0
        self.ended = dict.fromkeys(StepHow, 0)


class _Counted:
    def __init__(self, flow: FlowId) -> None:
        self._flow = flow
        self._passages = 0
        self._ends = dict.fromkeys(FlowEnd, 0)
        self._duration_s = 0.0
        self._nodes: dict[NodeId, _Node] = {}
        self._versions: set[str] = set()

    def add(self, version: str, end: FlowEnd, duration_s: float, steps: list[tuple[FlowId, NodeId, str, int]]) -> None:
        if all(flow != self._flow for flow, *_ in steps):
            return
        self._passages += 1
        self._ends[end] += 1
        self._duration_s += duration_s
        self._versions.add(version)
        is_cut = end in (FlowEnd.GAVE_UP, FlowEnd.LOST)
        for number, (flow, name, how, repeats) in enumerate(steps, 1):
            if flow != self._flow:
                continue
            node = self._nodes.setdefault(name, _Node())
            node.visits += 1
            node.repeats += repeats
            if not is_cut or number < len(steps):
                node.ended[StepHow(how)] += 1
            elif end is FlowEnd.GAVE_UP:
                node.dropped += 1

    def stats(self) -> FlowStats:
        nodes = (
            NodeStats(node=name, visits=node.visits, repeats=node.repeats, ended=node.ended, dropped=node.dropped)
            for name, node in sorted(self._nodes.items(), key=lambda pair: (-pair[1].visits, pair[0]))
        )
        return FlowStats(
            flow=self._flow,
            passages=self._passages,
            ends=self._ends,
            duration_s=self._duration_s,
            nodes=tuple(nodes),
            versions=len(self._versions),
        )
