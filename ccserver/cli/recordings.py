"""`ccserver recording`: the archive. Whoever hears, copies, deletes or holds something is in the audit log before it is done."""

import hashlib
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ccserver.archive import files
from ccserver.archive.manifest import NoManifest
from ccserver.cli.keys import makes_key
from ccserver.cli.root import root
from ccserver.cli.shared import (
    NOT_DONE,
    REFUSED,
    Place,
    as_json,
    as_utc,
    at_a_place,
    fail,
    safe,
    shown_time,
    table,
)
from ccserver.cli.shelves import opened, who
from ccserver.core.ids import AgentId, DispositionId, InteractionId, QueueId
from ccserver.daemon.shelf import TROUBLES, Due, Shelf
from ccserver.store import archive, audit
from ccserver.store.archive import Hold
from ccserver.store.recording_search import FOUND_MAX, FoundRecording, Wanted, search_recordings

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"


@root.group()
def recording() -> None:
    """Recordings: find, hear, export, prove, hold and delete them."""


# --- finding ------------------------------------------------------------------------------------------------------------
def _wanted(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a search; the command gets them as one `Wanted`."""

    def made(
        *,
        caller: str | None,
        agent: str | None,
        queue: str | None,
        disposition: str | None,
        since: datetime | None,
        until: datetime | None,
        longer: float | None,
        shorter: float | None,
        score_at_least: int | None,
        score_at_most: int | None,
        mos_at_most: float | None,
        silence_at_least: float | None,
        **rest: Any,
    ) -> Any:
        wanted = Wanted(
            caller=caller,
            agent=AgentId(agent) if agent else None,
            queue=QueueId(queue) if queue else None,
            disposition=DispositionId(disposition) if disposition else None,
            since=as_utc(since),
            until=as_utc(until),
            longer_s=longer,
            shorter_s=shorter,
            score_at_least=score_at_least,
            score_at_most=score_at_most,
            mos_at_most=mos_at_most,
            silence_at_least=silence_at_least,
        )
        return command(wanted=wanted, **rest)

    made.__name__, made.__doc__ = command.__name__, command.__doc__
    made.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(
        [
            click.option("--caller", help="The customer's number, or, if it is not sealed, its last digits."),
            click.option("--agent", help="An agent who is on it."),
            click.option("--queue", help="A queue for which it was recorded."),
            click.option("--disposition", help="What the agent noted of the call."),
            click.option("--since", type=click.DateTime(), help="Begun from then on (UTC)."),
            click.option("--until", type=click.DateTime(), help="Begun before then (UTC)."),
            click.option("--longer", type=float, help="At least so many seconds long."),
            click.option("--shorter", type=float, help="At most so many seconds long."),
            click.option("--score-at-least", type=int, help="A survey about the call has such an answer."),
            click.option("--score-at-most", type=int, help="A survey about the call has such an answer."),
            click.option("--mos-at-most", type=float, help="A line of the call was as bad as that (MOS, 1 to 5)."),
            click.option(
                "--silence-at-least", type=click.FloatRange(0, 1), help="Such a share of one side is silence (0 to 1)."
            ),
        ]
    ):
        made = option(made)
    return made


_hearer = click.option(
    "--as", "hearer", metavar="AGENT", help="On behalf of an agent: only what their role lets them hear. Without it, all."
)
_limit = click.option("--limit", type=click.IntRange(1, FOUND_MAX), default=100, show_default=True)


@recording.command("list")
@at_a_place
@_limit
def list_recordings(place: Place, limit: int) -> None:
    """List the newest recordings."""
    with opened(place) as at:
        _show(place, search_recordings(at.shelf.store, Wanted(), limit, at.opener))


@recording.command()
@at_a_place
@_wanted
@_limit
def search(place: Place, wanted: Wanted, limit: int) -> None:
    """Find recordings to which all that is given applies, the newest first."""
    with opened(place) as at:
        _show(place, search_recordings(at.shelf.store, wanted, limit, at.opener))


def _show(place: Place, found: list[FoundRecording]) -> None:
    def text() -> str:
        head = ("call", "kind", "began (UTC)", "length", "caller", "agents", "queue", "format", "sealed", "hold")
        rows = [
            (
                str(one.file.interaction),
                one.file.kind + (f" {one.file.part + 1}" if one.file.part else ""),
                one.file.began_at.strftime("%Y-%m-%d %H:%M:%S"),
                shown_time(one.file.duration_s),
                safe(one.caller_number or "withheld"),
                ", ".join(one.agents),
                one.queue or "",
                one.file.coding,
                "yes" if one.file.key_id else "no",
                safe(one.hold.reason) if one.hold else "",
            )
            for one in found
        ]
        return table(head, rows) if rows else "no recordings"

    place.show(found, text)


# --- hearing and copying ------------------------------------------------------------------------------------------------
@recording.command()
@at_a_place
@click.argument("call", type=click.IntRange(min=1))
@click.option("--kind", default="talk", show_default=True, help="consult: what agents said among themselves.")
@click.option("--part", type=click.IntRange(1), default=1, show_default=True, help="Of a call with several files.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    help="A file; - is standard output.",
)
@_hearer
def play(*, place: Place, call: int, kind: str, part: int, out: Path, hearer: str | None) -> None:
    """Write the recording of CALL as a WAV file: the customer left, the agents right."""
    with opened(place) as at:
        file = next((each for each in at.kept(call) if each.kind == kind and each.part == part - 1), None)
        if file is None:
            fail(f"call {call} has no recording of that kind that could be played", NOT_DONE)
        shelf, whose = at.shelf, at.require("recording_play", hearer, file)
        at.record("recording_play", f"{file.path}{whose}", call)
        if str(out) == "-":
            for block in shelf.as_wav(file):
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
            return
        files.write(out.absolute(), shelf.as_wav(file))
        place.show({"ok": True, "file": out}, lambda: f"{out}: {shown_time(file.duration_s)}")


@recording.command()
@at_a_place
@click.argument("calls", nargs=-1, type=click.IntRange(min=1))
@_wanted
@_limit
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A folder that is not there yet, or a file that ends in .tar."
)
@_hearer
def export(*, place: Place, calls: tuple[int, ...], wanted: Wanted, limit: int, out: Path, hearer: str | None) -> None:
    """Copy recordings, opened, with a manifest: those of CALLS, or those to which all that is given applies.

    Beside them are SHA256SUMS (for `sha256sum -c`) and manifest.json with what is known of each call and its marks.
    """
    if out.exists():
        fail(f"{out} is there already, and is not written over", NOT_DONE)
    with opened(place) as at:
        found = search_recordings(at.shelf.store, wanted, FOUND_MAX if calls else limit, at.opener)
        found = [one for one in found if not calls or one.file.interaction in calls]
        missing = set(calls) - {one.file.interaction for one in found}
        if missing:
            fail(f"no recording of call {', '.join(map(str, sorted(missing)))} could be exported", NOT_DONE)
        whose = [at.require("recording_export", hearer, one.file) for one in found]
        for one, by in zip(found, whose, strict=True):
            at.record("recording_export", f"{one.file.path} to {out}{by}", one.file.interaction)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
        try:
            fill(at.shelf, draft, found)
            if out.suffix == ".tar":
                with tarfile.open(draft / "all.tar", "w") as bundle:
                    for each in sorted(draft.iterdir()):
                        if each.name != "all.tar":
                            bundle.add(each, f"{out.stem}/{each.name}")
                (draft / "all.tar").replace(out)
            else:
                draft.chmod(0o750)
                draft.rename(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        place.show({"ok": True, "out": out, "files": len(found)}, lambda: f"{out}: {len(found)} recordings")


def fill(shelf: Shelf, folder: Path, found: list[FoundRecording]) -> None:
    told, sums = [], []
    for one in found:
        name = f"{files.name_of(one.file.interaction, one.file.kind, one.file.part)}.{one.file.coding}"
        _, sha256 = files.write(folder / name, shelf.content(one.file))
        if sha256 != one.file.sha256:
            raise NoManifest(f"{one.file.path} is damaged: its SHA-256 is {sha256}, noted is {one.file.sha256}")
        sums.append((sha256, name))
        try:
            marks: object = [asdict(mark) for mark in shelf.told(one.file).marks]
        except NoManifest:
            marks = None
        told.append({"file": name, "sha256": sha256, "recording": one, "marks": marks})
    content = as_json({"exported_at": datetime.now(UTC), "by": who(), "recordings": told}).encode() + b"\n"
    files.write(folder / MANIFEST, [content])
    sums.append((hashlib.sha256(content).hexdigest(), MANIFEST))
    files.write(folder / SUMS, ["".join(f"{sha256}  {name}\n" for sha256, name in sums).encode()])


# --- proving ------------------------------------------------------------------------------------------------------------
@recording.command()
@at_a_place
@click.argument("call", required=False, type=click.IntRange(min=1))
def verify(place: Place, call: int | None) -> None:
    """See that the recordings of CALL, or all, are what was written: every byte is read and compared."""
    with opened(place) as at:
        shelf = at.shelf
        with shelf.store.engine.connect() as connection:
            kept = archive.kept_files(connection) if call is None else at.kept(call)
        if call is not None and not kept:
            fail(f"call {call} has no recording", NOT_DONE)
        faults = [
            {"call": file.interaction, "file": file.path, "fault": fault} for file in kept if (fault := shelf.verify(file))
        ]
        place.show(
            {"ok": not faults, "checked": len(kept), "faults": faults},
            lambda: "\n".join([*(str(each["fault"]) for each in faults), f"{len(kept)} checked, {len(faults)} with a fault"]),
        )
        if faults:
            raise SystemExit(NOT_DONE)


# --- deleting and holding -----------------------------------------------------------------------------------------------
@recording.command()
@at_a_place
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted, and why.")
def purge(place: Place, dry_run: bool) -> None:
    """Delete recordings that are older than their queue's retention, except those on legal hold. The daemon does it daily."""
    with opened(place) as at:
        shelf = at.shelf
        due = shelf.due(datetime.now(UTC))
        gone: list[Due] = []
        for each in due:
            if not dry_run and not each.is_held:
                at.record("recording_purge", f"{each.file.path}: {each.why}", each.file.interaction)
                if shelf.remove(each.file, each.why, who()):
                    gone.append(each)
        place.show(
            {"ok": True, "is_dry_run": dry_run, "due": due, "deleted": len(gone)}, lambda: _purge_text(due, gone, dry_run)
        )


def _purge_text(due: list[Due], gone: list[Due], is_dry_run: bool) -> str:
    lines = [f"{each.file.path}: {'held, stays' if each.is_held else each.why}" for each in due]
    stays = sum(each.is_held for each in due)
    counted = f"{len(due) - stays} would be deleted" if is_dry_run else f"{len(gone)} deleted"
    return "\n".join([*lines, f"{counted}, {stays} on legal hold"])


@recording.command()
@at_a_place
@click.argument("call", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="Why, for people: the case's name.")
def hold(place: Place, call: int, reason: str) -> None:
    """Put CALL on legal hold: nothing of its recordings is deleted until it is released."""
    with opened(place) as at:
        held = Hold(interaction=InteractionId(call), by=who(), reason=reason, at=datetime.now(UTC))
        with at.shelf.store.engine.begin() as connection:
            is_new = archive.put_hold(connection, held)
            audit.append(
                connection,
                by=held.by,
                act="recording_hold",
                what=reason,
                is_done=is_new,
                at=held.at,
                interaction=call,
                sealer=at.sealer,
            )
        if not is_new:
            fail(f"call {call} is on legal hold already", NOT_DONE)
        place.show({"ok": True}, lambda: f"call {call} is on legal hold")


@recording.command()
@at_a_place
@click.argument("call", type=click.IntRange(min=1))
def release(place: Place, call: int) -> None:
    """End the legal hold of CALL."""
    with opened(place) as at:
        with at.shelf.store.engine.begin() as connection:
            was_held = archive.drop_hold(connection, InteractionId(call))
            audit.append(
                connection,
                by=who(),
                act="recording_release",
                what=f"call {call}",
                is_done=was_held,
                at=datetime.now(UTC),
                interaction=call,
            )
        if not was_held:
            fail(f"call {call} is not on legal hold", NOT_DONE)
        place.show({"ok": True}, lambda: f"call {call} is not on legal hold any more")


# --- keys ---------------------------------------------------------------------------------------------------------------
makes_key(recording, "recording.key_file")


@recording.command("rotate-key")
@at_a_place
def rotate_key(place: Place) -> None:
    """Have every sealed recording opened by the present `key_file` alone; sounds are not touched. Those before are in `old_key_files`."""
    with opened(place) as at:
        shelf = at.shelf
        if shelf.edge.key is None:
            fail("the configuration has no recording.key_file", REFUSED)
        with shelf.store.engine.connect() as connection:
            sealed = [each for each in archive.kept_files(connection) if each.key_id]
        at.record("recording_rotate_key", f"to key {shelf.edge.key.id}")
        changed, faults = 0, []
        for file in sealed:
            try:
                changed += shelf.rewrap(file)
            except TROUBLES as error:
                faults.append(str(error))
        place.show(
            {"ok": not faults, "key": shelf.edge.key.id, "sealed": len(sealed), "changed": changed, "faults": faults},
            lambda: "\n".join([*faults, f"{changed} of {len(sealed)} given key {shelf.edge.key and shelf.edge.key.id}"]),
        )
        if faults:
            raise SystemExit(NOT_DONE)
