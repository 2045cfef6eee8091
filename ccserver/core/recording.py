"""What is recorded, and where it goes: one stretch for each leg of an agent, named so that no caller can choose a character of it.

Which rule wins: the customer's objection, or no to the question; then whatever says never; then the most specific policy. Pure.
"""

from datetime import UTC, datetime

from ccserver.core.change import replace
from ccserver.core.ids import AgentId, InteractionId, Language, LegId, PromptId
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.records import ConsentKind
from ccserver.core.settings import QueueSettings, Settings
from ccserver.core.state import CALLBACK, CONSULT, MESSAGE, OUTBOUND, Interaction

NOT_AT_ALL = RecordingPolicy(mode=RecordingMode.NEVER)
AGREED = (ConsentKind.ANNOUNCED, ConsentKind.GRANTED)
REFUSED = (ConsentKind.REFUSED, ConsentKind.UNANSWERED)


def policy(settings: Settings, interaction: Interaction, queue: QueueSettings, agent: AgentId) -> RecordingPolicy:
    """What holds for the talk of an agent with this customer now."""
    if interaction.kind == MESSAGE or interaction.has_objected or interaction.consent in REFUSED:
        return NOT_AT_ALL
    if interaction.kind == CONSULT:
        return RecordingPolicy() if settings.recording.consultations else NOT_AT_ALL
    config, did = settings.agents.get(agent), settings.did(interaction.did)
    is_ours = interaction.kind in (CALLBACK, OUTBOUND)
    direction = settings.recording.outbound if is_ours else settings.recording.inbound
    given = [
        config.record if config else None,
        _of_campaign(settings, interaction),
        did.record if did else None,
        direction,
        queue.record,
    ]
    several = [each for each in given if each is not None]
    needs_consent = any(each.needs_consent for each in several)
    is_never = any(each.mode is RecordingMode.NEVER for each in several)
    if is_never or (needs_consent and interaction.consent not in AGREED):
        return NOT_AT_ALL
    return replace(several[0], needs_consent=needs_consent)


def _of_campaign(settings: Settings, interaction: Interaction) -> RecordingPolicy | None:
    if interaction.outbound is None or settings.dialing is None:
        return None
    campaign = settings.dialing.campaigns.get(interaction.outbound.campaign)
    return campaign.record if campaign else None


def begins(holds: RecordingPolicy, interaction: Interaction) -> bool:
    """Whether a talk is recorded from its start."""
    match holds.mode:
        case RecordingMode.ALWAYS:
            return True
        case RecordingMode.SHARE:
            return _drawn(interaction.id) < holds.percent / 100.0
        case RecordingMode.ON_DEMAND:
            return holds.keeps_start
        case RecordingMode.NEVER:
            return False


def is_provisional(holds: RecordingPolicy) -> bool:
    """Whether a recording is thrown away unless somebody asks for it."""
    return holds.mode is RecordingMode.ON_DEMAND and holds.keeps_start


def _drawn(interaction: InteractionId) -> float:
    """0 to 1, spread evenly over the numbers of interactions, and the same for one interaction whoever talks in it: multiplicative hashing
    (Knuth, The Art of Computer Programming, vol. 3, 6.4)."""
    return (interaction * 2_654_435_761 % 2**32) / 2**32


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


def room_path(directory: str, conference: InteractionId, utc_s: float, before: int = 0) -> str:
    """The path, without ending, of the recording of a conference with a number, after so many `before`."""
    day = datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y/%m/%d")
    again = f"-{before}" if before else ""
    return f"{directory}/{day}/{conference}-room{again}"


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
