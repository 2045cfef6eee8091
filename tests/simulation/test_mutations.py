"""Deliberate mistakes in the core, one at a time: each must be seen by an invariant, a raised step, the books or the digest.

A checker that finds nothing wrong with a broken core is worth nothing; this is its test.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ccserver.core import stats
from ccserver.core.acd import Matcher
from ccserver.core.agents import Agents
from ccserver.core.callers import Callers
from ccserver.core.carrying import Carrier
from ccserver.core.center import CallCenter, StepFailed
from ccserver.core.commands import JoinLeg, Store
from ccserver.core.holding import Holding
from ccserver.core.leg_events import LegEvents
from ccserver.core.offers import Offers
from ccserver.core.records import OfferOutcome, SegmentKind, SegmentRecord, VisitRecord
from ccserver.core.session_events import SessionEvents
from ccserver.core.settings import Strategy
from ccserver.core.state import DeadlineKind, Deadlines, Role
from ccserver.core.step import Step
from ccserver.core.transfers import Transfers
from ccserver.core.transitions import InteractionState
from ccserver.sim.day import Plan, Unsound, run_day
from ccserver.sim.desks import AgentHabits, InTalk
from ccserver.sim.people import CallerHabits

PLAN = Plan(
    agents=6,
    calls=150,
    hours=0.4,
    callers=CallerHabits(patience_s=40.0, talk_s=60.0),
    agent=AgentHabits(missed_ratio=0.15, declined_ratio=0.1, answer_s=8.0, talk_s=60.0, line_lost_ratio=0.05),
)
"""A busy half hour in which everything happens: missed and declined offers, callers who leave while a phone rings."""
RING_ALL = replace(PLAN, strategy=Strategy.RING_ALL, agent=replace(PLAN.agent, answer_s=2.0))
"""Everybody answers at about the same time."""
HANDED_ON = replace(
    PLAN,
    strategy=Strategy.LONGEST_IDLE,
    agent=replace(PLAN.agent, in_talk={InTalk.CONSULT: 0.5, InTalk.TRANSFER: 0.2, InTalk.ERRAND: 0.2}),
)
"""Most customers are put on hold by us at least once."""
SEED = 1
RESTORE_AT_S = (1000.0, 1500.0)

Mutation = Callable[[pytest.MonkeyPatch], None]


def nothing(*_: Any, **__: Any) -> None:
    """Forget to do it."""


def without(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    assert callable(getattr(owner, name))
    monkeypatch.setattr(owner, name, nothing)


def skip_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's leg ends, and the agent goes on waiting for it."""
    without(monkeypatch, Agents, "_leg_over")


def offer_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two agents' phones ring for one caller: the second to answer would take the caller from the first."""
    real = Carrier.offer

    def offer(self: Carrier, interaction: Any, agent_id: Any, why: str) -> None:
        real(self, interaction, agent_id, why)
        for other in list(self.engines.pairing.matcher.free()):
            if other != agent_id:
                waiting = replace(self.step.interactions[interaction.id], state=interaction.state, offers=())
                self.step.put_interaction(waiting)
                real(self, waiting, other, why)
                break

    monkeypatch.setattr(Carrier, "offer", offer)


def offer_again_before_the_leg_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ringing phone is taken for one that does not answer, while it can still run Bridge()."""
    real = LegEvents.ringing

    def ringing(self: LegEvents, event: Any) -> None:
        real(self, event)
        leg = self.step.legs.get(event.leg)
        interaction = self.step.interactions.get(leg.interaction) if leg is not None else None
        offer = interaction.offer_on(event.leg) if interaction is not None else None
        if interaction is not None and offer is not None:
            self.engines.offers.ended(interaction, offer, OfferOutcome.MISSED, is_leg_over=False)

    monkeypatch.setattr(LegEvents, "ringing", ringing)


def lose_a_deadline(kind: DeadlineKind) -> Mutation:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        real = Deadlines.set

        def set_(self: Deadlines, key: DeadlineKind, name: object, due_s: float) -> None:
            if key is not kind:
                real(self, key, name, due_s)

        monkeypatch.setattr(Deadlines, "set", set_)

    return mutate


def never_clear_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, Deadlines, "clear")


def forget_to_leave_the_waiting_index(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, Matcher, "remove")


def forget_that_an_agent_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, Matcher, "set_busy")


def forget_to_look_for_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent becomes free, and nobody looks who is waiting."""
    real, finish = Matcher.next, CallCenter._finish
    is_agents_step = False

    def look(self: Matcher, now_s: float) -> Any:
        return None if is_agents_step else real(self, now_s)

    def finish_without_looking(self: CallCenter) -> None:
        nonlocal is_agents_step
        is_agents_step = bool(self._step.touched_agents)
        finish(self)

    monkeypatch.setattr(Matcher, "next", look)
    monkeypatch.setattr(CallCenter, "_finish", finish_without_looking)


