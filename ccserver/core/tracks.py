"""What is recorded in a conference: each leg by itself, so that the customer's side holds the customer and nobody else.

What an agent's leg is sent in a room is the customer and the colleagues at once, which nobody takes apart again. So the customer's leg is
recorded too, for as long as the conference is and an agent whose talk is recorded is in it. Who may not be recorded at all is not, whatever
is recorded of the others. A pause is everybody's: card data are heard on the customer's leg.
"""

from collections.abc import Collection

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import ControlRecording, RecordingStep
from ccserver.core.ids import AgentId, LegId, QueueId
from ccserver.core.ledger import Ledger
from ccserver.core.moment import Moment
from ccserver.core.recording_policy import RecordingMode
from ccserver.core.records import RecordingKind, RecordingRecord, RecordingSide
from ccserver.core.state import Interaction, Talk, Track
from ccserver.core.step import Step


class Tracks:
    """Begins and ends the recordings of a conference's legs."""

    def __init__(self, step: Step, ledger: Ledger) -> None:
        self._step = step
        self._ledger = ledger

    # --- from the beginning -------------------------------------------------------------------------------------------
    def prepare(self, interaction: Interaction) -> Interaction:
        """Before the legs go into the room: note what is going to be recorded of each. The dialplan begins it."""
        if not any(self._is_wanted(interaction, talk) for talk in interaction.talks()):
            return interaction
        return self._all(interaction, is_paused=is_paused(interaction))

    def file_of(self, interaction: Interaction, leg: LegId) -> tuple[str, RecordingSide]:
        """What the room records of a leg: a path without ending, and whose side it is."""
        side = side_of(interaction, leg)
        talk = next((talk for talk in interaction.talks() if talk.leg == leg), None)
        if talk is not None:
            return (talk.recording if talk.is_apart else ""), side
        return next((track.recording for track in interaction.tracks if track.leg == leg), ""), side

    def entered(self, interaction: Interaction, leg: LegId) -> Interaction:
        """A leg is in the room: from here on there is something of it."""
        now = self._step.now
        talks = [
            replace(each, recorded_since=now, paused_since=now if each.paused_since else None)
            if each.leg == leg and each.is_apart and each.recording
            else each
            for each in interaction.talks()
        ]
        tracks = tuple(
            replace(each, since=now, paused_since=now if each.paused_since else None) if each.leg == leg else each
            for each in interaction.tracks
        )
        path, _ = self.file_of(interaction, leg)
        if path and is_paused(interaction):
            self._control(leg, RecordingStep.PAUSE)
        return self._put(interaction, talks, tracks)

    def coming(self, interaction: Interaction, legs: Collection[LegId]) -> Interaction:
        """Before these legs go into a room in which others talk: whom the dialplan does not begin to record is begun with now."""
        if not any(self._is_wanted(interaction, talk) for talk in interaction.talks()):
            return interaction
        return self._begin(interaction, legs)

    # --- while they talk ----------------------------------------------------------------------------------------------
    def demand(self, interaction: Interaction) -> bool:
        """Somebody wants it recorded. False: it may not be, of anybody."""
        inside = [talk for talk in interaction.talks() if talk.leg != interaction.outside()]
        may_be = interaction.left is None and any(self._may_be(interaction, talk) for talk in inside)
        if not self._step.settings.recording_dir or not may_be:
            return False
        self._begin(interaction, ())
        return True

    def _begin(self, interaction: Interaction, coming: Collection[LegId]) -> Interaction:
        before = {leg for leg in self._legs(interaction) if self.file_of(interaction, leg)[0]}
        was_paused = is_paused(interaction)
        interaction = self._all(interaction, is_paused=was_paused)
        for leg in self._legs(interaction):
            path, side = self.file_of(interaction, leg)
            if path and leg not in before and leg not in coming:
                self._control(leg, RecordingStep.START, path, side)
                if was_paused:
                    self._control(leg, RecordingStep.PAUSE)
        return interaction

    def pause(self, interaction: Interaction) -> bool:
        """False: there is nothing that could be paused."""
        return self._switch(interaction, RecordingStep.PAUSE)

    def resume(self, interaction: Interaction) -> bool:
        return self._switch(interaction, RecordingStep.RESUME)

    def _switch(self, interaction: Interaction, what: RecordingStep) -> bool:
        now, legs = self._step.now, [leg for leg in self._legs(interaction) if self.file_of(interaction, leg)[0]]
        if not legs or is_paused(interaction) is (what is RecordingStep.PAUSE):
            return False
        for leg in legs:
            self._control(leg, what)
        if what is RecordingStep.PAUSE:
            talks = [replace(each, paused_since=now) if each.recording else each for each in interaction.talks()]
            tracks = tuple(replace(each, paused_since=now) for each in interaction.tracks)
        else:
            talks = [
                replace(each, paused_since=None, pauses=paused(each.recorded_since or each.since, each, now))
                for each in interaction.talks()
            ]
            tracks = tuple(
                replace(each, paused_since=None, pauses=paused(each.since, each, now)) for each in interaction.tracks
            )
        self._put(interaction, talks, tracks)
        return True

    # --- to the end ---------------------------------------------------------------------------------------------------
    def talk_over(self, interaction: Interaction, gone: Talk) -> Interaction:
        """An agent's recording is over. Without any other the conference is not recorded any more."""
        if any(talk.recording for talk in interaction.talks() if talk.agent != gone.agent):
            return interaction
        return self.over(interaction, gone.agent, gone.queue)

    def over(self, interaction: Interaction, agent: AgentId, queue: QueueId, leg: LegId | None = None) -> Interaction:
        """The tracks of those who are no agents, or of one of them, are complete. Their legs may go on elsewhere."""
        for track in [each for each in interaction.tracks if leg is None or each.leg == leg]:
            if track.leg in self._step.legs:
                self._control(track.leg, RecordingStep.STOP)
            interaction = self._store(interaction, track, agent, queue)
        left = tuple(each for each in interaction.tracks if leg is not None and each.leg != leg)
        return self._ledger.put(replace(interaction, tracks=left))

    def _store(self, interaction: Interaction, track: Track, agent: AgentId, queue: QueueId) -> Interaction:
        step, now = self._step, self._step.now
        holds = recording.policy(step.settings, interaction, step.queue_settings(queue, interaction), agent)
        step.store(
            RecordingRecord(
                interaction=interaction.id,
                number=interaction.recordings,
                agent=agent,
                leg=track.leg,
                path=track.recording,
                started_utc_s=track.since.utc_s,
                duration_s=now.mono_s - track.since.mono_s,
                kind=RecordingKind.TALK,
                queue=queue,
                is_provisional=recording.is_provisional(holds),
                pauses=paused(track.since, track, now),
                side=side_of(interaction, track.leg),
            )
        )
        return replace(interaction, recordings=interaction.recordings + 1)

    # --- inside -------------------------------------------------------------------------------------------------------
    def _all(self, interaction: Interaction, *, is_paused: bool) -> Interaction:
        """Everybody who may be is recorded from now on, who is not yet."""
        now, paused_since = self._step.now, self._step.now if is_paused else None
        talks = [
            replace(
                talk,
                recording=self._path(interaction, talk.leg),
                is_apart=True,
                recorded_since=now,
                paused_since=paused_since,
                pauses=(),
            )
            if talk.leg is not None
            and talk.leg != interaction.outside()
            and not talk.recording
            and self._may_be(interaction, talk)
            else talk
            for talk in interaction.talks()
        ]
        known = {each.leg for each in interaction.tracks}
        guests = [guest.leg for guest in interaction.guests()]
        customer = [] if interaction.left is not None else [interaction.leg]
        tracks = interaction.tracks + tuple(
            Track(leg=leg, recording=self._path(interaction, leg), since=now, paused_since=paused_since)
            for leg in (*customer, *guests)
            if leg is not None and leg not in known
        )
        return self._put(interaction, talks, tracks)

    def _is_wanted(self, interaction: Interaction, talk: Talk) -> bool:
        """By what holds for this agent, or because it was recorded so far."""
        queue = self._step.queue_settings(talk.queue, interaction)
        holds = recording.policy(self._step.settings, interaction, queue, talk.agent)
        is_wanted = recording.begins(holds, interaction) or (talk.is_recorded and holds.mode is not RecordingMode.NEVER)
        return is_wanted and bool(self._step.settings.recording_dir)

    def _may_be(self, interaction: Interaction, talk: Talk) -> bool:
        queue = self._step.queue_settings(talk.queue, interaction)
        return recording.policy(self._step.settings, interaction, queue, talk.agent).mode is not RecordingMode.NEVER

    def _path(self, interaction: Interaction, leg: LegId) -> str:
        directory, utc_s = self._step.settings.recording_dir, self._step.now.utc_s
        return recording.path(directory, interaction.id, leg, utc_s, interaction.recordings)

    def _control(self, leg: LegId, what: RecordingStep, path: str = "", side: RecordingSide = RecordingSide.BOTH) -> None:
        channel = self._step.legs[leg].channel
        self._step.emit(ControlRecording(leg=leg, channel=channel, what=what, recording=path, side=side))

    def _legs(self, interaction: Interaction) -> list[LegId]:
        """Everybody's who is in the room and whose leg lives, the customer's first."""
        legs = [interaction.leg, *(talk.leg for talk in interaction.talks()), *(guest.leg for guest in interaction.guests())]
        return [leg for leg in legs if leg is not None and leg in self._step.legs and leg != interaction.outside()]

    def _put(self, interaction: Interaction, talks: list[Talk], tracks: tuple[Track, ...]) -> Interaction:
        first, others = (talks[0], tuple(talks[1:])) if talks else (None, ())
        return self._ledger.put(replace(interaction, talk=first, others=others, tracks=tracks))


def side_of(interaction: Interaction, leg: LegId) -> RecordingSide:
    """Whose side of the recording a leg in the interaction's conference is."""
    return RecordingSide.CUSTOMER if leg == interaction.leg else RecordingSide.AGENTS


def is_paused(interaction: Interaction) -> bool:
    """Whether the recording of a conference is paused, or that of the talk from which it comes."""
    parts: list[Talk | Track] = [*interaction.talks(), *interaction.tracks]
    return any(each.paused_since is not None for each in parts)


def paused(since: Moment, what: Talk | Track, now: Moment) -> tuple[tuple[float, float], ...]:
    """The pauses of a stretch that began at `since`, its present one as if it ended now."""
    if what.paused_since is None:
        return what.pauses
    return (*what.pauses, (max(0.0, what.paused_since.mono_s - since.mono_s), now.mono_s - since.mono_s))
