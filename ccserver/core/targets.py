"""Whom an agent means by the number typed for a transfer or a consultation.

First match wins: an agent's number, a queue's number, a phone's extension (the agent who is logged in there, else the phone), then what
the numbering plan says. Outside numbers need the agent's class of service; what it does not allow is refused before anybody rings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import AgentId, PhoneId, QueueId
from ccserver.core.settings import DIRECT, NumberKind
from ccserver.core.state import Agent, Presence
from ccserver.core.step import Step

UNKNOWN, REFUSED, NOT_THERE, ONESELF = "cc-transfer-unknown", "cc-transfer-refused", "cc-transfer-not-there", "cc-transfer-self"
"""Prompts."""
MayCall = Callable[[AgentId, NumberKind, str], bool]


class TargetKind(Enum):
    QUEUE = "queue"
    AGENT = "agent"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Target:
    """`to` is the id of the queue or the agent, or the number; `dial` what Asterisk dials for a number."""

    kind: TargetKind
    to: str
    dial: PhoneId | None = None

    @property
    def queue(self) -> QueueId:
        return QueueId(self.to) if self.kind is TargetKind.QUEUE else DIRECT

    @property
    def agent(self) -> AgentId | None:
        return AgentId(self.to) if self.kind is TargetKind.AGENT else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """`prompt` says why to the agent. `is_silent`: nothing was typed."""

    prompt: str
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Dialled:
    """What was typed, and what the edge read in it."""

    digits: str
    number: str
    kind: NumberKind


def resolve(step: Step, may_call: MayCall, by: AgentId, dialled: Dialled) -> Target | Refusal:
    """Whom agent `by` means."""
    settings = step.settings
    digits, number, kind = dialled.digits, dialled.number, dialled.kind
    if not digits:
        return Refusal(UNKNOWN, is_silent=True)
    if digits in settings.agents:
        return _agent(step, by, AgentId(digits))
    queue = next((q for q, s in settings.queues.items() if s.number == digits), None)
    if queue is not None:
        return Target(TargetKind.QUEUE, queue)
    phone = next((p for p, s in settings.phones.items() if s.number == digits), None)
    if phone is not None:
        there = step.agent_at.get(phone)
        return _agent(step, by, there) if there is not None else Target(TargetKind.NUMBER, digits, phone)
    if kind is NumberKind.INTERNAL or not number:
        return Refusal(UNKNOWN)
    if not may_call(by, kind, number):
        return Refusal(REFUSED)
    return Target(TargetKind.NUMBER, number, PhoneId(f"PJSIP/{number}@{settings.trunk}"))


def _agent(step: Step, by: AgentId, agent: AgentId) -> Target | Refusal:
    if agent == by:
        return Refusal(ONESELF)
    known = step.agents.get(agent) or Agent(id=agent)
    if known.presence is Presence.LOGGED_OUT or DIRECT not in step.settings.queues:
        return Refusal(NOT_THERE)
    return Target(TargetKind.AGENT, agent)
