"""A fourth and a fifth in a conference: the agent steps out and asks somebody in; the others talk on, whatever happens meanwhile."""

import pytest
from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId, SessionId
from ccserver.core.records import InteractionRecord, RecordingRecord, RecordingSide, ShownState, TransferOutcome, TransferRecord

MOBILE = "911"


class RoomDesk(HandoverDesk):
    """101 has a conference with the customer and 102; 103 and a mobile number can be asked in."""

    def __init__(self) -> None:
        super().__init__(4)
        self.customer, self.agent, self.colleague = self.consulting()
        self.keys(self.agent, "*3")
        self.done(c.RedirectLegs)
        self.enter(self.agent, self.colleague)
        self.done(c.RedirectLegs)
        self.enter(self.customer)

    def enter(self, *legs: LegId) -> None:
        """They come into the room, out of whatever they were in."""
        for leg in legs:
            self.left(leg)
            known = self.leg(leg)
            self.tell(ev.LegEnteredBridge(leg=leg, bridge="room"))
            if known.session is not None:
                self.tell(ev.SessionClosed(session=known.session))

    def steps_out(self) -> None:
        self.keys(self.agent, "*2")
        (order,) = self.told(c.RedirectLegs)
        assert [(move.leg, move.place) for move in order.moves] == [(self.agent, c.Place.DESK)], "nobody else moves"
        self.done(c.RedirectLegs)
        self.left(self.agent)
        self.desk(self.agent)

    def asks_in(self, digits: str = "103") -> c.RingAgent:
        self.steps_out()
        self.number(self.agent, digits)
        return self.ring()

    def talks_with(self, digits: str = "103") -> LegId:
        offer = self.asks_in(digits)
        self.ringing(offer)
        self.joined(offer)
        return offer.leg

    def talks_with_outside(self) -> LegId:
        self.steps_out()
        self.number(self.agent, MOBILE)
        (dial,) = self.told(c.DialOut)
        self.tell(ev.LegStarted(leg=dial.leg, channel=f"PJSIP/carrier-{dial.leg.uniqueid}"))
        self.bridged(self.agent, dial.leg)
        return dial.leg

    def moved(self) -> list[tuple[LegId, str]]:
        """Who is ordered into the room in this step."""
        return [(move.leg, move.room) for order in self.told(c.RedirectLegs) for move in order.moves if move.room]

    def agents_in_talk(self) -> list[str]:
        return [talk.agent for talk in self.it().talks()]

    def outcomes(self) -> list[tuple[str, TransferOutcome]]:
        """Of what came after the first consultation."""
        return [(each.to, each.outcome) for each in self.kept(TransferRecord)][1:]


def test_a_fourth_comes_in_with_the_agent() -> None:
    desk = RoomDesk()
    fourth = desk.talks_with()
    assert desk.state(1) == "talking"
    assert desk.shown(1) is ShownState.CONSULTING and desk.shown(2) is ShownState.TALKING
    desk.keys(desk.agent, "*3")
    assert desk.moved() == [(desk.agent, "cc-1"), (fourth, "cc-1")]
    desk.done(c.RedirectLegs)
    desk.enter(desk.agent, fourth)
    assert desk.agents_in_talk() == ["101", "102", "103"]
    assert desk.shown(1) is desk.shown(3) is ShownState.TALKING
    assert desk.it().handover is None and desk.outcomes() == [("103", TransferOutcome.DONE)]
    desk.hangs_up(desk.customer)
    for leg in (desk.agent, desk.colleague):
        desk.hangs_up(leg)
    desk.desk(fourth)
    desk.wait(25.0)
    desk.hangs_up(fourth)
    assert desk.state(1) == "over"


