"""The threads of scripts, by hand: a test says what a script asks and how it ends."""

from collections.abc import Callable, Mapping

from ccserver.agi.scripted import Ended
from ccserver.core.commands import RunScript
from ccserver.core.events import VerbEnd
from ccserver.core.expressions import Value


class ScriptDouble:
    """The last script that a session started."""

    def __init__(self) -> None:
        self.verb: RunScript | None = None
        self.environment: Mapping[str, str] = {}
        self.find_prompt: Callable[[str], str | None] = lambda name: None
        self.answers: list[str] = []
        self.is_hung_up = False
        self._changed: Callable[[], None] = lambda: None
        self._asked: tuple[str, tuple[str, ...]] | None = None
        self._ended: Ended | None = None

    def start(
        self,
        verb: RunScript,
        environment: Mapping[str, str],
        find_prompt: Callable[[str], str | None],
        changed: Callable[[], None],
    ) -> "ScriptDouble":
        self.verb, self.environment, self.find_prompt, self._changed = verb, environment, find_prompt, changed
        self._asked, self._ended, self.is_hung_up = None, None, False
        self.answers.clear()
        return self

    # --- the session's side -------------------------------------------------------------------------------------------
    def ended(self) -> Ended | None:
        return self._ended

    def asked(self) -> tuple[str, tuple[str, ...]] | None:
        return self._asked

    def answer(self, reply: str) -> None:
        self._asked = None
        self.answers.append(reply)

    def hang_up(self) -> None:
        self._asked, self.is_hung_up = None, True

    # --- the test's side ----------------------------------------------------------------------------------------------
    def asks(self, words: str, *arguments: str) -> None:
        """The script gives a command."""
        self._asked = (words, arguments)
        self._changed()

    def ends(self, end: VerbEnd = VerbEnd.DONE, word: str = "", **values: Value) -> None:
        """The script returns, or its time is over."""
        self._asked = None if end is VerbEnd.TIMEOUT else self._asked
        self._ended = (end, word, values)
        self._changed()

    def took(self) -> str:
        """The answer to the last command."""
        (answer,) = self.answers
        self.answers.clear()
        return answer
