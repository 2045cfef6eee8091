"""What a reload may change while calls go on, and what it may not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """How the newest reload went, for `ccserver status`."""

    at_utc_s: float
    is_ok: bool
    text: str
