"""The IVR's stepper: from a node to the next thing that takes time. Pure, one small function for each question.

A flow is a graph of nodes; nodes that take no time (hours, language, set) are walked through at once.
"""

from dataclasses import dataclass
from typing import assert_never

from ccserver.core import requirements
from ccserver.core.hours import is_open
from ccserver.core.ids import AgentId, Language, NodeId, PromptId, QueueId
from ccserver.core.settings import (
    EVERYBODY,
    AgentNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
    HangUpNode,
    HoursNode,
    LanguageNode,
    MenuNode,
    Requirement,
    ReturnNode,
    SayNode,
    SetNode,
    Settings,
    Spoken,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speak:
    """Say this, then go on with `next`."""

    say: tuple[Spoken, ...]
    next: NodeId
    can_interrupt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    menu: MenuNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    queue: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAgent:
    agent: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """To the agent who sent the caller into the flow."""

    result: PromptId


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    extension: str
    say: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`is_too_long`: the flow went through more nodes than a call may."""

    say: tuple[Spoken, ...] = ()
    is_too_long: bool = False


Act = Speak | Ask | Enqueue | CallAgent | GiveBack | HandOver | Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """Where the walk stopped, in which language it left the caller, and what is to be done there.

    `requires` and `priority` are what the nodes on the way set; None: as before.
    """

    node: NodeId
    language: Language
    steps: int
    act: Act
    requires: Requirement = EVERYBODY
    priority: int | None = None


def walk(flow: Flow, node: NodeId, *, language: Language, steps: int, settings: Settings, utc_s: float) -> Walked:
    """Go on from `node` to the first node that takes time. `steps` counts the nodes of the whole call."""
    act: Act | None = None
    requires: list[Requirement] = []
    priority: int | None = None
    while act is None:
        if steps >= settings.limits.menu_steps_max:
            act = Release(is_too_long=True)
            break
        steps += 1
        match flow.nodes[node]:
            case LanguageNode() as found:
                language, node = found.language, found.next
            case HoursNode() as found:
                node = found.on_open if is_open(settings.hours[found.hours], utc_s) else found.on_closed
            case SetNode() as found:
                requires.append(found.requires)
                priority = priority if found.priority is None else found.priority
                node = found.next
            case stop:
                act = _act(stop)
    return Walked(node=node, language=language, steps=steps, act=act, requires=requirements.all_of(requires), priority=priority)


def _act(node: SayNode | MenuNode | EnqueueNode | AgentNode | ReturnNode | ExtensionNode | HangUpNode) -> Act:
    match node:
        case SayNode():
            return Speak(say=node.say, next=node.next, can_interrupt=node.can_interrupt)
        case MenuNode():
            return Ask(menu=node)
        case EnqueueNode():
            return Enqueue(queue=node.queue)
        case AgentNode():
            return CallAgent(agent=node.agent)
        case ReturnNode():
            return GiveBack(result=node.result)
        case ExtensionNode():
            return HandOver(extension=node.extension, say=node.say)
        case HangUpNode():
            return Release(say=node.say)
        case _:
            assert_never(node)


def complete_choices(menu: MenuNode) -> tuple[str, ...]:
    """The choices that no longer one begins with: typed, they need no further digit."""
    return tuple(
        sorted(c for c in menu.choices if not any(o != c and o.startswith(c) for o in menu.choices)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Where the menu leads. `node` None: ask again, beginning with `say`."""

    node: NodeId | None
    say: tuple[Spoken, ...] = ()


def choose(menu: MenuNode, digits: str, tries: int) -> Chosen:
    """What `digits` mean in `menu`; `tries` counts this attempt, from 1."""
    node = menu.choices.get(digits)
    if node is not None:
        return Chosen(node=node)
    is_silent = digits == ""
    if tries >= menu.tries:
        return Chosen(node=menu.on_no_input if is_silent else menu.on_invalid)
    return Chosen(node=None, say=menu.say_no_input if is_silent else menu.say_invalid)
