"""The rules that a call must keep, as values: those of a preset, with what the site made stricter.

Each rule knows which of two values is the stricter one, so that a site cannot loosen the law by mistake: that takes an override with a
reason (`ccserver.config`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ccserver.core.dialer.terms import (
    DAY_S,
    ONE_TO_ONE,
    UNBACKED,
    AbandonWindow,
    ClockStart,
    LineType,
    Mode,
    Purpose,
    ShareOf,
)

Week = tuple[tuple[tuple[int, int], ...], ...]
"""Seven days (Monday first) of spans of minutes, as in `core.settings.OpeningHours`, in the callee's local time."""

UNASKED = frozenset({Purpose.MARKETING, Purpose.SERVICE})
"""Calls that nobody asked for."""
CALLABLE = frozenset({LineType.FIXED, LineType.MOBILE, LineType.FIXED_OR_MOBILE, LineType.VOIP, LineType.PERSONAL})
"""Numbers of persons: no service that costs, no pager, and nothing of which it is not known what it is."""
ALL_WEEK: Week = (((0, 1440),),) * 7

EVIDENCE_DAYS = 1826
"""Five years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for one campaign, or for agents' own calls. Defaults are ours where a law says nothing, and say so in the guide."""

    preset: str
    countries: frozenset[str]
    """ISO 3166 codes of the countries whose law these rules are."""
    modes: frozenset[Mode] = ONE_TO_ONE | UNBACKED | {Mode.AGENTLESS}
    line_types: frozenset[LineType] = CALLABLE
    blocked_prefixes: frozenset[str] = frozenset()
    """Beginnings of E.164 numbers that are never called."""

    week: Week
    window_binds: frozenset[Purpose] = frozenset(Purpose)
    closed_on_holidays: bool = False
    holidays: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """ISO dates by country or region (`ES`, `ES-MD`); a region's hold those of the whole country too."""

    do_not_call_binds: frozenset[Purpose] = UNASKED
    registers: Mapping[str, float] = field(default_factory=dict)
    """The registers that must have been asked, and how old they may be, in seconds."""
    needs_register: bool = False
    consent_lifts_registers: bool = True
    """Whether who agreed to be called may be called although a register lists the number."""
    consent_for: frozenset[Purpose] = frozenset()
    """The purposes for which nobody is called without a dated consent."""

    caps_bind: frozenset[Purpose] = UNASKED
    calls_a_day: int | None = None
    """To one number in 24 hours; None: any number of them. So below."""
    calls_a_month: int | None = None
    """To one number in 30 days."""
    calls_to_number: int | None = None
    """In one campaign."""
    calls_to_lead: int | None = None
    """In one campaign, at all numbers of the lead together."""
    calls_ever: int | None = None
    """To one number, in all campaigns together."""
    refusal_hold_off_s: float = 0.0
    """Who said no is left in peace for so long."""

    max_abandon: float = 0.03
    """The greatest share (0 to 1) of abandoned calls; 0: none at all, every call has its agent."""
    share_of: ShareOf = ShareOf.LIVE
    abandon_window: AbandonWindow = AbandonWindow.DAY
    counts_amd_errors: bool = True
    """Whether people who were taken for machines count as abandoned."""
    clock_start: ClockStart = ClockStart.GREETING_END
    connect_s: float = 2.0
    """An agent must be there within this time."""
    abandon_hold_off_s: float = DAY_S
    """Whose call was abandoned is not called again for so long, and the next time only with an agent reserved."""
    ring_min_s: float = 15.0
    amd_allowed: bool = True

    caller_id_types: frozenset[LineType] = CALLABLE | {LineType.TOLL_FREE}
    """What the number may be that is shown."""
    caller_id_calls_a_day: int = 100
    """Calls that one number may be shown for in 24 hours."""
    sheet_age_s: float = 900.0
    """Facts that are older are read anew."""
    evidence_days: int = EVIDENCE_DAYS
    """How long the evidence of the abandonment account is kept."""

    short_call_s: float | None = None
    """Calls that are no longer count as short, and are reported by caller-ID; None: nobody asks. So below."""
    short_call_share: float | None = None
    short_calls_from: int | None = None
    """From so many calls a day on the share of short ones matters."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """The rules in which the site allows more than the preset, each with the reason it gave."""


# --- which value is the stricter one --------------------------------------------------------------------------------------
def _fewer(value: frozenset[object], than: frozenset[object]) -> bool:
    return value <= than


def _more(value: frozenset[object], than: frozenset[object]) -> bool:
    return value >= than


def _lower(value: float | None, than: float | None) -> bool:
    """None is no limit at all."""
    return than is None or (value is not None and value <= than)


def _higher(value: float, than: float) -> bool:
    return value >= than


def _if_true(value: bool, than: bool) -> bool:
    return value or not than


def _if_false(value: bool, than: bool) -> bool:
    return not value or than


def _within(value: Week, than: Week) -> bool:
    """Whether each span lies in one of the other's."""
    return all(
        any(first <= start and end <= last for first, last in wider)
        for spans, wider in zip(value, map(_joined, than), strict=True)
        for start, end in spans
    )


