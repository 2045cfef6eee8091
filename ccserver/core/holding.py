"""A customer on hold: the parties of a talk taken apart, the agent sent to the desk, and put together again.

What the agent does at the desk meanwhile (a number, a consultation, a flow) is the business of `transfers`, `consults`, `errands` and
`conferences`; here is what they share. The agent's part in the talk is kept while the customer is on hold, and ends once: with
`hand_off`, when the agent's leg ends, or when the customer goes. Nobody is left alone: each stage has a deadline (HELD), after
which the leg that everything waits for is ended, and the end of that leg has its own rule.
"""

from collections.abc import Callable

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import Move, Place, RecordingStep, RedirectLegs, Say, WaitUntil
from ccserver.core.facts import TalkHeld
from ccserver.core.ids import AgentId, Language, LegId, PromptId, SessionId
from ccserver.core.ledger import Ledger
from ccserver.core.recorder import Recorder
from ccserver.core.recording_policy import RecordingMode
from ccserver.core.records import (
    EndedBy,
    NoticeKind,
    RepairKind,
    RepairRecord,
    SegmentKind,
    TransferKind,
    TransferOutcome,
    TransferRecord,
)
from ccserver.core.settings import QueueSettings, Spoken, SpokenKind
from ccserver.core.state import (
    SILENCES_MAX,
    DeadlineKind,
    Dialogue,
    Handover,
    HandoverStage,
    Interaction,
    Leg,
    Role,
    Session,
    Talk,
)
from ccserver.core.step import Step
from ccserver.core.talks import Talks
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

MAX_TALK_GUARD_S = 5.0
AGAIN_S = 2.0
"""How long an agent's leg that came to the desk instead of to the customer waits for news before the join is tried again."""
USUAL_MUSIC = "default"
HELD_S = {
    HandoverStage.ASKING: 60.0,
    HandoverStage.TELLING: 30.0,
    HandoverStage.BACK: 10.0,
    HandoverStage.MEETING: 10.0,
}
"""The longest time of a stage. A consultation and an errand may last as long as a talk; ringing has its own settings."""

SEGMENTS = {TransferKind.CONSULT: SegmentKind.CONSULT, None: SegmentKind.ERRAND}
Join = Callable[[Interaction, LegId, str, float], object]
"""Orders that a leg is joined with the interaction's customer: recording, longest talk in seconds."""


