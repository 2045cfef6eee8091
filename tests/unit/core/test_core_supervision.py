"""Supervisors hear agents' talks, speak into them and take them over: who may, what is on record first, and what touches no call."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue
from keypad import Keypad
from rules import obey, obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.commands import Ears
from ccserver.core.ids import InteractionId, LegId, PhoneId, RequestId
from ccserver.core.records import (
    AuditRecord,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    RecordingRecord,
    RecordingSide,
    TransferRecord,
    WatchRecord,
)
from ccserver.core.settings import HeadsetNotice, Reach, RoleSettings, Settings, SupervisionNotice, WatchMode
from ccserver.core.state import Role, WatchStage

ALL = frozenset(WatchMode)


class Stand(Desk):
    """101 sells in team day, and 102 when it is unpaused; 103, of the same team, supervises them; 104 is of team night."""

    ACCEPTED = (*Desk.ACCEPTED, c.RingSupervisor, c.SpyLeg)

    def __init__(self, may: frozenset[WatchMode] = ALL, over: Reach = Reach.OWN_TEAM, **rules: object) -> None:
        self._role = RoleSettings(may=may, over=over)
        self._rules = rules
        super().__init__(4, sales=a_queue(number="401"))
        for agent in ("102", "103", "104"):
            self.tell(ev.PauseRequested(request=RequestId(8), agent=agent, reason="lunch"))

    def adapted(self, settings: Settings) -> Settings:
        team = {"101": "day", "102": "day", "103": "day", "104": "night"}
        agents = {name: replace(one, team=team[name]) for name, one in settings.agents.items()}
        agents["103"] = replace(agents["103"], role="lead")
        return replace(settings, agents=agents, roles={"lead": self._role}, **self._rules)

    def stored(self) -> None:
        """The newest entry of the audit log is committed."""
        command = next(i for i, x in reversed(self.all) if isinstance(x, c.StoreAudit))
        self.tell(ev.AuditStored(command=command))

    def other(self) -> tuple[LegId, c.RingAgent]:
        """A caller who talks with 102."""
        self.tell(ev.UnpauseRequested(request=RequestId(9), agent="102"))
        return self.talk()

    @property
    def watch(self) -> "object":
        (watch,) = self.center.snapshot().watches.values()
        return watch

    def over(self, caller: LegId, offer: c.RingAgent) -> None:
        """The customer hangs up, and the agent's leg ends."""
        bridge = f"b-{offer.leg.uniqueid}"
        self.tell(ev.LegLeftBridge(leg=caller, bridge=bridge), ev.LegLeftBridge(leg=offer.leg, bridge=bridge))
        self.hangs_up(caller)
        self.hangs_up(offer.leg)


class Watcher(Keypad):
    """103 at the phone 1003 dials a code."""

    def comes(self) -> None:
        """It is on record, and the leg parks."""
        self.desk.stored()
        (end,) = self.desk.told(c.EndSession)
        assert end.next is c.Next.PARK
        self.desk.tell(ev.SessionClosed(session=self.session), ev.LegParked(leg=self.leg))

    def presses(self, digit: str) -> None:
        assert self.desk.center.listens_to(self.leg)
        self.desk.tell(ev.LegDigit(leg=self.leg, digit=digit))

    def at_the_desk(self) -> str:
        """What the supervisor is told there."""
        (move,) = self.desk.told(c.RedirectLegs)[0].moves
        assert (move.leg, move.place) == (self.leg, c.Place.DESK)
        self.session = f"d-{len(self.desk.all)}"
        self.desk.tell(ev.DeskOpened(session=self.session, leg=self.leg, channel="x"))
        return self.heard

    def goes_back(self) -> None:
        self.desk.prompt_ends(self.leg)
        (end,) = self.desk.told(c.EndSession)
        assert end.next is c.Next.PARK
        self.desk.tell(ev.SessionClosed(session=self.session), ev.LegParked(leg=self.leg))


def watching(desk: Stand, digits: str = "61101") -> Watcher:
    """103 hears the talk of 101."""
    pad = Watcher(desk, 3, digits)
    pad.comes()
    return pad


