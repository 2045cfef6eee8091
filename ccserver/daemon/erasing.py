"""The erasure of one person, step by step: each is noted when it is done, and may be done twice.

Recordings and messages go first, by the archive, which leaves its evidence; then the key is destroyed, and with it all that is
sealed; then the certificate is written. Begun once, it goes on from wherever the process died.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from ccserver.archive import files
from ccserver.config.edges import PrivacyEdge
from ccserver.daemon.shelf import Shelf
from ccserver.store import archive, erasure, pages
from ccserver.store.database import Store
from ccserver.store.erasure import Erasure, Kept, Step
from ccserver.store.vault import Vault

WHY = "the person was erased"
FREED = {
    "sqlite": "the pages of the key were overwritten with zeros in the database's file, and its write-ahead log was emptied",
    "postgresql": "the key's old row version stays in the database's files until VACUUM, and in its write-ahead log until that is recycled",
}


class MayNot(Exception):
    """The person cannot be erased now. The text says why, and what to do; nothing was deleted on account of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    person: str
    certificate: Mapping[str, Any]


class Erasing:
    """`shelf` None: there is no archive of recordings."""

    def __init__(self, store: Store, vault: Vault, edge: PrivacyEdge, shelf: Shelf | None) -> None:
        self._store = store
        self._vault = vault
        self._edge = edge
        self._shelf = shelf

    def look(self, number: str) -> tuple[Kept, Erasure | None]:
        """What is kept, and an erasure that was begun. Raises SQLAlchemyError."""
        with self._store.reading() as connection:
            return erasure.kept_of(connection, self._vault, number), erasure.unfinished(connection, self._vault, number)

    def require(self, kept: Kept, *, is_begun: bool = False) -> None:
        """Raises MayNot. `is_begun`: of recordings that are half-deleted nobody else has to be waited for."""
        plain = sum(kept.plain.values())
        if plain:
            raise MayNot(
                f"{plain} rows of this person were written before the key was set, and are not sealed: "
                "run `ccserver person seal-history` first"
            )
        if kept.holds:
            held = ", ".join(f"call {each.interaction} ({each.reason})" for each in kept.holds)
            raise MayNot(f"legal hold: {held}; nobody erases before it is released (`ccserver recording release`)")
        if kept.in_work and not is_begun:
            raise MayNot(
                f"recordings of call {', '.join(map(str, kept.in_work))} are being put into the archive: ask again in a minute"
            )
        if kept.leads.dialled:
            raise MayNot(
                f"a number of theirs is being dialled, or it is not known whether it is (attempt {', '.join(kept.leads.dialled)}): ask "
                "again when it is over (`ccserver lead attempts`)"
            )
        if self._shelf is None and (kept.recordings or kept.messages):
            raise MayNot("there are recordings of this person, and the configuration has no section `recording`")

    def erase(self, number: str, *, by: str, reason: str, certificate: Path, forget_live: Callable[[], str]) -> Erased | None:
        """Go through with it, or go on with it. `forget_live` has the daemon forget the number, and says what it did; it raises to
        refuse. None: nothing is kept of this number.

        Raises MayNot, StillBusy, OSError, SQLAlchemyError; done again, it goes on.
        """
        kept, begun = self.look(number)
        if begun is None and kept.is_nothing:
            pages.overwrite(self._store.engine)  # of one that was killed at its very end
            return None
        self._require_place(certificate, begun)
        if begun is None or begun.step is Step.BEGUN:
            self.require(kept, is_begun=begun is not None)
            live = forget_live()
            # what the daemon told just now, and calls since it was begun, belong to the person too
            kept, _ = self.look(number)
            self.require(kept, is_begun=begun is not None)
            if begun is None:
                person = kept.persons[0] if kept.persons else erasure.make_person(self._store.engine, self._vault, number)
                begun = self._begin(number, person, by, reason)
            self._delete(kept, begun.by)
            erasure.destroy(self._store.engine, self._vault, number, begun, self._told(kept, live))
        _, done = self.look(number)
        assert done is not None, "its index goes last"
        pages.overwrite(self._store.engine)
        told = self._certificate(done)
        files.write(certificate.absolute(), [json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n"])
        erasure.finish(self._store.engine, done)
        return Erased(person=done.person, certificate=told)

    def _require_place(self, certificate: Path, begun: Erasure | None) -> None:
        """A certificate is written over only by that of the same erasure, which was killed right behind it."""
        if not certificate.exists():
            return
        try:
            there = json.loads(certificate.read_text())["person"]
        except (ValueError, KeyError, TypeError):
            there = None
        if begun is None or there != begun.person:
            raise MayNot(f"{certificate} is there already, and is not written over")

    def _begin(self, number: str, person: str, by: str, reason: str) -> Erasure:
        begun = Erasure(person=person, step=Step.BEGUN, by=by, reason=reason, began_at=datetime.now(UTC), told={})
        erasure.begin(self._store.engine, self._vault, number, begun)
        return begun

    def _delete(self, kept: Kept, by: str) -> None:
        if self._shelf is None:
            return
        for number in kept.interactions:
            self._shelf.remove_all(number, WHY, by)
            if archive.is_held(self._store, number):
                raise MayNot(f"call {number} was put on legal hold meanwhile: the erasure goes on when it is released")
        for path in kept.messages:
            file = self._local(self._shelf, path)
            if file is not None:
                files.remove([file])

    def _told(self, kept: Kept, live: str) -> dict[str, Any]:
        with self._store.engine.connect() as connection:
            gone = [each for number in kept.interactions for each in archive.deletions_of(connection, number)]
        return {
            "rows": {name: count for name, count in kept.rows.items() if count},
            "calls": len(kept.interactions),
            "recordings": sum(each.why == WHY for each in gone),
            "messages": len(kept.messages),
            "leads": len(kept.leads.leads),
            "attempts": kept.leads.attempts,
            "do_not_call": kept.leads.do_not_call,
            "live": live,
        }

    def _local(self, shelf: Shelf, path: str) -> Path | None:
        """A message as we see it; None for one outside of our folder."""
        given, folder = PurePosixPath(path), PurePosixPath(shelf.edge.asterisk_dir)
        if ".." in given.parts or not given.is_relative_to(folder):
            return None
        return shelf.edge.local_dir / given.relative_to(folder)

    def _certificate(self, done: Erasure) -> dict[str, Any]:
        told = done.told
        erased_at = datetime.fromisoformat(told["erased_at"])
        return {
            "certificate": "erasure of a person",
            "person": done.person,
            "reason": done.reason,
            "by": done.by,
            "began_at": done.began_at.isoformat(timespec="seconds"),
            "erased_at": told["erased_at"],
            "erased": {
                "rows_of_history_made_unreadable": told["rows"],
                "calls": told["calls"],
                "recordings_deleted": told["recordings"],
                "messages_deleted": told["messages"],
                "leads_deleted": told.get("leads", 0),
                "attempts_without_number": told.get("attempts", 0),
                "do_not_call_entries_kept_as_a_hash": told.get("do_not_call", 0),
                "in_the_live_center": told["live"],
            },
            "how": "the only key of this person was destroyed; what is sealed with it cannot be opened. Backups made before still have "
            "the key, wrapped, until the date below",
            "freed_pages": FREED[self._store.engine.dialect.name],
            "audit_head": told["audit_head"],
            "forgotten_at_the_latest": {
                "journal_and_traces": (erased_at + timedelta(days=self._edge.journal_days)).isoformat(timespec="seconds"),
                "backups": (erased_at + timedelta(days=self._edge.backup_days)).isoformat(timespec="seconds"),
            },
        }
