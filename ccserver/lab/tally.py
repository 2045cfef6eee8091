"""What the demo says of itself: a line now and then, and the summary at the end."""

import wave
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ccserver.core.records import ShownState, VisitOutcome
from ccserver.core.views import Overview, QueueView


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTotals:
    """One queue, or all together.  `asa_s` is the average speed of answer; both it and `service_level` (0 to 1) are None when
    there is nothing to tell them from."""

    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    other: int
    asa_s: float | None
    service_level: float | None


def totals(queues: Iterable[QueueView]) -> QueueTotals:
    """Of finished visits; `offered` counts those that still wait too."""
    chosen = list(queues)
    outcomes: Counter[VisitOutcome] = Counter()
    for queue in chosen:
        outcomes.update(queue.outcomes)
    answered, short = outcomes[VisitOutcome.ANSWERED], outcomes[VisitOutcome.SHORT_ABANDONED]
    over = sum(outcomes.values())
    return QueueTotals(
        offered=sum(queue.offered for queue in chosen),
        answered=answered,
        abandoned=outcomes[VisitOutcome.ABANDONED],
        short_abandoned=short,
        other=over - answered - short - outcomes[VisitOutcome.ABANDONED],
        asa_s=round(sum(queue.answered_wait_s for queue in chosen) / answered, 3) if answered else None,
        service_level=round(sum(queue.within_service_level for queue in chosen) / (over - short), 4) if over - short else None,
    )


def line(at_s: float, seen: Overview) -> str:
    """One line for a terminal that is none."""
    all_queues = totals(seen.queues)
    waiting = sum(len(queue.waiting) for queue in seen.queues)
    longest_s = max((queue.longest_wait_s for queue in seen.queues), default=0.0)
    states = Counter(agent.state for agent in seen.agents)
    agents = " ".join(f"{state.value}={states[state]}" for state in ShownState if states[state])
    level = "-" if all_queues.service_level is None else f"{all_queues.service_level:.0%}"
    return (
        f"{int(at_s) // 60:02d}:{int(at_s) % 60:02d}  waiting {waiting} (longest {longest_s:.0f} s)  calls {len(seen.calls)}  "
        f"agents {agents}  offered {all_queues.offered} answered {all_queues.answered} abandoned {all_queues.abandoned}  "
        f"service level {level}"
    )


def playable(directory: Path) -> list[Path]:
    """The stereo recordings below it that can be read to their end and are not empty."""
    found = []
    for path in sorted(directory.rglob("*.wav")):
        try:
            with wave.open(str(path), "rb") as file:
                frames = file.getnframes()
                if file.getnchannels() == 2 and frames and len(file.readframes(frames)) == frames * 2 * file.getsampwidth():
                    found.append(path)
        except (wave.Error, EOFError):
            continue
    return found


def summary(seen: Overview, recordings: Path) -> dict[str, object]:
    """The numbers of a run that is over."""
    return {
        **asdict(totals(seen.queues)),
        "recordings": len(playable(recordings)),
        "queues": {str(queue.id): asdict(totals([queue])) for queue in seen.queues},
        "repairs": seen.repairs,
        "faults": seen.faults,
    }


def told(result: dict[str, object]) -> list[str]:
    """The summary for people."""
    queues = result["queues"]
    assert isinstance(queues, dict)
    rows = [("", "offered", "answered", "abandoned", "short", "other", "ASA", "service level")]
    for name, each in [*queues.items(), ("all", result)]:
        asa, level = each["asa_s"], each["service_level"]
        rows.append(
            (
                name,
                *(str(each[key]) for key in ("offered", "answered", "abandoned", "short_abandoned", "other")),
                "-" if asa is None else f"{asa:.1f} s",
                "-" if level is None else f"{level:.0%}",
            )
        )
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [*table, f"recordings: {result['recordings']} (stereo: customer left, agent right)"]
