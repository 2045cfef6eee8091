"""The doors of conferences with a number: an agent's phone dials in by the feature code, a caller comes by a node of their flow, and
who was invited comes when they have answered.

Which room, then its PIN where it has one, then what is to be said before one is in it. Moderators are those with the moderators' PIN; in a
room that has only that one, who types nothing is let in as everybody else. Three wrong PINs, a room that is full or locked: out, on record.
"""

from collections.abc import Callable

from ccserver.core.agents import Agents
from ccserver.core.callers import Callers, prompt
from ccserver.core.change import replace
from ccserver.core.commands import Collect, CollectSecret, EndSession, Next, Say
from ccserver.core.events import SecretChecked
from ccserver.core.facts import HandedOver
from ccserver.core.ids import InteractionId, Language, LegId, PhoneId, PromptId, RoomId, SessionId
from ccserver.core.ledger import Ledger
from ccserver.core.records import EndedBy, Outcome
from ccserver.core.rooms import RECORDED, Rooms
from ccserver.core.settings import ConferenceSettings, Spoken
from ccserver.core.state import After, AfterKind, Dialogue, Door, Interaction, Leg, Member, Role, Session
from ccserver.core.step import Step

FIRST_DIGIT_S = 8.0
NEXT_DIGIT_S = 3.0
PIN_S = 10.0
NUMBER_DIGITS_MAX = 8
TRIES = 3
MODERATOR = "moderator"
"""The token of the moderators' PIN."""
ENTER, PIN, WRONG, UNKNOWN, REFUSED = (
    "cc-conference-enter",
    "cc-conference-pin",
    "cc-conference-wrong-pin",
    "cc-conference-unknown",
    "cc-conference-refused",
)
DIALOGUES = frozenset({Dialogue.ROOM_NUMBER, Dialogue.ROOM_PIN, Dialogue.ROOM_ENTER})
OwnCall = Callable[[LegId, PhoneId, str], None]


