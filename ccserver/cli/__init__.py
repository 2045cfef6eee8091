"""The command line."""

from ccserver.cli import run
from ccserver.cli.root import root

__all__ = ["main", "root", "run"]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
