"""The laws of the matcher, whatever the strategy: held against a naive matcher that looks at everything each time."""

from dataclasses import dataclass, replace
from unittest.mock import patch

import pytest
from desk import settings as desk_settings
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from ccserver.core import requirements
from ccserver.core.acd import STRATEGIES, Candidate, ClassKey, Match, Matcher, Wanted, place, urgency
from ccserver.core.ids import AgentId, InteractionId
from ccserver.core.settings import (
    AgentSettings,
    AllOf,
    AnyOf,
    HasSkill,
    NoneOf,
    QueueSettings,
    Requirement,
    Settings,
    Strategy,
    Tier,
)

NOW_S = 1000.0
AGENTS = [AgentId(f"1{n:02d}") for n in range(6)]
SKILLS = ["sales", "spanish", "legal"]
REQUIREMENTS: list[Requirement] = [
    AllOf(),
    HasSkill("sales"),
    HasSkill("sales", 50),
    AllOf((HasSkill("sales"), HasSkill("spanish", 30))),
    AnyOf((HasSkill("legal"), HasSkill("spanish", 70))),
    AllOf((HasSkill("sales"), NoneOf((HasSkill("legal"),)))),
]


@dataclass(frozen=True)
class Waiting:
    key: ClassKey
    rank: int
    since_s: float
    priority: int
    draw: int


@dataclass(frozen=True)
class Hall:
    """A center as it might be: its settings, who waits, who is free for what."""

    settings: Settings
    waiting: dict[InteractionId, Waiting]
    free: dict[AgentId, tuple[Candidate, tuple[str, ...]]]
    last: dict[str, AgentId]


@st.composite
def halls(draw: st.DrawFn, strategy: Strategy | None = None) -> Hall:
    """Of one strategy, or of any mixture."""
    levels = st.fixed_dictionaries({skill: st.sampled_from([50, 70, 100, 30, 0]) for skill in SKILLS})
    agents = {a: AgentSettings(name=a, skills=draw(levels), share=draw(st.integers(0, 3))) for a in AGENTS}
    some_agents = st.one_of(st.just(()), st.lists(st.sampled_from(AGENTS), unique=True, min_size=3).map(tuple))
    queues = {
        f"q{n}": QueueSettings(
            name=f"q{n}",
            skills=(),
            strategy=strategy or draw(st.sampled_from(list(Strategy))),
            members=draw(some_agents),
            weight=draw(st.sampled_from([0.5, 1.0, 1.0, 4.0])),
            ring_most=draw(st.integers(1, 3)),
            tiers=tuple(
                Tier(after_s=10.0 * t, agents=draw(some_agents), requires=draw(st.sampled_from(REQUIREMENTS)))
                for t in range(draw(st.integers(0, 3)))
            ),
        )
        for n in range(3)
    }
    config = desk_settings()
    seconds = st.floats(0.0, 900.0, allow_nan=False)
    kinds = st.sampled_from([("voice",), ("voice",), ("voice", "mail"), ("mail",)])
    waiting = {}
    for number in range(draw(st.integers(1, 8))):
        queue = draw(st.sampled_from(sorted(queues)))
        only = draw(st.one_of(st.none(), st.none(), st.none(), st.sampled_from(AGENTS)))
        requires = AllOf() if only else draw(st.sampled_from(REQUIREMENTS))
        tiers = 0 if only else draw(st.sampled_from([1, 2, 3, 0]))
        key = ClassKey(queue, requires, tiers, only, draw(st.sampled_from(["voice", "voice", "mail"])))
        waiting[InteractionId(number)] = Waiting(
            key, draw(st.integers(0, 1)), draw(seconds), draw(st.integers(0, 3)), draw(st.integers(0, 2))
        )
    free = {
        agent: (
            Candidate(
                agent=agent,
                idle_since_s=draw(st.sampled_from([0.0, 10.0, 500.5])),
                skills=agents[agent].skills,
                calls=draw(st.integers(0, 2)),
                talk_s=draw(st.sampled_from([0.0, 60.0, 90.0])),
                wrap_up_s=draw(st.sampled_from([0.0, 30.0])),
                logged_in_since_s=draw(st.sampled_from([0.0, 900.0, 1000.0])),
                last_call_s=draw(st.sampled_from([0.0, 700.0])),
                share=agents[agent].share,
            ),
            draw(kinds),
        )
        for agent in AGENTS
        if draw(st.integers(0, 3)) < 3
    }
    last = draw(st.dictionaries(st.sampled_from(sorted(queues)), st.sampled_from([*AGENTS, AgentId("155"), AgentId("000")])))
    return Hall(
        settings=replace(config, agents=agents, queues=queues),
        waiting=waiting,
        free=free,
        last=last,
    )


