"""Recorded streams of a real Asterisk 22, and what the link makes of them.

A trace in `traces/` is what the manager sent to one session, from the greeting on, while one call went its way: account and
rights as in `asterisk-config/ccserver-manager.conf`, real SIP phones, pbx "pbx", incarnation 7.
"""

from collections.abc import Iterable
from pathlib import Path

from ccserver.ami.digits import KeyFilter
from ccserver.ami.link import WANTED
from ccserver.ami.protocol import Fields, MessageReader, StreamCounts
from ccserver.ami.translate import DigitPressed, KeyDown, Scene, Translated, translate
from ccserver.core.ids import PhoneId

TRACES = Path(__file__).parent / "traces"
SCENE = Scene("pbx", tuple(PhoneId(f"PJSIP/{number}") for number in (1001, 1002, 1003)))


def trace(name: str) -> bytes:
    return (TRACES / f"{name}.ami").read_bytes()


def names() -> list[str]:
    return sorted(path.stem for path in TRACES.glob("*.ami"))


def messages(chunks: Iterable[bytes]) -> list[Fields]:
    reader = MessageReader(WANTED, StreamCounts())
    return [fields for chunk in chunks for fields in reader.feed(chunk)]


def facts(chunks: Iterable[bytes]) -> list[Translated]:
    """Everything the stream tells, in order; rows of lists and answers left out."""
    told: list[Translated] = []
    keys = KeyFilter()
    for fields in messages(chunks):
        # Only an OriginateResponse has the ActionID of an action and is no row of a list.
        if "Event" in fields and ("ActionID" not in fields or fields["Event"] == "OriginateResponse"):
            fact = translate(fields, SCENE)
            if isinstance(fact, KeyDown):
                keys.begun(fact.leg)
            elif not isinstance(fact, DigitPressed) or keys.is_pressed(fact.leg):
                told.append(fact)
    return [fact for fact in told if fact is not None]


def transcript(name: str) -> list[str]:
    """The facts of a trace, one short line each; `agent` is our leg, `caller` the other one."""
    lines = []
    for fact in facts([trace(name)]):
        if isinstance(fact, DigitPressed):
            lines.append(f"{'agent' if fact.leg.is_ours() else 'caller'} DigitPressed {fact.digit}")
            continue
        words = [type(fact).__name__]
        leg = getattr(fact, "leg", None)
        if leg is not None:
            words.insert(0, "agent" if leg.is_ours() else "caller")
        for field in ("phone", "state", "cause", "tech_cause", "is_ok", "reason", "command"):
            value = getattr(fact, field, None)
            if value is not None:
                words.append(str(getattr(value, "value", tuple(value) if field == "command" else value)))
        lines.append(" ".join(words))
    return lines
