"""Why an interaction waits and an agent gets nothing, as people read it."""

from dataclasses import replace

from desk import a_queue
from test_core_routing import Routing, busy, q

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.explain import AgentExplained, InteractionExplained, explain_agent, explain_interaction, explain_queue
from ccserver.core.ids import AgentId, InteractionId, QueueId, RequestId
from ccserver.core.records import PhoneState
from ccserver.core.requirements import missing, words
from ccserver.core.settings import AllOf, AnyOf, HasSkill, NoneOf, Preference, Relaxation, Strategy, Tier


def about(desk: Routing, number: int) -> InteractionExplained:
    found = explain_interaction(desk.center.snapshot(), desk.center.settings, desk.now_s, InteractionId(number))
    assert found is not None
    return found


def reasons(desk: Routing, number: int) -> dict[str, str]:
    return {answer.agent: answer.text for answer in about(desk, number).agents}


def agent(desk: Routing, number: int) -> AgentExplained:
    found = explain_agent(desk.center.snapshot(), desk.center.settings, desk.now_s, AgentId(f"10{number}"))
    assert found is not None
    return found


def test_of_each_agent_it_says_what_is_in_the_way() -> None:
    desk = Routing(6, line=a_queue(skills=(), requires=HasSkill("sales", 50), wrap_up_s=20.0))
    desk.give(6, sales=30)
    for n in (1, 2, 3, 4):
        desk.log_in(n)
    talked = desk.call("q-line")
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    wrapped = desk.call("q-line")
    second = desk.ring()
    desk.ringing(second)
    desk.joined(second)
    desk.hangs_up(wrapped)
    desk.hangs_up(second.leg)
    busy(desk, 3)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1004", state=PhoneState.UNAVAILABLE))
    waiting = desk.number(desk.call("q-line"))
    desk.wait(5.0)
    assert reasons(desk, waiting) == {
        "101": f"works on #{desk.number(talked)}, 5 s",
        "102": "wraps up #2, 15 s left",
        "103": "not ready: Lunch",
        "104": "the phone is not reachable",
        "105": "logged out",
        "106": "lacks sales >= 50 (has 30); logged out",
    }
    told = about(desk, waiting)
    assert told.text == (
        "#3 (voice) is waiting, 5 s after it arrived",
        "in queue line, waiting for 5 s; priority 0, weight 1, urgency 5 s",
        "requires sales >= 50",
    )
    assert told.helps == (
        "log-in of one of these: 105",
        "ready again: 103",
        "their phones registered again: 104",
        "the end of their present work: 101, 102",
    )


def test_while_a_phone_rings_it_says_why_this_one() -> None:
    desk = Routing(2, logged_in=True, line=q())
    leg = desk.call("q-line")
    desk.wait(2.0)
    told = about(desk, desk.number(leg))
    assert told.text[-1].startswith("offered to agent 101 for 2 s: longest idle: ")
    assert "; 2 free of 2 able; next 102 (" in told.text[-1]
    assert reasons(desk, desk.number(leg)) == {"101": "the phone rings for this one", "102": "could take it now"}
    assert told.helps == ()


def test_what_opens_with_time_is_announced() -> None:
    step = Relaxation(after_s=20.0, requires=HasSkill("sales", 40))
    tiers = (Tier(after_s=0.0, agents=(AgentId("101"),)), Tier(after_s=30.0))
    desk = Routing(
        2, gold=a_queue(skills=(), requires=HasSkill("sales", 90), relax=(step,)), line=q(strategy=Strategy.TIERS, tiers=tiers)
    )
    desk.log_in(1)
    desk.log_in(2)
    busy(desk, 1)
    gold, line = desk.number(desk.call("q-gold")), desk.number(desk.call("q-line"))
    desk.wait(12.0)
    assert about(desk, gold).helps == (
        "no agent of the settings may take it as things are",
        "in 8 s it requires sales >= 40: 2 agents instead of 0",
    )
    assert reasons(desk, line) == {"101": "not ready: Lunch", "102": "tier 2 opens in 18 s"}
    assert about(desk, line).helps[-1] == "in 18 s tier 2 opens: 2 agents instead of 1"


