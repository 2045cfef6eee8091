"""Campaigns: from the lead to the record, with the agent there first and with calls placed ahead; each way in which a call can end."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from desk import Desk, a_queue
from dial_desk import RULES, WINTER, DialDesk, a_campaign

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.dialer.campaign_state import RunState
from ccserver.core.dialer.facts import Consent, Listing
from ccserver.core.dialer.settings import AmdSettings, AmdUse, RetryRule
from ccserver.core.dialer.terms import ConsentKind, Mode
from ccserver.core.explain_campaign import Cause, explain_campaign
from ccserver.core.ids import DispositionId
from ccserver.core.records import (
    AttemptOutcome,
    AttemptRecord,
    DoNotCallRecord,
    EvidenceRecord,
    InteractionRecord,
    Outcome,
    RefusalRecord,
    RefusedWhere,
    ShownState,
    TrunkRecord,
    VisitOutcome,
    VisitRecord,
)

AHEAD = a_campaign(mode=Mode.POWER, lines_per_agent=3.0, rules=replace(RULES, max_abandon=0.5))


def ahead(agents: int = 1, prefixes: Mapping[str, tuple[str, ...]] | None = None, **changes: object) -> DialDesk:
    """Calls are placed before it is known who answers; every phone picks up by itself."""
    return DialDesk(agents, campaign=replace(AHEAD, **changes), auto_answer=True, prefixes=prefixes)


def test_nothing_is_dialled_before_the_campaign_is_started() -> None:
    desk = DialDesk()
    desk.add(3)
    desk.wait(60.0)
    assert not desk.ever(c.ClaimLeads) and not desk.dials()


def test_progressive_an_agent_is_there_first_and_the_callee_is_joined_on_the_answer() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    assert offer.place is c.Place.PARK and offer.name and not desk.dials()
    desk.accepts(offer)
    (dial,) = desk.dials()
    assert dial.place is c.Place.CALLEE and dial.to == "PJSIP/+34910100001@carrier" and dial.number == "+34910000001"
    stored = desk.ever(c.StoreAttempt)[0]
    assert stored.lead == 1 and stored.asked_by == "101"
    desk.picks_up(dial)
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.caller) == (offer.leg, dial.leg)
    desk.bridged(dial.leg, offer.leg)
    assert desk.shown(1) is ShownState.TALKING and desk.tally().connected == 1
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    desk.wait(25.0)
    (record,) = desk.kept(AttemptRecord)
    assert record.outcome is AttemptOutcome.ANSWERED and record.agent == "101" and record.lead == 1
    assert record.again_utc_s is None and record.interaction is not None
    (visit,) = desk.kept(VisitRecord)
    assert visit.outcome is VisitOutcome.ANSWERED and visit.wait_s < 1.0
    assert not desk.attempts()


@pytest.mark.parametrize(
    ("cause", "tech_cause", "rings", "outcome", "again_s"),
    [
        (17, 486, True, AttemptOutcome.BUSY, 600.0),
        (19, 0, True, AttemptOutcome.NO_ANSWER, 3600.0),
        (21, 603, True, AttemptOutcome.REJECTED, None),
        (1, 404, False, AttemptOutcome.NO_SUCH_NUMBER, None),
    ],
)
def test_progressive_the_agent_is_let_go_and_the_lead_waits_as_the_rule_says(
    cause: int, tech_cause: int, rings: bool, outcome: AttemptOutcome, again_s: float | None
) -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    desk.does_not_answer(desk.dials()[0], cause, tech_cause, rings=rings)
    (record,) = desk.kept(AttemptRecord)
    assert record.outcome is outcome
    now_s = desk.moment().utc_s
    assert record.again_utc_s == (None if again_s is None else pytest.approx(now_s + again_s))
    assert desk.told(c.HangUpLeg)[0].leg == offer.leg
    desk.hangs_up(offer.leg)
    desk.wait(1.0)
    assert desk.shown(1) is ShownState.READY
    (over,) = desk.kept(InteractionRecord)
    assert over.outcome is Outcome.NOT_REACHED and not desk.kept(VisitRecord)


def test_a_trunk_that_does_not_take_the_call_is_passed_over_and_no_attempt_is_used_up() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    desk.accepts(desk.ring())
    desk.does_not_answer(desk.dials()[0], 34, 503, rings=False)
    first, second = desk.dials()
    assert first.to.endswith("@carrier") and second.to.endswith("@carrier2") and first.leg != second.leg
    assert not desk.kept(AttemptRecord)
    desk.does_not_answer(second, 34, 503, rings=False)
    (record,) = desk.kept(AttemptRecord)
    assert record.outcome is AttemptOutcome.NOT_PLACED and record.again_utc_s is not None


def test_a_dead_trunk_is_not_dialled_over_any_more() -> None:
    desk = DialDesk(1, campaign=a_campaign(trunks=("main",)))
    desk.add(20)
    desk.start()
    for _ in range(40):
        desk.wait(3.0)
        for offer in [each for each in desk.ever(c.RingAgent) if each.leg in desk.center.snapshot().legs]:
            if offer.leg in desk.center.snapshot().legs and not desk.center.snapshot().legs[offer.leg].is_parked:
                desk.accepts(offer)
        for dial in desk.dials():
            if dial.leg in desk.center.snapshot().legs:
                desk.does_not_answer(dial, 34, 503, rings=False)
        for offer in desk.ever(c.RingAgent):
            if offer.leg in desk.center.snapshot().legs:
                desk.hangs_up(offer.leg)
        if desk.kept(TrunkRecord):
            break
    (down,) = desk.kept(TrunkRecord)
    assert down.trunk == "main" and down.is_down
    before = len(desk.dials())
    desk.wait(30.0)
    assert len(desk.dials()) == before
    assert "main" in desk.known().held_by


BY_PREFIX = {"main": ("+34910100",), "spare": ("+34910200",)}


def dead_main_trunk(desk: DialDesk) -> None:
    """Five people who could not be called over it."""
    desk.add(5)
    desk.start()
    for _ in range(5):
        for dial in living(desk):
            desk.does_not_answer(dial, 34, 503, rings=False)
        desk.wait(6.0)
    assert desk.kept(TrunkRecord)


def test_a_dead_trunk_holds_nobody_up_who_is_called_over_another() -> None:
    desk = ahead(2, prefixes=BY_PREFIX)
    dead_main_trunk(desk)
    before = len(desk.dials())
    desk.waiting.extend([desk.a_lead("+34910100090"), desk.a_lead("+34910200090"), desk.a_lead("+34910200091")])
    desk.wait(35.0)
    assert [dial.to for dial in desk.dials()[before:]] == [f"PJSIP/+3491020009{n}@carrier2" for n in (0, 1)]
    (left,) = desk.known().buffer
    assert left.sheet.number == "+34910100090"
    assert not [record for record in desk.kept(AttemptRecord) if record.number == "+34910100090"]


def test_the_facts_are_read_anew_before_the_dial_and_a_call_that_is_not_lawful_any_more_is_not_placed() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    desk.facts = {"listings": (Listing(campaign=None, at_utc_s=desk.moment().utc_s - 1.0),)}
    offer = desk.ring()
    desk.accepts(offer)
    assert not desk.dials()
    assert desk.settled() == [(1, AttemptOutcome.NOT_PLACED)]
    refusal = desk.kept(RefusalRecord)[-1]
    assert refusal.reason == "do_not_call" and refusal.where is RefusedWhere.DIAL
    desk.hangs_up(offer.leg)


def test_a_lead_that_may_not_be_called_is_given_back_when_it_is_claimed() -> None:
    desk = DialDesk(1)
    lead = desk.a_lead()
    listed = replace(lead.sheets[0], listings=(Listing(campaign=None, at_utc_s=1.0),))
    desk.waiting.append(replace(lead, sheets=(listed,)))
    desk.start()
    (back,) = desk.ever(c.GiveBackLeads)
    assert back.is_over and back.leads == ((1, "t"),)
    assert not desk.ever(c.RingAgent) and desk.known().refused == {"do_not_call": 1}


def test_the_second_number_of_a_lead_is_taken_where_the_first_may_not_be_called() -> None:
    desk = DialDesk(1)
    lead = desk.a_lead("+34910100001", "+34910100002")
    listed = replace(lead.sheets[0], listings=(Listing(campaign=None, at_utc_s=1.0),))
    desk.waiting.append(replace(lead, sheets=(listed, lead.sheets[1])))
    desk.start()
    desk.accepts(desk.ring())
    assert desk.dials()[0].to == "PJSIP/+34910100002@carrier"


# --- calls placed ahead -----------------------------------------------------------------------------------------------------
def test_ahead_an_idle_agent_is_kept_for_the_call_and_gets_whoever_answers() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    assert not desk.ever(c.RingAgent)
    assert desk.center.snapshot().agents["101"].reserved == WINTER
    caller = desk.call()
    assert not desk.told(c.RingAgent), "the agent is kept"
    desk.hangs_up(caller)
    desk.picks_up(dial)
    offer = desk.ring()
    assert offer.caller == dial.leg and desk.center.snapshot().agents["101"].reserved is None
    desk.ringing(offer)
    desk.joined(offer)
    assert desk.tally().connected == 1 and desk.known().totals.connects == 1


def talks(desk: DialDesk, dial: c.DialOut) -> None:
    """Somebody answers, talks, and is wrapped up."""
    desk.picks_up(dial)
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    desk.wait(25.0)


def living(desk: DialDesk) -> list[c.DialOut]:
    return [dial for dial in desk.dials() if dial.leg in desk.center.snapshot().legs]


def test_ahead_who_finds_no_agent_hears_who_called_and_the_key_ends_all_calls() -> None:
    desk = ahead()
    desk.add(9)
    desk.start()
    assert len(living(desk)) == 1, "with nothing in the account each call has its agent"
    talks(desk, living(desk)[0])
    talks(desk, living(desk)[0])
    assert desk.tally().connected == 2
    desk.wait(1.0)
    live = living(desk)
    assert len(live) == 2, "one call may be lost by now, beside the one that has the agent"
    desk.picks_up(live[0])
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    session = desk.picks_up(live[1])
    wait = desk.told(c.WaitUntil)[0]
    assert wait.music == "cc-comfort" and not desk.told(c.Say)
    desk.wait(1.9)
    assert not desk.ever(c.Collect)
    desk.wait(0.2)
    (message,) = desk.ever(c.Collect)
    assert message.session == session and message.say[0].value == "who-called" and message.complete == ("9",)
    assert desk.tally().abandoned == 1 and desk.tally().told == 1
    desk.types(live[1].leg, "9")
    (entry,) = desk.kept(DoNotCallRecord)
    assert entry.number == live[1].to.split("/")[1].split("@")[0] and entry.campaign is None
    assert [piece.value for piece in desk.told(c.Say)[0].say] == ["cc-removed"]
    desk.prompt_ends(live[1].leg)
    desk.hangs_up(live[1].leg)
    assert AttemptOutcome.ABANDONED in [outcome for _, outcome in desk.settled()]


def test_ahead_a_break_waits_for_the_call_that_the_agent_is_kept_for() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    assert desk.shown(1) is ShownState.READY
    desk.does_not_answer(dial)
    assert desk.shown(1) is ShownState.NOT_READY


def test_ahead_a_break_waits_for_the_talk_with_whoever_answers() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    desk.picks_up(dial)
    offer = desk.ring()
    assert offer.caller == dial.leg
    desk.ringing(offer)
    desk.joined(offer)
    assert desk.shown(1) is ShownState.TALKING and desk.tally().connected == 1
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    desk.wait(25.0)
    assert desk.shown(1) is ShownState.NOT_READY and desk.tally().abandoned == 0


def test_ahead_ringing_phones_are_not_served() -> None:
    desk = DialDesk(1, campaign=AHEAD)
    desk.add(3)
    desk.start()
    desk.wait(10.0)
    assert not desk.dials()


def test_ahead_who_hangs_up_at_once_was_not_abandoned() -> None:
    desk = ahead(2)
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.picks_up(dial)
    desk.hangs_up(dial.leg)
    desk.wait(5.0)
    desk.hangs_up(desk.ever(c.RingAgent)[-1].leg)
    assert desk.tally().left == 1 and desk.tally().abandoned == 0
    assert desk.settled() == [(1, AttemptOutcome.LEFT)]


# --- detection ------------------------------------------------------------------------------------------------------------------
AMD = AmdSettings(use=AmdUse.ON)


def test_a_machine_is_hung_up_on_and_the_agent_is_let_go() -> None:
    desk = DialDesk(1, campaign=a_campaign(amd=AMD))
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    assert dial.amd == "2500,1500,800,5000,100,50,3,256,5000"
    desk.picks_up(dial, ev.Heard.MACHINE, after_s=3.0)
    assert desk.told(c.EndSession) and desk.told(c.HangUpLeg)[0].leg == offer.leg
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    assert desk.settled() == [(1, AttemptOutcome.MACHINE)] and desk.tally().machines == 1


def test_where_an_agent_confirms_a_machine_is_joined_and_the_disposition_counts() -> None:
    desk = DialDesk(1, campaign=a_campaign(amd=replace(AMD, use=AmdUse.CONFIRM)))
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial, ev.Heard.MACHINE, after_s=3.0)
    assert desk.told(c.JoinLeg)
    desk.bridged(dial.leg, offer.leg)
    desk.hangs_up(dial.leg)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    desk.types(offer.leg, "1")
    desk.wait(25.0)
    known = desk.known()
    assert (known.amd_machines, known.amd_checked, known.amd_wrong) == (1, 1, 1)
    assert known.amd_wrong_share == pytest.approx(2 / 51)
    assert desk.settled() == [(1, AttemptOutcome.ANSWERED)]


@pytest.mark.parametrize(("before", "is_again"), [(0, True), (1, True), (2, False)])
def test_what_the_agent_enters_may_ask_for_another_try(before: int, is_again: bool) -> None:
    desk = DialDesk(1, campaign=a_campaign(retry_dispositions={DispositionId("away"): RetryRule(after_s=7200.0, tries=3)}))
    desk.waiting.append(desk.a_lead(dispositions={"away": before}, outcomes={"answered": 5}))
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    desk.bridged(dial.leg, offer.leg)
    desk.hangs_up(dial.leg)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    desk.types(offer.leg, "5")
    desk.wait(25.0)
    (record,) = desk.kept(AttemptRecord)
    assert (record.disposition, record.outcome) == ("away", AttemptOutcome.ANSWERED)
    assert record.again_utc_s == (record.ended_utc_s + 7200.0 if is_again else None)


# --- by order -------------------------------------------------------------------------------------------------------------------
def test_a_stop_gives_back_what_is_claimed_and_what_rings_goes_on() -> None:
    desk = ahead()
    desk.add(5)
    desk.start()
    (dial,) = desk.dials()
    assert desk.act(ev.CampaignAct.STOP).is_ok
    (back,) = desk.told(c.GiveBackLeads)
    assert len(back.leads) == 4 and desk.known().run is RunState.STOPPED
    desk.picks_up(dial)
    assert desk.told(c.RingAgent)


def test_a_drained_campaign_stops_by_itself() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    assert desk.act(ev.CampaignAct.DRAIN).is_ok
    offer = desk.ever(c.RingAgent)[0]
    desk.accepts(offer)
    desk.does_not_answer(desk.dials()[0])
    desk.hangs_up(offer.leg)
    desk.add(3)
    desk.wait(30.0)
    assert desk.known().run is RunState.STOPPED and len(desk.dials()) == 1


def test_the_mode_is_switched_while_it_runs() -> None:
    desk = ahead()
    desk.add(4)
    desk.start()
    assert len(desk.dials()) == 1
    assert desk.act(ev.CampaignAct.MODE, Mode.PROGRESSIVE).is_ok
    desk.does_not_answer(desk.dials()[0])
    desk.wait(1.0)
    assert len(desk.dials()) == 1 and desk.ever(c.RingAgent)
    assert not desk.act(ev.CampaignAct.PAUSE).text.startswith("there is no")


def test_an_unknown_campaign_is_refused() -> None:
    desk = DialDesk(1)
    desk.tell(ev.CampaignRequested(request=3, campaign="summer", act=ev.CampaignAct.START, by="boss"))
    (reply,) = desk.told(c.Reply)
    assert not reply.is_ok and "summer" in reply.text


# --- a daemon that dies ---------------------------------------------------------------------------------------------------------
def test_what_was_not_told_as_stored_was_never_dialled() -> None:
    desk = DialDesk(1)
    desk.is_storing = False
    desk.add(1)
    desk.start()
    desk.accepts(desk.ring())
    assert desk.ever(c.StoreAttempt) and not desk.dials()
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=50))
    assert desk.settled() == [(1, AttemptOutcome.NOT_PLACED)]


def test_a_call_of_which_nobody_knows_how_it_ended_is_unknown_and_not_repeated() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=50), ev.LinkUp(pbx="pbx", uptime_s=60.0))
    desk.observe()
    desk.wait(0.0)
    assert desk.settled() == [(1, AttemptOutcome.UNKNOWN)]
    (record,) = desk.kept(AttemptRecord)
    assert record.again_utc_s is None


def test_desks_without_campaigns_are_as_before() -> None:
    desk = Desk(1)
    assert not desk.center.snapshot().campaigns


# --- blended agents -------------------------------------------------------------------------------------------------------------
def test_who_waits_on_a_line_is_served_before_anybody_is_called() -> None:
    desk = DialDesk(1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    desk.add(3)
    desk.start()
    desk.wait(5.0)
    assert len(desk.ever(c.RingAgent)) == 1
    second = desk.call()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(25.0)
    assert desk.ring().caller == second


@pytest.mark.parametrize("is_quiet", [False, True])
def test_agents_are_lent_while_their_own_callers_are_answered_in_time(is_quiet: bool) -> None:
    campaign = a_campaign(queue="calls", inbound_level=0.8)
    desk = DialDesk(1, campaign=campaign, calls=a_queue(name="Calls", service_level_s=20.0))
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    for _ in range(4):
        caller = desk.call()
        desk.wait(60.0)
        desk.hangs_up(caller)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    desk.add(3)
    desk.start()
    desk.wait(10.0)
    assert not desk.ever(c.RingAgent)
    told = explain_campaign(desk.center.snapshot(), desk.settings, desk.moment(), WINTER)
    assert told is not None and [each.cause for each in told.obstacles] == [Cause.AGENTS]
    assert told.agents[0].text == "is needed in queue sales, where 0% were answered in time of late"
    if is_quiet:
        # Nobody calls any more: what was an hour ago says nothing.
        desk.wait(300.0)
        assert not desk.ever(c.RingAgent)
        desk.wait(900.0)
        assert desk.ring().caller is None
        return
    for _ in range(12):
        caller = desk.call()
        offer = desk.ring()
        desk.ringing(offer)
        desk.joined(offer)
        desk.hangs_up(caller)
        desk.hangs_up(offer.leg)
        desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
        desk.wait(25.0)
        desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    desk.wait(60.0)
    assert desk.ring().caller is None


# --- found by the simulated days ----------------------------------------------------------------------------------------------
def test_what_the_next_trunk_is_asked_is_judged_again() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    desk.accepts(desk.ring())
    (dial,) = desk.dials()
    assert desk.act(ev.CampaignAct.PAUSE).is_ok
    desk.does_not_answer(dial, 34, 503, rings=False)
    assert len(desk.dials()) == 1
    assert [outcome for _, outcome in desk.settled()] == [AttemptOutcome.NOT_PLACED]


def test_who_waits_when_the_link_breaks_hears_who_called_at_once() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    desk.accepts(desk.ring())
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.tell(ev.LegAnswered(leg=dial.leg))
    desk.tell(ev.LinkLost(pbx=dial.leg.pbx))
    desk.comes(dial)
    assert not desk.told(c.JoinLeg) and desk.tally().abandoned == 1


def test_ahead_who_answers_while_the_link_is_lost_hears_who_called() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.tell(ev.LinkLost(pbx=dial.leg.pbx))
    desk.comes(dial)
    (message,) = desk.told(c.Collect)
    assert message.say[0].value == "who-called" and desk.tally().abandoned == 1


def test_progressive_whose_agent_is_gone_in_the_moment_of_the_answer_hears_who_called() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    desk.hangs_up(offer.leg)
    desk.wait(3.0)
    assert [piece.value for piece in desk.ever(c.Collect)[-1].say] == ["who-called"] and desk.tally().abandoned == 1


def test_who_hangs_up_before_an_announcement_was_not_abandoned() -> None:
    desk = DialDesk(
        0, campaign=a_campaign(mode=Mode.AGENTLESS, queue=None, amd=AMD, rules=replace(RULES, window_binds=frozenset()))
    )
    desk.waiting.append(desk.a_lead())
    desk.facts = {"consent": Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=1.0)}
    (lead,) = desk.waiting
    desk.waiting[0] = replace(lead, sheets=tuple(replace(each, **desk.facts) for each in lead.sheets))
    desk.start()
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.tell(ev.LegAnswered(leg=dial.leg))
    desk.wait(4.0)
    desk.hangs_up(dial.leg)
    assert desk.settled() == [(1, AttemptOutcome.LEFT)] and desk.tally().abandoned == 0


def test_claims_that_lapse_while_nobody_is_free_are_given_back() -> None:
    desk = ahead()
    desk.waiting.append(replace(desk.a_lead(), until_utc_s=desk.moment().utc_s + 90.0))
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    desk.start()
    assert len(desk.known().buffer) == 1
    desk.wait(40.0)
    assert not desk.known().buffer and desk.ever(c.GiveBackLeads)[-1].leads == ((1, "t"),)


def test_ahead_an_agent_who_still_rings_when_the_time_is_over_is_called_off_first() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    desk.picks_up(dial)
    offer = desk.ring()
    desk.ringing(offer)
    desk.wait(2.5)
    assert desk.ever(c.HangUpLeg)[-1].leg == offer.leg
    desk.hangs_up(offer.leg)
    desk.wait(0.2)
    assert [piece.value for piece in desk.ever(c.Collect)[-1].say] == ["who-called"]


def test_a_machine_that_an_agent_was_there_for_is_told_as_a_machine() -> None:
    desk = DialDesk(1, campaign=a_campaign(amd=AMD))
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial, ev.Heard.MACHINE)
    desk.hangs_up(offer.leg)
    desk.hangs_up(dial.leg)
    assert desk.settled() == [(1, AttemptOutcome.MACHINE)]


def test_ahead_the_agent_stays_kept_for_what_rings_when_the_mode_is_switched() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    (dial,) = desk.dials()
    assert desk.act(ev.CampaignAct.MODE, Mode.PROGRESSIVE).is_ok
    desk.wait(1.0)
    assert desk.center.snapshot().agents["101"].reserved == WINTER
    desk.picks_up(dial)
    assert desk.ring().caller == dial.leg


def test_the_evidence_of_a_stopped_campaign_goes_on_record() -> None:
    desk = ahead()
    desk.add(1)
    desk.start()
    talks(desk, living(desk)[0])
    desk.act(ev.CampaignAct.STOP)
    desk.wait(6 * 3600.0)
    (evidence,) = desk.kept(EvidenceRecord)
    assert evidence.campaign == WINTER and evidence.connected == 1


# --- what the walks of tests/property found ---------------------------------------------------------------------------------
def test_a_campaign_that_is_paused_while_calls_are_owed_owes_none() -> None:
    desk = ahead(3, calls_per_second=0.5)
    desk.add(10)
    desk.start()
    assert desk.known().owed > 0
    assert desk.act(ev.CampaignAct.PAUSE).is_ok
    assert desk.known().owed == 0
    placed = len(desk.dials())
    desk.wait(30.0)
    assert len(desk.dials()) == placed


def test_a_lead_that_stands_twice_in_an_answer_is_dialled_once() -> None:
    desk = ahead(3)
    lead = desk.a_lead()
    desk.waiting.extend([lead, lead])
    desk.start()
    assert len(desk.dials()) == 1 and not desk.known().buffer


def test_who_answers_while_the_link_is_lost_hears_who_called_although_the_agents_phone_cannot_be_hung_up() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.rings(dial)
    desk.tell(ev.LinkLost(pbx=dial.leg.pbx))
    session = desk.comes(dial)
    (message,) = desk.told(c.Collect)
    assert message.session == session and message.say[0].value == "who-called" and desk.tally().told == 1
    desk.tell(ev.DigitsCollected(session=session, command=desk.verbs[session], end=ev.VerbEnd.TIMEOUT, digits=""))
    assert desk.told(c.EndSession)[-1].next is c.Next.HANG_UP
    desk.tell(ev.LinkUp(pbx=dial.leg.pbx, uptime_s=500.0))
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    assert desk.settled() == [(1, AttemptOutcome.ABANDONED)] and not desk.attempts()


def test_who_was_being_joined_when_the_link_broke_and_was_not_is_told_half_a_second_later() -> None:
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    desk.accepts(desk.ring())
    (dial,) = desk.dials()
    desk.picks_up(dial)
    assert desk.told(c.JoinLeg)
    desk.tell(ev.LinkLost(pbx=dial.leg.pbx))
    assert not desk.told(c.Collect), "they may be with the agent by now"
    desk.wait(0.6)
    assert [piece.value for piece in desk.ever(c.Collect)[-1].say] == ["who-called"]


def test_nothing_but_what_callees_are_told_becomes_due_without_a_link() -> None:
    desk = ahead()
    desk.add(3)
    desk.start()
    desk.picks_up(desk.dials()[0])
    desk.tell(ev.LinkLost(pbx=desk.dials()[0].leg.pbx))
    desk.hangs_up(desk.dials()[0].leg)
    dialled = len(desk.dials())
    desk.wait(120.0)
    assert desk.center.next_deadline() is None and len(desk.dials()) == dialled


def test_a_join_of_which_nothing_is_heard_leaves_nobody_in_silence() -> None:
    """The link is there, and the command got lost: the callee is still in our hands, and hears nobody."""
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    assert desk.told(c.JoinLeg)
    desk.wait(RULES.connect_s + 0.4)
    assert not desk.ever(c.Collect)
    desk.wait(1.5)
    assert [piece.value for piece in desk.ever(c.Collect)[-1].say] == ["who-called"] and desk.tally().abandoned == 1
    assert desk.ever(c.HangUpLeg)[-1].leg == offer.leg


def test_a_call_that_made_no_channel_and_cannot_be_hung_up_is_over() -> None:
    """Its dial had failed, somebody hangs it up before that is judged, and Asterisk knows no such channel."""
    desk = DialDesk(1)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    dialled = next(number for number, command in desk.all if command is dial)
    desk.tell(ev.RingEnded(command=dialled, leg=dial.leg, is_ok=False, reason=0))
    desk.ACCEPTED = ()
    desk.hangs_up(offer.leg)
    ordered = next(n for n, command in desk.all if isinstance(command, c.HangUpLeg) and command.leg == dial.leg)
    desk.tell(ev.CommandFailed(command=ordered, reason="No such channel"))
    assert desk.settled() == [(1, AttemptOutcome.CANCELLED)] and not desk.attempts()
