"""PINs: kept as scrypt hashes, compared in constant time.

Both functions take some 50 ms and 16 MB on purpose: never call them on the reactor's thread.
"""

import binascii
import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

_N, _R, _P = 1 << 14, 8, 1
_SALT_BYTES = 16
_HASH_BYTES = 32
# What a stored hash may ask of us; a wrong configuration must not eat the machine.
_MAX_N, _MAX_R, _MAX_P = 1 << 17, 16, 4

MAX_PIN_DIGITS = 16
NOBODYS_HASH = "scrypt$16384$8$1$bm9ib2R5IGF0IGFsbCE=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""Verified where there is no hash, so that a wrong name takes as long as a wrong secret. Nobody's: its salt says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretAnswer:
    """What a check of typed digits said. `is_ok` None: they could not be checked. `token` stands for good ones, where it was asked for."""

    is_ok: bool | None
    token: str = field(default="", repr=False)


def hash_pin(pin: str) -> str:
    """`scrypt$n$r$p$salt$hash`, salt and hash in base64, with a fresh salt. Raises ValueError if `pin` is not 1-16 digits."""
    if not (pin.isascii() and pin.isdigit() and len(pin) <= MAX_PIN_DIGITS):
        raise ValueError(f"a PIN is 1 to {MAX_PIN_DIGITS} digits")
    salt = os.urandom(_SALT_BYTES)
    derived = _derive(pin.encode(), salt, n=_N, r=_R, p=_P, length=_HASH_BYTES)
    return f"scrypt${_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(derived).decode()}"


def check_pin(pin: str | bytes | bytearray, stored: str) -> bool:
    """Whether `pin` is the one that `stored` was made from. Raises ValueError for a malformed or excessive `stored`."""
    scheme, *fields = stored.split("$")
    if scheme != "scrypt" or len(fields) != 5:
        raise ValueError("not a hash of the form scrypt$n$r$p$salt$hash")
    n, r, p = (int(field) for field in fields[:3])
    if not (2 <= n <= _MAX_N and n & (n - 1) == 0 and 1 <= r <= _MAX_R and 1 <= p <= _MAX_P):
        raise ValueError("scrypt parameters out of range")
    try:
        salt, expected = (b64decode(field, validate=True) for field in fields[3:])
    except binascii.Error:
        raise ValueError("salt or hash is not base64") from None
    if not (8 <= len(salt) <= 64 and 16 <= len(expected) <= 64):
        raise ValueError("salt or hash of a wrong length")
    given = pin.encode() if isinstance(pin, str) else pin
    return hmac.compare_digest(_derive(given, salt, n=n, r=r, p=p, length=len(expected)), expected)


def _derive(pin: bytes | bytearray, salt: bytes, *, n: int, r: int, p: int, length: int) -> bytes:
    # OpenSSL counts a little more than 128*n*r*p bytes.
    return hashlib.scrypt(pin, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=128 * n * r * p + (4 << 20))
