"""Short calls by the number that was shown: in Brazil their share decides whether a user is blocked (Anatel, 2022 to 2026).

Short is what was not completed, or ended within some seconds, whoever hung up. It is reported, and refuses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.core.change import replace
from ccserver.core.dialer.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsOfDay:
    """Calls for which a number was shown on one day."""

    calls: int = 0
    short: int = 0

    @property
    def share(self) -> float:
        """Of short ones, 0 to 1."""
        return self.short / self.calls if self.calls else 0.0


def is_short(rules: Rules, answered_s: float | None) -> bool:
    """Whether a call counts as short under these rules; `answered_s`: how long it lasted after the answer, by voicemail too (a longer one
    does not count since May 2024); None: it was not answered."""
    if rules.short_call_s is None:
        return False
    return answered_s is None or answered_s <= rules.short_call_s


def with_call(days: Mapping[str, CallsOfDay], day: str, *, is_short: bool) -> dict[str, CallsOfDay]:
    """With one more call on that ISO date."""
    known = days.get(day, CallsOfDay())
    return {**days, day: replace(known, calls=known.calls + 1, short=known.short + is_short)}


def is_over(rules: Rules, of: CallsOfDay) -> bool:
    """Whether a day like this one gets the user blocked."""
    if rules.short_call_share is None or rules.short_calls_from is None:
        return False
    return of.calls >= rules.short_calls_from and of.share >= rules.short_call_share
