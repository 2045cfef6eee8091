"""Invitations into conferences with a number: somebody is called, and comes in without a PIN.

An agent is called at the phone of their log-in, unless they are at work; a phone by its number; a number outside where the room's class of
service allows it. Who answers is told at the door what everybody is told there. The request is answered when it is known what became of
the call.
"""

from ccserver.core import service_class
from ccserver.core.change import replace
from ccserver.core.commands import DialOut, Place, Reply
from ccserver.core.events import InvitationRequested
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId
from ccserver.core.records import AuditRecord, MemberEnd
from ccserver.core.rooms import Refused, Rooms
from ccserver.core.settings import ConferenceNode, ConferenceSettings, NumberKind
from ccserver.core.state import Agent, Leg, Member, Presence, Role
from ccserver.core.step import Step
from ccserver.core.transitions import LegState

ENDS = {
    17: MemberEnd.BUSY,
    18: MemberEnd.NO_ANSWER,
    19: MemberEnd.NO_ANSWER,
    21: MemberEnd.DECLINED,
}
"""By the cause (Q.850) of a call that was not answered; of any other the far end could not be reached."""
WORDS = {
    MemberEnd.BUSY: "is busy",
    MemberEnd.NO_ANSWER: "does not answer",
    MemberEnd.DECLINED: "has declined",
    MemberEnd.UNREACHABLE: "cannot be reached",
    MemberEnd.LEFT: "has hung up before being in it",
    MemberEnd.ENDED: "is called no more: the conference is over",
    MemberEnd.LOST: "was lost with the PBX",
}


class Invitations:
    """Calls people, and tells what became of it."""

    def __init__(self, step: Step, rooms: Rooms) -> None:
        self._step = step
        self._rooms = rooms

    def requested(self, event: InvitationRequested) -> None:
        problem = ""
        try:
            self._call(event)
        except Refused as refused:
            problem = str(refused)
        at_utc_s, what = self._step.now.utc_s, f"{event.room}: {event.who}"
        self._step.store(
            AuditRecord(by=event.by, act="conference_invite", what=what, is_done=not problem, at_utc_s=at_utc_s, agent=None)
        )
        if problem:
            self._step.emit(Reply(request=event.request, is_ok=False, text=problem))

    def over(self, leg: Leg, cause: int, *, is_lost: bool) -> bool:
        """The leg of somebody who was invited has ended before they were in it. False: it is nobody's like that."""
        member = self._step.members.get(leg.id)
        if member is None or member.number or not member.invited_as:
            return False
        if is_lost:
            end = MemberEnd.LOST
        elif member.end is not None:
            end = member.end
        else:
            end = MemberEnd.LEFT if leg.state is LegState.UP else ENDS.get(cause, MemberEnd.UNREACHABLE)
        self._step.members.drop(leg.id)
        self._rooms.not_in(member, end)
        if member.asked_by is not None:
            text = f"{member.invited_as} {WORDS[end]}"
            self._step.emit(Reply(request=member.asked_by, is_ok=False, text=text))
        return True

    # --- inside -------------------------------------------------------------------------------------------------------
    def _call(self, event: InvitationRequested) -> None:
        step, config = self._step, self._rooms.config(event.room)
        if config is None:
            raise Refused(f"there is no conference {event.room}")
        if self._rooms.shut(event.room, is_moderator=False) is not None:
            raise Refused(f"conference {event.room} is locked or full")
        agent, phone, number = self._whom(event, config)
        same = (agent, phone, number)
        if any((m.agent, m.phone, m.caller_number) == same for m in step.members.values() if m.room == event.room):
            raise Refused(f"{event.who} is in the conference {event.room}, or is being called")
        to = phone or PhoneId(f"PJSIP/{number}@{step.settings.trunk}")
        counters, pbx = step.clockwork, step.settings.pbx
        leg = LegId(pbx, f"cc{pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")
        step.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        now_s = step.now.mono_s
        step.legs.put(leg, Leg(id=leg, role=Role.ROOM, state=LegState.DIALLED, phone=phone, heard_s=now_s))
        member = Member(
            leg=leg,
            room=event.room,
            channel="",
            is_moderator=False,
            since=step.now,
            heard_s=now_s,
            agent=agent,
            phone=phone,
            caller_number=number,
            invited_as=event.who,
            asked_by=event.request,
        )
        step.members.put(leg, member)
        room = step.rooms.get(event.room)
        step.order(
            DialOut(
                leg=leg,
                interaction=room.id if room is not None else InteractionId(0),
                to=to,
                number=config.number if phone is not None else self._did(event),
                name=f"Conference {config.number}",
                ring_timeout_s=step.settings.agent_rules.transfer_ring_s,
                place=Place.DESK,
            )
        )

    def _whom(
        self, event: InvitationRequested, config: ConferenceSettings
    ) -> tuple[AgentId | None, PhoneId | None, str | None]:
        """The agent, the phone and the number outside, as far as there are any."""
        settings, who = self._step.settings, event.who
        if who in settings.agents:
            agent = self._step.agents.get(AgentId(who)) or Agent(id=AgentId(who))
            if agent.presence is Presence.LOGGED_OUT or agent.phone is None:
                raise Refused(f"agent {who} is logged out")
            return self._free(agent), agent.phone, None
        phone = next((phone for phone, config in settings.phones.items() if who in (config.number, phone)), None)
        if phone is not None:
            there = self._step.agents.get(self._step.agent_at.get(phone))
            return (self._free(there) if there is not None else None), phone, None
        is_allowed = service_class.allows(self._step, config.class_of_service, event.kind)
        is_unknown = event.kind is NumberKind.UNKNOWN and not is_allowed
        if event.kind is NumberKind.INTERNAL or not event.number or is_unknown:
            raise Refused(f"{who} is no agent, no phone and no number outside")
        if not is_allowed:
            raise Refused(f"{event.kind.value} numbers may not be invited into the conference {event.room}")
        return None, None, event.number

    @staticmethod
    def _free(agent: Agent) -> AgentId:
        if agent.work or agent.own_call is not None:
            raise Refused(f"agent {agent.id} is busy")
        return agent.id

    def _did(self, event: InvitationRequested) -> str | None:
        """What is shown outside, where a carrier shows only numbers that are ours: one that leads into the room, else any."""
        settings = self._step.settings
        leads_in = {
            name
            for name, flow in settings.flows.items()
            if any(isinstance(node, ConferenceNode) and node.conference == event.room for node in flow.nodes.values())
        }
        numbers = [number for number, did in settings.dids.items() if did.flow in leads_in]
        return next(iter([*numbers, *settings.dids]), None)