def take_the_wrong_queues_wrap_up(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Agents.talk_over

    def talk_over(self: Agents, fact: Any, wrap_up_s: float) -> None:
        real(self, fact, max(queue.wrap_up_s for queue in self.step.settings.queues.values()))

    monkeypatch.setattr(Agents, "talk_over", talk_over)


def count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stats.began
    monkeypatch.setattr(stats, "began", lambda counters: real(real(counters)))


def count_everything_as_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stats.ended
    monkeypatch.setattr(stats, "ended", lambda c, outcome, wait_s, *, is_within: real(c, outcome, wait_s, is_within=True))


def tell_a_visit_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Step.emit

    def emit(self: Step, command: Any) -> Any:
        if isinstance(command, Store) and isinstance(command.record, VisitRecord):
            real(self, command)
        return real(self, command)

    monkeypatch.setattr(Step, "emit", emit)


def ignore_the_end_of_legs(role: Role) -> Mutation:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        real = LegEvents.is_over

        def is_over(self: LegEvents, leg: Any, *rest: Any, **named: Any) -> None:
            if leg.role is not role:
                real(self, leg, *rest, **named)

        monkeypatch.setattr(LegEvents, "is_over", is_over)

    return mutate


def let_the_phone_ring_for_a_caller_who_left(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Step.hang_up

    def hang_up(self: Step, leg: Any, cause: int = 16) -> None:
        known = self.legs.get(leg)
        if known is None or known.role is not Role.AGENT:
            real(self, leg, cause)

    monkeypatch.setattr(Step, "hang_up", hang_up)


def forget_the_end_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, SessionEvents, "closed")


def forget_the_answers_to_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, LegEvents, "command_done")


def forget_to_let_callers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, Callers, "end_session")


def wrap_up_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """One talk is followed by two stretches of wrap-up."""
    real = Step.emit

    def emit(self: Step, command: Any) -> Any:
        if isinstance(command, Store) and isinstance(command.record, SegmentRecord):
            record = command.record
            if record.kind is SegmentKind.WRAP_UP:
                real(self, Store(record=replace(record, number=record.number + 1)))
        return real(self, command)

    monkeypatch.setattr(Step, "emit", emit)


