"""The abandonment account against the same calls kept one by one, the caller-ID, short calls, and who may serve."""

import json
import random
from dataclasses import replace

import pytest

from ccserver.core import codec
from ccserver.core.dialer import account as books
from ccserver.core.dialer.account import Account, Counted, balance, count, counted, opened, room, settled, share
from ccserver.core.dialer.callerid import choose
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import CallerIdSettings
from ccserver.core.dialer.short_calls import CallsOfDay, is_over, is_short, with_call
from ccserver.core.dialer.staff import may_serve
from ccserver.core.dialer.terms import DAY_S, AbandonWindow, LineType, Mode, ShareOf
from ccserver.core.ids import CampaignId
from ccserver.core.settings import PhoneKind, PhoneSettings, WorkMode

US, UK, ITALY, BRAZIL = (PRESETS[name].rules for name in ("us", "uk", "it", "br"))
T0 = 1_795_600_000.0
WINTER = CampaignId("winter")


def an_account(connected: int, abandoned: int = 0, errors: int = 0, at_s: float = T0) -> Account:
    account = opened(WINTER, at_s)
    for what, times in ((Counted.CONNECTED, connected), (Counted.ABANDONED, abandoned), (Counted.AMD_ERROR, errors)):
        for _ in range(times):
            account = count(account, what, at_s, at_s)
    return account


# --- the formulas -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rules", "calls", "is_share", "has_room"),
    [
        (US, (0, 0, 0), 0.0, 0),
        (US, (32, 0, 0), 0.0, 0),  # one abandoned of 33 would be more than 3 %
        (US, (33, 0, 0), 0.0, 1),
        (US, (97, 3, 0), 0.03, 0),
        (US, (97, 2, 0), 2 / 99, 1),
        (replace(US, counts_amd_errors=False), (97, 0, 3), 0.0, 3),
        (UK, (99, 0, 1), 0.01, 0),  # a person taken for a machine counts
        (UK, (990, 4, 2), 6 / 996, 4),
        (ITALY, (100, 3, 0), 0.03, 0),  # three for each hundred that were put through
        (ITALY, (100, 0, 0), 0.0, 3),
        (replace(US, max_abandon=0.0), (1000, 0, 0), 0.0, 0),
        (replace(US, max_abandon=1.0), (0, 0, 0), 0.0, books.ROOM_MAX),
    ],
)
def test_share_and_room_by_the_rules_own_formula(
    rules: Rules, calls: tuple[int, int, int], is_share: float, has_room: int
) -> None:
    connected, abandoned, errors = calls
    account = an_account(connected, abandoned, errors)
    assert share(account, rules, T0) == pytest.approx(is_share)
    assert room(account, rules, T0) == has_room
    assert room(account, rules, T0, unbacked=2) == max(0, has_room - 2)
    if has_room:
        over = an_account(connected, abandoned + min(has_room, 50), errors)
        assert share(over, rules, T0) <= rules.max_abandon + 1e-9 or rules.max_abandon == 0


@pytest.mark.parametrize(
    ("rules", "greeting_end_s", "connected_s", "left_s", "what"),
    [
        (US, 3.0, 5.0, None, Counted.CONNECTED),
        (US, 3.0, 5.1, None, Counted.ABANDONED),  # an agent came, and too late
        (US, 3.0, None, None, Counted.ABANDONED),
        (US, 3.0, None, 4.0, Counted.LEFT),
        (US, 3.0, None, 6.0, Counted.ABANDONED),
        (US, None, 2.5, None, Counted.ABANDONED),  # nobody knows when the greeting ended
        (UK, 3.0, 2.5, None, Counted.ABANDONED),  # the clock starts at the answer
        (ITALY, None, 2.9, None, Counted.CONNECTED),
    ],
)
def test_what_a_call_is(rules: Rules, greeting_end_s: float, connected_s: float, left_s: float, what: Counted) -> None:
    assert counted(rules, answered_s=0.0, greeting_end_s=greeting_end_s, connected_s=connected_s, left_s=left_s) is what


