"""What the virtual PBX lists when it is asked what exists."""

from collections.abc import Iterable

from ccserver.core.events import ChannelView
from ccserver.sim.channels import BridgeKind, Channel, Place


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
