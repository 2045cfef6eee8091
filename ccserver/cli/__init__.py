"""The command line."""

from ccserver.cli import agents, calls, explain, live, queues, run, supervision, upkeep
from ccserver.cli.root import root

__all__ = ["agents", "calls", "explain", "live", "main", "queues", "root", "run", "supervision", "upkeep"]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
