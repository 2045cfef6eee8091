"""What can be written about a flow: its nodes, variables and ways out."""

from ccserver.config import asking_nodes, deciding_nodes, kinds, leading_nodes
from ccserver.config.expression_kind import variable, variable_name
from ccserver.config.kinds import NAME_HINT, NAME_PATTERN
from ccserver.config.schema import Choice, Field, Group, ListOf, MapOf, OneOf, Text
from ccserver.core.expressions import ValueType
from ccserver.core.ids import NodeId
from ccserver.core.settings import Flow, FlowExits
from ccserver.core.settings import Node as FlowNode

MAX_NODES = 500

flow_node: OneOf[FlowNode] = OneOf(
    "a node",
    {
        "say": asking_nodes.say,
        "menu": asking_nodes.menu,
        "collect": asking_nodes.collect,
        "secret": asking_nodes.secret,
        "choose_language": asking_nodes.choose_language,
        "survey": asking_nodes.survey,
        "consent": asking_nodes.consent,
        "do_not_call": asking_nodes.do_not_call,
        "branch": deciding_nodes.branch,
        "hours": deciding_nodes.hours,
        "language": deciding_nodes.language,
        "set": deciding_nodes.set_,
        "look_up": deciding_nodes.look_up_node,
        "script": deciding_nodes.script,
        "call": deciding_nodes.call,
        "done": deciding_nodes.done,
        "enqueue": leading_nodes.enqueue,
        "callback": leading_nodes.callback,
        "message": leading_nodes.message,
        "agent": leading_nodes.agent,
        "number": leading_nodes.number,
        "return": leading_nodes.return_,
        "extension": leading_nodes.extension,
        "conference": leading_nodes.conference,
        "hang_up": leading_nodes.hang_up,
    },
    also=frozenset({"say"}),
)
exits = Group(
    "exits",
    FlowExits,
    [
        Field("no_input", kinds.node_name, "Where callers go who typed nothing at every try."),
        Field("invalid", kinds.node_name, "Where callers go whose every try was wrong."),
        Field("failure", kinds.node_name, "Where callers go when a look-up, a script or a call outside failed."),
        Field(
            "operator", kinds.node_name, "Where `operator_key` leads, in every menu and as the only input of every question."
        ),
        Field("operator_key", asking_nodes.one_key, "The key for it; a node that uses it itself keeps it."),
    ],
)
flow = Group(
    "a flow",
    Flow,
    [
        Field("start", kinds.node_name, "The first node."),
        Field(
            "variables",
            MapOf(variable_name, Choice(ValueType, "for example order: text"), "variables", 200),
            "The flow's variables with their types; not set, a text is empty, a number 0, a truth false.",
        ),
        Field("parameters", ListOf(variable, 30), "Those of the variables that a flow which calls this one sets."),
        Field("gives", ListOf(variable, 30), "Those of the variables that a flow which calls this one may take back."),
        Field("exits", exits, "The ways out of all nodes that say nothing else."),
        Field(
            "nodes",
            MapOf(Text("a name for a node", NodeId, NAME_PATTERN, 40, hint=NAME_HINT), flow_node, "nodes", MAX_NODES, 1),
            "The nodes by name.",
        ),
    ],
)