def test_a_fifth_from_outside_comes_in_too_and_guests_leave_one_after_the_other() -> None:
    desk = RoomDesk()
    guests = []
    for _ in range(2):
        guests.append(desk.talks_with_outside())
        desk.keys(desk.agent, "*3")
        desk.done(c.RedirectLegs)
        desk.enter(desk.agent, guests[-1])
    assert [guest.leg for guest in desk.it().guests()] == guests
    desk.hangs_up(guests[0])
    assert [guest.leg for guest in desk.it().guests()] == guests[1:]
    desk.keys(desk.agent, "*9")
    assert {order.leg for order in desk.told(c.HangUpLeg)} == {desk.colleague, guests[1]}
    assert desk.state(1) == "talking" and not desk.it().guests()


def test_the_agent_goes_back_without() -> None:
    desk = RoomDesk()
    fourth = desk.talks_with()
    desk.keys(desk.agent, "*9")
    assert desk.moved() == [(desk.agent, "cc-1")]
    assert [order.leg for order in desk.told(c.HangUpLeg)] == [fourth]
    desk.done(c.RedirectLegs)
    desk.enter(desk.agent)
    desk.hangs_up(fourth)
    assert desk.agents_in_talk() == ["101", "102"] and desk.it().handover is None
    assert desk.outcomes() == [("103", TransferOutcome.CANCELLED)]


def test_the_newcomer_takes_the_agents_place() -> None:
    desk = RoomDesk()
    fourth = desk.talks_with()
    desk.keys(desk.agent, "*1")
    assert desk.moved() == [(fourth, "cc-1")]
    desk.enter(fourth)
    desk.desk(desk.agent)
    assert desk.agents_in_talk() == ["102", "103"]
    assert desk.work(1) == [(1, "wrap_up")] and desk.outcomes() == [("103", TransferOutcome.DONE)]


@pytest.mark.parametrize("how", ["busy", "no answer", "hangs up"])
def test_the_newcomer_does_not_come(how: str) -> None:
    desk = RoomDesk()
    if how == "hangs up":
        desk.hangs_up(desk.talks_with())
        desk.desk(desk.agent)
    else:
        offer = desk.asks_in()
        desk.ringing(offer)
        desk.hangs_up(offer.leg, *((17, 486) if how == "busy" else (19, 480)))
    assert desk.it().handover.stage.value == "telling"
    desk.prompt_ends(desk.agent)
    assert desk.moved() == [(desk.agent, "cc-1")]
    desk.enter(desk.agent)
    assert desk.agents_in_talk() == ["101", "102"] and desk.it().handover is None


def test_nothing_is_typed_and_the_agent_goes_back() -> None:
    desk = RoomDesk()
    desk.steps_out()
    desk.number(desk.agent, "")
    assert desk.moved() == [(desk.agent, "cc-1")]


@pytest.mark.parametrize("stage", ["asked", "rings", "talks"])
def test_the_customer_leaves_meanwhile(stage: str) -> None:
    """The agent who is out wraps up, and nobody is brought in; the colleague, alone in the room, is let out."""
    desk = RoomDesk()
    newcomer = _at(desk, stage)
    desk.hangs_up(desk.customer)
    assert desk.work(1) == [(1, "wrap_up")] and desk.work(2) == [(1, "wrap_up")]
    if newcomer is not None:
        assert newcomer in [order.leg for order in desk.ever(c.HangUpLeg)]
        desk.hangs_up(newcomer)
        if stage == "talks":
            desk.desk(desk.agent)
    desk.desk(desk.colleague)
    desk.wait(30.0)
    desk.hangs_up(desk.agent)
    desk.hangs_up(desk.colleague)
    assert desk.state(1) == "over" and desk.state(3) == "over"


def test_the_customer_leaves_meanwhile_and_two_others_talk_on() -> None:
    desk = RoomDesk()
    guest = desk.talks_with_outside()
    desk.keys(desk.agent, "*3")
    desk.done(c.RedirectLegs)
    desk.enter(desk.agent, guest)
    desk.steps_out()
    desk.hangs_up(desk.customer)
    assert desk.agents_in_talk() == ["102"] and [each.leg for each in desk.it().guests()] == [guest]
    assert desk.state(1) == "talking" and desk.work(1) == [(1, "wrap_up")]
    desk.hangs_up(guest)
    assert desk.work(2) == [(1, "wrap_up")], "alone in the room"


