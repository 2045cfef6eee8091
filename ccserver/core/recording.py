"""Where recordings go: one stretch for each leg of an agent, named so that no caller can choose a character of it."""

from datetime import UTC, datetime

from ccserver.core.ids import InteractionId, Language, LegId, PromptId


def message_path(directory: str, interaction: InteractionId, utc_s: float, before: int = 0) -> str:
    """The file, with its ending, of the message that a caller leaves, who has left so many `before`; "" when there is no directory. Not
    in a folder of its day: Asterisk makes the folders of recordings, but none for a message."""
    if not directory:
        return ""
    day = datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y-%m-%d")
    again = f"-{before}" if before else ""
    return f"{directory}/message-{day}-{interaction}{again}.wav"


def prompt_path(directory: str, prompt: PromptId, language: Language, utc_s: float, seq: int) -> str:
    """The file, with its ending, into which a supervisor records a prompt. `seq` makes it one of its own."""
    day = datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y-%m-%d")
    return f"{directory}/prompt-{day}-{seq}-{language}-{prompt}.wav"


def path(directory: str, interaction: InteractionId, leg: LegId, utc_s: float, stretch: int = 0) -> str:
    """The path, without ending, of the recording of `leg`; "" when there is no directory: nothing is recorded.

    A folder for each day, in UTC: `<directory>/2026/11/22/<interaction>-<leg>`. `stretch` counts the recordings of the interaction
    before: the same leg may be recorded again after a hold, and must not write over its own file.
    """
    if not directory:
        return ""
    day = datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y/%m/%d")
    again = f"-{stretch}" if stretch else ""
    return f"{directory}/{day}/{interaction}-{leg.uniqueid}{again}"