def modes(desk: Stand) -> list[tuple[str, str, str | None, int | None]]:
    return [(a.by, a.act, a.agent, a.interaction) for _, x in desk.all if isinstance(x, c.StoreAudit) for a in [x.record]]


# --- listening ----------------------------------------------------------------------------------------------------------
def test_a_talk_is_heard_only_when_that_is_on_record() -> None:
    desk = Stand()
    _, offer = desk.talk()
    pad = Watcher(desk, 3, "61101")
    (entry,) = desk.told(c.StoreAudit)
    assert (entry.record.by, entry.record.act, entry.record.agent, entry.record.interaction) == (
        "agent 103",
        "listen",
        "101",
        1,
    )
    assert not desk.ever(c.SpyLeg) and not desk.ever(c.EndSession)[1:]
    pad.comes()
    (spy,) = desk.told(c.SpyLeg)
    assert (spy.leg, spy.target, spy.target_channel, spy.ears, spy.recording) == (
        pad.leg,
        offer.leg,
        "PJSIP/1001-01",
        Ears.NOBODY,
        "",
    )
    notice = desk.kept(NoticeRecord)[-1]
    assert (notice.kind, notice.agent, notice.data["by"], notice.data["mode"]) == (
        NoticeKind.SUPERVISED,
        "101",
        "agent 103",
        "listen",
    )


def test_from_call_to_call_each_is_on_record_first_and_none_is_touched() -> None:
    desk = Stand()
    caller, offer = desk.talk()
    pad = watching(desk)
    before = len(desk.all)
    desk.now_s += 5
    desk.over(caller, offer)
    (move,) = [x.moves[0] for _, x in desk.all[before:] if isinstance(x, c.RedirectLegs)]
    assert (move.leg, move.place) == (pad.leg, c.Place.PARK)
    (heard,) = desk.kept(WatchRecord)
    assert (heard.watch, heard.number, heard.interaction, heard.mode, heard.duration_s) == (1, 0, 1, WatchMode.LISTEN, 5.0)
    desk.tell(ev.LegParked(leg=pad.leg))
    desk.wait(30)
    desk.talk()
    assert not desk.told(c.SpyLeg) and desk.told(c.StoreAudit)[0].record.interaction == 2
    desk.stored()
    assert desk.told(c.SpyLeg)
    desk.now_s += 1
    desk.hangs_up(pad.leg)
    assert not desk.center.snapshot().watches and desk.state(2) == "talking"
    assert [r.interaction for r in desk.kept(WatchRecord)] == [1, 2]
    assert [a for _, x in desk.all if isinstance(x, c.StoreAudit) for a in [x.record.interaction]] == [1, 2]


def test_who_has_no_call_is_waited_for() -> None:
    desk = Stand()
    pad = Watcher(desk, 3, "61102")
    assert desk.told(c.StoreAudit)[0].record.interaction is None
    pad.comes()
    assert not desk.told(c.SpyLeg)
    desk.tell(ev.PauseRequested(request=RequestId(9), agent="101", reason="lunch"))
    _, offer = desk.other()
    assert offer.agent == "102"
    desk.stored()
    assert desk.told(c.SpyLeg)[0].target == offer.leg


def test_the_number_is_asked_for_when_it_is_not_dialled() -> None:
    desk = Stand()
    desk.talk()
    pad = Watcher(desk, 3, "62")
    assert pad.heard == "cc-watch-agent"
    desk.types(pad.leg, "101")
    pad.comes()
    assert desk.told(c.SpyLeg)[0].ears is Ears.AGENT


def test_the_next_call_of_a_queue_is_heard_and_ends_the_session() -> None:
    desk = Stand()
    desk.talk()
    pad = Watcher(desk, 3, "65401")
    pad.comes()
    assert not desk.told(c.SpyLeg), "that call was not the next one"
    desk.wait(1)
    caller, offer = desk.other()
    assert desk.told(c.StoreAudit)[0].record.agent == offer.agent == "102"
    desk.stored()
    assert desk.told(c.SpyLeg)[0].target == offer.leg
    desk.over(caller, offer)
    assert any(isinstance(x, c.HangUpLeg) and x.leg == pad.leg for _, x in desk.all)


