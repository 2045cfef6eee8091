"""What a reload may change while calls go on, and what it may not."""

from dataclasses import dataclass

from ccserver.config import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """How the newest reload went, for `ccserver status`."""

    at_utc_s: float
    is_ok: bool
    text: str


def needs_restart(old: Configuration, new: Configuration) -> list[str]:
    """What `new` changes that only a restart can: each as a sentence, none if the reload may go on."""
    before, after = old.edges, new.edges
    return [
        f"{name} changes: that needs a restart (`systemctl restart ccserver`)"
        for name, was, becomes in (
            ("asterisk", before.asterisk, after.asterisk),
            ("database", before.database, after.database),
            ("recording", before.recording, after.recording),
            ("metrics", before.metrics, after.metrics),
            ("state_dir", before.state_dir, after.state_dir),
            ("control_socket", before.control_socket, after.control_socket),
        )
        if was != becomes
    ]
