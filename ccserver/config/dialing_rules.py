"""The rules of outbound calls as they are written: what the site makes stricter, and what it loosens, with the reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ccserver.config import opening
from ccserver.config.kinds import duration, whole
from ccserver.config.positions import PathInFile
from ccserver.config.schema import Choice, Field, Flag, Group, Kind, ListOf, MapOf, Number, Reader, SetOf, Text, hinted
from ccserver.core.dialer.rules import AT_LEAST_AS_STRICT, Rules, Week
from ccserver.core.dialer.terms import DAY_S, AbandonWindow, ClockStart, LineType, Mode, Purpose, ShareOf

_YEAR_S = 366 * DAY_S
_WRITTEN_AS = {"week": "calling_hours", "max_abandon": "max_abandon_percent"}
"""Rules that are written under another name than the core has for them."""


@dataclass(frozen=True, slots=True)
class GivenRules:
    """What was written, by the core's name of the rule."""

    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    rule: str
    because: str


def written_name(rule: str) -> str:
    """The key of a rule in the file."""
    return _WRITTEN_AS.get(rule, rule)


def _rule(text: str) -> str:
    known = {written_name(each): each for each in AT_LEAST_AS_STRICT}
    if text not in known:
        raise ValueError(f"known are {', '.join(sorted(known))}")
    return known[text]


def _given(
    calling_hours: Mapping[opening.Days, tuple[opening.Span, ...]] | None, max_abandon_percent: float | None, **others: object
) -> GivenRules:
    values = {name: value for name, value in others.items() if value is not None}
    if calling_hours is not None:
        week: Week = opening.opening_hours(timezone="UTC", open=calling_hours).week
        values["week"] = week
    if max_abandon_percent is not None:
        values["max_abandon"] = max_abandon_percent / 100.0
    return GivenRules(values)


def _optional(name: str, kind: Kind[object], doc: str) -> Field:
    return Field(name, kind, doc, default=None)


_country = Text("a country code of two capital letters", str, r"[A-Z]{2}", 2, "ES")
prefix = Text("the beginning of an E.164 number", str, r"\+[0-9]{1,15}", 16, '"+34803"')
_purposes = SetOf(Choice(Purpose))
_calls = whole(0, 1000, "3")
_line_types = SetOf(Choice(LineType))

