"""Why a campaign dials nobody, as people read it: each thing that can stand in the way, and several at once."""

from dataclasses import replace
from typing import Any

import pytest
from campaign_desk import MAIN, NOW, OTHER, RULES, WINTER, MadeUp, a_campaign, a_lead, a_sheet, an_account
from desk import Desk, a_queue

from ccserver.core import codec
from ccserver.core.campaign_views import CampaignView, TrunkView, campaign, campaigns, trunks
from ccserver.core.campaign_words import rule_text
from ccserver.core.dialer.campaign_state import Attempt, AttemptStage, RunState, TrunkState
from ccserver.core.dialer.facts import AttemptsMade
from ccserver.core.dialer.terms import AbandonWindow, Mode, Purpose, ShareOf
from ccserver.core.dialer.verdict import Refusal
from ccserver.core.explain_campaign import CampaignExplained, Cause, explain_campaign
from ccserver.core.ids import AttemptId, CampaignId
from ccserver.core.moment import Moment
from ccserver.core.refusal_mends import MENDS
from ccserver.core.settings import WorkMode
from ccserver.core.state import ClosedHours
from ccserver.core.views import Overview, overview

READY = {"buffer": (a_lead(1), a_lead(2)), "ready": 7}


def at_work(**changes: Any) -> MadeUp:
    made = MadeUp(**changes)
    made.has(**READY)
    return made


def test_nothing_is_in_the_way_of_one_that_dials() -> None:
    found = at_work().explained()
    assert found.obstacles == () and found.refusals == ()
    assert [each.text for each in found.agents] == ["could be given a call now"] * 2
    assert found.text[0] == "winter (Winter offer) is running for 60 s, by ana; mode progressive"
    assert found.text[2] == "2 leads are claimed, 7 more were ready in winter when they were asked for"
    assert "2 idle (0 of them kept" in found.text[3]
    assert codec.decode(CampaignExplained, codec.encode(found)) == found


def test_there_must_be_such_a_campaign() -> None:
    made = MadeUp()
    assert explain_campaign(made.state, made.settings, NOW, CampaignId("spring")) is None
    assert explain_campaign(made.state, made.desk.settings, NOW, WINTER) is None


# --- its state, its hours, its mode ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("run", "why", "text"),
    [
        (RunState.STOPPED, "it is drained", "it was stopped by ana: it is drained"),
        (RunState.PAUSED, "", "it is paused by ana"),
        (RunState.PAUSED, "a fault in the daemon; its log says more", "it is paused: a fault in the daemon; its log says more"),
        (RunState.DRAINING, "", "it drains: the 2 leads that are claimed are dialled, and no others"),
    ],
)
def test_who_stopped_it_and_why(run: RunState, why: str, text: str) -> None:
    made = at_work()
    made.has(run=run, why_stopped=why)
    (first, *_) = made.explained().obstacles
    assert (first.cause, first.text) == (Cause.NOT_RUNNING, text) and first.mend.startswith("ccserver campaign start winter")


def test_one_that_was_never_started() -> None:
    assert MadeUp(known=None).told() == [("not_running", "it was never started")]


def test_without_the_pbx_nothing_is_dialled() -> None:
    made = at_work()
    clockwork = made.desk.center.snapshot().clockwork
    made.more["clockwork"] = replace(clockwork, is_linked=False)
    assert made.told() == [("no_link", "there is no link to the PBX")]
    made.more["clockwork"] = replace(clockwork, is_observed=False)
    assert made.told() == [("no_link", "the PBX has not been read since the start")]


def test_hours_that_are_closed_by_the_timetable_and_by_hand() -> None:
    assert at_work(campaign=a_campaign(hours="never")).told() == [("closed", "its hours (never) are closed")]
    made = at_work(campaign=a_campaign(hours="mornings"))
    assert made.told() == []
    made.more["closed_hours"] = {"mornings": ClosedHours(by="leo", since=NOW, until_utc_s=NOW.utc_s + 3500)}
    assert made.told() == [("closed", "its hours (mornings) are closed by leo, until 2027-01-15 09:00 UTC")]
    later = replace(NOW, utc_s=NOW.utc_s + 6 * 3600)
    (told, *_) = explain_campaign(made.state, made.settings, later, WINTER).obstacles  # type: ignore[union-attr]
    assert told.text == "its hours (mornings) are closed; they open 2027-01-16 06:00 UTC"


