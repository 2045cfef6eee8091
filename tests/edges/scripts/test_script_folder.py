"""What may be loaded from the administrator's folder, and when it is loaded anew."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from ccserver.config.script_files import ScriptKind, Unsafe, functions_in
from ccserver.scripts.folder import NoSuchScript, ScriptFolder


class Folder:
    """A folder and what is loaded from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        path.chmod(0o755)
        self.loaded = ScriptFolder(lambda: path)

    def write(self, text: str, name: str = "orders") -> Path:
        file = self.path / f"{name}.py"
        file.write_text(dedent(text))
        file.chmod(0o644)
        return file

    def function(self, name: str = "orders.score") -> Callable[..., object]:
        return self.loaded.function(name, ScriptKind.PURE)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "scripts")
    yield made
    made.loaded.close()


def touch(file: Path) -> None:
    """A later time, whatever the clock's steps are."""
    later = file.stat().st_mtime_ns + 1_000_000_000
    os.utime(file, ns=(later, later))


def test_a_function_is_loaded_once_and_anew_when_its_file_changed(folder: Folder) -> None:
    file = folder.write("print('run')\ndef score(call): return 1")
    first = folder.function()
    assert folder.function() is first
    folder.write("def score(call): return 2")
    touch(file)
    assert folder.function()(None) == 2


def test_of_the_same_second_and_size_too(folder: Folder) -> None:
    file = folder.write("def score(call): return 1")
    assert folder.function()(None) == 1
    stamp = file.stat().st_mtime_ns
    folder.write("def score(call): return 2")
    os.utime(file, ns=(stamp + 1000, stamp + 1000))
    assert folder.function()(None) == 2
    assert not (folder.path / "__pycache__").exists()


def test_modules_import_one_another_and_change_together(folder: Folder) -> None:
    rates = folder.write("RATE = 2", "rates")
    folder.write("from rates import RATE\ndef score(call): return RATE")
    assert folder.function()(None) == 2
    folder.write("RATE = 3", "rates")
    touch(rates)
    assert folder.function()(None) == 3


def test_dataclasses_of_a_module_work(folder: Folder) -> None:
    folder.write("""
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass
        class Rate:
            of: list[int]
        def score(call):
            return Rate([1])
        """)
    assert repr(folder.function()(None)) == "Rate(of=[1])"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_not_run(folder: Folder, mode: int) -> None:
    folder.write("raise SystemExit('it was run')\ndef score(call): pass").chmod(mode)
    with pytest.raises(NoSuchScript, match=r"may write it, and it runs with the rights of ccserver \(chmod go-w"):
        folder.function()


def test_a_folder_that_others_may_write_is_not_read(folder: Folder) -> None:
    folder.write("def score(call): pass")
    folder.path.chmod(0o777)
    with pytest.raises(NoSuchScript, match="everybody may write it"):
        folder.function()
    with pytest.raises(Unsafe):
        functions_in(folder.path)


def test_a_file_that_becomes_writable_is_refused_though_it_was_loaded(folder: Folder) -> None:
    file = folder.write("def score(call): pass")
    folder.function()
    file.chmod(0o666)
    with pytest.raises(NoSuchScript, match="everybody may write it"):
        folder.function()


def test_a_link_out_of_the_folder_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("def score(call): pass")
    (folder.path / "orders.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(NoSuchScript, match="leads out of the folder"):
        folder.function()


@pytest.mark.parametrize(
    "name",
    ["os.system", "orders", "orders.score.x", "../orders.score", "orders/x.score", "orders._score", "", "orders.__import__"],
)
def test_nothing_outside_can_be_named(folder: Folder, name: str) -> None:
    folder.write("import os\ndef score(call): pass\ndef _score(call): pass")
    with pytest.raises(NoSuchScript):
        folder.function(name)


def test_a_name_of_pythons_or_of_an_installed_module_is_refused(folder: Folder) -> None:
    folder.write("def score(call): pass", "random")
    with pytest.raises(NoSuchScript, match="a module of Python"):
        folder.function("random.score")
    folder.write("def score(call): pass", "yaml")
    with pytest.raises(NoSuchScript, match="an installed module has the name yaml"):
        folder.function("yaml.score")
    assert "scripts" not in str(importlib.import_module("yaml").__file__)


def test_what_was_loaded_leaves_nothing_behind(folder: Folder) -> None:
    folder.write("def score(call): pass", "orders_of_this_test")
    folder.function("orders_of_this_test.score")
    assert "orders_of_this_test" in sys.modules
    folder.loaded.close()
    assert "orders_of_this_test" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("orders_of_this_test")


def test_functions_are_listed_without_running_them(folder: Folder) -> None:
    folder.write('''
        raise RuntimeError("this file was run")
        from os import path
        def check(agi, call):
            """Asks for the order.

            More of it.
            """
        def score(call): pass
        def either(one, two=None): pass
        def many(*all): pass
        def none(): pass
        def three(a, b, c): pass
        def named(agi, call, *, key): pass
        async def later(agi, call): pass
        def _own(call): pass
        class Thing: pass
        ''')
    folder.write("def test_it(): pass", "test_orders")
    folder.write("def x(", "broken")
    found = functions_in(folder.path)
    assert {name: function.kind for name, function in found.functions.items()} == {
        "orders.check": ScriptKind.WITH_CALL,
        "orders.score": ScriptKind.PURE,
        "orders.either": ScriptKind.PURE,
        "orders.many": ScriptKind.WITH_CALL,
    }
    assert (found.functions["orders.check"].about, found.functions["orders.check"].line) == ("Asks for the order.", 4)
    assert set(found.others) == {"orders.none", "orders.three", "orders.named", "orders.later"}
    assert list(found.faults) == ["broken"] and "broken.py:1:" in found.faults["broken"]
