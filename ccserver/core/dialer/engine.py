"""A pacer for programs that know plain values only: configuration, snapshots and events are dicts, as a JSON file has them.

    engine = factory({"max_abandon": 0.03, "patience": 2.0, "ring_timeout": 24.0, "shift_seconds": 28800})
    engine.observe({"t": 3.2, "type": "human", "call": 7, "age": 8.1})
    calls = engine.pace({"now": 3.5, "idle": [4.0], "talking": [[12.0, False]], ...})

Keys that are not known are passed over, those that are missing have the values of an empty campaign. docs/pacing.md lists them.
"""

from collections.abc import Mapping
from typing import Any

from ccserver.core.dialer.pacing import Happened, Json, Limits, Totals, View, What, pacer

WHATS = {what.value: what for what in What}
LASTED = {What.TALK_ENDED: "talk", What.WRAP_UP_ENDED: "wrap"}
TOTALS = tuple(Totals.__dataclass_fields__)


class Engine:
    def __init__(self, mode: str, limits: Limits) -> None:
        self._pacer = pacer(mode, limits)
        self.tick = self._pacer.tick_s

    def pace(self, snapshot: Mapping[str, Any]) -> int:
        """New calls to place now."""
        known = snapshot.get
        totals = known("totals", {})
        return self._pacer.pace(
            View(
                now_s=known("now", 0.0),
                idle=known("idle", ()),
                talking=known("talking", ()),
                wrapping=known("wrapping", ()),
                paused=known("paused", 0),
                ringing=known("ringing", ()),
                detecting=known("detecting", ()),
                waiting=known("waiting", ()),
                lines_free=known("lines_free", 0),
                leads_left=known("leads_left", 0),
                allowance=known("allowance"),
                totals=Totals(**{name: totals.get(name, 0) for name in TOTALS}),
            )
        )

    def observe(self, event: Mapping[str, Any]) -> None:
        what = WHATS.get(event["type"])
        if what is None:
            return
        lasted_s = event.get(LASTED[what], 0.0) if what in LASTED else 0.0
        self._pacer.observe(Happened(at_s=event["t"], what=what, age_s=event.get("age", 0.0), lasted_s=lasted_s))

    def state(self) -> Json:
        return self._pacer.state()

    def restore(self, state: Json) -> None:
        self._pacer.restore(state)


def factory(config: Mapping[str, Any]) -> Engine:
    """An engine of its own at each call. `mode`: progressive, power or predictive (the default)."""
    usual = Limits()
    known = config.get
    return Engine(
        known("mode", "predictive"),
        Limits(
            max_abandoned=known("max_abandon", usual.max_abandoned),
            false_positives=known("false_positives", usual.false_positives),
            patience_s=known("patience", usual.patience_s),
            ring_timeout_s=known("ring_timeout", usual.ring_timeout_s),
            horizon_s=known("shift_seconds", usual.horizon_s),
            carried=known("carried", usual.carried),
            lines_per_agent=known("lines_per_agent", usual.lines_per_agent),
            calls_per_agent=known("calls_per_agent", usual.calls_per_agent),
        ),
    )
