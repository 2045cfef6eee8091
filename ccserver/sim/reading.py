"""What the virtual PBX lists when it is asked what exists."""

from collections.abc import Iterable

from ccserver.core.events import ChannelView
from ccserver.sim.channels import Channel, Place


def read_channels(channels: Iterable[Channel]) -> tuple[ChannelView, ...]:
    return tuple(
        ChannelView(
            leg=channel.leg,
            channel=channel.name,
            is_up=channel.is_up,
            bridge=None if channel.bridge is None else channel.bridge.name,
            application=_application(channel),
            context=channel.place.value,
        )
        for channel in channels
    )


def _application(channel: Channel) -> str:
    if channel.bridge is not None:
        return "Bridge" if channel.place is Place.AGENT else "AGI"
    if channel.session is not None:
        return "AGI"
    if channel.place is Place.AGENT:
        return "AppDial2"
    return "Dial" if channel.place is Place.ELSEWHERE else "MusicOnHold"
