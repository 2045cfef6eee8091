"""What the commands for leads, do-not-call lists and registers share: the database, and times and numbers as people write them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from ccserver.cli.shared import NOT_DONE, Place, fail, safe
from ccserver.config import Configuration
from ccserver.control.client import ControlClient, DaemonNotRunning, MayNotAsk, NoAnswer, NotDone
from ccserver.control.protocol import ProtocolError
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.do_not_call import BadEntry
from ccserver.store.lead_book import NoList
from ccserver.store.lead_csv import BadFile
from ccserver.store.lead_import import MayNotImport
from ccserver.store.lead_phones import BadNumber, as_digits
from ccserver.store.lead_rows import BadLead
from ccserver.store.register_file import BadRegister
from ccserver.store.registers import FOLDER, NoRegister
from ccserver.store.vault import BadSeal, NoMasterKey, Vault

BUSY_S = 60.0
"""The daemon writes too: a long import does not end for its sake."""
REFUSALS = (
    BadEntry,
    BadFile,
    BadLead,
    BadNumber,
    BadRegister,
    BadSeal,
    MayNotImport,
    NoList,
    NoMasterKey,
    NoRegister,
    SchemaMismatch,
    SQLAlchemyError,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    configuration: Configuration
    store: Store
    country: str

    def number(self, given: str) -> str:
        """E.164 of a number as people write it. Raises BadNumber."""
        return f"+{as_digits(given, self.country)}"

    @property
    def vault(self) -> Vault | None:
        return Vault.of(self.configuration.edges.privacy)

    @property
    def registers(self) -> Path:
        """The folder of the registers."""
        return self.configuration.edges.state_dir / FOLDER


@contextmanager
def dialling(place: Place, country: str | None = None) -> Iterator[Dialling]:
    """The database of the configuration. Whatever goes wrong ends the program with a sentence."""
    configuration = place.configuration()
    store = Store(configuration.edges.database.url, busy_s=BUSY_S)
    try:
        store.require_schema()
        yield Dialling(configuration=configuration, store=store, country=country or configuration.settings.country)
    except REFUSALS as error:
        fail(str(error), NOT_DONE)
    finally:
        store.close()


def tell_of_leads(place: Place, list_name: str) -> None:
    """Have the daemon, if one runs, look at a list now. The leads are in it already, so what goes wrong is said and ends nothing."""
    try:
        with ControlClient(place.control_socket()) as daemon:
            daemon.ask("leads.added", list=list_name)
    except DaemonNotRunning:
        return  # the next one reads the list anyway
    except (MayNotAsk, NoAnswer, NotDone, ProtocolError) as error:
        click.echo(f"campaigns find the leads later, since the daemon could not be told: {safe(str(error))}", err=True)


def shown_at(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
