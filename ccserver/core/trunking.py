"""Which trunk a call goes over, and which number of ours is shown: within lines and calls per second, and never over a dead trunk.

A trunk that does not take a call (503, no circuit) is passed over for that call, and the next one of the campaign is tried; so many such
calls in a row, or so many that end before anything rings, and it is taken for dead for a while: then nothing is burned on it.
"""

from collections.abc import Iterable, Mapping

from ccserver.core.change import replace
from ccserver.core.dialer import callerid
from ccserver.core.dialer.campaign_state import TimesShown, TrunkState
from ccserver.core.dialer.facts import CallerIdFacts
from ccserver.core.dialer.settings import CampaignSettings, TrunkSettings
from ccserver.core.dialer.terms import DAY_S
from ccserver.core.ids import TrunkId
from ccserver.core.records import TrunkRecord
from ccserver.core.state import Leg
from ccserver.core.step import Step
from ccserver.core.transitions import LegState

HOUR_S = 3600.0
FAILED_MAX = 5
SILENT_MAX = 10
DOUBTED_FROM = 3
"""After so many calls that ended before anything rang, what the network says of a number is not believed."""
DOWN_S = 60.0
USED_UP = "are used up"
"""How a reason ends that is over in less than a second or two."""
NO_TRUNK = frozenset({34, 38, 41, 42, 44, 47, 58})
"""Q.850: no circuit, network out of order, temporary failure, congestion, channel or resource not there, bearer not there: another trunk
may do it."""


def is_trunks_fault(leg: Leg, cause: int, tech_cause: int) -> bool:
    """Whether a call that nobody answered failed on this trunk alone. Without a channel there was not even an INVITE."""
    if leg.state in (LegState.RINGING, LegState.UP) or leg.is_cancelled:
        return False
    return 500 <= tech_cause < 600 or (cause in NO_TRUNK and tech_cause < 600) or cause == 0


