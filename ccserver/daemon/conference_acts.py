"""What supervisors and operators do to conferences with a number, and what they are shown of them."""

import re
import secrets
from collections.abc import Callable, Collection, Mapping

from ccserver.agi.numbers import Dialled
from ccserver.control.protocol import Why
from ccserver.control.server import NotDone
from ccserver.core.events import ConferenceAct, ConferenceCreated, ConferenceRequested, InvitationRequested
from ccserver.core.ids import ClassOfServiceId, PromptId, RoomId
from ccserver.core.moment import Moment
from ccserver.core.settings import ConferenceSettings, Settings
from ccserver.core.state import CenterState, Interaction, Member, Room
from ccserver.daemon.live_acts import Given, Made, text_of, who

KeepPins = Callable[[RoomId, Mapping[str, str]], None]
DIGITS_MAX = 8
_WHO = re.compile(r"[A-Za-z0-9_+/.@-]{1,60}")
_HASH = re.compile(r"scrypt(\$[0-9]{1,8}){3}(\$[A-Za-z0-9+/=_-]{1,120}){2}")
GRADES = ("member", "moderator")
TALK = "talk"
"""The kind of a conference that agents made of a consultation."""


class ConferenceActs:
    """Reads the arguments of a request; what names nothing is refused here, with the names there are."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        snapshot: Callable[[], CenterState],
        prompts: Callable[[], Collection[str]],
        keep_pins: KeepPins,
        dialled: Callable[[str], Dialled],
    ) -> None:
        self._settings = settings
        self._snapshot = snapshot
        self._prompts = prompts
        self._keep_pins = keep_pins
        self._dialled = dialled

    def table(self) -> Mapping[str, Callable[[Given], Made]]:
        acts: dict[str, Callable[[Given], Made]] = {f"conference.{act.value}": self._act(act) for act in ConferenceAct}
        return {**acts, "conference.create": self._create, "conference.invite": self._invite}

    def _act(self, act: ConferenceAct) -> Callable[[Given], Made]:
        def made(given: Given) -> Made:
            room, by, member = self._room(given), who(given), _member(given)
            prompt = self._prompt(given) if act is ConferenceAct.ANNOUNCE else None
            return lambda number: ConferenceRequested(request=number, room=room, act=act, member=member, prompt=prompt, by=by)

        return made

    def _invite(self, given: Given) -> Made:
        """Answered when it is known what became of the call."""
        room, by, whom = self._room(given), who(given), text_of(given, "who")
        if not _WHO.fullmatch(whom):
            raise NotDone(Why.MALFORMED, '"who" must be an agent, a phone or a number')
        read = self._dialled(whom)
        return lambda request: InvitationRequested(
            request=request, room=room, who=whom, number=read.number, kind=read.kind, by=by
        )

    def _create(self, given: Given) -> Made:
        by, number = who(given), _digits(given, "number")
        name = RoomId(f"room-{number}" if number else f"room-{secrets.token_hex(4)}")
        state, settings = self._snapshot(), self._settings()
        if name in state.rooms or name in settings.conferences:
            # Its PINs would be another's.
            raise NotDone(Why.REFUSED, f"there is a conference {name}")
        pins = {grade: _hash(given, f"{grade}_pin_hash") for grade in GRADES if given.get(f"{grade}_pin_hash") is not None}
        config = ConferenceSettings(
            number=number,
            has_pin="member" in pins,
            has_moderator_pin="moderator" in pins,
            record=given.get("record") is True,
            class_of_service=self._class_of_service(given),
        )
        self._keep_pins(name, pins)
        return lambda request: ConferenceCreated(request=request, room=name, config=config, by=by)

    # --- what there is --------------------------------------------------------------------------------------------------
    def list(self, now: Moment) -> object:
        """All that goes on, those of the settings in which nobody is, and conferences that agents made of consultations."""
        state, settings = self._snapshot(), self._settings()
        live = [_shown(room, state, now) for room in sorted(state.rooms.values(), key=lambda room: room.id)]
        idle = [_idle(name, config, state) for name, config in settings.conferences.items() if name not in state.rooms]
        talks = [_talk(it, now) for it in state.interactions.values() if it.room]
        return [*live, *talks, *idle]

    def show(self, given: Given, now: Moment) -> object:
        name, state = self._room(given), self._snapshot()
        room = state.rooms.get(name)
        return _shown(room, state, now) if room is not None else _idle(name, self._settings().conferences[name], state)

    # --- what arguments name --------------------------------------------------------------------------------------------
    def _room(self, given: Given) -> RoomId:
        """By its name or its number."""
        named = text_of(given, "conference")
        known = {room.name: room.config.number for room in self._snapshot().rooms.values()}
        known |= {name: config.number for name, config in self._settings().conferences.items() if name not in known}
        found = next((name for name, number in known.items() if named in (name, number)), None)
        if found is None:
            raise NotDone(Why.NOT_FOUND, f"no conference {named!r}; there are: {', '.join(known) or 'none'}")
        return found

    def _class_of_service(self, given: Given) -> ClassOfServiceId | None:
        if given.get("class_of_service") is None:
            return None
        name, known = ClassOfServiceId(text_of(given, "class_of_service")), self._settings().classes_of_service
        if name not in known:
            raise NotDone(Why.NOT_FOUND, f"no class of service {name!r}; there are: {', '.join(known) or 'none'}")
        return name

    def _prompt(self, given: Given) -> PromptId:
        name = text_of(given, "prompt")
        if name not in self._prompts():
            raise NotDone(Why.NOT_FOUND, f"no prompt {name!r}")
        return PromptId(name)


def _shown(room: Room, state: CenterState, now: Moment) -> dict[str, object]:
    members = [member for member in state.members.values() if member.room == room.name and member.number]
    return {
        "conference": room.name,
        "kind": "room",
        "number": room.config.number,
        "interaction": room.id,
        "made_by": room.made_by,
        "since_s": round(now.mono_s - room.since.mono_s, 3),
        "is_locked": room.is_locked,
        "is_recorded": bool(room.recording),
        "invited": _invited(room.name, state),
        "members": [_member_shown(member, now) for member in sorted(members, key=lambda each: each.number)],
    }


def _member_shown(member: Member, now: Moment) -> dict[str, object]:
    return {
        "member": member.number,
        "agent": member.agent,
        "phone": member.phone,
        "caller": member.caller_number,
        "is_moderator": member.is_moderator,
        "is_muted": member.is_muted,
        "leg": member.leg.uniqueid,
        "since_s": round(now.mono_s - member.since.mono_s, 3),
    }


def _invited(name: RoomId, state: CenterState) -> list[str]:
    """Who is being called, or has answered and is not inside yet."""
    return [each.invited_as for each in state.members.values() if each.room == name and each.invited_as and not each.number]


def _idle(name: RoomId, config: ConferenceSettings, state: CenterState) -> dict[str, object]:
    return {
        "conference": name,
        "kind": "room",
        "number": config.number,
        "interaction": None,
        "made_by": "",
        "since_s": None,
        "is_locked": False,
        "is_recorded": False,
        "invited": _invited(name, state),
        "members": [],
    }


def _talk(interaction: Interaction, now: Moment) -> dict[str, object]:
    """Its members are numbered in the order in which they talk, without an agent who is out to bring in one more; acts on it are those of
    the call."""
    people: list[tuple[str | None, str | None, float]] = []
    if interaction.left is None:
        people.append((None, interaction.caller_number, now.mono_s))
    people += [(talk.agent, None, talk.since.mono_s) for talk in interaction.talks() if talk.leg != interaction.outside()]
    people += [(None, guest.number, guest.since.mono_s) for guest in interaction.guests()]
    return {
        "conference": interaction.room,
        "kind": TALK,
        "number": "",
        "interaction": interaction.id,
        "made_by": "",
        "since_s": None,
        "is_locked": False,
        "is_recorded": bool(interaction.tracks),
        "invited": [],
        "members": [
            {
                "member": place,
                "agent": agent,
                "phone": None,
                "caller": number,
                "is_moderator": False,
                "is_muted": False,
                "leg": "",
                "since_s": round(now.mono_s - since_s, 3),
            }
            for place, (agent, number, since_s) in enumerate(people, 1)
        ],
    }


def _member(given: Given) -> int | None:
    value = given.get("member")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise NotDone(Why.MALFORMED, '"member" must be the number of a member')
    return value


def _digits(given: Given, name: str) -> str:
    value = text_of(given, name)
    if not (value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX):
        raise NotDone(Why.MALFORMED, f'"{name}" must be 1 to {DIGITS_MAX} digits')
    return value


def _hash(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise NotDone(Why.MALFORMED, f'"{name}" must be a hash as of ccserver agent hash-pin')
    return value