def test_a_mode_that_dials_nobody_and_one_that_is_not_allowed() -> None:
    made = at_work()
    made.has(mode=Mode.MANUAL)
    assert made.told() == [("mode", "its mode is manual: a lead is called when an agent asks for one")]
    assert made.explained().text[0].endswith("mode manual by order")
    made.campaign = a_campaign(rules=replace(RULES, modes=frozenset({Mode.MANUAL})))
    made.has(mode=None)
    assert made.told()[0] == ("mode", "the rules es do not allow progressive")


# --- ways and numbers -----------------------------------------------------------------------------------------------------------
def test_trunks_that_are_dead_or_full() -> None:
    made = at_work(trunk=TrunkState(failed_in_row=5, down_until_s=NOW.mono_s + 30, why="5 calls in a row failed: 503"))
    assert made.told() == [("trunks", "no trunk takes a call: main: taken for dead, 30 s more: 5 calls in a row failed: 503")]
    assert made.explained().obstacles[0].mend == "ask the carrier; then ccserver campaign trunk retry main"
    made = at_work()
    made.more["attempts"] = {each: an_attempt(each) for each in ("a", "b")}
    assert made.told() == [("trunks", "no trunk takes a call: main: all 2 lines are in use")]


def test_a_dead_trunk_for_the_numbers_of_some_leads() -> None:
    made = at_work(trunk=TrunkState(down_until_s=NOW.mono_s + 30, why="503"))
    made.campaign = replace(made.campaign, trunks=(MAIN, OTHER))
    made.ways = {MAIN: ("+34600111201",), OTHER: ("+34600111202", "+34600111203")}
    made.has(buffer=(a_lead(1), a_lead(2), a_lead(3)))
    (told,) = made.told()
    assert told == (
        "trunks",
        "no trunk takes a call to 1 of the 3 leads that are claimed: main: taken for dead, 30 s more: 503",
    )
    made.has(buffer=(a_lead(2), a_lead(3)))
    assert made.told() == []


def an_attempt(name: str, stage: AttemptStage = AttemptStage.DIALLED) -> Attempt:
    values = {"version": "v"} if "version" in Attempt.__slots__ else {}
    return Attempt(
        id=AttemptId(name),
        campaign=WINTER,
        mode=Mode.PROGRESSIVE,
        lead=a_lead(9).lead,
        sheet=a_sheet(),
        stage=stage,
        trunk=MAIN,
        since=NOW,
        **values,
    )


def test_all_lines_of_the_campaign_are_in_use() -> None:
    made = at_work(campaign=a_campaign(lines=1))
    made.more["attempts"] = {"a": an_attempt("a")}
    assert made.told() == [("lines", "all 1 lines of the campaign are in use")]


def test_numbers_that_were_shown_too_often() -> None:
    made = at_work(shown=20, calls_a_day=20)
    told = made.told()
    assert told[0][0] == "caller_ids" and "+34915550100: it was shown for 20 calls in 24 hours; 20 are the limit" in told[0][1]
    assert told[1][0] == "refused" and "2 caller_id_missing (there is no number to show)" in told[1][1]


# --- leads ----------------------------------------------------------------------------------------------------------------------
def test_no_lead_is_left() -> None:
    made = MadeUp()
    assert made.told() == [("no_leads", "no lead is left in winter, or there is no such list")]
    made.campaign = a_campaign(lists=("autumn", "spring"))
    made.has(next_lead_utc_s=NOW.utc_s + 3500)
    assert made.told() == [("no_leads", "no lead of autumn, spring is ready; the next one is due 2027-01-15 09:00 UTC")]
    made.has(next_lead_utc_s=None, ready=5, refused={"outside_window": 12, "do_not_call": 3})
    assert made.told() == [
        ("no_leads", "no lead is claimed, though 5 were ready; refused since it was started: outside_window 12, do_not_call 3")
    ]
    made.has(claiming=(1, 1))
    assert made.told() == [("no_leads", "leads are being read from the database")]


