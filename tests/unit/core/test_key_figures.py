"""Key figures of outbound calls: each formula on numbers that can be checked by hand."""

import pytest

from ccserver.core.dialer.key_figures import Counts, costs
from ccserver.core.dialer.settings import CostFigures

COUNTS = Counts(
    outcomes={"answered": 200, "abandoned": 4, "left": 6, "machine": 90, "busy": 40, "no_answer": 160},
    successes=25,
    refusals=30,
    talk_s=36_000.0,
    wrap_up_s=3_600.0,
    line_s=40_000.0,
    leads=400,
)


def test_figures_are_of_what_was_placed_answered_and_handled() -> None:
    assert (COUNTS.placed, COUNTS.answered, COUNTS.handled, COUNTS.abandoned, COUNTS.machines) == (500, 210, 200, 4, 90)
    assert COUNTS.answer_success_percent == pytest.approx(42.0)
    assert COUNTS.lead_conversion_percent == pytest.approx(5.0)
    assert COUNTS.contact_conversion_percent == pytest.approx(12.5)
    assert COUNTS.abandoned_percent == pytest.approx(100 * 4 / 204)
    assert COUNTS.aht_s == pytest.approx(198.0)
    assert COUNTS.attempts_per_contact == pytest.approx(2.5)


def test_costs_are_of_agents_lines_attempts_and_leads() -> None:
    prices = CostFigures(currency="EUR", agent_hour_minor=1800, call_minute_minor=3, attempt_minor=2, lead_minor=5)
    paid = costs(COUNTS, prices)
    assert (paid.agents_minor, paid.lines_minor) == (pytest.approx(11 * 1800), pytest.approx(2000.0))
    assert (paid.attempts_minor, paid.leads_minor) == (1000.0, 2000.0)
    assert paid.total_minor == pytest.approx(24_800)
    assert (paid.per_call_minor, paid.per_acquisition_minor) == (pytest.approx(49.6), pytest.approx(992.0))


def test_of_nothing_there_are_no_figures() -> None:
    nothing = Counts()
    names = [each for each in dir(Counts) if each.endswith(("_percent", "aht_s", "per_contact"))]
    assert len(names) == 6 and all(getattr(nothing, each) is None for each in names)
    paid = costs(nothing, CostFigures())
    assert (paid.total_minor, paid.per_call_minor, paid.per_acquisition_minor) == (0.0, None, None)
