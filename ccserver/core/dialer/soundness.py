"""Whether a sheet of facts can be true at all: the gate's rules count on it."""

import math

from ccserver.core.dialer.facts import FactSheet

LATEST_UTC_S = 7_258_118_400.0  # the year 2200: what is later is a mistake
AHEAD_S = 60.0
"""Clocks of two machines may differ by so much; a fact from further ahead is a mistake."""


def unsound(sheet: FactSheet, now_utc_s: float) -> str:
    """What cannot be true: numbers that are none, times that are still to come, calls that nobody dated. Empty: nothing is wrong."""
    if not 0 <= now_utc_s <= LATEST_UTC_S:
        return "the clock is wrong"
    consent, made = sheet.consent, sheet.attempts
    past = {
        "read": sheet.read_utc_s,
        "asked to be called": sheet.requested_utc_s,
        "consent given": consent.given_utc_s if consent is not None else None,
        "last call": made.last_utc_s,
        "last refusal": sheet.last_refusal_utc_s,
        "last abandoned": sheet.last_abandon_utc_s,
        "last talk": sheet.last_talk_utc_s,
        **{f"listed ({place})": each.at_utc_s for place, each in enumerate(sheet.listings)},
        **{f"register ({place})": each.as_of_utc_s for place, each in enumerate(sheet.registers)},
    }
    for what, at_s in past.items():
        if at_s is not None and not 0 <= at_s <= now_utc_s + AHEAD_S:
            return f"{what} at {at_s:g}, and now it is {now_utc_s:g}"
    future = (
        sheet.due_utc_s,
        sheet.agreed_utc_s,
        sheet.campaign_opens_utc_s,
        consent.expires_utc_s if consent is not None else None,
    )
    if any(at_s is not None and not 0 <= at_s <= LATEST_UTC_S for at_s in future):
        return "a time that there is not"
    counts = (made.day, made.month, made.number, made.campaign, made.lifetime)
    if any(each < 0 for each in counts):
        return "fewer calls than none"
    if any(counts[:3]) and made.last_utc_s is None:
        return "calls, and no last one"
    caller_id = sheet.caller_id
    if caller_id is not None and (caller_id.calls_today < 0 or caller_id.calls_a_day < 0):
        return "fewer calls than none"
    return f"it rings for {sheet.ring_s:g} s" if not math.isfinite(sheet.ring_s) else ""
