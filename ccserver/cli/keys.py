"""Commands that make a master key: the same for what recordings and what persons are sealed with."""

from pathlib import Path

import click

from ccserver.cli.shared import NOT_DONE, as_json, fail, json_option
from ccserver.config.key_files import NoKey, new_key


def makes_key(group: click.Group, setting: str) -> None:
    """Give `group` its command `new-key`."""

    @group.command("new-key", help=f"Make a master key in FILE, for `{setting}`. {KEEP}")
    @json_option
    @click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
    def make_key(file: Path, is_json: bool) -> None:
        try:
            made = new_key(file)
        except (NoKey, OSError) as error:
            fail(str(error), NOT_DONE)
        click.echo(as_json({"key": made.id, "file": str(file)}) if is_json else f"key {made.id} in {file}")


KEEP = "Keep a copy elsewhere: nothing else opens what is sealed with it."