# --- the window --------------------------------------------------------------------------------------------------------------
class Plain:
    """The same calls, one by one."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.calls = rules, list[tuple[float, Counted]]()

    def share(self, from_s: float) -> float:
        lost = good = 0
        for at_s, what in self.calls:
            if at_s >= from_s:
                lost += what is Counted.ABANDONED or (what is Counted.AMD_ERROR and self.rules.counts_amd_errors)
                good += what is Counted.CONNECTED
        of = good if self.rules.share_of is ShareOf.CONNECTED else good + lost
        return lost / of if of else float(lost)

    def worst(self, now_s: float) -> float:
        if self.rules.abandon_window is AbandonWindow.DAY:
            return self.share(now_s - DAY_S)
        return max(self.share(now_s - 30 * DAY_S), self.share(T0 + (now_s - T0) // (30 * DAY_S) * 30 * DAY_S))


@pytest.mark.parametrize("rules", [US, UK, ITALY], ids=lambda rules: rules.preset)
@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_never_taken_for_smaller_than_it_is(rules: Rules, seed: int) -> None:
    chance = random.Random(seed)
    plain, account = Plain(rules), opened(WINTER, T0)
    days = 70 if rules.abandon_window is AbandonWindow.MONTH else 4
    now_s, end_s = T0, T0 + days * DAY_S
    near = steps = 0
    while now_s < end_s:
        now_s += chance.expovariate(1 / (days * 70.0))
        late_s = chance.choice([0.0, 0.0, 0.0, 30.0, 4000.0])
        what = chance.choices(list(Counted), weights=[50, 2, 1, 20, 3])[0]
        at_s = max(T0, now_s - late_s)
        plain.calls.append((at_s, what))
        account = count(account, what, at_s, now_s)
        if chance.random() < 0.2:
            exact, found = plain.worst(now_s), share(account, rules, now_s)
            assert found >= exact - 1e-12, (now_s - T0, exact, found)
            assert balance(account, rules, now_s) <= 0 or exact <= rules.max_abandon
            steps += 1
            near += found <= exact * 1.15 + 0.002
        assert len(account.days) <= 98 and len(account.months) <= 182
    assert near >= 0.9 * steps, "and hardly larger"


def test_what_is_out_of_the_window_is_forgotten() -> None:
    account = an_account(99, 9)
    assert share(account, UK, T0 + DAY_S + 901) == 0.0
    assert share(account, US, T0 + DAY_S + 901) == pytest.approx(9 / 108)
    assert share(account, US, T0 + 30 * DAY_S + 14_401) == 0.0


def test_a_new_period_of_30_days_has_an_account_of_its_own() -> None:
    account = opened(WINTER, T0)
    for _ in range(1000):
        account = count(account, Counted.CONNECTED, T0 + 29 * DAY_S, T0 + 29 * DAY_S)
    later_s = T0 + 30 * DAY_S + 60
    assert room(account, US, later_s - 120) == 30
    assert room(account, US, later_s) == 0, "the good month before does not pay for this one"


def test_a_clock_that_was_ahead_does_no_harm() -> None:
    account = count(an_account(10), Counted.ABANDONED, T0 + 9e6, T0)
    assert share(account, UK, T0) == pytest.approx(1 / 11)


# --- kept and told ---------------------------------------------------------------------------------------------------------------
def test_the_account_survives_a_restart() -> None:
    account = an_account(98, 2, 1)
    line = codec.dump(account)
    again = codec.load(Account, line)
    assert again == account
    for rules in (US, UK, ITALY):
        assert room(again, rules, T0 + 60) == room(account, rules, T0 + 60)


def test_evidence_is_given_out_once_and_anew_when_something_came_late() -> None:
    start_s = T0 // 14_400 * 14_400
    account = an_account(97, 2, at_s=start_s + 60)
    account = count(account, Counted.ABANDONED, start_s + 90, start_s + 90, is_told=True)
    account, none = settled(account, UK, start_s + 14_400)
    assert none == ()
    later_s = start_s + 14_400 + 901
    account, (row,) = settled(account, UK, later_s)
    assert (row.from_utc_s, row.until_utc_s, row.tally.connected, row.tally.abandoned, row.tally.told) == (
        *(start_s, start_s + 14_400, 97, 3, 1),
    )
    assert (row.preset, row.max_abandon, row.share) == ("uk", 0.01, pytest.approx(0.03))
    assert settled(account, UK, later_s)[1] == ()
    account = count(account, Counted.AMD_ERROR, start_s + 99, later_s)
    assert [each.tally.amd_errors for each in settled(account, UK, later_s)[1]] == [1]
    assert json.loads(codec.dump(row))["campaign"] == WINTER


# --- caller-ID ---------------------------------------------------------------------------------------------------------------
MADRID, BARCELONA, FREE, MOBILE = "+34910000001", "+34930000001", "+34900100100", "+34600111222"
OURS = {
    MADRID: CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True),
    BARCELONA: CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True),
    FREE: CallerIdSettings(line_type=LineType.TOLL_FREE, country="ES", answers_back=True, prefixes=("+346", "+347")),
    MOBILE: CallerIdSettings(line_type=LineType.MOBILE, country="ES", answers_back=True),
    "+34915555555": CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=False),
}
SPAIN = PRESETS["es"].rules


@pytest.mark.parametrize(
    ("callee", "shown_today", "number"),
    [
        ("+34912345678", {}, MADRID),
        ("+34932345678", {}, BARCELONA),
        ("+34655555555", {}, FREE),  # meant for mobiles
        ("+34912345678", {MADRID: 99}, MADRID),
        ("+34912345678", {MADRID: 100}, BARCELONA),
        ("+34952345678", {MADRID: 5, BARCELONA: 4}, BARCELONA),  # as near as the other, and shown less
        ("+34912345678", {MADRID: 100, BARCELONA: 100, FREE: 100}, None),
    ],
)
def test_the_number_nearest_to_the_callee_is_shown(callee: str, shown_today: dict[str, int], number: str | None) -> None:
    choice = choose(callee, OURS, OURS, shown_today, SPAIN)
    assert (choice.shown.number if choice.shown is not None else None) == number
    assert any("not answered" in each for each in choice.says) and any("mobile" in each for each in choice.says)


def test_a_number_that_is_not_ours_is_not_shown() -> None:
    assert choose("+34912345678", ["+15550000"], OURS, {}, SPAIN).shown is None
    assert choose("+34912345678", [], OURS, {}, SPAIN).says == ("the campaign names no number to show",)


# --- short calls, and who may serve ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("answered_s", "short"), [(None, True), (0.0, True), (6.0, True), (6.1, False)])
def test_short_calls_are_those_of_six_seconds_and_those_that_were_not_answered(answered_s: float, short: bool) -> None:
    assert is_short(BRAZIL, answered_s) is short
    assert not is_short(US, answered_s)


def test_the_share_of_short_calls_of_a_number() -> None:
    days: dict[str, CallsOfDay] = {}
    for short in (True, True, True, False):
        days = with_call(days, "2026-11-25", is_short=short)
    assert days["2026-11-25"].share == 0.75
    assert is_over(BRAZIL, CallsOfDay(calls=100_000, short=85_000))
    assert not is_over(BRAZIL, CallsOfDay(calls=99_999, short=99_999)) and not is_over(US, CallsOfDay(calls=10**6, short=10**6))
    assert CallsOfDay().share == 0.0


@pytest.mark.parametrize(
    ("mode", "works", "phone", "may"),
    [
        (Mode.PREDICTIVE, WorkMode.DESK, PhoneSettings(number="1001"), False),
        (Mode.POWER, WorkMode.DESK, PhoneSettings(number="1001"), False),
        (Mode.PROGRESSIVE, WorkMode.DESK, PhoneSettings(number="1001"), True),
        (Mode.PREDICTIVE, WorkMode.HEADSET, PhoneSettings(number="1001"), True),
        (Mode.PREDICTIVE, WorkMode.DESK, PhoneSettings(number="1001", auto_answer=True), True),
        (Mode.PREDICTIVE, WorkMode.DESK, PhoneSettings(number="1001", auto_answer=True, kind=PhoneKind.EXTERNAL), False),
    ],
)
def test_no_unreserved_calls_for_phones_that_ring(mode: Mode, works: WorkMode, phone: PhoneSettings, may: bool) -> None:
    assert may_serve(mode, works, phone) is may
