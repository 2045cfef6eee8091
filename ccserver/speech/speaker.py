"""Answers a caller's session: which files say this value in this language?

At once when they are there; else they are made on a thread, few at a time, each only once however many callers wait for it. A caller who
has waited long enough cancels the answer: the value is not said, and is there for the next one. An engine that fails or hangs again and
again is left alone for a while, so that a broken one costs no caller any time.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ccserver.config.edges import EdgeSettings, NumbersBy
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.speech.clips import Clip, Clips
from ccserver.speech.engines import EngineFailed
from ccserver.speech.words import Part, Unspeakable, parts

log = structlog.stdlib.get_logger(__name__)

HANGS_AFTER_S = 3.0
"""When a caller gives up, an engine that has been at one value for so long counts as one that failed; else it only had much to do."""
AT_ONCE = 2
"""Threads that speak at the same time."""
MAX_QUEUED = 60
FAILURES_BEFORE_REST = 3
REST_S = 30.0
SWEEP_EVERY = 500
"""After so many new values the old ones are looked through."""
_BY_ASTERISK = frozenset({SpokenKind.DIGITS, SpokenKind.NUMBER, SpokenKind.SPELLED})

Paths = tuple[str, ...]


class Clock(Protocol):
    """The part of Twisted's IReactorTime that is used here."""

    def seconds(self) -> float: ...


class OnThread(Protocol):
    def __call__(self, work: Callable[[], None], /) -> "Deferred[None]": ...


@dataclass(slots=True)
class SpeechCounters:
    """Since the start."""

    made: int = 0
    failed: int = 0
    late: int = 0
    """Callers who went on without a value that was not ready in time."""


@dataclass(slots=True)
class _Rendering:
    clip: Clip
    clips: Clips
    done: list[Callable[[bool], None]] = field(default_factory=list)
    started_s: float = 0.0
    """When it came to a thread; 0 while it waits for one."""


