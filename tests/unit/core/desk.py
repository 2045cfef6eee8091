"""A call center on a desk: events go in by short sentences, and what came out can be asked for."""

from dataclasses import replace
from typing import TypeVar

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, RequestId, SessionId
from ccserver.core.invariants import check
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState, Record, ShownState
from ccserver.core.settings import (
    AgentSettings,
    AnswerPolicy,
    DidSettings,
    DispositionSettings,
    EnqueueNode,
    ExtensionNode,
    Flow,
    HangUpNode,
    LanguageNode,
    MenuNode,
    OfferRules,
    OpeningHours,
    PhoneSettings,
    QueueSettings,
    ReasonSettings,
    SayNode,
    Settings,
    Spoken,
    SpokenKind,
)
from ccserver.core.views import overview

UTC_AT_0 = 1_800_000_000.0  # a Friday, 08:00 UTC
C = TypeVar("C")
R = TypeVar("R")


def spoken(*prompts: str) -> tuple[Spoken, ...]:
    return tuple(Spoken(SpokenKind.PROMPT, p) for p in prompts)


def a_queue(**changes: object) -> QueueSettings:
    plain = QueueSettings(name="Sales", skills=("sales",), ring_timeout_s=10.0, wrap_up_s=20.0, dispositions=("sold",))
    return replace(plain, **changes)


MENU = Flow(
    start="welcome",
    nodes={
        "welcome": SayNode(say=spoken("welcome"), next="language"),
        "language": MenuNode(
            say=spoken("choose-language"),
            choices={"1": "english", "2": "spanish", "11": "bye"},
            timeout_s=3.0,
            tries=2,
            on_no_input="english",
            on_invalid="bye",
        ),
        "english": LanguageNode(language="en", next="sales"),
        "spanish": LanguageNode(language="es", next="sales"),
        "sales": EnqueueNode(queue="sales"),
        "bye": HangUpNode(say=spoken("bye")),
        "out": ExtensionNode(extension="500"),
    },
)
TOLD = Flow(
    start="told",
    nodes={
        "told": SayNode(say=(*spoken("cc-call-number"), Spoken(SpokenKind.CALL_NUMBER, "")), next="q"),
        "q": EnqueueNode(queue="sales"),
    },
)
STRAIGHT = Flow(start="q", nodes={"q": EnqueueNode(queue="sales"), "closed": HangUpNode(say=spoken("closed"))})


def settings(agents: int = 2, **queues: QueueSettings) -> Settings:
    """A center with agents 101… at phones PJSIP/1001…; the DID 900 has the menu, 901 goes straight to sales."""
    numbers = range(1, agents + 1)
    return Settings(
        content_hash=f"{agents}{sorted(queues)}",
        pbx="pbx",
        country="ES",
        default_language="en",
        language_skills={"en": None, "es": "spanish"},
        agents={f"10{n}": AgentSettings(name=f"Agent {n}", skills={"sales": 50, "spanish": 50}) for n in numbers},
        phones={f"PJSIP/100{n}": PhoneSettings(number=f"100{n}") for n in numbers},
        queues={"sales": a_queue(), **queues},
        flows={"menu": MENU, "straight": STRAIGHT, "told": TOLD},
        dids={
            "900": DidSettings(flow="menu", language="en"),
            "901": DidSettings(flow="straight", language="en", answer=AnswerPolicy.WHEN_QUEUED),
            "903": DidSettings(flow="told", language="en"),
            "902": DidSettings(flow="straight", language="en", answer=AnswerPolicy.NEVER),
        },
        hours={
            "mornings": OpeningHours(timezone="UTC", week=((((6 * 60, 12 * 60),),) * 7)),
            "never": OpeningHours(timezone="UTC", week=((),) * 7),
        },
        reasons={"lunch": ReasonSettings(code="1", name="Lunch"), "missed": ReasonSettings(code="9", name="Missed")},
        dispositions={"sold": DispositionSettings(code="1", name="Sold"), "no": DispositionSettings(code="2", name="No")},
        offers=OfferRules(missed_reason="missed"),
        recording_dir="/rec",
    )


