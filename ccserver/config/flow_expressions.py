"""What flows compute: expressions of the right types, variables and parameters that fit look-ups and called flows."""

from collections.abc import Mapping

from ccserver.config.expression_types import Known, typed
from ccserver.config.look_up_edges import SECRET
from ccserver.config.placed import WrittenExpression
from ccserver.config.positions import MAX_PROBLEMS, PathInFile, inside, quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.checksums import LENGTHS
from ccserver.core.expressions import ValueType
from ccserver.core.ids import FlowId, HoursId, LookUpId, NodeId, QueueId
from ccserver.core.settings import CallNode, CollectNode, Flow, LookUpNode, LookUpShape, Node, SecretNode

Types = Mapping[str, ValueType]


def check_computing(document: Document, reader: Reader) -> None:
    """Tell the reader which expression is not of its type, and which value has no place, in every flow that could be read."""
    shapes = {name: look_up.shape() for name, look_up in document.look_ups.items()}
    of_flow: dict[str, list[tuple[PathInFile, WrittenExpression]]] = {}
    for path, written in reader.expressions.items():
        if path[0] == "flows":
            of_flow.setdefault(str(path[1]), []).append((path, written))
    queues = tuple(QueueId(each) for each in reader.names.get(("queues",), ()))
    hours = tuple(HoursId(each) for each in reader.names.get(("hours",), ()))
    for name, flow in document.flows.items():
        declared = reader.names.get(("flows", name, "variables"), ())
        known = Known(flow.variables, queues, hours, frozenset(each for each in declared if each not in flow.variables))
        for path, written in of_flow.get(name, ()):
            if len(reader.problems) >= MAX_PROBLEMS:
                return
            wanted = written.wanted or _wanted(path, flow, shapes, document.flows)
            for fault in typed(written.placed, known, wanted).faults:
                reader.tell(path, hinted(fault.message, fault.hint), inside(written.node, fault.offset))
        for at, node in flow.nodes.items():
            _check_node(_Place(name, flow, at, reader), node, shapes, document.flows)


def _wanted(
    path: PathInFile, flow: Flow, shapes: Mapping[LookUpId, LookUpShape], flows: Mapping[FlowId, Flow]
) -> ValueType | None:
    """The type of what takes the value: a parameter, or a variable. None: anything does, or it is not known."""
    match path:
        case (_, _, "nodes", at, "set", "variables", str(name)):
            return flow.variables.get(name)
        case (_, _, "nodes", at, "with", str(name)) | (_, _, "nodes", at, "check", "with", str(name)):
            return (_taken(flow.nodes.get(NodeId(str(at))), shapes, flows) or {}).get(name)
    return None


def _taken(node: Node | None, shapes: Mapping[LookUpId, LookUpShape], flows: Mapping[FlowId, Flow]) -> Types | None:
    """The parameters of what the node asks, by type; None where that is not known."""
    match node:
        case LookUpNode(look_up=name):
            return shapes[name].parameters if name in shapes else None
        case SecretNode(check=check):
            if check.look_up not in shapes:
                return None
            return {each: type_ for each, type_ in shapes[check.look_up].parameters.items() if each != SECRET}
        case CallNode(flow=name) if name in flows:
            called = flows[name]
            return {each: called.variables[each] for each in called.parameters if each in called.variables}
    return None