def test_a_headset_is_heard_between_two_calls_no_more() -> None:
    """Its leg stays: the spy is ended by us."""
    desk = Stand()
    quiet = a_queue(number="401", headset_notice=HeadsetNotice.NOTHING)
    obey(desk, queues={**desk.settings.queues, "sales": quiet})
    headset = Keypad(desk, 1, "18")
    desk.prompt_ends(headset.leg)
    desk.tell(ev.SessionClosed(session=headset.session), ev.LegParked(leg=headset.leg))
    caller = desk.call()
    for leg in (caller, headset.leg):
        desk.tell(ev.LegEnteredBridge(leg=leg, bridge="b"))
    assert desk.state(1) == "talking"
    pad = watching(desk)
    assert desk.told(c.SpyLeg)[0].target == headset.leg
    for leg in (caller, headset.leg):
        desk.tell(ev.LegLeftBridge(leg=leg, bridge="b"))
    desk.hangs_up(caller)
    assert [m.place for x in desk.told(c.RedirectLegs) for m in x.moves if m.leg == pad.leg] == [c.Place.PARK]


# --- who may ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", ["104", "999", "103"])
def test_whom_the_role_does_not_reach_is_not_heard(number: str) -> None:
    desk = Stand()
    pad = Watcher(desk, 3, f"61{number}")
    assert pad.heard == "cc-not-allowed" and not desk.ever(c.StoreAudit)
    (refused,) = desk.kept(AuditRecord)
    assert (refused.act, refused.agent, refused.is_done) == ("listen", number, False)


def test_a_role_over_all_reaches_every_team() -> None:
    desk = Stand(over=Reach.ALL)
    Watcher(desk, 3, "61104")
    assert desk.told(c.StoreAudit)


def test_a_mode_that_is_not_allowed_is_refused_with_a_word_and_the_old_one_goes_on() -> None:
    desk = Stand(may=frozenset({WatchMode.LISTEN}))
    desk.talk()
    pad = watching(desk)
    pad.presses("5")
    assert pad.at_the_desk() == "cc-not-allowed"
    pad.goes_back()
    assert desk.told(c.SpyLeg)[0].ears is Ears.NOBODY
    assert [(a.act, a.is_done) for a in desk.kept(AuditRecord)] == [("whisper", False)]


def test_rights_that_are_taken_away_end_the_session() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk)
    obey_for(desk, 3, role=None)
    assert pad.at_the_desk() == "cc-not-allowed"
    desk.prompt_ends(pad.leg)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP


def test_from_any_phone_with_number_and_pin() -> None:
    desk = Stand()
    desk.talk()
    pad = Watcher(desk, 2, "61101")
    assert pad.heard == "cc-login-agent"
    desk.types(pad.leg, "103")
    assert pad.heard == "cc-login-pin"
    pad.pin(True)
    pad.comes()
    assert desk.told(c.SpyLeg) and desk.watch.phone == "PJSIP/1002"


@pytest.mark.parametrize(("agent", "is_ok"), [("102", True), ("103", False), ("999", True)])
def test_who_may_not_hears_the_same_as_a_wrong_pin(agent: str, is_ok: bool) -> None:
    desk = Stand()
    pad = Watcher(desk, 2, "61101")
    desk.types(pad.leg, agent)
    pad.pin(is_ok)
    assert pad.heard == "cc-login-failed" and not desk.ever(c.StoreAudit)


def test_a_supervisor_by_the_settings_may_everything() -> None:
    desk = Stand()
    obey_for(desk, 4, is_supervisor=True)
    desk.talk()
    Watcher(desk, 4, "63101")
    assert desk.told(c.StoreAudit)[0].record.by == "agent 104"


def test_a_headsets_line_is_no_supervisors() -> None:
    desk = Stand()
    headset = Keypad(desk, 3, "18")
    desk.prompt_ends(headset.leg)
    desk.tell(ev.SessionClosed(session=headset.session), ev.LegParked(leg=headset.leg), ev.LegDigit(leg=headset.leg, digit="*"))
    desk.tell(ev.DeskOpened(session="x", leg=headset.leg, channel="x"))
    desk.types(headset.leg, "61101")
    assert headset.heard == "cc-not-allowed"


