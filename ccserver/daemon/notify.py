"""The service manager's notification socket: READY, WATCHDOG and a status line.

The protocol is one datagram of `KEY=value` lines to the address in NOTIFY_SOCKET; our own `watchdog` speaks it too.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceManager:
    """Whoever started us, as far as it wants to be told. `address` None: nobody does; `watchdog_s` None: no watchdog."""

    address: str | None
    watchdog_s: float | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> "ServiceManager":
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID (another process's watchdog is not ours)."""
        address = environment.get("NOTIFY_SOCKET") or None
        given = environment.get("WATCHDOG_USEC", "")
        owner = environment.get("WATCHDOG_PID", "")
        watchdog_s = int(given) / 1e6 if given.isdigit() and int(given) > 0 and owner in ("", str(pid)) else None
        return cls(address=address, watchdog_s=watchdog_s)

    def tell(self, **news: str) -> bool:
        """Send `news`, for example `tell(READY="1", STATUS="open")`. False when it did not arrive.

        Never blocks: a full socket loses the message, and the next watchdog beat comes soon enough.
        """
        if self.address is None:
            return False
        # a leading @ is an address in Linux's abstract name space
        where = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        text = "\n".join(f"{key}={value.replace(chr(10), ' ')}" for key, value in news.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            try:
                channel.sendto(text.encode(), where)
            except OSError:
                return False
        return True
