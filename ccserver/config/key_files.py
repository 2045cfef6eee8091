"""Master keys: files of 32 random bytes in base64, for ccserver only. What is sealed with one names it by its id."""

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

KEY_BYTES = 32
_FILE_BYTES_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKey:
    """`id`: 16 hexadecimal digits, which tell nothing about the key."""

    id: str
    secret: bytes = field(repr=False)


class NoKey(Exception):
    """A key file cannot be used. The text says why and what to do; it holds nothing of the key."""


def key_of(secret: bytes) -> MasterKey:
    return MasterKey(id=hashlib.sha256(b"ccserver master key\0" + secret).hexdigest()[:16], secret=secret)


def read_key(path: Path) -> MasterKey:
    """Raises NoKey."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise NoKey(f"{path}: {error.strerror} (make one with: ccserver recording new-key {path})") from error
    if mode & 0o007:
        raise NoKey(f"{path}: everybody may use it (chmod 600 {path})")
    try:
        secret = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise NoKey(
            f"{path}: not {KEY_BYTES} bytes in base64 (take it out of the backup; a new key opens nothing that is sealed)"
        )
    return key_of(secret)


def new_key(path: Path) -> MasterKey:
    """Make a file with a new key. Raises NoKey for a file that is there: it may be all that opens the archive. Raises OSError."""
    secret = os.urandom(KEY_BYTES)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise NoKey(f"{path} is there already, and is not written over") from None
    with open(fd, "wb") as file:
        file.write(base64.b64encode(secret) + b"\n")
        file.flush()
        os.fsync(fd)
    return key_of(secret)
