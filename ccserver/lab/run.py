"""`make run`: the whole stack in the foreground, for phones of one's own.  Nobody is simulated.

SIP and RTP are on SIP_ADDRESS (default 127.0.0.1), everything else on loopback.  The state (history, recordings, passwords)
stays in RUN_DIR between runs; CENTER names a configuration other than the example.  Ctrl-C ends it.
"""

import asyncio
import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ccserver.config import ConfigurationRejected
from ccserver.lab import asterisk_root, enclosure
from ccserver.lab.asterisk import AsteriskFailed
from ccserver.lab.namespace import CannotIsolate
from ccserver.lab.provide import ProgramMissing, provide
from ccserver.lab.stack import CUSTOMER, EXAMPLE, Stack, StackFailed, StackPlan

LOOK_EVERY_S = 1.0


def main() -> int:
    """Entry point of `python -m ccserver.lab.run`."""
    try:
        address = str(ipaddress.ip_address(os.environ.get("SIP_ADDRESS") or "127.0.0.1"))
        if not enclosure.is_inside():
            root = provide()
            return enclosure.run_inside(__spec__.name, [str(root), address], private_network=False)
        enclosure.settle()
        return _serve(Path(sys.argv[1]), sys.argv[2])
    except ConfigurationRejected as rejected:
        print(rejected, file=sys.stderr)
    except (
        StackFailed,
        AsteriskFailed,
        asterisk_root.NoAsterisk,
        ProgramMissing,
        CannotIsolate,
        ValueError,
        OSError,
    ) as failed:
        print(f"run: {failed}", file=sys.stderr)
    return 1


def directory(environment: Mapping[str, str]) -> Path:
    """Where the state is kept between runs."""
    if environment.get("RUN_DIR"):
        return Path(environment["RUN_DIR"]).resolve()
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "ccserver" / "run"


def _serve(root: Path, address: str) -> int:
    center = Path(os.environ.get("CENTER") or EXAMPLE).resolve()
    plan = StackPlan(directory=directory(os.environ), asterisk_root=root, center=center, sip_address=address)
    with Stack(plan) as stack:
        stack.start()
        print("\n".join(card(stack)), flush=True)
        asyncio.run(_until_asked(stack))
    return 0


def card(stack: Stack) -> list[str]:
    """What one needs to know to call and to be called."""
    settings, edges = stack.configuration.settings, stack.configuration.edges
    codes, plan = settings.features, stack.plan
    width = max(map(len, stack.passwords))
    accounts = [f"    {name:<{width}}  {password}" for name, password in stack.passwords.items()]
    dids = [did for did in settings.dids if did != "*"] or ["any number"]
    return [
        "",
        f"SIP server {plan.sip_address}:{plan.sip_port} (UDP), accounts and passwords:",
        *accounts,
        f"From a desk phone: *{codes.login} log in, *{codes.logout} out, *{codes.not_ready} not ready, *{codes.ready} ready,",
        f"    *{codes.disposition} disposition, *{codes.state} hear the state; agents: {', '.join(settings.agents)}",
        f"As a customer: register as `{CUSTOMER}` and dial {', '.join(dids)}",
        f"Metrics: http://{edges.metrics.address}:{edges.metrics.port}/metrics",
        f"Look at it: ccserver top --config {stack.config}",
        f"Log: {stack.log}; recordings: {stack.recordings}",
        "Ctrl-C ends it.",
        "",
    ]


async def _until_asked(stack: Stack) -> None:
    asked = await enclosure.end_asked()
    while not asked.is_set():
        stack.require_alive()
        try:
            await asyncio.wait_for(asked.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue


if __name__ == "__main__":
    sys.exit(main())
