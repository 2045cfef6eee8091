"""Whom an agent means by the number typed for a transfer or a consultation.

First match wins: an agent's number, a queue's number, a phone's extension (the agent who is logged in there, else the phone), then what
the numbering plan says. Outside numbers need the agent's class of service; what it does not allow is refused before anybody rings.
"""

from dataclasses import dataclass
from enum import Enum

from ccserver.core import service_class
from ccserver.core.ids import AgentId, PhoneId, QueueId
from ccserver.core.settings import DIRECT, NumberKind
from ccserver.core.state import Agent, Presence
from ccserver.core.step import Step

UNKNOWN, REFUSED, NOT_THERE, ONESELF = "cc-transfer-unknown", "cc-transfer-refused", "cc-transfer-not-there", "cc-transfer-self"
"""Prompts."""


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
    counts_as: NumberKind = NumberKind.INTERNAL
    """What it is for the limits of the agent's class of service."""

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


def resolve(step: Step, by: AgentId, dialled: Dialled) -> Target | Refusal:
    """Whom agent `by` means."""
    if not dialled.digits:
        return Refusal(UNKNOWN, is_silent=True)
    queue = next((q for q, s in step.settings.queues.items() if s.number == dialled.digits), None)
    if queue is not None and dialled.digits not in step.settings.agents:
        return Target(TargetKind.QUEUE, queue)
    inside = _inside(step, by, dialled.digits)
    if inside is not None:
        return inside
    if dialled.kind is NumberKind.INTERNAL or not dialled.number:
        return Refusal(UNKNOWN)
    if not service_class.may_call(step, by, dialled.kind).is_allowed:
        return Refusal(UNKNOWN if dialled.kind is NumberKind.UNKNOWN else REFUSED)
    return _outside(step, dialled.number, dialled.kind)


def again(step: Step, by: AgentId, to: str) -> Target | Refusal:
    """The target that was found before, from its name: `Target.to`. What it was allowed then it is allowed now."""
    if to in step.settings.queues:
        return Target(TargetKind.QUEUE, to)
    return _inside(step, by, to) or _outside(step, to, NumberKind.INTERNAL)


def _inside(step: Step, by: AgentId, digits: str) -> Target | Refusal | None:
    """An agent, or a phone. None: neither has this number."""
    settings = step.settings
    if digits in settings.agents:
        return _agent(step, by, AgentId(digits))
    phone = next((p for p, s in settings.phones.items() if s.number == digits), None)
    if phone is None:
        return None
    there = step.agent_at.get(phone)
    return _agent(step, by, there) if there is not None else Target(TargetKind.NUMBER, digits, phone)


def _outside(step: Step, number: str, kind: NumberKind) -> Target:
    return Target(TargetKind.NUMBER, number, PhoneId(f"PJSIP/{number}@{step.settings.trunk}"), kind)


def _agent(step: Step, by: AgentId, agent: AgentId) -> Target | Refusal:
    if agent == by:
        return Refusal(ONESELF)
    known = step.agents.get(agent) or Agent(id=agent)
    if known.presence is Presence.LOGGED_OUT or DIRECT not in step.settings.queues:
        return Refusal(NOT_THERE)
    return Target(TargetKind.AGENT, agent)
