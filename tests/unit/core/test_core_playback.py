"""Supervisors hear recordings by phone: who may, what is on record before the first word, the keys, and what goes wrong."""

from dataclasses import replace

import pytest
from desk import Desk
from keypad import Keypad
from rules import obey

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core import rights
from ccserver.core.ids import AgentId, CommandId
from ccserver.core.records import AuditRecord, KeptRecording
from ccserver.core.settings import Reach, RoleSettings, Settings, SpokenKind, WatchMode
from ccserver.core.state import DeadlineKind

LATEST, BEFORE = KeptRecording(interaction=12), KeptRecording(interaction=11)
TEAMS = {"101": "day", "102": "day", "103": "day", "104": "night"}
HEARS = RoleSettings(may=frozenset(), over=Reach.OWN_TEAM, hears_recordings=True)


class Archive(Desk):
    """103 may hear recordings of team day: 101 and 102 are of it, 104 is not."""

    def __init__(self, role: RoleSettings = HEARS) -> None:
        self._role = role
        super().__init__(4)

    def adapted(self, settings: Settings) -> Settings:
        agents = {name: replace(one, team=TEAMS[name]) for name, one in settings.agents.items()}
        agents["103"] = replace(agents["103"], role="lead", language="es")
        return replace(settings, agents=agents, roles={"lead": self._role})

    def acts(self) -> list[tuple[str, str, bool, str | None, int | None]]:
        stored = [x.record for _, x in self.all if isinstance(x, c.StoreAudit)]
        told = [*stored, *self.kept(AuditRecord)]
        return [(a.act, a.what, a.is_done, a.agent, a.interaction) for a in told]


class Hearer(Keypad):
    """103 at the phone 1003."""

    def opens(self, kept: KeptRecording | None = LATEST, end: ev.OpenEnd = ev.OpenEnd.OPENED, **changes: object) -> None:
        command = next(i for i, x in reversed(self.desk.all) if isinstance(x, c.OpenRecording))
        event = ev.RecordingOpened(command=command, end=end, kept=kept, agents=("101",))
        if end is ev.OpenEnd.OPENED and kept is not None:
            event = replace(event, path=f"/rec/.heard/{kept.interaction}", duration_s=60.0)
        self.desk.tell(replace(event, **changes))

    def stored(self) -> None:
        command = next(i for i, x in reversed(self.desk.all) if isinstance(x, c.StoreAudit))
        self.desk.tell(ev.AuditStored(command=command))

    def plays(self, kept: KeptRecording = LATEST) -> None:
        """From its beginning, after the number of the call."""
        self.opens(kept)
        self.stored()
        (title,) = self.desk.told(c.Say)
        assert [(p.kind, p.value) for p in title.say] == [
            (SpokenKind.PROMPT, "cc-recording-call"),
            (SpokenKind.DIGITS, str(kept.interaction)),
        ]
        self.desk.prompt_ends(self.leg)
        assert self.played == (f"/rec/.heard/{kept.interaction}", 0.0)

    @property
    def played(self) -> tuple[str, float]:
        (say,) = self.desk.told(c.Say)
        (piece,) = say.say
        assert piece.kind is SpokenKind.RECORDING and say.language == "es"
        return piece.value, piece.from_s

    def presses(self, digit: str, after_s: float = 0.0) -> None:
        """Into what is being said."""
        self.desk.tell(
            ev.PromptEnded(session=self.session, command=self.desk.verbs[self.session], end=ev.VerbEnd.DIGIT, digit=digit),
            after_s=after_s,
        )
        assert self.desk.told(c.Collect)[0].say == ()
        self.desk.types(self.leg, digit)

    def leaves(self) -> None:
        self.desk.tell(ev.SessionClosed(session=self.session))
        self.desk.hangs_up(self.leg)


def hearing(desk: Archive) -> Hearer:
    pad = Hearer(desk, 3, "66101")
    pad.plays()
    return pad


# --- who may ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "may"),
    [
        (HEARS, ["101", "102"]),
        (replace(HEARS, over=Reach.ALL), ["101", "102", "104", "999"]),
        (replace(HEARS, teams=frozenset({"night"})), ["104"]),
        (RoleSettings(may=frozenset(WatchMode), over=Reach.ALL), []),
    ],
)
def test_who_may_hear_whose_recordings(role: RoleSettings, may: list[str]) -> None:
    desk = Archive(role)
    everybody = ["101", "102", "103", "104", "999"]
    assert [each for each in everybody if rights.may_hear(desk.settings, AgentId("103"), AgentId(each))] == may
    assert not any(rights.may_hear(desk.settings, AgentId("101"), AgentId(each)) for each in everybody)
    assert not any(rights.may(desk.settings, AgentId("103"), mode, AgentId("101")) for mode in WatchMode) or not may


def test_a_supervisor_may_hear_all_but_their_own() -> None:
    desk = Archive()
    agents = {**desk.settings.agents, "104": replace(desk.settings.agents["104"], is_supervisor=True)}
    obey(desk, agents=agents)
    may = [each for each in ("101", "103", "104", "999") if rights.may_hear(desk.settings, AgentId("104"), AgentId(each))]
    assert may == ["101", "103", "999"]