class Holding:
    """What all handovers share."""

    def __init__(self, step: Step, ledger: Ledger, talks: Talks, recorder: Recorder, join: Join) -> None:
        self.step = step
        self.ledger = ledger
        self.talks = talks
        self.recorder = recorder
        self._join = join

    # --- apart ----------------------------------------------------------------------------------------------------------
    def apart(self, interaction: Interaction, stage: HandoverStage, kind: TransferKind | None) -> Interaction:
        """Out of the talk: the customer back into the loop, the agent to the desk, in one stroke."""
        step = self.step
        interaction = self.interrupted(interaction)
        talk = interaction.talk
        assert talk is not None and talk.leg is not None and interaction.leg is not None
        agent, customer = step.legs[talk.leg], step.legs[interaction.leg]
        handover = Handover(stage=stage, kind=kind, agent=talk.agent, queue=talk.queue, since=step.now)
        interaction = self.on_hold(replace(interaction, handover=handover))
        interaction = self.at(interaction, stage)
        step.order(
            RedirectLegs(
                moves=(
                    Move(leg=customer.id, channel=customer.channel, place=Place.LOOP),
                    Move(leg=agent.id, channel=agent.channel, place=Place.DESK),
                )
            )
        )
        step.tell(TalkHeld(interaction.id, talk.agent, True, kind is TransferKind.CONSULT))
        return interaction

    def interrupted(self, interaction: Interaction) -> Interaction:
        """The agent leaves the talk for a while: what was being recorded of it is complete, and is recorded again afterwards."""
        talk = interaction.talk
        assert talk is not None
        self.ledger.hold_segment(interaction, talk)
        interaction = self.talks.recording_over(self.step.interactions[interaction.id], talk)
        talk = replace(
            talk, held_since=None, is_recorded=bool(talk.recording), recording="", recorded_since=None, is_apart=False
        )
        return self.ledger.put(replace(interaction, talk=talk))

    def on_hold(self, interaction: Interaction) -> Interaction:
        """The customer is alone, and hears music from now on."""
        state = advance(INTERACTION, interaction.state, InteractionStep.HOLD)
        self.step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        interaction = self.ledger.put(replace(interaction, state=state, room=""))
        self.remind(interaction)
        return interaction

    def at(self, interaction: Interaction, stage: HandoverStage, within_s: float | None = None) -> Interaction:
        """Note the stage, with its deadline."""
        handover = interaction.handover
        assert handover is not None
        longest_s = self._queue(interaction, handover).max_talk_s
        seconds = within_s if within_s is not None else HELD_S.get(stage, longest_s)
        self.step.deadlines.set(DeadlineKind.HELD, interaction.id, self.step.now.mono_s + seconds)
        return self.ledger.put(replace(interaction, handover=replace(handover, stage=stage)))

    # --- at the desk ----------------------------------------------------------------------------------------------------
    def desk(self, interaction: Interaction) -> SessionId | None:
        """The agent's session at the desk, while it is open."""
        talk = interaction.talk
        return self.open_session(talk.leg) if talk is not None else None

    def open_session(self, leg_id: LegId | None) -> SessionId | None:
        leg = self.step.legs.get(leg_id)
        session = self.step.sessions.get(leg.session) if leg is not None else None
        is_desk = session is not None and not session.is_ending and session.dialogue is Dialogue.DESK
        return session.id if session is not None and is_desk else None

    def speak(self, interaction: Interaction, session: SessionId, prompt: str) -> None:
        agent = interaction.talk.agent if interaction.talk is not None else None
        self.step.speak(Say(session=session, say=said(prompt), language=self.language(agent)))

    def language(self, agent: AgentId | None) -> Language:
        settings = self.step.settings
        known = settings.agents.get(agent) if agent is not None else None
        return (known.language if known is not None else None) or settings.default_language

    def music(
        self, interaction: Interaction, session: SessionId, timeout_s: float | None = None, stop_digits: str = ""
    ) -> None:
        queue = interaction.queue if interaction.handover is None else interaction.handover.queue
        name = self.step.queue_settings(queue, interaction).music if queue is not None else USUAL_MUSIC
        self.step.speak(WaitUntil(session=session, music=name, timeout_s=timeout_s, stop_digits=stop_digits))

    def music_failed(self, interaction: Interaction, session: Session) -> None:
        """The customer on hold hears nothing: again, with the music that every Asterisk has, a few times. Each time is on record."""
        step = self.step
        step.clockwork = replace(step.clockwork, repairs=step.clockwork.repairs + 1)
        step.store(
            RepairRecord(kind=RepairKind.HOLD_MUSIC, what=session.id, at_utc_s=step.now.utc_s, interaction=interaction.id)
        )
        session = replace(session, silences=session.silences + 1)
        step.sessions.put(session.id, session)
        if session.silences < SILENCES_MAX:
            step.speak(WaitUntil(session=session.id, music=USUAL_MUSIC))

    def tell_agent(self, interaction: Interaction, prompt: str) -> Interaction:
        """One prompt to the agent at the desk, now or as soon as they are there; then back to the customer."""
        assert interaction.handover is not None
        interaction = replace(interaction, handover=replace(interaction.handover, say=PromptId(prompt)))
        interaction = self.at(interaction, HandoverStage.TELLING)
        session = self.desk(interaction)
        if session is not None:
            self.speak(interaction, session, prompt)
        return interaction

    # --- together -------------------------------------------------------------------------------------------------------
    def back(self, interaction: Interaction, *, is_again: bool = False) -> Interaction:
        """Join the party that has the customer (the agent, the colleague, the guest) with the customer again; in a conference, the
        agent goes back into the room. A second try is within the time of the first."""
        if interaction.stepped_out() is not None:
            return self.into_room(interaction if is_again else self.at(interaction, HandoverStage.BACK))
        leg_id, kept, config = self.party(interaction), "", self._queue(interaction, interaction.handover)
        talk = interaction.talk
        assert leg_id is not None
        if talk is not None and self._is_recorded(interaction, talk, config):
            directory = self.step.settings.recording_dir
            kept = recording.path(directory, interaction.id, leg_id, self.step.now.utc_s, interaction.recordings)
            interaction = self.ledger.put(replace(interaction, talk=replace(talk, recording=kept, is_apart=False)))
        if not is_again:
            interaction = self.at(interaction, HandoverStage.BACK)
        self._join(interaction, leg_id, kept, config.max_talk_s + MAX_TALK_GUARD_S)
        return self.step.interactions[interaction.id]

    def into_room(self, interaction: Interaction, *newcomers: LegId) -> Interaction:
        """Into a conference in which others talk: the agent who had stepped out, and who comes with them."""
        agent = interaction.stepped_out()
        coming = (*newcomers,) if agent is None else (agent, *newcomers)
        interaction = self.talks.tracks.coming(interaction, coming)
        self.move(interaction, *coming)
        return self.step.interactions[interaction.id]

    def move(self, interaction: Interaction, *legs: LegId) -> None:
        """Order these legs into the interaction's room, each with the file into which goes what it says there."""
        known = [leg for leg in map(self.step.legs.get, legs) if leg is not None]
        for leg in known:
            self.step.legs.put(leg.id, replace(leg, pulled_s=self.step.now.mono_s))
        if known:
            self.step.order(RedirectLegs(moves=tuple(self._into_room(interaction, leg) for leg in known)))

    def _into_room(self, interaction: Interaction, leg: Leg) -> Move:
        path, side = self.talks.tracks.file_of(interaction, leg.id)
        place, room = Place.CONFERENCE, interaction.room
        return Move(leg=leg.id, channel=leg.channel, place=place, room=room, recording=path, side=side)

    def _is_recorded(self, interaction: Interaction, talk: Talk, config: QueueSettings) -> bool:
        """Whether the talk that goes on is recorded: it was before, or is by the policy of who has the customer now."""
        holds = recording.policy(self.step.settings, interaction, config, talk.agent)
        return recording.begins(holds, interaction) or (talk.is_recorded and holds.mode is not RecordingMode.NEVER)

    def party(self, interaction: Interaction) -> LegId | None:
        """Whose leg is to be joined with the customer."""
        if interaction.talk is not None:
            return interaction.talk.leg
        return interaction.guest.leg if interaction.guest is not None else None

    def joined(self, interaction: Interaction) -> Interaction:
        """Both are in one bridge: the talk goes on, or goes on with somebody else."""
        step, handover, talk = self.step, interaction.handover, interaction.talk
        assert handover is not None
        step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        step.deadlines.clear(DeadlineKind.HOLD_REMINDER, interaction.id)
        if talk is not None and talk.agent == handover.agent:
            interaction = self.hold_over(interaction)
            interaction = self.transferred(interaction, TransferOutcome.CANCELLED)
        else:
            interaction = self.transferred(interaction, TransferOutcome.DONE)
        since = step.now
        if talk is not None:
            if not talk.is_apart:
                talk = self._recorded_again(talk)
            since = talk.since
            step.tell(TalkHeld(interaction.id, talk.agent, False))
        if interaction.guest is not None:
            interaction = replace(interaction, guest=replace(interaction.guest, since=step.now))
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        agent = talk.agent if talk is not None else interaction.agent
        interaction = self.ledger.put(
            replace(interaction, state=state, talk=talk, agent=agent, handover=None, after=None, ended_by=None)
        )
        longest_s = since.mono_s - step.now.mono_s + self._queue(interaction, handover).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + max(longest_s, 1.0))
        if talk is not None and not interaction.room:
            self.recorder.together_again(interaction, talk)
        return step.interactions[interaction.id]

    def _recorded_again(self, talk: Talk) -> Talk:
        """The stretch begins with the talk; what was paused before it stays so."""
        now = self.step.now
        is_paused = talk.paused_since is not None and bool(talk.recording)
        if is_paused and talk.leg is not None:
            self.recorder.control(talk, RecordingStep.PAUSE)
        since, paused_since = now if talk.recording else None, now if is_paused else None
        return replace(talk, recorded_since=since, pauses=(), paused_since=paused_since)

    # --- the agent's part ends ------------------------------------------------------------------------------------------
    def hold_over(self, interaction: Interaction) -> Interaction:
        """The stretch in which the agent had the customer on hold is complete."""
        handover = interaction.handover
        if handover is not None and interaction.talk is not None and handover.since.mono_s < self.step.now.mono_s:
            kind = SEGMENTS.get(handover.kind, SegmentKind.HOLD)
            agent, to = interaction.talk.agent, handover.to
            self.ledger.segment(interaction, kind, handover.since, queue=handover.queue, agent=agent, detail=to)
        return self.step.interactions[interaction.id]

    def hand_off(self, interaction: Interaction, by: EndedBy = EndedBy.AGENT) -> Interaction:
        """The agent's part is over while the customer is on hold: wrap-up begins. What becomes of the customer is decided next."""
        talk = interaction.talk
        assert talk is not None
        interaction = self.hold_over(interaction)
        leg = self.step.legs.get(talk.leg)
        if leg is not None and leg.role is Role.HEADSET and leg.session is None and not leg.is_cancelled:
            # A line that stays would come to the desk, where nothing is asked any more.
            self.step.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=Place.PARK),)))
        return self.talks.part_over(interaction, talk, by)

    def transferred(self, interaction: Interaction, outcome: TransferOutcome) -> Interaction:
        """Tell what became of the attempt. An errand, and a number that was never typed, are none."""
        handover = interaction.handover
        if handover is None or handover.kind is None or not handover.to:
            return interaction
        self.step.store(
            TransferRecord(
                interaction=interaction.id,
                number=interaction.transfers,
                kind=handover.kind,
                agent=handover.agent,
                to=handover.to,
                started_utc_s=handover.since.utc_s,
                duration_s=self.step.now.mono_s - handover.since.mono_s,
                outcome=outcome,
            )
        )
        interaction = self.ledger.put(replace(interaction, transfers=interaction.transfers + 1))
        if outcome is TransferOutcome.DONE:
            to, how = handover.to, handover.kind.value
            interaction = self.ledger.notice(interaction, NoticeKind.TRANSFERRED, agent=handover.agent, to=to, how=how)
        return interaction

    def settled(self, interaction: Interaction) -> Interaction:
        """Nothing is under way any more."""
        self.step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        self.step.deadlines.clear(DeadlineKind.HOLD_REMINDER, interaction.id)
        return self.ledger.put(replace(interaction, handover=None))

    # --- reminders ------------------------------------------------------------------------------------------------------
    def remind(self, interaction: Interaction) -> None:
        """The customer is on hold from now on: remind the agent after a while."""
        talk = interaction.talk
        every_s = self.step.queue_settings(talk.queue, interaction).hold_reminder_s if talk is not None else None
        if every_s is not None:
            self.step.deadlines.set(DeadlineKind.HOLD_REMINDER, interaction.id, self.step.now.mono_s + every_s)

    def reminder_due(self, interaction: Interaction) -> Interaction:
        """Told each time anew, for as long as the customer is on hold."""
        talk = interaction.talk
        is_held = talk is not None and (talk.held_since is not None or interaction.state is InteractionState.HELD)
        if talk is None or not is_held:
            return interaction
        since = talk.held_since or (interaction.handover.since if interaction.handover is not None else talk.since)
        held = str(round(self.step.now.mono_s - since.mono_s))
        interaction = self.ledger.notice(interaction, NoticeKind.HELD_TOO_LONG, agent=talk.agent, held_s=held)
        self.remind(interaction)
        return interaction

    # --- small things ---------------------------------------------------------------------------------------------------
    def _queue(self, interaction: Interaction, handover: Handover | None) -> QueueSettings:
        """The settings of the queue whose talk it is."""
        queue = interaction.talk.queue if interaction.talk is not None else None
        queue = queue or (handover.queue if handover is not None else None)
        assert queue is not None
        return self.step.queue_settings(queue, interaction)


def said(prompt: str) -> tuple[Spoken, ...]:
    return (Spoken(SpokenKind.PROMPT, prompt),)