rules = Group(
    "rules of dialing",
    _given,
    [
        _optional("countries", SetOf(_country), "The countries whose numbers are called."),
        _optional("modes", SetOf(Choice(Mode)), "How it may be dialled."),
        _optional("line_types", _line_types, "The types of numbers that are called."),
        _optional("blocked_prefixes", SetOf(prefix, 1000), "Beginnings of numbers that are never called."),
        _optional(
            "calling_hours",
            MapOf(opening.days, ListOf(opening.span, 10), "weekdays", 7),
            "When people may be called, by their own clock; a day that is not named is closed.",
        ),
        _optional("window_binds", _purposes, "The purposes for which the calling hours and holidays bind."),
        _optional("closed_on_holidays", Flag(), "Whether nobody is called on public holidays."),
        _optional("do_not_call_binds", _purposes, "The purposes for which our own do-not-call lists bind."),
        _optional("needs_register", Flag(), "Whether marketing calls need a public register that was imported."),
        _optional("consent_lifts_registers", Flag(), "Whether who agreed may be called although a register lists the number."),
        _optional("consent_for", _purposes, "The purposes for which nobody is called without a dated consent."),
        _optional("caps_bind", _purposes, "The purposes for which the numbers of calls are limited."),
        _optional("calls_a_day", _calls, "Calls to one number in 24 hours, in all campaigns."),
        _optional("calls_a_month", _calls, "Calls to one number in 30 days, in all campaigns."),
        _optional("calls_to_number", _calls, "Calls to one number in one campaign."),
        _optional("calls_to_lead", _calls, "Calls to one lead in one campaign, at all of its numbers."),
        _optional("calls_ever", _calls, "Calls to one number, in all campaigns and at any time."),
        _optional("refusal_hold_off_s", duration(0, _YEAR_S, "5184000"), "Who said no is left in peace for so long."),
        _optional(
            "max_abandon_percent",
            Number(float, 0, 100, "1", "percent"),
            "The greatest share of abandoned calls in percent; 0: none, every call has an agent reserved.",
        ),
        _optional(
            "share_of",
            Choice(ShareOf),
            "What the abandoned calls are held against: live, all that a person answered; connected, those that were put through.",
        ),
        _optional(
            "abandon_window", Choice(AbandonWindow), "The time in which they are counted: day, any 24 hours; month, 30 days."
        ),
        _optional("counts_amd_errors", Flag(), "Whether people who were taken for machines count as abandoned."),
        _optional(
            "clock_start",
            Choice(ClockStart),
            "From when an agent must be there in time: the answer, or the end of the greeting.",
        ),
        _optional("connect_s", duration(0.1, 30, "2"), "How soon an agent must be there."),
        _optional(
            "abandon_hold_off_s",
            duration(0, _YEAR_S, "259200"),
            "Whose call was abandoned is not called for so long, and the next time only with an agent reserved.",
        ),
        _optional("ring_min_s", duration(0, 120, "15"), "How long it rings at least."),
        _optional("amd_allowed", Flag(), "Whether answering machines may be detected."),
        _optional("caller_id_types", _line_types, "The types of numbers of ours that may be shown."),
        _optional("caller_id_calls_a_day", whole(1, 100_000, "100"), "Calls that one number may be shown for in 24 hours."),
        _optional(
            "sheet_age_s", duration(1, 86_400, "900"), "Facts about a lead that are older are read anew before it is dialled."
        ),
        _optional("evidence_days", whole(1, 36_500, "1826"), "How long the evidence of abandoned calls is kept."),
    ],
    wrong={
        "max_abandon": "it is written in percent: max_abandon_percent",
        "week": "it is written as calling_hours",
        "registers": "they stand under dialing",
    },
)
override = Group(
    "an override",
    Override,
    [
        Field(
            "rule",
            Text("the name of a rule", _rule, r"[a-z_]{1,40}", 40),
            "The rule in which more is allowed than the preset does.",
        ),
        Field(
            "because",
            Text(
                "a reason",
                str,
                r"\S.{8,}\S",
                500,
                hint="a sentence of at least 10 characters: who decided it, and why it is lawful",
            ),
            "Why that is lawful; kept with the settings and the evidence.",
        ),
    ],
)
overrides = ListOf(override, 50)


def with_site(base: Rules, given: GivenRules, allowed: Iterable[Override], path: PathInFile, reader: Reader) -> Rules:
    """The rules with what the site wrote. What is looser than `base` without an override is told."""
    reasons = {each.rule: each.because for each in allowed}
    made = replace(base, **given.values)  # type: ignore[arg-type]
    used: dict[str, str] = {}
    for name in given.values:
        if AT_LEAST_AS_STRICT[name](getattr(made, name), getattr(base, name)):
            continue
        key = written_name(name)
        where = (*path, "rules", key)
        if name in reasons:
            used[name] = reasons[name]
            reader.warn(where, f"expected a value as strict as the preset {base.preset} has, got a looser one by an override")
            continue
        message = f"expected a value at least as strict as {_shown(name, base)} (the rules {base.preset})"
        mend = f"loosen it by overrides: [{{rule: {key}, because: …}}] if that is lawful"
        reader.tell(where, hinted(f"{message}, got {_shown(name, made)}", mend))
    for place, each in enumerate(allowed):
        if each.rule not in used:
            reader.warn(
                (*path, "overrides", place), "expected an override of a rule that is loosened under rules, got one of no use"
            )
    return replace(made, overrides={**base.overrides, **used})


def _hours(week: Week) -> str:
    """The hours of each day, as they are written."""
    days = (
        f"{day} {', '.join(f'{opening.clock(start)}-{opening.clock(end)}' for start, end in spans) or 'closed'}"
        for day, spans in zip(opening.DAYS, week, strict=True)
    )
    return "; ".join(days)


def _shown(name: str, rules: Rules) -> str:
    """A rule's value as it is written."""
    match getattr(rules, name):
        case None:
            return "no limit"
        case bool(value):
            return "true" if value else "false"
        case frozenset() as values:
            return "[" + ", ".join(sorted(str(getattr(each, "value", each)) for each in values)) + "]"
        case tuple():
            return _hours(rules.week)
        case float(value):
            return f"{value * 100:g}" if name == "max_abandon" else f"{value:g}"
        case value:
            return str(getattr(value, "value", value))
