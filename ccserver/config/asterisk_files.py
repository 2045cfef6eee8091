"""The files Asterisk needs from us: `asterisk-config/` and `dialplans/` with the site's values put in.

A placeholder is `${SITE_NAME}`; Asterisk's own `${...}` are left alone.  A line that holds a placeholder for a list
is written once per value (no value: not at all).  Every value is checked first, because a newline, a `;` or a comma
in the wrong place would change the meaning of the file it lands in.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("asterisk-config", "dialplans")
# Files with one of these in them are readable by their owner only.
_SECRETS = ("${SITE_AMI_SECRET}", "${SITE_AGI_SECRET}")
_PLACEHOLDER = re.compile(r"\$\{(SITE_[A-Z_]+)\}")

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,79}")
_SECRET = re.compile(r"[A-Za-z0-9_.~-]{8,128}")
_DIGITS = re.compile(r"[0-9]{1,15}")
_PATTERN = re.compile(r"[0-9XZN]{2,15}")
_PREFIX = re.compile(r"[0-9*#]{1,4}")
_CODE = re.compile(r"[0-9*#]{1,15}")
_YES_NO = re.compile(r"yes|no")
_PATH = re.compile(r"[A-Za-z0-9_./+-]{1,200}")
_FILE = re.compile(r"/[A-Za-z0-9_./+-]{1,200}")
_PROMPTS = re.compile(r"[A-Za-z0-9_./+-]{1,200}(&[A-Za-z0-9_./+-]{1,200}){0,9}")


class BadAsteriskValue(ValueError):
    """A value cannot be written to a file of Asterisk.  The text names it and says what is accepted, one line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskValues:
    """The site's values.  Durations are seconds, directories are paths as Asterisk sees them."""

    ami_secret: str
    agi_secret: str
    ami_port: int = 5038
    agi_port: int = 4573
    agi_address: str = "127.0.0.1"
    recordings_directory: str = "/var/spool/asterisk/ccserver"
    cel_file: str = "ccserver.csv"
    music_class: str = "cc-wait"
    music_directory: str = "moh"
    comfort_sound: str = "/var/lib/asterisk/sounds/ccserver/en/cc-comfort"
    fallback_after_s: int = 120
    unavailable_prompt: str = "im-sorry&please-try-call-later"
    fallback_prompt: str = "im-sorry&please-try-call-later"
    emergency_numbers: tuple[str, ...] = ("112",)
    internal_patterns: tuple[str, ...] = ("1XXX",)
    outside_prefix: str = "0"
    outside_trunk: str = "carrier"
    outside_without_daemon: str = "no"
    feature_prefix: str = "*"
    echo_code: str = "*43"
    ring_phone_s: int = 30
    qualify_s: int = 30
    rtp_timeout_s: int = 30
    rtp_timeout_hold_s: int = 3600
    session_expires_s: int = 1800
    busy_at: int = 1


