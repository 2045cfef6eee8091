"""`ccserver person`: what is kept of a person, what they may have of it, and how they are erased."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
from sqlalchemy.exc import SQLAlchemyError

from ccserver.archive import files
from ccserver.cli.keys import makes_key
from ccserver.cli.recordings import fill
from ccserver.cli.root import root
from ccserver.cli.shared import (
    NOT_DONE,
    REFUSED,
    Place,
    as_e164,
    as_json,
    at_a_place,
    fail,
    opener_of,
    safe,
    table,
)
from ccserver.cli.shelves import who
from ccserver.config import Configuration
from ccserver.config.edges import PrivacyEdge
from ccserver.daemon.erasing import Erasing, MayNot
from ccserver.daemon.shelf import TROUBLES, Shelf
from ccserver.store import audit, resealing
from ccserver.store.chain import Broken
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.erasure import Kept
from ccserver.store.history import call_story
from ccserver.store.pages import StillBusy
from ccserver.store.persons import require_keys
from ccserver.store.recording_search import FOUND_MAX, Wanted, search_recordings
from ccserver.store.vault import NoMasterKey, Vault

_DIGITS = re.compile(r"[0-9]")


@root.group()
def person() -> None:
    """Persons: what is kept of a telephone number, sealing, erasure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registry:
    configuration: Configuration
    edge: PrivacyEdge
    vault: Vault
    store: Store
    shelf: Shelf | None

    def number(self, given: str) -> str:
        """E.164 of what somebody typed."""
        return as_e164(given, self.configuration.settings.country)

    @property
    def erasing(self) -> Erasing:
        return Erasing(self.store, self.vault, self.edge, self.shelf)


@contextmanager
def _registry(place: Place) -> Iterator[_Registry]:
    """The persons of the configuration. Whatever goes wrong ends the program with a sentence."""
    configuration = place.configuration()
    edges = configuration.edges
    vault = Vault.of(edges.privacy)
    if edges.privacy is None or vault is None:
        fail("nothing is sealed here: the configuration has no privacy.key_file", REFUSED)
    store = Store(edges.database.url)
    try:
        store.require_schema()
        with store.engine.connect() as connection:
            require_keys(connection, vault)
        shelf = None if edges.recording is None else Shelf(store, edges.recording)
        yield _Registry(configuration=configuration, edge=edges.privacy, vault=vault, store=store, shelf=shelf)
    except (SchemaMismatch, NoMasterKey, StillBusy, MayNot, Broken, SQLAlchemyError, *TROUBLES) as error:
        fail(str(error), NOT_DONE)
    finally:
        store.close()


# --- what is kept -------------------------------------------------------------------------------------------------------
@person.command()
@at_a_place
@click.argument("number")
def find(place: Place, number: str) -> None:
    """Tell what is kept of NUMBER: rows of each table, calls, recordings, legal holds."""
    with _registry(place) as registry:
        kept, begun = registry.erasing.look(registry.number(number))
        place.show(
            {"kept": kept, "erasure": None if begun is None else {"step": begun.step, "began_at": begun.began_at}},
            lambda: (
                _kept_text(kept) + ("" if begun is None else f"\nan erasure was begun at {begun.began_at:%Y-%m-%d %H:%M} UTC")
            ),
        )


def _kept_text(kept: Kept) -> str:
    if kept.is_nothing:
        return "nothing is kept of this number"
    rows = [
        (name, str(kept.rows.get(name, 0)), str(kept.plain.get(name, 0)))
        for name in kept.rows
        if kept.rows.get(name) or kept.plain.get(name)
    ]
    lines = [
        table(("table", "sealed", "not sealed"), rows),
        f"calls: {', '.join(map(str, kept.interactions)) or 'none'}",
        f"recordings: {kept.recordings}, messages: {len(kept.messages)}",
        f"leads: {', '.join(map(str, kept.leads.leads)) or 'none'}; attempts to call: {kept.leads.attempts}",
        *(["not called: on a list, of which a hash is kept"] if kept.leads.do_not_call else []),
        *(f"legal hold: call {each.interaction}, {safe(each.reason)}" for each in kept.holds),
    ]
    return "\n".join(lines)


