"""What is done with the recordings of one interaction when it is over: rendered, encoded, sealed, put at their place.

Each step is noted in the database when its result is on the disk, and each begins with what an earlier process may have left. So
it may end at any point (kill, disk full, an encoder that fails): the originals are there until the file is at its place and proven,
and whoever comes next goes on with the step that was not noted. The order of what may be lost:

    stretches -> RENDERED (a WAV file in .work) -> ENCODED (and compared) -> KEPT (at its place, sealed, read again, with its
    manifest; noted together with what became of each stretch) -> the originals go -> DONE
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from ccserver.archive import encoders, files, manifest, sealing
from ccserver.archive.encoders import Coding
from ccserver.archive.manifest import Manifest, Mark
from ccserver.archive.render import render
from ccserver.archive.sound import Sound, Unreadable, look_at
from ccserver.archive.timeline import Stretch as Part
from ccserver.config.edges import RecordingFormat
from ccserver.core.ids import InteractionId
from ccserver.core.records import RecordingSide
from ccserver.daemon.shelf import OURSELVES, Shelf
from ccserver.store import archive
from ccserver.store.archive import ArchiveFile, Dossier, FileState, FileStatus, Noted, Stretch


class NotSettled(Exception):
    """Asterisk may still be writing, or history does not know yet that the interaction is over."""


class NotTrue(Exception):
    """What was written does not read back as it was: the disk lies, or somebody else writes in the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Something that was done with an interaction, for the log: a file was kept, or so many things were deleted."""

    interaction: InteractionId
    file: ArchiveFile | None = None
    noted: tuple[Noted, ...] = ()
    deleted: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A stretch and its sides."""

    stretch: Stretch
    caller: Sound | None
    agent: Sound | None

    @property
    def rate(self) -> int:
        return next(sound.rate for sound in (self.caller, self.agent) if sound is not None)


