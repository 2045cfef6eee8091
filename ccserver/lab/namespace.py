"""Private worlds: network, mount and process namespaces for the tests, the demo and the stack in the foreground.

Everything the lab starts lives in namespaces of its own, so that several can run side by side on the same ports and
nothing (process, mount, address) stays behind, whatever way the owner ends, kill -9 included.

* A test worker calls `enter()` once: the calling thread, and all it spawns, move to a private network (loopback only)
  and a private mount table.
* A command runs below unshare(1), with a process namespace too (`ccserver.lab.enclosure`), and calls `settle()` there.
* `assemble_root()` gives each Asterisk a root directory of its own from one cached, never modified, tree.
* `die_with_parent()` is for `preexec_fn`: the child is killed when the thread that started it ends.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_RDONLY = 1
_MS_REMOUNT = 32
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

# What a program needs of a root directory to run; the rest of an instance's root is its own and empty.
_SYSTEM_DIRECTORIES = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc")

_libc = ctypes.CDLL(None, use_errno=True)


class CannotIsolate(Exception):
    """The kernel refused a namespace or a mount.  Usually: not root, or a container without CAP_SYS_ADMIN."""


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise CannotIsolate(f"{what}: {os.strerror(code)}; run as root, in a container with CAP_SYS_ADMIN")


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    result = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    _check(result, f"mount {source} on {target}")


def die_with_parent() -> None:
    """For `preexec_fn`: SIGKILL to this process when the thread that forked it ends.  Lasts through exec and chroot."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def enter() -> None:
    """Move the calling thread, and what it starts from now on, to a private network and mount table; raise loopback."""
    _check(_libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS), "unshare")
    _keep_mounts()
    raise_loopback()


def _keep_mounts() -> None:
    """Keep what we mount from spreading to the machine's own mount table.

    Below chroot(8) `/` may be no mount point, and its mount cannot be reached to be changed; then all those that can
    be reached are, and what is mounted elsewhere is taken away by `discard_root` alone.
    """
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    if "/" in points:
        _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    else:
        for point in points:
            _mount("none", Path(point), None, _MS_PRIVATE)


def raise_loopback() -> None:
    """Set `lo` up: a new network namespace has it down.  All of 127.0.0.0/8 works then."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def settle(*, private_network: bool) -> None:
    """First step of a process below unshare(1): its mounts are still shared, and loopback is down."""
    _keep_mounts()
    if private_network:
        raise_loopback()


def assemble_root(asterisk_root: Path, at: Path, shared: Iterable[Path]) -> None:
    """Make `at` a root directory: the system part of `asterisk_root` read-only, the rest empty and in memory.

    Each directory of `shared` appears inside under the same path as outside, writable, so a path means the same to
    the daemon and to Asterisk.  Call it only in a private mount table.
    """
    at.mkdir(parents=True, exist_ok=True)
    mount_memory(at, "256m")
    for name in _SYSTEM_DIRECTORIES:
        source, target = asterisk_root / name, at / name
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            _bind(source, target)
            _mount("none", target, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    for name in ("dev", "proc"):
        _bind(Path("/") / name, at / name, recursive=True)
    for name in ("tmp", "run", "var/tmp"):
        (at / name).mkdir(parents=True, exist_ok=True)
    for directory in shared:
        _bind(directory, at / directory.relative_to("/"))


def mount_memory(at: Path, size: str) -> None:
    """A file system in memory on the directory `at`; `size` as in "16m". Call it only in a private mount table."""
    _mount("tmpfs", at, "tmpfs", 0, f"mode=755,size={size}")


def _bind(source: Path, target: Path, *, recursive: bool = False) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(str(source), target, None, _MS_BIND | (_MS_REC if recursive else 0))


def discard_root(at: Path) -> None:
    """Take away what `assemble_root` or `mount_memory` mounted; processes still inside keep it until they end."""
    _check(_libc.umount2(os.fsencode(at), _MNT_DETACH), f"umount {at}")
