"""The law's gate: no call is placed that it does not allow, whoever asks for it.

`judge` is pure and total: whatever the sheet says, there is an answer, and where the sheet leaves a doubt the answer is no. The rules
are small functions in one table, in the order in which they are asked; the first refusal is the answer, and `all_refusals` tells
every one. A call is judged when its lead is claimed, and again, with facts that were read anew, just before it is dialled.

What binds depends on the purpose: nobody is called for marketing against a register; who asked to be called on Sunday at
eight is called then. An automatic call needs consent in every country and for every purpose.
"""

import re
from collections.abc import Callable, Iterator

from ccserver.core.dialer import windows
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.soundness import unsound
from ccserver.core.dialer.terms import DAY_S, ONE_TO_ONE, UNBACKED, ConsentKind, Mode, Purpose
from ccserver.core.dialer.verdict import ALLOWED, Refusal, Refused, Verdict

E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
MONTH_S = 30 * DAY_S
REQUEST_HOLDS_S = MONTH_S
"""Who asked to be called is called within this time, or asked again."""
EXPECTED_S = 3600.0
"""Who named a time expects the call for so long from then on; who asked just now, for twice as long."""


Rule = Callable[[FactSheet, Rules, float], Refused | None]


def judge(sheet: FactSheet, rules: Rules, now_utc_s: float) -> Verdict:
    """Whether this call may be placed now."""
    return next(_refusals(sheet, rules, now_utc_s), ALLOWED)


def all_refusals(sheet: FactSheet, rules: Rules, now_utc_s: float) -> tuple[Refused, ...]:
    """Everything that speaks against it, in the order of the rules; none: it is allowed. Of facts that cannot be true only that is told."""
    return tuple(_refusals(sheet, rules, now_utc_s))


def _refusals(sheet: FactSheet, rules: Rules, now_utc_s: float) -> Iterator[Refused]:
    fault = unsound(sheet, now_utc_s)
    if fault:
        yield Refused(Refusal.UNSOUND_FACTS, None, f"the facts cannot be true: {fault}")
        return  # the rules count on sound ones
    for rule in RULES:
        refused = rule(sheet, rules, now_utc_s)
        if refused is not None:
            yield refused


