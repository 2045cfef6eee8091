"""The administrator's functions, loaded from their folder by name, and loaded anew when a file there changed.

The folder's modules can import one another. Their names are looked up in the folder first, and only names that Python does not use
itself are taken, so nobody else's import is led here.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType

from ccserver.config.schema import hinted, nearest
from ccserver.config.script_files import (
    ARGUMENTS,
    MODULE,
    NAME,
    ScriptKind,
    ScriptsFound,
    Unsafe,
    folder_fault,
    functions_in,
    is_taken,
    kinds_named,
    read_source,
    script_files,
)

Stamp = tuple[tuple[str, int, int, int], ...]
_TRIES = 3


class NoSuchScript(Exception):
    """There is no such function, or none that may be run. The text says why, and how to mend it."""


class ScriptFolder:
    """`directory` is asked each time, so that a reload of the settings is seen; None: the site has no scripts. To be used from any
    thread: what is loaded is run by the thread that asks first."""

    def __init__(self, directory: Callable[[], Path | None]) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._found = ScriptsFound(functions={}, faults={}, others={})
        self._finder: _Finder | None = None

    def function(self, name: str, kind: ScriptKind) -> Callable[..., object]:
        """The function, after running its module if that is new or has changed. Raises NoSuchScript, and whatever the module raises."""
        matched = NAME.fullmatch(name)
        if matched is None:
            raise NoSuchScript(f"{name!r} is no name of a function here: write module.function")
        module, own = matched.groups()
        for _ in range(_TRIES):
            stamp, found = self._look()
            _fits(name, kind, found)
            try:
                loaded = importlib.import_module(module)
            except KeyError:
                # Another thread took the module away while it was being loaded, because a file had changed. Else it is the module's own.
                if stamp == self._stamp:
                    raise
                continue
            if not isinstance(loaded.__loader__, _Loader):
                raise NoSuchScript(f"{name}: an installed module has the name {module}; choose another")
            function: Callable[..., object] | None = getattr(loaded, own, None)
            if not callable(function):
                raise NoSuchScript(f"{name}: when its module has run, it is no function any more")
            return function
        raise NoSuchScript(f"{name}: its file keeps changing while it is loaded")

    def close(self) -> None:
        """Forgets what was loaded."""
        with self._lock:
            self._forget()

    def _look(self) -> tuple[Stamp, ScriptsFound]:
        """What is in the folder now. When any file has changed all modules are forgotten: one may have imported another."""
        directory = self._directory()
        if directory is None:
            raise NoSuchScript("there are no scripts here: set scripts_dir")
        try:
            folder_fault(directory)
            stamp = tuple(_stamp(file) for file in script_files(directory))
            with self._lock:
                if stamp != self._stamp or self._finder not in sys.meta_path:
                    self._forget()
                    self._found = functions_in(directory)
                    self._finder = _Finder(directory)
                    sys.meta_path.insert(0, self._finder)
                    self._stamp = stamp
                return stamp, self._found
        except Unsafe as fault:
            raise NoSuchScript(str(fault)) from None
        except OSError as fault:
            raise NoSuchScript(f"{directory}: {fault.strerror}") from None

    def _forget(self) -> None:
        for name, module in list(sys.modules.items()):
            if isinstance(getattr(module, "__loader__", None), _Loader):
                sys.modules.pop(name, None)
        for finder in [each for each in sys.meta_path if isinstance(each, _Finder)]:
            sys.meta_path.remove(finder)
        self._stamp, self._finder = None, None


def _fits(name: str, kind: ScriptKind, found: ScriptsFound) -> None:
    fault = found.faults.get(name.partition(".")[0])
    if fault is not None:
        raise NoSuchScript(fault)
    function = found.functions.get(name)
    if function is None:
        near = nearest(name, kinds_named(found, kind))
        hint = f"did you mean {near}?" if near else "ccserver script list shows what there is"
        raise NoSuchScript(f"{name}: {found.others.get(name) or hinted('there is no such function', hint)}")
    if function.kind is not kind:
        raise NoSuchScript(f"{name}: it takes {ARGUMENTS[function.kind]}, and {ARGUMENTS[kind]} is needed here")


def _stamp(file: Path) -> tuple[str, int, int, int]:
    status = file.stat()
    return str(file), status.st_mtime_ns, status.st_size, status.st_mode


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self._directory / f"{fullname}.py"
        if path is not None or not MODULE.fullmatch(fullname) or is_taken(fullname) or not file.is_file():
            return None
        installed = importlib.machinery.PathFinder.find_spec(fullname)
        if installed is not None and Path(installed.origin or "/").parent.resolve() != self._directory.resolve():
            return None  # an installed module of this name is what everybody else means
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, str(file)))


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the text that was checked. No bytecode of earlier days is run, and none is left in the folder."""

    def get_code(self, fullname: str) -> CodeType:
        source = read_source(Path(self.path))
        return compile(source, self.path, "exec", dont_inherit=True)
