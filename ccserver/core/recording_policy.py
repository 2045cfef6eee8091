"""Which talks are recorded, as the settings say it of agents, campaigns, numbers, directions and queues."""

from dataclasses import dataclass
from enum import Enum


class RecordingMode(Enum):
    ALWAYS = "always"
    SHARE = "share"  # `percent` of the interactions
    ON_DEMAND = "on_demand"  # when the agent or a supervisor asks for it
    NEVER = "never"  # not even then


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPolicy:
    """Which talks are recorded. Where several hold for one talk, `NEVER` of any of them wins; else that of the agent, the campaign,
    the called number, the direction, the queue, in this order; and consent is needed if one of them needs it."""

    mode: RecordingMode = RecordingMode.ALWAYS
    percent: float = 100.0
    """0 to 100, for SHARE."""
    keeps_start: bool = False
    """For ON_DEMAND: recorded from the start, and thrown away after the call unless somebody asked for it."""
    needs_consent: bool = False
    """Only of customers who were told, or have agreed, before."""


AS_IT_COMES = RecordingPolicy()
