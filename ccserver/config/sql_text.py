"""The SQL of a look-up, read far enough to know its parameters: one statement that selects, with `:name` for each.

What would make a name doubtful is refused instead of being understood: comments, texts in dollars, texts with escapes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)"""
    r"|(?P<open>['\"`])"
    r"|(?P<comment>--|/\*)"
    r"|(?P<dollar>\$[A-Za-z0-9_]*\$)"
    r"|(?P<cast>::)"
    r"|(?<![A-Za-z0-9_]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<end>;)"
)
_ESCAPED = re.compile(r"(?i)(?<![a-z0-9_])e\Z")
_READS = re.compile(r"(?i)\s*(select|with)\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """`texts` around `names`: one more of them than of names. A name may come twice."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    def written(self, parameter: Callable[[str], str], text: Callable[[str], str] = lambda text: text) -> str:
        """With the parameters as a driver wants them."""
        rest = (parameter(name) + text(after) for name, after in zip(self.names, self.texts[1:], strict=True))
        return text(self.texts[0]) + "".join(rest)


def read_statement(sql: str) -> Statement:
    """Raises ValueError, whose text says what was found and what to do."""
    texts: list[str] = []
    names: list[str] = []
    start = 0
    for token in _TOKEN.finditer(sql):
        match token.lastgroup:
            case "name":
                texts.append(sql[start : token.start()])
                names.append(token["name"])
                start = token.end()
            case "end":
                if sql[token.end() :].strip():
                    raise ValueError("more than one statement (keep one)")
                sql = sql[: token.start()]
            case "open":
                raise ValueError(f"a text that does not end, after {sql[: token.start()][-20:]!r} (close it)")
            case "comment":
                raise ValueError("a comment (write it above the look-up, after #)")
            case "dollar":
                raise ValueError("a text in dollars (write it in single quotes)")
            case "text" if _ESCAPED.search(sql, 0, token.start()):
                raise ValueError("a text with escapes, e'…' (write it in plain quotes)")
            case _:
                pass
    if not _READS.match(sql):
        first = sql.split(maxsplit=1)
        raise ValueError(
            f"{first[0][:20]!r} at its beginning (a look-up reads: begin with select or with)" if first else "nothing"
        )
    texts.append(sql[start:])
    return Statement(tuple(texts), tuple(names))
