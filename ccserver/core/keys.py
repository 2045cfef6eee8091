"""What agents type during a call, outside any session: digits, one by one, become a key of `CallKeys` with its argument.

A key begins where the typed digits can begin one; what cannot is forgotten, but for a digit that may begin another. A half-typed
key is forgotten by the next digit that comes `KEY_S` later: the customer's bank asks for digits too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.core.settings import CallKeys

KEY_S = 3.0
ARGUMENT_MAX = 16


class CallKey(Enum):
    """Named as the fields of `CallKeys`."""

    RELEASE = "release"
    TRANSFER = "transfer"
    CONSULT = "consult"
    CONFERENCE = "conference"
    RECORD = "record"
    PAUSE_RECORDING = "pause_recording"
    OBJECTION = "objection"
    HELP = "help"
    MALICIOUS = "malicious"
    SEND_TO_FLOW = "send_to_flow"
    BACK = "back"


WITH_ARGUMENT = frozenset({CallKey.SEND_TO_FLOW})


@dataclass(frozen=True, slots=True)
class Typed:
    """`pending` is what may still become a key; `key` None: none is complete yet."""

    pending: str
    key: CallKey | None = None
    argument: str = ""


def first_digits(keys: CallKeys) -> str:
    """What a key may begin with."""
    return "".join(sorted({getattr(keys, key.value)[0] for key in CallKey}))


def read(keys: CallKeys, pending: str, digit: str, idle_s: float) -> Typed:
    """What the typed digits are with one more. `idle_s`: how long ago the one before was typed."""
    table = {getattr(keys, key.value): key for key in CallKey}
    text = (pending if idle_s <= KEY_S else "") + digit
    while text:
        found = _match(table, text)
        if found is not None:
            return found
        text = text[1:]
    return Typed("")


def _match(table: Mapping[str, CallKey], text: str) -> Typed | None:
    """None: no key begins like this."""
    for code, key in table.items():
        if key not in WITH_ARGUMENT:
            if text == code:
                return Typed("", key)
        elif text.startswith(code):
            argument = text[len(code) :]
            if argument.endswith("#"):
                return Typed("", key, argument[:-1])
            if "*" not in argument and len(argument) <= ARGUMENT_MAX:
                return Typed(text)
    return Typed(text) if any(code.startswith(text) for code in table) else None