def test_what_supervisors_said_themselves_is_in_nobodys_way() -> None:
    desk = Archive()
    assert rights.may_hear_all(desk.settings, AgentId("103"), [AgentId("101"), AgentId("103")])
    assert not rights.may_hear_all(desk.settings, AgentId("103"), [AgentId("101"), AgentId("104")])


@pytest.mark.parametrize("whose", ["104", "103", "999"])
def test_whom_the_role_does_not_reach_is_refused_at_once_and_on_record(whose: str) -> None:
    desk = Archive()
    pad = Hearer(desk, 3, f"66{whose}")
    assert pad.heard == "cc-not-allowed" and not desk.ever(c.OpenRecording)
    assert desk.acts() == [("recording_hear", "PJSIP/1003, not_allowed", False, whose, None)]


def test_who_has_no_such_right_must_say_who_they_are_and_hears_no_more_than_after_a_wrong_pin() -> None:
    desk = Archive()
    pad = Hearer(desk, 1, "66102")
    assert pad.heard == "cc-login-agent"
    desk.types(pad.leg, "101")
    pad.pin(True)
    assert pad.heard == "cc-login-failed" and not desk.ever(c.OpenRecording)


def test_from_anybodys_phone_with_number_and_pin() -> None:
    desk = Archive()
    pad = Hearer(desk, 1, "66")
    desk.types(pad.leg, "103")
    pad.pin(True)
    assert pad.heard == "cc-watch-agent"
    desk.types(pad.leg, "101")
    pad.plays()


def test_a_recording_in_which_somebody_else_speaks_too_is_refused_and_closed() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    pad.opens(agents=("101", "104"))
    assert pad.heard == "cc-not-allowed"
    assert [x.path for x in desk.told(c.CloseRecording)] == ["/rec/.heard/12"] and not desk.ever(c.StoreAudit)
    assert desk.acts()[-1] == ("recording_hear", "PJSIP/1003, recording of call 12: not_allowed", False, "101", 12)
    desk.prompt_ends(pad.leg)
    desk.types(pad.leg, "7")
    assert desk.told(c.OpenRecording)[0].beside == LATEST


# --- on record ----------------------------------------------------------------------------------------------------------
def test_nothing_is_heard_before_it_is_on_record_and_its_length_after() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    assert desk.told(c.OpenRecording) == [c.OpenRecording(agent=AgentId("101"))]
    pad.opens()
    (entry,) = desk.told(c.StoreAudit)
    assert (entry.record.by, entry.record.act, entry.record.agent, entry.record.interaction) == (
        "agent 103",
        "recording_hear",
        "101",
        12,
    )
    assert not desk.told(c.Say)
    pad.stored()
    desk.prompt_ends(pad.leg)
    assert pad.played == ("/rec/.heard/12", 0.0)
    desk.now_s += 7.0
    pad.leaves()
    assert [x.path for _, x in desk.all if isinstance(x, c.CloseRecording)] == ["/rec/.heard/12"]
    assert desk.acts()[-1] == ("recording_heard", "PJSIP/1003, recording of call 12, 7 s", True, "101", 12)


def test_a_database_that_stalls_lets_nobody_hear() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    pad.opens()
    desk.wait(3.1)
    assert pad.heard == "cc-watch-no-record"
    assert [x.path for _, x in desk.all if isinstance(x, c.CloseRecording)] == ["/rec/.heard/12"]
    pad.stored()
    assert not desk.last
    pad.hang_up()
    assert [act for act, *_ in desk.acts()] == ["recording_hear"]


def test_who_hangs_up_while_it_is_opened_leaves_nothing_behind() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    pad.leaves()
    state = desk.center.snapshot()
    assert not state.outstanding and all(kind is not DeadlineKind.TAPE for kind, _ in state.deadlines)
    pad.opens()
    assert [x.path for x in desk.told(c.CloseRecording)] == ["/rec/.heard/12"] and not desk.ever(c.StoreAudit)


def test_what_takes_too_long_to_open_is_told_and_closed_when_it_comes() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    desk.wait(61.0)
    assert pad.heard == "cc-recording-missing"
    pad.opens()
    assert [x.path for x in desk.told(c.CloseRecording)] == ["/rec/.heard/12"]
    pad.hang_up()


# --- keys ---------------------------------------------------------------------------------------------------------------
def test_ten_seconds_forth_and_back_and_on_from_there() -> None:
    desk = Archive()
    pad = hearing(desk)
    pad.presses("6", after_s=5.0)
    assert pad.played == ("/rec/.heard/12", 15.0)
    pad.presses("4", after_s=2.0)
    assert pad.played == ("/rec/.heard/12", 7.0)
    pad.presses("4")
    assert pad.played == ("/rec/.heard/12", 0.0)
    pad.presses("5", after_s=3.0)
    assert pad.played == ("/rec/.heard/12", 3.0)
    for _ in range(7):
        pad.presses("6")
    assert pad.played == ("/rec/.heard/12", 60.0)
    pad.presses("0")
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    pad.leaves()
    assert desk.acts()[-1][:2] == ("recording_heard", "PJSIP/1003, recording of call 12, 10 s")