class RoomDoors:
    """`last_words` says one prompt and ends a phone's call, `own_call` notes that an agent's phone is busy with the room."""

    def __init__(
        self, step: Step, ledger: Ledger, agents: Agents, callers: Callers, *, rooms: Rooms, own_call: OwnCall
    ) -> None:
        self._step = step
        self._ledger = ledger
        self._agents = agents
        self._callers = callers
        self._rooms = rooms
        self._own_call = own_call
        self.last_words: Callable[[SessionId, str], None] = _nobody_listens

    # --- a phone of ours ----------------------------------------------------------------------------------------------
    def begin(self, session: Session, number: str) -> None:
        """The feature code was dialled, perhaps with the room's number behind it."""
        if number:
            self._named(session, number)
            return
        self._put(session, Dialogue.ROOM_NUMBER, None)
        self._step.speak(
            Collect(
                session=session.id,
                say=(prompt("cc-conference-number"),),
                language=self._step.settings.default_language,
                max_digits=NUMBER_DIGITS_MAX,
                first_timeout_s=FIRST_DIGIT_S,
                next_timeout_s=NEXT_DIGIT_S,
            )
        )

    def digits_collected(self, session: Session, digits: str) -> None:
        if digits:
            self._named(session, digits)
        else:
            self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP))

    def _named(self, session: Session, number: str) -> None:
        room = self._rooms.by_number(number)
        config = self._rooms.config(room) if room is not None else None
        if room is None or config is None:
            self.last_words(session.id, UNKNOWN)
        elif _has_pin(config):
            self._put(session, Dialogue.ROOM_PIN, Door(room=room))
            self._ask(session.id, room, config, (prompt(PIN),))
        else:
            self._welcome(session, Door(room=room))

    def secret_checked(self, session: Session, event: SecretChecked) -> None:
        door = session.door
        config = self._rooms.config(door.room) if door is not None else None
        if door is None or config is None:
            self.last_words(session.id, UNKNOWN)
            return
        opened = _opened(door, config, event)
        if opened is not None:
            self._welcome(session, opened)
        elif door.tries + 1 >= TRIES or event.is_failed:
            self._rooms.turned_away(self._phones_member(session, door))
            self.last_words(session.id, REFUSED)
        else:
            self._put(session, Dialogue.ROOM_PIN, replace(door, tries=door.tries + 1))
            self._ask(session.id, door.room, config, (prompt(WRONG), prompt(PIN)))

    def invited(self, session: Session, leg: Leg) -> bool:
        """Somebody has answered an invitation. False: this leg is nobody's who was invited."""
        member = self._step.members.get(leg.id)
        if member is None or member.number or not member.invited_as:
            return False
        self._step.members.put(leg.id, replace(member, channel=leg.channel))
        self._put(session, Dialogue.ROOM_ENTER, Door(room=member.room))
        say, language = self._words(member.room), self._language(member.room)
        self._step.speak(Say(session=session.id, say=say, language=language))
        return True

    def _welcome(self, session: Session, door: Door) -> None:
        shut = self._rooms.shut(door.room, is_moderator=door.is_moderator)
        if shut is not None:
            self._rooms.turned_away(self._phones_member(session, door))
            self.last_words(session.id, shut)
            return
        self._put(session, Dialogue.ROOM_ENTER, door)
        self._step.speak(Say(session=session.id, say=self._words(door.room), language=self._language(door.room)))

    def prompt_ended(self, session: Session) -> None:
        """All is said: into the room, unless that was closed meanwhile."""
        step, door = self._step, session.door
        leg = step.legs.get(session.leg)
        config = self._rooms.config(door.room) if door is not None else None
        if door is None or config is None or leg is None:
            self.last_words(session.id, UNKNOWN)
            return
        member = step.members.get(leg.id) or self._phones_member(session, door)
        if leg.phone is not None:
            step.legs.put(leg.id, replace(leg, role=Role.OWN))
            self._own_call(leg.id, leg.phone, config.number)
        entry = self._rooms.let_in(member)
        step.end_session(EndSession(session=session.id, next=Next.ROOM, entry=entry))

    def _phones_member(self, session: Session, door: Door) -> Member:
        leg = self._step.legs[session.leg]
        agent = self._agents.at_phone(leg.phone) if leg.phone is not None else None
        return Member(
            leg=leg.id,
            room=door.room,
            channel=leg.channel,
            is_moderator=door.is_moderator,
            since=self._step.now,
            heard_s=self._step.now.mono_s,
            agent=agent.id if agent is not None else None,
            phone=leg.phone,
        )

    # --- a caller -----------------------------------------------------------------------------------------------------
    def caller(self, interaction: Interaction, room: RoomId) -> None:
        """The flow leads into the room."""
        config = self._rooms.config(room)
        session = self._step.caller_session(interaction)
        interaction = self._ledger.put(replace(interaction, door=Door(room=room)))
        if config is None:
            self._turn_away(interaction, UNKNOWN)
        elif not _has_pin(config):
            self._caller_opened(interaction, Door(room=room))
        elif session is not None:
            # Without a session they are on their way back, and the node is gone to again.
            self._ask(session, room, config, (prompt(PIN),))

    def caller_checked(self, interaction: Interaction, event: SecretChecked) -> None:
        door = interaction.door
        config = self._rooms.config(door.room) if door is not None else None
        session = self._step.caller_session(interaction)
        if door is None or config is None or session is None:
            self._turn_away(interaction, UNKNOWN)
            return
        opened = _opened(door, config, event)
        if opened is not None:
            self._caller_opened(interaction, opened)
        elif door.tries + 1 >= TRIES or event.is_failed:
            self._turn_away(interaction, REFUSED)
        else:
            self._ledger.put(replace(interaction, door=replace(door, tries=door.tries + 1)))
            self._ask(session, door.room, config, (prompt(WRONG), prompt(PIN)))

    def _caller_opened(self, interaction: Interaction, door: Door) -> None:
        shut = self._rooms.shut(door.room, is_moderator=door.is_moderator)
        if shut is not None:
            self._turn_away(interaction, shut)
            return
        interaction = self._ledger.put(replace(interaction, door=door))
        self._callers.say(interaction, self._words(door.room), After(kind=AfterKind.CONFERENCE, target=door.room))

    def caller_enters(self, interaction: Interaction) -> None:
        """All is said. The call does not come back, so the interaction is over here."""
        step, door = self._step, interaction.door
        session, leg = step.caller_session(interaction), step.legs.get(interaction.leg)
        if door is None or self._rooms.config(door.room) is None:
            self._turn_away(interaction, UNKNOWN)
            return
        if session is None or leg is None:
            return
        self._ledger.put(replace(interaction, outcome=Outcome.CONFERENCE, ended_by=EndedBy.SYSTEM, door=None))
        entry = self._rooms.let_in(self._callers_member(interaction, door, leg.id, leg.channel))
        step.end_session(EndSession(session=session, next=Next.ROOM, entry=entry))
        step.legs.put(leg.id, replace(leg, role=Role.ROOM, interaction=None))
        step.tell(HandedOver(InteractionId(interaction.id)))

    def _turn_away(self, interaction: Interaction, words: str) -> None:
        door, leg = interaction.door, self._step.legs.get(interaction.leg)
        if door is not None and leg is not None:
            self._rooms.turned_away(self._callers_member(interaction, door, leg.id, leg.channel))
        interaction = self._ledger.put(replace(interaction, outcome=Outcome.REFUSED, door=None))
        self._callers.say(interaction, (prompt(words),), After(kind=AfterKind.LEAVE))

    def _callers_member(self, interaction: Interaction, door: Door, leg: LegId, channel: str) -> Member:
        return Member(
            leg=leg,
            room=door.room,
            channel=channel,
            is_moderator=door.is_moderator,
            since=self._step.now,
            heard_s=self._step.now.mono_s,
            caller_number=interaction.caller_number,
            interaction=interaction.id,
        )

    # --- inside -------------------------------------------------------------------------------------------------------
    def _ask(self, session: SessionId, room: RoomId, config: ConferenceSettings, say: tuple[Spoken, ...]) -> None:
        language = self._language(room)
        self._step.speak(CollectSecret(session=session, room=room, say=say, language=language, timeout_s=PIN_S))

    def _words(self, room: RoomId) -> tuple[Spoken, ...]:
        """Who is going to be recorded is told so before."""
        return (prompt(ENTER), prompt(RECORDED)) if self._rooms.is_recorded(room) else (prompt(ENTER),)

    def _language(self, room: RoomId) -> Language:
        config = self._rooms.config(room)
        return (config.language if config is not None else None) or self._step.settings.default_language

    def _put(self, session: Session, dialogue: Dialogue, door: Door | None) -> None:
        self._step.sessions.put(session.id, replace(self._step.sessions[session.id], dialogue=dialogue, door=door))


def _has_pin(config: ConferenceSettings) -> bool:
    return config.has_pin or config.has_moderator_pin


def _opened(door: Door, config: ConferenceSettings, event: SecretChecked) -> Door | None:
    """The door, with who it is open for. None: it stays shut."""
    if event.is_ok:
        return replace(door, is_moderator=event.token == MODERATOR)
    is_nothing = event.is_ok is None and not event.is_failed
    return door if is_nothing and not config.has_pin else None


def _nobody_listens(session: SessionId, words: str) -> None:
    raise AssertionError(f"{session} was to hear {PromptId(words)} before there was a voice")