def join_two_winners(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second phone answers while the first one is being joined: it is not hung up, but joined as well."""
    let_the_losers_ring_on(monkeypatch)
    real = Offers.parked

    def parked(self: Offers, leg: Any) -> None:
        interaction = self.step.interactions.get(leg.interaction)
        caller = self.step.legs.get(interaction.leg) if interaction is not None else None
        if interaction is None or caller is None or interaction.state is InteractionState.OFFERED:
            real(self, leg)
            return
        self.step.order(
            JoinLeg(
                leg=leg.id, channel=leg.channel, caller=caller.id, caller_channel=caller.channel, recording="", max_talk_s=60.0
            )
        )

    monkeypatch.setattr(Offers, "parked", parked)


def let_the_losers_ring_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One has answered, and the phones of the others are left to ring until somebody answers them too."""
    real = Offers.withdraw

    def withdraw(self: Offers, interaction: Any, offer: Any, outcome: OfferOutcome) -> None:
        if outcome is not OfferOutcome.CANCELLED:
            real(self, interaction, offer, outcome)

    monkeypatch.setattr(Offers, "withdraw", withdraw)


def forget_the_customer_on_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing came of the consultation, and the agent is not brought back to the customer."""
    without(monkeypatch, Holding, "back")


def put_nobody_back_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has the customer any more, and no queue gets them."""
    without(monkeypatch, Transfers, "requeue")


def write_a_snapshot_without_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    real = CallCenter.snapshot
    monkeypatch.setattr(CallCenter, "snapshot", lambda self: replace(real(self), deadlines={}))


def restore_without_the_idle_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restore everybody has been idle for the same time: nothing is unsound, but another agent is chosen."""
    real = CallCenter.restore

    def restore(state: Any) -> CallCenter:
        agents = {name: replace(agent, idle_since_s=0.0) for name, agent in state.agents.items()}
        return real(replace(state, agents=agents))

    monkeypatch.setattr(CallCenter, "restore", restore)


MUTATIONS: dict[str, Mutation] = {
    "skip a release": skip_a_release,
    "offer twice": offer_twice,
    "offer again before the leg has ended": offer_again_before_the_leg_has_ended,
    "lose the wrap-up's deadline": lose_a_deadline(DeadlineKind.WRAP_UP),
    "lose the ring's deadline": lose_a_deadline(DeadlineKind.RING_GUARD),
    "lose the deadline of leaving": lose_a_deadline(DeadlineKind.LEAVE),
    "lose the longest wait": lose_a_deadline(DeadlineKind.MAX_WAIT),
    "lose the end of the back-off": lose_a_deadline(DeadlineKind.SPARED),
    "never clear a deadline": never_clear_a_deadline,
    "forget to leave the waiting index": forget_to_leave_the_waiting_index,
    "forget that an agent is busy": forget_that_an_agent_is_busy,
    "forget to look for work": forget_to_look_for_work,
    "take the wrong queue's wrap-up": take_the_wrong_queues_wrap_up,
    "count twice": count_twice,
    "count everything as in time": count_everything_as_in_time,
    "tell a visit twice": tell_a_visit_twice,
    "ignore the end of agents' legs": ignore_the_end_of_legs(Role.AGENT),
    "ignore the end of callers' legs": ignore_the_end_of_legs(Role.CALLER),
    "let the phone ring for a caller who left": let_the_phone_ring_for_a_caller_who_left,
    "forget the end of sessions": forget_the_end_of_sessions,
    "forget the answers to commands": forget_the_answers_to_commands,
    "forget to let callers go": forget_to_let_callers_go,
    "write a snapshot without deadlines": write_a_snapshot_without_deadlines,
    "restore without the idle times": restore_without_the_idle_times,
    "wrap up twice": wrap_up_twice,
}
SEVERAL_RING: dict[str, Mutation] = {
    "join two winners": join_two_winners,
    "let the losers ring on": let_the_losers_ring_on,
    "lose the deadline of a join": lose_a_deadline(DeadlineKind.JOIN),
}
"""Mistakes that show only where several phones ring for one caller."""
CUSTOMERS_ARE_HELD: dict[str, Mutation] = {
    "forget the customer on hold": forget_the_customer_on_hold,
    "put nobody back in line": put_nobody_back_in_line,
    "lose the longest hold": lose_a_deadline(DeadlineKind.HELD),
    "wrap up twice": wrap_up_twice,
}
"""Mistakes that show only where customers are handed on."""


def judge(plan: Plan = PLAN) -> tuple[list[str], str]:
    """What is found wrong with one busy hour, and its digest. Checked after every step, restored in the middle."""
    try:
        day = run_day(plan, seed=SEED, restore_at_s=RESTORE_AT_S, checks_every=1)
    except (Unsound, StepFailed) as found:
        return [str(found)], ""
    return day.findings(), day.digest()


@pytest.fixture(scope="module")
def sound_digest() -> str:
    """Of the core as it is, without a restore: nothing may be found wrong with it."""
    assert judge()[0] == []
    return run_day(PLAN, seed=SEED).digest()


BY_DIGEST_ONLY = {"restore without the idle times"}
"""A different digest tells that something changed; all other mistakes are also known to be wrong."""


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_in_the_core_is_named(name: str, sound_digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTATIONS[name](monkeypatch)
    findings, digest = judge()
    if name in BY_DIGEST_ONLY:
        assert digest != sound_digest, "the checks see nothing wrong with it, nor is anything different"
    else:
        assert findings != [], "the checks see nothing wrong with it"


def test_nothing_is_wrong_where_several_phones_ring() -> None:
    assert judge(RING_ALL)[0] == []


def test_nothing_is_wrong_where_customers_are_handed_on() -> None:
    assert judge(HANDED_ON)[0] == []


@pytest.mark.parametrize("name", CUSTOMERS_ARE_HELD)
def test_a_mistake_with_customers_on_hold_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CUSTOMERS_ARE_HELD[name](monkeypatch)
    assert judge(HANDED_ON)[0] != []


@pytest.mark.parametrize("name", SEVERAL_RING)
def test_a_mistake_with_several_phones_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SEVERAL_RING[name](monkeypatch)
    assert judge(RING_ALL)[0] != []
