"""Conditions on skills as people write them: what they mean, and what is told of those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.config.requirements import MAX_DEPTH, MAX_LENGTH, BadRequirement, parse, written
from ccserver.core.ids import SkillId
from ccserver.core.requirements import is_met
from ccserver.core.settings import EVERYBODY, AllOf, AnyOf, HasSkill, NoneOf, Requirement


def skill(name: str, level: int = 1) -> HasSkill:
    return HasSkill(SkillId(name), level)


NAMES = ("sales", "spanish", "b2b", "and-more", "or_else", "nothing")
LEAVES = st.builds(skill, st.sampled_from(NAMES), st.integers(1, 100))


def _inner(inner: st.SearchStrategy[Requirement]) -> st.SearchStrategy[Requirement]:
    several = st.lists(inner, max_size=3).map(tuple)
    return several.map(AllOf) | several.map(AnyOf) | several.map(NoneOf)


# At most four levels: each may cost a parenthesis and a `not`.
TREES: st.SearchStrategy[Requirement] = st.recursive(LEAVES, _inner, max_leaves=6).filter(lambda tree: len(repr(tree)) < 500)
SKILLS = st.dictionaries(st.sampled_from(NAMES).map(SkillId), st.integers(0, 100))


def parsed(text: str) -> Requirement:
    return parse(text).requirement


@given(TREES, SKILLS)
def test_what_is_written_means_the_same_when_it_is_read(tree: Requirement, skills: dict[SkillId, int]) -> None:
    assert is_met(parsed(written(tree)), skills) == is_met(tree, skills)


@given(TREES)
def test_what_was_read_is_written_and_read_as_the_same_value(tree: Requirement) -> None:
    value = parsed(written(tree))
    assert parsed(written(value)) == value


@given(st.text(alphabet="abn dort()>=&|!,0159é\t'", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    try:
        value = parsed(text)
    except BadRequirement as bad:
        assert 0 <= bad.offset <= len(text)
        assert bad.message.startswith("expected")
    else:
        assert parsed(written(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sales", skill("sales")),
        ("sales>=50", skill("sales", 50)),
        ("a or b and c", AnyOf((AllOf((skill("b"), skill("c"))), skill("a")))),
        ("not a and b", AllOf((skill("b"), NoneOf((skill("a"),))))),
        ("not (a or b)", NoneOf((skill("a"), skill("b")))),
        ("not not a", skill("a")),
        ("((a))", skill("a")),
        ("a and a", skill("a")),
        ("anybody", EVERYBODY),
        ("a or anybody", EVERYBODY),
        ("a and anybody", skill("a")),
    ],
)
def test_not_binds_more_than_and_and_that_more_than_or(text: str, value: Requirement) -> None:
    assert parsed(text) == value


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("b and a", "a and b"),
        ("(c or a) or b", "a or (b or c)"),
        ("not (b or a)", "not (a or b)"),
        (
            "sales >= 50 and (spanish or portuguese >= 30) and not trainee",
            "not trainee and (portuguese>=30 or spanish) and sales>=50",
        ),
    ],
)
def test_the_same_conditions_in_another_order_are_the_same_value(text: str, same: str) -> None:
    assert parsed(text) == parsed(same)


def test_the_skills_that_are_named_are_told_with_their_places() -> None:
    assert [(named.skill, named.offset) for named in parse("a >= 5 and not (bc or a)").skills] == [
        ("a", 0),
        ("bc", 16),
        ("a", 22),
    ]


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("sales and", 9, 'expected a skill after "and", got nothing (name a skill, or remove "and")'),
        ("and sales", 0, 'expected a skill, got "and" (for example sales >= 50 and not trainee)'),
        ("sales or or b", 9, 'expected a skill after "or", got "or" (name a skill, or remove "or")'),
        ("not", 3, 'expected a skill after "not", got nothing (name a skill, or remove "not")'),
        ("", 0, "expected a skill, got nothing (for example sales >= 50 and not trainee)"),
        ("a and (b or c", 6, 'expected a ")" for this "(", got none (close it)'),
        ("a and b)", 7, 'expected the end, got ")" (remove it, or open it before)'),
        ("()", 1, 'expected a skill after "(", got ")" (for example sales >= 50 and not trainee)'),
        ("a b", 2, 'expected "and", "or" or the end, got "b" (put "and" or "or" before it)'),
        ("a AND b", 2, 'expected "and", "or" or the end, got "AND" (write and)'),
        ("(a, b)", 2, 'expected "and", "or" or the end, got "," (write "and" or "or")'),
        ("a && b", 2, 'expected "and", "or" or the end, got "&" (write and)'),
        ("!a", 0, 'expected a skill, got "!" (write not)'),
        ("a 50", 2, 'expected "and", "or" or the end, got "50" (write >= 50)'),
        ("a > 50", 2, 'expected "and", "or" or the end, got ">" (write >=)'),
        ("a >= b", 5, 'expected a level from 1 to 100, got "b" (for example a >= 50)'),
        ("a >=", 4, "expected a level from 1 to 100, got nothing (for example a >= 50)"),
        ("a >= 101", 5, "expected a level from 1 to 100, got 101"),
        ("a >= 0", 5, "expected a level from 1 to 100, got 0"),
    ],
)
def test_what_is_no_condition_is_told_where_and_with_its_mend(text: str, offset: int, message: str) -> None:
    with pytest.raises(BadRequirement) as bad:
        parse(text)
    assert (bad.value.offset, str(bad.value)) == (offset, message)


@pytest.mark.parametrize("text", ["(" * 400 + "a", "not " * 100 + "a", "(" * 11 + "a" + ")" * 11])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(BadRequirement, match=f"at most {MAX_DEPTH} levels"):
        parse(text)


def test_length_is_bounded() -> None:
    with pytest.raises(BadRequirement, match=f"at most {MAX_LENGTH} characters, got {MAX_LENGTH + 2}"):
        parse("a" * (MAX_LENGTH + 2))
