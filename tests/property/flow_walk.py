"""One caller's walk through a flow: what is done to it, step by step, on the virtual PBX, and what must be true of it afterwards."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ccserver.core.commands import Collect, CollectNumber, CollectSecret, Command, EndSession, Next, Say, Store
from ccserver.core.events import (
    CancelCallbackRequested,
    CloseHoursRequested,
    Event,
    HangUpRequested,
    LoginRequested,
    LogoutRequested,
    LookedUp,
    OpenHoursRequested,
    PauseRequested,
    SettingsLoaded,
)
from ccserver.core.ids import HoursId, InteractionId, PhoneId, ReasonId, RequestId, SessionId
from ccserver.core.records import FlowEnd, FlowRecord, InteractionRecord, Outcome, SegmentKind, SegmentRecord, SurveyRecord
from ccserver.core.settings import HangUpNode, Settings, SpokenKind
from ccserver.core.state import VOICE, DeadlineKind
from ccserver.core.transitions import InteractionState
from ccserver.sim.books import Books
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.day import verify
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

LONGEST_S = 3 * 3600.0
"""Nobody is longer in a flow of these sizes, whatever happens."""
QUIET_S = 700.0
BY_THE_CLOCK = (DeadlineKind.DAY, DeadlineKind.SHIFT, DeadlineKind.CLOSING)
Question = Collect | CollectNumber | CollectSecret
GOOD = {
    2: ("18", "42"),
    3: ("182", "109"),
    5: ("18762", "42424"),
    6: ("187625", "123456"),
    11: ("52998224725", "00743110157", "79927398713"),
    14: ("11222333000181",),
}
"""By how many digits are asked for: numbers that some checksum wants."""


@dataclass(frozen=True, slots=True)
class Input:
    """`what` is a method of `Walk`, `value` its argument."""

    what: str
    value: Any = None


class Puppet:
    """Does what it is told to; keeps the channels it has, and the question that it was asked last."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.question: Question | None = None

    def rings(self, channel: Channel) -> None:
        self.channels.append(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if isinstance(verb, Question):
            self.question = verb

    def joined(self, channel: Channel) -> None:
        """Talks."""

    def parted(self, channel: Channel) -> None:
        """Waits."""

    def ended(self, channel: Channel) -> None:
        if channel in self.channels:
            self.channels.remove(channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`did` is called from `number`. `staff`: "none", "away" (not ready) or "ready"; `others` are the settings that may be loaded
    meanwhile."""

    settings: Settings
    others: Settings
    did: str
    number: str | None
    staff: str
    faults: Faults
    seed: int
    inputs: tuple[Input, ...]


class Walk:
    """Begin it, `do` each input, `settle`, and `end`."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.books = Books(keeps_records=True)
        self.world = World(
            story.settings, seed=story.seed, faults=story.faults, watch=self._watch, keeps_journal=True, books=self.books
        )
        self.caller = Puppet()
        self.agents = {phone: Puppet() for phone in story.settings.phones}
        self.strangers: list[Puppet] = []
        self.told: list[Event] = []
        """Ends of verbs and look-ups, as they came."""
        self.words: dict[SessionId, list[str]] = {}
        """The prompts that each session was told last."""
        self.requests = 0
        self.mishaps = 0

    def run(self) -> None:
        self.begin()
        for each in self.story.inputs:
            getattr(self, each.what)(each.value)
        self.settle()
        self.end()

    def begin(self) -> None:
        world, story = self.world, self.story
        world.pbx.dialplan.outside = self._stranger
        for phone, puppet in self.agents.items():
            world.pbx.phones[phone].person = puppet
        world.start()
        world.run_until(1.0)
        if story.staff != "none":
            for agent, phone in zip(sorted(story.settings.agents), sorted(story.settings.phones), strict=True):
                self.ask(LoginRequested, agent=agent, phone=phone)
                if story.staff == "away":
                    self.ask(PauseRequested, agent=agent, reason=ReasonId("lunch"))
        channel = world.pbx.call_in(self.caller, story.did, story.number, "Nobody")
        assert channel is not None
        self.caller.channels.append(channel)
        self.wait(0.02)

    def _stranger(self, to: PhoneId) -> Puppet:
        self.strangers.append(Puppet())
        return self.strangers[-1]

    def ask(self, kind: Callable[..., Event], **given: object) -> None:
        self.requests += 1
        self.world.post(kind(request=RequestId(self.requests), **given))

    # --- inputs -------------------------------------------------------------------------------------------------------
    def answer(self, luck: int) -> None:
        """Wait for the next question, and answer it with what is mostly right."""
        end_s = self.world.agenda.now_s + 40.0
        while self.caller.question is None and self.in_flow() and self.world.agenda.now_s < end_s:
            self.wait(0.5)
        asked, self.caller.question = self.caller.question, None
        if isinstance(asked, Collect) and asked.complete:
            self.press(asked.complete[luck % len(asked.complete)])
        elif isinstance(asked, Collect):
            good = GOOD.get(asked.max_digits, ("12345678901234567890"[: asked.max_digits],))
            self.press(good[luck % len(good)] + asked.terminator)
        elif isinstance(asked, CollectSecret) and asked.room is not None:
            self.press(("11#", "99#", "1234#")[luck % 3])
        elif asked is not None:
            self.press("1234#")
        self.wait(0.02)

    def press(self, digits: str) -> None:
        if self.caller.channels:
            self.world.pbx.press(self.caller.channels[0], digits)

    def wait(self, for_s: float) -> None:
        self.world.run_until(self.world.agenda.now_s + for_s)

    def hang_up(self, _: None) -> None:
        for channel in list(self.caller.channels):
            self.world.pbx.hang_up(channel)

    def leave_session(self, _: None) -> None:
        """The connection of AGI breaks; the dialplan comes back to the daemon."""
        for channel in self.caller.channels:
            self.world.pbx.lose_session(channel)

    def repeat(self, place: int) -> None:
        """An end that was told already is told once more."""
        if self.told:
            self.world.post(self.told[place % len(self.told)])

    def kill(self, for_s: float) -> None:
        self._mishap(lambda: self.world.kill(for_s), for_s + 0.001)

    def break_link(self, for_s: float) -> None:
        self._mishap(lambda: self.world.break_link(for_s), 0.0)

    def crash_pbx(self, for_s: float) -> None:
        self._mishap(lambda: self.world.crash_pbx(for_s), for_s + 5.001)

    def _mishap(self, befall: Callable[[], None], lasts_s: float) -> None:
        self.mishaps += 1
        if self.mishaps <= 2:
            befall()
            self.wait(lasts_s)

    def write_and_read(self, _: None) -> None:
        self.world.restore()

    def reload(self, is_other: bool) -> None:
        """Other flows under the same names, or the first ones again."""
        self.world.settings = self.story.others if is_other else self.story.settings
        self.world.post(SettingsLoaded(settings=self.world.settings))

    def close_hours(self, is_closed: bool) -> None:
        if is_closed:
            self.ask(CloseHoursRequested, hours=HoursId("office"), until_utc_s=None)
        else:
            self.ask(OpenHoursRequested, hours=HoursId("office"))

    def somebody_acts(self, way: str) -> None:
        """One who is rung, or talks: an agent, or whoever is called outside."""
        busy = [channel for puppet in (*self.agents.values(), *self.strangers) for channel in puppet.channels]
        if busy:
            getattr(self.world.pbx, way)(busy[0])
            self.wait(0.05)

    # --- what must be true --------------------------------------------------------------------------------------------
    def in_flow(self) -> list[InteractionId]:
        state = self.world.center.snapshot()
        return [it.id for it in state.interactions.values() if it.state is InteractionState.MENU]

    def settle(self) -> None:
        """Nobody says or does anything any more: and the caller leaves the flow, to people or altogether."""
        self.world.wire.faults = NO_FAULTS
        end_s = self.world.agenda.now_s + LONGEST_S
        while self.in_flow():
            self.wait(20.0)
            assert self.world.agenda.now_s < end_s, f"still in the flow: {self.world.center.snapshot().interactions}"

    def end(self) -> None:
        """Everybody hangs up, and nothing is left."""
        world = self.world
        for channel in list(world.pbx.channels.values()):
            world.pbx.hang_up(channel)
        self.wait(60.0)
        for it in world.center.snapshot().interactions.values():
            self.ask(CancelCallbackRequested if it.callback is not None else HangUpRequested, interaction=it.id)
        self.wait(QUIET_S)
        for agent in self.story.settings.agents:
            self.ask(LogoutRequested, agent=agent)
        self.wait(1.0)
        state = world.center.snapshot()
        left = {
            "interactions": state.interactions,
            "legs": state.legs,
            "sessions": state.sessions,
            "commands": state.outstanding,
            "channels": world.pbx.channels,
            "members": state.members,
            "deadlines": [key for key in state.deadlines if key[0] not in BY_THE_CLOCK],
        }
        assert not any(left.values()), f"left over: { {what: things for what, things in left.items() if things} }"
        assert self.books.faults == []
        assert self.books.problems == []
        self._reconcile()

    def _watch(self, world: World, event: Event, commands: list[Command]) -> None:
        verify(world, event, commands)
        if isinstance(event, LookedUp):
            awaited = {it.look_up for it in world.center.snapshot().interactions.values()}
            assert event.command not in awaited, "a look-up that has ended is still awaited"
        if hasattr(event, "command"):
            self.told.append(event)
        for command in commands:
            if isinstance(command, Say):
                self.words[command.session] = [piece.value for piece in command.say if piece.kind is SpokenKind.PROMPT]
        ended = [each.session for each in commands if isinstance(each, EndSession) and each.next is Next.HANG_UP]
        for command in commands:
            if isinstance(command, Store) and isinstance(command.record, FlowRecord) and ended:
                self._last_words(command.record, self.words.get(ended[0]))

    def _last_words(self, record: FlowRecord, heard: list[str] | None) -> None:
        """Who is released by a flow has heard what it says at its end."""
        last = record.steps[-1]
        node = self._versions[record.version].flows[last.flow].nodes[last.node]
        if not isinstance(node, HangUpNode) or heard is None or record.end not in (FlowEnd.SERVED, FlowEnd.ENDED):
            return
        words = [piece.value for piece in node.say if piece.kind is SpokenKind.PROMPT]
        # What says nothing is not said: what was heard last was somewhere else.
        assert not words or heard == words

    def _reconcile(self) -> None:
        """The records of each call add up, and agree about how it ended."""
        flows: defaultdict[InteractionId, list[FlowRecord]] = defaultdict(list)
        in_menu: defaultdict[InteractionId, float] = defaultdict(float)
        surveys: defaultdict[InteractionId, list[SurveyRecord]] = defaultdict(list)
        for record in self.books.records:
            if isinstance(record, FlowRecord):
                flows[record.interaction].append(record)
            elif isinstance(record, SurveyRecord):
                surveys[record.interaction].append(record)
            elif isinstance(record, SegmentRecord) and record.kind is SegmentKind.MENU:
                in_menu[record.interaction] += record.duration_s
        for number in in_menu.keys() | flows.keys():
            passages = flows[number]
            assert [record.number for record in passages] == list(range(len(passages)))
            told_s, menu_s = sum(record.duration_s for record in passages), in_menu[number]
            assert abs(told_s - menu_s) < 0.001, f"{told_s} s in flows, {menu_s} s in the segments"
            for record in passages:
                self._passage(record)
        for number, answers in surveys.items():
            assert [record.number for record in answers] == list(range(len(answers))), f"interaction {number}"
        for told in self.books.interactions.values():
            if told.kind == VOICE:
                self._agree(told, flows[told.interaction])

    def _passage(self, record: FlowRecord) -> None:
        flows = self._versions[record.version].flows
        assert record.steps, "a passage without a node"
        for step in record.steps:
            assert step.node in flows[step.flow].nodes, f"{step} is no node"
        assert len(record.steps) <= self._versions[record.version].limits.menu_steps_max + 40

    @property
    def _versions(self) -> Mapping[str, Settings]:
        return {each.content_hash: each for each in (self.story.settings, self.story.others)}

    @staticmethod
    def _agree(told: InteractionRecord, passages: list[FlowRecord]) -> None:
        """The last passage of a call that nobody took is how it ended."""
        if not passages:
            return
        end = passages[-1].end
        ends: dict[Outcome, tuple[FlowEnd, ...]] = {
            Outcome.LEFT_IN_MENU: (FlowEnd.GAVE_UP,),
            Outcome.SERVED: (FlowEnd.SERVED,),
            Outcome.LEFT_MESSAGE: (FlowEnd.TO_PEOPLE,),
        }
        if told.outcome in ends:
            assert end in ends[told.outcome], f"{told.outcome}, and the passage {end}"
        if end is FlowEnd.GAVE_UP and told.agent is None:
            assert told.outcome in (Outcome.LEFT_IN_MENU, Outcome.ABANDONED, Outcome.LOST), f"gave up, and {told.outcome}"


def digest_of(story: Story) -> str:
    walk = Walk(story)
    walk.run()
    return walk.books.digest()
