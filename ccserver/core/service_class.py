"""Class of service: what an agent may call and transfer to, and how much of it in an hour.

What is not allowed is refused: premium numbers and what is no number at all, unless a class names them; everything but internal numbers
for an agent without a class, and at a phone where nobody is logged in. Emergency numbers never come here: the dialplan puts
them through by itself.
"""

from dataclasses import dataclass

from ccserver.core.change import replace
from ccserver.core.ids import AgentId, ClassOfServiceId, PromptId
from ccserver.core.settings import ClassOfService, NumberKind
from ccserver.core.step import Step

HOUR_S = 3600.0
INTERNAL_ONLY = ClassOfService(allows=frozenset({NumberKind.INTERNAL}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`prompt` is for the ear of who may not, `reason` for the screen; both empty for who may."""

    is_allowed: bool
    prompt: PromptId
    reason: str


ALLOWED = Verdict(True, PromptId(""), "")


def may_call(step: Step, agent: AgentId | None, kind: NumberKind) -> Verdict:
    """Whether the agent may call or transfer to a number of this kind just now; `agent` None: nobody is logged in."""
    rules = _class_of(step, agent)
    if kind not in rules.allows:
        return Verdict(False, PromptId("cc-dial-not-allowed"), f"{kind.value} numbers are not allowed")
    most = rules.calls_per_hour if kind is not NumberKind.INTERNAL else None
    if most is not None and agent is not None and len(_last_hour(step, agent)) >= most:
        return Verdict(False, PromptId("cc-dial-too-many"), f"{most} outside calls an hour are the limit")
    return ALLOWED


def allows(step: Step, name: ClassOfServiceId | None, kind: NumberKind) -> bool:
    """Whether a class allows numbers of this kind to whom no agent calls; without a class, internal ones."""
    rules = step.settings.classes_of_service.get(name, INTERNAL_ONLY) if name is not None else INTERNAL_ONLY
    return kind in rules.allows


def count(step: Step, agent: AgentId | None, kind: NumberKind) -> None:
    """A call or transfer to such a number is made: it counts for an hour, where the class limits them."""
    known = step.agents.get(agent)
    if known is not None and kind is not NumberKind.INTERNAL and _class_of(step, known.id).calls_per_hour is not None:
        step.put_agent(replace(known, outside_calls=(*_last_hour(step, known.id), step.now.mono_s)))


def _class_of(step: Step, agent: AgentId | None) -> ClassOfService:
    config = step.settings.agents.get(agent) if agent is not None else None
    if config is None or config.class_of_service is None:
        return INTERNAL_ONLY
    return step.settings.classes_of_service.get(config.class_of_service, INTERNAL_ONLY)


def _last_hour(step: Step, agent: AgentId) -> tuple[float, ...]:
    known = step.agents.get(agent)
    return tuple(at_s for at_s in known.outside_calls if at_s > step.now.mono_s - HOUR_S) if known is not None else ()
