"""All engines of the center, made and wired. Engines tell each other by facts (`core.carrying`); what one needs of another at once is
handed to it here."""

from ccserver.core.access import Access
from ccserver.core.agents import Agents
from ccserver.core.attempts import Attempts
from ccserver.core.callbacks import Callbacks
from ccserver.core.callers import Callers
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.campaigns import Campaigns
from ccserver.core.closing import Closing
from ccserver.core.crews import Crews
from ccserver.core.externals import Externals
from ccserver.core.features import Features
from ccserver.core.flow_facts import FlowFacts
from ccserver.core.flows import Flows
from ccserver.core.forecast import Forecast
from ccserver.core.forgetting import Forgetting
from ccserver.core.handovers import Handovers
from ccserver.core.headsets import Headsets
from ccserver.core.hearing import Hearing
from ccserver.core.holding import Holding
from ccserver.core.ids import (
    AgentId,
    LegId,
    SessionId,
)
from ccserver.core.interactions import Interactions
from ccserver.core.invitations import Invitations
from ccserver.core.joins import Joins
from ccserver.core.lamps import Lamps
from ccserver.core.ledger import Ledger
from ccserver.core.live_acts import LiveActs
from ccserver.core.measuring import Measuring
from ccserver.core.messages import Messages
from ccserver.core.offers import Offers
from ccserver.core.opening import Opening
from ccserver.core.outbound import OutboundCalls
from ccserver.core.own_calls import OwnCalls
from ccserver.core.pairing import Pairing
from ccserver.core.playback import Playback
from ccserver.core.previews import Previews
from ccserver.core.prospects import Prospects
from ccserver.core.queueing import Queueing
from ccserver.core.recorder import Recorder
from ccserver.core.records import EndedBy
from ccserver.core.room_doors import RoomDoors
from ccserver.core.rooms import Rooms
from ccserver.core.staffing import Staffing
from ccserver.core.state import (
    CenterState,
    Interaction,
    Leg,
    Session,
)
from ccserver.core.step import Step
from ccserver.core.supervision import Supervision
from ccserver.core.talks import Talks
from ccserver.core.tracks import Tracks
from ccserver.core.trunking import Trunking
from ccserver.core.ways import Ways
from ccserver.core.work import WorkWithoutLine


class Engines:
    """One of each. `state`: what a center goes on from."""

    def __init__(self, step: Step, state: CenterState | None) -> None:
        self._step = step
        self.agents = Agents(step)
        self.pairing = Pairing(step, self.agents)
        self.access = Access(step, self.pairing)
        ledger = Ledger(step)
        self.joins = Joins(step)
        self.offers = Offers(step, ledger, self.joins)
        self.talks = Talks(step, ledger, self.offers, Tracks(step, ledger))
        self.callers = callers = Callers(step, ledger)
        staffing = Staffing(step, there=self.pairing.there, shown=self.agents.shown)
        forecast = Forecast(step, self.pairing)
        self.queueing = Queueing(
            step,
            ledger,
            callers,
            staffing,
            position=self.pairing.position,
            expected_wait_s=forecast.expected_wait_s,
        )
        prospects = Prospects(step, self.queueing, staffing, self.pairing, forecast)
        facts = FlowFacts(step, Opening(step), prospects)
        self.flows = Flows(step, ledger, callers, self.queueing, facts, taken_away=self._taken_away)
        self.closing = Closing(step, self.queueing)
        self.callbacks = Callbacks(step, ledger, callers, self.queueing, self.offers)
        crews = Crews(step, self.agents, self.pairing)
        self.book = CampaignBook(step, crews, state.pacers if state is not None else {})
        trunking = Trunking(step)
        self.attempts = Attempts(
            step, ledger, callers, self.queueing, book=self.book, trunking=trunking, withdraw=self.offers.withdraw_all
        )
        self.outbound = OutboundCalls(
            step, ledger, self.queueing, self.offers, book=self.book, attempts=self.attempts, trunking=trunking
        )
        self.campaigns = Campaigns(step, self.book, crews, trunking, attempts=self.attempts, calls=self.outbound)
        self.crews = crews
        self.previews = Previews(step, self.book, self.outbound)
        self.interactions = Interactions(step, ledger, self.talks, callers, self.queueing, flows=self.flows)
        self.recorder = Recorder(step, ledger, self.talks)
        self.handovers = Handovers(
            Holding(step, ledger, self.talks, self.recorder, self._join),
            Ways(
                enqueue=self.queueing.enqueue,
                refusal=self.queueing.refusal,
                leave=self._leave_queue,
                excuse=self.interactions.excuse,
            ),
            verb_ended=self.interactions.verb_ended,
            returned=self.interactions.talk_over,
            over=self.interactions.caller_gone,
        )
        self.externals = Externals(step)
        self.headsets = Headsets(step, self.agents, self.offers, leg_over=self.agent_leg_over, left=self._line_left)
        self.supervision = Supervision(
            step,
            ledger,
            self.joins,
            self.agents,
            taken_over=self.handovers.taken_over,
            last_words=self._last_words,
        )
        self.own_calls = OwnCalls(step, self.agents)
        self.rooms = Rooms(step)
        self.invitations = Invitations(step, self.rooms)
        self.doors = RoomDoors(step, ledger, self.agents, callers, rooms=self.rooms, own_call=self.own_calls.into_conference)
        self.playback = Playback(step, self.agents, last_words=self._last_words)
        self.features = Features(
            step,
            self.agents,
            self.headsets,
            self.closing,
            supervision=self.supervision,
            playback=self.playback,
            doors=self.doors,
            next_lead=self._next_lead,
        )
        self.headsets.asks_time = self.features.type_on_line
        self.lamps = Lamps(step, self.agents, waiting_in=self.queueing.waiting_in)
        self.work = WorkWithoutLine(step, ledger, self.offers, self.talks, self.queueing.enqueue)
        self.messages = Messages(step, self.talks, self.queueing)
        self.measuring = Measuring(step, callers, self.messages, self.interactions.resume)
        self.hearing = Hearing(self.messages, self.callbacks)
        self.live = LiveActs(
            step, ledger, self.agents, self.interactions, self.queueing, work=self.work, messages=self.messages
        )
        self.forgetting = Forgetting(step, self.callbacks)

    # --- what one engine needs of others --------------------------------------------------------------------------------
    def _join(self, interaction: Interaction, leg: LegId, recording: str, max_talk_s: float) -> None:
        self.joins.join(interaction, leg, recording=recording, max_talk_s=max_talk_s)

    def _taken_away(self, interaction: Interaction) -> Interaction:
        return self.handovers.errands.taken_away(interaction)

    def _leave_queue(self, interaction: Interaction) -> Interaction:
        self.offers.withdraw_all(interaction)
        return self.queueing.leave(self._step.interactions[interaction.id], is_lost=False)

    def _next_lead(self, session: Session, agent: AgentId) -> None:
        self.features.last_words(session.id, "cc-lead-coming" if self.campaigns.next_lead(agent) else "cc-lead-none")

    def _last_words(self, session: SessionId, prompt: str) -> None:
        self.features.last_words(session, prompt)

    def agent_leg_over(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None) -> None:
        if not self.messages.leg_over(leg, cause, by) and not self.handovers.leg_over(leg, cause, by):
            self.talks.agent_leg_ended(leg, cause, tech_cause, by)

    def _line_left(self, leg: Leg) -> None:
        """A headset's line has left its talk by itself."""
        if not self.messages.left_desk(leg) and not self.handovers.left_room(leg):
            self.talks.agent_leg_came_back(leg)
