"""One step of the core: the tables, the commands so far, the facts still to carry, and the way back.

Engines hold the same `Step`; nobody else changes a table.
"""

from collections.abc import Callable
from typing import assert_never

from ccserver.core.change import replace
from ccserver.core.commands import (
    AnswerCall,
    AwaitSilence,
    Collect,
    CollectNumber,
    CollectSecret,
    Command,
    DialOut,
    EndSession,
    HangUpLeg,
    JoinLeg,
    LampState,
    Move,
    Place,
    RecordMessage,
    RedirectLegs,
    RingAgent,
    RingSupervisor,
    RunScript,
    Say,
    SpyLeg,
    Store,
    StoreAudit,
    WaitUntil,
)
from ccserver.core.dialer.campaign_state import Attempt, Campaign, TimesShown, TrunkState
from ccserver.core.facts import Fact
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    CommandId,
    HoursId,
    InteractionId,
    LegId,
    PhoneId,
    QueueId,
    RoomId,
    SessionId,
    TrunkId,
    WatchId,
)
from ccserver.core.moment import Moment
from ccserver.core.records import AuditRecord, Record
from ccserver.core.settings import QueueSettings, Settings
from ccserver.core.state import (
    Agent,
    Awaited,
    CenterState,
    Clockwork,
    Closed,
    ClosedHours,
    DeadlineKey,
    Deadlines,
    Interaction,
    Leg,
    Mark,
    Member,
    Outstanding,
    OwnCall,
    Phone,
    QueueCounters,
    Role,
    Room,
    Session,
    SpokenTo,
    Table,
    Unmeasured,
    Watch,
)

Verb = Say | Collect | CollectNumber | CollectSecret | RecordMessage | RunScript | WaitUntil | AwaitSilence
Order = AnswerCall | RingAgent | DialOut | RingSupervisor | JoinLeg | SpyLeg | RedirectLegs | HangUpLeg


