"""Writes `docs/configuration.md` out of the schema: `python -m ccserver.config.reference > docs/configuration.md`."""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from ccserver.config.dialing_sections import AmdWord
from ccserver.config.kinds import SpokenText
from ccserver.config.opening import Holidays
from ccserver.config.pieces import Speech, piece
from ccserver.config.prompts import SYSTEM_LANGUAGES, system_library
from ccserver.config.requirements import written
from ccserver.config.schema import REQUIRED, Field, Group, ListOf, MapOf, OneOf, SetOf
from ccserver.config.sections import top
from ccserver.core.ids import Language
from ccserver.core.settings import EVERYBODY, AllOf, AnyOf, HasSkill, NoneOf

_HEAD = """# The settings

Generated from the schema (`python -m ccserver.config.reference`); the commented example is
[example.yaml](../ccserver/config/example.yaml). `ccserver config check FILE` tells everything that is wrong with a file.

Durations are seconds. Text that holds only digits may be written with or without quotes. A file may begin with
`extends: OTHER.yaml`: it then holds only what differs from that one; tables are laid over each other key by key, everything
else is replaced, and a key without a value takes one away.
"""


def reference() -> str:
    """The whole page."""
    lines = [_HEAD]
    lines += _groups(top, "the file")
    lines += ["## Prompts of the system", ""]
    lines += [
        f"Spoken in {', '.join(SYSTEM_LANGUAGES)} as they come; a prompt of the same name under `prompts` replaces one.",
        "",
    ]
    lines += ["| name | text |", "|---|---|"]
    lines += [f"| `{name}` | {texts[Language('en')].text or '(a sound)'} |" for name, texts in system_library().items()]
    return "\n".join(lines) + "\n"


def _groups(first: Group[object], title: str) -> Iterator[str]:
    """Each group once, in the order in which they are met."""
    pending: list[tuple[str, Group[object]]] = [(title, first)]
    seen: set[int] = set()
    while pending:
        name, group = pending.pop(0)
        if id(group) in seen:
            continue
        seen.add(id(group))
        yield from (f"## {name[0].upper() + name[1:] if name == title else f'`{name}`'}", "")
        yield from ("| key | what | written as | without it |", "|---|---|---|---|")
        inner: list[tuple[str, Group[object]]] = []
        for each in group.fields.values():
            yield _row(each)
            inner += _inside(each.kind, each.name if group is first else f"{name}.{each.name}")
        yield ""
        pending = inner + pending


def _row(each: Field) -> str:
    cells = (f"`{each.name}`", each.doc, _written(each.kind), _without(each))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _written(kind: object) -> str:
    if isinstance(kind, MapOf):
        return f"{kind.expected}: {kind.of.expected if not isinstance(kind.of, Group | OneOf) else 'each a table'}"
    if isinstance(kind, OneOf):
        return f"a table with one of the keys {', '.join(kind.groups)}"
    return "a table" if isinstance(kind, Group) else str(getattr(kind, "expected", ""))


def _without(each: Field) -> str:
    match each.default:
        case _ if each.default is REQUIRED:
            return "**required**"
        case bool():
            return "true" if each.default else "false"
        case None | "" | ():
            return "–"
        case float():
            return f"{each.default:g}"
        case Enum():
            return str(each.default.value)
        case int() | str() | Path():
            return f"`{each.default}`"
        case HasSkill() | AllOf() | AnyOf() | NoneOf():
            return "–" if each.default == EVERYBODY else written(each.default)
        case tuple():
            return ", ".join(map(str, each.default))
        case frozenset():
            return ", ".join(sorted(str(one.value) for one in each.default)) or "–"
        case Mapping():
            return ", ".join(f"{key}: {value}" for key, value in each.default.items()) or "none"
    return "–" if isinstance(each.kind, OneOf) else "as below"


def _inside(kind: object, name: str) -> list[tuple[str, Group[object]]]:
    match kind:
        case Group():
            return [(name, kind)]
        case MapOf():
            return _inside(kind.of, f"{name}.NAME")
        case ListOf() | SetOf():
            return _inside(kind.of, f"{name}[]")
        case OneOf():
            of = name if "nodes" in name or "look_ups" in name else "queues.NAME.EXIT"
            return [(f"{of}: {key}", group) for key, group in kind.groups.items()]
        case SpokenText() | Holidays() | AmdWord():
            return [(name, kind.group)]
        case Speech():
            return [(f"a piece of speech: {key}", group) for key, group in piece.groups.items()]
        case _:
            return []


if __name__ == "__main__":
    print(reference(), end="")