# --- modes --------------------------------------------------------------------------------------------------------------
def test_modes_change_by_digits_and_each_is_on_record_before() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk)
    for digit, mode, ears in (("5", "whisper", Ears.AGENT), ("6", "barge", Ears.ALL), ("4", "listen", Ears.NOBODY)):
        pad.presses(digit)
        assert not desk.told(c.SpyLeg) and desk.told(c.StoreAudit)[0].record.act == mode
        desk.stored()
        assert desk.told(c.SpyLeg)[0].ears is ears
    pad.presses("4")
    pad.presses("7")
    assert not desk.told(c.StoreAudit)
    assert [r.mode.value for r in desk.kept(WatchRecord)] == ["listen", "whisper", "barge"]


def test_what_is_said_in_a_barge_is_recorded_and_a_whisper_is_not() -> None:
    desk = Stand()
    caller, offer = desk.talk()
    pad = watching(desk, "62101")
    assert desk.told(c.SpyLeg)[0].recording == ""
    pad.presses("6")
    desk.stored()
    (spy,) = desk.told(c.SpyLeg)
    assert spy.recording.endswith(f"/1-{pad.leg.uniqueid}")
    desk.now_s += 4
    desk.over(caller, offer)
    barge, talk = sorted(desk.kept(RecordingRecord), key=lambda r: r.side.value)
    assert (barge.side, barge.path, barge.agent, barge.duration_s) == (RecordingSide.AGENTS, spy.recording, "103", 4.0)
    assert talk.side is RecordingSide.BOTH and talk.number != barge.number


def test_a_paused_recording_pauses_what_the_supervisor_says() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk, "63101")
    first = desk.told(c.SpyLeg)[0].recording
    for act in (ev.RecordingAct.PAUSE, ev.RecordingAct.RESUME, ev.RecordingAct.OBJECT):
        desk.now_s += 1
        desk.tell(ev.RecordingRequested(request=RequestId(5), interaction=InteractionId(1), act=act, by="root"))
        (spy,) = desk.told(c.SpyLeg)
        assert spy.ears is Ears.ALL and bool(spy.recording) is (act is ev.RecordingAct.RESUME) and spy.recording != first
    assert pad.leg in desk.center.snapshot().legs


@pytest.mark.parametrize(
    ("notice", "ears", "prompt"),
    [(SupervisionNotice.TONE, Ears.AGENT, "cc-beep"), (SupervisionNotice.ANNOUNCE, Ears.ALL, "cc-supervision-notice")],
)
def test_the_parties_are_told_once_for_each_call_and_of_a_barge(notice: SupervisionNotice, ears: Ears, prompt: str) -> None:
    desk = Stand(supervision_notice=notice)
    _, offer = desk.talk()
    pad = watching(desk)
    (said,) = desk.told(c.SpeakInTalk)
    assert (said.leg, said.ears, said.prompt) == (offer.leg, ears, prompt)
    for digit, is_told in (("5", False), ("6", True), ("4", False)):
        pad.presses(digit)
        desk.stored()
        assert bool(desk.told(c.SpeakInTalk)) is is_told, digit


def test_a_queue_has_its_own_notice() -> None:
    desk = Stand(supervision_notice=SupervisionNotice.ANNOUNCE)
    obey(desk, queues={**desk.settings.queues, "sales": a_queue(number="401", supervision_notice=SupervisionNotice.NONE)})
    desk.talk()
    watching(desk)
    assert desk.told(c.SpyLeg) and not desk.ever(c.SpeakInTalk)


# --- what fails ---------------------------------------------------------------------------------------------------------
def test_a_database_that_stalls_refuses_the_session_in_time() -> None:
    desk = Stand()
    desk.talk()
    pad = Watcher(desk, 3, "61101")
    desk.wait(3.5)
    assert pad.heard == "cc-watch-no-record" and not desk.center.snapshot().watches
    desk.stored()
    assert not desk.ever(c.SpyLeg), "too late"