def _joined(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Spans that touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _a_day(value: AbandonWindow, than: AbandonWindow) -> bool:
    """A share that is kept in any 24 hours is kept in any 30 days."""
    return value is AbandonWindow.DAY or than is AbandonWindow.MONTH


def _answer(value: ClockStart, than: ClockStart) -> bool:
    return value is ClockStart.ANSWER or than is ClockStart.GREETING_END


def _of_connected(value: ShareOf, than: ShareOf) -> bool:
    """The same number of abandoned calls is a greater share of fewer calls."""
    return value is ShareOf.CONNECTED or than is ShareOf.LIVE


def _sooner(value: Mapping[str, float], than: Mapping[str, float]) -> bool:
    """All the registers, and none of them older."""
    return all(name in value and value[name] <= age_s for name, age_s in than.items())


def _all_days(value: Mapping[str, frozenset[str]], than: Mapping[str, frozenset[str]]) -> bool:
    """The same places: where a place has days of its own, those of other places do not matter any more."""
    return value.keys() == than.keys() and all(value[place] >= days for place, days in than.items())


AT_LEAST_AS_STRICT: Mapping[str, Callable[..., bool]] = {
    "countries": _fewer,
    "modes": _fewer,
    "line_types": _fewer,
    "blocked_prefixes": _more,
    "week": _within,
    "window_binds": _more,
    "closed_on_holidays": _if_true,
    "holidays": _all_days,
    "do_not_call_binds": _more,
    "registers": _sooner,
    "needs_register": _if_true,
    "consent_lifts_registers": _if_false,
    "consent_for": _more,
    "caps_bind": _more,
    "calls_a_day": _lower,
    "calls_a_month": _lower,
    "calls_to_number": _lower,
    "calls_to_lead": _lower,
    "calls_ever": _lower,
    "refusal_hold_off_s": _higher,
    "max_abandon": _lower,
    "share_of": _of_connected,
    "abandon_window": _a_day,
    "counts_amd_errors": _if_true,
    "clock_start": _answer,
    "connect_s": _lower,
    "abandon_hold_off_s": _higher,
    "ring_min_s": _higher,
    "amd_allowed": _if_false,
    "caller_id_types": _fewer,
    "caller_id_calls_a_day": _lower,
    "sheet_age_s": _lower,
    "evidence_days": _higher,
}
"""By rule: whether the first value allows nothing that the second one refuses. What is only reported is not there."""


def looser(rules: Rules, than: Rules) -> tuple[str, ...]:
    """The rules in which `rules` allow something that `than` refuse."""
    return tuple(name for name, is_kept in AT_LEAST_AS_STRICT.items() if not is_kept(getattr(rules, name), getattr(than, name)))
