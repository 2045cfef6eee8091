"""What the journal gives back: the same center, and every record once more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet.defer import fail, succeed

from ccserver.config import load
from ccserver.core import codec
from ccserver.core.center import CallCenter
from ccserver.core.commands import (
    CloseRecording,
    Command,
    DialOut,
    Ears,
    HangUpLeg,
    KeepPrompt,
    MeasureMessage,
    OpenRecording,
    Place,
    Say,
    SpeakInTalk,
    Store,
    StoreAttempt,
)
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.terms import LineType, Mode, ZoneSource
from ccserver.core.events import (
    AttemptStored,
    CallArrived,
    CenterStarted,
    CommandFailed,
    Event,
    LegEnded,
    LinkUp,
    LoginRequested,
    MessageMeasured,
    OpenEnd,
    PbxObserved,
    PromptEnded,
    PromptKept,
    RecordingOpened,
    SettingsLoaded,
    StoreEnd,
    VerbEnd,
)
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CommandId,
    InteractionId,
    Language,
    LegId,
    PhoneId,
    PromptId,
    RequestId,
    SessionId,
)
from ccserver.core.moment import Moment
from ccserver.core.records import Record
from ccserver.core.settings import Settings
from ccserver.daemon.blame import interaction_of
from ccserver.daemon.journal import Journal
from ccserver.daemon.performer import Performer
from ccserver.daemon.restore import revive
from ccserver.daemon.snapshots import INPUTS_MAX, Snapshots, write

LEG = LegId("pbx", "1.1")
SHEET = FactSheet(
    number="+34600111222",
    line_type=LineType.UNKNOWN,
    region="",
    zones=(),
    zone_source=ZoneSource.NONE,
    purpose=None,
    mode=Mode.MANUAL,
    campaign=None,
    read_utc_s=0.0,
    is_campaign_open=True,
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("center")
    example = Path(__file__).parents[3] / "ccserver" / "config" / "example.yaml"
    for name in ("ami", "agi"):
        (folder / f"{name}.secret").write_text(f"{name}-secret-1\n")
        (folder / f"{name}.secret").chmod(0o600)
    secrets = f"asterisk:\n  ami_secret_file: {folder}/ami.secret\n  agi_secret_file: {folder}/agi.secret\n"
    (folder / "ccserver.yaml").write_text(f"extends: {example}\n{secrets}")
    return load(folder / "ccserver.yaml").settings


def a_morning(settings: Settings) -> list[Event]:
    """An agent logs in; a call comes and goes."""
    return [
        CenterStarted(incarnation=1, first_interaction=InteractionId(1)),
        SettingsLoaded(settings=settings),
        LinkUp(pbx="pbx", uptime_s=5.0),
        PbxObserved(pbx="pbx", asked_at_s=2.0, channels=(), phones={}),
        LoginRequested(request=RequestId(1), agent=AgentId("101"), phone=PhoneId("PJSIP/1001")),
        CallArrived(
            session=SessionId("1-1"),
            leg=LEG,
            channel="PJSIP/carrier-1",
            did="+34910000001",
            caller_number=None,
            number_as_given="",
            caller_name="",
        ),
        LegEnded(leg=LEG, cause=16),
    ]


class Run:
    """A journalled run of the core in `folder`."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.journal = Journal(folder, fingerprint="test")
        self.center = CallCenter(settings)
        self.journal.begin(0)
        self.records: list[tuple[CommandId, Record]] = []

    def handle(self, event: Event) -> None:
        now = Moment(float(self.center.seq + 1), 1_800_000_000.0 + self.center.seq)
        self.journal.append(self.center.seq + 1, now, event)
        for index, command in enumerate(self.center.handle(event, now)):
            if isinstance(command, Store):
                self.records.append((CommandId(self.center.seq, index), command.record))


@pytest.fixture
def a_run(tmp_path: Path, settings: Settings) -> Iterator[Run]:
    made = Run(tmp_path / "journal", settings)
    yield made
    made.journal.close()