def test_a_database_that_stalls_later_ends_it_with_a_word() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk)
    pad.presses("6")
    desk.wait(3.5)
    assert pad.at_the_desk() == "cc-watch-no-record"
    desk.prompt_ends(pad.leg)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP and desk.state(1) == "talking"


def test_a_supervisor_who_hangs_up_at_once_leaves_nothing() -> None:
    desk = Stand()
    desk.talk()
    pad = Watcher(desk, 3, "61101")
    desk.hangs_up(pad.leg)
    desk.stored()
    assert not desk.center.snapshot().watches and not desk.ever(c.SpyLeg)


def test_a_refused_order_is_tried_again_a_little_later() -> None:
    desk = Stand()
    desk.ACCEPTED = tuple(kind for kind in desk.ACCEPTED if kind is not c.SpyLeg)
    desk.talk()
    pad = watching(desk)
    command = (
        desk.last[-2][0] if isinstance(desk.last[-2][1], c.SpyLeg) else next(i for i, x in desk.last if isinstance(x, c.SpyLeg))
    )
    desk.tell(ev.CommandFailed(command=command, reason="no"))
    assert not desk.told(c.SpyLeg)
    desk.wait(1)
    assert len(desk.ever(c.SpyLeg)) == 2 and pad.leg in desk.center.snapshot().legs


def test_a_new_process_orders_anew_what_is_heard() -> None:
    desk = Stand()
    _, offer = desk.talk()
    pad = watching(desk)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)), ev.LinkUp(pbx="pbx", uptime_s=50.0))
    legs = desk.center.snapshot().legs
    views = [
        ev.ChannelView(
            leg=leg.id, channel=leg.channel, is_up=True, bridge=leg.bridge, application="ChanSpy", context="cc-supervise"
        )
        for leg in legs.values()
    ]
    desk.observe(*views)
    assert desk.told(c.SpyLeg)[0].target == offer.leg and desk.watch.leg == pad.leg


def test_a_new_process_finds_the_talk_over() -> None:
    desk = Stand()
    caller, offer = desk.talk()
    pad = watching(desk)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)), ev.LinkUp(pbx="pbx", uptime_s=50.0))
    parked = ev.ChannelView(leg=pad.leg, channel="x", is_up=True, bridge="h", application="BridgeWait", context="cc-agent")
    desk.observe(parked)
    assert desk.center.snapshot().legs[pad.leg].is_parked and not desk.told(c.SpyLeg)
    assert caller not in desk.center.snapshot().legs and offer.leg not in desk.center.snapshot().legs


def test_a_restarted_pbx_ends_every_session() -> None:
    desk = Stand()
    desk.talk()
    watching(desk)
    desk.now_s += 100
    desk.tell(ev.LinkLost(pbx="pbx"), ev.LinkUp(pbx="pbx", uptime_s=1.0))
    assert not desk.center.snapshot().watches and desk.kept(WatchRecord)


def test_a_fault_ends_the_session_and_not_the_others() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk)
    desk.tell(ev.InteractionFaulted(interaction=InteractionId(7), reason="x"))
    assert desk.watch.stage is WatchStage.READY
    desk.tell(ev.InteractionFaulted(interaction=None, reason="x"))
    assert desk.watch.stage is WatchStage.OVER and any(x.leg == pad.leg for x in desk.told(c.HangUpLeg))


# --- by the control socket ----------------------------------------------------------------------------------------------
def request(desk: Stand, **given: object) -> c.Reply | None:
    fields = {"phone": PhoneId("PJSIP/1004"), "mode": WatchMode.LISTEN, "agent": "101", "by": "root", **given}
    desk.tell(ev.WatchRequested(request=RequestId(5), **fields))
    return next(iter(desk.told(c.Reply)), None)


