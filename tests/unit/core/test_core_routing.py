"""Who gets which call: priorities, relaxations, tiers, preferred agents, live skills, turns. As transcripts."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import AgentId, InteractionId, LegId, RequestId
from ccserver.core.invariants import check_index
from ccserver.core.records import OfferRecord
from ccserver.core.settings import (
    AnswerPolicy,
    DidSettings,
    EnqueueNode,
    Flow,
    HasSkill,
    Preference,
    QueueSettings,
    Relaxation,
    Settings,
    Strategy,
    Tier,
)
from ccserver.core.state import Agent, Interaction


class Routing(Desk):
    """A desk with as many queues as are named; the DID `q-<queue>` leads to each."""

    def __init__(self, agents: int = 3, *, logged_in: bool = False, **queues: QueueSettings) -> None:
        super().__init__(agents, logged_in=False, **queues)
        flows = {f"q-{q}": Flow(start="q", nodes={"q": EnqueueNode(queue=q)}) for q in queues}
        dids = {f"q-{q}": DidSettings(flow=f"q-{q}", language="en", answer=AnswerPolicy.WHEN_QUEUED) for q in queues}
        self.reload(
            flows={**self.settings.flows, **flows},
            dids={**self.settings.dids, **dids},
        )
        if logged_in:
            for n in range(1, agents + 1):
                self.log_in(n)

    def reload(self, **changes: object) -> None:
        self.settings = replace(self.settings, content_hash=f"{self.settings.content_hash}+", **changes)
        self.tell(ev.SettingsLoaded(settings=self.settings))

    def give(self, agent: int, **levels: int) -> None:
        """Skills of the settings."""
        agents = dict(self.settings.agents)
        agents[f"10{agent}"] = replace(agents[f"10{agent}"], skills=levels)
        self.reload(agents=agents)

    def log_out(self, agent: int) -> None:
        self.tell(ev.LogoutRequested(request=RequestId(agent), agent=AgentId(f"10{agent}")))

    def rung(self) -> list[str]:
        """The agents rung in the last step."""
        return [offer.agent for offer in self.told(c.RingAgent)]

    def number(self, leg: LegId) -> InteractionId:
        found = self.center.snapshot().legs[leg].interaction
        assert found is not None
        return found

    def it(self, leg: LegId) -> Interaction:
        return self.center.snapshot().interactions[self.number(leg)]

    def agent(self, number: int) -> Agent:
        return self.center.snapshot().agents[AgentId(f"10{number}")]

    def served(self, leg: LegId, offer: c.RingAgent) -> None:
        """The offer is answered, they talk, the customer hangs up, wrap-up passes."""
        self.ringing(offer)
        self.joined(offer)
        self.hangs_up(leg)
        self.hangs_up(offer.leg)
        self.wait(25.0)


def q(**changes: object) -> QueueSettings:
    return a_queue(skills=(), **changes)


# --- urgency ----------------------------------------------------------------------------------------------------------
def test_priority_is_a_head_start_and_no_more() -> None:
    """A step of priority is worth a minute: who waits a minute longer is served first all the same."""
    desk = Routing(1, gold=q(priority=2), plain=q())
    old = desk.call("q-plain")
    desk.wait(119.0)
    gold = desk.call("q-gold")
    desk.log_in(1)
    assert desk.ring().caller == gold
    desk = Routing(1, gold=q(priority=2), plain=q())
    old = desk.call("q-plain")
    desk.wait(121.0)
    desk.call("q-gold")
    desk.log_in(1)
    assert desk.ring().caller == old


def test_a_heavier_queue_grows_urgent_faster() -> None:
    desk = Routing(1, heavy=q(weight=3.0), plain=q())
    plain = desk.call("q-plain")
    desk.wait(10.0)
    heavy = desk.call("q-heavy")
    desk.wait(4.0)  # 14 s against 3 * 4 s
    desk.log_in(1)
    assert desk.ring().caller == plain
    desk = Routing(1, heavy=q(weight=3.0), plain=q())
    desk.call("q-plain")
    desk.wait(10.0)
    heavy = desk.call("q-heavy")
    desk.wait(6.0)  # 16 s against 3 * 6 s
    desk.log_in(1)
    assert desk.ring().caller == heavy


def test_a_caller_whose_agent_was_lost_goes_before_every_priority() -> None:
    desk = Routing(1, logged_in=True, gold=q(priority=10), plain=q())
    lost = desk.call("q-plain")
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    desk.call("q-gold")
    desk.wait(300.0)
    desk.arrive(lost)
    desk.hangs_up(offer.leg, cause=38)
    desk.wait(15.0)
    assert [o.caller for o in desk.ever(c.RingAgent)] == [lost, lost]


# --- strategies -------------------------------------------------------------------------------------------------------
def test_round_robin_goes_on_after_the_last_one_served_also_after_a_log_out_and_a_restart() -> None:
    desk = Routing(3, logged_in=True, turns=q(strategy=Strategy.ROUND_ROBIN, wrap_up_s=0.0))
    seen = []
    for step in range(6):
        if step == 3:
            desk.log_out(2)
            state = desk.center.snapshot()
            desk.center = CallCenter.restore(state)
        leg = desk.call("q-turns")
        offer = desk.ring()
        seen.append(offer.agent)
        desk.served(leg, offer)
    assert seen == ["101", "102", "103", "101", "103", "101"]


def test_top_down_follows_the_order_of_the_members() -> None:
    members = (AgentId("103"), AgentId("101"))
    desk = Routing(3, logged_in=True, line=q(strategy=Strategy.TOP_DOWN, members=members))
    desk.call("q-line")
    assert desk.rung() == ["103"]
    desk.call("q-line")
    assert desk.rung() == ["101"]
    desk.call("q-line")
    assert desk.rung() == []  # 102 is free, and not a member


def test_the_most_skilled_is_chosen_and_the_reason_names_who_came_next() -> None:
    desk = Routing(3, logged_in=True, tech=a_queue(skills=("sales",), strategy=Strategy.MOST_SKILLED))
    for agent, level in ((1, 40), (2, 90), (3, 60)):
        desk.give(agent, sales=level)
    leg = desk.call("q-tech")
    offer = desk.ring()
    assert offer.agent == "102"
    desk.served(leg, offer)
    (kept,) = desk.kept(OfferRecord)
    assert kept.why == "most skilled: level 90; 3 free of 3 able; next 103 (level 60), 101 (level 40)"


def test_nobody_is_offered_anything_in_back_off_while_another_is_ready() -> None:
    desk = Routing(2, logged_in=True, line=q())
    desk.call("q-line")
    first = desk.ring()
    desk.ringing(first)
    desk.hangs_up(first.leg, cause=21)
    assert desk.rung() == ["102"]
    desk.wait(11.0)
    assert [o.agent for o in desk.ever(c.RingAgent)] == ["101", "102"]


# --- relaxation -------------------------------------------------------------------------------------------------------
def relaxing() -> Routing:
    steps = (Relaxation(after_s=20.0, requires=HasSkill("sales", 40)), Relaxation(after_s=50.0, requires=HasSkill("sales")))
    desk = Routing(2, vip=a_queue(skills=(), requires=HasSkill("sales", 80), relax=steps))
    desk.give(1, sales=50)
    desk.give(2, sales=10)
    return desk


def test_requirements_relax_with_waiting_time() -> None:
    desk = relaxing()
    desk.log_in(1)
    desk.log_in(2)
    leg = desk.call("q-vip")
    desk.wait(19.9)
    assert not desk.ever(c.RingAgent)
    desk.wait(0.2)
    assert desk.rung() == ["101"]
    assert desk.it(leg).visit.stage == 1  # type: ignore[union-attr]


def test_a_relaxation_that_nobody_serves_is_followed_by_the_next() -> None:
    desk = relaxing()
    desk.log_in(2)
    desk.call("q-vip")
    desk.wait(49.0)
    assert not desk.ever(c.RingAgent)
    desk.wait(2.0)
    assert desk.rung() == ["102"]


def test_a_relaxation_opens_by_its_deadline_whatever_the_rounding() -> None:
    desk = relaxing()
    desk.log_in(1)
    steps = (desk.now_s + number / 7 for number in range(1, 1000))
    began_s = next(moment for moment in steps if (moment + 20.0) - moment < 20.0)
    desk.wait(began_s - desk.now_s)
    desk.now_s = began_s
    desk.call("q-vip")
    desk.wait(19.0)
    desk.now_s = began_s + 20.0
    desk.tell(ev.DeadlineReached())  # else it would come at once again, for ever
    assert desk.rung() == ["101"]


def test_what_the_caller_chose_holds_on_unless_the_relaxation_says_otherwise() -> None:
    for keeps, rung in ((True, []), (False, ["101"])):
        step = Relaxation(after_s=20.0, requires=HasSkill("sales"), keeps_own=keeps)
        desk = Routing(1, sales=a_queue(requires=HasSkill("sales", 90), relax=(step,)))
        desk.give(1, sales=50)
        desk.log_in(1)
        leg = desk.call("900")
        desk.prompt_ends(leg)
        desk.types(leg, "2")  # Spanish, which 101 does not speak
        desk.wait(21.0)
        assert [o.agent for o in desk.ever(c.RingAgent)] == rung


def test_a_caller_who_leaves_takes_the_deadlines_along() -> None:
    desk = relaxing()
    leg = desk.call("q-vip")
    desk.hangs_up(leg)
    assert not desk.center.snapshot().deadlines


def test_new_settings_open_what_is_due_by_them() -> None:
    desk = relaxing()
    desk.log_in(1)
    desk.call("q-vip")
    desk.wait(10.0)
    sooner = replace(desk.settings.queues["vip"], relax=(Relaxation(after_s=5.0, requires=HasSkill("sales")),))
    desk.reload(queues={**desk.settings.queues, "vip": sooner})
    assert desk.rung() == ["101"]


# --- tiers ------------------------------------------------------------------------------------------------------------
def tiered() -> Routing:
    tiers = (
        Tier(after_s=0.0, agents=(AgentId("103"),)),
        Tier(after_s=15.0, agents=(AgentId("102"),)),
        Tier(after_s=30.0),
    )
    return Routing(3, desk=q(strategy=Strategy.TIERS, tiers=tiers))


def busy(desk: Routing, agent: int) -> None:
    desk.tell(ev.PauseRequested(request=RequestId(1), agent=AgentId(f"10{agent}"), reason="lunch"))


def test_tiers_open_with_waiting_time() -> None:
    desk = tiered()
    for agent in (1, 2, 3):
        desk.log_in(agent)
    busy(desk, 3)
    busy(desk, 2)
    desk.call("q-desk")
    desk.wait(29.0)
    assert not desk.ever(c.RingAgent)
    desk.wait(2.0)
    assert desk.rung() == ["101"]


def test_what_an_earlier_tier_can_take_it_takes_first() -> None:
    desk = tiered()
    for agent in (1, 2, 3):
        desk.log_in(agent)
        busy(desk, agent)
    desk.call("q-desk")
    desk.wait(40.0)  # everything is open
    desk.tell(ev.LinkLost(pbx="pbx"))
    for agent in (1, 2, 3):  # 101 is idle longest, 103 is of the first tier
        desk.tell(ev.UnpauseRequested(request=RequestId(1), agent=AgentId(f"10{agent}")), after_s=1.0)
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    desk.observe(*[_channel(desk)])
    assert desk.rung() == ["103"]


def _channel(desk: Routing) -> ev.ChannelView:
    (leg,) = desk.center.snapshot().legs.values()
    return ev.ChannelView(leg=leg.id, channel=leg.channel, is_up=True, bridge=None, application="AGI", context="cc-call")


def test_a_tier_opens_at_once_when_nobody_of_those_before_it_is_logged_in() -> None:
    desk = tiered()
    desk.log_in(1)
    busy(desk, 1)
    desk.log_in(2)
    desk.call("q-desk")
    assert desk.rung() == ["102"]


def test_a_tier_opens_when_the_last_of_those_before_it_logs_out() -> None:
    desk = tiered()
    for agent in (2, 3):
        desk.log_in(agent)
    busy(desk, 3)
    desk.call("q-desk")
    desk.wait(5.0)
    assert not desk.ever(c.RingAgent)
    desk.log_out(3)
    assert desk.rung() == ["102"]


# --- preferred agents -------------------------------------------------------------------------------------------------
RULES = Preference(wait_s=30.0, owner=True, last_spoken_days=7.0)


def preferring(agents: int = 2) -> Routing:
    return Routing(agents, logged_in=True, line=q(preference=RULES, wrap_up_s=0.0))


def test_who_spoke_last_to_the_customer_is_waited_for_and_then_anybody_may_take_it() -> None:
    desk = preferring()
    leg = desk.call("q-line")
    offer = desk.ring()
    assert offer.agent == "101"
    desk.served(leg, offer)
    busy(desk, 1)
    again = desk.call("q-line")
    desk.wait(29.0)
    assert desk.it(again).visit.only == "101"  # type: ignore[union-attr]
    assert len(desk.ever(c.RingAgent)) == 1
    desk.wait(2.0)
    assert desk.rung() == ["102"]


def test_the_preferred_agent_gets_the_customer_before_who_is_idle_longer() -> None:
    desk = preferring()
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    desk.call("q-line")  # 102 is idle longer by now
    assert desk.rung() == ["101"]


def test_the_preferred_agent_who_comes_back_in_time_gets_the_customer() -> None:
    desk = preferring()
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    busy(desk, 1)
    waiting = desk.call("q-line")
    desk.wait(10.0)
    desk.tell(ev.UnpauseRequested(request=RequestId(1), agent=AgentId("101")))
    offer = desk.ring()
    assert (offer.agent, offer.caller) == ("101", waiting)


def test_nobody_waits_for_who_is_logged_out_and_a_log_out_ends_the_waiting() -> None:
    desk = preferring()
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    busy(desk, 1)
    waiting = desk.call("q-line")
    assert not desk.rung()
    desk.log_out(1)
    assert desk.rung() == ["102"]
    desk.hangs_up(waiting)
    (offer,) = desk.ever(c.RingAgent)[-1:]
    desk.hangs_up(offer.leg)
    desk.call("q-line")
    assert desk.rung() == ["102"]


@pytest.mark.parametrize(("days", "agent"), [(6, "101"), (8, "102")])
def test_what_is_long_ago_is_forgotten(days: int, agent: str) -> None:
    desk = preferring()
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    other = desk.call("q-line", number="+34600000001")
    desk.served(other, desk.ring())  # 101 becomes idle before 102 was served
    desk.now_s += days * 86400.0
    busy(desk, 1)
    desk.tell(ev.UnpauseRequested(request=RequestId(1), agent=AgentId("101")))  # 102 is idle longer
    desk.call("q-line")
    assert desk.rung() == [agent]


def test_another_caller_of_the_queue_does_not_wait_with_the_one_who_prefers() -> None:
    desk = preferring()
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    busy(desk, 1)
    desk.call("q-line")
    desk.call("q-line", number="+34600000001")
    assert desk.rung() == ["102"]


def test_the_index_follows_everything_above() -> None:
    desk = tiered()
    for agent in (1, 2, 3):
        desk.log_in(agent)
    for _ in range(5):
        desk.call("q-desk")
    desk.wait(20.0)
    desk.log_out(3)
    settings: Settings = desk.center.settings
    assert check_index(desk.center.pairing.matcher, desk.center.snapshot(), settings) == []
