"""Numbers, PINs and prompt paths."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.agi.numbers import normalise
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.secrets import check_pin, hash_pin
from ccserver.core.ids import Language, PromptId


@pytest.mark.parametrize(
    ("given_", "country", "expected"),
    [
        ("030 1234567", "DE", "+49301234567"),
        ("+49 (30) 123-4567", "DE", "+49301234567"),
        ("0049301234567", "DE", "+49301234567"),
        ("2025550143", "US", "+12025550143"),
        ("011442079460000", "US", "+442079460000"),
        ("+442079460000", "DE", "+442079460000"),
        ("1001", "DE", None),
        ("alice", "DE", None),
        ("0800FLOWERS", "US", None),
        ("", "DE", None),
        ("+", "DE", None),
        ("0" * 60, "DE", None),
        ("030 1234567", "XX", None),
        ("+49301234567", "XX", "+49301234567"),
        ("٠٣٠١٢٣٤٥٦٧", "DE", None),
    ],
)
def test_normalise(given_: str, country: str, expected: str | None) -> None:
    assert normalise(given_, country) == expected


@given(st.text(max_size=60))
def test_normalise_gives_e164_or_nothing(text: str) -> None:
    number = normalise(text, "DE")
    assert number is None or (number.startswith("+") and number[1:].isascii() and number[1:].isdigit() and len(number) <= 16)


def test_pins() -> None:
    stored = hash_pin("4711")
    assert stored.startswith("scrypt$16384$8$1$")
    assert "4711" not in stored
    assert hash_pin("4711") != stored
    assert check_pin("4711", stored)
    assert check_pin(bytearray(b"4711"), stored)
    assert not check_pin("4712", stored)
    assert not check_pin("", stored)


@pytest.mark.parametrize("pin", ["", "abc", "12 34", "1" * 17, "٤"])
def test_what_is_no_pin(pin: str) -> None:
    with pytest.raises(ValueError, match="a PIN is"):
        hash_pin(pin)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "4711",
        "md5$1$1$1$AAAA$AAAA",
        "scrypt$x$8$1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$1073741824$8$1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$16383$8$1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$16384$8$1$????$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$16384$8$1$AAAAAAAAAAAAAAAA$",
    ],
)
def test_a_malformed_hash_raises(stored: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_pin("4711", stored)


def test_prompts_in_the_language_or_the_default_one(tmp_path: Path) -> None:
    for name in ("en/menu.wav", "de/menu.ulaw", "en/sub/bye.sln16", "de/notes.txt", "secret.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    paths = PromptPaths(asterisk_dir=Path("/var/prompts"), local_dir=tmp_path, default_language=Language("en"))

    def find(language: str, prompt: str) -> str | None:
        return paths.find(Language(language), PromptId(prompt))

    assert find("de", "menu") == "/var/prompts/de/menu"
    assert find("fr", "menu") == "/var/prompts/en/menu"
    assert find("de", "sub/bye") == "/var/prompts/en/sub/bye"
    for prompt in (
        "notes",
        "",
        ".",
        "..",
        "../secret",
        "/etc/passwd",
        "menu.wav",
        "sub/../menu",
        "sub//bye",
        "menu\n",
        "x" * 300,
    ):
        assert find("de", prompt) is None
    assert find("..", "secret") is None
    assert find("../x", "menu") == "/var/prompts/en/menu"