def test_a_phone_is_rung_for_an_account_and_hears_when_it_answers() -> None:
    desk = Stand()
    _, offer = desk.talk()
    assert request(desk) is None
    desk.stored()
    (ring,), (reply,) = desk.told(c.RingSupervisor), desk.told(c.Reply)
    assert reply.is_ok and ring.phone == "PJSIP/1004"
    desk.tell(ev.LegStarted(leg=ring.leg, channel="PJSIP/1004-07"), ev.LegRinging(leg=ring.leg), ev.LegAnswered(leg=ring.leg))
    desk.tell(ev.LegParked(leg=ring.leg))
    assert desk.told(c.SpyLeg)[0].target == offer.leg
    desk.tell(ev.WatchModeRequested(request=RequestId(6), watch=1, mode=WatchMode.BARGE, by="root"))
    assert desk.told(c.Reply)[0].is_ok
    desk.stored()
    assert desk.told(c.SpyLeg)[0].ears is Ears.ALL
    desk.tell(ev.WatchStopRequested(request=RequestId(7), watch=1, by="root"))
    assert desk.told(c.HangUpLeg)[0].leg == ring.leg and desk.told(c.Reply)[0].is_ok
    desk.hangs_up(ring.leg)
    assert not desk.center.snapshot().watches and desk.state(1) == "talking"
    assert list(modes(desk)) == [("root", "listen", "101", 1), ("root", "barge", "101", 1)]
    assert desk.kept(AuditRecord)[-1].act == "stop_supervision"


def test_a_phone_that_does_not_answer_ends_it() -> None:
    desk = Stand()
    request(desk)
    desk.stored()
    (ring,) = desk.told(c.RingSupervisor)
    command = next(i for i, x in desk.last if isinstance(x, c.RingSupervisor))
    desk.tell(ev.RingEnded(command=command, leg=ring.leg, is_ok=False, reason=0))
    assert not desk.center.snapshot().watches and ring.leg not in desk.center.snapshot().legs


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"agent": "999"}, "there is no such agent or queue"),
        ({"agent": None, "queue": "nowhere"}, "there is no such agent or queue"),
        ({"phone": PhoneId("PJSIP/9")}, "there is no such phone"),
        ({"mode": WatchMode.TAKE_OVER, "phone": PhoneId("PJSIP/1001")}, "to take a call over"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: dict[str, object], text: str) -> None:
    desk = Stand()
    desk.talk()
    reply = request(desk, **given)
    assert reply is not None and not reply.is_ok and reply.text.startswith(text)
    assert not desk.kept(AuditRecord)[-1].is_done and not desk.center.snapshot().watches


def test_the_socket_hears_of_a_stalled_database() -> None:
    desk = Stand()
    request(desk)
    desk.wait(4)
    (reply,) = desk.ever(c.Reply)[-1:]
    assert not reply.is_ok and "audit log" in reply.text
    desk.tell(ev.WatchModeRequested(request=RequestId(6), watch=1, mode=WatchMode.BARGE, by="root"))
    assert not desk.told(c.Reply)[0].is_ok
    desk.tell(ev.WatchStopRequested(request=RequestId(7), watch=1, by="root"))
    assert not desk.told(c.Reply)[0].is_ok


# --- taking over --------------------------------------------------------------------------------------------------------
def taken(desk: Stand, pad: Watcher, caller: LegId, offer: c.RingAgent, *, agent_first: bool = False) -> None:
    """The join happens: the customer leaves the talk with the agent for one with the supervisor."""
    bridge = f"b-{offer.leg.uniqueid}"
    desk.tell(ev.LegLeftBridge(leg=caller, bridge=bridge), ev.LegLeftBridge(leg=offer.leg, bridge=bridge))
    if agent_first:
        desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    desk.tell(ev.LegEnteredBridge(leg=caller, bridge="t"), ev.LegEnteredBridge(leg=pad.leg, bridge="t"))
    if not agent_first:
        desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))