class Step:
    """The tables and what the present step has done with them."""

    def __init__(self, settings: Settings, state: CenterState | None = None) -> None:
        self.undo: list[Callable[[], None]] = []
        undo, kept = self.undo, state
        self.interactions: Table[InteractionId, Interaction] = Table(undo, kept.interactions if kept else None)
        self.legs: Table[LegId, Leg] = Table(undo, kept.legs if kept else None)
        self.sessions: Table[SessionId, Session] = Table(undo, kept.sessions if kept else None)
        self.agents: Table[AgentId, Agent] = Table(undo, kept.agents if kept else None)
        self.phones: Table[PhoneId, Phone] = Table(undo, kept.phones if kept else None)
        self.queues: Table[QueueId, QueueCounters] = Table(undo, kept.queues if kept else None)
        self.outstanding: Table[CommandId, Outstanding] = Table(undo, kept.outstanding if kept else None)
        self.hung_up: Table[LegId, float] = Table(undo, kept.hung_up if kept else None)
        self.over: Table[LegId, float] = Table(undo, kept.over if kept else None)
        self.orphans: Table[LegId, int] = Table(undo, kept.orphans if kept else None)
        self.versions: Table[str, Settings] = Table(undo, kept.versions if kept else None)
        self.closed: Table[QueueId, Closed] = Table(undo, kept.closed if kept else None)
        self.closed_hours: Table[HoursId, ClosedHours] = Table(undo, kept.closed_hours if kept else None)
        self.marks: Table[str, Mark] = Table(undo, kept.marks if kept else None)
        self.spoken_to: Table[str, SpokenTo] = Table(undo, kept.spoken_to if kept else None)
        self.own_calls: Table[LegId, OwnCall] = Table(undo, kept.own_calls if kept else None)
        self.lamps: Table[str, LampState] = Table(undo, kept.lamps if kept else None)
        self.watches: Table[WatchId, Watch] = Table(undo, kept.watches if kept else None)
        self.rooms: Table[RoomId, Room] = Table(undo, kept.rooms if kept else None)
        self.members: Table[LegId, Member] = Table(undo, kept.members if kept else None)
        self.unmeasured: Table[str, Unmeasured] = Table(undo, kept.unmeasured if kept else None)
        self.campaigns: Table[CampaignId, Campaign] = Table(undo, kept.campaigns if kept else None)
        self.attempts: Table[AttemptId, Attempt] = Table(undo, kept.attempts if kept else None)
        self.trunks: Table[TrunkId, TrunkState] = Table(undo, kept.trunks if kept else None)
        self.shown: Table[str, TimesShown] = Table(undo, kept.shown if kept else None)
        due: Table[DeadlineKey, float] = Table(undo, kept.deadlines if kept else None)
        self.deadlines = Deadlines(due)
        self._clockwork: Table[str, Clockwork] = Table(undo, {"": kept.clockwork if kept else Clockwork()})
        self._settings: Table[str, Settings] = Table(undo, {"": settings})
        self.seq = kept.seq if kept else 0
        self.now = kept.moment if kept else Moment(0.0, 0.0)
        self.commands: list[Command] = []
        self.facts: list[Fact] = []
        self.about: InteractionId | None = None
        self.touched_agents: dict[AgentId, None] = {}
        self.touched_interactions: dict[InteractionId, None] = {}
        self.touched_queues: dict[QueueId, None] = {}
        self.to_entertain: dict[InteractionId, None] = {}
        self.touched_campaigns: dict[CampaignId, None] = {}
        self.agent_at: Table[PhoneId, AgentId] = Table(
            undo, {a.phone: a.id for a in self.agents.values() if a.phone is not None}
        )

    # --- the step itself ----------------------------------------------------------------------------------------------
    def begin(self, now: Moment) -> None:
        self.seq += 1
        self.now = now
        self.undo.clear()
        self.commands = []
        self.facts = []
        self.about = None
        self.touched_agents = {}
        self.touched_interactions = {}
        self.touched_queues = {}
        self.to_entertain = {}
        self.touched_campaigns = {}

    def roll_back(self) -> None:
        while self.undo:
            self.undo.pop()()
        self.deadlines.rebuild()
        self.commands = []

    # --- settings and switches ----------------------------------------------------------------------------------------
    @property
    def settings(self) -> Settings:
        return self._settings[""]

    @settings.setter
    def settings(self, value: Settings) -> None:
        self._settings.put("", value)
        self.versions.put(value.content_hash, value)

    @property
    def clockwork(self) -> Clockwork:
        return self._clockwork[""]

    @clockwork.setter
    def clockwork(self, value: Clockwork) -> None:
        self._clockwork.put("", value)

    def settings_of(self, interaction: Interaction) -> Settings:
        """Those it entered with."""
        return self.versions.get(interaction.version) or self.settings

    def queue_settings(self, queue: QueueId, interaction: Interaction) -> QueueSettings:
        """The newest; those it entered with when the queue has been removed since."""
        return self.settings.queues.get(queue) or self.settings_of(interaction).queues[queue]

    def wrap_up_settings(self, queue: QueueId, interaction: Interaction) -> QueueSettings:
        """Those of the queue with what the campaign that called says of the wrap-up: how long, and what may be entered."""
        config, outbound, dialing = self.queue_settings(queue, interaction), interaction.outbound, self.settings.dialing
        campaign = dialing.campaigns.get(outbound.campaign) if outbound is not None and dialing is not None else None
        if campaign is None:
            return config
        return replace(
            config,
            wrap_up_s=config.wrap_up_s if campaign.wrap_up_s is None else campaign.wrap_up_s,
            dispositions=campaign.dispositions or config.dispositions,
        )

    # --- what the step answers ----------------------------------------------------------------------------------------
    def emit(self, command: Command) -> CommandId:
        self.commands.append(command)
        return CommandId(self.seq, len(self.commands) - 1)

    def store(self, record: Record) -> None:
        self.emit(Store(record=record))

    def speak(self, verb: Verb) -> None:
        """Give a session its next verb; ends of earlier ones mean nothing from now on."""
        session = self.sessions[verb.session]
        self.sessions.put(session.id, replace(session, verb=self.emit(verb)))

    def end_session(self, command: EndSession) -> None:
        session = self.sessions[command.session]
        if not session.is_ending:
            self.sessions.put(session.id, replace(session, is_ending=True, verb=None))
            self.emit(command)

    def order(self, command: Order) -> CommandId:
        """Emit a command whose answer is awaited."""
        leg: LegId | None
        match command:
            case AnswerCall():
                what, leg = Awaited.ANSWER, self.sessions[command.session].leg
            case RingAgent():
                what, leg = Awaited.RING, command.leg
            case DialOut() | RingSupervisor():
                what, leg = Awaited.DIAL, command.leg
            case SpyLeg():
                what, leg = Awaited.SPY, command.leg
                self._leaves(leg)
            case JoinLeg():
                what, leg = Awaited.JOIN, command.leg
                self._leaves(leg)
            case RedirectLegs():
                what, leg = Awaited.REDIRECT, command.moves[0].leg
                for move in command.moves:
                    self._leaves(move.leg)
            case HangUpLeg():
                what, leg = Awaited.HANG_UP, command.leg
            case _:
                assert_never(command)
        command_id = self.emit(command)
        self.outstanding.put(command_id, Outstanding(what=what, leg=leg, sent_s=self.now.mono_s))
        return command_id

    def _leaves(self, leg_id: LegId) -> None:
        """The leg is sent out of what it is in, also out of a session."""
        leg = self.legs.get(leg_id)
        session = self.sessions.get(leg.session) if leg is not None else None
        if session is not None:
            self.sessions.put(session.id, replace(session, is_left=True))

    def store_audit(self, record: AuditRecord, leg: LegId | None) -> CommandId:
        """Durable before acting: the entry is committed before what it tells is done. `leg` waits for it meanwhile."""
        command_id = self.emit(StoreAudit(record=record))
        self.outstanding.put(command_id, Outstanding(what=Awaited.AUDIT, leg=leg, sent_s=self.now.mono_s))
        return command_id

    def tell(self, fact: Fact) -> None:
        self.facts.append(fact)

    def heard(self, leg_id: LegId) -> Leg | None:
        """The leg, noted as heard of just now. None for a leg that does not concern us."""
        leg = self.legs.get(leg_id)
        if leg is None:
            return None
        self.about = leg.interaction
        leg = replace(leg, heard_s=self.now.mono_s, unseen=0, doubt=None)
        self.legs.put(leg_id, leg)
        return leg

    def caller_session(self, interaction: Interaction) -> SessionId | None:
        """The open AGI session of the customer's leg, if there is one just now."""
        leg = self.legs.get(interaction.leg)
        session = self.sessions.get(leg.session) if leg is not None else None
        return None if session is None or session.is_ending else session.id

    # --- small changes that many make ---------------------------------------------------------------------------------
    def put_agent(self, agent: Agent) -> None:
        old = self.agents.get(agent.id)
        if old is not None and old.phone is not None and old.phone != agent.phone:
            self.agent_at.drop(old.phone)
        if agent.phone is not None:
            self.agent_at.put(agent.phone, agent.id)
        self.agents.put(agent.id, agent)
        self.touched_agents[agent.id] = None

    def put_campaign(self, campaign: Campaign) -> None:
        self.campaigns.put(campaign.id, campaign)
        self.touched_campaigns[campaign.id] = None

    def put_attempt(self, attempt: Attempt) -> None:
        self.attempts.put(attempt.id, attempt)
        self.touched_campaigns[attempt.campaign] = None

    def put_interaction(self, interaction: Interaction) -> None:
        self.interactions.put(interaction.id, interaction)
        self.touched_interactions[interaction.id] = None

    def next_number(self) -> InteractionId:
        """Of a new interaction; no other one ever has it."""
        number = InteractionId(self.clockwork.next_interaction)
        self.clockwork = replace(self.clockwork, next_interaction=number + 1)
        return number

    def next_leg(self) -> LegId:
        """Of a leg that is to be made; no other one ever has it."""
        counters, pbx = self.clockwork, self.settings.pbx
        self.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        return LegId(pbx, f"cc{pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")

    def let_go(self, leg_id: LegId | None) -> None:
        """An agent's leg is not needed for what it does now: a headset's line is sent back to where it parks, any other is ended."""
        leg = self.legs.get(leg_id)
        if leg is not None and leg.role is Role.HEADSET and not leg.is_cancelled:
            if not leg.is_parked:
                self.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=Place.PARK),)))
        else:
            self.hang_up(leg_id)

    def put_queue(self, queue: QueueId, counters: QueueCounters) -> None:
        self.queues.put(queue, counters)
        self.touched_queues[queue] = None

    def hang_up(self, leg: LegId | None, cause: int = 16) -> None:
        """Order the end of a leg, once."""
        known = self.legs.get(leg)
        if known is not None and not known.is_cancelled:
            self.legs.put(known.id, replace(known, is_cancelled=True))
            self.order(HangUpLeg(leg=known.id, cause=cause))
