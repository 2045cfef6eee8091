"""The abandonment account of a campaign: who answered and found no agent, held against who answered, by the rule's own formula.

The rules say what counts (`counted`), against what (`ShareOf`) and over which time (`AbandonWindow`). What a bucket of the window holds is
forgotten as a whole; as long as part of it is still inside, its abandoned calls count and its good ones do not. So the share is never
taken for smaller than it is, at any instant. A month is looked at twice, as any 30 days and as the 30 days that the campaign is in (the US
count the latter), and the worse of them counts.

The account is a value: it goes through the codec, and a center that was restarted goes on with it.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ccserver.core.change import replace
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.terms import DAY_S, AbandonWindow, ClockStart, ShareOf
from ccserver.core.ids import CampaignId

MONTH_S = 30 * DAY_S
WIDTH_S = {AbandonWindow.DAY: 900.0, AbandonWindow.MONTH: 14_400.0}
SPAN_S = {AbandonWindow.DAY: DAY_S, AbandonWindow.MONTH: MONTH_S}
ROOM_MAX = 1_000_000
"""More than that nobody has in flight."""
GRACE_S = 900.0
"""What a bucket held is told so long after its end: a call may end late."""


class Counted(Enum):
    """What an answered call is to the account."""

    CONNECTED = "connected"  # an agent was there in time
    ABANDONED = "abandoned"  # nobody was, or too late
    AMD_ERROR = "amd_error"  # a person who was taken for a machine
    MACHINE = "machine"
    LEFT = "left"  # the person hung up before it was too late


def counted(
    rules: Rules, *, answered_s: float, greeting_end_s: float | None, connected_s: float | None, left_s: float | None
) -> Counted:
    """What a call is that a person answered. `left_s`: when the person hung up. A greeting of which nobody knows when it ended has no
    length."""
    start_s = answered_s
    if rules.clock_start is ClockStart.GREETING_END and greeting_end_s is not None:
        start_s = max(answered_s, greeting_end_s)
    limit_s = start_s + rules.connect_s
    if connected_s is not None and connected_s <= limit_s:
        return Counted.CONNECTED
    return Counted.LEFT if left_s is not None and left_s <= limit_s else Counted.ABANDONED


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Calls by what they were. `told`: abandoned ones whose callee heard who called."""

    connected: int = 0
    abandoned: int = 0
    amd_errors: int = 0
    machines: int = 0
    left: int = 0
    told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What was counted in a part of the window."""

    from_utc_s: float
    tally: Tally
    is_settled: bool = False
    """Its evidence was given out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`days` and `months`: the buckets of either window, in the order of time; both are kept, so that other rules find what they need."""

    campaign: CampaignId
    since_utc_s: float
    """When the campaign began: the periods of 30 days start there."""
    days: tuple[Bucket, ...] = ()
    months: tuple[Bucket, ...] = ()
    period_from_utc_s: float
    period: Tally = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What happened in a part of the account's time, to be kept and exported, with the rule that it was counted by."""

    campaign: CampaignId
    from_utc_s: float
    until_utc_s: float
    tally: Tally
    preset: str
    max_abandon: float
    share_of: ShareOf
    abandon_window: AbandonWindow
    counts_amd_errors: bool
    share: float
    """Of the whole window, when this was written."""


# --- counting ---------------------------------------------------------------------------------------------------------------
def opened(campaign: CampaignId, now_utc_s: float) -> Account:
    """The account of a campaign that begins."""
    return Account(campaign=campaign, since_utc_s=now_utc_s, period_from_utc_s=now_utc_s)


def count(account: Account, what: Counted, at_utc_s: float, now_utc_s: float, *, is_told: bool = False) -> Account:
    """With one more answered call. `at_utc_s`: when it was answered; what comes late is put where it belongs."""
    at_utc_s = min(at_utc_s, now_utc_s)
    account = aged(account, now_utc_s)
    one = _one(what, is_told)
    return replace(
        account,
        days=_put(account.days, AbandonWindow.DAY, one, at_utc_s, now_utc_s),
        months=_put(account.months, AbandonWindow.MONTH, one, at_utc_s, now_utc_s),
        period=_sum(account.period, one) if at_utc_s >= account.period_from_utc_s else account.period,
    )


