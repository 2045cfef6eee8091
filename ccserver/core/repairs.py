"""Follows the PBX where it and the core differ. Each repair is counted and told: a healthy day has none."""

from collections.abc import Callable, Collection

from ccserver.core.change import replace
from ccserver.core.commands import EndSession, HangUpLeg, Next
from ccserver.core.events import ChannelView, PbxObserved
from ccserver.core.ids import InteractionId, LegId
from ccserver.core.observation import PARKED, compare
from ccserver.core.records import RepairKind, RepairRecord
from ccserver.core.state import Leg, Phone, Role
from ccserver.core.step import Step
from ccserver.core.talks import Talks
from ccserver.core.transitions import LegState


class Repairs:
    """`leg_ended`, `leg_parked` and `met` are how the center treats these, whoever told of them."""

    def __init__(
        self,
        step: Step,
        talks: Talks,
        leg_ended: Callable[[Leg, int, int], None],
        leg_parked: Callable[[Leg], None],
        met: Callable[[Leg, ChannelView, Collection[LegId]], None],
    ) -> None:
        self.step = step
        self.talks = talks
        self._leg_ended = leg_ended
        self._leg_parked = leg_parked
        self._met = met

    def observed(self, view: PbxObserved) -> None:
        step, found = self.step, compare(self.step, view)
        is_first = step.clockwork.has_fresh_link
        for leg_id in found.seen:
            step.legs.put(leg_id, replace(step.legs[leg_id], unseen=0, doubt=None))
        for leg_id in found.unseen:
            step.legs.put(leg_id, replace(step.legs[leg_id], unseen=1))
        for seen, other in found.met:
            # Before the agent's leg ends, as it is told when it is told: else the customer would be taken for one who comes back.
            self._met(step.legs[seen.leg], other, found.gone)
        for leg_id in found.gone:
            leg = step.legs.get(leg_id)
            if leg is not None:
                self._tell(RepairKind.LEG_GONE, leg.id.uniqueid, leg.interaction)
                self._leg_ended(leg, 0, 0)
        self._bridges(found.bridged, found.unbridged)
        self._parked(found.parked, found.parked_doubts)
        for leg_id in found.stubborn:
            if leg_id in step.legs:
                self._tell(RepairKind.COMMAND_SETTLED, leg_id.uniqueid, step.legs[leg_id].interaction)
                step.order(HangUpLeg(leg=leg_id))
        self._orphans(found.orphans, found.new_orphans, {c.leg for c in view.channels})
        for session in found.sessions:
            if not step.sessions[session].is_ending:
                self._tell(RepairKind.SESSION_ORPHAN, session)
                step.end_session(EndSession(session=session, next=Next.HANG_UP))
        for seen in found.doubts:
            step.legs.put(seen.leg, replace(step.legs[seen.leg], doubt=seen.bridge or ""))
        for phone, state in found.phone_doubts:
            step.phones.put(phone, replace(step.phones[phone], doubt=state))
        for phone, state in found.phones:
            if phone in step.phones and not is_first:
                self._tell(RepairKind.PHONE_STATE, f"{phone} {state.value}")
            step.phones.put(phone, Phone(state=state, changed_s=view.asked_at_s))
            agent = step.agent_at.get(phone)
            if agent is not None:
                step.touched_agents[agent] = None
        for command in found.settled:
            self._tell(RepairKind.COMMAND_SETTLED, f"{command.seq}.{command.place}")
            step.outstanding.drop(command)
        step.clockwork = replace(step.clockwork, is_observed=True, has_fresh_link=False)

    def _bridges(self, bridged: tuple[ChannelView, ...], unbridged: tuple[LegId, ...]) -> None:
        step = self.step
        for leg_id in unbridged:
            leg = step.legs.get(leg_id)
            if leg is not None:
                self._tell(RepairKind.LEG_UNBRIDGED, leg_id.uniqueid, leg.interaction)
                step.legs.put(leg_id, replace(leg, bridge=None, doubt=None))
        for seen in bridged:
            leg = step.legs.get(seen.leg)
            if leg is not None:
                self._tell(RepairKind.LEG_BRIDGED, seen.leg.uniqueid, leg.interaction)
                leg = replace(leg, bridge=seen.bridge, channel=seen.channel, state=LegState.UP, doubt=None)
                step.legs.put(leg.id, leg)
        for seen in bridged:
            leg = step.legs.get(seen.leg)
            if leg is not None and leg.role is Role.AGENT:
                self.talks.entered_bridge(leg)

    def _parked(self, parked: tuple[LegId, ...], doubts: tuple[LegId, ...]) -> None:
        step = self.step
        for leg_id in doubts:
            step.legs.put(leg_id, replace(step.legs[leg_id], doubt=PARKED))
        for leg_id in parked:
            leg = step.legs.get(leg_id)
            if leg is not None:
                self._tell(RepairKind.LEG_PARKED, leg_id.uniqueid, leg.interaction)
                self._leg_parked(replace(leg, bridge=None, doubt=None))

    def _orphans(self, orphans: tuple[LegId, ...], new: tuple[LegId, ...], seen: set[LegId]) -> None:
        step = self.step
        for leg_id in [known for known in step.orphans if known not in seen]:
            step.orphans.drop(leg_id)
        for leg_id in new:
            step.orphans.put(leg_id, 1)
        for leg_id in orphans:
            self._tell(RepairKind.LEG_ORPHAN, leg_id.uniqueid)
            step.order(HangUpLeg(leg=leg_id))

    def _tell(self, kind: RepairKind, what: str, interaction: InteractionId | None = None) -> None:
        step = self.step
        step.clockwork = replace(step.clockwork, repairs=step.clockwork.repairs + 1)
        step.store(RepairRecord(kind=kind, what=what, at_utc_s=step.now.utc_s, interaction=interaction))
