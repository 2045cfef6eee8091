"""Where a call can go: the exits of queues and the nodes of flows."""

from collections.abc import Callable

from ccserver.config import kinds
from ccserver.config.kinds import NAME_PATTERN, duration, whole
from ccserver.config.requirements import RequirementText
from ccserver.config.schema import Field, Flag, Group, Kind, MapOf, OneOf, Text
from ccserver.core.ids import NodeId, PromptId
from ccserver.core.settings import (
    EVERYBODY,
    AgentNode,
    EnqueueNode,
    Exit,
    ExitKind,
    ExtensionNode,
    HangUpNode,
    HoursNode,
    LanguageNode,
    MenuNode,
    Requirement,
    ReturnNode,
    SayNode,
    SetNode,
    Spoken,
)
from ccserver.core.settings import Node as FlowNode

requirement = RequirementText()
priority = whole(0, 10, "5")
outside_number = Text("a telephone number, as the trunk takes it", str, r"\+?[0-9]{2,20}", 21, '"+34910000001"')


# --- exits of queues --------------------------------------------------------------------------------------------------
_WITHOUT_TARGET = frozenset({ExitKind.HANG_UP, ExitKind.CALLBACK, ExitKind.MESSAGE})
_exit_say = Field("say", kinds.prompt, "The prompt said before; without it nothing is said.", default=None)


def _exit_group(noun: str, kind: ExitKind, of: Kind[object], doc: str) -> Group[Exit]:
    key = kind.value

    def make(say: PromptId | None, **given: str) -> Exit:
        if kind in _WITHOUT_TARGET and not given[key]:
            raise ValueError(f"expected {key}: true, got false (take the exit away instead)")
        return Exit(kind=kind, target="" if kind in _WITHOUT_TARGET else given[key], prompt=say)

    return Group(noun, make, [Field(key, of, doc), _exit_say])


_node_of_any_flow = Text("the name of a node", str, NAME_PATTERN, 40)
queue_exit: OneOf[Exit] = OneOf(
    "an exit",
    {
        group_key: _exit_group(noun, ExitKind(group_key), of, doc)
        for group_key, noun, of, doc in (
            ("queue", "an exit to queue", kinds.queue, "Goes on in this queue."),
            ("extension", "an exit to extension", kinds.extension, "Handed to this extension of the dialplan."),
            ("node", "an exit to node", _node_of_any_flow, "Goes on at this node of the flow the call came by."),
            ("flow", "an exit to flow", kinds.flow, "Goes through this flow from its start."),
            ("agent", "an exit to agent", kinds.agent, "A direct call to this agent, by the rules of `direct_calls`."),
            ("number", "an exit to number", outside_number, "This outside number is called over the trunk."),
            ("callback", "a callback", Flag(), "true: a callback is offered, by the rules of the queue's `callback`."),
            ("message", "a message", Flag(), "true: the caller leaves a message."),
            ("hang_up", "a hang-up", Flag(), "true: hung up."),
        )
    },
)


# --- nodes of flows ---------------------------------------------------------------------------------------------------
_interrupt = Field("can_interrupt", Flag(), "Whether a key stops the speech; without it, yes.", default=True)
_menu_exit = "name the node to go to then, for example one that hangs up"
menu_keys = Text("a choice of 1 to 4 keys", str, r"[0-9*#]{1,4}", 8, '"1"')
_next = Field("next", kinds.node_name, "The node after it.")


def _menu(menu: tuple[Spoken, ...], **given: object) -> FlowNode:
    return MenuNode(say=menu, **given)  # type: ignore[arg-type]


def _hang_up(hang_up: bool, say: tuple[Spoken, ...]) -> FlowNode:
    if not hang_up:
        raise ValueError("expected hang_up: true, got false (take the node away instead)")
    return HangUpNode(say=say)


def _set_node(set: tuple[Requirement, int | None], next: NodeId) -> FlowNode:
    return SetNode(next=next, requires=set[0], priority=set[1])


