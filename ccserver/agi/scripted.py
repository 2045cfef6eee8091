"""A channel in the hands of a script: its commands, one at a time, done by the session's own conversation.

So a key counts once here too, whether AMI or AGI showed it, and one that was typed between two commands is there for the next: what waits
for keys is made of the session's slices, not of Asterisk's own commands. Slices also end with the script's time, so that the next verb
has the channel; what cannot be cut short (a prompt, an application) delays that verb by its rest.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ccserver.agi import wire
from ccserver.agi.conversation import SPEECH_LIMIT_S, Conversation, SessionOver
from ccserver.core.commands import RunScript
from ccserver.core.events import VerbEnd
from ccserver.core.expressions import Value

Ended = tuple[VerbEnd, str, Mapping[str, Value]]

_SAYING = frozenset(
    {"STREAM FILE", "SAY ALPHA", "SAY DATE", "SAY DATETIME", "SAY DIGITS", "SAY NUMBER", "SAY PHONETIC", "SAY TIME"}
)
_READS_DIGITS = frozenset({"background", "read", "readexten"})
_FIRST_DIGIT_MS = 6000
_OPTION_MS = 5000
_DIGITS_MAX = 255
# They hold the word of our address, and what our dialplan passes.
_OURS = ("agi_network", "agi_request", "agi_arg_")


class ScriptRun(Protocol):
    """A script in its thread, as seen from here."""

    def ended(self) -> Ended | None:
        """How it ended, with its word and its values; None: it runs."""

    def asked(self) -> tuple[str, tuple[str, ...]] | None:
        """The command whose answer it waits for: its words in capitals, and its arguments."""

    def answer(self, reply: str) -> None:
        """Asterisk's answer, as AGI writes it."""

    def hang_up(self) -> None:
        """The session has no more time for it: to the script that is a caller who hung up."""


class ScriptRunner(Protocol):
    def start(
        self,
        verb: RunScript,
        environment: Mapping[str, str],
        find_prompt: Callable[[str], str | None],
        changed: Callable[[], None],
    ) -> ScriptRun:
        """`find_prompt` is called on the script's thread. `changed`: something new is asked, or it has ended."""


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a script sees of the block that opens a session."""
    return {name: value for name, value in variables.items() if not name.startswith(_OURS)}


async def serve(run: ScriptRun, conversation: Conversation, time_limit_s: float, is_superseded: Callable[[], bool]) -> Ended:
    """Answers the script's commands until it has ended, or its time has: the runner says when. Raises SessionOver."""
    hand = _Hand(conversation, conversation.now_s() + time_limit_s, lambda: run.ended() is not None or is_superseded())
    try:
        while (ended := run.ended()) is None:
            if is_superseded():
                run.hang_up()
                return VerbEnd.SUPERSEDED, "", {}
            asked = run.asked()
            if asked is None:
                await conversation.change()
                continue
            reply = await hand.perform(*asked)
            if reply is not None:
                run.answer(reply)
    except SessionOver:
        run.hang_up()
        raise
    return ended