@pytest.mark.parametrize("snapshot_after", [None, 4, 6])
def test_a_killed_daemon_is_restored_to_its_last_input(
    a_run: Run, settings: Settings, tmp_path: Path, snapshot_after: int | None
) -> None:
    for event in a_morning(settings):
        a_run.handle(event)
        if a_run.center.seq == snapshot_after:
            write(a_run.journal, a_run.center.snapshot(), projected_seq=0)
    told: list[tuple[CommandId, Record]] = []
    restored = Journal(tmp_path / "journal", fingerprint="test").restore()
    revived = revive(restored, settings, lambda run, number, record: told.append((number, record)))
    assert revived.center.snapshot() == a_run.center.snapshot()
    assert revived.last == a_run.center.snapshot().moment
    assert a_run.records
    assert told == [(number, record) for number, record in a_run.records if number.seq > (snapshot_after or 0)]


def test_a_step_that_raised_raises_again_and_ends_nothing(a_run: Run, settings: Settings, tmp_path: Path) -> None:
    for event in a_morning(settings):
        a_run.handle(event)
    bad = CenterStarted(incarnation=2, first_interaction=InteractionId(1))
    a_run.journal.append(a_run.center.seq + 1, Moment(50.0, 1_800_000_050.0), bad)
    restored = Journal(tmp_path / "journal", fingerprint="test").restore()

    class Refusing(CallCenter):
        def handle(self, event: Event, now: Moment) -> list[Command]:
            if event == bad:
                raise ValueError("a rule was broken")
            return super().handle(event, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ccserver.daemon.restore.CallCenter", Refusing)
        revived = revive(restored, settings, lambda run, number, record: None)
    assert revived.replayed == len(a_morning(settings)) + 1
    assert revived.center.snapshot().interactions == a_run.center.snapshot().interactions


# --- snapshots --------------------------------------------------------------------------------------------------------
class Shelf:
    """A journal that only keeps what is put on it."""

    def __init__(self) -> None:
        self.needs_snapshot = False
        self.kept: list[int] = []
        self.fails = False

    def snapshot(self, state: bytes, seq: int) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        assert codec.parse(state)
        self.kept.append(seq)

    def prune(self, projected_seq: int) -> None: ...


def test_snapshots_are_taken_when_they_are_due_and_again_after_a_failure(settings: Settings) -> None:
    shelf, center, now_s = Shelf(), CallCenter(settings), [0.0]

    def on_thread(work: object) -> object:
        try:
            work()  # type: ignore[operator]
        except OSError:
            return fail()
        return succeed(None)

    looks = Snapshots(
        journal=shelf,
        take=center.snapshot,
        projected_seq=lambda: 0,
        on_thread=on_thread,  # type: ignore[arg-type]
        seconds=lambda: now_s[0],
    )
    shelf.fails = True
    looks.look(0)
    assert (shelf.kept, looks.failed) == ([], 1)
    shelf.fails = False
    looks.look(0)
    looks.look(0)
    assert shelf.kept == [0]
    shelf.needs_snapshot = True
    looks.look(0)
    assert shelf.kept == [0, 0]
    shelf.needs_snapshot = False
    assert looks.look(5) is None
    now_s[0] = 400.0
    assert looks.look(5) is not None
    assert looks.look(INPUTS_MAX + 5) is not None


# --- blame and performing ---------------------------------------------------------------------------------------------
def test_a_fault_is_blamed_on_the_interaction_the_event_speaks_of(a_run: Run, settings: Settings) -> None:
    for event in a_morning(settings)[:-1]:
        a_run.handle(event)
    state = a_run.center.snapshot()
    assert interaction_of(LegEnded(leg=LEG, cause=16), state) == InteractionId(1)
    assert interaction_of(LegEnded(leg=LegId("pbx", "9.9"), cause=16), state) is None


STORE = StoreAttempt(
    attempt=AttemptId("a1"), number=SHEET.number, sheet=SHEET, asked_by="101", caller_id="", trunk=None, campaign=None
)


class BrokenEdge:
    def perform(self, command_id: CommandId, command: Command) -> None:
        raise KeyError("a fault of ours")


def test_a_faulty_edge_ends_one_command_and_the_core_hears_of_it() -> None:
    posted: list[Event] = []
    faults: list[int] = []
    performer = Performer(
        sessions=BrokenEdge(),
        legs=BrokenEdge(),
        look_up=BrokenEdge().perform,
        keep_prompt=BrokenEdge().perform,
        recordings=BrokenEdge().perform,
        measure_message=BrokenEdge().perform,
        leads=BrokenEdge().perform,
        find_sound=lambda language, prompt: None,
        keep=lambda number, record: None,
        keep_audit=lambda number, record: None,
        speak=BrokenEdge().perform,
        reply=lambda reply: None,
        post=posted.append,
        count_fault=lambda: faults.append(1),
    )
    performer.perform(CommandId(3, 0), HangUpLeg(leg=LEG))
    performer.perform(CommandId(3, 1), Say(session=SessionId("1-1"), say=(), language=Language("en")))
    performer.perform(CommandId(3, 2), KeepPrompt(path="/rec/1.wav", prompt=PromptId("welcome"), language=Language("en")))
    prompt = PromptId("cc-beep")
    performer.perform(CommandId(3, 3), SpeakInTalk(leg=LEG, channel="x", ears=Ears.ALL, prompt=prompt, language=Language("en")))
    performer.perform(CommandId(3, 4), OpenRecording(agent=AgentId("101")))
    performer.perform(CommandId(3, 5), CloseRecording(path="/rec/.heard/1"))
    performer.perform(CommandId(3, 6), MeasureMessage(path="/rec/message-1.wav"))
    performer.perform(CommandId(3, 7), STORE)
    assert posted == [
        CommandFailed(command=CommandId(3, 0), reason="fault: KeyError"),
        PromptEnded(session=SessionId("1-1"), command=CommandId(3, 1), end=VerbEnd.FAILED),
        PromptKept(command=CommandId(3, 2), is_ok=False),
        RecordingOpened(command=CommandId(3, 4), end=OpenEnd.FAILED),
        MessageMeasured(command=CommandId(3, 6), duration_s=None),
        AttemptStored(command=CommandId(3, 7), attempt=STORE.attempt, end=StoreEnd.FAILED, why="fault: KeyError"),
    ]
    assert len(faults) == 8, "nobody waits for the other two"


@pytest.mark.parametrize("sound", ["/prompts/en/who-called", None])
def test_a_callee_is_called_with_the_sound_that_says_who_called_or_not_at_all(sound: str | None) -> None:
    posted: list[Event] = []
    sent: list[Command] = []

    class Legs:
        def perform(self, command_id: CommandId, command: Command) -> None:
            sent.append(command)

    performer = Performer(
        sessions=BrokenEdge(),
        legs=Legs(),
        look_up=BrokenEdge().perform,
        keep_prompt=BrokenEdge().perform,
        recordings=BrokenEdge().perform,
        measure_message=BrokenEdge().perform,
        leads=BrokenEdge().perform,
        find_sound=lambda language, prompt: sound,
        keep=lambda number, record: None,
        keep_audit=lambda number, record: None,
        speak=BrokenEdge().perform,
        reply=lambda reply: None,
        post=posted.append,
        count_fault=lambda: None,
    )
    dial = DialOut(
        leg=LEG,
        interaction=InteractionId(1),
        to=PhoneId("PJSIP/+34911234567@carrier"),
        number=None,
        name="",
        ring_timeout_s=20.0,
        place=Place.CALLEE,
        fallback=PromptId("who-called"),
        language=Language("en"),
    )
    performer.perform(CommandId(4, 0), dial)
    if sound is None:
        assert not sent
        assert posted == [CommandFailed(command=CommandId(4, 0), reason="the prompt who-called is missing")]
    else:
        assert sent == [replace(dial, sound=sound)]
        assert not posted
