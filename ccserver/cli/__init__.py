"""The command line."""

from ccserver.cli import agents, calls, explain, ivr, live, prompts, queues, run, supervision, surveys, upkeep
from ccserver.cli.root import root

__all__ = [
    "agents",
    "calls",
    "explain",
    "ivr",
    "live",
    "main",
    "prompts",
    "queues",
    "root",
    "run",
    "supervision",
    "surveys",
    "upkeep",
]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
