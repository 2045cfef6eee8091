"""From the sections on outbound calls to the settings of the core: each campaign with its rules whole."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import holidays as public_holidays
import phonenumbers

from ccserver.config.dialing_rules import with_site
from ccserver.config.dialing_sections import CallerIdSection, CampaignSection, DialingSection
from ccserver.config.opening import public_days
from ccserver.config.positions import PathInFile, quoted
from ccserver.config.schema import Reader, hinted
from ccserver.core.dialer.presets import PRESETS, REGISTER_DAYS, REGISTER_DAYS_USUAL, preset_of
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import CallerIdSettings, CampaignSettings, DialingSettings, TrunkSettings
from ccserver.core.dialer.terms import DAY_S, LineType
from ccserver.core.ids import CampaignId, TrunkId

_LINE_TYPES = {
    phonenumbers.PhoneNumberType.FIXED_LINE: LineType.FIXED,
    phonenumbers.PhoneNumberType.MOBILE: LineType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: LineType.FIXED_OR_MOBILE,
    phonenumbers.PhoneNumberType.TOLL_FREE: LineType.TOLL_FREE,
    phonenumbers.PhoneNumberType.PREMIUM_RATE: LineType.PREMIUM,
    phonenumbers.PhoneNumberType.SHARED_COST: LineType.SHARED_COST,
    phonenumbers.PhoneNumberType.VOIP: LineType.VOIP,
    phonenumbers.PhoneNumberType.PERSONAL_NUMBER: LineType.PERSONAL,
    phonenumbers.PhoneNumberType.PAGER: LineType.PAGER,
    phonenumbers.PhoneNumberType.UAN: LineType.COMPANY,
    phonenumbers.PhoneNumberType.VOICEMAIL: LineType.VOICEMAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The sections as they were read; `country`: that of the file."""

    country: str
    dialing: DialingSection | None
    campaigns: Mapping[CampaignId, CampaignSection]
    trunks: Mapping[TrunkId, TrunkSettings]
    caller_ids: Mapping[str, CallerIdSection]


def dialing_settings(written: Written, reader: Reader) -> DialingSettings | None:
    """None: nobody is called by us. What is wrong with the rules is told."""
    section = written.dialing or DialingSection()
    country = section.country or written.country
    is_there = written.dialing is not None or written.campaigns or written.trunks or written.caller_ids
    if not is_there or not country:
        return None
    builder = _RulesBuilder(section, country, reader)
    site = builder.of_the_site()
    return DialingSettings(
        country=country,
        rules=site,
        own_calls=section.own_calls,
        campaigns={
            name: campaign_settings(each, builder.of_campaign(name, each, site)) for name, each in written.campaigns.items()
        },
        trunks=written.trunks,
        caller_ids={number: caller_id_settings(number, each) for number, each in written.caller_ids.items()},
    )


def caller_id_settings(number: str, section: CallerIdSection) -> CallerIdSettings:
    """With what the numbering plan says of it; a number that is none is UNKNOWN, and may not be shown."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        line_type, country = LineType.UNKNOWN, ""
    else:
        line_type = _LINE_TYPES.get(phonenumbers.number_type(parsed), LineType.UNKNOWN)
        country = phonenumbers.region_code_for_number(parsed) or ""
    return CallerIdSettings(
        line_type=line_type,
        country=country,
        answers_back=section.answers_back,
        prefixes=section.prefixes,
        calls_a_day=section.calls_a_day,
    )


def campaign_settings(section: CampaignSection, rules: Rules) -> CampaignSettings:
    """With its rules whole."""
    return CampaignSettings(
        name=section.name,
        mode=section.mode,
        purpose=section.purpose,
        queue=section.queue,
        flow=section.flow,
        skills=section.skills,
        rules=rules,
        hours=section.hours,
        lists=section.lists,
        trunks=section.trunks,
        caller_ids=section.caller_ids,
        lines=section.lines,
        calls_per_second=section.calls_per_second,
        lines_per_agent=section.lines_per_agent,
        ring_s=section.ring_s,
        amd=section.amd,
        safe_harbour=section.safe_harbour,
        opt_out_key=section.opt_out_key,
        voicemail=section.voicemail,
        whisper=section.whisper,
        preview_s=section.preview_s,
        inbound_level=None if section.inbound_level_percent is None else section.inbound_level_percent / 100.0,
        retry=section.retry,
        retry_dispositions=section.retry_dispositions,
        dispositions=section.dispositions,
        wrap_up_s=section.wrap_up_s,
        record=section.record,
        costs=section.costs,
    )


# --- rules ------------------------------------------------------------------------------------------------------------------
class _RulesBuilder:
    """Lays the site's rules over a preset, and a campaign's over those."""

    def __init__(self, section: DialingSection, country: str, reader: Reader) -> None:
        self._section = section
        self._country = country
        self._reader = reader

    def of_the_site(self) -> Rules:
        """For all calls; a preset that is not for the country is told."""
        section, country = self._section, self._country
        name = section.preset or preset_of(country).name
        path: PathInFile = ("dialing",)
        rules = with_site(self._preset(name), section.rules, section.overrides, path, self._reader)
        if country not in rules.countries:
            message = f"expected a preset for {country}, got {name}"
            mend = f"its own is {preset_of(country).name}; or name the country under rules.countries, with an override"
            self._reader.tell((*path, "preset"), hinted(message, mend))
        return self._with_holidays(rules, path)

    def of_campaign(self, name: CampaignId, section: CampaignSection, site: Rules) -> Rules:
        """For one campaign: over the site's, or over another preset with the numbers that the site never calls."""
        path: PathInFile = ("campaigns", name)
        base = site
        if section.preset and section.preset != site.preset:
            base = self._preset(section.preset)
            base = replace(base, blocked_prefixes=base.blocked_prefixes | site.blocked_prefixes)
        rules = with_site(base, section.rules, section.overrides, path, self._reader)
        return rules if rules.holidays else self._with_holidays(rules, path)

    def _preset(self, name: str) -> Rules:
        """As it is, with the site's registers."""
        rules, registers = PRESETS[name].rules, self._section.registers
        longest = REGISTER_DAYS.get(name, REGISTER_DAYS_USUAL)
        for register, days in registers.items():
            if days > longest:
                message = f"expected at most {longest} days (the preset {name}), got {days}"
                self._reader.tell(("dialing", "registers", register), hinted(message, "import the register more often"))
        return replace(
            rules,
            countries=rules.countries or frozenset({self._country}),
            registers={register: days * DAY_S for register, days in registers.items()},
        )

    def _with_holidays(self, rules: Rules, path: PathInFile) -> Rules:
        """The holidays of the countries, and of the regions that have their own."""
        if not rules.closed_on_holidays:
            return rules
        known = public_holidays.list_supported_countries(include_aliases=False)
        found: dict[str, frozenset[str]] = {}
        for country in sorted(rules.countries):
            if country in known:
                found[country] = public_days(country, None)
                continue
            message = f"expected a country whose holidays are known, got {quoted(country)}"
            self._reader.tell(path, hinted(message, "set closed_on_holidays: false under rules, with an override"))
        for place, region in enumerate(self._section.holidays):
            country, _, part = region.partition("-")
            if part not in known.get(country, ()):
                parts = ", ".join(f"{country}-{each}" for each in known.get(country, ())) or "none"
                message = f"expected a region whose holidays are known, got {quoted(region)}"
                self._reader.tell(("dialing", "holidays", place), hinted(message, f"known are {parts}"))
            elif country in found:
                found[region] = public_days(country, part) | found[country]
        return replace(rules, holidays=found)
