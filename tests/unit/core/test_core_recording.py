"""Which talks are recorded, and what is done to a recording while the talk goes on."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue, spoken
from flow_desk import FlowDesk, a_flow
from handover_desk import HandoverDesk
from rules import obey

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core import recording
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CampaignSettings, DialingSettings
from ccserver.core.dialer.terms import Mode
from ccserver.core.ids import AgentId, CampaignId
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.records import (
    AuditRecord,
    ConsentKind,
    ConsentRecord,
    MarkRecord,
    NoticeKind,
    NoticeRecord,
    ObjectionRecord,
    RecordingRecord,
)
from ccserver.core.settings import ConsentNode, DidSettings, RecordingRules, Settings
from ccserver.core.state import OUTBOUND, Outbound

ALWAYS, NEVER = RecordingPolicy(), RecordingPolicy(mode=RecordingMode.NEVER)
ON_DEMAND = RecordingPolicy(mode=RecordingMode.ON_DEMAND)
FROM_THE_START = RecordingPolicy(mode=RecordingMode.ON_DEMAND, keeps_start=True)


def is_recorded(desk: Desk) -> bool:
    desk.call()
    return bool(desk.ring().recording)


@pytest.mark.parametrize(("policy", "expected"), [(ALWAYS, True), (NEVER, False), (ON_DEMAND, False), (FROM_THE_START, True)])
def test_a_queue_says_what_is_recorded(policy: RecordingPolicy, expected: bool) -> None:
    assert is_recorded(Desk(sales=a_queue(record=policy))) is expected


def test_a_share_is_drawn_evenly_and_stays_the_same_for_one_call() -> None:
    desk = Desk(agents=1, sales=a_queue(record=RecordingPolicy(mode=RecordingMode.SHARE, percent=25.0)))
    drawn = []
    for _ in range(200):
        caller = desk.call()
        drawn.append(bool(desk.ring().recording))
        desk.hangs_up(caller)
        desk.hangs_up(desk.told(c.HangUpLeg)[0].leg)
    assert 40 <= sum(drawn) <= 60


def test_never_wins_and_then_the_agent_before_the_number_before_the_direction_before_the_queue() -> None:
    desk = Desk(agents=1, sales=a_queue(record=ON_DEMAND))
    agent, did = desk.settings.agents["101"], desk.settings.dids["901"]
    obey(desk, recording=RecordingRules(inbound=ALWAYS))
    assert is_recorded(desk)
    for changes, expected in (
        ({"dids": {"901": replace(did, record=ON_DEMAND)}}, False),
        ({"agents": {"101": replace(agent, record=ALWAYS)}}, True),
        ({"recording": RecordingRules(inbound=NEVER)}, False),
    ):
        other = Desk(agents=1, sales=a_queue(record=ON_DEMAND))
        obey(other, recording=RecordingRules(inbound=ALWAYS))
        obey(other, dids={"901": replace(did, record=ON_DEMAND)})
        obey(other, **changes)
        assert is_recorded(other) is expected, changes


def test_a_campaign_says_what_is_recorded_before_its_queue_and_after_the_agent() -> None:
    desk = Desk(agents=1, sales=a_queue(record=ON_DEMAND))
    agent = desk.settings.agents["101"]
    desk.call()
    (interaction,) = desk.center.snapshot().interactions.values()
    called = replace(interaction, kind=OUTBOUND, outbound=Outbound(campaign=CampaignId("winter"), is_reached=True))

    def holds(campaign: RecordingPolicy | None, **changes: object) -> RecordingPolicy:
        settings = replace(a_campaign(desk.settings, record=campaign), **changes)
        return recording.policy(settings, called, desk.settings.queues["sales"], AgentId("101"))

    assert holds(None) == ON_DEMAND and holds(ALWAYS) == ALWAYS
    assert holds(None, recording=RecordingRules(outbound=ALWAYS)) == ALWAYS
    assert holds(FROM_THE_START, recording=RecordingRules(outbound=ALWAYS)) == FROM_THE_START
    assert holds(ALWAYS, agents={"101": replace(agent, record=ON_DEMAND)}) == ON_DEMAND
    assert holds(NEVER, agents={"101": replace(agent, record=ALWAYS)}) == NEVER
    elsewhere = replace(called, outbound=Outbound(campaign=CampaignId("spring"), is_reached=True))
    assert (
        recording.policy(a_campaign(desk.settings, record=NEVER), elsewhere, desk.settings.queues["sales"], AgentId("101"))
        == ON_DEMAND
    )


def a_campaign(settings: Settings, *, record: RecordingPolicy | None) -> Settings:
    rules = PRESETS["es"].rules
    winter = CampaignSettings(name="Winter", mode=Mode.PROGRESSIVE, rules=rules, trunks=(), caller_ids=(), record=record)
    return replace(settings, dialing=DialingSettings(country="ES", rules=rules, campaigns={CampaignId("winter"): winter}))


def test_what_is_kept_from_the_start_is_provisional_until_somebody_asks() -> None:
    desk = HandoverDesk(sales=a_queue(record=FROM_THE_START))
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*4")
    assert not desk.ever(c.ControlRecording) and [m.what for m in desk.kept(MarkRecord)] == ["record"]
    desk.hangs_up(customer)
    assert desk.kept(RecordingRecord)[0].is_provisional


def test_pauses_stand_in_the_record_as_from_and_to() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.now_s += 5.0
    desk.keys(offer.leg, "*5")
    desk.now_s += 3.0
    desk.keys(offer.leg, "*5")
    desk.now_s += 2.0
    desk.keys(offer.leg, "*5")
    desk.now_s += 4.0
    desk.hangs_up(customer)
    (kept,) = desk.kept(RecordingRecord)
    assert kept.pauses == (pytest.approx((5.0, 8.0)), pytest.approx((10.0, 14.0))) and kept.queue == "sales"


# --- an objection ---------------------------------------------------------------------------------------------------------------
def test_an_objection_stops_the_recording_for_good_and_is_on_record() -> None:
    desk = HandoverDesk()
    _, offer = desk.talk()
    desk.now_s += 5.0
    desk.keys(offer.leg, "*#5")
    assert [s.what for s in desk.told(c.ControlRecording)] == [c.RecordingStep.STOP]
    assert [(o.interaction, o.agent) for o in desk.kept(ObjectionRecord)] == [(1, "101")]
    assert desk.kept(RecordingRecord)[0].duration_s == pytest.approx(5.0)
    assert desk.kept(NoticeRecord)[-1].kind is NoticeKind.OBJECTED
    desk.keys(offer.leg, "*4")
    desk.keys(offer.leg, "*#5")
    assert len(desk.ever(c.ControlRecording)) == 1 and len(desk.kept(ObjectionRecord)) == 1


# --- from outside ---------------------------------------------------------------------------------------------------------------
def ask(desk: Desk, act: ev.RecordingAct, interaction: int = 1) -> c.Reply:
    desk.tell(ev.RecordingRequested(request=5, interaction=interaction, act=act, by="crm"))
    (reply,) = desk.told(c.Reply)
    return reply


def test_a_system_pauses_for_card_data_and_each_act_is_on_record() -> None:
    desk = Desk()
    desk.talk()
    assert ask(desk, ev.RecordingAct.PAUSE).is_ok and ask(desk, ev.RecordingAct.RESUME).is_ok
    assert not ask(desk, ev.RecordingAct.RESUME).is_ok
    assert ask(desk, ev.RecordingAct.OBJECT).is_ok and not ask(desk, ev.RecordingAct.RECORD).is_ok
    assert ask(desk, ev.RecordingAct.PAUSE, 9).text == "call 9 is no talk that goes on"
    assert [(a.by, a.act, a.is_done) for a in desk.kept(AuditRecord)] == [
        ("crm", "recording_pause", True),
        ("crm", "recording_resume", True),
        ("crm", "recording_resume", False),
        ("crm", "recording_object", True),
        ("crm", "recording_record", False),
        ("crm", "recording_pause", False),
    ]


def test_what_is_asked_for_while_the_customer_is_on_hold_is_recorded_when_they_are_back() -> None:
    desk = HandoverDesk(sales=a_queue(record=ON_DEMAND))
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*2")
    desk.apart(customer, offer.leg)
    assert ask(desk, ev.RecordingAct.RECORD).is_ok
    assert not desk.told(c.ControlRecording), "the customer is not there"
    desk.number(offer.leg, "")
    assert desk.told(c.JoinLeg)[0].recording
    desk.join_happens()
    desk.hangs_up(customer)
    assert [r.agent for r in desk.kept(RecordingRecord)] == ["101"]


def test_what_is_asked_for_while_the_two_are_being_joined_is_recorded_from_the_join_on() -> None:
    desk = HandoverDesk(sales=a_queue(record=ON_DEMAND))
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*2")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "")
    (join,) = desk.told(c.JoinLeg)
    assert not join.recording and ask(desk, ev.RecordingAct.RECORD).is_ok and not desk.told(c.ControlRecording)
    desk.bridged(join.leg, join.caller)
    (started,) = desk.ever(c.ControlRecording)
    assert (started.leg, started.what) == (offer.leg, c.RecordingStep.START)
    desk.hangs_up(customer)
    assert [r.path for r in desk.kept(RecordingRecord)] == [started.recording]


def test_a_conference_of_which_a_recording_was_asked_for_in_the_consultation_is_recorded_apart() -> None:
    desk = HandoverDesk(sales=a_queue(record=ON_DEMAND))
    customer, agent, colleague = desk.consulting()
    assert ask(desk, ev.RecordingAct.RECORD).is_ok and not desk.told(c.ControlRecording)
    desk.keys(agent, "*3")
    (move,) = desk.told(c.RedirectLegs)
    assert all(each.recording for each in move.moves if each.leg == agent)
    desk.done(c.RedirectLegs)
    for leg in (agent, colleague, customer):
        desk.left(leg)
        desk.tell(ev.LegEnteredBridge(leg=leg, bridge="room"))
    desk.hangs_up(colleague)
    assert desk.it().talk.recording and desk.it().tracks


# --- consent --------------------------------------------------------------------------------------------------------------------
def consenting(node: ConsentNode, policy: RecordingPolicy = ALWAYS) -> FlowDesk:
    return FlowDesk(a_flow(start=node), queues={"sales": a_queue(record=policy)})


QUESTION = ConsentNode(say=spoken("may we"), asks=True, next="people", tries=2)


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [(["1"], ConsentKind.GRANTED, True), (["2"], ConsentKind.REFUSED, False), (["", "7"], ConsentKind.UNANSWERED, False)],
)
def test_what_a_customer_answers_is_on_record_and_decides(typed: list[str], kind: ConsentKind, expected: bool) -> None:
    desk = consenting(QUESTION)
    caller = desk.dial()
    for digits in typed:
        desk.types(caller, digits)
    assert bool(desk.ring().recording) is expected
    assert [(r.kind, r.language, r.node) for r in desk.kept(ConsentRecord)] == [(kind, "en", "start")]


def test_who_refuses_may_be_led_elsewhere() -> None:
    desk = consenting(replace(QUESTION, on_refused="bye"))
    desk.types(desk.dial(), "2")
    assert desk.said == ["bye"]


def test_an_announcement_is_on_record_once() -> None:
    desk = consenting(ConsentNode(say=spoken("recorded"), next="people"), RecordingPolicy(needs_consent=True))
    caller = desk.dial()
    desk.closes(caller)
    desk.prompt_ends(caller)
    assert desk.ring().recording
    assert [r.kind for r in desk.kept(ConsentRecord)] == [ConsentKind.ANNOUNCED]


def test_without_consent_nothing_is_recorded_where_it_is_needed_not_even_on_demand() -> None:
    desk = HandoverDesk(sales=a_queue(record=RecordingPolicy(needs_consent=True)))
    _, offer = desk.talk()
    assert offer.recording == ""
    desk.keys(offer.leg, "*4")
    assert not desk.ever(c.ControlRecording)


def test_a_number_may_need_consent_that_its_queue_does_not() -> None:
    desk = FlowDesk(a_flow(start=replace(QUESTION)), queues={"sales": a_queue()})
    obey(desk, dids={"800": DidSettings(flow="flow", language="en", record=RecordingPolicy(needs_consent=True))})
    desk.types(desk.dial(), "1")
    assert desk.ring().recording
