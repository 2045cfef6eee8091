"""A file at rest: a key of its own, AES-256-GCM in chunks, and that key wrapped by a master key.

    magic 8 | chunk size 4 | file id 16 | slot 80 | slot 80 | chunk | chunk | ... | last chunk
    a slot: key id 16 (as text; zeros: empty) | nonce 12 | the file's key, wrapped 48 | zeros 4
    a chunk: ciphertext, tag 16; its nonce is (is it the last 1, zeros 3, number 8): one that is missing, doubled, moved or cut off
    at the end does not open. The file id goes into each, so that a chunk of another file does not open either.

There are two slots so that the master key can be changed in place at any time: the new one is written and synced first, and then
the old one is emptied. Whoever reads in between, or after the power went, finds at least one of them whole.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"CCSEAL\x00\x01"
CHUNK = 64 * 1024
_FIXED = struct.Struct(">8sI16s")
_SLOT = struct.Struct(">16s12s48s4x")
_NONCE = struct.Struct(">B3xQ")
HEADER_BYTES = _FIXED.size + 2 * _SLOT.size
_TAG = 16
_EMPTY = bytes(_SLOT.size)


class Damaged(Exception):
    """The file is not what was sealed. The text says where."""


class WrongKey(Exception):
    """None of the keys opens the file. The text names the key that does, by its id."""


@dataclass(frozen=True, slots=True)
class _Head:
    fixed: bytes
    chunk: int
    file_id: bytes
    slots: tuple[bytes, bytes]


def sealed(content: Iterable[bytes], key_id: str, secret: bytes, *, chunk: int = CHUNK) -> Iterator[bytes]:
    """The blocks of the sealed file. `key_id` and `secret` (32 bytes) are those of the master key."""
    file_key, file_id = AESGCM.generate_key(256), os.urandom(16)
    fixed = _FIXED.pack(MAGIC, chunk, file_id)
    yield fixed + _wrapped(fixed, file_key, key_id, secret) + _EMPTY
    cipher, number, pending = AESGCM(file_key), 0, bytearray()
    for block in content:
        pending += block
        while len(pending) > chunk:  # never the last one: which that is, is known at the end
            yield cipher.encrypt(_NONCE.pack(0, number), bytes(pending[:chunk]), file_id)
            del pending[:chunk]
            number += 1
    yield cipher.encrypt(_NONCE.pack(1, number), bytes(pending), file_id)


def unsealed(path: Path, keys: Mapping[str, bytes]) -> Iterator[bytes]:
    """The content; `keys` are master keys by id. Raises Damaged (as far as it is then read, the content was true), WrongKey, OSError."""
    with path.open("rb") as file:
        head = _head(file, path)
        file_key = _file_key(head, keys, path)
        cipher, number = AESGCM(file_key), 0
        size = head.chunk + _TAG
        block = file.read(size)
        while True:
            following = file.read(size)
            is_last = not following
            try:
                yield cipher.decrypt(_NONCE.pack(is_last, number), block, head.file_id)
            except InvalidTag:
                raise _fault(path, head, number, block, is_last, cipher) from None
            if is_last:
                return
            block, number = following, number + 1


def _fault(path: Path, head: _Head, number: int, block: bytes, is_last: bool, cipher: AESGCM) -> Damaged:  # noqa: PLR0917
    """What is wrong with a chunk that does not open."""
    at = HEADER_BYTES + number * (head.chunk + _TAG)
    if is_last and (not block or _is_whole(cipher, number, block, head)):
        return Damaged(f"{path.name} is cut off at byte {at + len(block)}: its end is missing")
    or_cut = " or cut off there" if is_last else ""
    return Damaged(f"{path.name} is damaged between byte {at} and {at + len(block)} (chunk {number}){or_cut}")


def _is_whole(cipher: AESGCM, number: int, block: bytes, head: _Head) -> bool:
    try:
        cipher.decrypt(_NONCE.pack(0, number), block, head.file_id)
    except InvalidTag:
        return False
    return True


def key_ids(path: Path) -> tuple[str, ...]:
    """Of the master keys that open the file, as it says. Raises Damaged, OSError."""
    with path.open("rb") as file:
        return tuple(_slot_id(slot, path) for slot in _head(file, path).slots if slot != _EMPTY)


def rewrap(path: Path, keys: Mapping[str, bytes], key_id: str) -> bool:
    """Have the master key `key_id` of `keys` alone open the file; its content is not touched. False: it was so already.

    Raises Damaged, WrongKey, OSError.
    """
    with path.open("r+b") as file:
        head = _head(file, path)
        file_key = _file_key(head, keys, path)
        good = [index for index, slot in enumerate(head.slots) if _opens(head, slot, {key_id: keys[key_id]}, path)]
        if good and head.slots[1 - good[0]] == _EMPTY:
            return False
        if not good:
            old = next(index for index, slot in enumerate(head.slots) if _opens(head, slot, keys, path))
            good = [1 - old]
            _put(file, good[0], _wrapped(head.fixed, file_key, key_id, keys[key_id]))
        _put(file, 1 - good[0], _EMPTY)
    return True


def _opens(head: _Head, slot: bytes, keys: Mapping[str, bytes], path: Path) -> bool:
    try:
        return slot != _EMPTY and bool(_opened(head, slot, keys, path))
    except (Damaged, WrongKey):
        return False


def _put(file: BinaryIO, slot: int, content: bytes) -> None:
    file.seek(_FIXED.size + slot * _SLOT.size)
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _wrapped(fixed: bytes, file_key: bytes, key_id: str, secret: bytes) -> bytes:
    name, nonce = key_id.encode("ascii"), os.urandom(12)
    return _SLOT.pack(name, nonce, AESGCM(secret).encrypt(nonce, file_key, fixed))


def _head(file: BinaryIO, path: Path) -> _Head:
    content = file.read(HEADER_BYTES)
    if len(content) < HEADER_BYTES:
        raise Damaged(f"{path.name} is cut off at byte {len(content)}: not even its head is whole")
    fixed, slots = content[: _FIXED.size], content[_FIXED.size :]
    magic, chunk, file_id = _FIXED.unpack(fixed)
    if magic != MAGIC or not 0 < chunk <= 16 * CHUNK:
        raise Damaged(f"{path.name} is damaged in its head: it does not begin as a sealed file")
    return _Head(fixed, chunk, file_id, (slots[: _SLOT.size], slots[_SLOT.size :]))


def _slot_id(slot: bytes, path: Path) -> str:
    name = bytes(_SLOT.unpack(slot)[0])
    text = name.decode("ascii", "replace")
    if len(text) != 16 or set(text) - set("0123456789abcdef") or slot[-4:] != bytes(4):
        raise Damaged(f"{path.name} is damaged in its head: a name of a key is none")
    return text


def _file_key(head: _Head, keys: Mapping[str, bytes], path: Path) -> bytes:
    """Out of the slot that opens, whatever the other one holds: it may have been written when the power went."""
    faults: list[Damaged | WrongKey] = []
    for slot in head.slots:
        if slot != _EMPTY:
            try:
                return _opened(head, slot, keys, path)
            except (Damaged, WrongKey) as fault:
                faults.append(fault)
    raise faults[0] if faults else Damaged(f"{path.name} is damaged in its head: it names no key")


def _opened(head: _Head, slot: bytes, keys: Mapping[str, bytes], path: Path) -> bytes:
    key_id = _slot_id(slot, path)
    _, nonce, wrapped = _SLOT.unpack(slot)
    for each in [key_id] if key_id in keys else keys:
        try:
            file_key = AESGCM(keys[each]).decrypt(nonce, wrapped, head.fixed)
        except InvalidTag:
            continue
        if each == key_id:
            return file_key
        raise Damaged(f"{path.name} is damaged in its head: it names key {key_id}, and key {each} opens it")
    if key_id in keys:
        raise Damaged(f"{path.name} is damaged in its head: key {key_id}, which it names, does not open it")
    have = ", ".join(keys) or "none"
    raise WrongKey(f"{path.name} is sealed with key {key_id}, which is not here (here: {have}): name its file in old_key_files")


def verify_head(path: Path, keys: Mapping[str, bytes]) -> None:
    """That nothing in the head is damaged, also in a slot that is not needed to open it. Raises Damaged, WrongKey, OSError."""
    with path.open("rb") as file:
        head = _head(file, path)
    _file_key(head, keys, path)
    for slot in head.slots:
        if slot != _EMPTY:
            _opened(head, slot, keys, path)
