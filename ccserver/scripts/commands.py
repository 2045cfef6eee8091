"""AGI commands as a script writes them: read into words and arguments, and those that are not a script's to give refused.

This keeps mistakes from a call's course, not attackers out: a script runs with the rights of ccserver. What is refused would take the call
out of our loop in the dialplan, change what the loop goes by, join the caller with somebody behind the center's back, or never end.
"""

import re

MAX_BYTES = 1900

_COMMANDS = frozenset(
    {
        "ANSWER",
        "CHANNEL STATUS",
        "CONTROL STREAM FILE",
        "DATABASE DEL",
        "DATABASE DELTREE",
        "DATABASE GET",
        "DATABASE PUT",
        "EXEC",
        "GET DATA",
        "GET FULL VARIABLE",
        "GET OPTION",
        "GET VARIABLE",
        "HANGUP",
        "NOOP",
        "RECEIVE CHAR",
        "RECEIVE TEXT",
        "RECORD FILE",
        "SAY ALPHA",
        "SAY DATE",
        "SAY DATETIME",
        "SAY DIGITS",
        "SAY NUMBER",
        "SAY PHONETIC",
        "SAY TIME",
        "SEND IMAGE",
        "SEND TEXT",
        "SET AUTOHANGUP",
        "SET CALLERID",
        "SET MUSIC",
        "SET VARIABLE",
        "STREAM FILE",
        "TDD MODE",
        "VERBOSE",
        "WAIT FOR DIGIT",
    }
)
_COURSE = "where the call goes on is the flow's to say: return a word"
_JOIN = "calls are joined by the flow: return a word, and let it enqueue or dial"
_WHY = {
    "ASYNCAGI BREAK": _COURSE,
    "GOSUB": _COURSE,
    "SET CONTEXT": _COURSE,
    "SET EXTENSION": _COURSE,
    "SET PRIORITY": _COURSE,
}
_APPLICATIONS = {
    name: why
    for names, why in (
        ("agi asyncagi deadagi eagi externalivr stasis", "this call has its session already"),
        (
            "continuewhile endwhile exitwhile gosub gosubif goto gotoif gotoiftime macro macroexit return stackpop while",
            _COURSE,
        ),
        ("exec execif execiftime tryexec", "name the application itself"),
        (
            "bridge bridgewait chanspy confbridge dial directory extenspy followme meetme originate page park parkandannounce",
            _JOIN,
        ),
        ("parkedcall pickup pickupchan queue retrydial transfer voicemail", _JOIN),
        ("echo milliwatt musiconhold waitexten", "it does not end by itself"),
    )
    for name in names.split()
}
# ${CC_NEXT} and its kind steer our loop in the dialplan, AGIEXITONHANGUP the session itself.
_OURS = re.compile(r"(?<![A-Za-z0-9])_{0,2}(CC_|CCAGI|AGIEXITONHANGUP|AGISTATUS)")
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PART = re.compile(r'\s*((?:"(?:\\.|[^"\\])*"?|\\.|[^\s"\\])+)')

Command = tuple[str, tuple[str, ...]]
"""The words of the command in capitals (`STREAM FILE`), and its arguments without their quotes."""


class CommandRefused(Exception):
    """A command that a script cannot give. The text says why, and what to do instead."""


def read_command(line: str, channel: str) -> Command:
    """`channel`: the name of the call's own. Raises CommandRefused."""
    text = line.rstrip("\n")
    if _UNCLEAN.search(text):
        raise CommandRefused("a command is one line without control characters")
    if len(text.encode()) > MAX_BYTES:
        raise CommandRefused(f"a command has at most {MAX_BYTES} bytes")
    words, arguments = _split(text)
    if words in _WHY:
        raise CommandRefused(f"{words}: {_WHY[words]}")
    if words not in _COMMANDS:
        raise CommandRefused(f"{words or 'nothing'}: AGI has no such command")
    if words == "EXEC":
        application = arguments[0].lower() if arguments else ""
        if application in _APPLICATIONS:
            raise CommandRefused(f"EXEC {arguments[0]}: {_APPLICATIONS[application]}")
    if words == "HANGUP" and arguments and arguments[0] not in ("", channel):
        raise CommandRefused("HANGUP of another call: this is one call's script")
    if words in ("EXEC", "SET VARIABLE") and any(_OURS.search(argument) for argument in arguments):
        raise CommandRefused(f"{words}: names that begin with CC_ and AGI are ccserver's; choose another")
    return words, arguments


def _split(text: str) -> Command:
    """As Asterisk splits a command: quotes and backslashes, and the longest known command in front."""
    parts = [_plain(found[1]) for found in _PART.finditer(text)]
    for count in (3, 2, 1):
        words = " ".join(parts[:count]).upper()
        if len(parts) >= count and (words in _COMMANDS or words in _WHY):
            return words, tuple(parts[count:])
    return " ".join(parts[:1]).upper()[:40], ()


def _plain(part: str) -> str:
    return re.sub(r'\\(.)|"', lambda found: found[1] or "", part)