class _Place:
    """One node of a flow, and how to tell of it."""

    def __init__(self, flow_name: FlowId, flow: Flow, at: NodeId, reader: Reader) -> None:
        self.variables = flow.variables
        self._path: PathInFile = ("flows", flow_name, "nodes", at)
        self._reader = reader

    def tell(self, keys: PathInFile, message: str, hint: str = "") -> None:
        self._reader.tell((*self._path, *keys), hinted(message, hint))

    def given(self, values: Mapping[str, object], wanted: Types, of: str, keys: PathInFile = ("with",)) -> None:
        """Each parameter of `of` once, and no other."""
        for name in values:
            if name not in wanted:
                self.tell((*keys, name), f"expected a parameter of {of}, got {quoted(name)}", _near(name, wanted))
        for name, type_ in wanted.items():
            if name not in values and not self._reader.has_problem((*self._path, *keys)):
                message = f"expected a {type_.value} for the parameter {name} of {of}, got nothing"
                self.tell(keys, message, f"write {name}: and an expression")

    def taken(self, into: Mapping[str, str], gives: Types, of: str) -> None:
        """Each variable of the type that it takes."""
        for name, what in into.items():
            type_ = self.variables.get(name)
            if what not in gives:
                self.tell(("into", name), f"expected what {of} gives, got {quoted(what)}", _near(what, gives))
            elif type_ is not None and type_ is not gives[what]:
                message = f"expected a {type_.value} for the variable {name}, got {what} of {of}, a {gives[what].value}"
                self.tell(("into", name), message, f"declare {name} as {gives[what].value}")

    def text_variable(self, name: str) -> None:
        """Digits are kept as texts: 007 is not 7."""
        type_ = self.variables.get(name)
        if type_ not in (None, ValueType.TEXT):
            self.tell(("into",), f"expected a variable that is a text, got {name}, a {type_.value}", f"declare {name} as text")


def _check_node(place: _Place, node: Node, shapes: Mapping[LookUpId, LookUpShape], flows: Mapping[FlowId, Flow]) -> None:
    taken = _taken(node, shapes, flows)
    match node:
        case LookUpNode() if taken is not None:
            of = f"the look-up {node.look_up}"
            place.given(node.parameters, taken, of)
            place.taken(node.into, shapes[node.look_up].gives, of)
        case CallNode() if taken is not None:
            of = f"the flow {node.flow}"
            place.given(node.parameters, taken, of)
            called = flows[node.flow]
            place.taken(node.into, {each: called.variables[each] for each in called.gives if each in called.variables}, of)
        case SecretNode():
            if taken is not None:
                place.given(node.check.parameters, taken, f"the look-up {node.check.look_up}", ("check", "with"))
                _check_rule(place, node, shapes[node.check.look_up])
            if node.into is not None:
                place.text_variable(node.into)
            if (node.into is None) != (not node.check.token_field):
                message = (
                    "expected a token in its check beside into" if node.into else "expected into beside the token of its check"
                )
                place.tell(("into",) if node.into else ("check", "token"), f"{message}, got none", "write both, or neither")
        case CollectNode():
            place.text_variable(node.into)
            length = LENGTHS.get(node.checksum) if node.checksum is not None else None
            if length is not None and node.checksum is not None and (node.min_digits, node.max_digits) != (length, length):
                message = f"expected {length} digits for {node.checksum.value}, got {_span(node.min_digits, node.max_digits)}"
                place.tell(("digits",), message, "leave digits out")


def _check_rule(place: _Place, node: SecretNode, shape: LookUpShape) -> None:
    of = f"the look-up {node.check.look_up}"
    if not node.check.hash_field:
        if SECRET not in shape.parameters:
            message = f"expected hash beside the look-up, or a parameter {SECRET} of {of}, got neither"
            place.tell(("check",), message, "add hash: and the field")
    elif SECRET in shape.parameters:
        place.tell(("check", "hash"), f"expected hash, or a parameter {SECRET} of {of}, got both", "keep one of them")
    for key, name in (("hash", node.check.hash_field), ("token", node.check.token_field)):
        if name and shape.gives.get(name) is not ValueType.TEXT:
            texts = {each: type_ for each, type_ in shape.gives.items() if type_ is ValueType.TEXT}
            place.tell(("check", key), f"expected a text that {of} gives, got {quoted(name)}", _near(name, texts))


def _near(name: str, known: Types) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"known are {', '.join(known)}" if known else "there are none"


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
