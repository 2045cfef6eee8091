"""What survives: the daemon's death, the PBX's, a link that was down, a step that raised."""

import pytest
from desk import Desk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter, StepFailed
from ccserver.core.ids import InteractionId, LegId
from ccserver.core.records import (
    EndedBy,
    FaultRecord,
    InteractionRecord,
    Outcome,
    RepairKind,
    RepairRecord,
    ShownState,
    VisitOutcome,
    VisitRecord,
)


def channel(leg: LegId, *, bridge: str | None = None, is_up: bool = True) -> ev.ChannelView:
    return ev.ChannelView(leg=leg, channel=f"c-{leg.uniqueid}", is_up=is_up, bridge=bridge, application="", context="")


def restarted(desk: Desk) -> None:
    """The daemon dies and comes back with the state it had."""
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(
        ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)), ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0)
    )


def test_a_waiting_caller_keeps_place_and_waiting_time() -> None:
    desk = Desk(agents=1, logged_in=False)
    first, second = desk.call(), desk.call()
    desk.now_s += 40.0
    restarted(desk)
    assert desk.center.next_deadline() is None
    desk.observe(channel(first), channel(second))
    desk.arrive(second)
    desk.arrive(first)
    assert desk.told(c.WaitUntil)
    desk.log_in(1)
    assert desk.ring().caller == first
    assert desk.ring().leg.uniqueid == "ccpbx-000002-00000001"


def test_a_talk_goes_on() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    restarted(desk)
    desk.observe(channel(caller, bridge="b-" + offer.leg.uniqueid), channel(offer.leg, bridge="b-" + offer.leg.uniqueid))
    assert desk.shown(1) is ShownState.TALKING and not desk.kept(RepairRecord)


def test_a_talk_that_ended_meanwhile_is_over() -> None:
    desk = Desk()
    caller, _offer = desk.talk()
    restarted(desk)
    desk.observe(channel(caller))
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.arrive(caller)
    assert desk.told(c.EndSession)


def test_a_talk_that_began_meanwhile_is_seen() -> None:
    desk = Desk()
    caller = desk.call()
    offer = desk.ring()
    restarted(desk)
    desk.observe(channel(caller, bridge="x"), channel(offer.leg, bridge="x"))
    assert desk.shown(1) is ShownState.TALKING
    assert desk.kept(VisitRecord)[0].outcome is VisitOutcome.ANSWERED


def test_an_offer_of_which_nothing_is_known_is_made_anew() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    desk.ring()
    restarted(desk)
    desk.observe(channel(caller))
    assert desk.ring().leg.uniqueid == "ccpbx-000002-00000001"


def test_no_deadline_fires_before_the_first_observation() -> None:
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    restarted(desk)
    desk.now_s += 100.0
    assert desk.center.next_deadline() is None and desk.shown(1) is ShownState.WRAP_UP
    desk.observe()
    desk.wait(0.0)
    assert desk.shown(1) is ShownState.READY


def test_a_restart_of_the_pbx_closes_every_call_as_lost() -> None:
    desk = Desk(agents=1)
    desk.talk()
    desk.call()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0))
    desk.observe()
    desk.wait(30.0)
    talked, waited = sorted(desk.kept(InteractionRecord), key=lambda r: r.interaction)
    assert (talked.outcome, talked.ended_by) == (Outcome.LOST, EndedBy.PBX)
    assert (waited.outcome, waited.ended_by) == (Outcome.LOST, EndedBy.PBX)
    assert desk.shown(1) is ShownState.READY and not desk.center.snapshot().legs


def test_an_ordinary_reconnect_loses_nothing() -> None:
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    bridge = "b-" + offer.leg.uniqueid
    desk.observe(channel(caller, bridge=bridge), channel(offer.leg, bridge=bridge))
    assert desk.state(1) == "talking" and not desk.kept(RepairRecord)


def test_nothing_is_offered_while_the_link_is_down() -> None:
    desk = Desk(agents=1)
    desk.tell(ev.LinkLost(pbx="pbx"))
    caller = desk.call()
    assert not desk.told(c.RingAgent)
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    desk.observe(channel(caller), asked_s_ago=0.0)
    assert desk.ring()


