"""Sealed files: what opens them, and how every change of them is found and named."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccserver.archive import files, sealing
from ccserver.archive.sealing import HEADER_BYTES, Damaged, WrongKey
from ccserver.config.key_files import NoKey, key_of, new_key, read_key

CHUNK = 100
OLD, NEW, OTHER = (key_of(letter * 32) for letter in (b"o", b"n", b"x"))
KEYS = {OLD.id: OLD.secret, NEW.id: NEW.secret}


def seal(path: Path, content: bytes) -> Path:
    files.write(path, sealing.sealed([content[:7], content[7:]], OLD.id, OLD.secret, chunk=CHUNK))
    return path


def opened(path: Path, keys: dict[str, bytes] = KEYS) -> bytes:
    sealing.verify_head(path, keys)
    return b"".join(sealing.unsealed(path, keys))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1017])
def test_what_was_sealed_opens(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = seal(tmp_path / "x.enc", content)
    assert opened(path) == content
    assert size < 8 or content not in path.read_bytes()


def test_two_files_of_the_same_content_have_nothing_in_common(tmp_path: Path) -> None:
    one, two = (seal(tmp_path / name, bytes(1000)).read_bytes()[HEADER_BYTES:] for name in ("1", "2"))
    assert one[:CHUNK] != two[:CHUNK] and one[:CHUNK] != one[CHUNK + 16 : 2 * CHUNK + 16]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_found_and_the_file_named(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = seal(tmp_path_factory.mktemp("sealed") / "7.opus.enc", bytes(range(250)))
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"7\.opus\.enc is (damaged|cut off)"):
        opened(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_cut_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = seal(tmp_path_factory.mktemp("sealed") / "7.enc", bytes(3 * CHUNK))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(Damaged, match=r"7\.enc is"):
        opened(path)


def test_a_cut_between_two_chunks_is_told_as_one(tmp_path: Path) -> None:
    path = seal(tmp_path / "7.enc", bytes(3 * CHUNK))
    path.write_bytes(path.read_bytes()[: HEADER_BYTES + 2 * (CHUNK + 16)])
    with pytest.raises(Damaged, match="cut off at byte"):
        opened(path)


def test_chunks_in_another_order_twice_or_of_another_file_do_not_open(tmp_path: Path) -> None:
    path, other = seal(tmp_path / "7.enc", bytes(4 * CHUNK)), seal(tmp_path / "8.enc", bytes(4 * CHUNK))
    size = CHUNK + 16

    def chunks(of: Path) -> tuple[bytes, list[bytes]]:
        content = of.read_bytes()
        body = content[HEADER_BYTES:]
        return content[:HEADER_BYTES], [body[at : at + size] for at in range(0, len(body), size)]

    head, mine = chunks(path)
    _, theirs = chunks(other)
    orders = [list(order) for order in itertools.permutations(mine) if list(order) != mine]
    for body in [*orders, [mine[0], *mine], [*mine, mine[-1]], mine[1:], [theirs[0], *mine[1:]], theirs]:
        path.write_bytes(head + b"".join(body))
        with pytest.raises(Damaged):
            opened(path)


def test_the_wrong_key_is_named_and_so_is_the_right_one(tmp_path: Path) -> None:
    path = seal(tmp_path / "7.enc", b"content")
    with pytest.raises(WrongKey, match=rf"7\.enc is sealed with key {OLD.id}.*here: {OTHER.id}.*old_key_files"):
        opened(path, {OTHER.id: OTHER.secret})
    with pytest.raises(WrongKey, match="here: none"):
        opened(path, {})


def test_another_master_key_opens_it_without_a_byte_of_the_body_changed(tmp_path: Path) -> None:
    path = seal(tmp_path / "7.enc", b"content" * 100)
    body = path.read_bytes()[HEADER_BYTES:]
    assert sealing.rewrap(path, KEYS, NEW.id)
    assert path.read_bytes()[HEADER_BYTES:] == body
    assert sealing.key_ids(path) == (NEW.id,)
    assert opened(path, {NEW.id: NEW.secret}) == b"content" * 100
    with pytest.raises(WrongKey, match=NEW.id):
        opened(path, {OLD.id: OLD.secret})
    assert not sealing.rewrap(path, KEYS, NEW.id), "nothing was left to do"
    assert sealing.rewrap(path, KEYS, OLD.id) and opened(path) == b"content" * 100


@pytest.mark.parametrize("torn_at", [None, 0, 10, 40, 79])
def test_the_power_may_go_while_the_key_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn_at: int | None
) -> None:
    """At any byte of the first or the second of the two writes: it opens afterwards, and done again all is well."""
    for fatal in (1, 2):
        path = seal(tmp_path / f"{fatal}.enc", b"content")
        count = 0
        put = sealing._put

        def dying(file: object, slot: int, content: bytes, fatal: int = fatal, put: object = put) -> None:
            nonlocal count
            count += 1
            if count == fatal:
                if torn_at is not None:
                    put(file, slot, content[:torn_at])  # type: ignore[operator]
                raise KeyboardInterrupt
            put(file, slot, content)  # type: ignore[operator]

        monkeypatch.setattr(sealing, "_put", dying)
        with pytest.raises(KeyboardInterrupt):
            sealing.rewrap(path, KEYS, NEW.id)
        monkeypatch.setattr(sealing, "_put", put)
        assert b"".join(sealing.unsealed(path, KEYS)) == b"content"
        sealing.rewrap(path, KEYS, NEW.id)
        assert opened(path, {NEW.id: NEW.secret}) == b"content"


def test_key_files(tmp_path: Path) -> None:
    made = new_key(tmp_path / "key")
    assert read_key(tmp_path / "key") == made
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert made.secret.hex() not in repr(made)
    with pytest.raises(NoKey, match="not written over"):
        new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(NoKey, match="chmod 600"):
        read_key(tmp_path / "key")
    with pytest.raises(NoKey, match="ccserver recording new-key"):
        read_key(tmp_path / "none")
    for content in (b"", b"c2hvcnQ=", b"***", b"A" * 1000):
        (tmp_path / "bad").write_bytes(content)
        (tmp_path / "bad").chmod(0o600)
        with pytest.raises(NoKey, match="not 32 bytes in base64"):
            read_key(tmp_path / "bad")
