"""What simulations found wrong, each as the shortest story that shows it."""

from ccserver.core.center import CallCenter
from ccserver.core.commands import Command, RingAgent, Store
from ccserver.core.events import (
    CenterStarted,
    Event,
    LinkUp,
    LoginRequested,
    PbxObserved,
    PhoneStateChanged,
    SettingsLoaded,
)
from ccserver.core.ids import AgentId, InteractionId, PhoneId, RequestId
from ccserver.core.moment import Moment
from ccserver.core.records import InteractionRecord, PhoneState, RepairRecord
from ccserver.sim.channels import Channel
from ccserver.sim.day import verify
from ccserver.sim.sample import DID, sample_center
from ccserver.sim.script import Act, Cast, Script, ScriptStep, Seen
from ccserver.sim.world import World

SETTINGS = sample_center(2).settings
SUPPORT_ONLY = AgentId("1001")
PHONE = PhoneId("PJSIP/2001")


def test_a_caller_who_overflows_to_another_queue_is_offered_to_its_agents_at_once() -> None:
    """The index kept the caller under the queue that was left, so agents of the new one stayed idle."""
    rung: list[RingAgent] = []

    def watch(world: World, event: Event, commands: list[Command]) -> None:
        verify(world, event, commands)
        rung.extend(command for command in commands if isinstance(command, RingAgent))

    world = World(SETTINGS, seed=1, watch=watch)
    steps = (
        ScriptStep(who="caller", act=Act.CALL, value=DID, after_s=0.1),
        *(ScriptStep(who="caller", act=Act.PRESS, value="1", of="caller", seen=Seen.QUESTION, nth=n) for n in (1, 2)),
    )
    cast = Cast(Script(name="overflow", agents={"bob": (SUPPORT_ONLY, PHONE)}, steps=steps), world.pbx)
    world.start()
    world.agenda.at(0.5, world.post, LoginRequested(request=RequestId(1), agent=SUPPORT_ONLY, phone=PHONE))
    world.agenda.at(1.0, cast.begin)
    world.run_until(250.0)
    assert rung == []
    world.run_until(340.0)
    assert [ring.agent for ring in rung][:1] == [SUPPORT_ONLY]


class Silent:
    """A caller who does nothing."""

    def rings(self, channel: Channel) -> None: ...

    def asked(self, channel: Channel, verb: object) -> None: ...

    def joined(self, channel: Channel) -> None: ...

    def parted(self, channel: Channel) -> None: ...

    def ended(self, channel: Channel) -> None: ...


def test_a_call_that_came_to_the_new_asterisk_before_the_link_was_back_is_kept() -> None:
    """FastAGI is back before AMI: what arrived after the boot is no channel of the Asterisk that died."""
    world = World(SETTINGS, seed=1, watch=verify)
    world.start()
    world.run_until(10.0)
    world.pbx.crash()
    world.run_until(20.0)
    world.pbx.boot()
    world.run_until(22.0)
    assert world.pbx.call_in(Silent(), DID, None) is not None
    world.run_until(24.0)
    world.pbx.mend_link()
    world.run_until(30.0)
    told = [record for record in world.books.interactions.values() if isinstance(record, InteractionRecord)]
    assert told == [], f"the caller was told as {told}"
    assert len(world.center.snapshot().interactions) == 1


def test_a_reading_that_overtakes_the_event_of_a_phone_is_no_repair() -> None:
    """The phone changed after the question and its event is on its way: a healthy day has no repair."""
    center, repairs = CallCenter(SETTINGS), []
    idle, in_use = PhoneState.IDLE, PhoneState.IN_USE
    events: list[tuple[float, Event]] = [
        (0.0, CenterStarted(incarnation=1, first_interaction=InteractionId(1))),
        (0.0, SettingsLoaded(settings=SETTINGS)),
        (0.0, LinkUp(pbx="pbx", uptime_s=100.0)),
        (0.1, PbxObserved(pbx="pbx", asked_at_s=0.0, channels=(), phones={PHONE: idle})),
        (30.01, PbxObserved(pbx="pbx", asked_at_s=30.0, channels=(), phones={PHONE: in_use})),
        (30.02, PhoneStateChanged(phone=PHONE, state=in_use)),
        (60.01, PbxObserved(pbx="pbx", asked_at_s=60.0, channels=(), phones={PHONE: in_use})),
    ]
    for at_s, event in events:
        for command in center.handle(event, Moment(at_s, 1_767_600_000.0 + at_s)):
            if isinstance(command, Store) and isinstance(command.record, RepairRecord):
                repairs.append(command.record)
    assert repairs == []
    assert center.snapshot().phones[PHONE].state is in_use
