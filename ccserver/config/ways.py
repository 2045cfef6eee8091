"""Where a call can go from a queue, and what is asked for it there."""

from ccserver.config import kinds
from ccserver.config.kinds import NAME_PATTERN, whole
from ccserver.config.requirements import RequirementText
from ccserver.config.schema import Field, Flag, Group, Kind, OneOf, Text
from ccserver.core.ids import PromptId
from ccserver.core.settings import Exit, ExitKind

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
