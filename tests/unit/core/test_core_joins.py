"""Legs that wait, and the one that is joined: several phones ring, and every order in which things can happen then."""

from desk import Desk, a_queue

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import OfferOutcome, OfferRecord, ShownState
from ccserver.core.settings import Strategy


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
