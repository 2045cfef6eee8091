"""Taking over: a supervisor's leg is joined with the customer, and the agent's part ends when that has happened, not before.

The customer goes to an agent at a phone of ours, who has nothing else to do, out of a plain talk. A join that fails leaves the customer
where they were; a customer who leaves, or a talk that ends, in the same moment ends the supervisor's leg.
"""

from collections.abc import Callable

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.facts import Joined, JoinFailed
from ccserver.core.ids import AgentId, PhoneId
from ccserver.core.joins import Joins
from ccserver.core.recording_policy import RecordingMode
from ccserver.core.settings import PhoneKind, WatchMode, WorkMode
from ccserver.core.state import (
    CALLBACK,
    OUTBOUND,
    VOICE,
    Interaction,
    Leg,
    Watch,
    WatchStage,
)
from ccserver.core.transitions import InteractionState
from ccserver.core.watch_refusals import Refusal
from ccserver.core.watching import Watching

GUARD_S = 5.0
TakenOver = Callable[[Interaction, Leg, AgentId, str], None]


class Takeovers:
    """`taken_over` tells the interaction that its customer is with another agent now."""

    def __init__(self, watching: Watching, joins: Joins, taken_over: TakenOver) -> None:
        self.step = watching.step
        self._watching = watching
        self._joins = joins
        self._taken_over = taken_over

    def refusal(self, supervisor: AgentId | None, phone: PhoneId, agent: AgentId | None) -> Refusal | None:
        """The customer goes to an agent at a phone of ours, who has nothing else to do, out of a plain talk."""
        step = self.step
        taker = step.agents.get(step.agent_at.get(phone))
        config, talk = step.settings.phones.get(phone), self._watching.talk(agent)
        is_here = taker is not None and supervisor in (None, taker.id) and taker.id != agent
        if (
            taker is None
            or config is None
            or not is_here
            or config.kind is PhoneKind.EXTERNAL
            or taker.mode is WorkMode.HEADSET
        ):
            return Refusal.NOT_HERE
        if talk is None:
            return Refusal.NO_CALL
        interaction, leg = talk
        is_plain = interaction.state is InteractionState.TALKING and interaction.kind in (VOICE, CALLBACK, OUTBOUND)
        is_plain = is_plain and not interaction.others and interaction.guest is None and interaction.handover is None
        is_plain = is_plain and interaction.joining is None and not interaction.room
        is_plain = is_plain and interaction.talk is not None and interaction.talk.leg == leg.id
        return Refusal.NOT_NOW if taker.work or not is_plain else None

    def take(self, watch: Watch, leg: Leg, interaction: Interaction) -> None:
        refusal, talk = self.refusal(watch.supervisor, watch.phone, watch.agent), interaction.talk
        if refusal is not None or talk is None:
            before = watch.hears
            watch = replace(watch, mode=WatchMode.LISTEN if before is None else before.mode)
            self._watching.tell(watch, refusal or Refusal.NO_CALL, is_last_word=before is None)
            return
        step, taker = self.step, self.step.agent_at[watch.phone]
        watch = self._watching.close(watch)
        interaction = step.interactions[interaction.id]
        config = step.queue_settings(talk.queue, interaction)
        holds = recording.policy(step.settings, interaction, config, taker)
        path = ""
        if recording.begins(holds, interaction) or (talk.recording and holds.mode is not RecordingMode.NEVER):
            path = recording.path(step.settings.recording_dir, interaction.id, leg.id, step.now.utc_s, interaction.recordings)
        self._watching.put(replace(watch, stage=WatchStage.TAKING, recording=path))
        self._joins.join(interaction, leg.id, recording=path, max_talk_s=config.max_talk_s + GUARD_S)

    def taken(self, fact: Joined) -> None:
        """The supervisor's leg is with the customer: from now on it is an agent's like any other."""
        step, watch = self.step, self._watching.of(fact.leg)
        leg, interaction = step.legs.get(fact.leg), step.interactions.get(fact.interaction)
        taker = step.agent_at.get(watch.phone) if watch is not None else None
        if watch is None or leg is None or interaction is None or taker is None:
            step.hang_up(fact.leg)
            return
        if watch.agent is not None:
            self._watching.record(watch, interaction.id, WatchMode.TAKE_OVER, step.now.utc_s, 0.0)
        self._watching.drop(watch)
        self._taken_over(interaction, leg, taker, watch.recording)

    def failed(self, fact: JoinFailed) -> None:
        """The customer is where they were."""
        watch, leg = self._watching.of(fact.leg), self.step.legs.get(fact.leg)
        if fact.is_leg_over or leg is None:
            return
        interaction = self.step.interactions.get(fact.interaction)
        if watch is None or (interaction is not None and interaction.joining == leg.id):
            # It may still happen: the end of the leg decides.
            self.step.hang_up(leg.id)
            return
        self.step.legs.put(leg.id, replace(leg, interaction=None))
        self._watching.tell(replace(watch, mode=WatchMode.LISTEN), Refusal.NOT_NOW)

    def give_up(self, interaction: Interaction) -> None:
        """The customer is not there any more to be taken over."""
        watch = self._watching.of(interaction.joining) if interaction.joining is not None else None
        if watch is not None and watch.stage is WatchStage.TAKING:
            self._joins.settled(interaction)
            self._watching.end(watch)
