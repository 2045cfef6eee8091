"""A supervisor's session and its leg, as all that is done with them sees them: found, moved, told something, ended, on record."""

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import (
    Move,
    Place,
    RedirectLegs,
    Reply,
)
from ccserver.core.ids import AgentId, InteractionId, LegId, PromptId, RequestId
from ccserver.core.ledger import Ledger
from ccserver.core.records import AuditRecord, RecordingRecord, RecordingSide, WatchRecord
from ccserver.core.settings import WatchMode
from ccserver.core.state import (
    DeadlineKind,
    Interaction,
    Leg,
    Talk,
    Watch,
    WatchStage,
)
from ccserver.core.step import Step
from ccserver.core.transitions import LegState, Phase
from ccserver.core.watch_refusals import Refusal

COMING_S = 10.0
TOLD_S = 30.0


class Watching:
    """What supervision and its take-overs share."""

    def __init__(self, step: Step, ledger: Ledger) -> None:
        self.step = step
        self.ledger = ledger

    def of(self, leg: LegId) -> Watch | None:
        return next((watch for watch in self.step.watches.values() if watch.leg == leg), None)

    def put(self, watch: Watch) -> Watch:
        self.step.watches.put(watch.id, watch)
        return watch

    def drop(self, watch: Watch) -> None:
        for kind in (DeadlineKind.AUDIT, DeadlineKind.WATCH):
            self.step.deadlines.clear(kind, watch.id)
        self.step.watches.drop(watch.id)

    def come(self, watch: Watch, within_s: float = COMING_S) -> None:
        self.step.deadlines.set(DeadlineKind.WATCH, watch.id, self.step.now.mono_s + within_s)
        self.put(replace(watch, stage=WatchStage.COMING))

    def end(self, watch: Watch) -> None:
        """The end of the leg ends it; without one it is over now."""
        if watch.leg is None or watch.leg not in self.step.legs:
            self.drop(watch)
            return
        self.put(replace(watch, stage=WatchStage.OVER))
        self.step.hang_up(watch.leg)

    def send(self, leg: Leg, place: Place) -> None:
        self.step.legs.put(leg.id, replace(leg, is_parked=False))
        self.step.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=place),)))

    def close(self, watch: Watch) -> Watch:
        """What is heard is over: on record, with what the supervisor said."""
        hears, now = watch.hears, self.step.now
        if hears is None:
            return self.put(watch)
        lasted_s = now.mono_s - hears.since.mono_s
        interaction = self.step.interactions.get(hears.interaction)
        if hears.recording and interaction is not None and watch.agent is not None and watch.leg is not None:
            queue = interaction.queue
            is_provisional = False
            if queue is not None:
                config = self.step.queue_settings(queue, interaction)
                holds = recording.policy(self.step.settings, interaction, config, watch.agent)
                is_provisional = recording.is_provisional(holds)
            self.step.store(
                RecordingRecord(
                    interaction=interaction.id,
                    number=interaction.recordings,
                    agent=watch.supervisor or watch.agent,
                    leg=watch.leg,
                    path=hears.recording,
                    started_utc_s=hears.since.utc_s,
                    duration_s=lasted_s,
                    side=RecordingSide.AGENTS,
                    queue=queue,
                    is_provisional=is_provisional,
                )
            )
            self.ledger.put(replace(interaction, recordings=interaction.recordings + 1))
        watch = replace(watch, hears=None)
        return self.record(watch, hears.interaction, hears.mode, hears.since.utc_s, lasted_s)

    def record(
        self, watch: Watch, interaction: InteractionId, mode: WatchMode, started_utc_s: float, duration_s: float
    ) -> Watch:
        assert watch.agent is not None
        self.step.store(
            WatchRecord(
                watch=watch.id,
                number=watch.stretches,
                by=watch.by,
                supervisor=watch.supervisor,
                phone=watch.phone,
                agent=watch.agent,
                interaction=interaction,
                mode=mode,
                started_utc_s=started_utc_s,
                duration_s=duration_s,
            )
        )
        return self.put(replace(watch, stretches=watch.stretches + 1))

    def audit(self, by: str, mode: WatchMode, what: str, *, agent: AgentId | None, is_done: bool) -> None:
        self.step.store(self.entry(by, mode, what, agent=agent, is_done=is_done))

    def entry(
        self,
        by: str,
        act: WatchMode | str,
        what: str,
        *,
        agent: AgentId | None,
        interaction: InteractionId | None = None,
        is_done: bool = True,
    ) -> AuditRecord:
        return AuditRecord(
            by=by,
            act=act.value if isinstance(act, WatchMode) else act,
            what=what,
            is_done=is_done,
            at_utc_s=self.step.now.utc_s,
            interaction=interaction,
            agent=agent,
        )

    def reply(self, request: RequestId, refusal: str) -> None:
        self.step.emit(Reply(request=request, is_ok=False, text=refusal))

    def talk(self, agent_id: AgentId | None) -> tuple[Interaction, Leg] | None:
        """What the agent talks in, with the agent's leg. On hold, in a consultation and in a conference it is the same leg."""
        agent = self.step.agents.get(agent_id)
        for work in agent.work if agent is not None else ():
            leg, interaction = self.step.legs.get(work.leg), self.step.interactions.get(work.interaction)
            is_there = leg is not None and leg.channel != "" and not leg.is_cancelled and not leg.is_parked
            if work.phase is Phase.TALKING and leg is not None and interaction is not None and is_there:
                return interaction, leg
        return None

    def tell(self, watch: Watch, what: Refusal, *, is_last_word: bool = False) -> None:
        """The leg goes to the desk, and back unless it was the last word."""
        watch, leg = self.close(watch), self.step.legs.get(watch.leg)
        if leg is None or leg.is_cancelled or leg.state is not LegState.UP:
            self.end(watch)
            return
        self.send(leg, Place.DESK)
        self.step.deadlines.set(DeadlineKind.WATCH, watch.id, self.step.now.mono_s + TOLD_S)
        stage = WatchStage.OVER if is_last_word else WatchStage.TOLD
        self.put(replace(watch, stage=stage, say=PromptId(what.prompt), is_last_word=is_last_word))


def told(watch: Watch) -> str:
    queue = f", next call of {watch.queue}" if watch.queue is not None else ""
    return f"session {watch.id}, {watch.phone}{queue}"


def part(interaction: Interaction, leg: LegId) -> Talk | None:
    return next((talk for talk in interaction.talks() if talk.leg == leg), None)