class Desk:
    """Drives one CallCenter. Every step is followed by the check of the invariants."""

    ACCEPTED: tuple[type, ...] = (c.AnswerCall, c.RingAgent, c.HangUpLeg, c.JoinLeg, c.RedirectLegs, c.DialOut)
    """Commands that are answered with CommandDone at once."""

    def __init__(self, agents: int = 2, *, logged_in: bool = True, **queues: QueueSettings) -> None:
        self.settings = self.adapted(settings(agents, **queues))
        self.center = CallCenter(self.settings)
        self.now_s = 100.0
        self.records: list[Record] = []
        self.last: list[tuple[CommandId, c.Command]] = []
        self.all: list[tuple[CommandId, c.Command]] = []
        self.verbs: dict[SessionId, CommandId] = {}
        self.count = 0
        self.tell(ev.CenterStarted(incarnation=1, first_interaction=InteractionId(1)))
        self.tell(ev.SettingsLoaded(settings=self.settings))
        self.tell(ev.LinkUp(pbx="pbx", uptime_s=50.0))
        self.observe(after_s=0.1)
        if logged_in:
            for n in range(1, agents + 1):
                self.log_in(n)

    def adapted(self, settings: Settings) -> Settings:
        """What a desk of another kind needs besides."""
        return settings

    # --- time and events ----------------------------------------------------------------------------------------------
    def moment(self) -> Moment:
        return Moment(self.now_s, UTC_AT_0 + self.now_s)

    def tell(self, *events: ev.Event, after_s: float = 0.0) -> None:
        self.now_s += after_s
        for event in events:
            self._took(self.center.handle(event, self.moment()))

    def _took(self, commands: list[c.Command]) -> None:
        self.last = [(CommandId(self.center.seq, place), command) for place, command in enumerate(commands)]
        self.all += self.last
        for command_id, command in self.last:
            if isinstance(command, c.Store):
                self.records.append(command.record)
            if isinstance(command, c.Say | c.Collect | c.CollectNumber | c.CollectSecret | c.WaitUntil):
                self.verbs[command.session] = command_id
        for command_id, command in self.last:
            if isinstance(command, self.ACCEPTED):
                assert not self.center.handle(ev.CommandDone(command=command_id), self.moment())
        wrong = check(self.center.snapshot(), self.center.settings)
        assert not wrong, wrong

    def wait(self, seconds: float) -> None:
        """Let time pass, with every deadline at its instant."""
        until = self.now_s + seconds
        while (due := self.center.next_deadline()) is not None and due <= until:
            self.now_s = max(due, self.now_s)
            self._took(self.center.on_deadline(self.moment()))
        self.now_s = until

    # --- what came out ------------------------------------------------------------------------------------------------
    def told(self, kind: type[C]) -> list[C]:
        """Commands of one kind in the last step."""
        return [x for _, x in self.last if isinstance(x, kind)]

    def ever(self, kind: type[C]) -> list[C]:
        return [x for _, x in self.all if isinstance(x, kind)]

    def kept(self, kind: type[R]) -> list[R]:
        return [x for x in self.records if isinstance(x, kind)]

    def shown(self, agent: int) -> ShownState:
        view = overview(self.center.snapshot(), self.center.settings, self.moment())
        return next(a.state for a in view.agents if a.id == f"10{agent}")

    def state(self, number: int) -> str:
        """The state of a live interaction; "over" when it is history."""
        found = self.center.snapshot().interactions.get(InteractionId(number))
        return found.state.value if found else "over"

    # --- people -------------------------------------------------------------------------------------------------------
    def log_in(self, agent: int) -> None:
        self.tell(ev.LoginRequested(request=RequestId(agent), agent=AgentId(f"10{agent}"), phone=PhoneId(f"PJSIP/100{agent}")))

    def observe(
        self, *seen: ev.ChannelView, after_s: float = 1.0, asked_s_ago: float = 0.0, down: tuple[int, ...] = ()
    ) -> None:
        self.now_s += after_s
        phones = {
            p: PhoneState.UNAVAILABLE if int(s.number) - 1000 in down else PhoneState.IDLE
            for p, s in self.settings.phones.items()
        }
        self.tell(ev.PbxObserved(pbx="pbx", asked_at_s=self.now_s - asked_s_ago, channels=seen, phones=phones))

    def call(self, did: str = "901", number: str | None = "+34911222333") -> LegId:
        """A new caller; straight into sales by default."""
        self.count += 1
        leg = LegId("pbx", f"1700000000.{self.count}")
        self.arrive(leg, did=did, number=number)
        return leg

    def arrive(self, leg: LegId, did: str = "901", number: str | None = "+34911222333") -> SessionId:
        session = SessionId(f"1-{len(self.all)}-{leg.uniqueid}")
        self.tell(
            ev.CallArrived(
                session=session,
                leg=leg,
                channel=f"PJSIP/trunk-{leg.uniqueid}",
                did=did,
                caller_number=number,
                number_as_given=number or "",
                caller_name="",
            )
        )
        return session

    def session_of(self, leg: LegId) -> SessionId:
        session = self.center.snapshot().legs[leg].session
        assert session is not None
        return session

    def prompt_ends(self, leg: LegId, end: ev.VerbEnd = ev.VerbEnd.DONE) -> None:
        session = self.session_of(leg)
        self.tell(ev.PromptEnded(session=session, command=self.verbs[session], end=end))

    def types(self, leg: LegId, digits: str) -> None:
        session = self.session_of(leg)
        end = ev.VerbEnd.DIGIT if digits else ev.VerbEnd.TIMEOUT
        self.tell(ev.DigitsCollected(session=session, command=self.verbs[session], end=end, digits=digits))

    def wait_ends(self, leg: LegId) -> None:
        session = self.session_of(leg)
        self.tell(ev.WaitEnded(session=session, command=self.verbs[session], end=ev.VerbEnd.TIMEOUT))

    def hangs_up(self, leg: LegId, cause: int = 16, tech_cause: int = 0) -> None:
        self.tell(ev.LegEnded(leg=leg, cause=cause, tech_cause=tech_cause))

    # --- offers -------------------------------------------------------------------------------------------------------
    def ring(self) -> c.RingAgent:
        """The one offer of the last step."""
        (offer,) = self.told(c.RingAgent)
        return offer

    def ringing(self, offer: c.RingAgent) -> None:
        self.tell(ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"), ev.LegRinging(leg=offer.leg))

    def joined(self, offer: c.RingAgent) -> None:
        """The agent answers and both enter the bridge."""
        bridge = f"b-{offer.leg.uniqueid}"
        session = self.center.snapshot().legs[offer.caller].session
        self.tell(ev.LegAnswered(leg=offer.leg), ev.LegEnteredBridge(leg=offer.caller, bridge=bridge))
        if session is not None:
            self.tell(ev.SessionClosed(session=session))
        self.tell(ev.LegEnteredBridge(leg=offer.leg, bridge=bridge))

    def talk(self, did: str = "901") -> tuple[LegId, c.RingAgent]:
        """A caller who talks with an agent."""
        caller = self.call(did)
        offer = self.ring()
        self.ringing(offer)
        self.now_s += 2.0
        self.joined(offer)
        return caller, offer
