"""Which of our numbers a callee sees: one that is ours, answers when it is called back, is allowed there, and was not shown too often.

Of several the one nearest to the callee is taken: one that the settings mean for them, then the one that begins most like their number;
then the one that was shown least. One that is meant for others comes last. How many calls a number was shown for is the caller's to
know, over the last 24 hours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ccserver.core.dialer.facts import CallerIdFacts
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import CallerIdSettings


@dataclass(frozen=True, slots=True)
class Choice:
    """`shown` None: there is none; `says` why, number by number."""

    shown: CallerIdFacts | None
    says: tuple[str, ...]


def choose(
    callee: str, among: Iterable[str], settings: Mapping[str, CallerIdSettings], shown_today: Mapping[str, int], rules: Rules
) -> Choice:
    """The number to show to `callee`, of those that the campaign names."""
    faults: list[str] = []
    best: tuple[tuple[int, int, int, str], str] | None = None
    for number in dict.fromkeys(among):
        known = settings.get(number)
        fault = _fault(number, known, shown_today.get(number, 0), rules)
        if known is None or fault:
            faults.append(f"{number}: {fault}")
            continue
        fits = max((len(each) for each in known.prefixes if callee.startswith(each)), default=0)
        meant = -1 if known.prefixes and not fits else fits
        rank = (-meant, -_alike(callee, number), shown_today.get(number, 0), number)
        if best is None or rank < best[0]:
            best = rank, number
    if best is None:
        return Choice(None, tuple(faults) or ("the campaign names no number to show",))
    return Choice(facts_of(best[1], settings, shown_today), tuple(faults))


def facts_of(number: str, settings: Mapping[str, CallerIdSettings], shown_today: Mapping[str, int]) -> CallerIdFacts | None:
    """What the gate is told of a number; None: it is none of ours."""
    known = settings.get(number)
    if known is None:
        return None
    return CallerIdFacts(
        number=number,
        line_type=known.line_type,
        is_ours=True,
        answers_back=known.answers_back,
        calls_today=shown_today.get(number, 0),
        calls_a_day=known.calls_a_day,
    )


def _fault(number: str, known: CallerIdSettings | None, shown: int, rules: Rules) -> str:
    if known is None:
        return "it is not ours"
    if not known.answers_back:
        return "who calls it back is not answered"
    if known.line_type not in rules.caller_id_types:
        return f"the rules {rules.preset} do not allow to show a number of the type {known.line_type.value}"
    most = min(known.calls_a_day, rules.caller_id_calls_a_day)
    return f"it was shown for {shown} calls in 24 hours; {most} are the limit" if shown >= most else ""


def _alike(one: str, other: str) -> int:
    """How many signs they begin with in common."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
