"""Where the Asterisk binary comes from.

Debian 12 packages no Asterisk.  `provide()` therefore returns the file system that holds one: `/` when Asterisk 22 is
installed on this machine, else a root file system made from Debian's unstable suite and kept in a cache.  That root
is never written to afterwards: `ccserver.lab.namespace` assembles each instance's view of it from bind mounts.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WANTED_MAJOR = 22
DEFAULT_CACHE = Path("/var/cache/ccserver")
PACKAGES = ("asterisk", "asterisk-core-sounds-en-wav", "asterisk-core-sounds-es-wav", "asterisk-moh-opsound-wav")
# Bump when PACKAGES changes, so that an older cached root is not taken for a complete one.
RECIPE = 1

Report = Callable[[str], None]


class NoAsterisk(Exception):
    """No Asterisk 22 could be provided.  The text says which step failed and what to do about it."""


def to_stderr(line: str) -> None:
    """The default reporter of progress: one line on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def cache_directory() -> Path:
    """`$CCSERVER_CACHE`, else `/var/cache/ccserver`."""
    return Path(os.environ.get("CCSERVER_CACHE") or DEFAULT_CACHE)


def version_of(root: Path) -> tuple[int, str] | None:
    """(major, whole version text) of the Asterisk inside `root`, or None when there is none that runs."""
    binary = root / "usr/sbin/asterisk"
    if not binary.exists():
        return None
    command = ["/usr/sbin/asterisk", "-V"] if root == Path("/") else ["chroot", str(root), "/usr/sbin/asterisk", "-V"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"Asterisk (?:certified/)?(\d+)\.\S*", answer.stdout)
    return (int(found.group(1)), found.group(0)) if found else None


def provide(report: Report = to_stderr) -> Path:
    """The root directory of a file system with Asterisk 22 in it.  Builds it if needed (about a minute, as root).

    Two processes that ask at the same time build once: the second waits on a lock file.  Raises NoAsterisk.
    """
    installed = version_of(Path("/"))
    if installed is not None and installed[0] == WANTED_MAJOR:
        return Path("/")
    cache = cache_directory()
    root = cache / f"asterisk-{WANTED_MAJOR}-root-{RECIPE}"
    if root.is_dir():
        return root
    if os.geteuid() != 0:
        raise NoAsterisk("no Asterisk 22 is installed, and making a private one needs root: run this as root once")
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / "asterisk-root.lock", report):
        if not root.is_dir():
            _build(root, report)
    return root


@contextlib.contextmanager
def _lock(path: Path, report: Report) -> Iterator[None]:
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("asterisk: waiting for another process that is making the Asterisk root")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _build(root: Path, report: Report) -> None:
    """Make the root beside its final place and rename it, so that a half-made one is never taken for whole."""
    if shutil.which("mmdebstrap") is None:
        report("asterisk: installing mmdebstrap")
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "mmdebstrap"]):
            _run(command, "installing mmdebstrap", report)
    for stale in root.parent.glob(f"{root.name}.tmp-*"):  # left by a build that was killed; the lock is ours
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{root.name}.tmp-", dir=root.parent))
    report("asterisk: making a private root with Asterisk 22 from Debian unstable (about a minute, 500 MB, once)")
    command = [
        "mmdebstrap",
        "--variant=apt",
        # A mirror's unstable index is often past its validity date.  Acceptable for a root that only tests use.
        "--aptopt=Acquire::Check-Valid-Until false",
        f"--include={','.join(PACKAGES)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "sid",
        str(work),
        *_mirror(),
    ]
    try:
        _run(command, "making the Asterisk root", report)
        found = version_of(work)
        if found is None:
            raise NoAsterisk("the root was made but its Asterisk does not run; try again with an empty cache")
        if found[0] < WANTED_MAJOR:
            raise NoAsterisk(f"Debian unstable gave {found[1]}, {WANTED_MAJOR} or newer is needed")
        if found[0] != WANTED_MAJOR:
            report(f"asterisk: Debian unstable now has {found[1]}; ccserver is tried on {WANTED_MAJOR}")
        _name_languages(work / "usr/share/asterisk/sounds")
        work.chmod(0o755)
        work.rename(root)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    report(f"asterisk: {found[1]} is ready in {root}")


def _name_languages(sounds: Path) -> None:
    """Debian names the Spanish sounds es_MX_f_Allison; a channel whose language is plain `es` looks in `es` only."""
    for voice in sorted(sounds.glob("??_*_*_*")):
        plain = sounds / voice.name[:2]
        if not plain.exists() and not plain.is_symlink():  # `en` is a link that only means something inside the root
            plain.symlink_to(voice.name)


def _mirror() -> list[str]:
    """The Debian mirror this machine is configured for; empty means mmdebstrap's own default."""
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listing.stdout.splitlines():
        label, _, uri = line.partition("|")
        if label == "Debian" and uri.startswith(("http://", "https://")):
            return [uri]
    return []


def _run(command: list[str], what: str, report: Report) -> None:
    """Run a slow command; a line of life every ten seconds; its last output goes into the error."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            while True:
                try:
                    code = process.wait(timeout=10)
                    break
                except subprocess.TimeoutExpired:
                    report(f"asterisk: {what}: {time.monotonic() - began:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code != 0:
            log.seek(0)
            tail = "\n".join(log.read().splitlines()[-15:])
            raise NoAsterisk(f"{what} failed ({command[0]} ended with {code}); its last lines:\n{tail}")
