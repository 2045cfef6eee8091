"""The whole daemon, put together: the only place that knows every part.

Start: restore the journal -> link to the PBX -> read it -> open FastAGI -> ready. Callers wait in the dialplan's loop until
then. A clean stop writes a snapshot, so that an upgraded daemon has nothing to replay.
"""

import importlib.metadata
import os
from collections import Counter as Tally
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import LoopingCall

from ccserver.agi.numbers import Dialled, Numbering, dialled
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.server import AgiServer
from ccserver.ami.link import AmiLink
from ccserver.config import Configuration, ConfigurationRejected, load
from ccserver.config.difference import difference
from ccserver.control.protocol import Why
from ccserver.control.server import ControlServer, NotDone
from ccserver.core.center import CallCenter, StepFailed
from ccserver.core.claimed import claimed_leads, known_attempts
from ccserver.core.commands import Command, KeepPrompt, MeasureMessage, SpeakInTalk
from ccserver.core.events import (
    AuditStored,
    CenterStarted,
    Event,
    LinkLost,
    LinkUp,
    MessageMeasured,
    PbxObserved,
    PromptKept,
    SettingsLoaded,
)
from ccserver.core.ids import AgentId, CommandId, InteractionId, Language, LegId, PhoneId, RoomId
from ccserver.core.moment import Moment
from ccserver.core.records import AuditRecord, ConferenceRecord, InteractionRecord, ObjectionRecord, Record
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState
from ccserver.daemon import housekeeping, logs, narrator, snapshots
from ccserver.daemon.archivist import Archivist
from ccserver.daemon.blame import interaction_of
from ccserver.daemon.campaign_api import CampaignApi
from ccserver.daemon.clock import CenterClock
from ccserver.daemon.driver import Driver
from ccserver.daemon.housekeeping import Housekeeping
from ccserver.daemon.journal import Journal
from ccserver.daemon.lead_desk import LeadDesk
from ccserver.daemon.lead_push import LeadPush
from ccserver.daemon.lock import StateDirectory
from ccserver.daemon.message_files import Measured, measure_message
from ccserver.daemon.notices import Notices
from ccserver.daemon.notify import ServiceManager
from ccserver.daemon.observer import Observer
from ccserver.daemon.performer import Performer
from ccserver.daemon.reactor import Loop
from ccserver.daemon.reload import ReloadOutcome
from ccserver.daemon.requests import Requests
from ccserver.daemon.restore import revive
from ccserver.daemon.room_pins import RoomPins
from ccserver.daemon.secret_checks import SecretChecks
from ccserver.daemon.tapes import Tapes
from ccserver.daemon.trace import Trace
from ccserver.lookups.edge import LookUps
from ccserver.scripts.runner import ScriptRunner
from ccserver.speech import library
from ccserver.speech.speaker import Speaker
from ccserver.store.database import Store
from ccserver.store.lead_orders import KnownCalls, LeadOrders
from ccserver.store.persons import Opener, Sealer, require_keys
from ccserver.store.registers import FOLDER
from ccserver.store.vault import BadSeal, Vault
from ccserver.store.writer import Told, Writer
from ccserver.web.metrics import CenterMetrics, QueueReading, Reading
from ccserver.web.server import site

READY_WITHOUT_PBX_S = 15.0
"""A start without Asterisk is not a failed start: the daemon then waits for it, and says so."""
LOST_JOURNAL_MARGIN = 100
"""Numbers that calls may have been told before the journal was lost, and that never came into history."""
FLUSH_S = 10.0
REPLAYED_WITHIN_S = 5.0
"""So long the first orders of leads wait for history to catch up with the last run; then they fail, and are given again."""
WRITTEN_WITHIN_S = 8.0
"""Less than a client of the control socket waits for an answer."""
CONTROL_MODE = 0o660
T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


