"""Why somebody may not listen, or not now: a word for the phone, and a sentence for whoever asked by the control socket."""

from enum import Enum


class Refusal(Enum):
    """`prompt` is said, `text` is part of the interface. Who tries numbers at a phone learns nothing: UNKNOWN and NOT_ALLOWED sound
    alike."""

    NOT_ALLOWED = ("cc-not-allowed", "the role does not allow it")
    UNKNOWN = ("cc-not-allowed", "there is no such agent or queue")
    NO_PHONE = ("cc-not-allowed", "there is no such phone")
    TOO_MANY = ("cc-watch-not-now", "too many sessions at once")
    NO_CALL = ("cc-watch-no-call", "the agent has no call")
    NOT_NOW = ("cc-watch-not-now", "not now: the call is on its way to somebody, or whoever would take it has other work")
    NOT_HERE = (
        "cc-watch-not-here",
        "to take a call over, another agent must be logged in at that phone, which is no headset and not outside",
    )
    NO_RECORD = ("cc-watch-no-record", "it could not be put on record: the audit log is not written; nothing was done")

    @property
    def prompt(self) -> str:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]
