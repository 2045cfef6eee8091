"""Other rules for a desk that is open already."""

from dataclasses import replace

from desk import Desk

from ccserver.core import events as ev


def obey(desk: Desk, **changes: object) -> None:
    """New settings, which differ in `changes`."""
    desk.settings = replace(desk.settings, content_hash=f"{desk.settings.content_hash}+", **changes)
    desk.tell(ev.SettingsLoaded(settings=desk.settings))


def obey_for(desk: Desk, agent: int, **changes: object) -> None:
    """The same for one agent's settings."""
    name = f"10{agent}"
    agents = {**desk.settings.agents, name: replace(desk.settings.agents[name], **changes)}
    obey(desk, agents=agents)