def test_a_leg_must_be_missing_twice_in_a_quiet_link() -> None:
    desk = Desk(agents=1, logged_in=False)
    desk.call()
    desk.observe(after_s=30.0)
    assert desk.state(1) == "waiting"
    desk.observe(after_s=30.0)
    assert desk.state(1) == "over"
    assert [r.kind for r in desk.kept(RepairRecord)] == [RepairKind.LEG_GONE]


def test_an_old_list_says_nothing_about_a_new_leg() -> None:
    desk = Desk(agents=1, logged_in=False)
    desk.call()
    for _ in range(3):
        desk.observe(after_s=1.0, asked_s_ago=60.0)
    assert desk.state(1) == "waiting"


def test_a_leg_of_ours_that_nobody_knows_is_ended() -> None:
    desk = Desk()
    stray = LegId("pbx", "ccpbx-000001-00000099")
    desk.observe(channel(stray), after_s=30.0)
    assert not desk.told(c.HangUpLeg)
    desk.observe(channel(stray), after_s=30.0)
    assert desk.told(c.HangUpLeg)[0].leg == stray


def test_a_step_that_raises_is_undone_and_the_interaction_is_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(agents=1)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    monkeypatch.setattr("ccserver.core.stats.ended", lambda *a, **k: 1 / 0)
    bridge = "x"
    desk.tell(ev.LegEnteredBridge(leg=offer.caller, bridge=bridge))
    held = desk.center.snapshot()
    with pytest.raises(StepFailed) as failed:
        desk.tell(ev.LegEnteredBridge(leg=offer.leg, bridge=bridge))
    assert failed.value.interaction == 1
    after = desk.center.snapshot()
    for table in ("interactions", "legs", "agents", "queues", "deadlines", "outstanding"):
        assert getattr(after, table) == getattr(held, table)
    monkeypatch.undo()
    desk.tell(ev.InteractionFaulted(interaction=InteractionId(1), reason="division by zero"))
    assert desk.kept(FaultRecord) and desk.told(c.HangUpLeg)
    assert not desk.told(c.RingAgent), "the next leg only when the end of the first is known"
    desk.hangs_up(offer.leg)
    assert desk.ring().caller == offer.caller


def test_a_call_that_reached_the_new_asterisk_before_its_link_is_kept() -> None:
    desk = Desk(agents=1, logged_in=False)
    old = desk.call()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    new = desk.call()
    desk.now_s += 0.5
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0))
    assert (desk.state(1), desk.state(2)) == ("over", "waiting")
    desk.observe(channel(new))
    assert desk.state(2) == "waiting" and old not in desk.center.snapshot().legs


@pytest.mark.parametrize("is_daemon_new", [False, True])
def test_a_call_heard_of_in_the_second_before_the_boot_is_lost_and_not_abandoned(is_daemon_new: bool) -> None:
    """Killed and up again within a second: uptimes are whole seconds, so 0 may be 0.9."""
    desk = Desk(agents=1, logged_in=False)
    desk.call()
    desk.now_s += 0.1
    if is_daemon_new:
        desk.center = CallCenter.restore(desk.center.snapshot())
        desk.tell(ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)))
    else:
        desk.tell(ev.LinkLost(pbx="pbx"))
        desk.now_s += 0.3
        desk.call()
    desk.now_s += 0.1
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=0.0))
    (lost,) = desk.kept(InteractionRecord)
    assert (lost.interaction, lost.outcome, lost.ended_by) == (1, Outcome.LOST, EndedBy.PBX)
    assert desk.state(2) == ("over" if is_daemon_new else "waiting")


def test_a_phone_is_followed_when_two_readings_differ_from_what_was_told() -> None:
    desk = Desk(agents=1)
    desk.observe(after_s=30.0, down=(1,))
    assert desk.shown(1) is ShownState.READY
    desk.observe(after_s=30.0, down=(1,))
    assert desk.shown(1) is ShownState.UNREACHABLE
    assert [r.kind for r in desk.kept(RepairRecord)] == [RepairKind.PHONE_STATE]


def test_a_bridge_seen_once_is_a_doubt_and_seen_twice_the_truth() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    both = (channel(caller, bridge="x"), channel(offer.leg, bridge="x"))
    desk.observe(*both, after_s=3.0)
    assert desk.state(1) == "offered"
    desk.observe(*both, after_s=3.0)
    assert desk.state(1) == "talking" and desk.kept(RepairRecord)
