"""The command line."""

from ccserver.cli.root import root

__all__ = ["main", "root"]


def main() -> None:
    """Entry point of the `ccserver` command."""
    root()