@person.command()
@at_a_place
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder that is not there yet.")
def export(place: Place, number: str, out: Path) -> None:
    """Write all that is kept of NUMBER into a folder, opened: person.json, and the recordings with their manifest."""
    if out.exists():
        fail(f"{out} is there already, and is not written over", NOT_DONE)
    with _registry(place) as registry:
        kept, _ = registry.erasing.look(registry.number(number))
        if kept.is_nothing:
            fail("nothing is kept of this number", NOT_DONE)
        ids = ", ".join(kept.persons)
        audit.record_access(registry.store, by=who(), act="person_export", what=f"person {ids}")
        opener = opener_of(registry.configuration)
        stories = [call_story(registry.store, each, opener) for each in kept.interactions]
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
        try:
            if registry.shelf is not None and kept.recordings:
                found = search_recordings(registry.store, Wanted(), FOUND_MAX, opener)
                fill(registry.shelf, draft, [each for each in found if each.file.interaction in kept.interactions])
            content = {"number": registry.number(number), "kept": kept, "calls": [each for each in stories if each is not None]}
            files.write(draft / "person.json", [as_json(content).encode() + b"\n"])
            draft.chmod(0o750)
            draft.rename(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        place.show({"ok": True, "out": out}, lambda: f"{out}: {len(kept.interactions)} calls, {kept.recordings} recordings")


# --- erasure ------------------------------------------------------------------------------------------------------------
@person.command()
@at_a_place
@click.argument("number")
@click.option("--reason", required=True, help="Why, for people; without the number.")
@click.option(
    "--certificate", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where what was done is written."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be erased, or why it may not be.")
@click.option("--without-daemon", is_flag=True, help="Although the daemon does not run, whose memory may hold the number.")
def erase(place: Place, *, number: str, reason: str, certificate: Path, dry_run: bool, without_daemon: bool) -> None:
    """Erase the person with NUMBER: delete their recordings and messages, destroy the key of all else, and write a certificate.

    Interrupted at any time, the same command goes on. Calls of theirs that are live and legal holds refuse it.
    """
    with _registry(place) as registry:
        told = registry.number(number)
        if "".join(_DIGITS.findall(told))[-7:] in "".join(_DIGITS.findall(reason)):
            fail("the reason stays on record: write it without the number", NOT_DONE)
        if dry_run:
            kept, _ = registry.erasing.look(told)
            registry.erasing.require(kept)
            place.show({"ok": True, "is_dry_run": True, "kept": kept}, lambda: f"would be erased:\n{_kept_text(kept)}")
            return
        done = registry.erasing.erase(
            told,
            by=who(),
            reason=reason,
            certificate=certificate,
            forget_live=lambda: "not asked: the daemon does not run" if without_daemon else _forget_live(place, told),
        )
        if done is None:
            place.show({"ok": True, "person": None}, lambda: "nothing is kept of this number")
            return
        place.show(
            {"ok": True, **done.certificate}, lambda: f"person {done.person} is erased; the certificate is {certificate}"
        )


def _forget_live(place: Place, number: str) -> str:
    """Have the daemon forget the number; returns when history has all that it told."""
    with place.daemon() as daemon:
        answer = cast(dict[str, Any], daemon.ask("number.forget", number=number))
        daemon.ask("history.written")
        return str(answer["text"])


# --- keys and sealing ---------------------------------------------------------------------------------------------------
makes_key(person, "privacy.key_file")


@person.command("seal-history")
@at_a_place
def seal_history(place: Place) -> None:
    """Seal what was written before the key was set. May be interrupted and run again; the daemon may run with the key set.

    If the audit log has numbers, it is chained anew: note its head again, the row of it names the head before.
    """
    with _registry(place) as registry:
        done = resealing.seal_history(registry.store.engine, registry.vault, who())
        before = None if done.audit_before is None else str(done.audit_before)
        anew = "" if before is None else f"; the audit log was chained anew, its head before was {before}"
        place.show({"ok": True, "rows": done.rows, "audit_head_before": before}, lambda: f"{done.rows} rows sealed{anew}")


@person.command("rotate-key")
@at_a_place
def rotate_key(place: Place) -> None:
    """Have every person's key wrapped by the present `key_file` alone. Those before are in `old_key_files`."""
    with _registry(place) as registry:
        audit.record_access(registry.store, by=who(), act="person_rotate_key", what=f"to key {registry.vault.key_id}")
        changed, faults = resealing.rotate(registry.store.engine, registry.vault)
        place.show(
            {"ok": not faults, "key": registry.vault.key_id, "changed": changed, "faults": faults},
            lambda: "\n".join([*faults, f"{changed} persons given key {registry.vault.key_id}"]),
        )
        if faults:
            raise SystemExit(NOT_DONE)


@person.command()
@at_a_place
def verify(place: Place) -> None:
    """Open all that is sealed, and name what does not open."""
    with _registry(place) as registry:
        with registry.store.reading() as connection:
            good, faults = resealing.verify(connection, registry.vault)
        place.show(
            {"ok": not faults, "opened": good, "faults": faults},
            lambda: "\n".join([*faults, f"{good} values open, {len(faults)} faults"]),
        )
        if faults:
            raise SystemExit(NOT_DONE)
