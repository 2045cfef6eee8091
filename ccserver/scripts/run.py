"""One run of a function, in a thread of its own.

Everything public is called on the loop's thread, but for `ask`. The function's thread tells the loop by `post`, and is told by a queue;
neither ever waits for a lock of the other.

A thread cannot be ended from outside. What can be done: its next AGI command raises, a command that it waits for raises, and Python raises
in it between two instructions. What is blocked outside of Python (a sleep, a socket without a time limit) goes on until that returns.
"""

import ctypes
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Protocol

from asterisk.agi import AGISIGHUPHangup

from ccserver.scripts.commands import Command
from ccserver.scripts.output import Output, speak_through


class ScriptStopped(BaseException):
    """The time of a script is over, or the call goes on elsewhere. It passes through `except Exception`; `finally` and `with` are done."""


class Work(Protocol):
    """What a run does on its thread."""

    def __call__(self, run: "ScriptRun", /) -> object: ...


_END = object()
# A thread that is in these may hold a lock which others need: it is not ended there, but a moment later.
_NOT_IN = ("/logging/", "/importlib/", "<frozen importlib", "/ccserver/scripts/", "/twisted/", "/asyncio/")


class ScriptRun:
    """`post` has the loop do something soon. `changed` is called (on the loop) when there is a command to answer, and at the end."""

    def __init__(
        self,
        name: str,
        work: Work,
        *,
        post: Callable[[Callable[[], object]], None],
        changed: Callable[[], None],
        ended: Callable[["ScriptRun"], None],
        tell: Callable[[int, str], None],
    ) -> None:
        self.name = name
        self.is_ended = False
        self.returned: object = None
        self.raised: BaseException | None = None
        self._work = work
        self._post = post
        self._changed = changed
        self._ended = ended
        self._output = Output(lambda level, text: post(lambda: tell(level, text)))
        self._asked: Command | None = None
        self._answers: SimpleQueue[str | object] = SimpleQueue()
        self._is_hung_up = False
        self._is_stopped = False
        self._is_leaving = False
        self._thread = threading.Thread(target=self._run, name=f"script {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # --- the loop's side ----------------------------------------------------------------------------------------------
    def asked(self) -> Command | None:
        """The command that waits for its answer."""
        return self._asked

    def answer(self, reply: str) -> None:
        self._asked = None
        self._answers.put(reply)

    def hang_up(self) -> None:
        """The caller has gone: from now on each AGI command raises AGIHangup. The function may still finish what it does."""
        self._is_hung_up = True
        self._asked = None
        self._answers.put(_END)

    def stop(self) -> None:
        """Its time is over: each AGI command raises ScriptStopped."""
        self._is_stopped = True
        self._asked = None
        self._answers.put(_END)

    def interrupt(self) -> None:
        """Raises ScriptStopped in the thread, where that can be done now."""
        ident = self._thread.ident
        frame = None if ident is None else sys._current_frames().get(ident)
        if ident is None or self._is_leaving or frame is None or _is_delicate(frame):
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(ScriptStopped))

    # --- the thread's side --------------------------------------------------------------------------------------------
    def ask(self, words: str, arguments: tuple[str, ...]) -> str:
        """Raises AGIHangup or ScriptStopped."""
        self._raise_when_over()
        self._post(lambda: self._take((words, arguments)))
        reply = self._answers.get()
        self._raise_when_over()
        assert isinstance(reply, str)
        return reply

    def _raise_when_over(self) -> None:
        if self._is_stopped:
            raise ScriptStopped
        if self._is_hung_up:
            raise AGISIGHUPHangup("The caller has hung up, or the call goes on elsewhere")

    def _take(self, command: Command) -> None:
        if not self._is_stopped and not self._is_hung_up:
            self._asked = command
            self._changed()

    def _run(self) -> None:
        try:
            speak_through(self._output)
            try:
                self.returned = self._work(self)
            except BaseException as error:  # whatever it is, it is how the function ended
                self.raised = error
            self._output.end()
        except ScriptStopped as stopped:  # raised from outside, between the instructions here
            self.raised = self.raised or stopped
        while True:
            try:
                self._is_leaving = True
                speak_through(None)
                # Takes back what was raised and has not come yet.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)
                self._post(self._over)
                return
            except ScriptStopped:
                continue

    def _over(self) -> None:
        if not self.is_ended:
            self.is_ended = True
            self._ended(self)
            self._changed()


def _is_delicate(frame: FrameType) -> bool:
    """By the innermost frame, the one that would be left."""
    return any(part in frame.f_code.co_filename for part in _NOT_IN)
