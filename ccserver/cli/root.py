"""The `ccserver` command: its groups, and what all of them share."""

import importlib
import importlib.metadata

import click

EPILOG = """Exit codes: 0 done; 1 not done, or a check found something; 2 wrongly called; 3 the daemon cannot be reached;
78 the configuration, the database or the state directory was refused."""

MODULES = {
    "agent": ("agents", "explain"),
    "asterisk": ("upkeep",),
    "audit": ("auditing",),
    "call": ("calls", "explain"),
    "callback": ("supervision",),
    "campaign": ("campaigns", "campaign_reports"),
    "conference": ("conferences",),
    "config": ("upkeep",),
    "db": ("upkeep",),
    "do-not-call": ("do_not_call",),
    "doctor": ("upkeep",),
    "hours": ("supervision",),
    "ivr": ("ivr", "walks"),
    "lead": ("leads",),
    "look-up": ("look_ups",),
    "number": ("supervision",),
    "person": ("persons",),
    "prompts": ("prompts",),
    "queue": ("queues", "explain"),
    "recording": ("recordings",),
    "register": ("registers",),
    "reload": ("upkeep",),
    "run": ("run",),
    "script": ("scripts",),
    "simulate": ("simulations",),
    "status": ("live",),
    "supervise": ("supervise",),
    "survey": ("surveys",),
    "top": ("live",),
}
"""By command, the modules that make it."""


class Commands(click.Group):
    """A command is imported when it is named: all of them together would take longer than most of them run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for module in MODULES.get(cmd_name, ()):
            importlib.import_module(f"ccserver.cli.{module}")
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(importlib.metadata.version("ccserver"), prog_name="ccserver")
def root() -> None:
    """An on-premises call center on top of Asterisk: the daemon, and the commands that talk to it."""
