"""A function tried without a call: in an administrator's tests, and by `ccserver script run`.

    line = Rehearsal(digits="1")
    assert line.run(confirm, Call(parameters={"customer": "4711"})) == Result("confirmed")
    assert line.said == ["appointment-on", "2026-12-24"]

The line answers as a session does, without Asterisk: prompts take no time, and digits are typed when they are asked for.
"""

from collections import deque
from collections.abc import Callable

from asterisk.agi import AGISIGHUPHangup

from ccserver.scripts.call import Call, Given, Result, read_result
from ccserver.scripts.line import ScriptAgi

CHANNEL = "PJSIP/rehearsal-00000001"
_SPEAKING = {"STREAM FILE", "CONTROL STREAM FILE", "GET OPTION", "GET DATA"}
_SAYING = {"SAY ALPHA", "SAY DATE", "SAY DATETIME", "SAY DIGITS", "SAY NUMBER", "SAY PHONETIC", "SAY TIME"}
_ESCAPED = {*_SAYING, "STREAM FILE", "CONTROL STREAM FILE", "GET OPTION"}


class Rehearsal:
    """A line on which nobody is. `digits` are typed one after the other when they are asked for; a `!` among them is the caller hanging
    up. `more_digits` is asked for a digit when they are used up; it gives "" for none in time. `commands` are all AGI commands given."""

    def __init__(self, digits: str = "", *, more_digits: Callable[[], str] = lambda: "") -> None:
        self.said: list[str] = []
        """What the caller would hear, in order: names of prompts and sounds, numbers, digits."""
        self.commands: list[str] = []
        self.refused: list[str] = []
        """Commands that a script cannot give, with the reason."""
        self.variables: dict[str, str] = {}
        self.is_over = False
        self.on_said: Callable[[str], object] = self.said.append
        self._digits = deque(digits)
        self._more = more_digits

    def run(self, function: Callable[[ScriptAgi, Call], object], call: Call | None = None) -> Result:
        """Runs a function with the call; its result as a flow would see it. Raises what the function raises, and BadResult."""
        given: Given = read_result(function(self.agi(), call or Call()))
        return Result(given.word, **given.values)

    def agi(self) -> ScriptAgi:
        """For functions that are called in another way."""
        environment = {"agi_channel": CHANNEL, "agi_language": "en", "agi_uniqueid": "1700000000.1", "agi_callerid": "unknown"}
        return ScriptAgi(self, environment, lambda name: None, self.refused.append)

    def ask(self, words: str, arguments: tuple[str, ...]) -> str:
        """What the session would answer. Raises pyst2's AGIHangup after a hang-up."""
        if self.is_over:
            raise AGISIGHUPHangup("The caller has hung up")
        self.commands.append(" ".join((words, *arguments)))
        if words in _SPEAKING | _SAYING:
            self.on_said(arguments[0] if arguments else "")
        if words in _ESCAPED:
            escape = arguments[1] if len(arguments) > 1 else ""
            digit = self._typed() if escape and self._digits and self._digits[0] in f"{escape}!" else ""
            if not digit and words == "GET OPTION":
                digit = self._typed()
                digit = digit if digit in escape else ""
            return f"200 result={ord(digit) if digit else 0} endpos=0"
        match words:
            case "WAIT FOR DIGIT":
                digit = self._typed()
                return f"200 result={ord(digit) if digit else 0}"
            case "GET DATA":
                return self._data(int(arguments[2]) if len(arguments) > 2 else 255)
            case "SET VARIABLE" if len(arguments) > 1:
                self.variables[arguments[0]] = arguments[1]
                return "200 result=1"
            case "GET VARIABLE" | "GET FULL VARIABLE":
                value = self.variables.get(arguments[0]) if arguments else None
                return "200 result=0" if value is None else f"200 result=1 ({value})"
            case "DATABASE GET":
                return "200 result=0"
            case "HANGUP":
                self.is_over = True
                return "200 result=1"
            case "CHANNEL STATUS":
                return "200 result=6"
            case "RECORD FILE":
                return "200 result=35 (dtmf) endpos=8000"
            case _:
                return "200 result=0"

    def _data(self, most: int) -> str:
        digits = ""
        while len(digits) < most:
            digit = self._typed()
            if digit == "#":
                return f"200 result={digits}"
            if not digit:
                return f"200 result={digits} (timeout)"
            digits += digit
        return f"200 result={digits}"

    def _typed(self) -> str:
        digit = self._digits.popleft() if self._digits else self._more()
        if digit == "!":
            self.is_over = True
            raise AGISIGHUPHangup("The caller has hung up")
        return digit
