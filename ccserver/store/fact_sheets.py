"""What the database knows of a number, on the sheet that the law's gate judges: nothing is guessed in favour of a call.

A consent counts by its word: `calls`, or `automatic`, which holds for recorded messages too; any other word is a consent to something
else. A register shows the day of its import's date from the beginning of that day on.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from ccserver.core.dialer.facts import AttemptsMade, Consent, FactSheet, Listing, RegisterFacts
from ccserver.core.dialer.terms import ConsentKind, LineType, ZoneSource
from ccserver.core.ids import CampaignId
from ccserver.store.attempts import AttemptOutcome
from ccserver.store.claims import RECENT, RECENT_MAX, Claimed, NumberPast
from ccserver.store.lead_book import Lead, LeadNumber
from ccserver.store.registers import Registers

_LINE_TYPES: Mapping[str, LineType] = {each.value: each for each in LineType}
_CONSENTS: Mapping[str, ConsentKind] = {each.value: each for each in ConsentKind}
_DAY = timedelta(days=1)


def filled(sheet: FactSheet, claimed: Claimed, number: LeadNumber, registers: Registers, now: datetime) -> FactSheet:
    """The sheet with what is known of one number of a claimed lead."""
    past, hits = claimed.past[number.e164], {each.name for each in registers.hits(number.e164)}
    talks = [each.at for each in past.recent if each.outcome == AttemptOutcome.ANSWERED.value]
    zones, source = _zones(claimed.lead, number)
    return replace(
        sheet,
        number=number.e164,
        line_type=_LINE_TYPES.get(number.line_type, LineType.UNKNOWN),
        region=number.region,
        zones=zones,
        zone_source=source,
        read_utc_s=now.timestamp(),
        consent=_consent(claimed.lead),
        listings=tuple(
            Listing(campaign=CampaignId(each.campaign) if each.campaign else None, at_utc_s=each.at.timestamp())
            for each in claimed.listed[number.e164]
        ),
        registers=tuple(
            RegisterFacts(
                name=each.name,
                as_of_utc_s=datetime.combine(each.as_of, time(), UTC).timestamp(),
                is_listed=each.name in hits,
            )
            for each in registers.known
        ),
        attempts=_attempts(claimed, number, sheet.campaign, now),
        last_abandon_utc_s=past.last_abandoned_at.timestamp() if past.last_abandoned_at is not None else None,
        last_talk_utc_s=max(talks).timestamp() if talks else None,
    )


def _zones(lead: Lead, number: LeadNumber) -> tuple[tuple[str, ...], ZoneSource]:
    if lead.time_zone:
        return (lead.time_zone,), ZoneSource.LEAD
    return number.time_zones, ZoneSource.NUMBER if number.time_zones else ZoneSource.NONE


def _consent(lead: Lead) -> Consent | None:
    kind = _CONSENTS.get(lead.consent_kind or "")
    if kind is None:
        return None
    return Consent(
        kind=kind,
        given_utc_s=lead.consent_at.timestamp() if lead.consent_at is not None else None,
        expires_utc_s=lead.consent_until.timestamp() if lead.consent_until is not None else None,
    )


def _attempts(claimed: Claimed, number: LeadNumber, campaign: CampaignId | None, now: datetime) -> AttemptsMade:
    """Of a number that was called too often for its calls to be told one by one, all count as those of the last 24 hours."""
    past = claimed.past[number.e164]
    lifetime = sum(past.by_campaign.values())
    is_cut = len(past.recent) >= RECENT_MAX
    return AttemptsMade(
        day=lifetime if is_cut else sum(each.at > now - _DAY for each in past.recent),
        month=lifetime if is_cut else len(past.recent),
        number=past.by_campaign.get(campaign or "", 0),
        campaign=sum(each.by_campaign.get(campaign or "", 0) for each in claimed.past.values()),
        lifetime=lifetime,
        last_utc_s=_last(past, number, now),
    )


def _last(past: NumberPast, number: LeadNumber, now: datetime) -> float | None:
    if past.recent:
        return max(each.at for each in past.recent).timestamp()
    if number.last_attempt_at is not None:
        return number.last_attempt_at.timestamp()
    # Called for other leads only, and longer ago than is told.
    return (now - RECENT).timestamp() if past.by_campaign else None