# --- the facts themselves ---------------------------------------------------------------------------------------------------
def sheet_is_fresh(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """What was read a while ago may have changed: somebody may have asked not to be called. Ours."""
    if now - sheet.read_utc_s > rules.sheet_age_s:
        return Refused(Refusal.STALE_FACTS, None, f"the facts are {now - sheet.read_utc_s:.0f} s old")
    return None


# --- whom -------------------------------------------------------------------------------------------------------------------
def number_is_e164(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """No rule can be looked up for what is no number. ITU-T E.164."""
    if E164.fullmatch(sheet.number) is None:
        return Refused(Refusal.NOT_E164, None, "the number is not an E.164 number")
    return None


def country_is_covered(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """The rules are those of a country; of another one they say nothing. Who asked to be called may be anywhere. Ours."""
    if sheet.purpose is Purpose.REQUESTED or sheet.region.partition("-")[0] in rules.countries:
        return None
    return Refused(
        Refusal.COUNTRY_NOT_COVERED, None, f"the rules {rules.preset} do not hold in {sheet.region or 'a place not known'}"
    )


def line_can_be_called(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Numbers of persons only: no service that costs, nothing of which it is not known what it is. Ours."""
    if sheet.line_type in rules.line_types:
        return None
    return Refused(Refusal.LINE_TYPE, None, f"numbers of the type {sheet.line_type.value} are not called")


def prefix_is_not_blocked(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Numbers that the site never calls. Ours."""
    prefix = next((each for each in sorted(rules.blocked_prefixes) if sheet.number.startswith(each)), None)
    return (
        Refused(Refusal.BLOCKED_PREFIX, None, f"numbers that begin with {prefix} are blocked") if prefix is not None else None
    )


# --- why --------------------------------------------------------------------------------------------------------------------
def purpose_is_known(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Without the purpose nobody knows which rules bind; a callback is requested only if it is known when. Ours."""
    if sheet.purpose is None:
        return Refused(Refusal.PURPOSE_UNKNOWN, None, "the call has no purpose")
    if sheet.purpose is not Purpose.REQUESTED:
        return None
    if sheet.requested_utc_s is None:
        return Refused(Refusal.REQUEST_NOT_DATED, None, "nobody knows when the person asked to be called")
    if now - sheet.requested_utc_s > REQUEST_HOLDS_S:
        return Refused(Refusal.REQUEST_NOT_DATED, None, "the person asked to be called more than 30 days ago")
    return None


def mode_is_allowed(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """A preset that is not verified allows calls that a person dials, and no others. Ours."""
    if sheet.mode not in rules.modes:
        return Refused(Refusal.MODE_NOT_ALLOWED, None, f"{sheet.mode.value} is not allowed under the rules {rules.preset}")
    if sheet.mode is Mode.CALLBACK_ONLY and sheet.purpose is not Purpose.REQUESTED:
        return Refused(Refusal.NOT_REQUESTED, None, "only those are called who asked for it")
    return None


# --- who does not want it -----------------------------------------------------------------------------------------------------
def number_is_not_on_our_lists(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Who asked us not to call is not called: US 16 CFR 310.4(b)(1)(iii)(A), UK PECR 21(1)(a), and wherever people may object. A request
    to be called that came later lifts it for that call."""
    is_bound = sheet.purpose is Purpose.REQUESTED or sheet.purpose in rules.do_not_call_binds or _is_automatic(sheet)
    for each in sheet.listings:
        if each.campaign is not None and sheet.campaign is not None and each.campaign != sheet.campaign:
            continue
        if _lifted(sheet, each.at_utc_s) or not is_bound:
            continue
        if each.campaign is None:
            return Refused(Refusal.DO_NOT_CALL, None, "the person asked not to be called")
        return Refused(Refusal.CAMPAIGN_DO_NOT_CALL, None, f"the person asked not to be called for {each.campaign}")
    return None


def _lifted(sheet: FactSheet, since_s: float) -> bool:
    """Whether the person asked to be called after that."""
    return sheet.purpose is Purpose.REQUESTED and sheet.requested_utc_s is not None and sheet.requested_utc_s > since_s


def registers_were_asked(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Public registers bind marketing calls, and one that is too old says nothing: US 16 CFR 310.4(b)(3)(iv) (31 days), UK PECR 21(1)(b)
    (TPS), Italy DPR 26/2022, Spain LO 3/2018, 23.4."""
    if sheet.purpose is Purpose.SERVICE or sheet.purpose is Purpose.REQUESTED:
        return None
    if rules.consent_lifts_registers and _has_consent(sheet, now):
        return None
    listed = next((each.name for each in sheet.registers if each.is_listed), None)
    if listed is not None:
        return Refused(Refusal.REGISTER_LISTED, None, f"the number is in the register {listed}")
    if rules.needs_register and not rules.registers:
        return Refused(
            Refusal.REGISTER_MISSING, None, f"the rules {rules.preset} ask for a register, and none is in the settings"
        )
    asked = {each.name: each for each in sheet.registers}
    for name, age_s in rules.registers.items():
        as_of_s = asked[name].as_of_utc_s if name in asked else None
        if as_of_s is None:
            return Refused(Refusal.REGISTER_MISSING, None, f"the register {name} was not asked")
        if now - as_of_s > age_s:
            days = (now - as_of_s) / DAY_S
            return Refused(Refusal.REGISTER_TOO_OLD, None, f"the register {name} is {days:.1f} days old; import a new one")
    return None


def _has_consent(sheet: FactSheet, now: float, kind: ConsentKind = ConsentKind.CALLS) -> bool:
    """A dated one that holds; who agreed to automatic calls agreed to calls."""
    given = sheet.consent
    return (
        given is not None
        and given.given_utc_s is not None
        and (given.expires_utc_s is None or now < given.expires_utc_s)
        and kind in (ConsentKind.CALLS, given.kind)
    )


def person_agreed(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Where consent must come first: Spain LGT 66.1, Germany UWG 7(2), France loi 2025-594."""
    if sheet.purpose not in rules.consent_for or _has_consent(sheet, now):
        return None
    return Refused(Refusal.CONSENT_MISSING, None, f"there is no dated consent that holds ({_fault(sheet)})")


def _fault(sheet: FactSheet) -> str:
    if sheet.consent is None:
        return "none at all"
    return "without a date" if sheet.consent.given_utc_s is None else f"{sheet.consent.kind.value}, perhaps expired"


def automatic_calls_are_agreed_to(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Recorded messages and calls without a person need a dated consent to just that, in every preset and for every purpose:
    US 47 CFR 64.1200(a)(1) to (3), UK PECR 19, Spain LGT 66.1 a, EU directive 2002/58/EC, 13(1)."""
    if not _is_automatic(sheet) or _has_consent(sheet, now, ConsentKind.AUTOMATIC):
        return None
    return Refused(Refusal.AUTOMATIC_WITHOUT_CONSENT, None, f"there is no dated consent to automatic calls ({_fault(sheet)})")


def _is_automatic(sheet: FactSheet) -> bool:
    return sheet.mode is Mode.AGENTLESS or sheet.drops_voicemail


def person_is_left_in_peace(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Who said no is not asked again for a while: France, Code de la consommation D. 223-9 (60 days)."""
    until_s = _after(sheet.last_refusal_utc_s, rules.refusal_hold_off_s)
    if until_s is None or now >= until_s or sheet.purpose is not Purpose.MARKETING:
        return None
    return Refused(Refusal.PERSON_REFUSED, until_s, "the person said no a while ago")


def _after(at_s: float | None, for_s: float) -> float | None:
    return None if at_s is None else at_s + for_s


# --- abandoned calls ----------------------------------------------------------------------------------------------------------
def abandoned_person_is_left_in_peace(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """After an abandoned call there is none for a while, and then one with an agent for certain: UK (Ofcom, 72 hours), Italy (Garante
    no. 83/2014, five days). Who asked to be called after that is called before, with an agent."""
    at_s = sheet.last_abandon_utc_s
    if at_s is None or (sheet.last_talk_utc_s is not None and sheet.last_talk_utc_s > at_s):
        return None
    until_s = at_s + rules.abandon_hold_off_s
    if now < until_s and not _lifted(sheet, at_s):
        return Refused(Refusal.ABANDON_HOLD_OFF, until_s, "a call to this number was abandoned a while ago")
    if not sheet.is_agent_reserved:
        return Refused(Refusal.AGENT_NOT_RESERVED, None, "the last call was abandoned: this one needs an agent reserved for it")
    return None


def agent_is_there(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """A call without an agent of its own only while one more may be abandoned: US 16 CFR 310.4(b)(4)(i), UK (Ofcom), Italy (Garante).
    With nothing left, and where no abandoned call is allowed, one agent waits for each call."""
    if sheet.is_agent_reserved or sheet.mode is Mode.AGENTLESS:
        return None
    if sheet.mode in ONE_TO_ONE:
        return Refused(Refusal.AGENT_NOT_RESERVED, None, f"{sheet.mode.value} calls have an agent reserved")
    if rules.max_abandon <= 0 or sheet.abandon_room < 1:
        return Refused(Refusal.BUDGET_SPENT, None, "no further call may be abandoned: only with an agent reserved")
    return None


def abandoned_person_hears_who_called(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Who finds no agent hears the message: US 16 CFR 310.4(b)(4)(iii), 47 CFR 64.1200(a)(7)(i), UK (Ofcom), Italy: never silence."""
    if sheet.mode in UNBACKED and not sheet.is_agent_reserved and not sheet.has_safe_harbour:
        return Refused(Refusal.NO_SAFE_HARBOUR, None, "there is no message for who finds no agent")
    return None


def detection_is_allowed(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """A machine that mistakes people for machines makes silent calls: UK (Ofcom)."""
    if sheet.uses_amd and not rules.amd_allowed:
        return Refused(Refusal.AMD_NOT_ALLOWED, None, f"the rules {rules.preset} do not allow answering machine detection")
    return None


def it_rings_long_enough(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """At least 15 seconds: US 16 CFR 310.4(b)(4)(ii), UK (Ofcom)."""
    if sheet.ring_s < rules.ring_min_s:
        return Refused(
            Refusal.RINGS_TOO_SHORT, None, f"it would ring for {sheet.ring_s:g} s; {rules.ring_min_s:g} are the least"
        )
    return None


# --- how often and when ---------------------------------------------------------------------------------------------------------
def calls_are_few_enough(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """France D. 223-9 (four in 30 days), Brazil's code of conduct (two a day), and what the site wants."""
    if sheet.purpose not in rules.caps_bind:
        return None
    made = sheet.attempts
    for reason, count, most, for_s, where in (
        (Refusal.LIFETIME_CAP, made.lifetime, rules.calls_ever, None, "this number was ever called"),
        (Refusal.LEAD_CAP, made.campaign, rules.calls_to_lead, None, "this lead was called in this campaign"),
        (Refusal.NUMBER_CAP, made.number, rules.calls_to_number, None, "this number was called in this campaign"),
        (Refusal.MONTH_CAP, made.month, rules.calls_a_month, MONTH_S, "this number was called in 30 days"),
        (Refusal.DAY_CAP, made.day, rules.calls_a_day, DAY_S, "this number was called in 24 hours"),
    ):
        if most is not None and count >= most:
            until_s = _after(made.last_utc_s, for_s) if for_s is not None else None
            return Refused(reason, until_s, f"{where} {count} times; {most} are the limit")
    return None


def it_is_due(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """Not before another try is due, or the time that was agreed. Ours."""
    if sheet.due_utc_s is not None and now < sheet.due_utc_s:
        return Refused(Refusal.NOT_DUE, sheet.due_utc_s, "it is not due yet")
    return None


def campaign_is_open(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """The campaign's own hours, and whether it runs. Ours."""
    if not sheet.is_campaign_open:
        return Refused(Refusal.CAMPAIGN_CLOSED, sheet.campaign_opens_utc_s, "the campaign does not run now")
    return None


def callee_may_be_called_at_this_hour(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """By the callee's clock and calendar: US 16 CFR 310.4(c), Spain RDL 1/2007, 96.2, France D. 223-9, the codes of Brazil and Italy. Where
    the number may be in several zones, it must be lawful in each. Who asked just now, or for this time, is called at any hour."""
    if sheet.purpose not in rules.window_binds or _is_expected(sheet, now):
        return None
    unknown = next((each for each in sheet.zones if not windows.is_zone(each)), None)
    if not sheet.zones or unknown is not None:
        return Refused(Refusal.ZONE_UNKNOWN, None, "nobody knows what time it is there")
    if rules.closed_on_holidays and not windows.knows_holidays(rules, sheet.region):
        return Refused(Refusal.HOLIDAYS_UNKNOWN, None, f"the holidays of {sheet.region} are not known")
    open_in = windows.windows(rules, sheet.zones, sheet.region)
    if windows.are_open(open_in, now):
        return None
    where = ", ".join(sheet.zones[:3]) + ("…" if len(sheet.zones) > 3 else "")
    return Refused(
        Refusal.OUTSIDE_WINDOW, windows.next_open(open_in, now), f"nobody is called at this hour or on this day in {where}"
    )


def _is_expected(sheet: FactSheet, now: float) -> bool:
    if sheet.purpose is not Purpose.REQUESTED:
        return False
    asked_s, agreed_s = sheet.requested_utc_s, sheet.agreed_utc_s
    is_fresh = asked_s is not None and now <= asked_s + 2 * EXPECTED_S
    return is_fresh or (agreed_s is not None and agreed_s <= now <= agreed_s + EXPECTED_S)


# --- from which number -----------------------------------------------------------------------------------------------------------
def caller_is_shown(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """A number of ours that can be called back: US 47 CFR 64.1601(e), UK (Ofcom), Germany TDDDG 15(2), Spain Orden TDF/149/2025 (no mobile
    number), and not too often the same one."""
    shown = sheet.caller_id
    if shown is None:
        return Refused(Refusal.CALLER_ID_MISSING, None, "there is no number to show")
    return _caller_id_fault(shown, rules)


def _caller_id_fault(shown: CallerIdFacts, rules: Rules) -> Refused | None:
    if E164.fullmatch(shown.number) is None or not shown.is_ours:
        return Refused(Refusal.CALLER_ID_NOT_OURS, None, "the number that would be shown is not ours")
    if not shown.answers_back:
        return Refused(Refusal.CALLER_ID_SILENT, None, f"who calls {shown.number} back is not answered")
    if shown.line_type not in rules.caller_id_types:
        return Refused(
            Refusal.CALLER_ID_TYPE,
            None,
            f"the rules {rules.preset} do not allow to show a number of the type {shown.line_type.value}",
        )
    most = min(shown.calls_a_day, rules.caller_id_calls_a_day)
    if shown.calls_today >= most:
        return Refused(
            Refusal.CALLER_ID_CAP, None, f"{shown.number} was shown for {shown.calls_today} calls today; {most} are the limit"
        )
    return None


def there_is_a_trunk(sheet: FactSheet, rules: Rules, now: float) -> Refused | None:
    """A call goes over a trunk that the settings name. Ours."""
    return Refused(Refusal.TRUNK_MISSING, None, "no trunk leads there") if sheet.trunk is None else None


RULES: tuple[Rule, ...] = (
    sheet_is_fresh,
    number_is_e164,
    country_is_covered,
    line_can_be_called,
    prefix_is_not_blocked,
    purpose_is_known,
    mode_is_allowed,
    number_is_not_on_our_lists,
    registers_were_asked,
    person_agreed,
    automatic_calls_are_agreed_to,
    person_is_left_in_peace,
    abandoned_person_is_left_in_peace,
    agent_is_there,
    abandoned_person_hears_who_called,
    detection_is_allowed,
    it_rings_long_enough,
    calls_are_few_enough,
    it_is_due,
    campaign_is_open,
    callee_may_be_called_at_this_hour,
    caller_is_shown,
    there_is_a_trunk,
)
"""In the order in which they are asked: first what time does not mend."""
