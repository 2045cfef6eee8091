"""A desk on which customers are handed on: agents type keys, phones come to the desk, orders to join and to move are carried out."""

from dataclasses import replace

from desk import Desk, a_queue, spoken

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import LegId, SessionId
from ccserver.core.settings import ClassOfService, EnqueueNode, Flow, NumberKind, QueueSettings, ReturnNode, SayNode, Settings

KINDS = {"9": NumberKind.MOBILE, "8": NumberKind.PREMIUM, "7": NumberKind.UNKNOWN}
PAY = Flow(start="pay", nodes={"pay": SayNode(say=spoken("pay"), next="done"), "done": ReturnNode(result="paid")})
AWAY = Flow(start="q", nodes={"q": EnqueueNode(queue="support")})


class HandoverDesk(Desk):
    """Queues: sales (401), support (402, served by the last agent), and direct calls. Agents may call mobile numbers outside."""

    ACCEPTED = (c.AnswerCall, c.RingAgent, c.HangUpLeg, c.DialOut)

    def __init__(self, agents: int = 3, *, logged_in: bool = True, **queues: QueueSettings) -> None:
        direct = a_queue(name="Direct", skills=(), dispositions=(), wrap_up_s=5.0)
        support = a_queue(name="Support", number="402", skills=("support",), dispositions=())
        super().__init__(
            agents, logged_in=logged_in, **{"sales": a_queue(number="401"), "direct": direct, "support": support, **queues}
        )

    def adapted(self, settings: Settings) -> Settings:
        mobile = ClassOfService(allows=frozenset({NumberKind.INTERNAL, NumberKind.MOBILE}))
        agents = {a: replace(s, class_of_service="mobile") for a, s in settings.agents.items()}
        last = list(agents)[-1]
        agents[last] = replace(agents[last], skills={"support": 50})
        return replace(
            settings,
            agents=agents,
            classes_of_service={"mobile": mobile},
            flows={**settings.flows, "pay": PAY, "away": AWAY},
            sendable_flows={"1": "pay", "2": "away"},
        )

    def leg(self, leg: LegId):  # type: ignore[no-untyped-def]
        return self.center.snapshot().legs.get(leg)

    def it(self, number: int = 1):  # type: ignore[no-untyped-def]
        return self.center.snapshot().interactions.get(number)

    def work(self, agent: int) -> list[tuple[int, str]]:
        return [(w.interaction, w.phase.value) for w in self.center.snapshot().agents[f"10{agent}"].work]

    # --- what people and the PBX do -------------------------------------------------------------------------------------
    def keys(self, leg: LegId, typed: str) -> None:
        for digit in typed:
            assert self.center.listens_to(leg)
            self.tell(ev.LegDigit(leg=leg, digit=digit))

    def done(self, kind: type[c.Command]) -> None:
        """The newest command of this kind was accepted."""
        command = next(i for i, x in reversed(self.all) if isinstance(x, kind))
        self.tell(ev.CommandDone(command=command))

    def refused(self, kind: type[c.Command]) -> None:
        command = next(i for i, x in reversed(self.all) if isinstance(x, kind))
        self.tell(ev.CommandFailed(command=command, reason="No such channel"))

    def left(self, *legs: LegId) -> None:
        for leg in legs:
            known = self.leg(leg)
            if known is not None and known.bridge is not None:
                self.tell(ev.LegLeftBridge(leg=leg, bridge=known.bridge))

    def desk(self, leg: LegId) -> SessionId:
        """The leg comes to the desk."""
        self.left(leg)
        session = SessionId(f"d-{len(self.all)}-{leg.uniqueid}")
        known = self.leg(leg)
        self.tell(ev.DeskOpened(session=session, leg=leg, channel=known.channel if known else ""))
        return session

    def wraps(self, leg: LegId) -> SessionId:
        """The leg came out of its bridge by itself."""
        self.left(leg)
        session = SessionId(f"w-{len(self.all)}-{leg.uniqueid}")
        self.tell(ev.WrapUpOpened(session=session, leg=leg))
        return session

    def apart(self, customer: LegId, agent: LegId) -> None:
        """Both legs follow the redirect that was ordered."""
        (order,) = self.told(c.RedirectLegs)
        assert [(m.leg, m.place) for m in order.moves] == [(customer, c.Place.LOOP), (agent, c.Place.DESK)]
        self.done(c.RedirectLegs)
        self.left(customer, agent)
        self.arrive(customer)
        self.desk(agent)

    def number(self, leg: LegId, digits: str) -> None:
        session = self.session_of(leg)
        kind = KINDS.get(digits[:1], NumberKind.INTERNAL)
        number = f"+34{digits}" if kind is not NumberKind.INTERNAL else digits
        end = ev.VerbEnd.DONE if digits else ev.VerbEnd.TIMEOUT
        self.tell(
            ev.NumberCollected(session=session, command=self.verbs[session], end=end, digits=digits, number=number, kind=kind)
        )

    def star(self, leg: LegId, typed: str) -> None:
        """Keys typed at the desk, while nobody has answered."""
        for digit in typed:
            session = self.session_of(leg)
            verb = next(x for i, x in reversed(self.all) if i == self.verbs[session])
            assert isinstance(verb, c.WaitUntil)
            assert digit in verb.stop_digits
            self.tell(ev.WaitEnded(session=session, command=self.verbs[session], end=ev.VerbEnd.DIGIT, digit=digit))

    def bridged(self, one: LegId, other: LegId) -> None:
        """Both legs enter one bridge, and their sessions close."""
        bridge = f"b-{len(self.all)}"
        for leg in (one, other):
            self.left(leg)
            known = self.leg(leg)
            self.tell(ev.LegEnteredBridge(leg=leg, bridge=bridge))
            if known is not None and known.session is not None:
                self.tell(ev.SessionClosed(session=known.session))

    def join_happens(self) -> c.JoinLeg:
        """The join that was ordered last, in this step."""
        (order,) = self.told(c.JoinLeg)
        self.done(c.JoinLeg)
        self.bridged(order.leg, order.caller)
        return order

    def asks(self, agent: int, customer: LegId, leg: LegId, key: str, digits: str) -> None:
        """A talk, the key, the desk, the number."""
        self.keys(leg, key)
        self.apart(customer, leg)
        self.number(leg, digits)

    def consult(self, digits: str = "102") -> tuple[LegId, LegId, c.RingAgent]:
        """A customer on hold, agent 101 who consults, and the offer to the colleague."""
        customer, offer = self.talk()
        self.asks(1, customer, offer.leg, "*2", digits)
        return customer, offer.leg, self.ring()

    def consulting(self, digits: str = "102") -> tuple[LegId, LegId, LegId]:
        """The same, and they talk."""
        customer, agent, offer = self.consult(digits)
        self.ringing(offer)
        self.joined(offer)
        return customer, agent, offer.leg

    def restarted(self) -> None:
        """The daemon comes back with what it had, and finds every leg where it was."""
        state = self.center.snapshot()
        self.center = CallCenter.restore(state)
        self.tell(ev.CenterStarted(incarnation=2, first_interaction=1))
        self.tell(ev.LinkUp(pbx="pbx", uptime_s=50.0 + self.now_s - 100.0))
        seen = [
            ev.ChannelView(leg=leg.id, channel=leg.channel, is_up=True, bridge=leg.bridge, application="", context="")
            for leg in state.legs.values()
        ]
        self.observe(*seen)
