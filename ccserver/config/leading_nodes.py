"""Nodes of flows that lead to people, elsewhere, or to the end."""

from ccserver.config import kinds
from ccserver.config.asking_nodes import node
from ccserver.config.kinds import duration
from ccserver.config.pieces import speech
from ccserver.config.schema import Field, Flag
from ccserver.config.ways import outside_number
from ccserver.core.ids import NodeId, QueueId
from ccserver.core.settings import (
    AgentNode,
    CallbackNode,
    ConferenceNode,
    EnqueueNode,
    ExtensionNode,
    HangUpNode,
    MessageNode,
    NumberNode,
    ReturnNode,
    Spoken,
)
from ccserver.core.settings import Node as FlowNode

_say_before = Field("say", speech, "Said before; without it nothing.", default=())


def _hang_up(hang_up: bool, say: tuple[Spoken, ...]) -> FlowNode:
    if not hang_up:
        raise ValueError("expected hang_up: true, got false (take the node away instead)")
    return HangUpNode(say=say)


def _message(message: QueueId, say: tuple[Spoken, ...], max_s: float, next: NodeId | None) -> FlowNode:
    return MessageNode(queue=message, say=say, max_s=max_s, next=next)


enqueue = node(
    "an enqueue node",
    lambda enqueue: EnqueueNode(queue=enqueue),
    [Field("enqueue", kinds.queue, "The queue to wait in.")],
)
callback = node(
    "a callback node",
    lambda callback: CallbackNode(queue=callback),
    [
        Field(
            "callback",
            kinds.queue,
            "The queue in whose turn the caller is called back, by its rules of callbacks. Who does not want it waits there.",
        )
    ],
)
message = node(
    "a message node",
    _message,
    [
        Field("message", kinds.queue, "The queue whose agents get the message."),
        Field("say", speech, "What is asked; without it the usual words.", default=()),
        Field("max_s", duration(5, 600, "180"), "The longest message; without it 180 seconds.", default=180.0),
        Field("next", kinds.node_name, "The node after it; without it a farewell, and the call ends.", default=None),
    ],
)
agent = node(
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
)
number = node(
    "a number node",
    NumberNode,
    [
        Field("number", outside_number, "This outside number is called over the trunk and joined with the caller."),
        Field("on_failure", kinds.node_name, "The node when nobody answered; without it `exits.failure`.", default=None),
    ],
)
return_ = node(
    "a return node",
    lambda **given: ReturnNode(result=given["return"]),
    [
        Field(
            "return",
            kinds.prompt,
            "Back to the agent who sent the customer here, who hears this prompt; another caller is released.",
        )
    ],
)
extension = node(
    "an extension node",
    ExtensionNode,
    [Field("extension", kinds.extension, "The call is handed to this extension of the dialplan for good."), _say_before],
)
conference = node(
    "a conference node",
    ConferenceNode,
    [
        Field(
            "conference",
            kinds.conference,
            "The call goes into this conference for good; its PIN is asked for where it has one.",
        )
    ],
)
hang_up = node("a hang-up node", _hang_up, [Field("hang_up", Flag(), "true: the call ends here."), _say_before])
