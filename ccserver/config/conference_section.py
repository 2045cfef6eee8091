"""The section `conferences`: rooms that people dial into."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.config import kinds
from ccserver.config.kinds import whole
from ccserver.config.schema import Choice, Field, Flag, Group, Reader, Reference, Text, hinted
from ccserver.core.ids import ClassOfServiceId, Language, RoomId
from ccserver.core.settings import Announced, ConferenceSettings

MEMBER, MODERATOR = "member", "moderator"
"""The grades of PINs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceSection:
    number: str
    pin_hash: str = ""
    moderator_pin_hash: str = ""
    max_members: int = 20
    wait_for_moderator: bool = False
    ends_with_moderator: bool = False
    record: bool = False
    announce: Announced = Announced.TONE
    language: Language | None = None
    class_of_service: ClassOfServiceId | None = None

    def settings(self) -> ConferenceSettings:
        return ConferenceSettings(
            number=self.number,
            has_pin=bool(self.pin_hash),
            has_moderator_pin=bool(self.moderator_pin_hash),
            max_members=self.max_members,
            wait_for_moderator=self.wait_for_moderator,
            ends_with_moderator=self.ends_with_moderator,
            record=self.record,
            announce=self.announce,
            language=self.language,
            class_of_service=self.class_of_service,
        )

    def pins(self) -> Mapping[str, str]:
        """The hashes by grade, for the edge."""
        return {grade: pin for grade, pin in ((MEMBER, self.pin_hash), (MODERATOR, self.moderator_pin_hash)) if pin}


_hash_doc = "The hash of {} PIN, made by `ccserver agent hash-pin`; without it {}."
_plain = "PINs are never written in plain text: put the line of ccserver agent hash-pin under {}"

conference = Group(
    "a conference",
    ConferenceSection,
    [
        Field(
            "number",
            Text("1 to 8 digits", str, r"[0-9]{1,8}", 8, '"700"'),
            "The room's number: typed after the feature code, `*60700`.",
        ),
        Field("pin_hash", kinds.pin_hash, _hash_doc.format("the members'", "nobody is asked for one")),
        Field("moderator_pin_hash", kinds.pin_hash, _hash_doc.format("the moderators'", "there are no moderators")),
        Field("max_members", whole(2, 500, "20"), "How many are let in; moderators always are."),
        Field("wait_for_moderator", Flag(), "Whether the others hear music until a moderator is there."),
        Field("ends_with_moderator", Flag(), "Whether the others are put out when the last moderator leaves."),
        Field("record", Flag(), "Whether it is recorded from the beginning; everybody is told before they are in it."),
        Field(
            "announce",
            Choice(Announced),
            "What those inside hear of who comes and goes: none, a tone, or number: the tone and the number of the agent or caller.",
        ),
        Field("language", kinds.language, "Spoken at the door and inside; without it `default_language`.", default=None),
        Field(
            "class_of_service",
            Reference("a class of service", ("classes_of_service",), ClassOfServiceId),
            "Which numbers outside may be invited by `ccserver conference invite`; without it none.",
            default=None,
        ),
    ],
    wrong={"pin": _plain.format("pin_hash"), "moderator_pin": _plain.format("moderator_pin_hash")},
)


def check_conferences(conferences: Mapping[RoomId, ConferenceSection], *, has_recording: bool, reader: Reader) -> None:
    """Numbers that are not apart; rooms that wait for somebody who can never come, or are recorded nowhere."""
    first: dict[str, RoomId] = {}
    for name, room in conferences.items():
        path = ("conferences", name)
        if room.number in first:
            message = f"expected a number of its own, got {room.number!r} (it is that of conferences.{first[room.number]})"
            reader.tell((*path, "number"), message)
        first.setdefault(room.number, name)
        needs = [key for key in ("wait_for_moderator", "ends_with_moderator") if getattr(room, key)]
        if needs and not room.moderator_pin_hash:
            message = f"expected a moderator_pin_hash beside {needs[0]}, got none"
            reader.tell((*path, needs[0]), hinted(message, "without one nobody is a moderator"))
        if room.record and not has_recording:
            reader.tell((*path, "record"), hinted("expected a section recording, got none", "it says where recordings are"))
