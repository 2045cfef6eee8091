"""The command line."""

from ccserver.cli import agents, calls, live, queues, run, upkeep
from ccserver.cli.root import root

__all__ = ["agents", "calls", "live", "main", "queues", "root", "run", "upkeep"]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