def aged(account: Account, now_utc_s: float) -> Account:
    """Without what is out of both windows."""
    ended = int(max(0.0, now_utc_s - account.period_from_utc_s) // MONTH_S)
    if ended:
        account = replace(account, period_from_utc_s=account.period_from_utc_s + ended * MONTH_S, period=Tally())
    days, months = _kept(account.days, AbandonWindow.DAY, now_utc_s), _kept(account.months, AbandonWindow.MONTH, now_utc_s)
    is_same = len(days) == len(account.days) and len(months) == len(account.months)
    return account if is_same else replace(account, days=days, months=months)


def _kept(buckets: tuple[Bucket, ...], window: AbandonWindow, now_utc_s: float) -> tuple[Bucket, ...]:
    first = 0
    while first < len(buckets) and buckets[first].from_utc_s + WIDTH_S[window] <= now_utc_s - SPAN_S[window]:
        first += 1
    return buckets[first:]


def _put(
    buckets: tuple[Bucket, ...], window: AbandonWindow, one: Tally, at_utc_s: float, now_utc_s: float
) -> tuple[Bucket, ...]:
    width_s = WIDTH_S[window]
    start_s = at_utc_s // width_s * width_s
    if start_s + width_s <= now_utc_s - SPAN_S[window]:
        return buckets
    place = len(buckets)
    if buckets and start_s <= buckets[-1].from_utc_s:
        place = bisect.bisect_left(buckets, start_s, key=_start)
    if place < len(buckets) and buckets[place].from_utc_s == start_s:
        bucket = Bucket(from_utc_s=start_s, tally=_sum(buckets[place].tally, one))
        return (*buckets[:place], bucket, *buckets[place + 1 :])
    return (*buckets[:place], Bucket(from_utc_s=start_s, tally=one), *buckets[place:])


def _start(bucket: Bucket) -> float:
    return bucket.from_utc_s


def _one(what: Counted, is_told: bool) -> Tally:
    match what:
        case Counted.CONNECTED:
            return Tally(connected=1)
        case Counted.ABANDONED:
            return Tally(abandoned=1, told=int(is_told))
        case Counted.AMD_ERROR:
            return Tally(amd_errors=1)
        case Counted.MACHINE:
            return Tally(machines=1)
        case Counted.LEFT:
            return Tally(left=1)


def _sum(tally: Tally, one: Tally) -> Tally:
    return Tally(
        connected=tally.connected + one.connected,
        abandoned=tally.abandoned + one.abandoned,
        amd_errors=tally.amd_errors + one.amd_errors,
        machines=tally.machines + one.machines,
        left=tally.left + one.left,
        told=tally.told + one.told,
    )


def share_of(tally: Tally, counted: Evidence) -> float:
    """The abandoned share of that many calls, counted as that evidence is."""
    lost = tally.abandoned + (tally.amd_errors if counted.counts_amd_errors else 0)
    of = tally.connected if counted.share_of is ShareOf.CONNECTED else tally.connected + lost
    return lost / of if of else float(lost)


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    made = Tally()
    for each in tallies:
        made = _sum(made, each)
    return made


# --- asking -----------------------------------------------------------------------------------------------------------------
def share(account: Account, rules: Rules, now_utc_s: float) -> float:
    """The abandoned share (0 to 1, above 1 where more were abandoned than put through, of which Italy takes the share), never too small."""
    return max(_share(rules, lost, good) for lost, good in _sides(account, rules, now_utc_s))


def balance(account: Account, rules: Rules, now_utc_s: float) -> float:
    """How many more calls could be abandoned before the share is over the limit, as a fraction too; below 0: it is over."""
    return min(_left_over(rules, lost, good) for lost, good in _sides(account, rules, now_utc_s))


def room(account: Account, rules: Rules, now_utc_s: float, unbacked: int = 0) -> int:
    """How many whole calls may still be abandoned, with `unbacked` calls in flight that have no agent of their own: at 0, only calls
    with an agent reserved are placed."""
    whole = int(min(float(ROOM_MAX), max(0.0, balance(account, rules, now_utc_s)) + 1e-9))
    return max(0, whole - unbacked)


def _sides(account: Account, rules: Rules, now_utc_s: float) -> list[tuple[int, int]]:
    """Lost calls and calls put through, for each way of looking at the window."""
    window = rules.abandon_window
    account = aged(account, now_utc_s)
    buckets = account.days if window is AbandonWindow.DAY else account.months
    edge_s = now_utc_s - SPAN_S[window]
    lost = sum(_lost(rules, each.tally) for each in buckets)
    good = sum(each.tally.connected for each in buckets if each.from_utc_s >= edge_s)
    sides = [(lost, good)]
    if window is AbandonWindow.MONTH:
        sides.append((_lost(rules, account.period), account.period.connected))
    return sides


def _lost(rules: Rules, tally: Tally) -> int:
    return tally.abandoned + (tally.amd_errors if rules.counts_amd_errors else 0)


def _share(rules: Rules, lost: int, good: int) -> float:
    of = good if rules.share_of is ShareOf.CONNECTED else good + lost
    return lost / of if of else float(lost)


def _left_over(rules: Rules, lost: int, good: int) -> float:
    cap = rules.max_abandon
    if rules.share_of is ShareOf.LIVE:
        # One more abandoned call is one more that a person answered: (lost + k) / (good + lost + k) is to stay within the limit.
        return cap / (1.0 - cap) * good - lost if cap < 1.0 else float(ROOM_MAX)
    return cap * good - lost


def settled(account: Account, rules: Rules, now_utc_s: float) -> tuple[Account, tuple[Evidence, ...]]:
    """The evidence of the times that are over and was not given out yet. What came late changes a part that was: it is given out anew,
    and takes the place of what was told before."""
    window_share = share(account, rules, now_utc_s)
    width_s = WIDTH_S[AbandonWindow.MONTH]
    rows = []
    buckets = []
    for each in account.months:
        is_over = each.from_utc_s + width_s + GRACE_S <= now_utc_s
        buckets.append(replace(each, is_settled=True) if is_over else each)
        if is_over and not each.is_settled:
            rows.append(_evidence(account.campaign, each, rules, window_share))
    return (replace(account, months=tuple(buckets)) if rows else account), tuple(rows)


def unsettled(account: Account, rules: Rules, now_utc_s: float) -> tuple[Evidence, ...]:
    """What is in no evidence that was given out, in the same form."""
    window_share = share(account, rules, now_utc_s)
    return tuple(_evidence(account.campaign, each, rules, window_share) for each in account.months if not each.is_settled)


def _evidence(campaign: CampaignId, bucket: Bucket, rules: Rules, window_share: float) -> Evidence:
    return Evidence(
        campaign=campaign,
        from_utc_s=bucket.from_utc_s,
        until_utc_s=bucket.from_utc_s + WIDTH_S[AbandonWindow.MONTH],
        tally=bucket.tally,
        preset=rules.preset,
        max_abandon=rules.max_abandon,
        share_of=rules.share_of,
        abandon_window=rules.abandon_window,
        counts_amd_errors=rules.counts_amd_errors,
        share=window_share,
    )
