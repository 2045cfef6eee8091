"""One daemon per state directory."""

import fcntl
import os
from pathlib import Path


class StateDirectoryInUse(Exception):
    """Another ccserver works in this state directory: stop it first (`systemctl stop ccserver`), or give this one a
    `state_dir` of its own."""


class StateDirectory:
    """The directory of journal, snapshots and incarnation, held by an advisory lock that ends with the process."""

    def __init__(self, path: Path) -> None:
        """Creates the directory (mode 0700) and takes its lock; StateDirectoryInUse when someone else has it."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StateDirectoryInUse(f"{path}: another ccserver is working in this state directory") from None

    def release(self) -> None:
        os.close(self._descriptor)