def matcher_of(hall: Hall, *, backwards: bool = False) -> Matcher:
    matcher = Matcher(hall.settings, hall.last.get)
    turn = reversed if backwards else iter
    for number in turn(list(hall.waiting)):
        add(matcher, hall, number)
    for agent in turn(list(hall.free)):
        matcher.set_free(*hall.free[agent])
    return matcher


def add(matcher: Matcher, hall: Hall, number: InteractionId) -> None:
    it = hall.waiting[number]
    config = hall.settings.queues[it.key.queue]
    at = place(number, rank=it.rank, since_s=it.since_s, priority=it.priority, weight=config.weight, step_s=60.0)
    matcher.add(it.key, config, at, it.draw)


def drained(matcher: Matcher) -> list[Match]:
    """Every offer that can be made now, as center makes them: one agent each."""
    made = []
    while (match := matcher.next(NOW_S)) is not None:
        made.append(match)
        matcher.remove(match.interaction)
        matcher.set_busy(match.agents[0])
    return made


# --- the naive matcher ------------------------------------------------------------------------------------------------
def may_take(hall: Hall, agent: AgentId, key: ClassKey) -> bool:
    if agent not in hall.free or key.kind not in hall.free[agent][1]:
        return False
    if key.only is not None:
        return agent == key.only
    queue, skills = hall.settings.queues[key.queue], hall.settings.agents[agent].skills
    is_member = not queue.members or agent in queue.members
    is_in_tier = queue.strategy is not Strategy.TIERS or not queue.tiers or tier_of(hall, agent, key) < key.tiers
    return is_member and is_in_tier and requirements.is_met(key.requires, skills)


def tier_of(hall: Hall, agent: AgentId, key: ClassKey) -> int:
    skills = hall.settings.agents[agent].skills
    for number, tier in enumerate(hall.settings.queues[key.queue].tiers):
        if (not tier.agents or agent in tier.agents) and requirements.is_met(tier.requires, skills):
            return number
    return 99


def most_urgent(hall: Hall, left: dict[InteractionId, Waiting], free: set[AgentId]) -> InteractionId | None:
    def key(number: InteractionId) -> tuple[int, float, InteractionId]:
        it = left[number]
        weight = hall.settings.queues[it.key.queue].weight
        return it.rank, -(it.priority * 60.0 + weight * NOW_S - weight * it.since_s), number

    served = [n for n, it in left.items() if any(may_take(hall, a, it.key) for a in free)]
    return min(served, key=key, default=None)


# --- the laws ---------------------------------------------------------------------------------------------------------
@effort(max_examples=80, deadline=None)
@given(halls())
def test_nobody_is_offered_twice_nor_what_they_may_not_take_and_nobody_starves(hall: Hall) -> None:
    made = drained(matcher_of(hall))
    agents = [match.agents[0] for match in made]
    numbers = [match.interaction for match in made]
    assert len(set(agents)) == len(agents)
    assert len(set(numbers)) == len(numbers)
    for match in made:
        assert all(may_take(hall, agent, hall.waiting[match.interaction].key) for agent in match.agents)
        assert len(set(match.agents)) == len(match.agents)
    idle = set(hall.free) - set(agents)
    for number in set(hall.waiting) - set(numbers):
        assert not any(may_take(hall, agent, hall.waiting[number].key) for agent in idle)


