"""What the database knows of a number, on the sheet that the law's gate judges: nothing is guessed in favour of a call.

A consent counts by its word: `calls`, or `automatic`, which holds for recorded messages too; any other word is a consent to something
else. A register shows the day of its import's date from the beginning of that day on.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, func, select

from ccserver.core.change import replace
from ccserver.core.dialer.facts import AttemptsMade, CallerIdFacts, Consent, FactSheet, Listing, RegisterFacts
from ccserver.core.dialer.terms import ConsentKind, LineType, ZoneSource
from ccserver.core.ids import CampaignId
from ccserver.core.records import AttemptOutcome
from ccserver.store.claims import Claimed
from ccserver.store.do_not_call import Listed, hasher, listed
from ccserver.store.lead_book import Lead, LeadNumber
from ccserver.store.lead_phones import BadNumber, read_phone
from ccserver.store.lead_schema import attempts
from ccserver.store.number_pasts import NO_PAST, RECENT, RECENT_MAX, NumberPast, pasts
from ccserver.store.registers import Registers
from ccserver.store.vault import Vault

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
        listings=_listings(claimed.listed[number.e164]),
        registers=_registers(registers, hits),
        attempts=_attempts(claimed, number, sheet.campaign, now),
        last_refusal_utc_s=past.last_refused_at.timestamp() if past.last_refused_at is not None else None,
        last_abandon_utc_s=past.last_abandoned_at.timestamp() if past.last_abandoned_at is not None else None,
        last_talk_utc_s=max(talks).timestamp() if talks else None,
    )


def of_number(
    connection: Connection, sheet: FactSheet, registers: Registers, vault: Vault | None, now: datetime, *, but: str = ""
) -> FactSheet:
    """The sheet with what is known of its number, which is on no list of ours; the attempt `but` is not counted.

    Raises NoMasterKey, BadSeal, SQLAlchemyError.
    """
    try:
        # of E.164, in which no country matters
        phone = read_phone(sheet.number, "ZZ")
    except BadNumber:
        return replace(sheet, read_utc_s=now.timestamp())
    number = phone.e164
    past = pasts(connection, [number], now, but=but).get(number, NO_PAST)
    hits = {each.name for each in registers.hits(number)}
    talks = [each.at for each in past.recent if each.outcome == AttemptOutcome.ANSWERED.value]
    return replace(
        sheet,
        line_type=_LINE_TYPES.get(phone.line_type, LineType.UNKNOWN),
        region=phone.region,
        zones=phone.time_zones,
        zone_source=ZoneSource.NUMBER if phone.time_zones else ZoneSource.NONE,
        read_utc_s=now.timestamp(),
        listings=_listings(listed(connection, [number], hasher(connection, vault)).get(number, ())),
        registers=_registers(registers, hits),
        attempts=_counts(past, sheet.campaign, _of_campaign(past, sheet.campaign), _last(past, None, now), now),
        last_refusal_utc_s=past.last_refused_at.timestamp() if past.last_refused_at is not None else None,
        last_abandon_utc_s=past.last_abandoned_at.timestamp() if past.last_abandoned_at is not None else None,
        last_talk_utc_s=max(talks).timestamp() if talks else None,
        caller_id=_shown(connection, sheet.caller_id, now, but),
    )


def _shown(connection: Connection, shown: CallerIdFacts | None, now: datetime, but: str) -> CallerIdFacts | None:
    if shown is None:
        return None
    is_none = attempts.c.outcome.is_not_distinct_from(AttemptOutcome.NOT_PLACED.value)
    here = (attempts.c.caller_id == shown.number, attempts.c.stored_at > now - _DAY, ~is_none, attempts.c.id != but)
    count = connection.execute(select(func.count()).select_from(attempts).where(*here)).scalar_one()
    return replace(shown, calls_today=count)


def _listings(entries: Sequence[Listed]) -> tuple[Listing, ...]:
    return tuple(
        Listing(campaign=CampaignId(each.campaign) if each.campaign else None, at_utc_s=each.at.timestamp()) for each in entries
    )


def _registers(registers: Registers, hits: Collection[str]) -> tuple[RegisterFacts, ...]:
    return tuple(
        RegisterFacts(
            name=each.name,
            as_of_utc_s=datetime.combine(each.as_of, time(), UTC).timestamp(),
            is_listed=each.name in hits,
        )
        for each in registers.known
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
    past = claimed.past[number.e164]
    of_lead = sum(each.by_campaign.get(campaign or "", 0) for each in claimed.past.values())
    return _counts(past, campaign, of_lead, _last(past, number.last_attempt_at, now), now)


def _counts(
    past: NumberPast, campaign: CampaignId | None, of_lead: int, last_utc_s: float | None, now: datetime
) -> AttemptsMade:
    """Of a number that was called too often for its calls to be told one by one, all count as those of the last 24 hours."""
    lifetime = sum(past.by_campaign.values())
    is_cut = len(past.recent) >= RECENT_MAX
    return AttemptsMade(
        day=lifetime if is_cut else sum(each.at > now - _DAY for each in past.recent),
        month=lifetime if is_cut else len(past.recent),
        number=_of_campaign(past, campaign),
        campaign=of_lead,
        lifetime=lifetime,
        last_utc_s=last_utc_s,
    )


def _of_campaign(past: NumberPast, campaign: CampaignId | None) -> int:
    """Of a number that is on no list; without a campaign the limits of one bind nothing."""
    return 0 if campaign is None else past.by_campaign.get(campaign, 0)


def _last(past: NumberPast, last_attempt_at: datetime | None, now: datetime) -> float | None:
    if past.recent:
        return max(each.at for each in past.recent).timestamp()
    if last_attempt_at is not None:
        return last_attempt_at.timestamp()
    # Called for other leads only, and longer ago than is told.
    return (now - RECENT).timestamp() if past.by_campaign else None
