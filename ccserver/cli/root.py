"""The `ccserver` command: its groups, and what all of them share."""

import importlib.metadata

import click

EPILOG = """Exit codes: 0 done; 1 not done, or a check found something; 2 wrongly called; 3 the daemon cannot be reached;
78 the configuration, the database or the state directory was refused."""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(importlib.metadata.version("ccserver"), prog_name="ccserver")
def root() -> None:
    """An on-premises call center on top of Asterisk: the daemon, and the commands that talk to it."""