@pytest.mark.parametrize("stage", ["asked", "rings", "talks"])
def test_the_colleague_leaves_meanwhile_and_it_is_an_ordinary_consultation(stage: str) -> None:
    desk = RoomDesk()
    newcomer = _at(desk, stage)
    desk.hangs_up(desk.colleague)
    (order,) = desk.told(c.RedirectLegs)
    assert [(move.leg, move.place) for move in order.moves] == [(desk.customer, c.Place.LOOP)]
    desk.done(c.RedirectLegs)
    desk.left(desk.customer)
    desk.arrive(desk.customer)
    assert desk.state(1) == "held" and not desk.it().room
    if stage != "talks":
        return
    desk.keys(desk.agent, "*3")
    desk.done(c.RedirectLegs)
    assert newcomer is not None
    desk.enter(desk.agent, newcomer)
    desk.done(c.RedirectLegs)
    desk.enter(desk.customer)
    assert desk.agents_in_talk() == ["101", "103"] and desk.state(1) == "talking"


@pytest.mark.parametrize("stage", ["asked", "rings", "talks"])
def test_the_agent_hangs_up_meanwhile(stage: str) -> None:
    """Who talked with the agent takes the place in the room; who was only called is let go."""
    desk = RoomDesk()
    newcomer = _at(desk, stage)
    desk.hangs_up(desk.agent)
    assert desk.work(1) == [(1, "wrap_up")] and desk.state(1) == "talking"
    if stage == "talks":
        assert newcomer is not None and desk.moved() == [(newcomer, "cc-1")]
        desk.enter(newcomer)
        assert desk.agents_in_talk() == ["102", "103"]
    else:
        assert desk.agents_in_talk() == ["102"] and desk.it().handover is None
        if newcomer is not None:
            assert newcomer in [order.leg for order in desk.ever(c.HangUpLeg)]


@pytest.mark.parametrize("is_in", [False, True], ids=["on the way", "in the room"])
def test_the_end_of_the_talk_with_the_agent_is_read_after_the_newcomers_move_was_ordered(is_in: bool) -> None:
    """Asterisk tells it over another socket; the newcomer has not left the room for it."""
    desk = RoomDesk()
    newcomer = desk.talks_with()
    desk.left(newcomer)
    desk.hangs_up(desk.agent)
    assert desk.moved() == [(newcomer, "cc-1")]
    if is_in:
        desk.enter(newcomer)
    late = SessionId("late")
    desk.tell(ev.WrapUpOpened(session=late, leg=newcomer))
    desk.tell(ev.SessionClosed(session=late))
    if not is_in:
        desk.enter(newcomer)
    desk.wait(5.0)
    assert desk.agents_in_talk() == ["102", "103"] and desk.state(1) == "talking"
    assert not desk.ever(c.HangUpLeg)


@pytest.mark.parametrize("who", ["agent", "newcomer", "colleague", "customer"])
def test_somebody_hangs_up_on_the_way_in(who: str) -> None:
    desk = RoomDesk()
    newcomer = desk.talks_with()
    desk.keys(desk.agent, "*3")
    legs = {"agent": desk.agent, "newcomer": newcomer, "colleague": desk.colleague, "customer": desk.customer}
    names = {"agent": "101", "newcomer": "103", "colleague": "102"}
    desk.hangs_up(legs[who])
    desk.done(c.RedirectLegs)
    desk.enter(*(leg for leg in (desk.agent, newcomer) if leg != legs[who]))
    assert sorted(desk.agents_in_talk()) == sorted(agent for name, agent in names.items() if name != who)
    assert desk.it().handover is None and desk.state(1) == "talking"


def test_a_refused_move_leads_the_agent_back_alone() -> None:
    desk = RoomDesk()
    newcomer = desk.talks_with()
    desk.keys(desk.agent, "*3")
    desk.refused(c.RedirectLegs)
    assert desk.moved() == [(desk.agent, "cc-1")] and newcomer in [order.leg for order in desk.told(c.HangUpLeg)]
    desk.enter(desk.agent)
    desk.hangs_up(newcomer)
    assert desk.agents_in_talk() == ["101", "102"] and desk.it().handover is None


