"""What a row of a file, or a request, says of a lead: columns by their names, numbers as E.164, everything with a limit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from ccserver.core.dialer.terms import ConsentKind
from ccserver.store.lead_csv import plain_cell
from ccserver.store.lead_phones import BadNumber, Phone, known_zones, read_phone

NUMBERS_MAX = 10
TEXT_MAX = 200
FIELD_TEXT_MAX = 1000
FIELDS_MAX = 100
PRIORITY_MAX = 1000
_CONSENTS = tuple(each.value for each in ConsentKind)
NUMBERS = ("number", *(f"number{place}" for place in range(2, NUMBERS_MAX + 1)))
KNOWN = (*NUMBERS, "key", "name", "time_zone", "priority", "consent", "consent_date", "consent_until")
"""The columns that say something to the dialler; every other is a custom field of its own name."""
TOLD = ("lead_state", "lead_tries", "lead_last_attempt_at", "lead_last_outcome")
"""The columns of an export that tell what was done: they are left out when it is read again."""


class BadLead(Exception):
    """A row or request that makes no lead. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That somebody agreed to be called: to what, when, and until when it holds."""

    kind: ConsentKind
    given_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """`fields` are the custom ones. `time_zone` None: that of its numbers. `priority` None: 0, or as it is. `line`: of its file."""

    phones: tuple[Phone, ...]
    key: str | None = None
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    priority: int | None = None
    consent: Consent | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the columns of a file are read. `columns`: what each says, by its place; None is left out."""

    columns: tuple[str | None, ...]
    country: str
    time_zone: str | None = None
    priority: int | None = None

    @property
    def custom(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name is not None and name not in KNOWN)


def assigned(head: Sequence[str], given: Mapping[str, str], ignored: Sequence[str] = ()) -> tuple[str | None, ...]:
    """What each column says. `given`: by what it says, the name it has in the file. Raises BadLead.

    A column that nothing is said of has its own name; those of numbers, keys and so on are found in any case of letters.
    """
    for name in (*given.values(), *ignored):
        if name not in head:
            raise BadLead(f"there is no column {name!r}; the first line has {', '.join(head)}")
    says = {column: what for what, column in given.items()}
    if len(says) < len(given):
        raise BadLead("a column is given two meanings")
    made: list[str | None] = []
    for name in head:
        if name in ignored or (name in TOLD and name not in says):
            made.append(None)
        elif name in says:
            made.append(says[name])
        else:
            lower = name.lower().replace(" ", "_")
            made.append(lower if lower in KNOWN and lower not in given else name)
    told = [what for what in made if what is not None]
    twice = sorted({what for what in told if told.count(what) > 1})
    if twice:
        raise BadLead(f"two columns say {', '.join(twice)}: leave one out with --ignore, or name it with --map")
    if not any(what in NUMBERS for what in told):
        raise BadLead(f"no column has the number: say which, for example --map number={head[0]}")
    if sum(what not in KNOWN for what in told) > FIELDS_MAX:
        raise BadLead(f"at most {FIELDS_MAX} custom fields: leave columns out with --ignore")
    return tuple(made)


def lead_of_row(cells: Sequence[str], reading: Reading, line: int) -> NewLead:
    """Raises BadLead, for a reason that is written beside the row."""
    if len(cells) != len(reading.columns):
        raise BadLead(f"{len(cells)} cells in place of {len(reading.columns)}: a cell that holds the separator goes in quotes")
    told = {what: plain_cell(cell).strip() for what, cell in zip(reading.columns, cells, strict=True) if what is not None}
    return lead_of(
        {**told, "time_zone": told.get("time_zone") or reading.time_zone or "", "priority": told.get("priority") or ""},
        country=reading.country,
        priority=reading.priority,
        line=line,
    )


def lead_of(told: Mapping[str, str], *, country: str, priority: int | None = None, line: int | None = None) -> NewLead:
    """Of cells by what they say. Raises BadLead."""
    key = told.get("key", "")
    if len(key) > TEXT_MAX:
        raise BadLead(f"a key has at most {TEXT_MAX} characters")
    name = " ".join(told.get("name", "").split())
    if len(name) > TEXT_MAX:
        raise BadLead(f"a name has at most {TEXT_MAX} characters")
    zone = told.get("time_zone", "")
    if zone and zone not in known_zones():
        raise BadLead(f"there is no time zone {zone[:TEXT_MAX]!r} (one is, for example, Europe/Madrid)")
    return NewLead(
        phones=_phones(told, country),
        key=key or None,
        name=name,
        fields=_fields(told),
        time_zone=zone or None,
        priority=_priority(told.get("priority", ""), priority),
        consent=_consent(told),
        line=line,
    )


def _phones(told: Mapping[str, str], country: str) -> tuple[Phone, ...]:
    made: dict[str, Phone] = {}
    for what in NUMBERS:
        text = told.get(what, "")
        if text:
            try:
                phone = read_phone(text, country)
            except BadNumber as error:
                raise BadLead(f"{what}: {error}") from None
            made.setdefault(phone.e164, phone)
    if not made:
        raise BadLead("there is no number")
    return tuple(made.values())


def _fields(told: Mapping[str, str]) -> dict[str, str]:
    made = {what: text for what, text in told.items() if text and what not in KNOWN}
    for what, text in made.items():
        if len(text) > FIELD_TEXT_MAX:
            raise BadLead(f"{what}: at most {FIELD_TEXT_MAX} characters")
    return made


def _priority(text: str, otherwise: int | None) -> int | None:
    if not text:
        return otherwise
    try:
        found = int(text)
    except ValueError:
        found = PRIORITY_MAX + 1
    if not -PRIORITY_MAX <= found <= PRIORITY_MAX:
        raise BadLead(f"priority: a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}, got {text[:20]!r}")
    return found


def _consent(told: Mapping[str, str]) -> Consent | None:
    kind, given, until = (told.get(what, "") for what in ("consent", "consent_date", "consent_until"))
    if not kind:
        if given or until:
            raise BadLead("consent: its date is told, and not what was consented to")
        return None
    if kind not in _CONSENTS:
        raise BadLead(f"consent: {' or '.join(_CONSENTS)}, got {kind[:30]!r}")
    if not given:
        raise BadLead("consent_date: a consent counts only with its date, for example 2026-05-03")
    made = Consent(
        kind=ConsentKind(kind), given_at=_day(given, "consent_date"), until=_day(until, "consent_until") if until else None
    )
    if made.until is not None and made.until < made.given_at:
        raise BadLead("consent_until: the consent ends before it was given")
    return made


def _day(text: str, what: str) -> datetime:
    try:
        if len(text) <= 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadLead(f"{what}: a date as 2026-05-03, got {text[:30]!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def as_json_text(fields: Mapping[str, str]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"))
