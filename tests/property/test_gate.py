"""The law's gate: it always answers, refuses whatever any rule refuses, and never allows more under stricter rules."""

import json
from dataclasses import replace

import pytest
from call_sheets import NOON, UNLAWFUL, any_sheet, lawful, mixed, rules_of, some_rules, stricter
from hypothesis import given, settings
from hypothesis import strategies as st

from ccserver.core import codec
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.gate import RULES, all_refusals, judge
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import looser
from ccserver.core.dialer.soundness import unsound
from ccserver.core.dialer.terms import Purpose
from ccserver.core.dialer.verdict import ALLOWED, Allowed, Refusal, Refused

few = settings(max_examples=60, deadline=None)
many = settings(max_examples=150, deadline=None)


@few
@given(st.data())
def test_a_call_of_which_nothing_speaks_against_is_allowed(data: st.DataObject) -> None:
    rules = data.draw(some_rules)
    sheet = data.draw(lawful(rules))
    assert judge(sheet, rules, NOON) == ALLOWED, all_refusals(sheet, rules, NOON)


def test_there_is_an_unlawful_call_for_every_reason() -> None:
    by_others = {Refusal.UNAVAILABLE, Refusal.BEING_CALLED}  # said by who could not ask, or could not put it on record
    assert set(UNLAWFUL) == set(Refusal) - by_others


@pytest.mark.parametrize(
    ("reason", "case"), [(reason, case) for reason, cases in UNLAWFUL.items() for case in range(len(cases))], ids=str
)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_is_unlawful_in_one_way_is_refused_for_that(reason: Refusal, case: int, data: st.DataObject) -> None:
    change_rules, spoil = UNLAWFUL[reason][case]
    good_rules = data.draw(some_rules)
    good = data.draw(lawful(good_rules))
    rules, sheet = change_rules(good_rules), spoil(good)

    verdict = judge(sheet, rules, NOON)
    assert isinstance(verdict, Refused) and verdict.reason is reason, verdict
    assert {each.reason for each in all_refusals(sheet, rules, NOON)} == {reason}
    assert (verdict.says and verdict.says[0].islower()) or verdict.says[0] in "+0123456789"


@many
@given(
    sheet=any_sheet, now=st.just(NOON) | st.floats(allow_nan=True, allow_infinity=True), preset=st.sampled_from(sorted(PRESETS))
)
def test_whatever_the_sheet_says_there_is_an_answer(sheet: FactSheet, now: float, preset: str) -> None:
    for rules in (rules_of(preset), PRESETS[preset].rules):
        assert isinstance(judge(sheet, rules, now), Allowed | Refused)


@many
@given(st.data())
def test_it_allows_nothing_that_any_rule_refuses(data: st.DataObject) -> None:
    rules = data.draw(some_rules)
    sheet = data.draw(mixed(rules))
    verdict, refusals = judge(sheet, rules, NOON), all_refusals(sheet, rules, NOON)
    if not unsound(sheet, NOON):
        assert refusals == tuple(found for rule in RULES if (found := rule(sheet, rules, NOON)) is not None)
    assert verdict == (refusals[0] if refusals else ALLOWED)
    assert all(each.until_utc_s is None or each.until_utc_s >= NOON for each in refusals), "a refusal never ends in the past"


@many
@given(st.data())
def test_stricter_rules_never_allow_more(data: st.DataObject) -> None:
    rules = data.draw(some_rules)
    strict = data.draw(stricter(rules))
    sheet = data.draw(lawful(rules) | mixed(rules))
    assert looser(strict, rules) == ()
    if judge(sheet, strict, NOON) == ALLOWED:
        assert judge(sheet, rules, NOON) == ALLOWED, (looser(rules, strict), all_refusals(sheet, rules, NOON))


@few
@given(data=st.data(), asked_s=st.floats(0, 7200), agreed_s=st.none() | st.floats(0, 3600))
def test_who_expects_the_call_is_called_at_any_hour(data: st.DataObject, asked_s: float, agreed_s: float | None) -> None:
    rules = data.draw(some_rules)
    sheet = replace(
        data.draw(lawful(rules)),
        zones=("Asia/Tokyo",),
        purpose=Purpose.REQUESTED,
        requested_utc_s=NOON - (asked_s if agreed_s is None else 9 * 86_400),
        agreed_utc_s=None if agreed_s is None else NOON - agreed_s,
    )
    assert judge(sheet, rules, NOON) == ALLOWED, all_refusals(sheet, rules, NOON)
    assert judge(replace(sheet, purpose=Purpose.SERVICE), rules, NOON) != ALLOWED


@few
@given(st.data())
def test_a_sheet_and_its_rules_can_be_written_down(data: st.DataObject) -> None:
    rules = data.draw(some_rules)
    sheet = data.draw(lawful(rules))
    for value in (rules, sheet):
        assert codec.decode(type(value), json.loads(json.dumps(codec.encode(value)))) == value
