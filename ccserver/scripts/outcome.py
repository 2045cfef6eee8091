"""How runs end, and a run as a session sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ccserver.core.events import VerbEnd
from ccserver.core.expressions import Value
from ccserver.scripts.call import Given
from ccserver.scripts.commands import Command
from ccserver.scripts.run import ScriptRun

Ended = tuple[VerbEnd, str, Mapping[str, Value]]
"""The end, the word and the values."""


class ScriptFailed(Exception):
    """A function gave no answer: it raised, took too long, or there is no place or no such function. The text says which; the log why."""


_NOTHING = Given()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`given` is what a function with a call gave, `answer` what one for a look-up did; `reason` is why there is neither."""

    end: VerbEnd
    given: Given = _NOTHING
    answer: Mapping[str, object] | None = None
    reason: str = ""


class CallRun:
    """A function with a call, as the session sees it. Everything here is called on the loop's thread."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.run: ScriptRun | None = None
        self._changed = changed
        self._ended: Ended | None = None

    def ended(self) -> Ended | None:
        """How it ended, with its word and its values; None: it runs."""
        return self._ended

    def asked(self) -> Command | None:
        """The command whose answer it waits for."""
        return None if self.run is None else self.run.asked()

    def answer(self, reply: str) -> None:
        if self.run is not None:
            self.run.answer(reply)

    def hang_up(self) -> None:
        """The session is over, or does something else: the function sees a caller who has hung up, and has the rest of its time."""
        if self.run is not None and not self.run.is_ended:
            self.run.hang_up()

    # --- for the runner -----------------------------------------------------------------------------------------------
    def thread_changed(self) -> None:
        self._changed()

    def over(self, outcome: Outcome) -> None:
        if self._ended is None:
            self._ended = (outcome.end, outcome.given.word, outcome.given.values)
            self._changed()