def test_what_the_gate_says_of_the_leads_that_are_claimed() -> None:
    made = MadeUp()
    tired = AttemptsMade(day=9, month=9, number=9, campaign=9, lifetime=9, last_utc_s=NOW.utc_s - 5)
    made.campaign = a_campaign(rules=replace(RULES, calls_a_day=2, caps_bind=frozenset(Purpose)))
    made.has(buffer=(a_lead(1, attempts=tired), a_lead(2, attempts=tired), a_lead(3, zones=())), last_refusal="it is late")
    found = made.explained()
    assert [(each.reason, each.count, each.mend) for each in found.refusals] == [
        ("day_cap", 2, "wait"),
        ("zone_unknown", 1, "import the time zone of the lead"),
    ]
    assert found.refusals[0].until_utc_s == pytest.approx(NOW.utc_s - 5 + 86_400)
    assert [each.cause for each in found.obstacles] == [Cause.REFUSED]
    assert found.obstacles[0].text == (
        "the law's gate refuses each of the 3 leads that are claimed: 2 day_cap (this number was called in 24 hours 9 times; 2 are "
        "the limit); 1 zone_unknown (nobody knows what time it is there)"
    )
    assert found.text[-1] == "the gate said last: it is late"
    made.has(buffer=(*(made.known.buffer if made.known else ()), a_lead(4)))
    found = made.explained()
    assert len(found.refusals) == 2 and found.obstacles == ()


def test_facts_that_are_old_are_no_obstacle_and_a_promised_callback_is_judged_as_one() -> None:
    made = MadeUp()
    made.has(buffer=(a_lead(1, read_utc_s=NOW.utc_s - 5000),))
    assert made.told() == []
    promised = a_lead(2, purpose=Purpose.MARKETING, last_talk_utc_s=NOW.utc_s - 3000)
    made.has(buffer=(promised,))
    assert made.explained().refusals[0].reason == "register_missing"
    made.has(buffer=(replace(promised, lead=replace(promised.lead, callback_utc_s=NOW.utc_s - 10)),))
    assert made.explained().refusals == ()


def test_every_refusal_has_a_mend() -> None:
    assert set(MENDS) == set(Refusal)


# --- agents ---------------------------------------------------------------------------------------------------------------------
def test_nobody_is_logged_in() -> None:
    made = at_work(desk=Desk(logged_in=False))
    assert made.told() == [("agents", "no agent is free for it: 2 logged out")]
    assert made.explained().obstacles[0].mend == "log-in, or ready again"


def test_nobody_of_the_settings_may_serve_it() -> None:
    made = at_work(campaign=a_campaign(skills=("closing",)))
    ((cause, text),) = made.told()
    assert cause == "agents" and text.startswith("no agent of the settings may serve it: queue sales requires ")
    assert "closing" in text and made.explained().agents == ()


def test_desk_phones_answer_too_late_for_power_and_predictive() -> None:
    made = at_work(campaign=a_campaign(mode=Mode.PREDICTIVE, safe_harbour="who"))
    ((cause, text), *_) = [each for each in made.told() if each[0] == "agents"]
    assert text == "no agent is free for it: 2 is at a desk phone, which rings too long for predictive"
    assert cause == "agents" and "headset" in made.explained().obstacles[0].mend
    assert made.explained().text[3].startswith("0 agents may serve it and are logged in")


def test_an_agent_who_is_kept_for_the_campaign_is_idle_for_it() -> None:
    made = at_work()
    agents = made.desk.center.snapshot().agents
    made.more["agents"] = {each: replace(agent, reserved=WINTER) for each, agent in agents.items()}
    assert made.told() == [] and "2 idle (2 of them kept" in made.explained().text[3]


# --- the account ----------------------------------------------------------------------------------------------------------------
def test_the_account_has_no_room_and_nobody_is_idle() -> None:
    made = at_work(campaign=a_campaign(mode=Mode.PREDICTIVE, safe_harbour="who"), desk=Desk(logged_in=False))
    made.has(account=an_account(connected=97, abandoned=3))
    told = dict(made.told())
    assert told["account"] == (
        "no further call may be abandoned, so none is placed without an idle agent: 3 of 100 answered by people in 24 hours, 3.00% "
        "by the account (at most 3.00%, rules es); 0 more may be"
    )
    made.has(account=an_account(connected=970, abandoned=3))
    assert "account" not in dict(made.told())


