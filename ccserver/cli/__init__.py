"""The command line."""


def main() -> None:
    """Entry point of the `ccserver` command."""
    raise SystemExit("ccserver: no commands yet")