class Speaker:
    """For the thread of the event loop only. `edges` is asked each time, so that a reload is seen; `wall_s` is the clock of files."""

    def __init__(
        self, *, edges: Callable[[], EdgeSettings], on_thread: OnThread, clock: Clock, wall_s: Callable[[], float] = time.time
    ) -> None:
        self.counters = SpeechCounters()
        self._edges = edges
        self._on_thread = on_thread
        self._clock = clock
        self._wall_s = wall_s
        self._clips: tuple[EdgeSettings, Clips] | None = None
        self._renderings: dict[tuple[Path, str], _Rendering] = {}
        self._queue: deque[_Rendering] = deque()
        self._running: dict[int, _Rendering] = {}
        self._failures = 0
        self._rests_until_s = 0.0

    def say(self, piece: Spoken, language: Language) -> "Paths | Deferred[Paths | None] | None":
        """The files for a value, as Asterisk is given them, in order; a Deferred while they are made, which may be cancelled; None
        when we cannot say it, and what Asterisk has of its own must do."""
        edges = self._edges()
        if piece.kind in _BY_ASTERISK and edges.numbers.get(language, NumbersBy.SPEECH) is NumbersBy.ASTERISK:
            return None
        try:
            wanted = parts(piece, language)
        except Unspeakable as fault:
            log.warning("speech.unspeakable", language=language, reason=str(fault))
            return None
        clips = self._clips_of(edges)
        found = [self._found(clips, part, language) for part in wanted]
        paths = tuple(each for each in found if isinstance(each, str))
        if len(paths) == len(found):
            return paths
        missing = {each.key: each for each in found if isinstance(each, Clip)}
        if self._clock.seconds() < self._rests_until_s or len(self._queue) + len(missing) > MAX_QUEUED:
            return None
        return _Awaited(self, clips, found, missing).answer

    def _clips_of(self, edges: EdgeSettings) -> Clips:
        if self._clips is None or self._clips[0] is not edges:
            self._clips = (edges, Clips(edges))
        return self._clips[1]

    def _found(self, clips: Clips, part: Part, language: Language) -> str | Clip:
        recorded = clips.recorded(part, language)
        if recorded is not None:
            return recorded
        clip = clips.clip(part, language)
        return clips.found(clip, self._wall_s()) or clip

    def path(self, clips: Clips, clip: Clip) -> str | None:
        return clips.found(clip, self._wall_s())

    # --- making -------------------------------------------------------------------------------------------------------
    def render(self, clips: Clips, clip: Clip, done: Callable[[bool], None]) -> None:
        """`done` is told once, whether the file is there."""
        key = (clips.folder, clip.key)
        rendering = self._renderings.get(key)
        if rendering is None:
            rendering = self._renderings[key] = _Rendering(clip, clips)
            self._queue.append(rendering)
        rendering.done.append(done)
        self._work()

    def _work(self) -> None:
        while self._queue and len(self._running) < AT_ONCE:
            rendering = self._queue.popleft()
            rendering.started_s = self._clock.seconds()
            self._running[id(rendering)] = rendering
            made = self._on_thread(partial(rendering.clips.make, rendering.clip))
            made.addCallbacks(partial(self._made, rendering), partial(self._failed, rendering))
            made.addErrback(lambda failure: log.error("speech.faulted", reason=failure.getTraceback()))

    def _made(self, rendering: _Rendering, _: None) -> None:
        self.counters.made += 1
        self._failures = 0
        self._end(rendering, is_made=True)
        if self.counters.made % SWEEP_EVERY == 0:
            swept = self._on_thread(partial(self._sweep, rendering.clips))
            swept.addErrback(lambda failure: log.error("speech.sweep_failed", reason=failure.getErrorMessage()))

    def _sweep(self, clips: Clips) -> None:
        """On a thread."""
        log.info("speech.swept", clips=clips.sweep(self._wall_s()))

    def _failed(self, rendering: _Rendering, failure: Failure) -> None:
        self.counters.failed += 1
        is_expected = isinstance(failure.value, EngineFailed | OSError)
        reason = failure.getErrorMessage() if is_expected else failure.getTraceback()
        # Not the words: they may be somebody's name.
        log.error("speech.failed", language=rendering.clip.language, reason=reason, mend="run `ccserver doctor`")
        self._count_failure()
        self._end(rendering, is_made=False)

    def _end(self, rendering: _Rendering, *, is_made: bool) -> None:
        self._running.pop(id(rendering), None)
        del self._renderings[(rendering.clips.folder, rendering.clip.key)]
        for done in rendering.done:
            done(is_made)
        self._work()

    def given_up(self) -> None:
        """A caller has waited long enough."""
        self.counters.late += 1
        if any(self._clock.seconds() - each.started_s >= HANGS_AFTER_S for each in self._running.values()):
            self._count_failure()

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_REST:
            self._rests_until_s = self._clock.seconds() + REST_S
            self._failures = FAILURES_BEFORE_REST - 1  # afterwards one is enough
            log.error("speech.rests", rest_s=REST_S, mend="run `ccserver doctor`")
            waiting, self._queue = self._queue, deque()
            for rendering in waiting:
                self._end(rendering, is_made=False)


class _Awaited:
    """The answer to one caller: all files, or None at the first that fails or when it is cancelled."""

    def __init__(self, speaker: Speaker, clips: Clips, found: list[str | Clip], missing: dict[str, Clip]) -> None:
        self.answer: Deferred[Paths | None] = Deferred(self._cancelled)
        self._speaker = speaker
        self._clips = clips
        self._found = found
        self._left = len(missing)
        for clip in missing.values():
            speaker.render(clips, clip, self._rendered)

    def _rendered(self, is_made: bool) -> None:
        self._left -= 1
        if self.answer.called:
            return
        if not is_made:
            self.answer.callback(None)
        elif self._left == 0:
            paths = [each if isinstance(each, str) else self._speaker.path(self._clips, each) for each in self._found]
            self.answer.callback(tuple(path for path in paths if path is not None) if None not in paths else None)

    def _cancelled(self, answer: "Deferred[Paths | None]") -> None:
        self._speaker.given_up()
        if not answer.called:  # a rest that began just now has answered it
            answer.callback(None)
