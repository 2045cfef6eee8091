"""The index of waiting interactions and free agents, and its decisions.

It is an index, never the truth: everything in it can be rebuilt from the records. Waiting work is kept by *class* (see `ClassKey`),
agents by bits. After each step no free agent and waiting interaction that belong together are left; so a decision looks only at
what is new: the classes with a new interaction against everybody free, and the new free agents against the most urgent of each
class. Its cost depends on the number of classes with somebody waiting, at 0.1 us each, and not on how many wait nor on how many
queues the agents are in.

Rules. An agent takes the most urgent interaction (`urgency`) of all that they could serve. An interaction gets the agent whom its
queue's strategy names (`strategies`). An interaction that is for one agent only waits for that agent, and competes by urgency.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from ccserver.core.acd.candidates import Candidate, Wanted
from ccserver.core.acd.roster import Roster
from ccserver.core.acd.strategies import STRATEGIES, Standing
from ccserver.core.acd.urgency import ClassKey, Place
from ccserver.core.ids import AgentId, InteractionId, QueueId, SkillId
from ccserver.core.settings import RINGS_SEVERAL, QueueSettings, Requirement, Settings, Strategy
from ccserver.core.state import VOICE

RUNNERS_UP = 5
"""How many of those who came next are named in the reason."""
FEW = 24
"""Up to so many candidates are sorted at once; among more, the kept order of all the free ones is walked."""
CLASSES_MAX = 4096
"""Beyond it, classes without anybody waiting are forgotten."""


@dataclass(frozen=True, slots=True)
class Match:
    """Who is offered what. `agents` are several only where several phones ring at once, the first choice first."""

    interaction: InteractionId
    agents: tuple[AgentId, ...]
    why: str


@dataclass(slots=True, eq=False)
class WorkClass:
    """One class: who could take it (`able`, a mask), and who waits in it, in order."""

    key: ClassKey
    config: QueueSettings
    able: int = 0
    row: list[Place] = field(default_factory=list)


Head = tuple[int, float, InteractionId, WorkClass]
"""The first place of a class, and the class; ids differ, so that classes are never compared."""
StandingRow = tuple[float, float, AgentId, int]
"""Standing, idle since, agent, bit."""


class Matcher:
    """`last_served` answers who was served last in a queue."""

    def __init__(self, settings: Settings, last_served: Callable[[QueueId], AgentId | None] = lambda queue: None) -> None:
        self.settings = settings
        self._last_served = last_served
        self.roster = Roster(settings)
        self._classes: dict[ClassKey, WorkClass] = {}
        self._places: dict[InteractionId, tuple[WorkClass, Place, int]] = {}
        self._heads: dict[float, list[Head]] = {}
        self._for_one: dict[AgentId, dict[WorkClass, None]] = {}
        self._asked = 0
        self._new_work: dict[WorkClass, None] = {}
        self._free: dict[str, int] = {}
        self._new_free: dict[str, int] = {}
        self._candidates: dict[AgentId, tuple[Candidate, tuple[str, ...]]] = {}
        used = [STRATEGIES[queue.strategy] for queue in settings.queues.values()]
        kept = [STRATEGIES[Strategy.LONGEST_IDLE], *used]
        self._standing: dict[Standing, list[StandingRow]] = {order: [] for order in kept if isinstance(order, Standing)}
        self._orders: dict[tuple[AgentId, ...], Mapping[AgentId, int]] = {}

    # --- waiting interactions -----------------------------------------------------------------------------------------
    def add(self, key: ClassKey, config: QueueSettings, place: Place, draw: int) -> None:
        """`draw`: how many offers have been made for it."""
        interaction = place[2]
        self.remove(interaction)
        work = self._classes.get(key) or self._learn(key, config)
        self._change_row(work, lambda row: insort(row, place))
        self._places[interaction] = (work, place, draw)
        self._new_work[work] = None

    def remove(self, interaction: InteractionId) -> None:
        known = self._places.pop(interaction, None)
        if known is not None:
            work, place, _ = known
            self._change_row(work, lambda row: row.__delitem__(bisect_left(row, place)))

    def place_of(self, interaction: InteractionId) -> tuple[ClassKey, Place] | None:
        """The class it waits in, and its place there; None when it does not wait."""
        known = self._places.get(interaction)
        return None if known is None else (known[0].key, known[1])

    def waiting(self) -> dict[InteractionId, ClassKey]:
        return {interaction: work.key for interaction, (work, _, _) in self._places.items()}

    def waiting_in(self, queue: QueueId) -> list[InteractionId]:
        """In the order of service, were every agent able to take each of them."""
        rows = [place for work in self._classes.values() if work.key.queue == queue for place in work.row]
        return [place[2] for place in sorted(rows)]

    def position(self, interaction: InteractionId) -> int:
        """The place in its queue, from 1. Raises KeyError when it does not wait."""
        mine, place, _ = self._places[interaction]
        same = (work.row for work in self._classes.values() if work.row and work.key.queue == mine.key.queue)
        return 1 + sum(bisect_left(row, place) for row in same)

    # --- agents -------------------------------------------------------------------------------------------------------
    def set_free(self, who: Candidate, kinds: tuple[str, ...]) -> None:
        """The agent could be offered an interaction of any of these kinds."""
        bit = self.roster.bit(who.agent)
        known = self._candidates.get(who.agent)
        if not bit or known == (who, kinds):
            return
        if known is not None:
            self.set_busy(who.agent)
        self._candidates[who.agent] = (who, kinds)
        for kind in kinds:
            self._free[kind] = self._free.get(kind, 0) | bit
            self._new_free[kind] = self._new_free.get(kind, 0) | bit
        for order, rows in self._standing.items():
            insort(rows, (order.standing(who), who.idle_since_s, who.agent, bit))

    def set_busy(self, agent: AgentId) -> None:
        known = self._candidates.pop(agent, None)
        if known is None:
            return
        who, kinds = known
        bit = self.roster.bit(agent)
        for kind in kinds:
            self._free[kind] &= ~bit
            self._new_free[kind] = self._new_free.get(kind, 0) & ~bit
        for order, rows in self._standing.items():
            del rows[bisect_left(rows, (order.standing(who), who.idle_since_s, agent, bit))]

    def set_live_skills(self, agent: AgentId, levels: Mapping[SkillId, int]) -> None:
        """Levels that a supervisor set: who is able is worked out anew, and the agent counts as newly free."""
        if self.roster.set_live(agent, levels):
            for work in self._classes.values():
                work.able = self._able(work)
            known = self._candidates.get(agent)
            if known is not None:
                self.set_busy(agent)
                self.set_free(*known)

    def free(self, kind: str = VOICE) -> dict[AgentId, float]:
        """Who could be offered an interaction of this kind, and since when they have been idle."""
        return {agent: who.idle_since_s for agent, (who, kinds) in self._candidates.items() if kind in kinds}

    def able(self, queue: QueueId, requires: Requirement) -> int:
        """Everybody who could serve it in that queue, free or not, were all its tiers open: a mask of `roster`."""
        config = self.settings.queues.get(queue)
        return self.roster.serving(config, requires) if config is not None else self.roster.fulfil(requires)

    def able_of(self, key: ClassKey, config: QueueSettings) -> int:
        """Who could take what is of this class now: a mask of `roster`."""
        return (self._classes.get(key) or self._learn(key, config)).able

    def free_mask(self, kind: str) -> int:
        """Who could be offered an interaction of this kind."""
        return self._free.get(kind, 0)

    def before(self, place: Place, weight: float, now_s: float) -> list[tuple[QueueId, int, list[tuple[int, float]]]]:
        """What goes before somebody at `place` in a queue of `weight`, by class: its queue, who could take it, and the order of
        those who wait (rank and `-urgency` now)."""
        rank, score, interaction = place
        found = []
        for work in self._classes.values():
            if work.row:
                same = score + (work.config.weight - weight) * now_s
                count = bisect_left(work.row, (rank, same, interaction))
                if count:
                    aged_s = work.config.weight * now_s
                    found.append((work.key.queue, work.able, [(p[0], p[1] - aged_s) for p in work.row[:count]]))
        return found

    # --- decisions ----------------------------------------------------------------------------------------------------
    def next(self, now_s: float) -> Match | None:
        """A pair that can be offered, the most urgent interaction first; None when there is none.

        Costs next to nothing while neither a waiting interaction nor a free agent is new: who could be paired has been.
        """
        best: tuple[int, float, InteractionId, WorkClass] | None = None
        for rank, score, interaction, work in self._possible():
            found = (rank, score - work.config.weight * now_s, interaction, work)
            if best is None or found < best:
                best = found
        if best is None:
            self._new_work.clear()
            self._new_free.clear()
            return None
        work = best[3]
        most = work.config.ring_most if work.config.strategy is Strategy.RING_ALL else 1
        return self._choose(work, best[2], now_s, most)

    def choose(self, interaction: InteractionId, key: ClassKey, config: QueueSettings, now_s: float, draw: int) -> Match | None:
        """Who would be offered it, in order, whether it waits or its first phones ring already; None: nobody is free."""
        work = self._classes.get(key) or self._learn(key, config)
        several = config.ring_most if config.strategy in RINGS_SEVERAL else 1
        pool = work.able & self._free.get(key.kind, 0)
        return self._choose(work, interaction, now_s, several, draw) if pool else None

    def _possible(self) -> Iterator[Head]:
        """Of each weight the most urgent interaction for an agent who is new, what is for such an agent only, and what is new."""
        new_free, new_work, free = self._new_free, self._new_work, self._free
        if any(new_free.values()):
            for lane in self._heads.values():
                for head in lane:
                    work = head[3]
                    if work.able & new_free.get(work.key.kind, 0):
                        yield head
                        break
            for kind, mask in new_free.items():
                for agent in self.roster.names(mask & self._asked):
                    yield from (_head(work) for work in self._for_one[agent] if work.key.kind == kind)
        for work in new_work:
            if work.row and work.able & free.get(work.key.kind, 0):
                yield _head(work)

    def _choose(self, work: WorkClass, interaction: InteractionId, now_s: float, most: int, draw: int | None = None) -> Match:
        known = self._places.get(interaction)
        wanted = self._wanted(work, interaction, now_s, known[2] if known is not None and draw is None else draw or 0)
        order = STRATEGIES[work.config.strategy]
        pool = work.able & self._free[work.key.kind]
        count = pool.bit_count()
        if isinstance(order, Standing) and count > FEW and order in self._standing:
            found = self._first(self._standing[order], pool, most + RUNNERS_UP)
        else:
            there = [self._candidates[agent][0] for agent in self.roster.names(pool)]
            found = nsmallest(most + RUNNERS_UP, there, key=lambda who: (order.key(who, wanted), who.idle_since_s, who.agent))
        chosen, others = found[:most], found[most:]
        words = "for this agent only" if work.key.only is not None else f"{order.words}: {order.figure(chosen[0], wanted)}"
        why = f"{words}; {count} free of {work.able.bit_count()} able"
        if others:
            why += "; next " + ", ".join(f"{who.agent} ({order.figure(who, wanted)})" for who in others)
        return Match(interaction, tuple(who.agent for who in chosen), why)

    def _first(self, rows: Iterable[StandingRow], pool: int, most: int) -> list[Candidate]:
        found = []
        for _, _, agent, bit in rows:
            if bit & pool:
                found.append(self._candidates[agent][0])
                if len(found) == most:
                    break
        return found

    def _wanted(self, work: WorkClass, interaction: InteractionId, now_s: float, draw: int) -> Wanted:
        config, queue = work.config, work.key.queue
        order = self._order(config.members)
        start = 0
        if config.strategy is Strategy.ROUND_ROBIN:
            last = self._last_served(queue)
            if last is not None and last in order:
                start = order[last] + 1
            elif last is not None and not config.members:
                start = bisect_left(self.roster.agents, last)
        tiers: tuple[frozenset[AgentId], ...] = ()
        if config.strategy is Strategy.TIERS:
            opened = self.roster.tiers(config)[: work.key.tiers]
            tiers = tuple(frozenset(self.roster.names(tier & self._free[work.key.kind])) for tier in opened)
        return Wanted(
            interaction=interaction,
            queue=queue,
            requires=work.key.requires,
            now_s=now_s,
            draw=draw,
            order=order,
            start=start,
            tiers=tiers,
        )

    def _order(self, members: tuple[AgentId, ...]) -> Mapping[AgentId, int]:
        if not members:
            return self.roster.place
        known = self._orders.get(members)
        if known is None:
            known = self._orders[members] = {agent: place for place, agent in enumerate(members)}
        return known

    # --- the index ----------------------------------------------------------------------------------------------------
    def _learn(self, key: ClassKey, config: QueueSettings) -> WorkClass:
        if len(self._classes) >= CLASSES_MAX:
            self._classes = {k: w for k, w in self._classes.items() if w.row}
        work = self._classes[key] = WorkClass(key, config)
        work.able = self._able(work)
        return work

    def _able(self, work: WorkClass) -> int:
        """Who is meant to be asked alone is asked whatever is required."""
        key = work.key
        if key.only is not None:
            return self.roster.bit(key.only)
        able = self.roster.serving(work.config, key.requires)
        if work.config.strategy is Strategy.TIERS and work.config.tiers:
            opened = 0
            for tier in self.roster.tiers(work.config)[: key.tiers]:
                opened |= tier
            able &= opened
        return able

    def _change_row(self, work: WorkClass, change: Callable[[list[Place]], None]) -> None:
        """Change who waits in a class, and with it the place of the class among the others."""
        row, only = work.row, work.key.only
        before = row[0] if row else None
        change(row)
        after = row[0] if row else None
        if before == after:
            return
        if only is not None:
            own = self._for_one.setdefault(only, {})
            own.pop(work, None)
            if row:
                own[work] = None
                self._asked |= self.roster.bit(only)
            elif not own:
                del self._for_one[only]
                self._asked &= ~self.roster.bit(only)
            return
        lane = self._heads.setdefault(work.config.weight, [])
        if before is not None:
            del lane[bisect_left(lane, before, key=lambda head: head[:3])]
        if after is not None:
            insort(lane, (*after, work))


def _head(work: WorkClass) -> Head:
    return (*work.row[0], work)