@pytest.mark.parametrize("agent_first", [False, True])
@pytest.mark.parametrize("by_key", [False, True])
def test_a_supervisor_takes_the_customer_over(agent_first: bool, by_key: bool) -> None:
    desk = Stand()
    caller, offer = desk.talk()
    if by_key:
        pad = watching(desk)
        pad.presses("9")
        desk.stored()
    else:
        pad = watching(desk, "64101")
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.caller, join.is_kept) == (pad.leg, caller, False) and join.recording
    assert desk.state(1) == "talking"
    desk.tell(ev.LegDigit(leg=offer.leg, digit="*"), ev.LegDigit(leg=offer.leg, digit="1"))
    assert not desk.told(c.RedirectLegs), "the agent's keys mean nothing meanwhile"
    taken(desk, pad, caller, offer, agent_first=agent_first)
    state = desk.center.snapshot()
    assert not state.watches and state.legs[pad.leg].role is Role.AGENT
    assert state.interactions[1].talk.agent == "103" and desk.shown(1).value == "wrap_up" and desk.shown(3).value == "talking"
    (transfer,) = desk.kept(TransferRecord)
    assert (transfer.kind.value, transfer.agent, transfer.to, transfer.outcome.value) == ("take_over", "101", "103", "done")
    assert desk.kept(WatchRecord)[-1].mode is WatchMode.TAKE_OVER
    desk.hangs_up(caller)
    desk.hangs_up(pad.leg)
    desk.wait(60)
    assert desk.state(1) == "over" and desk.kept(InteractionRecord)[0].agent == "103"
    assert [r.agent for r in desk.kept(RecordingRecord)] == ["101", "103"]


def test_the_customer_leaves_in_the_instant_of_the_take_over() -> None:
    desk = Stand()
    caller, offer = desk.talk()
    pad = watching(desk, "64101")
    desk.over(caller, offer)
    desk.hangs_up(pad.leg)
    desk.wait(60)
    assert desk.state(1) == "over" and not desk.center.snapshot().watches and desk.shown(3).value == "not_ready"


def test_the_agent_hangs_up_in_the_instant_of_the_take_over() -> None:
    desk = Stand()
    caller, offer = desk.talk()
    pad = watching(desk, "64101")
    desk.hangs_up(offer.leg)
    assert any(x.leg == pad.leg for x in desk.ever(c.HangUpLeg))
    desk.hangs_up(pad.leg)
    desk.arrive(caller)
    desk.hangs_up(caller)
    desk.wait(60)
    assert desk.state(1) == "over" and not desk.center.snapshot().watches


def test_a_join_that_is_refused_leaves_the_customer_with_the_agent() -> None:
    desk = Stand()
    desk.ACCEPTED = tuple(kind for kind in desk.ACCEPTED if kind is not c.JoinLeg)
    desk.talk()
    pad = watching(desk, "64101")
    command = next(i for i, x in desk.last if isinstance(x, c.JoinLeg))
    desk.tell(ev.CommandFailed(command=command, reason="no such channel"))
    assert pad.at_the_desk() == "cc-watch-not-now"
    pad.goes_back()
    assert desk.state(1) == "talking" and desk.told(c.StoreAudit)[0].record.act == "listen"


def test_a_join_that_never_comes_is_given_up() -> None:
    desk = Stand()
    desk.talk()
    pad = watching(desk, "64101")
    desk.wait(5)
    assert desk.ever(c.HangUpLeg)[-1].leg == pad.leg
    desk.hangs_up(pad.leg)
    assert desk.state(1) == "talking" and not desk.center.snapshot().watches


def test_taking_over_needs_a_log_in_at_that_phone_and_a_plain_talk() -> None:
    desk = Stand()
    pad = Watcher(desk, 3, "64101")
    assert pad.heard == "cc-watch-no-call"
    pad.hang_up()
    desk.talk()
    elsewhere = Watcher(desk, 2, "64101")
    desk.types(elsewhere.leg, "103")
    elsewhere.pin(True)
    assert elsewhere.heard == "cc-watch-not-here"
    elsewhere.hang_up()
    pad = watching(desk)
    _, second = desk.other()
    desk.tell(
        ev.LegDigit(leg=desk.ever(c.RingAgent)[0].leg, digit="*"), ev.LegDigit(leg=desk.ever(c.RingAgent)[0].leg, digit="1")
    )
    assert desk.state(1) == "held"
    pad.presses("9")
    assert pad.at_the_desk() == "cc-watch-not-now" and second.agent == "102"
