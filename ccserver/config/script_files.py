"""What is in the administrator's folder of Python functions, read without running any of it.

A check of the settings must run no code, so the files are parsed and never imported here. The daemon runs what it finds in the folder with
its own rights: a file that others may write is not read at all.
"""

import ast
import os
import re
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
NAME = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,39})\.([A-Za-z][A-Za-z0-9_]{0,39})")
"""`module.function`."""
MAX_FILES = 200
MAX_BYTES = 512 * 1024

# Names under which Python itself, or we, would import something else.
_TAKEN = frozenset(sys.stdlib_module_names) | {"asterisk", "ccserver", "conftest", "six"}


class ScriptKind(Enum):
    """What a function takes, which is what it can be used for."""

    WITH_CALL = "with_call"  # (agi, call): a `script:` node
    PURE = "pure"  # (call): a look-up


ARGUMENTS = {ScriptKind.WITH_CALL: "(agi, call)", ScriptKind.PURE: "(call)"}


class Unsafe(Exception):
    """A file or folder that is not ours alone to write, or not there. The text says which, and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFunction:
    """A function that flows can name. `file` and `line` are where it is written; `about` is the first line of its docstring."""

    name: str
    kind: ScriptKind
    about: str
    file: Path
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptsFound:
    """`faults` are sentences, by the file's module: what is in such a file is not known. `others` are functions that flows cannot use, by
    name, with the reason."""

    functions: Mapping[str, ScriptFunction]
    faults: Mapping[str, str]
    others: Mapping[str, str]


def functions_in(folder: Path) -> ScriptsFound:
    """Everything in the folder, by name. Raises Unsafe for a folder that is not there or that others may write."""
    folder_fault(folder)
    functions: dict[str, ScriptFunction] = {}
    faults: dict[str, str] = {}
    others: dict[str, str] = {}
    for file in script_files(folder):
        try:
            if file.stem in _TAKEN:
                raise Unsafe(f"{file}: its name is that of a module of Python's or ours; choose another")
            tree = ast.parse(read_source(file), str(file))
        except Unsafe as fault:
            faults[file.stem] = str(fault)
        except SyntaxError as fault:
            faults[file.stem] = f"{file}:{fault.lineno or 1}: {fault.msg}"
        except ValueError as fault:  # a zero byte
            faults[file.stem] = f"{file}:1: {fault}"
        else:
            for node in _public_functions(tree):
                name = f"{file.stem}.{node.name}"
                functions.pop(name, None)
                others.pop(name, None)
                kind = _kind(node)
                if isinstance(kind, str):
                    others[name] = kind
                    continue
                about = (ast.get_docstring(node) or "").partition("\n")[0]
                functions[name] = ScriptFunction(name=name, kind=kind, about=about, file=file, line=node.lineno)
    return ScriptsFound(functions=functions, faults=faults, others=others)


def script_files(folder: Path) -> list[Path]:
    """The files that functions can be in, by name: tests and what cannot be named by a flow are left out."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".py"))
    modules = [name for name in names if MODULE.fullmatch(name[:-3]) and not name.startswith("test_") and name != "conftest.py"]
    return [folder / name for name in modules[:MAX_FILES]]


def folder_fault(folder: Path) -> None:
    """Raises Unsafe, unless the folder is there and nobody but its owner can write it."""
    try:
        status = folder.stat()
    except OSError as fault:
        raise Unsafe(f"{folder}: {fault.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise Unsafe(f"{folder}: it is no folder")
    _only_the_owner_writes(folder, status.st_mode)


def read_source(file: Path) -> bytes:
    """The text of a file of the folder. Raises Unsafe for one that others may write, that leads out of it, or that cannot be read."""
    try:
        if file.resolve(strict=True).parent != file.parent.resolve(strict=True):
            raise Unsafe(f"{file}: it leads out of the folder; copy the file instead")
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unsafe(f"{file}: it is no file")
            _only_the_owner_writes(file, status.st_mode)
            source = opened.read(MAX_BYTES + 1)
    except OSError as fault:
        raise Unsafe(f"{file}: {fault.strerror}") from None
    if len(source) > MAX_BYTES:
        raise Unsafe(f"{file}: it is larger than {MAX_BYTES} bytes")
    return source


def is_taken(module: str) -> bool:
    """Whether Python would import something else under this name."""
    return module in _TAKEN


def _only_the_owner_writes(path: Path, mode: int) -> None:
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "everybody" if mode & stat.S_IWOTH else "its group"
        raise Unsafe(f"{path}: {who} may write it, and it runs with the rights of ccserver (chmod go-w {path})")


def _public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def _kind(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ScriptKind | str:
    """What the function is, or why it is nothing that a flow can use."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "it is async: write def, it has a thread of its own"
    if any(default is None for default in node.args.kw_defaults):
        return "it has an argument that only a keyword can give"
    if not NAME.fullmatch(f"m.{node.name}"):
        return "its name has other characters than a-z, A-Z, 0-9 and _"
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    least = len(names) - len(node.args.defaults)
    most = 99 if node.args.vararg else len(names)
    if least <= 2 <= most and least != 1:
        return ScriptKind.WITH_CALL
    if least <= 1 <= most:
        return ScriptKind.PURE
    return f"it takes {least} arguments, and a function of flows takes (agi, call) or (call)"


def kinds_named(found: ScriptsFound, kind: ScriptKind) -> Collection[str]:
    """The names of the functions of a kind."""
    return [name for name, function in found.functions.items() if function.kind is kind]