def problems(values: AsteriskValues) -> list[str]:
    """Every reason why `values` cannot be written, empty when there is none."""
    found: list[str] = []

    def text(name: str, value: str, shape: re.Pattern[str], accepted: str) -> None:
        if shape.fullmatch(value) is None:
            # A secret's value stays out of the message.
            shown = "" if name.endswith("secret") else f", got {value!r}"
            found.append(f"{name}: expected {accepted}{shown}")

    def number(name: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            found.append(f"{name}: expected {low} to {high}, got {value}")

    for name in ("ami_secret", "agi_secret"):
        text(name, getattr(values, name), _SECRET, "8 to 128 letters, digits, or _ . ~ -")
    for name in ("music_class", "outside_trunk", "cel_file"):
        text(name, getattr(values, name), _WORD, "letters, digits, or _ . -")
    for name in ("recordings_directory", "music_directory"):
        text(name, getattr(values, name), _PATH, "a path of letters, digits, or _ . / + -")
    text("comfort_sound", values.comfort_sound, _FILE, "an absolute path without ending, of letters, digits, or _ . / + -")
    for name in ("unavailable_prompt", "fallback_prompt"):
        text(name, getattr(values, name), _PROMPTS, "sound files without extension, joined by &")
    text("outside_without_daemon", values.outside_without_daemon, _YES_NO, "yes or no")
    text("echo_code", values.echo_code, _CODE, "1 to 15 of 0-9 * #")
    for name in ("outside_prefix", "feature_prefix"):
        text(name, getattr(values, name), _PREFIX, "1 to 4 of 0-9 * #")
    for each in values.emergency_numbers:
        text("emergency_numbers", each, _DIGITS, "digits")
    for each in values.internal_patterns:
        text("internal_patterns", each, _PATTERN, "digits and X, Z, N (for example 1XXX)")
    for name in ("ami_port", "agi_port"):
        number(name, getattr(values, name), 1, 65535)
    for name in ("fallback_after_s", "ring_phone_s", "rtp_timeout_s", "rtp_timeout_hold_s"):
        number(name, getattr(values, name), 1, 86400)
    number("qualify_s", values.qualify_s, 0, 86400)
    # RFC 4028: nobody may ask for less than 90 s.
    number("session_expires_s", values.session_expires_s, 90, 86400)
    number("busy_at", values.busy_at, 1, 100)
    try:
        if not ipaddress.ip_address(values.agi_address).is_loopback:
            found.append(f"agi_address: expected a loopback address, got {values.agi_address!r}")
    except ValueError:
        found.append(f"agi_address: expected an address such as 127.0.0.1, got {values.agi_address!r}")
    return found


def source_directory() -> Path:
    """The directory that holds `asterisk-config/` and `dialplans/`: the checkout, else what the package installed."""
    checkout = Path(__file__).resolve().parents[2]
    for candidate in (checkout, Path(sys.prefix) / "share/ccserver"):
        if all((candidate / name).is_dir() for name in SOURCES):
            return candidate
    raise FileNotFoundError(f"{' and '.join(SOURCES)} are neither in {checkout} nor in {sys.prefix}/share/ccserver")


def render(values: AsteriskValues, out_dir: Path) -> list[Path]:
    """Write every `*.conf` of our sources to `out_dir` with the values put in; the paths written, in order of name.

    Files with a secret get mode 0600, others 0644.  Each is written aside and renamed, so that Asterisk never reads
    half a file.  Raises BadAsteriskValue before anything is written.
    """
    bad = problems(values)
    if bad:
        raise BadAsteriskValue("\n".join(bad))
    single, repeated = _placeholders(values)
    base = source_directory()
    sources = sorted(path for name in SOURCES for path in (base / name).glob("*.conf"))
    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sources:
        template = source.read_text(encoding="utf-8")
        target = out_dir / source.name
        mode = 0o600 if any(secret in template for secret in _SECRETS) else 0o644
        _write(target, fill(template, single, repeated, source.name), mode)
        written.append(target)
    return written


def fill(template: str, single: Mapping[str, str], repeated: Mapping[str, tuple[str, ...]], name: str = "") -> str:
    """`template` with its placeholders replaced.  An unknown one raises KeyError: a fault of ours, not of the site."""
    lines: list[str] = []
    for line in template.splitlines():
        lists = [found for found in _PLACEHOLDER.findall(line) if found in repeated]
        variants = [{lists[0]: each} for each in repeated[lists[0]]] if lists else [{}]
        for variant in variants:
            known = {**single, **variant}

            def value_of(found: re.Match[str], known: Mapping[str, str] = known) -> str:
                if found.group(1) not in known:
                    raise KeyError(f"{name}: unknown placeholder {found.group(0)}")
                return known[found.group(1)]

            lines.append(_PLACEHOLDER.sub(value_of, line))
    return "\n".join(lines) + "\n"


def _placeholders(values: AsteriskValues) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    single = {
        f"SITE_{name.upper()}": str(getattr(values, name))
        for name in AsteriskValues.__slots__
        if not isinstance(getattr(values, name), tuple)
    }
    # ${EXTEN:n} needs the length of what to cut off.
    single["SITE_FEATURE_PREFIX_LENGTH"] = str(len(values.feature_prefix))
    single["SITE_LAMP_PREFIX_LENGTH"] = str(len(values.feature_prefix) + 1)
    single["SITE_OUTSIDE_PREFIX_LENGTH"] = str(len(values.outside_prefix))
    repeated = {
        "SITE_EMERGENCY_NUMBER": values.emergency_numbers,
        "SITE_INTERNAL_PATTERN": values.internal_patterns,
    }
    return single, repeated


def _write(path: Path, text: str, mode: int) -> None:
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
    aside.rename(path)
