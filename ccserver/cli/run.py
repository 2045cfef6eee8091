"""`ccserver run`."""

import sys
from pathlib import Path

import click

from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, config_option, fail


@root.command()
@config_option
@click.option("--upgrade-db", is_flag=True, help="Bring the database's schema to this version first.")
@click.option(
    "--watchdog-s",
    type=click.FloatRange(1.0, 600.0),
    default=None,
    help="Without systemd: watch the daemon from a parent process, kill it when it is silent for so many seconds, and start "
    "it again when it ended unasked.",
)
@click.option(
    "--trace",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Keep every step of the core with its commands in a file of this directory, for replays and reports of faults. Holds "
    "callers' numbers; grows without end.",
)
def run(config: Path, upgrade_db: bool, watchdog_s: float | None, trace: Path | None) -> None:
    """Run the daemon in the foreground.

    SIGTERM and SIGINT stop it cleanly (calls go on in Asterisk), SIGHUP reloads the configuration: all of it or nothing.
    """
    if watchdog_s is not None:
        # imported here: the other commands should start fast
        from ccserver.daemon.watchdog import Supervisor  # noqa: PLC0415

        command = [sys.executable, "-m", "ccserver", "run", "--config", str(config)]
        if upgrade_db:
            command.append("--upgrade-db")
        if trace is not None:
            command += ["--trace", str(trace)]
        raise SystemExit(Supervisor(command, watchdog_s).run())
    configuration = Place(config=config, socket=None, is_json=False).configuration()
    for warning in configuration.warnings:
        click.echo(str(warning), err=True)
    if upgrade_db:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        from ccserver.store.database import Store  # noqa: PLC0415

        store = Store(configuration.edges.database.url)
        try:
            store.upgrade()
        except SQLAlchemyError as error:
            fail(f"the database cannot be upgraded: {error}", NOT_DONE)
        finally:
            store.close()
    from ccserver.daemon.run import run as run_daemon  # noqa: PLC0415

    raise SystemExit(run_daemon(config, configuration, trace))