def test_nothing_is_heard_of_the_way_back() -> None:
    desk = RoomDesk()
    desk.steps_out()
    desk.number(desk.agent, "")
    desk.wait(11.0)
    assert desk.agent in [order.leg for order in desk.ever(c.HangUpLeg)]
    desk.hangs_up(desk.agent)
    assert desk.agents_in_talk() == ["102"] and desk.it().handover is None


@pytest.mark.parametrize("stage", ["asked", "rings", "talks"])
def test_the_daemon_comes_back_meanwhile(stage: str) -> None:
    desk = RoomDesk()
    newcomer = _at(desk, stage)
    desk.restarted()
    if stage != "talks":
        desk.desk(desk.agent)
    if stage == "talks":
        assert newcomer is not None
        desk.keys(desk.agent, "*3")
        desk.done(c.RedirectLegs)
        desk.enter(desk.agent, newcomer)
        assert desk.agents_in_talk() == ["101", "102", "103"]
    assert desk.state(1) == "talking"


def test_alone_with_the_customer_the_agent_consults_as_in_any_talk() -> None:
    desk = RoomDesk()
    desk.hangs_up(desk.colleague)
    desk.asks(1, desk.customer, desk.agent, "*2", "103")
    assert desk.state(1) == "held" and not desk.it().room


# --- recordings -------------------------------------------------------------------------------------------------------
def test_what_the_agent_says_outside_the_room_is_not_in_the_conferences_recording() -> None:
    desk = RoomDesk()
    desk.now_s += 10.0
    fourth = desk.talks_with()
    told = [each for each in desk.kept(RecordingRecord) if each.side is not RecordingSide.BOTH]
    assert [(each.leg, each.side) for each in told] == [(desk.agent, RecordingSide.AGENTS)]
    assert desk.it().tracks, "the others are recorded on"
    desk.keys(desk.agent, "*3")
    (order,) = desk.told(c.RedirectLegs)
    assert [(move.leg, bool(move.recording), move.side) for move in order.moves] == [
        (desk.agent, True, RecordingSide.AGENTS),
        (fourth, True, RecordingSide.AGENTS),
    ]
    assert not desk.told(c.ControlRecording), "nobody else's begins anew"


def test_a_pause_while_the_agent_is_out_is_the_agents_too() -> None:
    desk = RoomDesk()
    desk.keys(desk.agent, "*5")
    desk.steps_out()
    desk.number(desk.agent, "")
    desk.enter(desk.agent)
    paused = [each.leg for each in desk.ever(c.ControlRecording) if each.what is c.RecordingStep.PAUSE]
    assert len(paused) == 4 and paused[-1] == desk.agent, "once all who were there, then the agent again"


def test_the_customers_talk_counts_once_however_many_talk() -> None:
    desk = RoomDesk()
    guest = desk.talks_with_outside()
    desk.keys(desk.agent, "*3")
    desk.done(c.RedirectLegs)
    desk.enter(desk.agent, guest)
    began_s = desk.it().talk.since.mono_s
    desk.now_s += 10.0
    desk.hangs_up(desk.agent)
    desk.now_s += 10.0
    desk.hangs_up(desk.colleague)
    desk.now_s += 10.0
    desk.hangs_up(desk.customer)
    desk.hangs_up(guest)
    ended_s = desk.now_s
    desk.wait(30.0)
    record = next(each for each in desk.kept(InteractionRecord) if each.interaction == 1)
    assert record.talk_s == pytest.approx(ended_s - began_s)


def _at(desk: RoomDesk, stage: str) -> LegId | None:
    """The agent is out, and so far with the newcomer, whose leg it is."""
    if stage == "asked":
        desk.steps_out()
        return None
    if stage == "rings":
        offer = desk.asks_in()
        desk.ringing(offer)
        return offer.leg
    return desk.talks_with()
