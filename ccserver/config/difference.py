"""What a reload would change, in words, and what it cannot."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import get_args

from ccserver.config.build import Configuration
from ccserver.config.edges import PromptSource
from ccserver.config.expression_written import written as written_expression
from ccserver.config.opening import DAYS, clock
from ccserver.config.requirements import written
from ccserver.core.expressions import (
    Apply,
    Both,
    Compare,
    Compute,
    Either,
    Expression,
    Literal,
    Name,
    Not,
    OneOf,
)
from ccserver.core.settings import (
    AllOf,
    AnyOf,
    Case,
    Comfort,
    Exit,
    ExitKind,
    HasSkill,
    NoneOf,
    OpeningHours,
    Overflow,
    Relaxation,
    Spoken,
    SpokenKind,
    Tier,
)

_NEEDS_RESTART = ("asterisk", "database", "metrics", "api", "webhooks", "recording", "privacy", "state_dir", "control_socket")
_SECRET = ("ami_secret", "agi_secret", "token", "secret", "url", "pin_hashes", "room_pins")
# In the settings for the core's sake; the edges tell the same.
_TOLD_ELSEWHERE = frozenset({"content_hash", "pbx", "recording_dir"})
_AFTERWARDS = {
    ("queues", "removed"): "it takes no new calls; those that wait are still served",
    ("agents", "removed"): "logged out after the call",
    ("flows", "changed"): "calls that are in it go on in the old one",
    ("dialplan", "changed"): "run ccserver asterisk render and reload the dialplan of Asterisk",
}

# Shown as one thing, not key by key.
_WHOLE = (Exit, Spoken, Case, PromptSource, HasSkill, AllOf, AnyOf, NoneOf, *get_args(Expression), type)
_SHOWN_MAX = 5  # of a set's members that came or went

PathOfNames = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`changes` are all, a line each, in the order of the settings; `refused` are those for which the daemon must be
    restarted: a reload with one of them changes nothing at all."""

    changes: tuple[str, ...]
    refused: tuple[str, ...]


def difference(old: Configuration, new: Configuration) -> Difference:
    """What loading `new` in place of `old` would do."""
    changes: list[str] = []
    refused: list[str] = []
    for path, how, words in (*_compared(old.edges, new.edges, ()), *_compared(old.settings, new.settings, ())):
        line = f"{'.'.join(path)}: {words}"
        if path[0] in _NEEDS_RESTART:
            refused.append(f"{line} (needs a restart of ccserver)")
            changes.append(refused[-1])
        else:
            later = _AFTERWARDS.get((path[0], how), "") if len(path) == 2 or how == "changed" else ""
            changes.append(f"{line} ({later})" if later else line)
    return Difference(changes=tuple(dict.fromkeys(changes)), refused=tuple(refused))


def _compared(old: object, new: object, path: PathOfNames) -> Iterator[tuple[PathOfNames, str, str]]:
    if old == new:
        return
    if path and path[-1] in _SECRET and not isinstance(old, Mapping):
        yield path, "changed", "another one (not shown)"
    elif len(path) > 1 and path[-2] == "headers":
        yield path, "changed", "another one (not shown)"  # keys of interfaces stand there
    elif isinstance(old, OpeningHours) and isinstance(new, OpeningHours):
        yield from _compared(_in_words(old), _in_words(new), path)
    elif isinstance(old, frozenset) and isinstance(new, frozenset) and len(old | new) > _SHOWN_MAX:
        yield path, "changed", _members(old, new)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            inner = (*path, str(key))
            if key not in new:
                yield inner, "removed", "removed"
            elif key not in old:
                yield inner, "new", "new"
            elif path == ("pin_hashes",):
                if old[key] != new[key]:
                    yield inner, "changed", "another one (not shown)"
            else:
                yield from _compared(old[key], new[key], inner)
    elif is_dataclass(old) and type(old) is type(new) and not isinstance(old, _WHOLE):
        for each in fields(old):
            if path or each.name not in _TOLD_ELSEWHERE:
                yield from _compared(getattr(old, each.name), getattr(new, each.name), (*path, each.name))
    else:
        yield path, "changed", f"{_shown(old)} -> {_shown(new)}"


def _in_words(hours: OpeningHours) -> Mapping[str, object]:
    """Opening hours as they are written: times of the clock by day."""

    def spans(of: Iterable[tuple[int, int]]) -> str:
        return ", ".join(f"{clock(start)}-{clock(end)}" for start, end in of) or "closed"

    return {
        "timezone": hours.timezone,
        "open": {DAYS[day]: spans(of) for day, of in enumerate(hours.week)},
        "closed_on": hours.closed_on,
        "holidays": hours.holidays,
        "special": {day: spans(of) for day, of in hours.special.items()},
        "code": hours.code,
    }


def _members(old: frozenset[object], new: frozenset[object]) -> str:
    """What came and went."""
    words = []
    for word, members in (("with", new - old), ("without", old - new)):
        some = sorted(map(_shown, members))
        more = f" and {len(some) - _SHOWN_MAX} more" if len(some) > _SHOWN_MAX else ""
        words += [f"{word} {', '.join(some[:_SHOWN_MAX])}{more}"] if some else []
    return "; ".join(words)


def _spoken(value: Spoken) -> str:
    said = " ".join(filter(None, ("" if value.of is None else written_expression(value.of), value.value)))
    if value.kind is not SpokenKind.PROMPT:
        said = f"{value.kind.value} {said}".strip()
    return said if value.language is None else f"{said} in {value.language}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case Enum():
            return str(value.value)
        case Exit():
            way = "hang up" if value.kind is ExitKind.HANG_UP else f"{value.kind.value} {value.target}".strip()
            return f"{way}, saying {value.prompt}" if value.prompt else way
        case Spoken():
            return _spoken(value)
        case Case():
            return f"{written_expression(value.when)}: {value.then}"
        case Literal() | Name() | Not() | Both() | Either() | Compare() | OneOf() | Compute() | Apply():
            return written_expression(value)
        case PromptSource():
            return f"the file {value.file}" if value.file is not None else f'"{value.text}"'
        case tuple():
            return "[" + ", ".join(map(_shown, value)) + "]"
        case frozenset():
            return "[" + ", ".join(sorted(map(_shown, value))) + "]"
        case HasSkill() | AllOf() | AnyOf() | NoneOf():
            return written(value)
        case Relaxation() | Tier() | Overflow() | Comfort():
            return "{" + ", ".join(f"{each.name}: {_shown(getattr(value, each.name))}" for each in fields(value)) + "}"
        case _ if is_dataclass(value):
            return type(value).__name__.removesuffix("Node").removesuffix("Edge").lower()
        case _:
            return str(value)
