"""Which talks are recorded, as it is written under queues, agents, dids and recording: a word, or a table."""

from ccserver.config.kinds import duration
from ccserver.config.positions import Node, PathInFile, Scalar, Table
from ccserver.config.schema import Choice, Field, Flag, Group, Reader, got, hinted, nearest
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy

_WORDS = {
    "true": RecordingMode.ALWAYS,
    "always": RecordingMode.ALWAYS,
    "false": RecordingMode.ON_DEMAND,
    "on_demand": RecordingMode.ON_DEMAND,
    "never": RecordingMode.NEVER,
}


def _policy(mode: RecordingMode, percent: float | None, keeps_start: bool, needs_consent: bool) -> RecordingPolicy:
    """Raises ValueError for what does not belong together."""
    if (percent is not None) != (mode is RecordingMode.SHARE):
        raise ValueError("expected percent with the mode share, and only there (for example {mode: share, percent: 20})")
    if keeps_start and mode is not RecordingMode.ON_DEMAND:
        raise ValueError(f"expected keeps_start with the mode on_demand only, got it with {mode.value} (remove it)")
    return RecordingPolicy(
        mode=mode, percent=100.0 if percent is None else percent, keeps_start=keeps_start, needs_consent=needs_consent
    )


table = Group(
    "a recording policy",
    _policy,
    [
        Field(
            "mode",
            Choice(RecordingMode),
            "always; share: `percent` of the calls; on_demand: when the agent's key or a supervisor asks for it; never: not even then.",
        ),
        Field("percent", duration(0.01, 100, "20"), "The share of the calls in percent.", default=None),
        Field(
            "keeps_start",
            Flag(),
            "With on_demand: recorded from the start, and thrown away after the call unless somebody asked for it.",
            default=False,
        ),
        Field(
            "needs_consent",
            Flag(),
            "Only of customers who were told, or have agreed, in a node `consent` of their flow.",
            default=False,
        ),
    ],
)


class PolicyText:
    """A word (`true` is always, `false` on_demand), or the table."""

    expected = "true, false, always, on_demand, never, or a table with mode, percent, keeps_start, needs_consent"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> RecordingPolicy | None:
        """The policy, or None after telling what is wrong."""
        if isinstance(node, Table):
            return table.read(reader, node, path)
        if isinstance(node, Scalar) and node.text in _WORDS:
            return RecordingPolicy(mode=_WORDS[node.text])
        near = nearest(node.text, _WORDS) if isinstance(node, Scalar) else ""
        hint = f"did you mean {near}?" if near else "for example always"
        if isinstance(node, Scalar) and node.text == "share":
            hint = "write {mode: share, percent: 20}"
        reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", hint), node.mark)
        return None


policy = PolicyText()
