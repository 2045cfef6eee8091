"""How what identifies a person is sealed: each person has a key of their own, and that key is wrapped by a master key.

    a cell       sealed:v1:<person>:<base64 of nonce 12, ciphertext, tag 16>, AES-256-GCM
    bound to     `table.column` of the cell, so that a value that is moved elsewhere does not open
    an index     HMAC-SHA256 of the number, under a key made of the master key: finds a person without keeping the number

Once a person's key is destroyed nothing opens their cells any more.
"""

import base64
import binascii
import hmac
import os
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ccserver.config.edges import PrivacyEdge
from ccserver.config.key_files import MasterKey

PREFIX = "sealed:v1:"
TOKEN = re.compile(r"sealed:v1:([0-9a-f]{16}):([A-Za-z0-9_-]{38,})", re.ASCII)
"""In a cell, or in the middle of a sentence."""
_NONCE_BYTES = 12


class BadSeal(Exception):
    """A cell or a person's key does not open: it was changed, moved or cut. The text says which."""


class NoMasterKey(Exception):
    """A person's key is wrapped by a master key that is not here. The text names it by its id."""


@dataclass(frozen=True, slots=True)
class Person:
    """`id`: 16 hexadecimal digits of chance."""

    id: str
    key: bytes = field(repr=False)

    def seal(self, text: str, place: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return f"{PREFIX}{self.id}:{_written(nonce + AESGCM(self.key).encrypt(nonce, text.encode(), place.encode()))}"

    def open(self, written: str, place: str) -> str:
        """`written`: the last part of a sealed cell. Raises BadSeal."""
        try:
            return _decrypted(self.key, written, place).decode()
        except (InvalidTag, ValueError) as error:
            raise BadSeal(f"a cell of {place} of person {self.id} was changed, moved or cut") from error


class Vault:
    """The master keys. `key` wraps what is new, and all of them open."""

    def __init__(self, key: MasterKey, old_keys: tuple[MasterKey, ...] = ()) -> None:
        self.key_id = key.id
        self._indexing = {each.id: _derived(each, b"index") for each in (key, *old_keys)}
        self._wrapping = {each.id: _derived(each, b"wrapping") for each in (key, *old_keys)}

    @classmethod
    def of(cls, edge: PrivacyEdge | None) -> "Vault | None":
        """None: nothing is sealed."""
        return None if edge is None or edge.key is None else cls(edge.key, edge.old_keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        return tuple(self._wrapping)

    def index(self, number: str) -> str:
        """By the present master key."""
        return _index(self._indexing[self.key_id], number)

    def indexes(self, number: str) -> list[str]:
        """By all of them, the present one first."""
        return [_index(each, number) for each in self._indexing.values()]

    def new_person(self) -> Person:
        return Person(os.urandom(8).hex(), AESGCM.generate_key(256))

    def wrap(self, person: Person) -> str:
        """By the present master key."""
        nonce = os.urandom(_NONCE_BYTES)
        return _written(nonce + AESGCM(self._wrapping[self.key_id]).encrypt(nonce, person.key, _of(person.id)))

    def unwrap(self, person: str, key_id: str, wrapped: str) -> Person:
        """Raises NoMasterKey, BadSeal."""
        if key_id not in self._wrapping:
            raise NoMasterKey(
                f"the key of person {person} is wrapped by master key {key_id}, which is not here (here: {', '.join(self.key_ids)}): "
                "name its file in privacy.old_key_files"
            )
        try:
            return Person(person, _decrypted(self._wrapping[key_id], wrapped, _of(person).decode()))
        except (InvalidTag, ValueError) as error:
            raise BadSeal(
                f"the key of person {person} was changed: master key {key_id}, which it names, does not open it"
            ) from error


def _derived(master: MasterKey, use: bytes) -> bytes:
    return hmac.digest(master.secret, b"ccserver persons " + use, "sha256")


def _index(key: bytes, number: str) -> str:
    return hmac.digest(key, number.encode(), "sha256").hex()


def _of(person: str) -> bytes:
    return f"persons:{person}".encode()


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decrypted(key: bytes, written: str, place: str) -> bytes:
    """Raises InvalidTag, ValueError."""
    try:
        content = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if _written(content) != written:
        raise ValueError("not as it is written here: a bit that does not count was changed")
    return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], place.encode())
