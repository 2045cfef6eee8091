"""The identifiers of everything the core speaks of: swapping two of them is a type error."""

from typing import NamedTuple, NewType

InteractionId = NewType("InteractionId", int)
"""Also the short number that a caller can be told and every command can search. Rises by one; never used twice."""
AgentId = NewType("AgentId", str)
"""The agent's number, as typed on a keypad: digits only."""
PhoneId = NewType("PhoneId", str)
"""What Asterisk dials: `PJSIP/1001`."""
QueueId = NewType("QueueId", str)
SkillId = NewType("SkillId", str)
FlowId = NewType("FlowId", str)
NodeId = NewType("NodeId", str)
HoursId = NewType("HoursId", str)
PromptId = NewType("PromptId", str)
ReasonId = NewType("ReasonId", str)
DispositionId = NewType("DispositionId", str)
Language = NewType("Language", str)
ClassOfServiceId = NewType("ClassOfServiceId", str)
LookUpId = NewType("LookUpId", str)
TeamId = NewType("TeamId", str)
RoleId = NewType("RoleId", str)
CampaignId = NewType("CampaignId", str)
TrunkId = NewType("TrunkId", str)
LeadId = NewType("LeadId", int)
AttemptId = NewType("AttemptId", str)
"""One attempt to call a number: the id of the first leg that may be dialled for it. Never used twice."""
WatchId = NewType("WatchId", int)
"""A supervisor's session with a talk, or with an agent's talks; rises by one."""
RoomId = NewType("RoomId", str)
"""The name of a conference with a number, in the settings or as it was created."""
SessionId = NewType("SessionId", str)
"""One connection of one channel to the AGI server. Each re-entry of the same call is a new one."""
RequestId = NewType("RequestId", int)
"""One request over the control socket, to be answered by one `Reply`."""


class LegId(NamedTuple):
    """One channel of one named PBX.

    Ours are `cc<pbx>-<incarnation, 6 digits>-<counter, 8 digits>`: fixed width, since Asterisk's `Bridge()` matches
    channel names by prefix.
    """

    pbx: str
    uniqueid: str

    def is_ours(self) -> bool:
        """Whether the core chose the id itself (it asked for this channel)."""
        return self.uniqueid.startswith(f"cc{self.pbx}-")


class CommandId(NamedTuple):
    """Deterministic: the input's sequence number and the command's place (from 0) in the answer to it."""

    seq: int
    place: int
