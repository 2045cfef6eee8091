"""What is done to a recording while the talk goes on: asked for, paused, gone on with, and given up when the customer objects.

The agent's leg is what is recorded, so each act is for one agent's part; a request from outside, and in a conference any, is for
everybody's. A pause writes
silence, and stands in the record of the stretch as from and to. An objection ends the recording at once, and whoever keeps the files
deletes what there is; nothing of this interaction is recorded from then on, whoever takes the customer.
"""

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import ControlRecording, RecordingStep, Reply
from ccserver.core.events import RecordingAct, RecordingRequested
from ccserver.core.ids import AgentId
from ccserver.core.ledger import Ledger
from ccserver.core.recording_policy import RecordingMode
from ccserver.core.records import AuditRecord, MarkRecord, NoticeKind, ObjectionRecord
from ccserver.core.state import Interaction, Talk
from ccserver.core.step import Step
from ccserver.core.talks import Talks, paused_until
from ccserver.core.transitions import InteractionState


class Recorder:
    def __init__(self, step: Step, ledger: Ledger, talks: Talks) -> None:
        self._step = step
        self._ledger = ledger
        self._talks = talks

    # --- one agent's part ---------------------------------------------------------------------------------------------
    def demand(self, interaction: Interaction, talk: Talk) -> bool:
        """Somebody wants it recorded: from now on, or from the start where that was kept. False: it may not be."""
        step = self._step
        if not self._may_be(interaction, talk):
            return False
        if interaction.room:
            if not self._talks.tracks.demand(interaction):
                return False
        elif interaction.state is not InteractionState.TALKING:
            # The customer is elsewhere: recorded when the two are together again.
            self._put(interaction, replace(talk, is_recorded=True))
        elif not talk.recording:
            self._start(interaction, talk)
        self._step.store(MarkRecord(interaction=interaction.id, agent=talk.agent, what="record", at_utc_s=step.now.utc_s))
        return True

    def takes_over(self, interaction: Interaction, talk: Talk) -> None:
        """A phone has handed the customer to this agent by itself, past the dialplan, which starts all other recordings."""
        config = self._step.queue_settings(talk.queue, interaction)
        holds = recording.policy(self._step.settings, interaction, config, talk.agent)
        if self._step.settings.recording_dir and recording.begins(holds, interaction):
            self._start(interaction, talk)

    def together_again(self, interaction: Interaction, talk: Talk) -> None:
        """Somebody asked for it while the two were on their way to each other: that join records nothing."""
        if talk.is_recorded and not talk.recording and self._may_be(interaction, talk):
            self._start(interaction, talk)

    def _may_be(self, interaction: Interaction, talk: Talk) -> bool:
        config = self._step.queue_settings(talk.queue, interaction)
        holds = recording.policy(self._step.settings, interaction, config, talk.agent)
        return bool(self._step.settings.recording_dir) and talk.leg is not None and holds.mode is not RecordingMode.NEVER

    def _start(self, interaction: Interaction, talk: Talk) -> None:
        assert talk.leg is not None
        now = self._step.now
        directory = self._step.settings.recording_dir
        kept = recording.path(directory, interaction.id, talk.leg, now.utc_s, interaction.recordings)
        talk = replace(talk, recording=kept, recorded_since=now, paused_since=None, pauses=())
        self._put(interaction, talk)
        self.control(talk, RecordingStep.START, kept)

    def pause(self, interaction: Interaction, talk: Talk) -> bool:
        if interaction.room:
            return self._talks.tracks.pause(interaction)
        if not talk.recording or talk.paused_since is not None:
            return False
        self.control(talk, RecordingStep.PAUSE)
        self._put(interaction, replace(talk, paused_since=self._step.now))
        return True

    def resume(self, interaction: Interaction, talk: Talk) -> bool:
        if interaction.room:
            return self._talks.tracks.resume(interaction)
        if not talk.recording or talk.paused_since is None:
            return False
        self.control(talk, RecordingStep.RESUME)
        self._put(interaction, paused_until(talk, self._step.now))
        return True

    def toggle(self, interaction: Interaction, talk: Talk) -> None:
        if not self.pause(interaction, talk):
            self.resume(interaction, talk)

    def control(self, talk: Talk, what: RecordingStep, path: str = "") -> None:
        assert talk.leg is not None
        channel = self._step.legs[talk.leg].channel
        self._step.emit(ControlRecording(leg=talk.leg, channel=channel, what=what, recording=path))

    # --- everybody's --------------------------------------------------------------------------------------------------
    def object(self, interaction: Interaction, agent: AgentId) -> None:
        """The customer does not want to be recorded. Told twice, it says nothing new."""
        if interaction.has_objected:
            return
        interaction = self.over(interaction)
        interaction = self._ledger.put(replace(interaction, has_objected=True))
        self._step.store(ObjectionRecord(interaction=interaction.id, agent=agent, at_utc_s=self._step.now.utc_s))
        self._ledger.notice(interaction, NoticeKind.OBJECTED, agent=agent)

    def over(self, interaction: Interaction) -> Interaction:
        """Nothing more is recorded of it."""
        for talk in interaction.talks():
            if talk.recording and talk.leg is not None:
                self.control(talk, RecordingStep.STOP)
                interaction = self._talks.recording_over(interaction, talk)
                interaction = self._put(
                    interaction, replace(talk, recording="", is_recorded=False, paused_since=None, pauses=())
                )
        return interaction

    def requested(self, event: RecordingRequested) -> None:
        """By a supervisor, or a system at the desk that is about to ask for card data."""
        interaction = self._step.interactions.get(event.interaction)
        is_done = interaction is not None and interaction.talk is not None and self._do(interaction, event.act)
        if is_done:
            text = f"call {event.interaction}: {_TOLD[event.act]}"
        elif interaction is None or interaction.talk is None:
            text = f"call {event.interaction} is no talk that goes on"
        else:
            text = f"call {event.interaction}: {_NOT_DONE[event.act]}"
        self._step.store(
            AuditRecord(
                by=event.by,
                act=f"recording_{event.act.value}",
                what=str(event.interaction),
                is_done=is_done,
                at_utc_s=self._step.now.utc_s,
                interaction=event.interaction,
            )
        )
        self._step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    def _do(self, interaction: Interaction, act: RecordingAct) -> bool:
        self._step.about = interaction.id
        if act is RecordingAct.OBJECT:
            is_new, talk = not interaction.has_objected, interaction.talk
            if is_new and talk is not None:
                self.object(interaction, talk.agent)
            return is_new
        one = {RecordingAct.RECORD: self.demand, RecordingAct.PAUSE: self.pause, RecordingAct.RESUME: self.resume}[act]
        done = [one(self._step.interactions[interaction.id], talk) for talk in interaction.talks()]
        return any(done)

    def _put(self, interaction: Interaction, talk: Talk) -> Interaction:
        """The part of `talk`'s agent, changed."""
        if interaction.talk is not None and interaction.talk.agent == talk.agent:
            return self._ledger.put(replace(interaction, talk=talk))
        others = tuple(talk if each.agent == talk.agent else each for each in interaction.others)
        return self._ledger.put(replace(interaction, others=others))


_TOLD = {
    RecordingAct.RECORD: "it is recorded",
    RecordingAct.PAUSE: "the recording is paused",
    RecordingAct.RESUME: "the recording goes on",
    RecordingAct.OBJECT: "it is not recorded any more, and what was recorded is deleted",
}
_NOT_DONE = {
    RecordingAct.RECORD: "it may not be recorded",
    RecordingAct.PAUSE: "there is no recording that could be paused",
    RecordingAct.RESUME: "there is no recording that is paused",
    RecordingAct.OBJECT: "the customer has objected before",
}