def _changes(requires: Requirement, priority: int | None) -> tuple[Requirement, int | None]:
    if requires == EVERYBODY and priority is None:
        raise ValueError("expected requires or priority, got neither (for example {priority: 5})")
    return requires, priority


_changed = Group(
    "what is set",
    _changes,
    [
        Field("requires", requirement, "Required of the agent from here on, beside the queue's conditions.", default=EVERYBODY),
        Field("priority", priority, "The call's priority from here on, 0 to 10; without it, as it was.", default=None),
    ],
)


def _node(noun: str, make: Callable[..., FlowNode], fields: list[Field]) -> Group[FlowNode]:
    return Group[FlowNode](noun, make, fields)


flow_node: OneOf[FlowNode] = OneOf(
    "a node",
    {
        "say": _node(
            "a say node",
            SayNode,
            [Field("say", kinds.speech, "What is said: a prompt or a list of pieces."), _next, _interrupt],
        ),
        "menu": _node(
            "a menu node",
            _menu,
            [
                Field("menu", kinds.speech, "What is asked: a prompt or a list of pieces."),
                Field("choices", MapOf(menu_keys, kinds.node_name, "choices", 50, 1), "The node for each choice of keys."),
                Field("timeout_s", duration(0.5, 60, "5"), "Seconds to wait for a key; without it 5.", default=5.0),
                Field("tries", whole(1, 10, "3"), "How often it is asked; without it 3 times.", default=3),
                Field("on_no_input", kinds.node_name, "The node when nothing was pressed at every try.", hint=_menu_exit),
                Field("on_invalid", kinds.node_name, "The node when a wrong key was pressed at every try.", hint=_menu_exit),
                Field("say_no_input", kinds.speech, "Said before asking again after no input.", default=()),
                Field("say_invalid", kinds.speech, "Said before asking again after a wrong key.", default=()),
                _interrupt,
            ],
        ),
        "language": _node("a language node", LanguageNode, [Field("language", kinds.language, "Spoken from here on."), _next]),
        "hours": _node(
            "an hours node",
            HoursNode,
            [
                Field("hours", kinds.hours_name, "The hours that decide."),
                Field("on_open", kinds.node_name, "The node within these hours."),
                Field("on_closed", kinds.node_name, "The node outside them."),
            ],
        ),
        "set": _node(
            "a set node",
            _set_node,
            [Field("set", _changed, "What is asked of the agent, and how urgent the call is, from here on."), _next],
        ),
        "enqueue": _node(
            "an enqueue node",
            lambda enqueue: EnqueueNode(queue=enqueue),
            [Field("enqueue", kinds.queue, "The queue to wait in.")],
        ),
        "agent": _node(
            "an agent node",
            AgentNode,
            [
                Field("agent", kinds.agent, "A direct call to this agent, by the rules of `direct_calls`."),
                Field(
                    "on_no_answer",
                    kinds.node_name,
                    "The node when the agent does not take it; without it, the exits of `direct_calls`.",
                ),
            ],
        ),
        "return": _node(
            "a return node",
            lambda **given: ReturnNode(result=given["return"]),
            [
                Field(
                    "return",
                    kinds.prompt,
                    "Back to the agent who sent the customer here, who hears this prompt; another caller is released.",
                )
            ],
        ),
        "extension": _node(
            "an extension node",
            ExtensionNode,
            [
                Field("extension", kinds.extension, "The call is handed to this extension of the dialplan for good."),
                Field("say", kinds.speech, "Said before; without it nothing.", default=()),
            ],
        ),
        "hang_up": _node(
            "a hang-up node",
            _hang_up,
            [
                Field("hang_up", Flag(), "true: the call ends here."),
                Field("say", kinds.speech, "Said before; without it nothing.", default=()),
            ],
        ),
    },
    also=frozenset({"say"}),
)