@effort(max_examples=80, deadline=None)
@given(halls())
def test_the_most_urgent_that_anybody_could_take_goes_first(hall: Hall) -> None:
    left, free = dict(hall.waiting), set(hall.free)
    for match in drained(matcher_of(hall)):
        expected = most_urgent(hall, left, free)
        assert expected is not None
        mine, best = left[match.interaction], left[expected]
        if match.interaction != expected:  # but for a last bit of rounding, of two that are equally urgent
            weights = [hall.settings.queues[it.key.queue].weight for it in (mine, best)]
            urgencies = [it.priority * 60.0 + w * (NOW_S - it.since_s) for it, w in zip((mine, best), weights, strict=True)]
            assert mine.rank == best.rank
            assert urgencies[0] == pytest.approx(urgencies[1], abs=1e-6)
        del left[match.interaction]
        free.remove(match.agents[0])
    assert most_urgent(hall, left, free) is None


@effort(max_examples=60, deadline=None)
@given(halls())
def test_the_order_in_which_things_became_known_does_not_matter(hall: Hall) -> None:
    assert drained(matcher_of(hall)) == drained(matcher_of(hall, backwards=True))


@effort(max_examples=60, deadline=None)
@given(halls(), st.data())
def test_an_index_that_followed_is_the_index_built_anew(hall: Hall, data: st.DataObject) -> None:
    """Agents come and go, interactions leave and come back, decisions fall in between."""
    matcher = Matcher(hall.settings, hall.last.get)
    free: set[AgentId] = set()
    left: set[InteractionId] = set()
    things = [*hall.free, *hall.waiting]
    for thing in data.draw(st.lists(st.sampled_from(things), max_size=30)) if things else []:
        if isinstance(thing, str):
            (matcher.set_busy(thing), free.remove(thing)) if thing in free else (
                matcher.set_free(*hall.free[thing]),
                free.add(thing),
            )
        else:
            (matcher.remove(thing), left.remove(thing)) if thing in left else (add(matcher, hall, thing), left.add(thing))
        while (match := matcher.next(NOW_S)) is not None:
            matcher.remove(match.interaction)
            matcher.set_busy(match.agents[0])
            left.remove(match.interaction)
            free.remove(match.agents[0])
        for number in left:
            assert not any(agent in free and may_take(hall, agent, hall.waiting[number].key) for agent in AGENTS)
        assert set(matcher.waiting()) == left
        assert set(matcher.free("voice")) | set(matcher.free("mail")) == free


@pytest.mark.parametrize("strategy", Strategy)
@effort(max_examples=25, deadline=None)
@given(data=st.data())
def test_who_is_chosen_is_the_first_by_the_strategy_then_by_idle_time_then_by_number(
    strategy: Strategy, data: st.DataObject
) -> None:
    hall = data.draw(halls(strategy))
    for few in (0, 24):
        _the_first_is_chosen(hall, few)


def _the_first_is_chosen(hall: Hall, few: int) -> None:
    """Also where so many are free that they are not sorted anew each time."""
    with patch("ccserver.core.acd.matcher.FEW", few):
        match = matcher_of(hall).next(NOW_S)
    if match is None:
        return
    it = hall.waiting[match.interaction]
    queue = hall.settings.queues[it.key.queue]
    order = STRATEGIES[queue.strategy]
    numbers = queue.members or tuple(sorted(hall.settings.agents))
    last = hall.last.get(it.key.queue)
    start = 0
    if queue.strategy is Strategy.ROUND_ROBIN and last is not None:
        start = numbers.index(last) + 1 if last in numbers else 0 if queue.members else sum(n < last for n in numbers)
    able = [agent for agent in hall.free if may_take(hall, agent, it.key)]
    wanted = Wanted(
        interaction=match.interaction,
        queue=it.key.queue,
        requires=it.key.requires,
        now_s=NOW_S,
        draw=it.draw,
        order={agent: at for at, agent in enumerate(numbers)},
        start=start,
        tiers=tuple(
            frozenset(a for a in able if tier_of(hall, a, it.key) == number)
            for number in range(min(it.key.tiers, len(queue.tiers)))
        ),
    )
    ranked = sorted(able, key=lambda a: (order.key(hall.free[a][0], wanted), hall.free[a][0].idle_since_s, a))
    most = queue.ring_most if queue.strategy is Strategy.RING_ALL else 1
    assert list(match.agents) == ranked[:most]