def test_who_waits_for_one_agent_and_who_is_more_urgent() -> None:
    desk = Routing(2, logged_in=True, line=q(preference=Preference(wait_s=30.0, last_spoken_days=1.0), wrap_up_s=0.0))
    leg = desk.call("q-line")
    desk.served(leg, desk.ring())
    busy(desk, 1)
    busy(desk, 2)
    preferring = desk.number(desk.call("q-line"))
    other = desk.number(desk.call("q-line", number="+34600000001"))
    desk.wait(10.0)
    assert "waits for agent 101 only, 20 s more" in about(desk, preferring).text
    assert reasons(desk, preferring)["102"] == "it waits for agent 101; not ready: Lunch"
    assert about(desk, preferring).helps[-1] == "in 20 s anybody who fulfils the requirements may take it"
    assert about(desk, other).text[-1] == f"more urgent, for the same agents: #{preferring}"


def test_an_agent_learns_why_nothing_comes() -> None:
    desk = Routing(2, logged_in=True, tech=a_queue(skills=("tech",)))
    number = desk.number(desk.call("q-tech"))
    desk.wait(7.0)
    told = agent(desk, 1)
    assert told.text[-1] == "1 wait; the agent may take none of them"
    assert told.text[0].startswith("voice: free, idle for ")
    assert [(row.interaction, row.urgency_s, row.text) for row in told.waiting] == [(number, 7.0, "lacks tech")]
    desk.call()
    first = desk.ring()
    assert agent(desk, int(first.agent[-1])).text[0] == "voice: rings for #2"
    desk.ringing(first)
    desk.hangs_up(first.leg, cause=21)
    assert agent(desk, int(first.agent[-1])).text[0] == "voice: back-off after an offer not taken, 10 s left"


def test_without_the_pbx_nothing_is_offered_and_it_says_so() -> None:
    desk = Routing(1, line=q())
    leg = desk.call("q-line")
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.tell(ev.LoginRequested(request=RequestId(1), agent=AgentId("101"), phone="PJSIP/1001"))
    assert not desk.ever(c.RingAgent)
    assert about(desk, desk.number(leg)).text[-1] == "nothing is offered: there is no link to the PBX"
    assert agent(desk, 1).text[0] == "nothing is offered: there is no link to the PBX"


def test_in_a_talk_it_says_with_whom_and_the_unknown_is_unknown() -> None:
    desk = Routing(1, logged_in=True, line=q())
    leg = desk.call("q-line")
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    desk.wait(4.0)
    assert about(desk, desk.number(leg)).text[-1] == "agent 101 has it, 4 s"
    state = desk.center.snapshot()
    assert explain_interaction(state, desk.settings, desk.now_s, InteractionId(77)) is None
    assert explain_agent(state, desk.settings, desk.now_s, AgentId("999")) is None
    gone = replace(desk.settings, agents={})
    assert explain_agent(state, gone, desk.now_s, AgentId("101")) is None


def test_a_queue_tells_of_its_most_urgent_and_of_no_other_queue() -> None:
    desk = Routing(1, line=q(), other=q())
    numbers = [desk.number(desk.call("q-line")) for _ in range(11)]
    desk.call("q-other")
    found = explain_queue(desk.center.snapshot(), desk.center.settings, desk.now_s, QueueId("line"))
    assert [one.interaction for one in found] == numbers[:10]
    assert found[0].helps == ("log-in of one of these: 101",)
    assert explain_queue(desk.center.snapshot(), desk.center.settings, desk.now_s, QueueId("elsewhere")) == ()


def test_conditions_in_words() -> None:
    wanted = AllOf((HasSkill("sales", 50), AnyOf((HasSkill("spanish"), HasSkill("french", 30))), NoneOf((HasSkill("legal"),))))
    assert words(wanted) == "sales >= 50 and (spanish or french >= 30) and not legal"
    assert words(NoneOf((HasSkill("a"), HasSkill("b")))) == "not (a or b)"
    assert words(AllOf()) == ""
    assert missing(wanted, {"sales": 20, "legal": 10}) == (
        "lacks sales >= 50 (has 20)",
        "has none of spanish or french >= 30",
        "must not have legal",
    )
    assert missing(wanted, {"sales": 50, "spanish": 1}) == ()


def test_an_agent_may_be_kept_for_a_call_of_a_campaign() -> None:
    desk = Routing(1, line=a_queue(skills=()))
    desk.log_in(1)
    state = desk.center.snapshot()
    kept = replace(state, agents={each: replace(agent, reserved="winter") for each, agent in state.agents.items()})
    found = explain_agent(kept, desk.center.settings, desk.now_s, AgentId("101"))
    assert found is not None
    assert found.text[0] == "voice: kept for a call of campaign winter that is on its way"
