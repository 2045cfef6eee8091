"""The rules by country as data: what they say, as of when, by which source, and whether that was held against the source.

This is no legal advice, and laws change: `docs/outbound-law.md` tells what each preset rests on, and the site answers for what it calls.
A preset that is not verified allows calls that a person dials, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.core.dialer.rules import Rules, Week
from ccserver.core.dialer.terms import DAY_S, AbandonWindow, ClockStart, LineType, Mode, Purpose, ShareOf

HOUR = 60


def _week(
    workdays: tuple[tuple[int, int], ...], saturday: tuple[tuple[int, int], ...], sunday: tuple[tuple[int, int], ...]
) -> Week:
    return (*(_minutes(workdays),) * 5, _minutes(saturday), _minutes(sunday))


def _minutes(hours: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((start * HOUR, end * HOUR) for start, end in hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """`as_of`: the day of the newest rule that is in it. `is_verified`: its rules were held against published copies or reports of their
    text, but for the `unverified` ones, which are from memory, or ours where the sources say nothing."""

    name: str
    title: str
    as_of: str
    sources: tuple[str, ...]
    is_verified: bool
    unverified: frozenset[str] = frozenset()
    rules: Rules


BY_HAND = frozenset({Mode.MANUAL, Mode.PREVIEW, Mode.CALLBACK_ONLY})
_NO_MOBILE = frozenset({LineType.FIXED, LineType.TOLL_FREE})
_EVERY_DAY = _week(((8, 21),), ((8, 21),), ((8, 21),))
_MARKETING = frozenset({Purpose.MARKETING})

_US = Preset(
    name="us",
    title="United States, federal rules (states may be stricter)",
    as_of="2024-10-15",
    sources=(
        "16 CFR 310.4(b)(1)(iv), (b)(4) and (c): abandoned calls and their safe harbour, calling hours 8 to 21",
        "16 CFR 310.4(b)(3)(iv): the national do-not-call registry, a version no older than 31 days",
        "47 CFR 64.1200(a)(6), (a)(7): two seconds, 15 seconds of ringing, the message and its key against further calls",
        "16 CFR 310.5: records are kept for five years",
    ),
    is_verified=True,
    unverified=frozenset({"needs_register", "counts_amd_errors", "evidence_days"}),
    rules=Rules(
        preset="us",
        countries=frozenset({"US"}),
        week=_EVERY_DAY,
        needs_register=True,
        max_abandon=0.03,
        abandon_window=AbandonWindow.MONTH,
    ),
)

_UK = Preset(
    name="uk",
    title="United Kingdom",
    as_of="2017-03-01",
    sources=(
        "Ofcom, Persistent misuse, statement of 20 December 2016, in force since 1 March 2017: no share of abandoned calls is safe any "
        "more; annex 3 tells how the rate is computed",
        "Ofcom's statement of 2008, amended 2010, in force until 28 February 2017: 72 hours, 15 seconds of ringing, false positives count",
        "Privacy and Electronic Communications Regulations 2003, 19 and 21: automatic calls need consent; TPS and CTPS",
    ),
    is_verified=True,
    unverified=frozenset({"week", "clock_start", "abandon_hold_off_s", "ring_min_s", "needs_register", "evidence_days"}),
    rules=Rules(
        preset="uk",
        countries=frozenset({"GB"}),
        week=_week(((8, 21),), ((8, 21),), ((9, 20),)),
        needs_register=True,
        max_abandon=0.01,
        clock_start=ClockStart.ANSWER,
        abandon_hold_off_s=3 * DAY_S,
        amd_allowed=False,
    ),
)

_BRAZIL = Preset(
    name="br",
    title="Brazil",
    as_of="2025-08-07",
    sources=(
        "Anatel, orders 160/2022, 250/2022, 103/2023 and 22/2024: 100 000 calls a day and 85 % of them short (6 seconds) block a user",
        "Anatel, board of 7 August 2025: the prefix 0303 is voluntary; from 500 000 calls a month on they must be authenticated",
        "Code of conduct of the telecom operators, 2019: 9 to 21 on workdays, 10 to 16 on Saturdays, not on Sundays and national holidays, "
        "two calls a day; Não Me Perturbe",
    ),
    is_verified=True,
    unverified=frozenset({"max_abandon", "abandon_hold_off_s", "evidence_days"}),
    rules=Rules(
        preset="br",
        countries=frozenset({"BR"}),
        week=_week(((9, 21),), ((10, 16),), ()),
        closed_on_holidays=True,
        needs_register=True,
        calls_a_day=2,
        short_call_s=6.0,
        short_call_share=0.85,
        short_calls_from=100_000,
    ),
)

_SPAIN = Preset(
    name="es",
    title="Spain",
    as_of="2025-06-07",
    sources=(
        "Ley 11/2022, General de Telecomunicaciones, 66.1, with AEPD Circular 1/2023: consent, for automatic calls in any case",
        "Real Decreto Legislativo 1/2007, 96.2: 9 to 21 o'clock, not on holidays, Saturdays and Sundays",
        "Orden TDF/149/2025, 9 and 10, binding callers since 7 June 2025: no mobile number is shown; geographic ones, 800, 900 may be",
    ),
    is_verified=True,
    unverified=frozenset({"needs_register", "max_abandon", "abandon_hold_off_s", "evidence_days"}),
    rules=Rules(
        preset="es",
        countries=frozenset({"ES"}),
        week=_week(((9, 21),), (), ()),
        closed_on_holidays=True,
        needs_register=True,
        consent_for=_MARKETING,
        caller_id_types=_NO_MOBILE,
    ),
)

_ITALY = Preset(
    name="it",
    title="Italy",
    as_of="2023-03-09",
    sources=(
        "Garante per la protezione dei dati personali, no. 83 of 20 February 2014 (silent calls): 3 for each 100 put through, an agent "
        "within 3 seconds of the answer, comfort noise, no call for five days, and then with an agent for certain",
        "DPR 26/2022: the Registro pubblico delle opposizioni, mobile numbers among them, since 27 July 2022",
        "Code of conduct on telemarketing (Garante, 9 March 2023): 9 to 20 on workdays, 10 to 19 on Saturdays, not on Sundays and holidays",
    ),
    is_verified=True,
    unverified=frozenset(
        {"week", "closed_on_holidays", "needs_register", "consent_lifts_registers", "evidence_days", "abandon_window"}
    ),
    rules=Rules(
        preset="it",
        countries=frozenset({"IT"}),
        week=_week(((9, 20),), ((10, 19),), ()),
        closed_on_holidays=True,
        needs_register=True,
        max_abandon=0.03,
        share_of=ShareOf.CONNECTED,
        clock_start=ClockStart.ANSWER,
        connect_s=3.0,
        abandon_hold_off_s=5 * DAY_S,
    ),
)

_FRANCE = Preset(
    name="fr",
    title="France",
    as_of="2026-08-11",
    sources=(
        "Code de la consommation, D. 223-9 (décret 2022-1313): Monday to Friday, 10 to 13 and 14 to 20, not on holidays, four calls in "
        "30 days, 60 days after a refusal",
        "Loi 2025-594 of 30 June 2025: consent before any call, from 11 August 2026",
    ),
    is_verified=False,
    rules=Rules(
        preset="fr",
        countries=frozenset({"FR"}),
        modes=BY_HAND,
        week=_week(((10, 13), (14, 20)), (), ()),
        closed_on_holidays=True,
        consent_for=_MARKETING,
        calls_a_month=4,
        refusal_hold_off_s=60 * DAY_S,
        amd_allowed=False,
        caller_id_types=_NO_MOBILE,
    ),
)

_GERMANY = Preset(
    name="de",
    title="Germany",
    as_of="2021-10-01",
    sources=(
        "UWG, 7(2) no. 1: no advertising calls to consumers without their express consent; 7a: it is documented and kept for five years",
    ),
    is_verified=False,
    rules=Rules(
        preset="de",
        countries=frozenset({"DE"}),
        modes=BY_HAND,
        week=_week(((9, 20),), ((9, 18),), ()),
        closed_on_holidays=True,
        consent_for=_MARKETING,
        amd_allowed=False,
        caller_id_types=_NO_MOBILE,
    ),
)

_OTHER = Preset(
    name="other",
    title="A country without a preset",
    as_of="2026-11-28",
    sources=("none: careful values of our own; find out what the law of the country says",),
    is_verified=False,
    rules=Rules(
        preset="other",
        countries=frozenset(),
        modes=BY_HAND,
        week=_week(((9, 20),), (), ()),
        closed_on_holidays=True,
        consent_for=_MARKETING,
        amd_allowed=False,
    ),
)

PRESETS: Mapping[str, Preset] = {each.name: each for each in (_US, _UK, _BRAZIL, _SPAIN, _ITALY, _FRANCE, _GERMANY, _OTHER)}

REGISTER_DAYS: Mapping[str, int] = {"us": 31, "uk": 28, "it": 15}
"""How old a register may be at most, where the law says so; else a month."""
REGISTER_DAYS_USUAL = 31


def preset_of(country: str) -> Preset:
    """That of an ISO 3166 country."""
    return next((each for each in PRESETS.values() if country in each.rules.countries), _OTHER)