@effort(max_examples=300, deadline=None)
@given(
    weights=st.tuples(st.floats(0.1, 5.0), st.floats(0.1, 5.0)),
    waited_s=st.floats(0.0, 3600.0),
    part=st.floats(0.0, 0.999),
    priorities=st.tuples(st.integers(0, 10), st.integers(0, 10)),
)
def test_the_fairness_bound(weights: tuple[float, float], waited_s: float, part: float, priorities: tuple[int, int]) -> None:
    """Whoever has waited less than the bound in the other queue does not overtake."""
    (weight, other), (own, others) = weights, priorities
    step_s, now_s = 60.0, 10_000.0
    bound_s = (weight * waited_s - (others - own) * step_s) / other
    if bound_s <= 0:
        return
    mine = place(InteractionId(2), rank=1, since_s=now_s - waited_s, priority=own, weight=weight, step_s=step_s)
    later = place(InteractionId(1), rank=1, since_s=now_s - part * bound_s, priority=others, weight=other, step_s=step_s)
    if other * (1 - part) * bound_s > 1e-6:
        assert urgency(mine, weight, now_s) > urgency(later, other, now_s)


def test_a_skill_that_was_set_live_counts_at_once_and_zero_takes_it_away() -> None:
    config = desk_settings(2)
    matcher = Matcher(config)
    key = ClassKey("sales", HasSkill("legal", 10), 0, None, "voice")
    at = place(InteractionId(1), rank=1, since_s=0.0, priority=0, weight=1.0, step_s=60.0)
    matcher.add(key, config.queues["sales"], at, 0)
    matcher.set_free(Candidate(agent=AgentId("102"), idle_since_s=0.0, skills={}), ("voice",))
    assert matcher.next(NOW_S) is None
    matcher.set_live_skills(AgentId("102"), {"legal": 50})
    assert (found := matcher.next(NOW_S)) is not None and found.agents == ("102",)
    matcher.set_live_skills(AgentId("102"), {"legal": 0, "sales": 0})
    assert matcher.next(NOW_S) is None
    assert list(matcher.roster.names(matcher.able("sales", HasSkill("sales")))) == ["101"]
    matcher.set_live_skills(AgentId("102"), {})
    assert list(matcher.roster.names(matcher.able("sales", HasSkill("sales")))) == ["101", "102"]


# --- chance -----------------------------------------------------------------------------------------------------------
def drawn(strategy: Strategy, shares: dict[AgentId, int], times: int) -> dict[AgentId, int]:
    order = STRATEGIES[strategy]
    counts = dict.fromkeys(shares, 0)
    for number in range(times):
        wanted = Wanted(
            interaction=InteractionId(number), queue="q", requires=AllOf(), now_s=NOW_S, draw=0, order={}, start=0, tiers=()
        )
        pool = [Candidate(agent=a, idle_since_s=0.0, skills={}, share=share) for a, share in shares.items()]
        counts[min(pool, key=lambda who: order.key(who, wanted)).agent] += 1
    return counts


def test_chance_is_even_and_weighted_chance_keeps_the_shares() -> None:
    even = drawn(Strategy.RANDOM, {AgentId("101"): 5, AgentId("102"): 1, AgentId("103"): 1}, 6000)
    assert all(1850 < count < 2150 for count in even.values()), even
    weighted = drawn(Strategy.WEIGHTED_RANDOM, {AgentId("101"): 3, AgentId("102"): 1, AgentId("103"): 0}, 4000)
    assert 2880 < weighted["101"] < 3120 and weighted["103"] == 0, weighted
