"""How values are said: tables by language, as a native speaker would say them, and values that nobody should be able to say."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.speech.words import Unspeakable, characters_of, parts

LANGUAGES = ("en", "es", "pt", "pt_BR", "it", "fr")


def said(kind: SpokenKind, value: str, language: str) -> str:
    return " ".join(part.words for part in parts(Spoken(kind, value), Language(language)))


def rows() -> list[tuple[SpokenKind, str, str, str]]:
    """(kind, value, language, words) out of words.txt."""
    found: list[tuple[SpokenKind, str, str, str]] = []
    kind, value = SpokenKind.NUMBER, ""
    for line in (Path(__file__).parent / "words.txt").read_text().splitlines():
        if line.startswith("- "):
            word, _, value = line[2:].partition(" ")
            kind = SpokenKind(word)
        elif line and not line.startswith("#"):
            language, _, words = line.strip().partition(" ")
            found.append((kind, value, language, words.strip()))
    return found


@pytest.mark.parametrize(
    ("kind", "value", "language", "words"), rows(), ids=lambda each: str(getattr(each, "value", each))[:40]
)
def test_a_value_is_said_as_its_language_wants_it(kind: SpokenKind, value: str, language: str, words: str) -> None:
    assert said(kind, value, language) == words


def test_the_table_says_every_kind_in_every_language() -> None:
    kinds = {SpokenKind.NUMBER, SpokenKind.MONEY, SpokenKind.DATE, SpokenKind.TIME, SpokenKind.DURATION, SpokenKind.DIGITS}
    assert {(kind, language) for kind, _, language, _ in rows()} >= {(kind, each) for kind in kinds for each in LANGUAGES}


def test_the_examples_of_the_guide_are_what_is_said() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "speech.md").read_text()
    found = re.findall(r"^\| `([a-z]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", guide, re.MULTILINE)
    assert len(found) == 7
    for kind, value, english, spanish in found:
        assert said(SpokenKind(kind), value, "en") == english
        assert said(SpokenKind(kind), value, "es") == spanish


def test_a_region_speaks_its_language_but_mexico_says_point() -> None:
    assert said(SpokenKind.NUMBER, "1.5", "es_AR") == "uno coma cinco"
    assert said(SpokenKind.NUMBER, "1.5", "es_MX") == "uno punto cinco"
    assert said(SpokenKind.NUMBER, "16", "pt_AO") == "dezasseis"


def test_another_language_gets_the_value_as_it_is_written() -> None:
    assert said(SpokenKind.NUMBER, "-12.50", "de") == "-12.5"
    assert said(SpokenKind.DIGITS, "40#", "de") == "4 0 #"
    assert said(SpokenKind.TIME, "9:05", "de") == "09:05"
    assert said(SpokenKind.DATE, "2026-12-25", "de") == "25. Dezember 2026"
    assert said(SpokenKind.DURATION, "61", "de") == "2 Minuten"
    assert said(SpokenKind.MONEY, "12.5 EUR", "de") == "12.50 Euro"
    assert said(SpokenKind.DATE, "2026-12-25", "tlh") == "2026-12-25"


@pytest.mark.parametrize(
    ("kind", "value", "files"),
    [
        (SpokenKind.NUMBER, "012.50", ["number-12.5"]),
        (SpokenKind.NUMBER, "-0", ["number-0"]),
        (SpokenKind.DIGITS, "5*#", ["digit-5", "sign-star", "sign-hash"]),
        (SpokenKind.SPELLED, "A5-é", ["letter-a", "digit-5", "sign-dash", ""]),
        (SpokenKind.MONEY, "12.5 EUR", ["money-12.50-EUR"]),
        (SpokenKind.MONEY, "1234.4 JPY", ["money-1234-JPY"]),
        (SpokenKind.DATE, "2026-12-25", ["date-2026-12-25"]),
        (SpokenKind.TIME, "9:05", ["time-09-05"]),
        (SpokenKind.DURATION, "241.2", ["duration-300"]),
        (SpokenKind.TEXT, "Ana", [""]),
    ],
)
def test_a_site_can_record_what_is_said(kind: SpokenKind, value: str, files: list[str]) -> None:
    assert [part.file for part in parts(Spoken(kind, value), Language("es"))] == files


@pytest.mark.parametrize("language", [*LANGUAGES, "de"])
def test_digits_and_letters_are_all_different_sounds(language: str) -> None:
    said_as = [part.words for part in characters_of(Language(language))]
    assert len(said_as) == len(set(said_as)) == 38


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SpokenKind.DIGITS, ""),
        (SpokenKind.DIGITS, "12a"),
        (SpokenKind.DIGITS, "١٢"),
        (SpokenKind.DIGITS, "1" * 65),
        (SpokenKind.NUMBER, "1e9"),
        (SpokenKind.NUMBER, "nan"),
        (SpokenKind.NUMBER, "1,00"),
        (SpokenKind.NUMBER, "1" * 13),
        (SpokenKind.NUMBER, "999999999999.9999999"),
        (SpokenKind.MONEY, "12"),
        (SpokenKind.MONEY, "12 euros"),
        (SpokenKind.MONEY, "12 eur"),
        (SpokenKind.DATE, "2026-02-30"),
        (SpokenKind.DATE, "25.12.2026"),
        (SpokenKind.DATE, "0000-01-01"),
        (SpokenKind.TIME, "24:00"),
        (SpokenKind.TIME, "12:60"),
        (SpokenKind.DURATION, "-1"),
        (SpokenKind.DURATION, "1" * 10),
        (SpokenKind.SPELLED, " "),
        (SpokenKind.SPELLED, "a\u202eb"),
        (SpokenKind.SPELLED, "x" * 65),
        (SpokenKind.TEXT, " \x00 "),
        (SpokenKind.TEXT, "x" * 1001),
        (SpokenKind.PROMPT, "welcome"),
        (SpokenKind.CALL_NUMBER, ""),
    ],
)
def test_what_is_no_such_value_is_told_by_its_kind_only(kind: SpokenKind, value: str) -> None:
    with pytest.raises(Unspeakable) as refused:
        parts(Spoken(kind, value), Language("es"))
    assert str(refused.value) == f"a value that is no {kind.value}"


def test_a_text_is_one_line_without_what_only_controls() -> None:
    assert said(SpokenKind.TEXT, " José\tMª\r\nde la \u202eO\x00 ", "es") == "José Mª de la O"


_numbers = st.decimals(min_value=-(10**14), max_value=10**14, allow_nan=False, places=3).map(str)
_values = st.one_of(
    st.text(max_size=80),
    _numbers,
    _numbers.map("{} EUR".format),
    st.tuples(_numbers, st.text("ABCDEFXYZ", min_size=3, max_size=3)).map(" ".join),
    st.dates().map(str),
    st.times().map(lambda time: time.isoformat("minutes")),
    st.integers(0, 10**9).map(str),
)


@given(kind=st.sampled_from(SpokenKind), value=_values, language=st.sampled_from([*LANGUAGES, "de", "zh", "xx", "es_MX", "ar"]))
@example(kind=SpokenKind.MONEY, value="0.001 KWD", language="fr")
@example(kind=SpokenKind.DATE, value="0001-01-01", language="en")
def test_every_value_is_said_or_refused(kind: SpokenKind, value: str, language: str) -> None:
    try:
        found = parts(Spoken(kind, value), Language(language))
    except Unspeakable:
        return
    assert found
    for part in found:
        assert part.words.strip()
        assert all(character.isprintable() for character in part.words)
        assert all(character.isascii() and (character.isalnum() or character in ".-") for character in part.file)


@given(number=st.integers(0, 10**12 - 1), language=st.sampled_from(LANGUAGES))
def test_a_number_has_words_only(number: int, language: str) -> None:
    assert not any(character.isdigit() for character in said(SpokenKind.NUMBER, str(number), language))