def test_the_rule_is_told_as_a_formula() -> None:
    book = campaign(MadeUp().state, MadeUp().settings, WINTER, NOW).account
    british = replace(book, preset="uk", max_abandon=0.01, counts_amd_errors=False)
    assert rule_text(british) == "rules uk: share = abandoned / (connected + abandoned), at most 1.00% in any 24 hours"
    italian = replace(book, preset="it", share_of=ShareOf.CONNECTED, abandon_window=AbandonWindow.MONTH, counts_amd_errors=True)
    assert rule_text(italian).startswith(
        "rules it: share = (abandoned + people taken for machines) / connected, at most 3.00% in any 30"
    )


def test_a_rest_is_told_with_its_reason() -> None:
    made = at_work()
    made.has(rests_until_s=NOW.mono_s + 20, held_by="trunk main: all 2 lines are in use")
    assert made.told() == [("rest", "it rests, 20 s more: trunk main: all 2 lines are in use")]


def test_several_things_are_told_in_their_order() -> None:
    made = MadeUp(desk=Desk(logged_in=False), campaign=a_campaign(hours="never"))
    made.has(run=RunState.PAUSED)
    made.trunk = TrunkState(down_until_s=NOW.mono_s + 1, why="503")
    assert [each for each, _ in made.told()] == ["not_running", "closed", "trunks", "agents"]


# --- what status and top show ---------------------------------------------------------------------------------------------------
def test_campaigns_and_trunks_are_in_the_overview() -> None:
    made = at_work()
    made.more["attempts"] = {
        "a": an_attempt("a"),
        "b": an_attempt("b", AttemptStage.PERSON),
    }
    shown = overview(made.state, made.settings, NOW)
    assert codec.decode(Overview, codec.encode(shown)) == shown
    (one,), (way,) = shown.campaigns, shown.trunks
    assert isinstance(one, CampaignView) and isinstance(way, TrunkView)
    assert (one.run, one.mode, one.since_s, one.buffered) == (RunState.RUNNING, Mode.PROGRESSIVE, 60.0, 2)
    assert {stage.value: n for stage, n in one.calls.items() if n} == {"dialled": 1, "person": 1}
    assert (one.account.share, one.account.room, one.account.preset) == (0.0, 0, "es")
    assert (way.lines, way.lines_used, way.why) == (2, 2, "")
    assert (one.crew.logged_in, one.crew.idle, one.crew.utilisation) == (2, 2, 0.0)


def test_utilisation_is_of_those_who_are_at_work() -> None:
    desk = Desk(agents=3, sales=a_queue())
    desk.talk()
    made = at_work(desk=desk)
    agents = desk.center.snapshot().agents
    assert campaign(made.state, made.settings, WINTER, NOW).crew.utilisation == pytest.approx(1 / 3)
    idle = next(each for each in agents.values() if not each.work)
    made.more["agents"] = {**agents, idle.id: replace(idle, presence=type(idle.presence).NOT_READY)}
    crew = campaign(made.state, made.settings, WINTER, NOW).crew
    assert (crew.talking, crew.away, crew.utilisation) == (1, 1, 0.5)
    assert WorkMode.DESK in {each.mode for each in agents.values()}


def test_without_the_sections_there_is_nothing_to_show() -> None:
    desk = Desk()
    assert campaigns(desk.center.snapshot(), desk.settings, NOW) == ()
    assert trunks(desk.center.snapshot(), desk.settings, NOW.mono_s) == ()


def test_one_that_was_never_started_is_shown_as_stopped() -> None:
    made = MadeUp(known=None)
    view = campaign(made.state, made.settings, WINTER, Moment(mono_s=1.0, utc_s=NOW.utc_s))
    assert (view.run, view.since_s, view.account.share, view.account.balance) == (RunState.STOPPED, 0.0, 0.0, 0.0)
