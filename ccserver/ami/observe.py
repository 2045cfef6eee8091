"""One reading of the whole PBX, out of two lists that Asterisk gives. Pure: answers in, a `PbxObserved` or none out.

A reading is what the core repairs itself by, so half a list is no reading: a channel missing from it would be taken for one
that is gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ccserver.ami.actions import ROOM_PREFIX
from ccserver.ami.translate import PHONE_STATES, number_of, room_of, text_of
from ccserver.core.events import ChannelView, MemberView, PbxObserved, RoomView
from ccserver.core.ids import LegId, PhoneId, RoomId
from ccserver.core.records import PhoneState

CHANNELS = "CoreShowChannels"
DEVICES = "DeviceStateList"
ROOMS = "ConfbridgeListRooms"
MEMBERS = "ConfbridgeList"
LIST_EVENTS = frozenset(
    {
        "CoreShowChannel",
        "CoreShowChannelsComplete",
        "DeviceStateChange",
        "DeviceStateListComplete",
        "ConfbridgeList",
        "ConfbridgeListComplete",
        "ConfbridgeListRooms",
        "ConfbridgeListRoomsComplete",
    }
)
ROWS_MAX = 20_000
"""More rows than any PBX has of either list; beyond, the answer is not believed."""

_UP = 6


class NoObservation(Exception):
    """The PBX was not read: no answer, half an answer, or one that makes no sense. The next round asks again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to one list action: its rows, and the event that closed it."""

    rows: Sequence[Mapping[str, str]]
    complete: Mapping[str, str]


def conferences_in(channels: Listing) -> list[str]:
    """The names of our conferences with a number in which somebody is."""
    found = (
        (row.get("ApplicationData") or row.get("AppData") or "").partition(",")[0]
        for row in channels.rows
        if row.get("Application") == "ConfBridge"
    )
    return sorted({name for name in found if name.startswith(ROOM_PREFIX)})


def observation(
    pbx: str,
    asked_at_s: float,
    channels: Listing,
    devices: Listing,
    phones: Collection[PhoneId],
    *,
    rooms: Listing | None = None,
    members: Mapping[str, Listing | None] | None = None,
) -> PbxObserved:
    """Puts the lists together. Phones that Asterisk does not list are left out, and so are rooms that ended while they were asked for (a
    refusal: no list). Raises `NoObservation`."""
    _check_whole(channels, CHANNELS)
    _check_whole(devices, DEVICES)
    return PbxObserved(
        pbx=pbx,
        asked_at_s=asked_at_s,
        channels=tuple(_channel(row, pbx) for row in channels.rows),
        phones=dict(_states(devices.rows, phones)),
        rooms=tuple(_rooms(pbx, rooms, members or {})),
    )


def _rooms(pbx: str, rooms: Listing | None, members: Mapping[str, Listing | None]) -> Iterator[RoomView]:
    locked = {row.get("Conference") for row in (rooms.rows if rooms is not None else ()) if row.get("Locked") == "Yes"}
    for name, listing in members.items():
        if listing is not None:
            _check_whole(listing, MEMBERS)
            views = tuple(_member(row, pbx) for row in listing.rows if room_of(row) is not None)
            yield RoomView(room=RoomId(name.removeprefix(ROOM_PREFIX)), is_locked=name in locked, members=views)


def _member(row: Mapping[str, str], pbx: str) -> MemberView:
    uniqueid, channel = text_of(row, "Uniqueid"), text_of(row, "Channel")
    if uniqueid is None or channel is None:
        raise NoObservation("a row of ConfbridgeList lacks its Uniqueid or Channel")
    return MemberView(
        leg=LegId(pbx, uniqueid),
        channel=channel,
        is_moderator=row.get("Admin") == "Yes",
        is_muted=row.get("Muted") == "Yes",
    )


def _check_whole(listing: Listing, action: str) -> None:
    told = number_of(listing.complete, "ListItems")
    if listing.complete.get("EventList") != "Complete" or told != len(listing.rows):
        raise NoObservation(f"{action} gave {len(listing.rows)} rows and said {told}")


def _channel(row: Mapping[str, str], pbx: str) -> ChannelView:
    uniqueid, channel, state = text_of(row, "Uniqueid"), text_of(row, "Channel"), number_of(row, "ChannelState")
    if uniqueid is None or channel is None or state is None:
        raise NoObservation("a row of CoreShowChannels lacks its Uniqueid, Channel or ChannelState")
    return ChannelView(
        leg=LegId(pbx, uniqueid),
        channel=channel,
        is_up=state == _UP,
        bridge=text_of(row, "BridgeId"),
        application=text_of(row, "Application") or "",
        context=text_of(row, "Context") or "",
    )


def _states(rows: Sequence[Mapping[str, str]], phones: Collection[PhoneId]) -> list[tuple[PhoneId, PhoneState]]:
    states = []
    for row in rows:
        phone = PhoneId(row.get("Device", ""))
        if phone in phones:
            state = PHONE_STATES.get(row.get("State", ""))
            if state is None:
                raise NoObservation("DeviceStateList gave a state that Asterisk does not have")
            states.append((phone, state))
    return states
