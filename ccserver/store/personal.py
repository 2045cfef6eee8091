"""Which cells of history identify a person, and whom: `docs/privacy.md` gives the reasons.

A person is a telephone number. Of some cells the whole is personal; in others a number may stand in the middle of a sentence, and only
that is sealed, so that the sentence can still be read after an erasure.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Table

from ccserver.core.settings import NumberKind
from ccserver.store import schema
from ccserver.store.rows import Row

NOBODY = ""
"""The person to whom belongs what is told of callers who withheld their number."""
_NUMBER = re.compile(r"(?<![A-Za-z0-9+])\+[0-9]{7,15}(?![0-9])", re.ASCII)
_FIRST_WORD = re.compile(r"\+?[0-9]{3,20}(?![^ ])", re.ASCII)
_OUTSIDE = re.compile(r"\+[0-9]{7,15}|[0-9]{9,20}", re.ASCII)
"""The target of a transfer that is a telephone number: those of agents have at most eight digits, and queues have names."""


@dataclass(frozen=True, slots=True)
class Personal:
    """`whole` are columns that belong to the person whom `of` names; `sentences` those in which numbers may stand."""

    of: str = ""
    whole: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    counts: Callable[[Row], bool] = field(default=lambda _: True)
    """Whether the whole columns of a row are personal at all."""


def _is_outside(row: Row) -> bool:
    return _OUTSIDE.fullmatch(str(row["target"])) is not None


PERSONAL: dict[Table, Personal] = {
    schema.interactions: Personal("caller_number", ("caller_number", "caller_name")),
    schema.notices: Personal("caller_number", ("caller_number", "caller_name", "data")),
    schema.callbacks: Personal("number", ("number", "confirmed_by")),
    schema.own_calls: Personal("target", ("target",), counts=lambda row: row["kind"] != NumberKind.INTERNAL.value),
    schema.refused_dials: Personal("number", ("number",), ("says",)),
    schema.transfers: Personal("target", ("target",), counts=_is_outside),
    schema.audit: Personal(sentences=("what",)),
    schema.repairs: Personal(sentences=("what",)),
    schema.faults: Personal(sentences=("reason",)),
}
_NOTHING = frozenset({None, "", "{}"})


def person_of(rule: Personal, row: Row) -> str | None:
    """The number of the person to whom the whole columns of a row belong; None: nothing in them is personal."""
    if not rule.of or not rule.counts(row) or all(row[name] in _NOTHING for name in rule.whole):
        return None
    number = row[rule.of]
    return NOBODY if number is None else str(number)


def is_told(cell: object) -> bool:
    """Whether there is something to seal in a whole column."""
    return cell not in _NOTHING


def numbers_in(row: Row, sentence: str) -> Iterator[re.Match[str]]:
    """Where telephone numbers stand in a sentence of a row."""
    text = str(row[sentence])
    if row.get("act") == "mark_number":  # it begins with the number, as somebody wrote it
        first = _FIRST_WORD.match(text)
        if first is not None:
            yield first
            return
    yield from _NUMBER.finditer(text)
