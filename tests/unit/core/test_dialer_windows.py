"""When somebody may be called: zones, changes of the clocks, holidays, numbers that may be in several places."""

from dataclasses import fields, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ccserver.core.dialer.presets import PRESETS, preset_of
from ccserver.core.dialer.rules import AT_LEAST_AS_STRICT, Rules, looser
from ccserver.core.dialer.terms import DAY_S, AbandonWindow, Mode, Purpose, ShareOf
from ccserver.core.dialer.windows import are_open, holidays, is_zone, knows_holidays, next_open, windows

US = PRESETS["us"].rules
SPAIN = replace(PRESETS["es"].rules, holidays={"ES": frozenset({"2026-12-25"}), "ES-MD": frozenset({"2026-05-02"})})


def at(zone: str, text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def is_open(rules: Rules, zones: tuple[str, ...], region: str, utc_s: float) -> bool:
    return are_open(windows(rules, zones, region), utc_s)


@pytest.mark.parametrize(("clock", "allowed"), [("07:59:59", False), ("08:00", True), ("20:59:59", True), ("21:00", False)])
def test_by_the_callees_clock(clock: str, allowed: bool) -> None:
    assert is_open(US, ("America/Denver",), "US-CO", at("America/Denver", f"2026-11-25T{clock}")) is allowed


def test_where_it_may_be_in_several_zones_it_must_be_lawful_in_each() -> None:
    both = ("America/New_York", "America/Los_Angeles")
    early, late = at(both[0], "2026-11-25T10:59"), at(both[1], "2026-11-25T18:00")
    assert is_open(US, both[:1], "US", early) and not is_open(US, both, "US", early)
    assert is_open(US, both[1:], "US", late) and not is_open(US, both, "US", late)
    assert next_open(windows(US, both, "US"), late) == at(both[1], "2026-11-26T08:00")


def test_zones_so_far_apart_that_it_is_never_lawful_in_both() -> None:
    narrow = replace(US, week=(((600, 660),),) * 7)
    assert next_open(windows(narrow, ("Asia/Tokyo", "Europe/London"), "US"), at("UTC", "2026-11-25T12:00")) is None


def test_over_a_change_of_the_clocks() -> None:
    zone = ("America/New_York",)
    saturday = at(zone[0], "2026-10-31T22:00")
    assert next_open(windows(US, zone, "US"), saturday) == at(zone[0], "2026-11-01T08:00") == saturday + 11 * 3600


def test_holidays_of_the_region_or_of_any_place_it_may_be_in() -> None:
    madrid, christmas = at("Europe/Madrid", "2027-05-04T12:00"), at("Europe/Madrid", "2026-12-25T12:00")
    zone = ("Europe/Madrid",)
    assert is_open(SPAIN, zone, "ES-CT", madrid)
    assert not is_open(SPAIN, zone, "ES-MD", christmas), "a region has the holidays of its country"
    assert holidays(SPAIN, "ES") == holidays(SPAIN, "ES-CT") == {"2026-12-25", "2026-05-02"}, "it may be anywhere"
    assert knows_holidays(SPAIN, "ES-CT") and not knows_holidays(SPAIN, "PT") and not knows_holidays(SPAIN, "")


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc", "/etc/passwd", "\0", "Europe", "a" * 5000])
def test_what_is_no_zone(name: str) -> None:
    assert not is_zone(name)


# --- the presets ----------------------------------------------------------------------------------------------------------
def test_each_preset_says_what_it_rests_on() -> None:
    for name, preset in PRESETS.items():
        assert preset.rules.preset == preset.name == name
        assert preset.sources and datetime.fromisoformat(preset.as_of)
        assert preset.unverified <= set(AT_LEAST_AS_STRICT)
        assert preset.rules.ring_min_s >= 15 and preset.rules.connect_s <= 3 and preset.rules.max_abandon <= 0.03
        assert preset.rules.caller_id_calls_a_day == 100
        if not preset.is_verified:
            assert preset.rules.modes == {Mode.MANUAL, Mode.PREVIEW, Mode.CALLBACK_ONLY}


def test_what_sets_the_presets_apart() -> None:
    uk, italy, brazil, spain = (PRESETS[name].rules for name in ("uk", "it", "br", "es"))
    assert (US.max_abandon, US.abandon_window) == (0.03, AbandonWindow.MONTH)
    assert (uk.max_abandon, uk.abandon_window, uk.counts_amd_errors, uk.amd_allowed) == (0.01, AbandonWindow.DAY, True, False)
    assert (uk.abandon_hold_off_s, italy.abandon_hold_off_s) == (3 * DAY_S, 5 * DAY_S)
    assert italy.share_of is ShareOf.CONNECTED
    assert (brazil.short_call_s, brazil.short_call_share) == (6.0, 0.85)
    assert Purpose.MARKETING in spain.consent_for
    assert [preset_of(country).name for country in ("US", "GB", "BR", "ES", "IT", "FR", "DE", "PT")] == [
        *("us", "uk", "br", "es", "it", "fr", "de", "other")
    ]


def test_of_every_rule_it_is_known_which_value_is_stricter() -> None:
    told_only = {"preset", "overrides", "short_call_s", "short_call_share", "short_calls_from"}
    assert {each.name for each in fields(Rules)} - set(AT_LEAST_AS_STRICT) == told_only


def test_a_site_may_be_stricter_and_what_is_looser_has_its_name() -> None:
    uk = PRESETS["uk"].rules
    assert looser(replace(uk, max_abandon=0.0, ring_min_s=20.0, calls_a_day=3), uk) == ()
    assert looser(replace(uk, max_abandon=0.03, amd_allowed=True), uk) == ("max_abandon", "amd_allowed")
    assert looser(replace(uk, week=(((480, 1260),),) * 7), uk) == ("week",)
    assert looser(replace(uk, week=(((480, 600), (600, 700)),) + ((),) * 6), uk) == ()
