"""The expected wait that is announced, against a smoothed mean of past waits, in days whose load changes."""

from dataclasses import replace
from typing import Any

import pytest

from ccserver.core.records import Record, VisitOutcome, VisitRecord
from ccserver.sim import day
from ccserver.sim.books import Books
from ccserver.sim.day import Plan, run_day
from ccserver.sim.people import CallerHabits

PLAN = Plan(agents=15, calls=1900, hours=6.0, callers=CallerHabits(patience_s=900.0, talk_s=240.0))
"""Around noon more calls come than fifteen agents can take; before and after, fewer."""
SMOOTHING = (0.02, 0.05, 0.1, 0.2, 0.4)


def announced(monkeypatch: pytest.MonkeyPatch, seed: int) -> list[VisitRecord]:
    """A day's visits, in the order of their ends, in queues that announce the expected wait and refuse nobody."""
    visits: list[VisitRecord] = []
    sample, keep = day.sample_center, Books._keep

    def telling(*args: Any, **kwargs: Any) -> Any:
        plain = sample(*args, **kwargs)
        queues = {
            queue: replace(config, announce_position_every_s=60.0, announce_wait=True, max_wait_s=None, max_waiting=None)
            for queue, config in plain.settings.queues.items()
        }
        return replace(plain, settings=replace(plain.settings, queues=queues))

    def noting(books: Books, record: Record) -> None:
        if isinstance(record, VisitRecord):
            visits.append(record)
        keep(books, record)

    monkeypatch.setattr(day, "sample_center", telling)
    monkeypatch.setattr(Books, "_keep", noting)
    assert run_day(PLAN, seed=seed).findings() == []
    return visits


def smoothed_errors(visits: list[VisitRecord], alpha: float, *, counts_all: bool) -> list[float]:
    """The errors of the rival: what a mean, smoothed over the answers up to then, would have told each who was told something."""
    answers = sorted(
        (v.entered_utc_s + v.wait_s, v.wait_s, v.queue)
        for v in visits
        if v.outcome is VisitOutcome.ANSWERED and (counts_all or v.announced_wait_s is not None)
    )
    asked = sorted((v.entered_utc_s, v.wait_s, v.queue) for v in told(visits))
    means: dict[str, float] = {}
    errors, place = [], 0
    for at_s, wait_s, queue in asked:
        while place < len(answers) and answers[place][0] <= at_s:
            _, known_s, of = answers[place]
            means[of] = means.get(of, known_s) + alpha * (known_s - means.get(of, known_s))
            place += 1
        errors.append(abs(means.get(queue, 0.0) - wait_s))
    return errors


def told(visits: list[VisitRecord]) -> list[VisitRecord]:
    return [v for v in visits if v.outcome is VisitOutcome.ANSWERED and v.announced_wait_s is not None]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("seed", [1, 2])
def test_its_mean_error_beats_every_smoothed_mean(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    visits = announced(monkeypatch, seed)
    waits = told(visits)
    assert len(waits) > 300, "nobody had to wait: the day proves nothing"
    error_s = mean([abs((v.announced_wait_s or 0.0) - v.wait_s) for v in waits])
    rivals = {(a, c): mean(smoothed_errors(visits, a, counts_all=c)) for a in SMOOTHING for c in (True, False)}
    best_s = min(rivals.values())
    print(
        f"seed {seed}: {len(waits)} waits of {mean([v.wait_s for v in waits]):.0f} s, error {error_s:.1f} s, rivals {best_s:.1f} s"
    )
    assert error_s < 0.8 * best_s
