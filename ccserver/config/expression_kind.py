"""Expressions in a file."""

from dataclasses import dataclass

from ccserver.config.expression_text import EXAMPLE, WORDS, BadExpression, parse
from ccserver.config.placed import WrittenExpression
from ccserver.config.positions import Node, PathInFile, Scalar, inside
from ccserver.config.schema import Reader, Reference, Text, got, hinted
from ccserver.core.expressions import Expression, ValueType

VARIABLE_PATTERN = r"[a-z][a-z0-9_]{0,39}"


def _variable(text: str) -> str:
    if text in WORDS:
        raise ValueError("choose another: it is a word of expressions")
    return text


variable_name = Text(
    "a name for a variable", _variable, VARIABLE_PATTERN, 40, hint="small letters, digits and _, beginning with a letter"
)


variable = Reference("a variable of this flow", ("flows", "*", "variables"), str)


@dataclass(frozen=True, slots=True)
class ExpressionText:
    """An expression in one line. The reader keeps it with its places: its types are checked when the whole file is known."""

    type: ValueType | None = None

    @property
    def expected(self) -> str:
        return "an expression" if self.type is None else f"an expression that gives a {self.type.value}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Expression | None:
        if not isinstance(node, Scalar) or node.is_nothing() or not node.text.strip():
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", EXAMPLE), node.mark)
            return None
        try:
            placed = parse(node.text)
        except BadExpression as fault:
            reader.tell(path, hinted(fault.message, fault.hint), inside(node, fault.offset))
            return None
        reader.expressions[path] = WrittenExpression(node, placed, self.type)
        return placed.of
