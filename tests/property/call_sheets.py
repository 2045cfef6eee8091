"""Fact sheets of calls that may be made, that may not for one reason alone, and of any kind; and rules made stricter one by one."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from ccserver.core.dialer.facts import AttemptsMade, CallerIdFacts, Consent, FactSheet, Listing, RegisterFacts
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import AT_LEAST_AS_STRICT, Rules
from ccserver.core.dialer.terms import (
    DAY_S,
    ONE_TO_ONE,
    AbandonWindow,
    ClockStart,
    ConsentKind,
    LineType,
    Mode,
    Purpose,
    ShareOf,
    ZoneSource,
)
from ccserver.core.dialer.verdict import Refusal
from ccserver.core.ids import CampaignId, TrunkId

PLACES = {
    "us": ("US-NY", "America/New_York", "+1212555"),
    "uk": ("GB", "Europe/London", "+442071"),
    "br": ("BR-SP", "America/Sao_Paulo", "+55113"),
    "es": ("ES-MD", "Europe/Madrid", "+3491"),
    "it": ("IT", "Europe/Rome", "+3906"),
    "fr": ("FR", "Europe/Paris", "+3314"),
    "de": ("DE", "Europe/Berlin", "+4930"),
    "other": ("PT", "Europe/Lisbon", "+35121"),
}
NOON = datetime(2026, 11, 25, 15, tzinfo=UTC).timestamp()  # a Wednesday: a good hour in all of these places
CHRISTMAS = "2026-12-25"
WINTER = CampaignId("winter")


def rules_of(preset: str) -> Rules:
    """As a site has them that has done its homework."""
    rules = PRESETS[preset].rules
    place = PLACES[preset][0].partition("-")[0]
    return replace(
        rules,
        countries=rules.countries or frozenset({place}),
        holidays={place: frozenset({CHRISTMAS, "2026-01-01"})},
        registers={"national": 30 * DAY_S} if rules.needs_register else {},
    )


some_rules = st.sampled_from(sorted(PRESETS)).map(rules_of)


@st.composite
def lawful(draw: st.DrawFn, rules: Rules) -> FactSheet:
    """A call that these rules allow at NOON."""
    region, zone, prefix = PLACES[rules.preset]
    mode = draw(st.sampled_from(sorted(rules.modes, key=lambda each: each.value)))
    purpose = Purpose.REQUESTED if mode is Mode.CALLBACK_ONLY else draw(st.sampled_from(Purpose))
    needs = mode is Mode.AGENTLESS or purpose in rules.consent_for
    consent = Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=NOON - draw(st.floats(1, 1e8)), expires_utc_s=NOON + DAY_S)
    is_reserved = mode in ONE_TO_ONE or draw(st.booleans())
    return FactSheet(
        number=prefix + "".join(map(str, draw(st.lists(st.integers(0, 9), min_size=4, max_size=6)))),
        line_type=draw(st.sampled_from(sorted(rules.line_types, key=lambda each: each.value))),
        region=region,
        zones=(zone,),
        zone_source=draw(st.sampled_from(ZoneSource)),
        purpose=purpose,
        mode=mode,
        campaign=WINTER,
        read_utc_s=NOON - draw(st.floats(0, 800)),
        is_campaign_open=True,
        requested_utc_s=NOON - DAY_S if purpose is Purpose.REQUESTED else None,
        due_utc_s=draw(st.none() | st.floats(0, NOON)),
        consent=consent if needs else None,
        listings=draw(st.sampled_from([(), (Listing(campaign=CampaignId("summer"), at_utc_s=NOON - 99.0),)])),
        registers=tuple(
            RegisterFacts(name=name, as_of_utc_s=NOON - draw(st.floats(0, age_s)), is_listed=False)
            for name, age_s in rules.registers.items()
        ),
        attempts=draw(st.sampled_from([AttemptsMade(), AttemptsMade(day=1, month=1, number=1, last_utc_s=NOON - 7200)])),
        is_agent_reserved=is_reserved,
        abandon_room=draw(st.integers(1, 9)),
        ring_s=draw(st.floats(rules.ring_min_s, 60)),
        uses_amd=rules.amd_allowed and draw(st.booleans()),
        has_safe_harbour=True,
        caller_id=CallerIdFacts(
            number=prefix + "00000",
            line_type=draw(st.sampled_from(sorted(rules.caller_id_types, key=lambda each: each.value))),
            is_ours=True,
            answers_back=True,
            calls_today=draw(st.integers(0, 99)),
            calls_a_day=draw(st.integers(100, 500)),
        ),
        trunk=TrunkId("main"),
    )


# --- unlawful in one way --------------------------------------------------------------------------------------------------
def _marketing(sheet: FactSheet, **changes: object) -> FactSheet:
    """As a call that nobody asked for."""
    mode = Mode.MANUAL if sheet.mode in (Mode.CALLBACK_ONLY, Mode.AGENTLESS) else sheet.mode
    consent = sheet.consent or Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=NOON - 1)
    base = replace(sheet, purpose=Purpose.MARKETING, mode=mode, is_agent_reserved=True, consent=consent)
    return replace(base, **changes)  # type: ignore[arg-type]


def _requested(sheet: FactSheet, **changes: object) -> FactSheet:
    base = replace(sheet, purpose=Purpose.REQUESTED, requested_utc_s=NOON - DAY_S)
    return replace(base, **changes)  # type: ignore[arg-type]


def _shown(sheet: FactSheet, **changes: object) -> FactSheet:
    assert sheet.caller_id is not None
    return replace(sheet, caller_id=replace(sheet.caller_id, **changes))  # type: ignore[arg-type]


def _made(sheet: FactSheet, **counts: int) -> FactSheet:
    return _marketing(sheet, attempts=AttemptsMade(last_utc_s=NOON - 60, **counts))


Case = tuple[Callable[[Rules], Rules], Callable[[FactSheet], FactSheet]]


def _as_they_are(rules: Rules) -> Rules:
    return rules


def _with(**changes: object) -> Callable[[Rules], Rules]:
    return lambda rules: replace(rules, **changes)  # type: ignore[arg-type]


def _unbacked(sheet: FactSheet) -> FactSheet:
    return _marketing(sheet, mode=Mode.PREDICTIVE, is_agent_reserved=False)


_every_mode = _with(modes=frozenset(Mode), caps_bind=frozenset({Purpose.MARKETING}))
_asks = _with(
    needs_register=True, registers={"national": DAY_S}, consent_for=frozenset[Purpose](), consent_lifts_registers=True
)
_fresh = (RegisterFacts(name="national", as_of_utc_s=NOON - 60, is_listed=False),)
_old = RegisterFacts(name="national", as_of_utc_s=NOON - DAY_S - 1, is_listed=False)
_listed = RegisterFacts(name="national", as_of_utc_s=NOON - 60, is_listed=True)

UNLAWFUL: Mapping[Refusal, list[Case]] = {
    Refusal.UNSOUND_FACTS: [
        (_as_they_are, lambda sheet: replace(sheet, read_utc_s=NOON + 3600)),
        (_as_they_are, lambda sheet: replace(sheet, read_utc_s=float("nan"))),
        (_as_they_are, lambda sheet: replace(sheet, attempts=AttemptsMade(day=3))),
        (_as_they_are, lambda sheet: replace(sheet, attempts=AttemptsMade(lifetime=-1))),
        (_as_they_are, lambda sheet: replace(sheet, ring_s=float("inf"))),
        (_as_they_are, lambda sheet: _shown(sheet, calls_today=-1)),
    ],
    Refusal.STALE_FACTS: [(_as_they_are, lambda sheet: replace(sheet, read_utc_s=NOON - 901))],
    Refusal.NOT_E164: [
        (_as_they_are, lambda sheet: replace(sheet, number=sheet.number.removeprefix("+"))),
        (_as_they_are, lambda sheet: replace(sheet, number=sheet.number + "\n")),
        (_as_they_are, lambda sheet: replace(sheet, number="+0" + sheet.number[2:])),
    ],
    Refusal.COUNTRY_NOT_COVERED: [
        (_with(countries=frozenset({"XX"})), _marketing),
        (_with(closed_on_holidays=False), lambda sheet: _marketing(sheet, region="")),
    ],
    Refusal.LINE_TYPE: [
        (_as_they_are, lambda sheet: replace(sheet, line_type=LineType.PREMIUM)),
        (_as_they_are, lambda sheet: replace(sheet, line_type=LineType.UNKNOWN)),
    ],
    Refusal.BLOCKED_PREFIX: [(_with(blocked_prefixes=frozenset({"+3", "+1", "+4", "+5"})), lambda sheet: sheet)],
    Refusal.PURPOSE_UNKNOWN: [
        (_with(countries=frozenset(place[0][:2] for place in PLACES.values())), lambda sheet: _marketing(sheet, purpose=None))
    ],
    Refusal.REQUEST_NOT_DATED: [
        (_as_they_are, lambda sheet: _requested(sheet, requested_utc_s=None)),
        (_as_they_are, lambda sheet: _requested(sheet, requested_utc_s=NOON - 31 * DAY_S)),
    ],
    Refusal.MODE_NOT_ALLOWED: [(_with(modes=frozenset({Mode.PREVIEW})), lambda sheet: _marketing(sheet, mode=Mode.MANUAL))],
    Refusal.NOT_REQUESTED: [(_every_mode, lambda sheet: _marketing(sheet, mode=Mode.CALLBACK_ONLY))],
    Refusal.DO_NOT_CALL: [
        (_as_they_are, lambda sheet: _marketing(sheet, listings=(Listing(campaign=None, at_utc_s=NOON - 9e8),))),
        (_as_they_are, lambda sheet: _requested(sheet, listings=(Listing(campaign=None, at_utc_s=NOON - 60),))),
    ],
    Refusal.CAMPAIGN_DO_NOT_CALL: [
        (_as_they_are, lambda sheet: _marketing(sheet, listings=(Listing(campaign=WINTER, at_utc_s=NOON - 60),))),
        (_as_they_are, lambda sheet: _marketing(sheet, campaign=None, listings=(Listing(campaign=WINTER, at_utc_s=NOON),))),
    ],
    Refusal.REGISTER_LISTED: [
        (_asks, lambda sheet: _marketing(sheet, consent=None, registers=(_listed,))),
        (_with(consent_lifts_registers=False), lambda sheet: _marketing(sheet, registers=(*sheet.registers, _listed))),
    ],
    Refusal.REGISTER_MISSING: [
        (_asks, lambda sheet: _marketing(sheet, consent=None, registers=())),
        (_asks, lambda sheet: _marketing(sheet, consent=None, registers=(replace(_old, as_of_utc_s=None),))),
        (
            _with(needs_register=True, registers={}, consent_for=frozenset()),
            lambda sheet: _marketing(sheet, consent=None, registers=()),
        ),
    ],
    Refusal.REGISTER_TOO_OLD: [(_asks, lambda sheet: _marketing(sheet, consent=None, registers=(_old,)))],
    Refusal.CONSENT_MISSING: [
        (
            _with(consent_for=frozenset(Purpose)),
            lambda sheet, given=given: _requested(  # type: ignore[misc]
                sheet, mode=Mode.MANUAL, is_agent_reserved=True, consent=given
            ),
        )
        for given in (
            None,
            Consent(kind=ConsentKind.CALLS, given_utc_s=None),
            Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=NOON - 9, expires_utc_s=NOON),
        )
    ],
    Refusal.AUTOMATIC_WITHOUT_CONSENT: [
        (
            _every_mode,
            lambda sheet, given=given: _requested(sheet, mode=Mode.AGENTLESS, consent=given),  # type: ignore[misc]
        )
        for given in (
            Consent(kind=ConsentKind.CALLS, given_utc_s=NOON - 9),
            Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=None),
            Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=NOON - 9, expires_utc_s=NOON - 1),
            None,
        )
    ]
    + [
        (
            _with(consent_for=frozenset()),
            lambda sheet: _requested(sheet, mode=Mode.MANUAL, is_agent_reserved=True, consent=None, drops_voicemail=True),
        )
    ],
    Refusal.PERSON_REFUSED: [
        (_with(refusal_hold_off_s=DAY_S), lambda sheet: _marketing(sheet, last_refusal_utc_s=NOON - DAY_S + 1))
    ],
    Refusal.ABANDON_HOLD_OFF: [
        (_as_they_are, lambda sheet: _marketing(sheet, last_abandon_utc_s=NOON - 3600)),
        (_as_they_are, lambda sheet: _marketing(sheet, last_abandon_utc_s=NOON - 3600, last_talk_utc_s=NOON - 7200)),
        (_as_they_are, lambda sheet: _requested(sheet, is_agent_reserved=True, last_abandon_utc_s=NOON - 3600)),
    ],
    Refusal.AGENT_NOT_RESERVED: [
        (_as_they_are, lambda sheet: _marketing(sheet, mode=Mode.MANUAL, is_agent_reserved=False)),
        (_every_mode, lambda sheet: replace(_unbacked(sheet), last_abandon_utc_s=NOON - 30 * DAY_S)),
    ],
    Refusal.BUDGET_SPENT: [
        (_every_mode, lambda sheet: replace(_unbacked(sheet), abandon_room=0)),
        (_with(modes=frozenset(Mode), max_abandon=0.0), _unbacked),
    ],
    Refusal.NO_SAFE_HARBOUR: [(_every_mode, lambda sheet: replace(_unbacked(sheet), has_safe_harbour=False))],
    Refusal.AMD_NOT_ALLOWED: [(_with(amd_allowed=False), lambda sheet: replace(sheet, uses_amd=True))],
    Refusal.RINGS_TOO_SHORT: [(_as_they_are, lambda sheet: replace(sheet, ring_s=14.9))],
    Refusal.DAY_CAP: [(_with(calls_a_day=2, calls_a_month=None), lambda sheet: _made(sheet, day=2))],
    Refusal.MONTH_CAP: [(_with(calls_a_month=4), lambda sheet: _made(sheet, month=4))],
    Refusal.NUMBER_CAP: [(_with(calls_to_number=5), lambda sheet: _made(sheet, number=7))],
    Refusal.LEAD_CAP: [(_with(calls_to_lead=5), lambda sheet: _made(sheet, campaign=5))],
    Refusal.LIFETIME_CAP: [(_with(calls_ever=9), lambda sheet: _made(sheet, lifetime=9))],
    Refusal.NOT_DUE: [(_as_they_are, lambda sheet: replace(sheet, due_utc_s=NOON + 1))],
    Refusal.CAMPAIGN_CLOSED: [(_as_they_are, lambda sheet: replace(sheet, is_campaign_open=False))],
    Refusal.ZONE_UNKNOWN: [
        (_as_they_are, lambda sheet: _marketing(sheet, zones=())),
        (_as_they_are, lambda sheet: _marketing(sheet, zones=(*sheet.zones, "Europe/Nowhere"))),
    ],
    Refusal.HOLIDAYS_UNKNOWN: [(_with(closed_on_holidays=True, holidays={"XX": frozenset()}), _marketing)],
    Refusal.OUTSIDE_WINDOW: [
        (_as_they_are, lambda sheet: _marketing(sheet, zones=("Asia/Tokyo",))),
        (_as_they_are, lambda sheet: _marketing(sheet, zones=(*sheet.zones, "Pacific/Auckland"))),
        (_as_they_are, lambda sheet: _requested(sheet, zones=("Asia/Tokyo",), agreed_utc_s=NOON + 60)),
        (_as_they_are, lambda sheet: _requested(sheet, zones=("Asia/Tokyo",), agreed_utc_s=NOON - 3601)),
        (_with(week=((),) * 7), _marketing),
        (
            _with(closed_on_holidays=True, holidays={place[0]: frozenset({"2026-11-25"}) for place in PLACES.values()}),
            _marketing,
        ),
    ],
    Refusal.CALLER_ID_MISSING: [(_as_they_are, lambda sheet: replace(sheet, caller_id=None))],
    Refusal.CALLER_ID_NOT_OURS: [
        (_as_they_are, lambda sheet: _shown(sheet, is_ours=False)),
        (_as_they_are, lambda sheet: _shown(sheet, number="anonymous")),
    ],
    Refusal.CALLER_ID_SILENT: [(_as_they_are, lambda sheet: _shown(sheet, answers_back=False))],
    Refusal.CALLER_ID_TYPE: [(_as_they_are, lambda sheet: _shown(sheet, line_type=LineType.PREMIUM))],
    Refusal.CALLER_ID_CAP: [
        (_as_they_are, lambda sheet: _shown(sheet, calls_today=100, calls_a_day=500)),
        (_as_they_are, lambda sheet: _shown(sheet, calls_today=7, calls_a_day=7)),
    ],
    Refusal.TRUNK_MISSING: [(_as_they_are, lambda sheet: replace(sheet, trunk=None))],
}


# --- any sheet at all -------------------------------------------------------------------------------------------------------
_times = st.floats(allow_nan=True, allow_infinity=True) | st.floats(NOON - 40 * DAY_S, NOON + 40 * DAY_S)
_maybe = st.none() | _times
_text = st.text(max_size=20) | st.sampled_from(
    ["", "US", "ES-MD", "+34910000001", "Europe/Madrid", "..", "/etc/passwd", "\0", "Europe"]
)
_counts = st.integers(-3, 200) | st.integers()

any_sheet: st.SearchStrategy[FactSheet] = st.builds(
    FactSheet,
    number=_text,
    line_type=st.sampled_from(LineType),
    region=_text,
    zones=st.lists(_text, max_size=3).map(tuple),
    zone_source=st.sampled_from(ZoneSource),
    purpose=st.none() | st.sampled_from(Purpose),
    mode=st.sampled_from(Mode),
    campaign=st.none() | _text.map(CampaignId),
    read_utc_s=_times,
    is_campaign_open=st.booleans(),
    campaign_opens_utc_s=_maybe,
    requested_utc_s=_maybe,
    agreed_utc_s=_maybe,
    due_utc_s=_maybe,
    consent=st.none() | st.builds(Consent, kind=st.sampled_from(ConsentKind), given_utc_s=_maybe, expires_utc_s=_maybe),
    listings=st.lists(st.builds(Listing, campaign=st.none() | _text.map(CampaignId), at_utc_s=_times), max_size=2).map(tuple),
    registers=st.lists(st.builds(RegisterFacts, name=_text, as_of_utc_s=_maybe, is_listed=st.booleans()), max_size=2).map(
        tuple
    ),
    attempts=st.builds(
        AttemptsMade, day=_counts, month=_counts, number=_counts, campaign=_counts, lifetime=_counts, last_utc_s=_maybe
    ),
    last_refusal_utc_s=_maybe,
    last_abandon_utc_s=_maybe,
    last_talk_utc_s=_maybe,
    is_agent_reserved=st.booleans(),
    abandon_room=_counts,
    ring_s=_times,
    uses_amd=st.booleans(),
    drops_voicemail=st.booleans(),
    has_safe_harbour=st.booleans(),
    caller_id=st.none()
    | st.builds(
        CallerIdFacts,
        number=_text,
        line_type=st.sampled_from(LineType),
        is_ours=st.booleans(),
        answers_back=st.booleans(),
        calls_today=_counts,
        calls_a_day=_counts,
    ),
    trunk=st.none() | st.just(TrunkId("main")),
)


@st.composite
def mixed(draw: st.DrawFn, rules: Rules) -> FactSheet:
    """A lawful call, some facts of which are anything."""
    good, anything = draw(lawful(rules)), draw(any_sheet)
    names = draw(st.lists(st.sampled_from([each.name for each in fields(FactSheet)]), max_size=3, unique=True))
    return replace(good, **{name: getattr(anything, name) for name in names})


# --- rules made stricter ------------------------------------------------------------------------------------------------------
def _some(draw: st.DrawFn, of: frozenset[object]) -> frozenset[object]:
    return frozenset(draw(st.lists(st.sampled_from(sorted(of, key=str)), unique=True))) if of else of


_SETS: Mapping[str, frozenset[object]] = {
    "window_binds": frozenset(Purpose),
    "do_not_call_binds": frozenset(Purpose),
    "consent_for": frozenset(Purpose),
    "caps_bind": frozenset(Purpose),
    "blocked_prefixes": frozenset({"+1", "+3491", "+44", "+999"}),
}
_FEWER = ("countries", "modes", "line_types", "caller_id_types")
_LOWER = ("calls_a_day", "calls_a_month", "calls_to_number", "calls_to_lead", "calls_ever", "caller_id_calls_a_day")


@st.composite
def stricter(draw: st.DrawFn, rules: Rules) -> Rules:
    """The same rules, some of them stricter."""
    changes: dict[str, object] = {}
    for name in draw(st.lists(st.sampled_from(sorted(AT_LEAST_AS_STRICT)), unique=True, min_size=1)):
        value = getattr(rules, name)
        if name in _FEWER:
            changes[name] = _some(draw, value)
        elif name in _SETS:
            changes[name] = value | _some(draw, _SETS[name])
        elif name in _LOWER:
            changes[name] = draw(st.integers(0, 3 if value is None else value))
        elif name in ("max_abandon", "connect_s", "sheet_age_s"):
            changes[name] = value * draw(st.floats(0, 1))
        elif name in ("refusal_hold_off_s", "abandon_hold_off_s", "ring_min_s", "evidence_days"):
            changes[name] = value + draw(st.integers(0, 100_000))
        elif name in ("closed_on_holidays", "counts_amd_errors"):
            changes[name] = True
        elif name in ("consent_lifts_registers", "amd_allowed"):
            changes[name] = False
        elif name == "week":
            changes[name] = tuple(tuple(span for span in spans if draw(st.booleans())) for spans in value)
        elif name == "registers":
            changes[name] = {key: age_s * draw(st.floats(0, 1)) for key, age_s in value.items()} | {"robinson": DAY_S}
        elif name == "needs_register":
            changes[name] = True
        elif name == "holidays":
            near = [(datetime(2026, 11, 25) + timedelta(days=n)).date().isoformat() for n in range(-1, 2)]
            changes[name] = {place: days | _some(draw, frozenset(near)) for place, days in value.items()}
        else:
            changes[name] = {
                "share_of": ShareOf.CONNECTED,
                "abandon_window": AbandonWindow.DAY,
                "clock_start": ClockStart.ANSWER,
            }[name]
    return replace(rules, **changes)  # type: ignore[arg-type]
