"""The command line."""

from ccserver.cli import (
    agents,
    auditing,
    calls,
    conferences,
    do_not_call,
    explain,
    ivr,
    leads,
    live,
    look_ups,
    persons,
    prompts,
    queues,
    recordings,
    registers,
    run,
    scripts,
    simulations,
    supervise,
    supervision,
    surveys,
    upkeep,
    walks,
)
from ccserver.cli.root import root

__all__ = [
    "agents",
    "auditing",
    "calls",
    "conferences",
    "do_not_call",
    "explain",
    "ivr",
    "leads",
    "live",
    "look_ups",
    "main",
    "persons",
    "prompts",
    "queues",
    "recordings",
    "registers",
    "root",
    "run",
    "scripts",
    "simulations",
    "supervise",
    "supervision",
    "surveys",
    "upkeep",
    "walks",
]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