class Trunking:
    """The trunks and the numbers that are shown."""

    def __init__(self, step: Step) -> None:
        self._step = step

    # --- which trunk --------------------------------------------------------------------------------------------------
    def choose(self, number: str, config: CampaignSettings, tried: Iterable[TrunkId] = ()) -> tuple[TrunkId | None, str]:
        """The first that may take a call to `number` now; None, and why there is none."""
        known, past, why = self._trunks(), set(tried), "no trunk leads there"
        for trunk in self.leading_to(number, config):
            if trunk in past:
                continue
            fault = self._fault(trunk, known[trunk])
            if not fault:
                return trunk, ""
            why = f"trunk {trunk}: {fault}"
        return None, why

    def leads_anywhere(self, number: str, config: CampaignSettings) -> TrunkId | None:
        """The first that is for such numbers, whether it has room now or not."""
        return next(iter(self.leading_to(number, config)), None)

    def leading_to(self, number: str, config: CampaignSettings) -> tuple[TrunkId, ...]:
        """Those of the campaign that are for such numbers, in its order."""
        known = self._trunks()
        return tuple(each for each in config.trunks if each in known and leads_to(known[each], number))

    def _fault(self, trunk: TrunkId, settings: TrunkSettings) -> str:
        state, now_s = self._step.trunks.get(trunk) or TrunkState(), self._step.now.mono_s
        if state.down_until_s > now_s:
            return state.why
        if state.next_dial_s > now_s:
            return f"the calls per second {USED_UP}"
        lines = self.lines_used(trunk)
        return f"all {settings.lines} lines are in use" if lines >= settings.lines else ""

    def lines_used(self, trunk: TrunkId) -> int:
        """Of calls of campaigns."""
        legs = self._step.legs
        return sum(each.trunk == trunk and (each.leg is None or each.leg in legs) for each in self._step.attempts.values())

    def frees_at_s(self, trunks: Iterable[TrunkId]) -> float:
        """When the calls per second of one of them allow another call (monotonic)."""
        states = self._step.trunks
        return min((known.next_dial_s if (known := states.get(each)) is not None else 0.0 for each in trunks), default=0.0)

    def _trunks(self) -> Mapping[TrunkId, TrunkSettings]:
        dialing = self._step.settings.dialing
        return {} if dialing is None else dialing.trunks

    # --- how it does --------------------------------------------------------------------------------------------------
    def dialled(self, trunk: TrunkId, caller_id: str) -> None:
        """A call goes out."""
        step, settings = self._step, self._trunks().get(trunk)
        if settings is not None:
            state = step.trunks.get(trunk) or TrunkState()
            next_s = max(state.next_dial_s, step.now.mono_s) + 1.0 / settings.calls_per_second
            step.trunks.put(trunk, replace(state, next_dial_s=next_s))
        if caller_id:
            self._show(caller_id)

    def worked(self, trunk: TrunkId | None) -> None:
        """Something rang, or was answered."""
        state = self._step.trunks.get(trunk)
        if trunk is None or state is None or not (state.failed_in_row or state.silent_in_row or state.is_down):
            return
        if state.is_down:
            self._tell(trunk, is_down=False, why="a call rang")
        self._step.trunks.put(trunk, TrunkState(next_dial_s=state.next_dial_s))

    def failed(self, trunk: TrunkId, why: str) -> None:
        """It did not take a call."""
        state = self._step.trunks.get(trunk) or TrunkState()
        state = replace(state, failed_in_row=state.failed_in_row + 1)
        self._judge(trunk, state, state.failed_in_row >= FAILED_MAX, f"{state.failed_in_row} calls in a row failed: {why}")

    def was_silent(self, trunk: TrunkId) -> bool:
        """A call ended before anything rang. Whether what the network says of the number is to be doubted."""
        state = self._step.trunks.get(trunk) or TrunkState()
        state = replace(state, silent_in_row=state.silent_in_row + 1, failed_in_row=0)
        is_dead = state.silent_in_row >= SILENT_MAX
        self._judge(trunk, state, is_dead, f"{state.silent_in_row} calls in a row ended before anything rang")
        return state.silent_in_row > DOUBTED_FROM

    def _judge(self, trunk: TrunkId, state: TrunkState, is_dead: bool, why: str) -> None:
        if is_dead:
            if not state.is_down:
                self._tell(trunk, is_down=True, why=why)
            state = replace(state, is_down=True, down_until_s=self._step.now.mono_s + DOWN_S, why=why)
        self._step.trunks.put(trunk, state)

    def try_again(self, trunk: TrunkId) -> bool:
        """By order: it is not taken for dead any more, until the next call fails. False: it was not."""
        state = self._step.trunks.get(trunk)
        if state is None or state.down_until_s <= self._step.now.mono_s:
            return False
        self._step.trunks.put(trunk, replace(state, down_until_s=0.0))
        return True

    def _tell(self, trunk: TrunkId, *, is_down: bool, why: str) -> None:
        self._step.store(TrunkRecord(trunk=trunk, is_down=is_down, why=why, at_utc_s=self._step.now.utc_s))

    # --- which number is shown ----------------------------------------------------------------------------------------
    def caller_id(self, number: str, config: CampaignSettings) -> tuple[CallerIdFacts | None, str]:
        """What a callee sees; None, and why there is none."""
        dialing = self._step.settings.dialing
        if dialing is None:
            return None, "nothing is dialled here"
        shown = {each: self.shown_today(each) for each in config.caller_ids if each in self._step.shown}
        choice = callerid.choose(number, config.caller_ids, dialing.caller_ids, shown, config.rules)
        return choice.shown, "; ".join(choice.says[:3])

    def facts_of(self, number: str) -> CallerIdFacts | None:
        """Of a number that was chosen before, as it is now."""
        dialing = self._step.settings.dialing
        return None if dialing is None else callerid.facts_of(number, dialing.caller_ids, {number: self.shown_today(number)})

    def shown_today(self, number: str) -> int:
        """Calls of the last 24 hours; those of an hour of which a part is inside count all."""
        known, from_s = self._step.shown.get(number), self._step.now.utc_s - DAY_S
        return sum(calls for start_s, calls in known.hours if start_s + HOUR_S > from_s) if known is not None else 0

    def _show(self, number: str) -> None:
        now_s = self._step.now.utc_s
        hour_s = now_s // HOUR_S * HOUR_S
        known = self._step.shown.get(number) or TimesShown()
        kept = tuple(each for each in known.hours if each[0] + HOUR_S > now_s - DAY_S)
        calls = kept[-1][1] if kept and kept[-1][0] == hour_s else 0
        earlier = kept[:-1] if calls else kept
        self._step.shown.put(number, TimesShown(hours=(*earlier, (hour_s, calls + 1))))


def leads_to(settings: TrunkSettings, number: str) -> bool:
    """Whether the trunk is for such numbers."""
    return not settings.prefixes or any(number.startswith(each) for each in settings.prefixes)
