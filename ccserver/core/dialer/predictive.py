"""Predictive pacing: place calls while the chance that one more of them is lost stays below what the budget allows.

At each step: the laws of calls and agents as learned (`learning`), the chance of being lost for the next call (`forecast`), and the risk
that the account allows (`budget`). Whatever these say, a call for each idle agent may always be placed, and when the budget is spent
nothing else is.
"""

from dataclasses import dataclass

from ccserver.core.dialer.budget import Budget
from ccserver.core.dialer.forecast import Balance, Laws
from ccserver.core.dialer.learning import MACHINES, PEOPLE, REST, Delays, Durations, OutcomeRates, Survival, numbers
from ccserver.core.dialer.view import Happened, Json, Limits, View, What, backed, room

FORMAT = 1
REFRESH_S = 15.0
ROWS, ALL = 10, 10_000
"""New laws are prepared in so large pieces, one at each step."""
LATE_S = 12.0
"""What detection may add to the ringing."""
TALK_BIN_S, WRAP_UP_BIN_S = 2.0, 1.0
TALK_PRIOR_S, WRAP_UP_PRIOR_S = 90.0, 10.0
KINDS = {What.HUMAN: PEOPLE, What.MACHINE: MACHINES, What.NO_ANSWER: REST, What.FAILED: REST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided last, and why."""

    calls: int = 0
    backed: int = 0
    """Of them with an idle agent of their own."""
    risk: float = 0.0
    """That the first call beyond those is lost."""
    risk_max: float = 0.0
    unbacked: int = 0
    """Calls in flight without an agent, after this step."""
    unbacked_max: int = 0


class Predictive:
    tick_s = 0.5

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        longest_s = limits.ring_timeout_s + LATE_S
        self.rates = OutcomeRates()
        self.delays = (
            Delays(longest_s, [(seconds, 0.5) for seconds in (4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 17.0, 21.0)]),
            Delays(longest_s, [(seconds, 0.5) for seconds in (2.0, 5.0, 8.0, 11.0, 14.0, 17.0, 20.0, 22.0, 24.0)]),
            Delays(longest_s, [(1.0, 1.0), (3.0, 1.0), (limits.ring_timeout_s, 4.0)]),
        )
        self.talks = Durations(TALK_BIN_S, TALK_PRIOR_S)
        self.wrap_ups = Durations(WRAP_UP_BIN_S, WRAP_UP_PRIOR_S)
        self.budget = Budget(limits)
        self.decision = Decision()
        self._refresh_at_s = 0.0
        self._laws = self._laws_now((), ())
        self._laws.prepare(ALL)
        self._coming: Laws | None = None

    # --- learning -----------------------------------------------------------------------------------------------------
    def observe(self, event: Happened) -> None:
        kind = KINDS.get(event.what)
        if kind is not None:
            self.rates.note(kind, event.at_s)
            self.delays[kind].note(event.age_s)
            if kind == PEOPLE:
                self.budget.answered()
        elif event.what is What.TALK_ENDED:
            self.talks.note(event.lasted_s)
        elif event.what is What.WRAP_UP_ENDED:
            self.wrap_ups.note(event.lasted_s)

    def _laws_now(self, talking: tuple[float, ...], wrapping: tuple[float, ...]) -> Laws:
        return self._laws_of(
            self.talks.survival(talking), self.wrap_ups.survival(wrapping), [each.cdf() for each in self.delays]
        )

    def _laws_of(self, talk: Survival, wrap_up: Survival, delays: list[list[float]]) -> Laws:
        people, machines, rest = delays
        return Laws(
            bin_s=Delays.BIN_S,
            people=people,
            machines=machines,
            rest=rest,
            talk=talk,
            wrap_up=wrap_up,
            patience_s=self._limits.patience_s,
        )

    # --- pacing -------------------------------------------------------------------------------------------------------
    def pace(self, view: View) -> int:
        if self._coming is not None:
            if self._coming.prepare(ROWS):
                self._laws, self._coming = self._coming, None
        elif view.now_s >= self._refresh_at_s:
            self._coming = self._laws_now(tuple(age for age, _ in view.talking), tuple(age for age, _ in view.wrapping))
            self._refresh_at_s = view.now_s + REFRESH_S
        self.decision = self._decided(view)
        return self.decision.calls

    def _decided(self, view: View) -> Decision:
        limits, most, own = self._limits, room(view), min(backed(view), room(view))
        shares = self.rates.shares()
        in_flight = len(view.ringing) + len(view.detecting)
        agents = len(view.idle) + len(view.talking) + len(view.wrapping)
        price = self.budget.price(view.now_s, view.totals, agents, shares[PEOPLE], view.leads_left + in_flight)
        unbacked_max = price.unbacked_max if view.allowance is None else max(min(price.unbacked_max, view.allowance), 0)
        # Less than 0 when more agents are idle than calls are in flight.
        unbacked = in_flight + len(view.waiting) - len(view.idle)
        if limits.lines_per_agent is not None:
            most = min(most, max(int(limits.lines_per_agent * agents) - in_flight, own))
        most = min(most, max(unbacked_max - unbacked, own))
        calls, risk = own, 0.0
        if price.risk > 0.0 and most > own:
            balance = self._balance(view, shares)
            risk = balance.risk(own)
            calls = _highest(balance, price.risk, own, most, risk)
        return Decision(
            calls=calls,
            backed=own,
            risk=risk,
            risk_max=price.risk,
            unbacked=max(unbacked + calls, 0),
            unbacked_max=unbacked_max,
        )

    def _balance(self, view: View, shares: tuple[float, float, float]) -> Balance:
        laws = self._laws
        frees = [
            laws.talking([age for age, leaves in view.talking if not leaves]),
            laws.wrapping([age for age, leaves in view.wrapping if not leaves]),
        ]
        answers = [laws.ringing(view.ringing, shares)]
        if view.detecting:
            answers.append(laws.detecting(len(view.detecting), shares))
        new = [shares[PEOPLE] * share for share in laws.new]
        return Balance(len(view.idle) - len(view.waiting), frees, answers, new)

    # --- restarts -----------------------------------------------------------------------------------------------------
    def state(self) -> Json:
        return {
            "format": FORMAT,
            "rates": self.rates.state(),
            "delays": [each.state() for each in self.delays],
            "talks": self.talks.state(),
            "wrap_ups": self.wrap_ups.state(),
            "budget": self.budget.state(),
            "laws": _kept(self._laws),
            "coming": None if self._coming is None else _kept(self._coming),
            "refresh_at_s": self._refresh_at_s,
        }

    def restore(self, state: Json) -> None:
        try:
            self._take(state)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not the state of a predictive pacer: {error!r}") from error

    def _take(self, state: Json) -> None:
        if state["format"] != FORMAT:
            raise ValueError(f"a predictive pacer's state of format {state['format']!r}, expected {FORMAT}")
        self.rates.restore(state["rates"])
        for delays, kept in zip(self.delays, state["delays"], strict=True):
            delays.restore(kept)
        self.talks.restore(state["talks"])
        self.wrap_ups.restore(state["wrap_ups"])
        self.budget.restore(state["budget"])
        self._laws = self._laws_kept(state["laws"])
        self._coming = None if state["coming"] is None else self._laws_kept(state["coming"])
        (self._refresh_at_s,) = numbers([state["refresh_at_s"]], 1)

    def _laws_kept(self, kept: Json) -> Laws:
        talk = Survival(self.talks.edges, numbers(kept["talk"], len(self.talks.edges)))
        wrap_up = Survival(self.wrap_ups.edges, numbers(kept["wrap_up"], len(self.wrap_ups.edges)))
        size = len(self.delays[0].counts) + 1
        people, machines, rest = (numbers(each, size) for each in kept["delays"])
        laws = self._laws_of(talk, wrap_up, [people, machines, rest])
        laws.prepare(min(int(kept["prepared"]), ALL))
        return laws


def _kept(laws: Laws) -> Json:
    return {
        "talk": list(laws.talk.hazards),
        "wrap_up": list(laws.wrap_up.hazards),
        "delays": [list(laws.people), list(laws.machines), list(laws.rest)],
        "prepared": laws.prepared,
    }


def _highest(balance: Balance, risk_max: float, least: int, most: int, risk: float) -> int:
    """The most calls of which the last is not lost with more than `risk_max`; `risk` is that of the one after `least`."""
    if risk > risk_max:
        return least
    low, step = least + 1, 1
    while low + step <= most and balance.risk(low + step - 1) <= risk_max:
        low, step = low + step, step * 2
    high = min(low + step - 1, most)
    while low < high:
        middle = (low + high + 1) // 2
        if balance.risk(middle - 1) <= risk_max:
            low = middle
        else:
            high = middle - 1
    return low
