"""Legs that wait, and the one that is joined: several phones ring, and every order in which things can happen then."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
from desk import Desk, a_queue

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import CommandId, InteractionId, LegId
from ccserver.core.records import OfferOutcome, OfferRecord, ShownState
from ccserver.core.settings import PhoneKind, Strategy
from ccserver.core.state import DeadlineKind


def ring_all(agents: int = 2, **changes: object) -> Desk:
    return Desk(agents, sales=a_queue(strategy=Strategy.RING_ALL, **changes))


def outcomes(desk: Desk) -> dict[str, OfferOutcome]:
    return {r.agent: r.outcome for r in desk.kept(OfferRecord)}


def picks_up(desk: Desk, offer: c.RingAgent) -> None:
    """The agent answers, and the leg waits."""
    desk.tell(
        ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"), ev.LegAnswered(leg=offer.leg), ev.LegParked(leg=offer.leg)
    )


def bridged(desk: Desk, caller: LegId, leg: LegId, *, caller_first: bool = True) -> None:
    order = (caller, leg) if caller_first else (leg, caller)
    desk.tell(*(ev.LegEnteredBridge(leg=x, bridge=f"b-{leg.uniqueid}") for x in order))


# --- one phone that waits -------------------------------------------------------------------------------------------------
def test_the_leg_waits_and_is_joined() -> None:
    desk = ring_all(agents=1)
    caller = desk.call()
    offer = desk.ring()
    assert offer.place is c.Place.PARK
    picks_up(desk, offer)
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.caller, join.channel, join.is_kept) == (offer.leg, caller, "PJSIP/1001-01", False)
    assert join.recording == offer.recording and desk.shown(1) is ShownState.RINGING
    bridged(desk, caller, offer.leg)
    assert desk.shown(1) is ShownState.TALKING and outcomes(desk) == {"101": OfferOutcome.ANSWERED}


def test_a_join_that_asterisk_refuses_ends_the_leg_and_the_next_offer_waits_for_its_end() -> None:
    desk = ring_all(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LegAnswered(leg=offer.leg))
    commands = desk.center.handle(ev.LegParked(leg=offer.leg), desk.moment())
    assert isinstance(commands[0], c.JoinLeg)
    desk.tell(ev.CommandFailed(command=CommandId(desk.center.seq, 0), reason="no such channel"))
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg] and desk.state(1) == "offered"
    desk.hangs_up(offer.leg)
    assert outcomes(desk) == {"101": OfferOutcome.FAILED} and desk.shown(1) is ShownState.BACK_OFF
    desk.wait(10.0)
    assert desk.ring().caller == caller


def test_a_join_that_nothing_is_heard_of_is_given_up() -> None:
    desk = ring_all(agents=1)
    desk.call()
    offer = desk.ring()
    picks_up(desk, offer)
    desk.wait(4.0)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
    assert outcomes(desk) == {"101": OfferOutcome.FAILED}


def test_the_dialplan_does_not_find_the_caller_who_is_about_to_be_told_gone() -> None:
    desk = ring_all(agents=1)
    caller = desk.call()
    offer = desk.ring()
    picks_up(desk, offer)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    assert desk.told(c.EndSession)
    desk.hangs_up(offer.leg)
    assert not desk.told(c.RingAgent) and outcomes(desk) == {"101": OfferOutcome.CALLER_GONE}
    desk.hangs_up(caller)
    assert desk.state(1) == "over" and desk.shown(1) is ShownState.READY


def test_the_caller_hangs_up_in_the_instant_of_the_join() -> None:
    desk = ring_all(agents=1)
    caller = desk.call()
    offer = desk.ring()
    picks_up(desk, offer)
    desk.hangs_up(caller)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "over" and outcomes(desk) == {"101": OfferOutcome.CALLER_GONE}
    assert desk.shown(1) is ShownState.READY


def test_a_parked_leg_that_nobody_waits_for_is_ended() -> None:
    desk = ring_all(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(caller)
    desk.tell(ev.LegAnswered(leg=offer.leg), ev.LegParked(leg=offer.leg))
    assert not desk.ever(c.JoinLeg) and len(desk.ever(c.HangUpLeg)) == 1


# --- several ------------------------------------------------------------------------------------------------------------
def both(desk: Desk) -> tuple[LegId, c.RingAgent, c.RingAgent]:
    """A caller for whom two phones ring."""
    caller = desk.call()
    first, second = desk.told(c.RingAgent)
    desk.ringing(first)
    desk.ringing(second)
    return caller, first, second


def test_all_phones_ring_and_the_first_to_answer_is_joined() -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    assert {desk.shown(1), desk.shown(2)} == {ShownState.RINGING}
    desk.tell(ev.LegAnswered(leg=second.leg), ev.LegParked(leg=second.leg))
    assert desk.told(c.JoinLeg)[0].leg == second.leg and [x.leg for x in desk.told(c.HangUpLeg)] == [first.leg]
    bridged(desk, caller, second.leg)
    desk.hangs_up(first.leg)
    assert outcomes(desk) == {"101": OfferOutcome.CANCELLED, "102": OfferOutcome.ANSWERED}
    assert (desk.shown(1), desk.shown(2)) == (ShownState.READY, ShownState.TALKING)
    assert desk.center.snapshot().agents["101"].missed == 0


def test_the_others_are_free_once_their_legs_end_also_before_the_join() -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    desk.tell(ev.LegAnswered(leg=second.leg), ev.LegParked(leg=second.leg))
    desk.hangs_up(first.leg)
    assert desk.shown(1) is ShownState.READY and not desk.told(c.RingAgent)
    bridged(desk, caller, second.leg)
    assert desk.shown(2) is ShownState.TALKING


EVENTS: dict[str, Callable[[Desk, LegId, c.RingAgent, c.RingAgent], ev.Event]] = {
    "the first parks": lambda d, caller, a, b: ev.LegParked(leg=a.leg),
    "the second parks": lambda d, caller, a, b: ev.LegParked(leg=b.leg),
    "the caller is gone": lambda d, caller, a, b: ev.LegEnded(leg=caller, cause=0),
    "the first ends": lambda d, caller, a, b: ev.LegEnded(leg=a.leg, cause=16),
    "the second ends": lambda d, caller, a, b: ev.LegEnded(leg=b.leg, cause=44),
}


def can_happen(order: tuple[str, ...]) -> bool:
    """A leg that has ended does not park."""
    return all(order.index(f"the {x} parks") < order.index(f"the {x} ends") for x in ("first", "second"))


@pytest.mark.parametrize("order", [*filter(can_happen, permutations(EVENTS))], ids=", ".join)
def test_two_answer_lines_break_and_the_caller_goes_in_every_order(order: tuple[str, ...]) -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    desk.tell(ev.LegAnswered(leg=first.leg), ev.LegAnswered(leg=second.leg))
    for what in order:
        desk.tell(EVENTS[what](desk, caller, first, second))
        assert len(desk.ever(c.JoinLeg)) <= 1
    desk.wait(30.0)
    state = desk.center.snapshot()
    assert desk.state(1) == "over" and not state.legs and not state.deadlines.keys() & {(DeadlineKind.JOIN, "1")}
    assert len(desk.kept(OfferRecord)) == len(desk.ever(c.RingAgent))
    assert OfferOutcome.ANSWERED not in outcomes(desk).values()
    assert all(not state.agents[a].work for a in ("101", "102"))


@pytest.mark.parametrize("caller_first", [True, False])
@pytest.mark.parametrize("loser", ["before the join", "between", "after", "late and parked"])
def test_the_winner_talks_whenever_the_losers_end_is_told(caller_first: bool, loser: str) -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    desk.tell(ev.LegAnswered(leg=first.leg), ev.LegAnswered(leg=second.leg), ev.LegParked(leg=first.leg))
    if loser == "late and parked":
        desk.tell(ev.LegParked(leg=second.leg))
    if loser == "before the join":
        desk.hangs_up(second.leg)
    legs = (caller, first.leg) if caller_first else (first.leg, caller)
    desk.tell(ev.LegEnteredBridge(leg=legs[0], bridge="b"))
    if loser == "between":
        desk.hangs_up(second.leg)
    desk.tell(ev.LegEnteredBridge(leg=legs[1], bridge="b"))
    if loser in ("after", "late and parked"):
        desk.hangs_up(second.leg)
    assert (desk.shown(1), desk.shown(2)) == (ShownState.TALKING, ShownState.READY)
    assert outcomes(desk) == {"101": OfferOutcome.ANSWERED, "102": OfferOutcome.CANCELLED}
    assert len(desk.ever(c.JoinLeg)) == 1 and [x.leg for x in desk.ever(c.HangUpLeg)] == [second.leg]


def test_a_loser_whose_channel_never_came_is_free_again() -> None:
    desk = ring_all()
    caller = desk.call()
    first, second = desk.told(c.RingAgent)
    picks_up(desk, second)
    bridged(desk, caller, second.leg)
    number = next(i for i, x in desk.all if x is first)
    desk.tell(ev.RingEnded(command=number, leg=first.leg, is_ok=False, reason=0))
    assert (desk.shown(1), desk.shown(2)) == (ShownState.READY, ShownState.TALKING)
    assert not desk.center.snapshot().agents["101"].work


def test_news_told_twice_join_nobody_twice() -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    desk.tell(ev.LegAnswered(leg=first.leg), ev.LegParked(leg=first.leg), ev.LegParked(leg=first.leg))
    bridged(desk, caller, first.leg)
    desk.tell(ev.LegParked(leg=first.leg))
    assert desk.shown(1) is ShownState.TALKING and len(desk.ever(c.JoinLeg)) == 1
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [second.leg]


def test_nobody_is_rung_anew_before_every_leg_has_ended() -> None:
    desk = ring_all()
    _, first, second = both(desk)
    desk.tell(ev.LegAnswered(leg=first.leg), ev.LegParked(leg=first.leg))
    desk.hangs_up(first.leg, cause=44)
    desk.wait(3.0)
    assert not desk.told(c.RingAgent) and desk.state(1) == "offered"
    desk.hangs_up(second.leg)
    assert len(desk.told(c.RingAgent)) >= 1


def test_who_does_not_answer_has_missed_it_and_who_rings_on_rings_on() -> None:
    desk = ring_all()
    _, first, second = both(desk)
    desk.hangs_up(first.leg, cause=21, tech_cause=603)
    assert (desk.shown(1), desk.shown(2)) == (ShownState.BACK_OFF, ShownState.RINGING)
    desk.hangs_up(second.leg, cause=19, tech_cause=480)
    assert outcomes(desk) == {"101": OfferOutcome.REJECTED, "102": OfferOutcome.MISSED}
    assert desk.state(1) == "waiting"


def test_an_agent_who_becomes_free_rings_too() -> None:
    desk = Desk(agents=3, sales=a_queue(strategy=Strategy.RING_ALL, ring_most=2))
    desk.tell(
        ev.PauseRequested(request=1, agent="102", reason="lunch"), ev.PauseRequested(request=1, agent="103", reason="lunch")
    )
    desk.call()
    assert [x.agent for x in desk.told(c.RingAgent)] == ["101"]
    desk.tell(ev.UnpauseRequested(request=1, agent="103"))
    assert [x.agent for x in desk.told(c.RingAgent)] == ["103"]
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    assert not desk.told(c.RingAgent), "no more than `ring_most`"


def test_who_waits_comes_before_a_second_phone_for_who_is_rung_for() -> None:
    desk = Desk(agents=2, sales=a_queue(strategy=Strategy.RING_ALL))
    desk.tell(
        ev.PauseRequested(request=1, agent="101", reason="lunch"), ev.PauseRequested(request=1, agent="102", reason="lunch")
    )
    first, second = desk.call(), desk.call()
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    assert desk.ring().caller == first
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    assert desk.ring().caller == second


def test_ringing_progressively_adds_a_phone_every_so_often() -> None:
    desk = Desk(agents=3, sales=a_queue(strategy=Strategy.RING_PROGRESSIVELY, ring_more_every_s=3.0, ring_timeout_s=20.0))
    desk.call()
    assert desk.ring().agent == "101"
    desk.wait(2.9)
    assert len(desk.ever(c.RingAgent)) == 1
    desk.wait(0.2)
    assert desk.ring().agent == "102"
    desk.wait(3.0)
    assert [x.agent for x in desk.ever(c.RingAgent)] == ["101", "102", "103"]
    third = desk.ever(c.RingAgent)[2]
    picks_up(desk, third)
    assert len(desk.told(c.HangUpLeg)) == 2
    desk.wait(9.0)
    assert len(desk.ever(c.RingAgent)) == 3


def test_each_phone_has_its_own_guard() -> None:
    desk = Desk(agents=2, sales=a_queue(strategy=Strategy.RING_PROGRESSIVELY, ring_more_every_s=8.0))
    desk.call()
    first = desk.ring()
    desk.ringing(first)
    desk.wait(8.0)
    second = desk.ring()
    desk.ringing(second)
    desk.wait(7.1)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [first.leg]
    desk.wait(8.0)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [first.leg, second.leg]


def test_a_phone_without_a_contact_does_not_end_the_others() -> None:
    desk = ring_all()
    desk.call()
    first, second = desk.told(c.RingAgent)
    desk.ringing(second)
    number = next(i for i, x in desk.all if x is first)
    desk.tell(ev.RingEnded(command=number, leg=first.leg, is_ok=False, reason=0))
    desk.wait(1.0)
    assert outcomes(desk) == {"101": OfferOutcome.UNREACHABLE} and not desk.ever(c.HangUpLeg)
    assert (desk.shown(1), desk.shown(2)) == (ShownState.UNREACHABLE, ShownState.RINGING)


# --- the daemon and the link ------------------------------------------------------------------------------------------
def channel(leg: LegId, *, bridge: str | None = None, application: str = "") -> ev.ChannelView:
    return ev.ChannelView(
        leg=leg, channel=f"c-{leg.uniqueid}", is_up=True, bridge=bridge, application=application, context="cc-agent"
    )


def restarted(desk: Desk) -> None:
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(
        ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)), ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0)
    )


def test_a_leg_that_answered_while_the_daemon_was_away_is_found_parked_and_joined() -> None:
    desk = ring_all()
    caller, first, second = both(desk)
    restarted(desk)
    desk.observe(channel(caller), channel(first.leg), channel(second.leg, bridge="hold", application="BridgeWait"))
    assert desk.told(c.JoinLeg)[0].leg == second.leg and [x.leg for x in desk.told(c.HangUpLeg)] == [first.leg]


def test_a_join_that_happened_while_the_daemon_was_away_is_a_talk() -> None:
    desk = ring_all()
    caller, first, _ = both(desk)
    desk.tell(ev.LegAnswered(leg=first.leg), ev.LegParked(leg=first.leg))
    restarted(desk)
    desk.observe(channel(caller, bridge="b"), channel(first.leg, bridge="b"))
    assert (desk.shown(1), desk.shown(2)) == (ShownState.TALKING, ShownState.READY)


def test_a_parked_leg_whose_caller_left_while_the_daemon_was_away_is_ended() -> None:
    desk = ring_all(agents=1)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    restarted(desk)
    desk.observe(channel(offer.leg, bridge="hold", application="BridgeWait"))
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg] and not desk.ever(c.JoinLeg)
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "over" and not desk.center.snapshot().legs


def test_a_step_that_raised_leaves_no_phone_ringing() -> None:
    desk = ring_all()
    _, first, second = both(desk)
    desk.tell(ev.InteractionFaulted(interaction=InteractionId(1), reason="x"))
    assert {x.leg for x in desk.told(c.HangUpLeg)} == {first.leg, second.leg}
    desk.hangs_up(first.leg)
    assert not desk.told(c.RingAgent)
    desk.hangs_up(second.leg)
    assert desk.told(c.RingAgent)


# --- an agent outside -------------------------------------------------------------------------------------------------
def outside() -> tuple[Desk, LegId, c.RingAgent]:
    desk = Desk(agents=1)
    phones = {p: replace(s, kind=PhoneKind.EXTERNAL) for p, s in desk.settings.phones.items()}
    desk.settings = replace(desk.settings, content_hash="outside", phones=phones)
    desk.tell(ev.SettingsLoaded(settings=desk.settings))
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LegAnswered(leg=offer.leg), ev.DeskOpened(session="d", leg=offer.leg, channel="PJSIP/carrier-09"))
    return desk, caller, offer


def test_an_agent_outside_takes_the_call_by_the_key_1() -> None:
    desk, caller, offer = outside()
    assert offer.place is c.Place.DESK and desk.told(c.Collect)[0].max_digits == 1 and not desk.ever(c.JoinLeg)
    desk.types(offer.leg, "1")
    assert desk.told(c.EndSession)[0].next is c.Next.PARK
    desk.tell(ev.SessionClosed(session="d"), ev.LegParked(leg=offer.leg))
    assert desk.told(c.JoinLeg)[0].channel == "PJSIP/carrier-09"
    bridged(desk, caller, offer.leg)
    assert desk.shown(1) is ShownState.TALKING


@pytest.mark.parametrize("typed", ["", "2"])
def test_a_voicemail_outside_has_missed_the_call(typed: str) -> None:
    desk, _, offer = outside()
    desk.types(offer.leg, typed)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(offer.leg)
    assert outcomes(desk) == {"101": OfferOutcome.MISSED} and desk.state(1) == "waiting" and not desk.ever(c.JoinLeg)


def test_the_caller_goes_while_the_agent_outside_is_asked() -> None:
    desk, caller, offer = outside()
    desk.hangs_up(caller)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "over" and outcomes(desk) == {"101": OfferOutcome.CALLER_GONE}


def test_an_outside_number_that_cannot_be_called_is_spared_for_a_while() -> None:
    desk, _, offer = outside()
    desk.hangs_up(offer.leg, cause=19)
    desk.wait(5.0)
    again = desk.ring()
    number = next(i for i, x in desk.all if x is again)
    desk.tell(ev.RingEnded(command=number, leg=again.leg, is_ok=False, reason=0))
    desk.wait(1.0)
    assert desk.shown(1) is ShownState.BACK_OFF
    desk.wait(10.0)
    assert desk.ring().agent == "101"