class Archiving:
    """`check` is called between two pieces of work and may raise, to end it."""

    def __init__(self, shelf: Shelf, check: Callable[[], None]) -> None:
        self._shelf = shelf
        self._store = shelf.store
        self._edge = shelf.edge
        self._check = check

    def work_on(self, interaction: InteractionId, *, is_last_look: bool) -> list[Done]:
        """All that can be done now. `is_last_look`: what Asterisk has not closed by now, it never will.

        Raises NotSettled to be called again soon; OSError, SQLAlchemyError, NoEncoder, ProgramFailed, BadEncoding, NotTrue to be called
        again later.
        """
        case = archive.dossier(self._store, interaction)
        if case.is_objected:
            return self._after_objection(case, is_last_look)
        done = []
        for file in case.files:
            if file.state in archive.UNFINISHED:
                done += self._go_on(case, file)
        if not case.is_over:
            raise NotSettled(f"interaction {interaction} is not over")
        case = archive.dossier(self._store, interaction)
        if not case.stretches:
            return done
        self._settle(case.stretches, is_last_look)
        if not case.is_marked:
            done += self._drop_provisional(case)
        for kind in sorted({each.kind for each in case.stretches}, reverse=True):
            left = [each for each in case.stretches if each.kind == kind and (case.is_marked or not each.is_provisional)]
            done += self._make(case, kind, left) if left else []
        return done

    def tidy(self) -> None:
        """At the start: remove what no file needs any more. Raises OSError, SQLAlchemyError."""
        folder = self._edge.local_dir / files.WORK
        needed = {
            self._shelf.work_path(file, coding)
            for number in archive.unfinished(self._store)
            for file in archive.dossier(self._store, number).files
            if file.state in (FileState.RENDERED, FileState.ENCODED)
            for coding in Coding
        }
        if folder.is_dir():
            files.remove(path for path in folder.iterdir() if path not in needed)

    # --- what is not kept -----------------------------------------------------------------------------------------------
    def _after_objection(self, case: Dossier, is_last_look: bool) -> list[Done]:
        self._settle(case.stretches, is_last_look)
        why = "the customer objected"
        count = self._shelf.remove_all(case.interaction, why, OURSELVES)
        return [Done(interaction=case.interaction, deleted=count, why=why)] if count else []

    def _drop_provisional(self, case: Dossier) -> list[Done]:
        why = "nobody asked for it to be kept"
        count = sum(
            self._shelf.remove_stretch(case.interaction, each, why, OURSELVES) for each in case.stretches if each.is_provisional
        )
        return [Done(interaction=case.interaction, deleted=count, why=why)] if count else []

    # --- a new file -----------------------------------------------------------------------------------------------------
    def _settle(self, stretches: Sequence[Stretch], is_last_look: bool) -> None:
        """Asterisk completes a file's header when it closes it."""
        if is_last_look:
            return
        for each in stretches:
            try:
                sounds = [look_at(side) for side in self._told_sides(each)]
            except Unreadable:
                continue
            if not all(sound is not None and sound.is_complete for sound in sounds):
                raise NotSettled(each.path)

    def _make(self, case: Dossier, kind: str, stretches: Sequence[Stretch]) -> list[Done]:
        part = max((file.part + 1 for file in case.files if file.kind == kind), default=0)
        found, noted = self._look(stretches)
        for each in noted:
            archive.note(self._store, each)
        done = [Done(interaction=case.interaction, noted=tuple(noted))] if noted else []
        if not found:
            return done
        file = self._render(case, kind, part, found)
        return done + self._go_on(case, file)

    def _look(self, stretches: Sequence[Stretch]) -> tuple[list[_Found], list[Noted]]:
        """Those with sound; and what is noted of the others."""
        found: list[_Found] = []
        noted: list[Noted] = []
        for each in stretches:
            try:
                caller, agent = (look_at(side) for side in self._shelf.sides(each.path))
                if caller is None and agent is None:
                    noted.append(Noted(path=each.path, status=FileStatus.MISSING, detail="Asterisk wrote no file"))
                    continue
                # Everybody mixed: on both sides, as there is no telling who is whose.
                one = _Found(each, caller, caller if each.side is RecordingSide.MIX else agent)
                rates = {sound.rate for sound in (caller, agent) if sound is not None}
                if len(rates) > 1 or (found and one.rate != found[0].rate):
                    raise Unreadable(
                        f"its files have {', '.join(map(str, sorted(rates)))} samples a second, which others have not"
                    )
                found.append(one)
            except Unreadable as fault:
                noted.append(Noted(path=each.path, status=FileStatus.UNREADABLE, detail=str(fault)))
        return found, noted

    def _render(self, case: Dossier, kind: str, part: int, found: Sequence[_Found]) -> ArchiveFile:
        began_at = min(each.stretch.started_at for each in found)
        coding = self._coding()
        name = files.name_of(case.interaction, kind, part)
        target = self._edge.local_dir / files.WORK / f"{name}.{Coding.WAV.value}"
        parts = [
            Part(
                starts_s=(each.stretch.started_at - began_at).total_seconds(),
                customer=each.caller,
                agent=each.agent,
                pauses=each.stretch.pauses,
            )
            for each in found
        ]
        made = render(parts, target, check=self._check)
        ending = coding.value + (".enc" if self._edge.key else "")
        file = ArchiveFile(
            interaction=case.interaction,
            kind=kind,
            part=part,
            state=FileState.RENDERED,
            path=str(files.folder_of(began_at) / f"{name}.{ending}"),
            coding=coding.value,
            key_id=self._edge.key.id if self._edge.key else "",
            began_at=began_at,
            rate=made.timeline.rate,
            frames=made.timeline.frames,
            duration_s=made.timeline.duration_s,
            bytes=made.bytes,
            sha256="",
            audio_sha256=made.audio_sha256,
            silence_left=made.silence_left,
            silence_right=made.silence_right,
            stretches=tuple(each.stretch.path for each in found),
            detail="; ".join(lack for each in found for lack in self._lacks(each)),
            at=datetime.now(UTC),
        )
        archive.put_file(self._store, file)
        return file

    def _told_sides(self, stretch: Stretch) -> tuple[Path, ...]:
        """The files that Asterisk was told to write. Raises Unreadable."""
        caller, agent = self._shelf.sides(stretch.path)
        match stretch.side:
            case RecordingSide.CUSTOMER | RecordingSide.MIX:
                return (caller,)
            case RecordingSide.AGENTS:
                return (agent,)
            case RecordingSide.BOTH:
                return (caller, agent)

    def _coding(self) -> Coding:
        wanted = self._edge.format
        return encoders.best() if wanted is RecordingFormat.AUTO else Coding(wanted.value)

    def _lacks(self, found: _Found) -> list[str]:
        said = []
        told = self._told_sides(found.stretch)
        for path, sound in zip(self._shelf.sides(found.stretch.path), (found.caller, found.agent), strict=True):
            if sound is None and path not in told:
                continue
            if sound is None:
                said.append(f"{path.name} is missing")
            elif not sound.is_complete:
                said.append(f"{path.name} was never closed by Asterisk")
        return said

    # --- step by step ---------------------------------------------------------------------------------------------------
    def _go_on(self, case: Dossier, file: ArchiveFile) -> list[Done]:
        """From whatever it is to what it should be; nothing for one that must be made again."""
        if file.state is FileState.LEAVING:
            self._shelf.leave(file)
            return [Done(interaction=file.interaction, deleted=1)]
        if file.state is FileState.RENDERED:
            encoded = self._encode(file)
            if encoded is None:
                archive.drop_file(self._store, file)
                return []
            file = encoded
        if file.state is FileState.ENCODED:
            kept = self._keep(case, file)
            if kept is None:
                archive.drop_file(self._store, file)
                return []
            file = kept
        return [Done(interaction=file.interaction, file=self._finish(file))]

    def _encode(self, file: ArchiveFile) -> ArchiveFile | None:
        """None: there is no whole WAV file."""
        source, coding = self._shelf.work_path(file, Coding.WAV), Coding(file.coding)
        if not source.exists() or source.stat().st_size != file.bytes:
            return None
        target = self._shelf.work_path(file, coding)
        if coding is not Coding.WAV:
            draft = target.with_name(
                f"{target.stem}.{token_hex(4)}.{coding.value}"
            )  # an encoder that outlived us writes another
            try:
                encoders.encode(
                    source,
                    draft,
                    coding,
                    rate=file.rate,
                    frames=file.frames,
                    audio_sha256=file.audio_sha256,
                    nice=self._edge.nice,
                    check=self._check,
                )
                files.sync(draft)
                draft.replace(target)
                files.sync_folder(target.parent)
            finally:
                draft.unlink(missing_ok=True)
        sha256 = files.sha256(files.blocks(target))
        encoded = replace(file, state=FileState.ENCODED, sha256=sha256, bytes=target.stat().st_size, at=datetime.now(UTC))
        archive.put_file(self._store, encoded)
        return encoded

    def _keep(self, case: Dossier, file: ArchiveFile) -> ArchiveFile | None:
        """None: there is no whole encoded file."""
        source, target = self._shelf.work_path(file, Coding(file.coding)), self._shelf.path(file)
        if not source.exists() or files.sha256(files.blocks(source)) != file.sha256:
            return None
        content = files.blocks(source)
        if file.key_id:
            key = self._edge.key
            if key is None:  # the settings have changed since
                return None
            file = replace(file, key_id=key.id)
            content = sealing.sealed(content, key.id, key.secret)
        size, _ = files.write(target, content, check=self._check)
        kept = replace(file, state=FileState.KEPT, bytes=size, at=datetime.now(UTC))
        if files.sha256(self._shelf.content(kept)) != kept.sha256:
            raise NotTrue(f"{target} does not read back as it was written")
        manifest.write(self._shelf.manifest_path(kept), self._told(case, kept))
        archive.put_file(self._store, kept, [self._noted(each, kept) for each in case.stretches if each.path in kept.stretches])
        return kept

    def _noted(self, stretch: Stretch, file: ArchiveFile) -> Noted:
        told = self._told_sides(stretch)
        sounds = [look_at(side) for side in told]
        lengths = [sound.frames / sound.rate for sound in sounds if sound is not None]
        return Noted(
            path=stretch.path,
            status=FileStatus.ARCHIVED if len(lengths) == len(told) else FileStatus.ONE_SIDED,
            duration_s=max(lengths, default=0.0),
            bytes=file.bytes,
            sha256=file.sha256,
            detail=file.path,
        )

    def _finish(self, file: ArchiveFile) -> ArchiveFile:
        if not self._shelf.path(file).exists():
            raise NotTrue(f"{self._shelf.path(file)} has gone; what it was made of stays")
        originals = [side for stretch in file.stretches for side in self._shelf.sides(stretch)]
        files.remove([*originals, *self._shelf.work_of(file)])
        done = replace(file, state=FileState.DONE, at=datetime.now(UTC))
        archive.put_file(self._store, done)
        return done

    def _told(self, case: Dossier, file: ArchiveFile) -> Manifest:
        return Manifest(
            interaction=file.interaction,
            kind=file.kind,
            part=file.part,
            file=Path(file.path).name,
            coding=file.coding,
            key_id=file.key_id,
            began_utc_s=file.began_at.timestamp(),
            rate=file.rate,
            frames=file.frames,
            duration_s=file.duration_s,
            bytes=file.bytes,
            sha256=file.sha256,
            audio_sha256=file.audio_sha256,
            silence_left=round(file.silence_left, 4),
            silence_right=round(file.silence_right, 4),
            stretches=file.stretches,
            detail=file.detail,
            marks=tuple(_marks(case, file)),
        )


def _marks(case: Dossier, file: ArchiveFile) -> list[Mark]:
    """In the order of time: stretches, what was silent on purpose, and the parts of the interaction that the file reaches into."""
    marks = []

    def mark(what: str, starts_at: datetime, duration_s: float, agent: str, queue: str) -> None:
        starts_s = round((starts_at - file.began_at).total_seconds(), 3)
        marks.append(Mark(what=what, starts_s=starts_s, duration_s=round(duration_s, 3), agent=agent, queue=queue))

    for each in case.stretches:
        if each.path in file.stretches:
            mark("stretch", each.started_at, each.duration_s, each.agent, each.queue or "")
            for begin, end in each.pauses:
                mark("pause", each.started_at + timedelta(seconds=begin), end - begin, each.agent, each.queue or "")
    ended_at = file.began_at + timedelta(seconds=file.duration_s)
    for span in case.spans:
        if span.started_at < ended_at and span.started_at + timedelta(seconds=span.duration_s) > file.began_at:
            mark(span.kind, span.started_at, span.duration_s, span.agent, span.queue)
    return sorted(marks, key=lambda each: each.starts_s)
