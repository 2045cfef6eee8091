"""Where recordings go: one stretch for each leg of an agent, named so that no caller can choose a character of it."""

from datetime import UTC, datetime

from ccserver.core.ids import InteractionId, LegId


def path(directory: str, interaction: InteractionId, leg: LegId, utc_s: float) -> str:
    """The path, without ending, of the recording of `leg`; "" when there is no directory: nothing is recorded.

    A folder for each day, in UTC: `<directory>/2026/11/22/<interaction>-<leg>`.
    """
    if not directory:
        return ""
    day = datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y/%m/%d")
    return f"{directory}/{day}/{interaction}-{leg.uniqueid}"