class _Hand:
    """Performs single commands; each gives the reply, or None when it was given up because the script `is_over`."""

    def __init__(self, conversation: Conversation, deadline_s: float, is_over: Callable[[], bool]) -> None:
        self._conversation = conversation
        self._deadline_s = deadline_s
        self._is_over = is_over

    async def perform(self, words: str, arguments: tuple[str, ...]) -> str | None:
        try:
            match words:
                case "WAIT FOR DIGIT":
                    return _digit_reply(await self._wait(wire.ALL_DIGITS, _milliseconds(arguments, 0, -1)))
                case "GET DATA":
                    return await self._data(arguments)
                case "GET OPTION":
                    return await self._option(arguments)
                case "RECORD FILE":
                    return await self._record(arguments)
                case "RECEIVE CHAR" | "RECEIVE TEXT":
                    return await self._pass(words, self._within(arguments, 0))
                case _ if words in _SAYING:
                    return await self._speak(words, arguments)
                case _:
                    return await self._pass(words, arguments)
        except (wire.NotSendable, ValueError) as fault:
            return f"520-{fault}\n520 End of proper usage."

    async def _pass(self, words: str, arguments: tuple[str, ...], *, is_listening: bool = False) -> str | None:
        """As it is."""
        typed = self._conversation.typed
        line = wire.command(words, *arguments)
        reply = await self._conversation.ask_unless(line, self._is_over, limit_s=SPEECH_LIMIT_S, is_listening=is_listening)
        if reply is None:
            return None
        if words == "CONTROL STREAM FILE" or (words == "EXEC" and arguments and arguments[0].lower() in _READS_DIGITS):
            typed.clear()  # Asterisk has used the keys itself
        elif is_listening and reply.code == wire.OK and reply.result is not None and 0 < reply.result < 128:
            digit = chr(reply.result)
            if typed.first_of(digit):
                typed.take_one_of(digit)  # it is the answer to this command, and no other's
        return _text(reply)

    async def _speak(self, words: str, arguments: tuple[str, ...]) -> str | None:
        """Something that certain keys end: also one that was typed before it began."""
        escape = arguments[1] if len(arguments) > 1 else ""
        if self._conversation.typed.first_of(escape):
            return _digit_reply(self._conversation.typed.take_one_of(escape))
        return await self._pass(words, arguments, is_listening=bool(escape))

    async def _option(self, arguments: tuple[str, ...]) -> str | None:
        file, escape = (*arguments, "", "")[:2]
        timeout_ms = _milliseconds(arguments, 2, _OPTION_MS)
        spoken = await self._speak("STREAM FILE", (file, escape))
        if spoken is None or not spoken.startswith("200 result=0"):
            return spoken
        return _digit_reply(await self._wait(escape, timeout_ms))

    async def _data(self, arguments: tuple[str, ...]) -> str | None:
        typed = self._conversation.typed
        timeout_ms = _milliseconds(arguments, 1, 0) or _FIRST_DIGIT_MS
        most = _milliseconds(arguments, 2, _DIGITS_MAX)
        if not typed:
            line = wire.command("STREAM FILE", arguments[0] if arguments else "", wire.ALL_DIGITS)
            reply = await self._conversation.ask_unless(line, self._is_over, limit_s=SPEECH_LIMIT_S, is_listening=True)
            if reply is None:
                return None
            if reply.result is None or reply.result < 0:
                return _text(reply)
        digits = ""
        while len(digits) < most:
            digit = await self._wait(wire.ALL_DIGITS, timeout_ms)
            if digit is None:
                return None
            if not digit:
                return f"200 result={digits} (timeout)"
            if digit == "#":
                break
            digits += digit
        return f"200 result={digits}"

    async def _record(self, arguments: tuple[str, ...]) -> str | None:
        self._conversation.typed.clear()  # what was typed before does not end the recording
        return await self._pass("RECORD FILE", self._within(arguments, 3), is_listening=True)

    def _within(self, arguments: tuple[str, ...], at: int) -> tuple[str, ...]:
        """The arguments with a duration that ends with the script's time; none or a negative one is endless."""
        left_ms = max(1, int((self._deadline_s - self._conversation.now_s()) * 1000))
        wanted_ms = _milliseconds(arguments, at, 0)
        cut = str(min(wanted_ms, left_ms) if wanted_ms > 0 else left_ms)
        return (*arguments[:at], cut, *arguments[at + 1 :]) if len(arguments) >= at else arguments

    async def _wait(self, wanted: str, timeout_ms: int) -> str | None:
        """The next key out of `wanted`; "" when none came in time. A negative time is as long as the script has."""
        typed = self._conversation.typed
        until_s = self._deadline_s if timeout_ms < 0 else self._conversation.now_s() + timeout_ms / 1000
        while True:
            if digit := typed.take_one_of(wanted):
                return digit
            if self._is_over():
                return None
            if self._conversation.now_s() >= until_s:
                return ""
            await self._conversation.listen_until(min(until_s, self._deadline_s))


def _milliseconds(arguments: tuple[str, ...], at: int, otherwise: int) -> int:
    """Raises ValueError for what is no number."""
    text = arguments[at] if len(arguments) > at else ""
    return int(float(text)) if text else otherwise


def _digit_reply(digit: str | None) -> str | None:
    return None if digit is None else f"200 result={ord(digit) if digit else 0} endpos=0"


def _text(reply: wire.Reply) -> str:
    if reply.code == wire.BAD_USAGE:
        return f"520-{reply.text}\n520 End of proper usage."
    result = "" if reply.result is None else str(reply.result)
    if reply.code != wire.OK:
        return f"{reply.code} {reply.text}".rstrip()
    return f"200 result={result} {reply.text}".rstrip()
