"""A campaign's account of abandoned calls, and the rule that it is counted by, in words."""

from typing import Protocol

from ccserver.core.campaign_views import AccountView
from ccserver.core.dialer.terms import AbandonWindow, ShareOf

WINDOWS = {AbandonWindow.DAY: "any 24 hours", AbandonWindow.MONTH: "any 30 days, and each 30 days since the campaign began"}
_SHORT = {AbandonWindow.DAY: "24 hours", AbandonWindow.MONTH: "30 days"}


class Counting(Protocol):
    """What an account, or a part of its evidence, says of its rule."""

    @property
    def preset(self) -> str: ...
    @property
    def max_abandon(self) -> float: ...
    @property
    def share_of(self) -> ShareOf: ...
    @property
    def abandon_window(self) -> AbandonWindow: ...
    @property
    def counts_amd_errors(self) -> bool: ...


def rule_text(by: Counting) -> str:
    """How the share is counted."""
    lost = "abandoned + people taken for machines" if by.counts_amd_errors else "abandoned"
    of = "connected" if by.share_of is ShareOf.CONNECTED else f"(connected + {lost})"
    lost = f"({lost})" if by.counts_amd_errors else lost
    return f"rules {by.preset}: share = {lost} / {of}, at most {by.max_abandon:.2%} in {WINDOWS[by.abandon_window]}"


def account_text(book: AccountView) -> str:
    """How it stands."""
    tally = book.tally
    lost = tally.abandoned + (tally.amd_errors if book.counts_amd_errors else 0)
    is_of_connected = book.share_of is ShareOf.CONNECTED
    of = "put through" if is_of_connected else "answered by people"
    count = tally.connected if is_of_connected else tally.connected + lost
    return (
        f"{lost} of {count} {of} in {_SHORT[book.abandon_window]}, {book.share:.2%} by the account (at most {book.max_abandon:.2%}, "
        f"rules {book.preset}); {book.room} more may be"
    )
