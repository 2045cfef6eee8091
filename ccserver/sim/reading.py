"""What the virtual PBX lists when it is asked what exists."""

from collections.abc import Collection, Iterable, Mapping

from ccserver.core.events import ChannelView, MemberView, RoomView
from ccserver.core.ids import RoomId
from ccserver.sim.channels import Bridge, BridgeKind, Channel, Place


def read_channels(channels: Iterable[Channel]) -> tuple[ChannelView, ...]:
    return tuple(
        ChannelView(
            leg=channel.leg,
            channel=channel.name,
            is_up=channel.is_up,
            bridge=None if channel.bridge is None else channel.bridge.name,
            application=_application(channel),
            context=channel.place.context,
        )
        for channel in channels
    )


def read_rooms(rooms: Mapping[str, Bridge], locked: Collection[str], prefix: str) -> tuple[RoomView, ...]:
    """The conferences with a number."""
    return tuple(
        RoomView(
            room=RoomId(name.removeprefix(prefix)),
            is_locked=name in locked,
            members=tuple(
                MemberView(
                    leg=channel.leg,
                    channel=channel.name,
                    is_moderator=channel.entry is not None and channel.entry.is_moderator,
                    is_muted=channel.is_muted,
                )
                for channel in room.members
            ),
        )
        for name, room in rooms.items()
        if name.startswith(prefix)
    )


BRIDGED = {BridgeKind.HOLDING: "BridgeWait", BridgeKind.CONFERENCE: "ConfBridge"}


def _application(channel: Channel) -> str:
    if channel.bridge is not None:
        return BRIDGED.get(channel.bridge.kind, "Bridge" if channel.place is Place.AGENT else "AGI")
    if channel.session is not None:
        return "AGI"
    if channel.place is Place.AGENT:
        return "AppDial2"
    if channel.place is Place.SPY:
        return "ChanSpy"
    return "Dial" if channel.place in (Place.ELSEWHERE, Place.OWN) else "MusicOnHold"
