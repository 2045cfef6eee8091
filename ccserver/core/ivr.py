"""The IVR's stepper: from a node to the next thing that takes time. Pure, one small function for each question.

A flow is a graph of nodes; nodes that take no time (hours, language) are walked through at once.
"""

from dataclasses import dataclass

from ccserver.core.hours import is_open
from ccserver.core.ids import Language, NodeId, QueueId
from ccserver.core.settings import (
    EnqueueNode,
    ExtensionNode,
    Flow,
    HangUpNode,
    HoursNode,
    LanguageNode,
    MenuNode,
    SayNode,
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
class HandOver:
    extension: str
    say: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`is_too_long`: the flow went through more nodes than a call may."""

    say: tuple[Spoken, ...] = ()
    is_too_long: bool = False


Act = Speak | Ask | Enqueue | HandOver | Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """Where the walk stopped, in which language it left the caller, and what is to be done there."""

    node: NodeId
    language: Language
    steps: int
    act: Act


def walk(flow: Flow, node: NodeId, *, language: Language, steps: int, settings: Settings, utc_s: float) -> Walked:
    """Go on from `node` to the first node that takes time. `steps` counts the nodes of the whole call."""
    while steps < settings.limits.menu_steps_max:
        steps += 1
        match flow.nodes[node]:
            case LanguageNode() as found:
                language, node = found.language, found.next
            case HoursNode() as found:
                node = found.on_open if is_open(settings.hours[found.hours], utc_s) else found.on_closed
            case SayNode() as found:
                act: Act = Speak(say=found.say, next=found.next, can_interrupt=found.can_interrupt)
                return Walked(node=node, language=language, steps=steps, act=act)
            case MenuNode() as found:
                return Walked(node=node, language=language, steps=steps, act=Ask(menu=found))
            case EnqueueNode() as found:
                return Walked(node=node, language=language, steps=steps, act=Enqueue(queue=found.queue))
            case ExtensionNode() as found:
                act = HandOver(extension=found.extension, say=found.say)
                return Walked(node=node, language=language, steps=steps, act=act)
            case HangUpNode() as found:
                return Walked(node=node, language=language, steps=steps, act=Release(say=found.say))
    return Walked(node=node, language=language, steps=steps, act=Release(is_too_long=True))


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
