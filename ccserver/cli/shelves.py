"""The archive of recordings, opened for a command: with what opens numbers, who asks, whether they may, and what goes on record."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from ccserver.cli.shared import NOT_DONE, REFUSED, Place, fail, opener_of
from ccserver.core import rights
from ccserver.core.ids import AgentId, InteractionId
from ccserver.core.settings import Settings
from ccserver.daemon.shelf import TROUBLES, Shelf
from ccserver.store import archive, audit
from ccserver.store.archive import ArchiveFile
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.persons import Opener, Sealer
from ccserver.store.vault import NoMasterKey, Vault


def who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    shelf: Shelf
    settings: Settings
    opener: Opener
    sealer: Sealer | None

    def kept(self, call: int) -> list[ArchiveFile]:
        """What can be played of a call."""
        with self.shelf.store.engine.connect() as connection:
            return [each for each in archive.files_of(connection, InteractionId(call)) if each.state in archive.PLAYABLE]

    def record(self, act: str, what: str, interaction: int | None = None, *, is_done: bool = True) -> None:
        audit.record_access(
            self.shelf.store, by=who(), act=act, what=what, is_done=is_done, interaction=interaction, sealer=self.sealer
        )

    def require(self, act: str, agent: str | None, file: ArchiveFile) -> str:
        """Who hears it, for the audit log: `agent`, or the account itself. Ends the program, on record, if their role does not let them."""
        if agent is None:
            return ""
        with self.shelf.store.engine.connect() as connection:
            speakers = archive.speakers_of(connection, file)
        reaches = [each for each in speakers if each != agent]
        if not reaches or not rights.may_hear_all(self.settings, AgentId(agent), reaches):
            self.record(act, f"{file.path}, as agent {agent}: not_allowed", file.interaction, is_done=False)
            told = ", ".join(speakers) or "nobody"
            fail(f"the role of agent {agent} does not allow it: in call {file.interaction} speaks {told}", NOT_DONE)
        return f", as agent {agent}"


@contextmanager
def opened(place: Place) -> Iterator[Archive]:
    """The archive of the configuration. Whatever goes wrong with it ends the program with a sentence."""
    configuration = place.configuration()
    edges = configuration.edges
    if edges.recording is None:
        fail("nothing is recorded here: the configuration has no section `recording`", REFUSED)
    vault = Vault.of(edges.privacy)
    store = Store(edges.database.url)
    try:
        store.require_schema()
        yield Archive(
            shelf=Shelf(store, edges.recording),
            settings=configuration.settings,
            opener=opener_of(configuration),
            sealer=None if vault is None else Sealer(vault),
        )
    except (SchemaMismatch, NoMasterKey, SQLAlchemyError, *TROUBLES) as error:
        fail(str(error), NOT_DONE)
    finally:
        store.close()
