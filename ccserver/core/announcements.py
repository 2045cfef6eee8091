"""What a waiting caller is told, and when. Pure.

The position (and the expected wait) is said at the entrance and then every so often; comfort messages every so often from the entrance
on; the way to be called back with each position, and by itself once it is offered and then every `CALLBACK_EVERY_S`. What falls
together is said together. `Visit.told_s` remembers the last time; what has come due since then is said now.
"""

from dataclasses import dataclass
from math import ceil, floor, inf

from ccserver.core.ids import PromptId
from ccserver.core.settings import CallbackRules, QueueSettings, Spoken, SpokenKind
from ccserver.core.state import Visit

CALLBACK_EVERY_S = 60.0
EARLY_S = 0.5
"""What is due within this time is said now: timers of the edge are not exact."""
LEAST_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """`says_wait`: the expected wait is among it. `key` leads to a callback; "" while none is offered."""

    say: tuple[Spoken, ...]
    says_wait: bool
    key: str


def due(config: QueueSettings, visit: Visit, now_s: float, *, position: int, expected_s: float | None) -> Told:
    """What is to be said at `now_s` (monotonic). `expected_s` None: not known."""
    entered_s = visit.entered.mono_s
    is_position_due = _is_due(config.announce_position_every_s, entered_s, visit.told_s, now_s)
    says_wait = is_position_due and config.announce_wait and expected_s is not None
    say: tuple[Spoken, ...] = _position(position) if is_position_due else ()
    if says_wait and expected_s is not None:
        say += expected(expected_s)
    for comfort in config.comfort:
        if visit.told_s is not None and _is_due(comfort.every_s, entered_s, visit.told_s, now_s):
            say += (Spoken(SpokenKind.PROMPT, comfort.prompt),)
    key = ""
    if config.callback is not None and is_offered(config.callback, visit, now_s, expected_s):
        key = config.callback.key
        if is_position_due or _is_due(CALLBACK_EVERY_S, _offered_at(config.callback, visit), visit.told_s, now_s):
            say += (_prompt("cc-callback-offer"), Spoken(SpokenKind.DIGITS, key))
    return Told(say, says_wait, key)


def next_s(config: QueueSettings, visit: Visit, now_s: float) -> float | None:
    """Seconds until there is something to say again; None: never."""
    entered_s = visit.entered.mono_s
    times = [
        _next(every_s, entered_s, now_s) for every_s in (config.announce_position_every_s, *(c.every_s for c in config.comfort))
    ]
    if config.callback is not None:
        offered_s = _offered_at(config.callback, visit)
        times.append(offered_s - now_s if offered_s > now_s else _next(CALLBACK_EVERY_S, offered_s, now_s))
        if config.callback.offer_above_expected_s is not None:
            times.append(CALLBACK_EVERY_S)
    first = min(times, default=inf)
    return None if first == inf else max(first, LEAST_WAIT_S)


def is_offered(rules: CallbackRules, visit: Visit, now_s: float, expected_s: float | None) -> bool:
    """Whether the caller may ask to be called back."""
    is_long = rules.offer_above_expected_s is not None and expected_s is not None and expected_s > rules.offer_above_expected_s
    return is_long or _offered_at(rules, visit) <= now_s + EARLY_S


def expected(expected_s: float) -> tuple[Spoken, ...]:
    """The expected wait in one sentence: whole minutes, rounded up, so that it is rather longer than the truth."""
    minutes = max(1, ceil(expected_s / 60.0))
    return (_prompt("cc-wait-about"), Spoken(SpokenKind.DURATION, str(60 * minutes)))


def _position(position: int) -> tuple[Spoken, ...]:
    if position == 1:
        return (_prompt("cc-queue-next"),)
    return (_prompt("cc-queue-position"), Spoken(SpokenKind.NUMBER, str(position)))


def _offered_at(rules: CallbackRules, visit: Visit) -> float:
    return visit.waiting_since_s + rules.offer_after_s


def _is_due(every_s: float | None, from_s: float, told_s: float | None, now_s: float) -> bool:
    """Whether a multiple of `every_s` after `from_s` has come since `told_s`, or nothing was told yet."""
    if every_s is None or now_s + EARLY_S < from_s:
        return False
    if told_s is None or told_s + EARLY_S < from_s:
        return True
    return floor((now_s + EARLY_S - from_s) / every_s) > floor((told_s + EARLY_S - from_s) / every_s)


def _next(every_s: float | None, from_s: float, now_s: float) -> float:
    if every_s is None:
        return inf
    return (floor((now_s + EARLY_S - from_s) / every_s) + 1) * every_s + from_s - now_s


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))
