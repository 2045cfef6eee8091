"""Numbers that supervisors mark live: blocked, or served first. They come beside those of the settings, which they cannot change."""

import re

from ccserver.core.records import AuditRecord
from ccserver.core.settings import NumberMark
from ccserver.core.state import Mark
from ccserver.core.step import Step

NUMBER = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
NOTE_MAX = 200


def mark(step: Step, number: str, what: NumberMark | None, note: str, by: str) -> tuple[bool, str]:
    """Mark `number` for the calls that come from now on; None takes its mark away. Returns whether it is done, and a sentence.

    On record in either case.
    """
    is_done, text = _mark(step, number, what, note, by)
    named = f"{number} {what.value if what is not None else 'unmarked'}"
    step.store(AuditRecord(by=by, act="mark_number", what=named, is_done=is_done, at_utc_s=step.now.utc_s))
    return is_done, text


def _mark(step: Step, number: str, what: NumberMark | None, note: str, by: str) -> tuple[bool, str]:
    if not NUMBER.fullmatch(number):
        return False, f"{number!r} is no telephone number: 3 to 20 digits, perhaps with a leading +"
    if len(note) > NOTE_MAX or not note.isprintable():
        return False, f"a note has at most {NOTE_MAX} printable characters"
    if what is not None:
        step.marks.put(number, Mark(mark=what, note=note, by=by, at_utc_s=step.now.utc_s))
        return True, f"{number} is marked: {what.value}"
    if number not in step.marks:
        in_settings = number in step.settings.callers.marks
        return False, f"{number} is marked in the configuration, not live" if in_settings else f"{number} has no mark"
    step.marks.drop(number)
    return True, f"{number} has no mark any more"
