"""The key figures of outbound calls, of counted attempts. Formulas are in the docstrings; None: there is nothing to divide by.

Placed is what was dialled and is over; what nothing was dialled for is in no figure. Answered is what a person answered, who then spoke
with an agent (or went through the flow of a campaign without agents), found none, or hung up before. An answering machine is no person.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ccserver.core.dialer.settings import CostFigures

HOUR_S, MINUTE_S = 3600.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Attempts of one campaign in a period. `outcomes`: by the word of `records.AttemptOutcome`, those not placed left out."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    successes: int = 0
    refusals: int = 0
    talk_s: float = 0.0
    """Holds included."""
    wrap_up_s: float = 0.0
    line_s: float = 0.0
    """From answers to the ends of these calls."""
    leads: int = 0
    """Different ones."""
    open: int = 0
    """Attempts that are not over, or of which nobody knows whether they are: in no figure."""

    # --- counts -------------------------------------------------------------------------------------------------------
    @property
    def placed(self) -> int:
        return sum(self.outcomes.values())

    @property
    def handled(self) -> int:
        """Calls in which a person spoke with an agent, or went through the flow."""
        return self.outcomes.get("answered", 0)

    @property
    def abandoned(self) -> int:
        return self.outcomes.get("abandoned", 0)

    @property
    def answered(self) -> int:
        """By people."""
        return self.handled + self.abandoned + self.outcomes.get("left", 0)

    @property
    def machines(self) -> int:
        return self.outcomes.get("machine", 0)

    # --- figures ------------------------------------------------------------------------------------------------------
    @property
    def answer_success_percent(self) -> float | None:
        """answered / placed x 100"""
        return _percent(self.answered, self.placed)

    @property
    def lead_conversion_percent(self) -> float | None:
        """successes / placed x 100"""
        return _percent(self.successes, self.placed)

    @property
    def contact_conversion_percent(self) -> float | None:
        """successes / handled x 100"""
        return _percent(self.successes, self.handled)

    @property
    def abandoned_percent(self) -> float | None:
        """abandoned / (handled + abandoned) x 100. What a rule counts is told by the account and its evidence."""
        return _percent(self.abandoned, self.handled + self.abandoned)

    @property
    def aht_s(self) -> float | None:
        """(talk + hold + wrap-up) / handled"""
        return (self.talk_s + self.wrap_up_s) / self.handled if self.handled else None

    @property
    def attempts_per_contact(self) -> float | None:
        """placed / handled"""
        return self.placed / self.handled if self.handled else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the calls cost, in the hundredth part of the currency. An agent's time is that of talk and wrap-up."""

    currency: str
    agents_minor: float
    lines_minor: float
    attempts_minor: float
    leads_minor: float
    placed: int
    successes: int

    @property
    def total_minor(self) -> float:
        return self.agents_minor + self.lines_minor + self.attempts_minor + self.leads_minor

    @property
    def per_call_minor(self) -> float | None:
        """total / placed"""
        return self.total_minor / self.placed if self.placed else None

    @property
    def per_acquisition_minor(self) -> float | None:
        """total / successes"""
        return self.total_minor / self.successes if self.successes else None


def costs(counts: Counts, prices: CostFigures) -> Costs:
    """By the prices of the settings."""
    return Costs(
        currency=prices.currency,
        agents_minor=(counts.talk_s + counts.wrap_up_s) / HOUR_S * prices.agent_hour_minor,
        lines_minor=counts.line_s / MINUTE_S * prices.call_minute_minor,
        attempts_minor=float(counts.placed * prices.attempt_minor),
        leads_minor=float(counts.leads * prices.lead_minor),
        placed=counts.placed,
        successes=counts.successes,
    )


def priced(counts: Counts, prices: CostFigures) -> Costs | None:
    """None: the settings name no prices."""
    return None if prices == CostFigures() else costs(counts, prices)


_DERIVED = ("placed", "answered", "handled", "abandoned", "machines")
_FIGURES = (
    "answer_success_percent",
    "lead_conversion_percent",
    "contact_conversion_percent",
    "abandoned_percent",
    "aht_s",
    "attempts_per_contact",
)
_MINOR = (
    "agents_minor",
    "lines_minor",
    "attempts_minor",
    "leads_minor",
    "total_minor",
    "per_call_minor",
    "per_acquisition_minor",
)


def told(counts: Counts, paid: Costs | None) -> dict[str, Any]:
    """As other programs read them: plain values."""
    return {
        **asdict(counts),
        **{name: getattr(counts, name) for name in _DERIVED},
        **{name: _rounded(getattr(counts, name)) for name in _FIGURES},
        "costs": None
        if paid is None
        else {"currency": paid.currency, **{name: _rounded(getattr(paid, name)) for name in _MINOR}},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100.0 if whole else None
