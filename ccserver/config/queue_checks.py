"""What no single key of a queue can know: circles among exits, keys that need one another, agents who can never fulfil it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from ccserver.config.circles import circles
from ccserver.config.exits import all_queues, exits, next_queue, place_of, reached_queues
from ccserver.config.flow_calls import calls
from ccserver.config.flow_ways import ASKS, door, onward, reached
from ccserver.config.positions import PathInFile
from ccserver.config.requirements import written
from ccserver.config.schema import Reader, hinted
from ccserver.config.sections import Document
from ccserver.core.ids import AgentId, FlowId, Language, NodeId, QueueId, SkillId
from ccserver.core.requirements import at_stage, is_met, together
from ccserver.core.settings import (
    DIRECT,
    EVERYBODY,
    AgentNode,
    CallbackNode,
    CallNode,
    DoneNode,
    EnqueueNode,
    ExitKind,
    Flow,
    HasSkill,
    HeadsetNotice,
    LanguageChoiceNode,
    LanguageNode,
    Node,
    QueueSettings,
    Requirement,
    SetNode,
    Strategy,
    WrapUpKind,
)

Skills = Mapping[SkillId, int]


def check_queues(document: Document, reader: Reader) -> None:
    """Tell the reader what is wrong with the queues and with what sends calls to and from them."""
    _circles(document, reader)
    _direct_calls(document, reader)
    able = _Able(document, reader)
    for name, queue in all_queues(document).items():
        path = place_of(name)
        _partners(path, queue, reader)
        _rules(path, queue, reader)
        _in_order((*path, "tiers"), [each.after_s for each in queue.tiers], reader)
        _in_order((*path, "relax"), [each.after_s for each in queue.relax], reader)
        if name != DIRECT:
            able.check_queue(path, queue)
    able.check_languages()
    able.check_others()


# --- circles ----------------------------------------------------------------------------------------------------------
def _circles(document: Document, reader: Reader) -> None:
    """Queues and flows as one graph. A flow leads on only where nobody is asked anything: who presses a key to wait once more
    does not walk in circles."""
    queues = all_queues(document)
    onward: dict[str, list[str]] = {}
    for name, queue in queues.items():
        onward[name] = [target for _, way in exits(queue) if (target := _target(way.kind, way.target))]
    for flow_name, flow in document.flows.items():
        onward[_flow(flow_name)] = list(_entered(flow))
    told: set[frozenset[str]] = set()
    for circle in circles(onward):
        if frozenset(circle) in told or not any(each in queues for each in circle):
            continue  # flows that call one another are told with the flows
        told.add(frozenset(circle))
        while circle[-1] not in queues:
            circle = [circle[-1], *circle[:-1]]  # noqa: PLW2901
        last = QueueId(circle[-1])
        key = next(key for key, way in exits(queues[last]) if _target(way.kind, way.target) == circle[0])
        shown = " -> ".join([*circle, circle[0]])
        message = f"expected queues that do not send callers in circles, got {shown}"
        reader.tell((*place_of(last), *key), hinted(message, "let one of them end in an extension, a message or hang_up"))


def _flow(name: str) -> str:
    return f"flow {name}"  # no queue has a space in its name


def _target(kind: ExitKind, target: str) -> str | None:
    if kind is ExitKind.FLOW:
        return _flow(target)
    return DIRECT if kind is ExitKind.AGENT else target if kind is ExitKind.QUEUE else None


def _entered(flow: Flow) -> Iterator[str]:
    """The queues a caller comes to who presses nothing."""
    ways: dict[NodeId, list[NodeId]] = {}
    for at, node in flow.nodes.items():
        ways[at] = [] if isinstance(node, ASKS) else onward(node, flow, {})
    for at in reached([flow.start], ways):
        node_there = flow.nodes.get(at)
        entered = door(node_there) if node_there is not None else None
        if entered is not None:
            yield entered
        if isinstance(node_there, CallNode):
            yield _flow(node_there.flow)


def _spoken_in_queues(document: Document) -> Iterator[tuple[QueueId, Language]]:
    """The queues callers come to by their flows, with the languages they may have chosen by then."""
    doors = [
        (did.flow, document.flows[did.flow].start, did.language) for did in document.dids.values() if did.flow in document.flows
    ]
    sites: dict[FlowId, list[tuple[FlowId, CallNode]]] = {}
    for caller, flow in document.flows.items():
        for _, call in calls(flow):
            sites.setdefault(call.flow, []).append((caller, call))
    places = dict.fromkeys(doors)
    pending = list(places)
    while pending:
        name, at, language = pending.pop()
        node = document.flows[name].nodes.get(at)
        if isinstance(node, EnqueueNode | CallbackNode):
            yield from ((queue, language) for queue in reached_queues(node.queue, document.queues))
        for place in _next_places(document, sites.get(name, ()), (name, node, language)) if node is not None else ():
            if place not in places:
                places[place] = None
                pending.append(place)


def _next_places(
    document: Document, sites: Iterable[tuple[FlowId, CallNode]], at: tuple[FlowId, Node, Language]
) -> Iterator[tuple[FlowId, NodeId, Language]]:
    """Where the call may be next, in which flow and language. `sites`: where its flow is called."""
    name, node, language = at
    flow = document.flows[name]
    match node:
        case CallNode() if node.flow in document.flows:
            yield node.flow, document.flows[node.flow].start, language
        case DoneNode():
            yield from ((caller, call.on[node.result], language) for caller, call in sites if node.result in call.on)
        case LanguageNode():
            yield name, node.next, node.language
        case LanguageChoiceNode():
            yield from ((name, node.next, each) for each in dict.fromkeys([language, *node.choices.values()]))
        case _:
            yield from ((name, target, language) for target in onward(node, flow, {}))


# --- keys that need one another -----------------------------------------------------------------------------------------
_NEEDED: tuple[tuple[str, str, str], ...] = (
    ("on_full", "max_waiting", "on_full never happens"),
    ("on_max_wait", "max_wait_s", "on_max_wait never happens"),
    ("on_closed", "hours", "on_closed never happens"),
    ("on_closing", "hours", "on_closing never happens"),
    ("joins_when", "on_unstaffed", "callers wait whoever is on duty"),
    ("stays_while", "on_deserted", "callers wait on whoever is on duty"),
    ("announce_wait", "announce_position_every_s", "nothing is announced"),
)
"""(key, the key it needs, what becomes of it without)."""
_ONLY_WITH: tuple[tuple[str, str, tuple[Enum, ...]], ...] = (
    ("ring_more_every_s", "strategy", (Strategy.RING_PROGRESSIVELY,)),
    ("ring_most", "strategy", (Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY)),
    ("tiers", "strategy", (Strategy.TIERS,)),
    ("wrap_up_max_s", "wrap_up", (WrapUpKind.EXTENDABLE, WrapUpKind.UNTIL_DISPOSITION)),
    ("wrap_up_s", "wrap_up", (WrapUpKind.TIMED, WrapUpKind.EXTENDABLE)),
)
"""(key, the choice it belongs to, with which values)."""


def _partners(path: PathInFile, queue: QueueSettings, reader: Reader) -> None:
    for key, needed, without in _NEEDED:
        if (*path, key) in reader.marks and getattr(queue, needed) is None:
            reader.warn((*path, key), f"expected {needed} beside it, got none (without it {without})")
    for key, chooser, values in _ONLY_WITH:
        chosen: Enum = getattr(queue, chooser)
        if (*path, key) in reader.marks and chosen not in values:
            wanted = " or ".join(str(each.value) for each in values)
            reader.warn((*path, key), f"expected it with {chooser}: {wanted}, got {chosen.value} (it does nothing)")


def _rules(path: PathInFile, queue: QueueSettings, reader: Reader) -> None:
    def tell(key: str, message: str, hint: str) -> None:
        reader.tell((*path, key), hinted(message, hint))

    if queue.short_abandon_s > queue.service_level_s:
        message = f"expected at most service_level_s ({queue.service_level_s:g}), got {queue.short_abandon_s:g}"
        tell("short_abandon_s", message, "a short wait is shorter than one in time")
    if queue.strategy is Strategy.TIERS and not queue.tiers and not reader.has_problem((*path, "tiers")):
        tell("strategy", "expected tiers beside it, got none", "for example tiers: [{after_s: 0, requires: sales >= 50}]")
    if queue.wrap_up is WrapUpKind.UNTIL_DISPOSITION and not queue.dispositions:
        tell("wrap_up", "expected dispositions beside until_disposition, got none", "name those that may be entered")
    if queue.wrap_up is WrapUpKind.EXTENDABLE and queue.wrap_up_max_s < queue.wrap_up_s:
        tell(
            "wrap_up_max_s",
            f"expected at least wrap_up_s ({queue.wrap_up_s:g}), got {queue.wrap_up_max_s:g}",
            "it is the longest it can be extended to",
        )
    if queue.headset_notice is HeadsetNotice.NAME and queue.name_prompt is None:
        tell("headset_notice", "expected a name_prompt beside name, got none", "name the prompt that says the queue's name")
    for key, way in exits(queue):
        if way.kind is ExitKind.CALLBACK and queue.callback is None:
            reader.tell(
                (*path, *key),
                hinted("expected the rules of callbacks beside it, got none", "write callback: {} into the queue"),
            )
    if queue.preference is not None and not queue.preference.owner and queue.preference.last_spoken_days is None:
        reader.warn((*path, "preference"), "expected owner or last_spoken_days, got neither (nobody is ever preferred)")
    if queue.max_wait_s is not None:
        for index, each in enumerate(queue.relax):
            if each.after_s >= queue.max_wait_s:
                message = f"expected less than max_wait_s ({queue.max_wait_s:g}), got {each.after_s:g} (it never happens)"
                reader.warn((*path, "relax", index, "after_s"), message)


def _in_order(path: PathInFile, times_s: list[float], reader: Reader) -> None:
    for index, (before, after) in enumerate(itertools.pairwise(times_s), start=1):
        if after < before or (after == before and path[-1] == "relax"):
            message = f"expected more than the {before:g} before it, got {after:g}"
            reader.tell((*path, index, "after_s"), hinted(message, "write them in the order of their times"))
    if path[-1] == "tiers" and times_s and times_s[0] > 0:
        message = f"expected 0 for the first tier, got {times_s[0]:g} (until then the call is offered to nobody)"
        reader.warn((*path, 0, "after_s"), message)


def _direct_calls(document: Document, reader: Reader) -> None:
    if document.direct_calls is not None or reader.has_problem(("direct_calls",)):
        return
    ways: list[PathInFile] = [
        (*place_of(name), *key)
        for name, queue in document.queues.items()
        for key, way in exits(queue)
        if next_queue(way) == DIRECT
    ]
    ways += [
        ("flows", name, "nodes", node)
        for name, flow in document.flows.items()
        for node, each in flow.nodes.items()
        if isinstance(each, AgentNode)
    ]
    for path in ways:
        reader.tell(path, hinted("expected a section direct_calls for calls to an agent, got none", "write direct_calls: {}"))


# --- who can fulfil it --------------------------------------------------------------------------------------------------
class _Able:
    """Held against the agents' skills; silent where the agents could not be read."""

    def __init__(self, document: Document, reader: Reader) -> None:
        self._document = document
        self._reader = reader
        self._agents: Mapping[AgentId, Skills] = {name: agent.skills for name, agent in document.agents.items()}
        distinct = {tuple(sorted(skills.items())): skills for skills in self._agents.values()}
        self._distinct = list(distinct.values())
        self._is_known = bool(document.agents) and not reader.has_problem(("agents",))

    def _can_judge(self, requirement: Requirement) -> bool:
        return self._is_known and all(skill in self._document.skills for skill in _named(requirement))

    def check_queue(self, path: PathInFile, queue: QueueSettings) -> None:
        self._check_nothing_asked(path, queue)
        required = together(queue, (), EVERYBODY)
        if not self._can_judge(required):
            return
        if any(is_met(required, skills) for skills in self._eligible(queue)):
            self._check_members(path, queue, required)
        else:
            self._tell_nobody(path, queue, required)
        for index, relaxation in enumerate(queue.relax):
            where = (*path, "relax", index, "requires")
            self._check_somebody(where, relaxation.requires, self._eligible(queue))
        self._check_tiers(path, queue)

    def check_languages(self) -> None:
        """Callers who chose a language wait for somebody who speaks it, whatever else is relaxed."""
        for name, language in dict.fromkeys(_spoken_in_queues(self._document)):
            queue, section = self._document.queues.get(name), self._document.languages.get(language)
            if queue is None or section is None or section.skill is None:
                continue
            eligible = self._eligible(queue)
            stages = [at_stage(queue, stage, (section.skill,), EVERYBODY) for stage in range(len(queue.relax) + 1)]
            served = [at_stage(queue, stage, (), EVERYBODY) for stage in range(len(queue.relax) + 1)]
            is_spoken = any(section.skill in skills for skills in eligible)
            is_judged = all(map(self._can_judge, stages)) and is_spoken and _is_any_met(served, eligible)
            if is_judged and not _is_any_met(stages, eligible):  # else nobody is there at all, which is told once
                message = f"expected an agent who fulfils {written(stages[-1])}, got none"
                self._reader.warn(place_of(name), f"{message} (callers who chose {language} would wait for nobody)")

    def check_others(self) -> None:
        """Numbers called and set nodes."""
        for number, did in self._document.dids.items():
            self._check_somebody(("dids", number, "requires"), did.requires, self._distinct)
        for name, flow in self._document.flows.items():
            for node, each in flow.nodes.items():
                if isinstance(each, SetNode):
                    path = ("flows", name, "nodes", node, "set", "requires")
                    self._check_somebody(path, each.requires, self._distinct)

    def _eligible(self, queue: QueueSettings) -> list[Skills]:
        return [self._agents[each] for each in queue.members if each in self._agents] if queue.members else self._distinct

    def _check_somebody(self, path: PathInFile, requirement: Requirement, among: Iterable[Skills]) -> None:
        if self._can_judge(requirement) and not any(is_met(requirement, skills) for skills in among):
            self._reader.warn(path, f"expected an agent who fulfils {written(requirement)}, got none (it can never be met)")

    def _check_nothing_asked(self, path: PathInFile, queue: QueueSettings) -> None:
        nothing = not queue.skills and queue.requires == EVERYBODY and not queue.members
        if nothing and path in self._reader.marks and (*path, "skills") in self._reader.marks:
            self._reader.warn((*path, "skills"), "expected a skill, got none (every agent gets these calls)")

    def _check_members(self, path: PathInFile, queue: QueueSettings, required: Requirement) -> None:
        conditions = [required, *(each.requires for each in queue.relax)]
        for index, member in enumerate(queue.members):
            skills = self._agents.get(member)
            if skills is not None and not any(is_met(each, skills) for each in conditions):
                message = f"expected a member who fulfils {written(required)}, got {member} (who is never offered a call)"
                self._reader.warn((*path, "members", index), message)

    def _check_tiers(self, path: PathInFile, queue: QueueSettings) -> None:
        for index, tier in enumerate(queue.tiers):
            for place, each in enumerate(tier.agents):
                if queue.members and each not in queue.members:
                    message = f"expected one of the members, got {each} (who is never offered a call)"
                    self._reader.warn((*path, "tiers", index, "agents", place), message)
            able = [self._agents[each] for each in tier.agents if each in self._agents] or self._eligible(queue)
            self._check_somebody((*path, "tiers", index, "requires"), tier.requires, able)

    def _tell_nobody(self, path: PathInFile, queue: QueueSettings, required: Requirement) -> None:
        if queue.requires == EVERYBODY and not queue.members:
            shown = " and ".join(sorted(queue.skills))
            self._reader.warn(path, f"expected an agent with the skills {shown}, got none (callers would wait for nobody)")
            return
        who = "a member" if queue.members else "an agent"
        key = "members" if queue.members else "requires"
        self._reader.warn(
            (*path, key), f"expected {who} who fulfils {written(required)}, got none (callers would wait for nobody)"
        )


def _is_any_met(requirements: Iterable[Requirement], among: Iterable[Skills]) -> bool:
    return any(is_met(requirement, skills) for requirement in requirements for skills in among)


def _named(requirement: Requirement) -> Iterator[SkillId]:
    if isinstance(requirement, HasSkill):
        yield requirement.skill
    else:
        for part in requirement.of:
            yield from _named(part)
