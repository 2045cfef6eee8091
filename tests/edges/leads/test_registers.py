"""Registers of numbers that may not be called: right for every number, replaced whole or not at all, refused when damaged."""

import os
import random
import signal
import traceback
import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from lead_desk import number

from ccserver.store import register_file, registers
from ccserver.store.database import Store
from ccserver.store.register_file import START, BadRegister, RegisterFile, build
from ccserver.store.registers import BadLine, NoRegister, Registers, import_register, numbers_in

ON_POSTGRESQL = {"test_a_new_one_takes_the_place_of_the_old_one", "test_an_older_or_empty_one_does_not"}
DAY = date(2026, 5, 3)


def digits(*of: int) -> list[int]:
    return [int(number(each)[1:]) for each in of]


def put(store: Store, folder: Path, *of: int, name: str = "robinson", as_of: date = DAY, **told: bool) -> None:
    import_register(store.engine, folder, name, digits(*of), as_of=as_of, by="dora", **told)


def test_what_is_in_it_is_found_and_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(1)
    there = [chance.randrange(10**7, 10**15) for _ in range(5000)]
    build(tmp_path / "r", [*there, *there[:100]], DAY)
    opened = RegisterFile(tmp_path / "r")
    assert (len(opened), opened.as_of) == (len(set(there)), DAY)
    assert all(f"+{each}" in opened for each in there)
    known = set(there)
    others = [each + step for each in there for step in (-1, 1) if each + step not in known]
    assert not any(f"+{each}" in opened for each in [*others, 0, 1, 10**15, 10**18])
    opened.close()


@pytest.mark.parametrize(
    "count", [0, 1, register_file.STEP - 1, register_file.STEP, register_file.STEP + 1, 3 * register_file.STEP]
)
def test_the_ends_of_the_steps_are_found(tmp_path: Path, count: int) -> None:
    build(tmp_path / "r", range(10, 10 + 2 * count, 2), DAY)
    opened = RegisterFile(tmp_path / "r")
    assert [each for each in range(2 * count + 30) if f"+{each}" in opened] == list(range(10, 10 + 2 * count, 2))
    opened.close()


def test_it_is_built_of_parts_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_file, "SORTED_AT_ONCE", 1000)

    def peak(count: int) -> int:
        tracemalloc.start()
        build(tmp_path / f"{count}", (each * 7919 % 10**9 for each in range(count)), DAY)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak(4000), peak(40_000)
    # each part has a buffer of its own while they are merged, and no more than that
    assert large < small + 36 * 450_000
    opened = RegisterFile(tmp_path / "40000")
    assert len(opened) == 40_000 and list(opened._entries) == sorted(opened._entries)
    opened.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4000", "40000"], "nothing is left beside"


@pytest.mark.parametrize("at", [0, 7, 8, 16, 20, 40, START, START + 12, -1])
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, at: int) -> None:
    build(tmp_path / "r", digits(1, 2, 3), DAY)
    content = bytearray((tmp_path / "r").read_bytes())
    content[at] ^= 1
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(BadRegister, match=str(tmp_path / "r")):
        RegisterFile(tmp_path / "r")


@pytest.mark.parametrize("length", [0, 10, START, START + 8, START + 25])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    build(tmp_path / "r", digits(1, 2, 3), DAY)
    content = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes((content + b"x" * 8)[:length] if length > len(content) else content[:length])
    with pytest.raises(BadRegister, match="import it again"):
        RegisterFile(tmp_path / "r")


def test_lines_as_authorities_write_them(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(
        b'\xef\xbb\xbfNumber;Since\n+34600111222;2020\n600 111 223;2021\n\n"+34600111224",x\nnone\n0034600111225\n'
    )
    bad: list[BadLine] = []
    assert list(numbers_in(path, "ES", bad)) == [34600111222, 34600111223, 34600111224, 34600111225]
    assert [each.line for each in bad] == [6]
    path.write_text("x1\n" * 100)
    with pytest.raises(NoRegister, match="20 lines are no numbers"):
        list(numbers_in(path, "ES", bad))


def test_a_new_one_takes_the_place_of_the_old_one(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "registers"
    put(store, folder, 1, 2)
    old = Registers(store.engine, folder)
    put(store, folder, 2, 3, as_of=DAY + timedelta(days=30))
    new = Registers(store.engine, folder)
    assert [bool(new.hits(number(each))) for each in (1, 2, 3)] == [False, True, True]
    assert [bool(old.hits(number(each))) for each in (1, 2, 3)] == [True, True, False], "who has it open goes on with it"
    assert new.hits(number(2))[0].as_of == DAY + timedelta(days=30)
    assert len(list(folder.iterdir())) == 1
    old.close()
    new.close()


def test_an_older_or_empty_one_does_not(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path / "r", 1)
    with pytest.raises(NoRegister, match="--older"):
        put(store, tmp_path / "r", 2, as_of=DAY - timedelta(days=1))
    with pytest.raises(NoRegister, match="no number"):
        put(store, tmp_path / "r", as_of=DAY + timedelta(days=1))
    put(store, tmp_path / "r", 2, as_of=DAY - timedelta(days=1), may_be_older=True)
    assert len(list((tmp_path / "r").iterdir())) == 1


def test_age_is_told_and_what_is_not_there_is_too_old(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, 1)
    opened = Registers(store.engine, tmp_path)
    assert opened.too_old(["robinson"], DAY + timedelta(days=31), 31) == []
    assert opened.too_old(["robinson", "tps"], DAY + timedelta(days=32), 31) == ["robinson", "tps"]
    opened.close()


def test_one_that_lost_its_file_or_has_another_one_is_refused(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, 1)
    put(store, tmp_path, 2, name="tps")
    first, second = sorted(tmp_path.glob("*.register"))
    first.write_bytes(second.read_bytes())
    with pytest.raises(BadRegister, match="another register than robinson"):
        Registers(store.engine, tmp_path)
    first.unlink()
    with pytest.raises(BadRegister, match="robinson has lost its file"):
        Registers(store.engine, tmp_path)
    registers.remove(store.engine, tmp_path, "robinson", "dora")
    Registers(store.engine, tmp_path).close()
    with pytest.raises(NoRegister):
        registers.remove(store.engine, tmp_path, "robinson", "dora")


def test_killed_anywhere_the_old_one_or_the_new_one_is_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "registers"
    put(store, folder, 1)
    store.engine.dispose()
    seen = set()
    for at in range(1, 60):
        child = os.fork()
        if not child:
            try:
                _die_at(at, monkeypatch)
                put(Store(str(store.engine.url)), folder, 2, may_be_older=True)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        opened = Registers(store.engine, folder)
        is_new = bool(opened.hits(number(2)))
        assert is_new != bool(opened.hits(number(1))), "one of them, whole"
        seen.add(is_new)
        opened.close()
        if is_new:
            put(store, folder, 1, may_be_older=True)
        store.engine.dispose()
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0 and seen == {True, False}
            return
    raise AssertionError("an import has more steps than that")


def _die_at(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at the step `at` of those that touch the disk."""
    steps: Iterator[int] = iter(range(1, 1000))

    def dying(name: str, holder: object) -> None:
        real = getattr(holder, name)

        def step(*given: object, **told: object) -> object:
            if next(steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **told)

        monkeypatch.setattr(holder, name, step)

    for name in ("fsync", "open"):
        dying(name, os)
    for name in ("rename", "unlink", "chmod"):
        dying(name, Path)
    dying("_write", register_file)
    dying("_commit", registers)
    dying("_clear", registers)
