"""What the demo, `make run` and the tests need of the machine: `python -m ccserver.lab.provide` installs it all.

Run it before the network is given up for a private one.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccserver.lab import asterisk_root
from ccserver.lab.asterisk_root import Report, to_stderr

# A program, and the Debian package that has it.
PROGRAMS = {"espeak-ng": "espeak-ng"}
# Of these an installation may do without one; the tests try them all.
OF_THE_TESTS = {"flac": "flac", "opusenc": "opus-tools", "dot": "graphviz", "pg_lsclusters": "postgresql"}


class ProgramMissing(Exception):
    """A program is not installed and apt-get could not install it.  The text ends with apt-get's last lines."""


def provide(report: Report = to_stderr, programs: Mapping[str, str] = PROGRAMS) -> Path:
    """Install what is missing; the root directory that holds Asterisk 22.  Raises ProgramMissing, NoAsterisk."""
    packages = [package for program, package in programs.items() if shutil.which(program) is None]
    if packages:
        _install(packages, report)
    return asterisk_root.provide(report)


def _install(packages: Sequence[str], report: Report) -> None:
    names = " ".join(packages)
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    report(f"installing of Debian (once): {names}")
    # The lists of a fresh machine are empty, those of an old one may name packages that are gone.
    for command in (["apt-get", "update"], install):
        began_s = time.monotonic()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as job:
            while True:
                try:
                    said, _ = job.communicate(timeout=5)
                    break
                except subprocess.TimeoutExpired:
                    report(f"{' '.join(command[:2])}: {time.monotonic() - began_s:.0f} s so far")
        if job.returncode != 0:
            last = "\n".join(said.splitlines()[-8:])
            raise ProgramMissing(f"{' '.join(command)} ended with {job.returncode}; install by hand: {names}\n{last}")


if __name__ == "__main__":
    try:
        provide(programs=PROGRAMS | OF_THE_TESTS)
    except (ProgramMissing, asterisk_root.NoAsterisk) as missing:
        sys.exit(str(missing))
