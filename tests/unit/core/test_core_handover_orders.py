"""Handovers in every order: at each stage, whatever can happen happens, and then everybody hangs up.

Whatever the order: the invariants hold after each step, no leg, no interaction and no work is left, and each story is told once.
"""

import random
from collections.abc import Callable

import pytest
from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import InteractionRecord, ShownState
from ccserver.core.state import Role


class Dice(HandoverDesk):
    """Carries out at random what may happen next, until everybody has gone home."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.stories = 0

    def open_orders(self) -> list[tuple[ev.CommandId, c.Command]]:  # type: ignore[name-defined]
        waiting = self.center.snapshot().outstanding
        return [(i, x) for i, x in self.all if i in waiting]

    def follow(self) -> None:
        """One order that is open is done or refused, and the PBX does it."""
        orders = self.open_orders()
        if not orders:
            return
        command, order = self.dice.choice(orders)
        legs = [m.leg for m in order.moves] if isinstance(order, c.RedirectLegs) else [order.leg]
        legs += [order.caller] if isinstance(order, c.JoinLeg) else []
        if any(self.leg(leg) is None for leg in legs):
            self.tell(ev.CommandFailed(command=command, reason="No such channel"))
            return
        self.tell(ev.CommandDone(command=command))
        if isinstance(order, c.JoinLeg):
            self.bridged(order.leg, order.caller)
        elif isinstance(order, c.RedirectLegs):
            for move in order.moves:
                self.moved(move)

    def moved(self, move: c.Move) -> None:
        known = self.leg(move.leg)
        if known is None:
            return
        if known.session is not None:
            self.tell(ev.SessionClosed(session=known.session))
        self.left(move.leg)
        if move.place is c.Place.LOOP:
            self.arrive(move.leg)
        elif move.place is c.Place.DESK:
            self.desk(move.leg)
        elif move.place is c.Place.CONFERENCE:
            self.tell(ev.LegEnteredBridge(leg=move.leg, bridge=move.room))

    def stranded(self) -> None:
        """A leg whose partner has left its bridge comes out of it as the dialplan does."""
        legs = self.center.snapshot().legs
        bridges = [leg.bridge for leg in legs.values() if leg.bridge and not leg.bridge.startswith("cc-")]
        for leg in list(legs.values()):
            if leg.bridge in bridges and bridges.count(leg.bridge) == 1:
                if leg.role is Role.CALLER:
                    self.left(leg.id)
                    self.arrive(leg.id)
                elif self.is_caller_of_a_child(leg.id):
                    self.desk(leg.id)
                else:
                    self.wraps(leg.id)

    def is_caller_of_a_child(self, leg: LegId) -> bool:
        return leg in self.callers

    @property
    def callers(self) -> set[LegId]:
        return {x.caller for x in self.ever(c.RingAgent) if x.caller is not None and x.caller.is_ours()}

    def key(self) -> None:
        legs = [g for g in self.center.snapshot().legs if self.center.listens_to(g)]
        if legs:
            self.keys(self.dice.choice(legs), self.dice.choice(["*1", "*2", "*3", "*9", "*0", "*81#", "*82#", "*4", "*5"]))

    def verb(self) -> None:
        """A verb of some session ends."""
        state = self.center.snapshot()
        current = {leg.session for leg in state.legs.values()}
        sessions = [s for s in state.sessions.values() if s.verb is not None and not s.is_ending and s.id in current]
        if not sessions:
            return
        session = self.dice.choice(sessions)
        assert session.verb is not None
        verb = next(x for i, x in self.all if i == session.verb)
        if isinstance(verb, c.CollectNumber):
            self.number(session.leg, self.dice.choice(["102", "103", "402", "911", "811", "", "101"]))
        elif isinstance(verb, c.Collect):
            self.tell(ev.DigitsCollected(session=session.id, command=session.verb, end=ev.VerbEnd.TIMEOUT, digits=""))
        elif isinstance(verb, c.Say):
            self.tell(ev.PromptEnded(session=session.id, command=session.verb, end=ev.VerbEnd.DONE))
        elif isinstance(verb, c.WaitUntil) and verb.stop_digits:
            self.star(session.leg, self.dice.choice(["*1", "*9", "*5"])[:1])
        elif isinstance(verb, c.WaitUntil) and verb.timeout_s is not None:
            self.wait_ends(session.leg)

    def phone(self) -> None:
        """A phone that rings answers or does not."""
        ringing = [x for x in self.ever(c.RingAgent) if self.is_ringing(x)]
        guests = [x for x in self.ever(c.DialOut) if (g := self.leg(x.leg)) is not None and g.bridge is None]
        if guests and self.dice.random() < 0.5:
            guest = self.dice.choice(guests)
            child = self.it(guest.interaction)
            if child is not None and self.leg(child.leg) is not None and self.dice.random() < 0.6:
                self.tell(ev.LegStarted(leg=guest.leg, channel="PJSIP/carrier-01"))
                self.bridged(child.leg, guest.leg)
            else:
                self.hangs_up(guest.leg, cause=19)
        elif ringing:
            offer = self.dice.choice(ringing)
            self.tell(ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"))
            if self.dice.random() < 0.7 and self.leg(offer.caller) is not None and not self.leg(offer.leg).is_cancelled:
                self.bridged(offer.caller, offer.leg)
            else:
                self.hangs_up(offer.leg, cause=19)

    def is_ringing(self, offer: c.RingAgent) -> bool:
        leg = self.leg(offer.leg)
        it = self.it(offer.interaction)
        return leg is not None and leg.bridge is None and it is not None and any(o.leg == offer.leg for o in it.offers)

    def hang_up(self) -> None:
        legs = [g for g in self.center.snapshot().legs.values() if g.bridge is not None or g.session is not None]
        if legs:
            self.hangs_up(self.dice.choice(legs).id, cause=self.dice.choice([16, 16, 102]))

    def unknown(self) -> None:
        """Nobody knows what became of an order; or of all of them, as the daemon was away."""
        orders = self.open_orders()
        if self.dice.random() < 0.3:
            self.restarted()
        elif orders:
            self.tell(ev.OutcomeUnknown(command=self.dice.choice(orders)[0]))

    def ordered_ends(self) -> None:
        """What was told to end ends."""
        for leg in list(self.center.snapshot().legs.values()):
            if leg.is_cancelled:
                self.hangs_up(leg.id)
        for session in list(self.center.snapshot().sessions.values()):
            if session.is_ending:
                self.tell(ev.SessionClosed(session=session.id))
                if session.leg in self.center.snapshot().legs:
                    self.hangs_up(session.leg)

    def step(self) -> None:
        acts: list[Callable[[], None]] = [
            *[self.follow] * 6,
            *[self.verb] * 6,
            *[self.phone] * 4,
            *[self.key] * 3,
            *[self.stranded] * 3,
            *[self.ordered_ends] * 2,
            self.hang_up,
            self.unknown,
            lambda: self.wait(self.dice.choice([0.5, 3.0, 25.0])),
        ]
        self.dice.choice(acts)()

    def everybody_goes_home(self) -> None:
        for _ in range(40):
            state = self.center.snapshot()
            if not state.legs and not state.interactions:
                break
            for leg in list(state.legs.values()):
                if leg.id in self.center.snapshot().legs:
                    self.hangs_up(leg.id)
            self.wait(40.0)


def talking(desk: Dice) -> None:
    _, offer = desk.talk()
    desk.keys(offer.leg, desk.dice.choice(["*1", "*2", "*81#", "*82#"]))


def asking(desk: Dice) -> None:
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, desk.dice.choice(["*1", "*2"]), desk.dice.choice(["102", "402", "911"]))


def consulting(desk: Dice) -> None:
    desk.consulting()


def with_a_guest(desk: Dice) -> None:
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", "911")
    (dial,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"))
    desk.bridged(offer.leg, dial.leg)


def meeting(desk: Dice) -> None:
    desk.dice.choice([consulting, with_a_guest])(desk)
    desk.keys(desk.it().talk.leg, "*3")


def met(desk: Dice) -> None:
    meeting(desk)
    desk.follow()
    desk.follow()
    assert desk.state(1) == "talking"
    assert desk.it().room


def completing(desk: Dice) -> None:
    desk.dice.choice([consulting, with_a_guest])(desk)
    desk.keys(desk.it().talk.leg, "*1")


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("begin", [talking, asking, consulting, with_a_guest, meeting, met, completing])
def test_whatever_the_order_nobody_is_lost(begin: Callable[[Dice], None], seed: int) -> None:
    desk = Dice(seed)
    begin(desk)
    for _ in range(desk.dice.randrange(4, 40)):
        desk.step()
    desk.everybody_goes_home()
    state = desk.center.snapshot()
    assert not state.legs
    assert not state.interactions
    assert all(not agent.work for agent in state.agents.values())
    told = [r.interaction for r in desk.kept(InteractionRecord)]
    assert sorted(told) == sorted(set(told))
    assert {desk.shown(n) for n in (1, 2, 3)} <= {ShownState.READY, ShownState.BACK_OFF, ShownState.NOT_READY}