class Service:
    """One running daemon on `configuration`, which was read from `path`. `trace`: a directory for its trace, see `trace.Trace`."""

    def __init__(
        self, *, path: Path, configuration: Configuration, loop: Loop, manager: ServiceManager, trace: Path | None = None
    ) -> None:
        self._path = path
        self._configuration = configuration
        self._loop = loop
        self._manager = manager
        self._clock = CenterClock()
        self._stop_listening: list[Callable[[], Deferred[None]]] = []
        self._loops: list[LoopingCall] = []
        self._is_agi_open = False
        self._is_ready = False
        self._is_stopping = False
        self._reloaded: ReloadOutcome | None = None
        self._started_utc_s = self._clock.utc()

        edges = configuration.edges
        self._directory = StateDirectory(edges.state_dir)
        self._store = Store(edges.database.url)
        self._store.require_schema()
        vault = Vault.of(edges.privacy)
        with self._store.engine.connect() as connection:
            require_keys(connection, vault)
        self._lead_push = LeadPush(self._store, loop, lambda: self._configuration.settings.country, self.post)
        self._notices = Notices(self._store, loop, edges.api, edges.webhooks, Opener(vault))
        self._writer = Writer(
            self._store.engine,
            on_error=self._history_failed,
            on_refused=_record_refused,
            on_notices=self._notices.told,
            on_committed=lambda command: loop.from_thread(lambda: self.post(AuditStored(command=command))),
            sealer=None if vault is None else Sealer(vault, _person_damaged),
        )
        self._writer.start()
        self._lead_desk = LeadDesk(
            LeadOrders(
                engine=self._store.engine,
                folder=edges.state_dir / FOLDER,
                vault=vault,
                languages=self._languages,
                utc_s=self._clock.utc,
            ),
            told=lambda event: loop.from_thread(lambda: self.post(event)),
            written=lambda: self._writer.flush(REPLAYED_WITHIN_S),
        )
        self._archivist = self._make_archivist()
        self._tapes = Tapes(self._store, edges.recording, lambda event: loop.from_thread(lambda: self.post(event)))
        self._tapes.tidy()
        self._room_pins = RoomPins(edges.state_dir)
        self._journal = Journal(edges.state_dir / "journal", on_error=self._sync_failed)
        self._center = self._restore(configuration.settings)
        self._trace = None if trace is None else Trace(trace, self._journal.run)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._metrics = CenterMetrics(self._registry, self._read)
        self._requests = Requests(self, self._journal.incarnation)
        self._campaign_api = CampaignApi(self._requests, self._store, self)
        self._ami = self._make_ami()
        self._scripts = ScriptRunner(
            directory=lambda: self._configuration.edges.scripts_dir, clock=loop, from_thread=loop.from_thread
        )
        self._speaker = Speaker(edges=lambda: self._configuration.edges, on_thread=loop.on_thread, clock=loop)
        self._look_ups = LookUps(
            loop=loop,
            monotonic_s=self._clock.monotonic,
            post=self.post,
            run_function=self._scripts.run_function,
            registry=self._registry,
        )
        self._look_ups.configure(edges.look_ups, edges.databases)
        self._secret_checks = SecretChecks(self._look_ups, loop.on_thread)
        self._agi = self._make_agi()
        self._observer = Observer(self._ami.observe, loop)
        performer = Performer(
            sessions=cast(Any, self._agi),  # each takes its own kinds of commands only, and gets only those
            legs=cast(Any, self._ami),
            look_up=self._look_ups.perform,
            keep_prompt=self._keep_prompt,
            recordings=self._tapes.perform,
            measure_message=self._measure_message,
            leads=self._lead_desk.perform,
            find_sound=lambda language, prompt: self._prompt_paths().find(language, prompt),
            keep=self._keep,
            keep_audit=self._keep_audit,
            speak=self._speak_in_talk,
            reply=self._requests.replied,
            post=self.post,
            count_fault=self._metrics.edge_faulted,
        )
        self._driver = Driver(
            center=self._center,
            journal=self._journal,
            perform=performer.perform,
            fault_of=self._fault_of,
            clock=self._clock,
            reactor=loop,
            watch=self,
            trace=self._trace,
        )
        self._snapshots = snapshots.Snapshots(
            journal=self._journal,
            take=self._center.snapshot,
            projected_seq=lambda: self._writer.projected_seq(self._center.seq),
            on_thread=self._loop.on_thread,
            seconds=self._clock.monotonic,
        )
        self._housekeeping = Housekeeping(
            self._store,
            seconds=self._clock.monotonic,
            journal=self._journal,
            trace=None if self._trace is None else self._trace.path,
            privacy=edges.privacy,
            evidence_days=lambda: housekeeping.evidence_days_of(self._configuration.settings.dialing),
            attempts_days=lambda: housekeeping.attempts_days_of(self._configuration.settings.dialing),
        )

    # --- putting together ---------------------------------------------------------------------------------------------
    def _restore(self, settings: Settings) -> CallCenter:
        restored = self._journal.restore()
        revived = revive(restored, settings, self._keep_again)
        if revived.last is not None:
            self._clock = self._clock.after(revived.last)
        incarnation = self._journal.begin(revived.center.seq, incarnation_at_least=self._store.highest_incarnation() + 1)
        log.info(
            "center.restored",
            incarnation=incarnation,
            from_snapshot=restored.state is not None,
            inputs_replayed=revived.replayed,
            inputs_dropped=restored.dropped_inputs,
        )
        self._first_interaction = self._store.first_free_interaction()
        if revived.last is None and self._first_interaction > 1:
            self._first_interaction = InteractionId(self._first_interaction + LOST_JOURNAL_MARGIN)
        return revived.center

    def _make_archivist(self) -> Archivist | None:
        recording = self._configuration.edges.recording
        if recording is None:
            return None
        return Archivist(self._store, recording)

    def _make_ami(self) -> AmiLink:
        edge = self._configuration.edges.asterisk
        return AmiLink(
            host=edge.host,
            port=edge.ami_port,
            user=edge.ami_user,
            secret=edge.ami_secret,
            pbx=edge.pbx,
            incarnation=self._journal.incarnation,
            sink=self.post,
            digit_sink=self._digit,
            listens_to=self._center.listens_to,
            clock=self._loop,
            mono_s=self._mono_s,
            phones=self._phones,
        )

    def _make_agi(self) -> AgiServer:
        edge = self._configuration.edges.asterisk
        return AgiServer(
            clock=self._loop.reactor,
            sink=self.post,
            pbx=edge.pbx,
            incarnation=self._journal.incarnation,
            secret=edge.agi_secret,
            prompts=self._prompt_paths(),
            speaker=self._speaker,
            numbering=self._numbering,
            phones=self._phones,
            pin_hash=self._pin_hash,
            room_pins=self._pins_of_room,
            defer_to_thread=self._loop.on_thread,
            discard=self._discard,
            check_secret=self._secret_checks.check,
            scripts=self._scripts,
            overflow_context=edge.overflow_context,
        )

    def _prompt_paths(self) -> PromptPaths:
        edge = self._configuration.edges.asterisk
        return PromptPaths(
            asterisk_dir=edge.prompts_dir,
            local_dir=edge.prompts_local_dir,
            default_language=self._configuration.settings.default_language,
        )

    def _discard(self, path: str) -> None:
        """Of a message in which nothing was said."""
        file = self._local_recording(path)
        if file is None:
            log.warning("message.kept", path=path, reason="not below the folder of the recordings")
            return
        self._loop.on_thread(lambda: file.unlink(missing_ok=True)).addErrback(
            lambda failure: log.error("message.kept", path=str(file), reason=failure.getErrorMessage())
        )

    def _measure_message(self, command: CommandId, what: MeasureMessage) -> None:
        """On a thread; told by MessageMeasured, whatever happens."""
        file = self._local_recording(what.path)

        def measured(found: Measured) -> None:
            log.info("message.measured", path=what.path, duration_s=round(found.duration_s, 3))
            self.post(MessageMeasured(command=command, duration_s=found.duration_s, ended_utc_s=found.ended_utc_s))

        def unreadable(reason: str) -> None:
            log.error("message.unreadable", path=what.path, reason=reason, mend="look whether the file can be played")
            self.post(MessageMeasured(command=command, duration_s=None))

        if file is None:
            unreadable("not below the folder of the recordings")
            return
        reading = self._loop.on_thread(lambda: measure_message(file))
        reading.addCallbacks(measured, lambda failure: unreadable(failure.getErrorMessage()))

    def _local_recording(self, path: str) -> Path | None:
        """A recording as we see it, from its path as Asterisk sees it; None for one that is not below the folder."""
        recording = self._configuration.edges.recording
        if recording is None or ".." in Path(path).parts or not Path(path).is_relative_to(recording.asterisk_dir):
            return None
        return recording.local_dir / Path(path).relative_to(recording.asterisk_dir)

    def _keep_prompt(self, command: CommandId, what: KeepPrompt) -> None:
        """On a thread; told by PromptKept, whatever happens."""
        edges, recorded = self._configuration.edges, self._local_recording(what.path)

        def keep() -> None:
            if recorded is None:
                raise library.NoRecording(f"{what.path}: not below the folder of the recordings")
            library.keep(edges, what.prompt, what.language, recorded)
            recorded.unlink(missing_ok=True)

        def kept(_: None) -> None:
            log.info("prompt.kept", prompt=what.prompt, language=what.language)
            self.post(PromptKept(command=command, is_ok=True))

        def refused(failure: Any) -> None:
            log.error("prompt.not_kept", prompt=what.prompt, language=what.language, reason=failure.getErrorMessage())
            self.post(PromptKept(command=command, is_ok=False))

        self._loop.on_thread(keep).addCallbacks(kept, refused)

    def _numbering(self) -> Numbering:
        dialplan = self._configuration.edges.dialplan
        return Numbering(
            country=self._configuration.settings.country,
            internal_patterns=dialplan.internal_patterns,
            outside_prefix=dialplan.outside_prefix,
        )

    def _mono_s(self) -> float:
        return self._clock.now().mono_s

    def _digit(self, leg: LegId, digit: str) -> bool:
        return self._agi.digit(leg, digit)

    def _languages(self) -> Collection[Language]:
        return self._center.settings.language_skills.keys()

    def _phones(self) -> Collection[PhoneId]:
        return self._center.settings.phones.keys()

    def _pin_hash(self, agent: AgentId) -> str | None:
        return self._configuration.edges.pin_hashes.get(agent)

    def _pins_of_room(self, room: RoomId) -> Mapping[str, str]:
        """Those of the settings win: a room of that name was there before."""
        return self._configuration.edges.room_pins.get(room) or self._room_pins.of(room) or {}

    def keep_room_pins(self, room: RoomId, pins: Mapping[str, str]) -> None:
        self._room_pins.keep(room, pins, self._center.look().rooms)

    def dialled(self, given: str) -> Dialled:
        """What a number means here that an operator gave."""
        return dialled(given, self._numbering())

    # --- life ---------------------------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Returns when everything is under way; ready comes when the PBX has been read. Raises for a port or socket that is
        taken."""
        edges = self._configuration.edges
        self._lead_desk.start(_known_calls(self._center.look()))  # of the center as it was, and first of all
        self._driver.post(CenterStarted(incarnation=self._journal.incarnation, first_interaction=self._first_interaction))
        self._driver.post(SettingsLoaded(settings=self._configuration.settings))
        self._driver.settle()
        self._scripts.prepare()
        await self._listen_control(edges.control_socket)
        web = site(self._registry, self.trouble)
        self._stop_listening.append(await self._loop.listen_tcp(edges.metrics.address, edges.metrics.port, web))
        self._stop_listening.extend(await self._notices.start(self._requests.ask, self._lead_push.push, self._campaign_api.ask))
        if self._archivist is not None:
            self._archivist.start()
        self._ami.start()
        self._repeat(snapshots.LOOK_EVERY_S, lambda: self._snapshots.look(self._center.seq))
        self._repeat(housekeeping.LOOK_EVERY_S, lambda: self._loop.on_thread(self._housekeeping.look))
        self._repeat(housekeeping.LOOK_EVERY_S, self._lead_desk.tidy)
        if self._manager.watchdog_s is not None:
            self._repeat(self._manager.watchdog_s / 3, lambda: self._manager.tell(WATCHDOG="1"))
        self._loop.callLater(READY_WITHOUT_PBX_S, self._ready_without_pbx)

    async def stop(self) -> None:
        """A clean stop: calls go on in Asterisk, and the next daemon goes on with them."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._manager.tell(STOPPING="1")
        log.info("daemon.stopping")
        self._observer.link_lost()
        self._driver.stop()
        self._look_ups.close()
        self._notices.end_streams()
        if self._trace is not None:
            self._trace.close()
        for loop in self._loops:
            if loop.running:
                loop.stop()
        await self._agi.stop()
        await self._scripts.stop()
        await self._ami.stop()
        for stop_listening in self._stop_listening:
            await stop_listening()
        state = self._center.look()
        await self._loop.on_thread(lambda: self._put_away(state))
        self._directory.release()
        log.info("daemon.stopped")

    def _put_away(self, state: CenterState) -> None:
        """On a thread: everything that waits for a disk."""
        if self._archivist is not None:
            self._archivist.close(FLUSH_S)
        self._tapes.close()
        self._notices.close()
        if not self._lead_desk.close(FLUSH_S):
            log.warning("leads.not_given_back", mend="their claims lapse by themselves")
        is_flushed = self._writer.flush(FLUSH_S)
        if not is_flushed:
            log.warning("history.behind", backlog=self._writer.backlog, mend="it is written from the journal at the next start")
        snapshots.write(self._journal, state, self._writer.projected_seq(state.seq))
        self._journal.close()
        self._writer.close(1.0)
        self._store.close()

    def _repeat(self, every_s: float, what: Callable[[], object]) -> None:
        loop = LoopingCall(what)
        loop.clock = self._loop.reactor
        self._loops.append(loop)
        loop.start(every_s, now=True).addErrback(lambda failure: log.error("loop.faulted", reason=failure.getErrorMessage()))

    async def _listen_control(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock on state_dir says that no other daemon of this center lives, so a socket here is a dead one's.
        path.unlink(missing_ok=True)
        server = ControlServer(
            clock=self._loop,
            handlers=self._requests.handlers(),
            follows=self._requests.follows(),
            report=lambda do, error: log.error("request.faulted", request=do, exc_info=error),
        )
        self._stop_listening.append(await self._loop.listen_unix(path, CONTROL_MODE, server))

    async def _open_agi(self) -> None:
        edge = self._configuration.edges.asterisk
        endpoint: Any = TCP4ServerEndpoint
        await self._agi.listen(endpoint(self._loop.reactor, edge.agi_port, interface=edge.agi_host))
        self._ready("serving")

    def _ready(self, status: str) -> None:
        if not self._is_stopping:
            self._manager.tell(READY="1", STATUS=status)
            log.info("daemon.ready" if not self._is_ready else "daemon.serving", status=status)
            self._is_ready = True

    def _ready_without_pbx(self) -> None:
        if not self._is_ready and not self._is_stopping:
            edge = self._configuration.edges.asterisk
            self._ready(f"waiting for Asterisk at {edge.host}:{edge.ami_port}")

    # --- what the edges and the driver call ---------------------------------------------------------------------------
    def post(self, event: Event) -> None:
        """The inbox of the core."""
        if isinstance(event, LinkUp):
            self._agi.ami_listens(True)
            self._driver.post(event)
            self._observer.link_up()
            return
        if isinstance(event, LinkLost):
            self._agi.ami_listens(False)
            self._observer.link_lost()
        self._driver.post(event)

    def step_done(self, event: Event, commands: list[Command], duration_s: float) -> None:
        self._metrics.step_took(duration_s)
        narrator.tell_event(event, lambda: interaction_of(event, self._center.look()))
        for command in commands:
            narrator.tell_command(command)
        if isinstance(event, PbxObserved) and not self._is_agi_open and not self._is_stopping:
            self._is_agi_open = True
            ensureDeferred(self._open_agi()).addErrback(
                lambda failure: self._give_up(f"FastAGI cannot listen: {failure.getErrorMessage()}")
            )

    def step_faulted(self, event: Event) -> None:
        """Counted by the FaultRecord that follows."""

    def journal_failed(self) -> None:
        self._metrics.journal_failed()

    def _give_up(self, reason: str) -> None:
        log.error("daemon.failed", reason=reason, mend="run `ccserver doctor`")
        self._loop.end()

    def _fault_of(self, error: BaseException, event: Event) -> InteractionId | None:
        if isinstance(error, StepFailed) and error.interaction is not None:
            return error.interaction
        return interaction_of(event, self._center.look())

    def _keep_again(self, run: str, command_id: CommandId, record: Record) -> None:
        """At the start, of inputs that an earlier run journalled; told and counted then, written once."""
        self._writer.append(run, command_id, record)
        self._archive(record)

    def _archive(self, record: Record) -> None:
        if self._archivist is None:
            return
        if isinstance(record, InteractionRecord | ObjectionRecord):
            self._archivist.submit(record.interaction)
        elif isinstance(record, ConferenceRecord):
            self._archivist.submit(record.conference)

    def _keep(self, command_id: CommandId, record: Record) -> None:
        self._writer.append(self._journal.run, command_id, record)
        self._metrics.count(record)
        narrator.tell_record(record)
        self._archive(record)

    def _keep_audit(self, command_id: CommandId, record: AuditRecord) -> None:
        """Told by AuditStored when it is committed; of a run that is over nobody waits for it."""
        self._writer.append(self._journal.run, command_id, record, is_awaited=True)
        self._metrics.count(record)
        narrator.tell_record(record)

    def _speak_in_talk(self, command_id: CommandId, command: SpeakInTalk) -> None:
        """With the sound file of the prompt; what is not there cannot be said, and is no reason to end a session."""
        sound = self._prompt_paths().find(command.language, command.prompt)
        if sound is None:
            log.error("prompt.missing", prompt=command.prompt, language=command.language)
        else:
            self._ami.perform(command_id, replace(command, sound=sound))

    def _history_failed(self, error: Exception | None) -> None:
        """On the writer's thread."""
        if error is None:
            log.info("history.recovered")
        else:
            log.error("history.failed", reason=str(error), mend="calls go on; mend the database, it catches up by itself")

    def _sync_failed(self, error: OSError) -> None:
        """On the syncing thread."""
        log.error("journal.sync_failed", reason=str(error), mend="look at the disk of state_dir")

    # --- what requests ask for ----------------------------------------------------------------------------------------
    @property
    def settings(self) -> Settings:
        return self._center.settings

    @property
    def prompts(self) -> Collection[str]:
        """All that can be said."""
        return self._configuration.edges.prompts

    def snapshot(self) -> CenterState:
        return self._center.look()

    def now(self) -> Moment:
        return self._clock.now()

    def on_thread(self, work: Callable[[], T]) -> "Deferred[T]":
        """What takes long and touches nothing that changes."""
        return self._loop.on_thread(work)

    def trouble(self) -> str | None:
        """Why calls cannot be taken now; None when they can."""
        edge = self._configuration.edges.asterisk
        if not self._ami.is_up:
            return f"no link to Asterisk at {edge.host}:{edge.ami_port}" + (
                f": {self._ami.refusal}" if self._ami.refusal else ""
            )
        if not self._is_agi_open:
            return "Asterisk has not been read yet"
        return None

    def facts(self) -> dict[str, object]:
        """For `ccserver status`: the daemon itself, beside what `overview` says of the center."""
        edges = self._configuration.edges
        reloaded = self._reloaded
        return {
            "version": importlib.metadata.version("ccserver"),
            "pid": os.getpid(),
            "config": str(self._path),
            "incarnation": self._journal.incarnation,
            "run_s": round(self._clock.utc() - self._started_utc_s, 1),
            "started_utc_s": self._started_utc_s,
            "seq": self._center.seq,
            "settings": self._center.settings.content_hash,
            "trouble": self.trouble(),
            "pbx": {"name": edges.asterisk.pbx, "is_linked": self._ami.is_up, "refusal": self._ami.refusal},
            "agi_sessions": len(self._agi.open_sessions()),
            "inbox": self._driver.inbox_depth,
            "journal": {"bytes": self._journal.size_bytes, "unsynced_inputs": self._journal.unsynced_inputs},
            "database": {
                "backlog": self._writer.backlog,
                "error": None if self._writer.last_error is None else str(self._writer.last_error),
            },
            "metrics": f"http://{edges.metrics.address}:{edges.metrics.port}/metrics",
            "reload": None
            if reloaded is None
            else {"at_utc_s": reloaded.at_utc_s, "is_ok": reloaded.is_ok, "text": reloaded.text},
            "overview": self._requests.overview(),
        }

    def written(self) -> Deferred[object]:
        """Answers when history has all that was told so far. Fails with NotDone when the database does not take it in time."""

        def wait() -> object:
            if not self._writer.flush(WRITTEN_WITHIN_S):
                behind = f"{self._writer.backlog} records, {self._writer.last_error or 'no error'}"
                raise NotDone(Why.REFUSED, f"history is behind ({behind}): mend the database, ask again")
            return {"text": "history has all of it"}

        return self._loop.on_thread(wait)

    def reload(self) -> Deferred[object]:
        """Read the file again: all of it or nothing. Fails with NotDone, whose text lists what is wrong."""
        log.info("reload.started", path=str(self._path))
        done: Deferred[object] = self._loop.on_thread(lambda: load(self._path)).addCallbacks(self._apply, self._refuse_reload)
        return done

    def _apply(self, new: Configuration) -> object:
        change = difference(self._configuration, new)
        if change.refused:
            return self._reload_refused("\n".join(change.refused))
        self._configuration = new
        if new.settings != self._center.settings:  # with the same hash, the public holidays of another year
            self.post(SettingsLoaded(settings=new.settings))
        self._look_ups.configure(new.edges.look_ups, new.edges.databases)
        logs.set_level(new.edges.log_level)
        text = "\n".join(change.changes) or "nothing changes"
        self._reloaded = ReloadOutcome(at_utc_s=self._clock.utc(), is_ok=True, text=text)
        log.info("reload.done", changes=change.changes)
        return {"text": text, "changes": list(change.changes)}

    def _refuse_reload(self, failure: Any) -> object:
        failure.trap(ConfigurationRejected)
        return self._reload_refused(str(failure.value))

    def _reload_refused(self, text: str) -> object:
        self._reloaded = ReloadOutcome(at_utc_s=self._clock.utc(), is_ok=False, text=text)
        log.error("reload.refused", reason=text)
        raise NotDone(Why.REFUSED, text)

    # --- metrics ------------------------------------------------------------------------------------------------------
    def _read(self) -> Reading:
        shown = self._requests.read()
        counts = self._ami.counts
        difference = sum(queue.offered - sum(queue.outcomes.values()) - len(queue.waiting) for queue in shown.queues)
        return Reading(
            queues=tuple(
                QueueReading(queue=queue.id, waiting=len(queue.waiting), longest_wait_s=queue.longest_wait_s)
                for queue in shown.queues
            ),
            agents=Tally(agent.state for agent in shown.agents),
            campaigns=shown.campaigns,
            trunks=shown.trunks,
            gauges={
                "ccserver_ami_link_up": ("1 while the manager link is up.", float(self._ami.is_up)),
                "ccserver_ami_outstanding_actions": ("Actions that wait for Asterisk's answer.", self._ami.outstanding),
                "ccserver_agi_sessions": ("FastAGI sessions that are open.", len(self._agi.open_sessions())),
                "ccserver_interactions_live": ("Interactions that are not over.", len(shown.calls)),
                "ccserver_inbox_depth": ("Events that wait to be handled.", self._driver.inbox_depth),
                "ccserver_lead_orders_waiting": ("Orders of leads and attempts that wait.", self._lead_desk.backlog),
                "ccserver_history_backlog_records": ("Records not in the database yet.", self._writer.backlog),
                "ccserver_recordings_backlog": (
                    "Interactions that are over and whose recordings are not all in the archive yet.",
                    0 if self._archivist is None else self._archivist.backlog,
                ),
                "ccserver_journal_unsynced_inputs": ("Inputs not synced to the disk yet.", self._journal.unsynced_inputs),
                "ccserver_supervision_sessions": ("Sessions of supervisors now.", len(shown.watches)),
                "ccserver_queue_totals_difference": (
                    "Visits offered, less those that ended, less those that wait: always 0.",
                    difference,
                ),
                "ccserver_audit_rows": (
                    "Rows of the audit log when its head was told last.",
                    self._housekeeping.audit_head.position,
                ),
                **self._notices.gauges(),
                **self._scripts.gauges(),
            },
            counters={
                "ccserver_ami_links_lost": ("Manager links that were lost.", counts.lost),
                "ccserver_ami_events_garbled": ("Manager events that made no sense.", counts.events_garbled),
                "ccserver_ami_actions": ("Actions that were sent.", counts.actions_sent),
                "ccserver_ami_actions_unanswered": ("Actions without an answer in time.", counts.actions_unanswered),
                "ccserver_observations": ("Readings of the whole PBX.", counts.observations),
                "ccserver_observations_failed": ("Readings of the PBX that failed.", counts.observations_failed),
                "ccserver_agi_sessions_opened": ("FastAGI sessions that were opened.", self._agi.counters.opened),
                "ccserver_history_batches_failed": ("Batches the database did not take at first.", self._writer.failed_batches),
                "ccserver_history_rows_refused": ("Records that no database would take.", self._writer.refused_rows),
                "ccserver_speech_made": ("Values that were spoken for callers and kept.", self._speaker.counters.made),
                "ccserver_speech_failed": ("Values that the speech engine did not speak.", self._speaker.counters.failed),
                "ccserver_speech_late": (
                    "Callers who went on without a value, which was not ready.",
                    self._speaker.counters.late,
                ),
                "ccserver_lead_orders_failed": ("Orders of leads and attempts that failed.", self._lead_desk.failures),
                "ccserver_snapshots_failed": ("Snapshots that could not be written.", self._snapshots.failed),
                "ccserver_housekeeping_failed": ("Attempts at the daily work that failed.", self._housekeeping.failures),
                **({} if self._archivist is None else self._archivist.counters()),
                **self._notices.counters(),
                **self._scripts.counters_read(),
            },
        )


def _known_calls(state: CenterState) -> KnownCalls:
    """What a restored center knows of attempts and claims."""
    return KnownCalls(attempts=known_attempts(state), leads=claimed_leads(state))


def _record_refused(told: Told, error: Exception) -> None:
    """On the writer's thread: a fault of ours; the other records go on."""
    log.error("record.refused", kind=type(told.record).__name__, seq=told.command.seq, reason=str(error))


def _person_damaged(error: BadSeal) -> None:
    """On the writer's thread."""
    log.error(
        "person.damaged", reason=str(error), mend="look at the disk; only a backup of the database can open what was sealed"
    )