def test_at_its_end_the_keys_are_told_and_silence_is_the_end() -> None:
    desk = Archive()
    pad = hearing(desk)
    desk.now_s += 60.0
    desk.prompt_ends(pad.leg)
    assert pad.heard == "cc-recording-over"
    desk.types(pad.leg, "4")
    assert pad.played == ("/rec/.heard/12", 50.0)
    desk.now_s += 10.0
    desk.prompt_ends(pad.leg)
    desk.types(pad.leg, "")
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP


def test_to_the_call_before_and_back_each_on_record() -> None:
    desk = Archive()
    pad = hearing(desk)
    pad.presses("7", after_s=4.0)
    assert desk.told(c.OpenRecording) == [c.OpenRecording(agent=AgentId("101"), beside=LATEST, is_newer=False)]
    pad.plays(BEFORE)
    pad.presses("9", after_s=2.0)
    assert desk.told(c.OpenRecording) == [c.OpenRecording(agent=AgentId("101"), beside=BEFORE, is_newer=True)]
    pad.plays(LATEST)
    pad.leaves()
    assert sorted((act, number) for act, _, _, _, number in desk.acts()) == [
        ("recording_hear", 11),
        ("recording_hear", 12),
        ("recording_hear", 12),
        ("recording_heard", 11),
        ("recording_heard", 12),
        ("recording_heard", 12),
    ]
    assert len(desk.ever(c.CloseRecording)) == 3


def test_where_there_is_no_other_the_present_one_goes_on() -> None:
    desk = Archive()
    pad = hearing(desk)
    pad.presses("9", after_s=8.0)
    pad.opens(None, ev.OpenEnd.NONE)
    assert pad.heard == "cc-recording-no-more" and not desk.ever(c.CloseRecording)
    desk.prompt_ends(pad.leg)
    assert pad.played == ("/rec/.heard/12", 8.0)


def test_nobody_was_recorded() -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    pad.opens(None, ev.OpenEnd.NONE)
    assert pad.heard == "cc-recording-none"
    pad.hang_up()


@pytest.mark.parametrize(
    ("end", "prompt"),
    [
        (ev.OpenEnd.DELETED, "cc-recording-deleted"),
        (ev.OpenEnd.SEALED, "cc-recording-sealed"),
        (ev.OpenEnd.MISSING, "cc-recording-missing"),
    ],
)
def test_what_cannot_be_opened_is_told_and_one_goes_on_from_there(end: ev.OpenEnd, prompt: str) -> None:
    desk = Archive()
    pad = Hearer(desk, 3, "66101")
    pad.opens(LATEST, end)
    assert pad.heard == prompt
    assert desk.acts() == [("recording_hear", f"PJSIP/1003, recording of call 12: {end.value}", False, "101", 12)]
    desk.prompt_ends(pad.leg)
    desk.types(pad.leg, "6")
    assert pad.heard == "cc-recording-over"
    desk.types(pad.leg, "7")
    assert desk.told(c.OpenRecording)[0].beside == LATEST
    pad.plays(BEFORE)


def test_what_asterisk_cannot_play_is_told() -> None:
    desk = Archive()
    pad = hearing(desk)
    desk.tell(ev.PromptEnded(session=pad.session, command=desk.verbs[pad.session], end=ev.VerbEnd.FAILED))
    assert pad.heard == "cc-recording-missing"


# --- what changes meanwhile ---------------------------------------------------------------------------------------------
def test_a_role_that_is_changed_holds_at_once() -> None:
    desk = Archive()
    pad = hearing(desk)
    obey(desk, roles={"lead": replace(HEARS, teams=frozenset({"night"}))})
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [pad.leg]


def test_a_new_daemon_keeps_nothing_open_and_the_length_is_on_record() -> None:
    desk = Archive()
    hearing(desk)
    desk.now_s += 5.0
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1))
    assert [x.path for x in desk.told(c.CloseRecording)] == ["/rec/.heard/12"]
    assert desk.acts()[-1][:2] == ("recording_heard", "PJSIP/1003, recording of call 12, 5 s")
    assert not desk.center.snapshot().sessions


def test_no_more_than_so_many_at_once() -> None:
    desk = Archive()
    for _ in range(20):
        Hearer(desk, 3, "66101")
    pad = Hearer(desk, 3, "66101")
    assert pad.heard == "cc-watch-not-now" and len(desk.ever(c.OpenRecording)) == 20


def test_ends_that_nobody_waits_for_do_nothing() -> None:
    desk = Archive()
    hearing(desk)
    desk.tell(ev.RecordingOpened(command=CommandId(1, 1), end=ev.OpenEnd.FAILED), ev.AuditStored(command=CommandId(1, 2)))
    assert not desk.last
