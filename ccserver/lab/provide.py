"""What the demo, `make run` and the tests need of the machine: `python -m ccserver.lab.provide` installs what is missing.

Run it before the network is given up for a private one.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from ccserver.lab import asterisk_root
from ccserver.lab.asterisk_root import Report, to_stderr

# Programs whose Debian package has the same name.
PROGRAMS = ("espeak-ng",)


class ProgramMissing(Exception):
    """A program is not installed and apt-get could not install it.  The text ends with apt-get's last lines."""


def provide(report: Report = to_stderr) -> Path:
    """Install what is missing; the root directory that holds Asterisk 22.  Raises ProgramMissing, NoAsterisk."""
    for program in PROGRAMS:
        _require(program, report)
    return asterisk_root.provide(report)


def _require(program: str, report: Report) -> None:
    if shutil.which(program) is not None:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", program]
    report(f"{program}: installing the Debian package (once)")
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
                    report(f"{program}: {' '.join(command[:2])}: {time.monotonic() - began_s:.0f} s so far")
        if job.returncode != 0:
            last = "\n".join(said.splitlines()[-8:])
            raise ProgramMissing(f"{' '.join(command)} ended with {job.returncode}; install {program} by hand\n{last}")


if __name__ == "__main__":
    try:
        provide()
    except (ProgramMissing, asterisk_root.NoAsterisk) as missing:
        sys.exit(str(missing))
