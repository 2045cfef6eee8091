"""Whom campaigns call in a story made of chance: they do what the rules say, and their watches tell what befell them."""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

from ccserver.core.center import CallCenter
from ccserver.core.commands import Collect, DialOut, Say
from ccserver.core.dialer import account
from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.settings import AmdSettings, AmdUse, CampaignSettings, Outcome, RetryRule
from ccserver.core.dialer.terms import Mode, Purpose
from ccserver.core.events import Heard
from ccserver.core.ids import CampaignId, LegId, PhoneId
from ccserver.core.settings import Settings, Strategy
from ccserver.sim.callees import BUSY, CONGESTED, WRONG, Experience
from ccserver.sim.channels import Asking, Channel, Person, Place, Unreached
from ccserver.sim.dial_sample import AHEAD, NEWS, ONE_BY_ONE, PREFIX, dialling_center
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.sample import SALES, SUPPORT, Sample

AGENTS = 4
RETRIES = {outcome: RetryRule(after_s=10.0, tries=3) for outcome in Outcome}
FIRST, SECOND = ONE_BY_ONE, AHEAD
CLOSES_AT = {"late": 21 * 60, "soon": 9 * 60 + 4}
"""Minutes of the day, where the callees are: the story begins at nine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What a story's gate goes by. `closes`: a key of `CLOSES_AT`."""

    closes: str = "late"
    calls_a_day: int = 6
    max_abandon: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What people do by themselves, beside what the rules say; None: nothing of that."""

    callees_answer_s: float | None = None
    """Two of three do; they talk for a while, or hang up when they have waited for long."""
    agents_answer_s: float | None = None
    """And say yes when they are asked whether somebody is to be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a story is about: two campaigns with agents in these modes."""

    law: Law
    first: Mode
    second: Mode
    listens: AmdUse
    """In the second one."""
    talks: int
    """People who have talked in the second one before."""
    life: Life
    strategy: Strategy


def sample(strategy: Strategy) -> Sample:
    """A center that has everything, with times that a story reaches."""
    made = dialling_center(AGENTS, strategy, wrap_up_s=3.0)
    queues = {
        name: replace(queue, ring_timeout_s=4.0, wrap_up_max_s=10.0, max_wait_s=40.0 if queue.max_wait_s else None)
        for name, queue in made.settings.queues.items()
    }
    # Who serves calls that are placed ahead has a phone that picks up by itself; the others' have to be answered.
    phones = {
        phone: replace(given, auto_answer=given.number in ("2000", "2001")) for phone, given in made.settings.phones.items()
    }
    return Sample(replace(made.settings, queues=queues, phones=phones), made.pins)


def walked(given: Settings, plot: Plot) -> Settings:
    """Two campaigns with agents, and one without any."""
    dialing, law = given.dialing, plot.law
    assert dialing is not None
    rules = replace(
        dialing.rules,
        week=(((9 * 60, CLOSES_AT[law.closes]),),) * 7,
        calls_a_day=law.calls_a_day,
        max_abandon=law.max_abandon,
        abandon_hold_off_s=5.0,
        refusal_hold_off_s=20.0,
    )
    plain = replace(dialing.campaigns[ONE_BY_ONE], rules=rules, retry=RETRIES, ring_s=16.0, calls_per_second=5.0, preview_s=8.0)
    amd = AmdSettings(use=plot.listens)
    campaigns = {
        FIRST: _in_mode(replace(plain, queue=SALES), plot.first),
        SECOND: _in_mode(replace(plain, queue=SUPPORT, lines_per_agent=3.0, amd=amd, whisper=()), plot.second),
        NEWS: replace(dialing.campaigns[NEWS], rules=rules, retry=RETRIES, calls_per_second=1.0, ring_s=16.0),
    }
    made = replace(dialing, rules=rules, campaigns=campaigns)
    return replace(given, dialing=made, content_hash=f"{plot}-{given.content_hash}")


def _in_mode(plain: CampaignSettings, mode: Mode) -> CampaignSettings:
    purpose = Purpose.REQUESTED if mode is Mode.CALLBACK_ONLY else Purpose.SERVICE
    return replace(plain, mode=mode, purpose=purpose)


def with_a_past(center: CallCenter, campaign: CampaignId, talks: int) -> CallCenter:
    """The same, and so many people have talked in that campaign before."""
    state = center.snapshot()
    known, now_s = state.campaigns[campaign], state.moment.utc_s
    book = known.account
    for _ in range(talks):
        book = account.count(book, Counted.CONNECTED, now_s, now_s)
    return CallCenter.restore(replace(state, campaigns={**state.campaigns, campaign: replace(known, account=book)}))


def without(given: Settings, campaign: CampaignId) -> Settings:
    """The same, and that campaign is gone."""
    dialing = given.dialing
    assert dialing is not None
    left = {name: each for name, each in dialing.campaigns.items() if name != campaign}
    return replace(given, dialing=replace(dialing, campaigns=left), content_hash=f"without-{campaign}-{given.content_hash}")


class Fate(Enum):
    """What somebody is when they are called next."""

    RINGS = "rings"
    MACHINE = "machine"
    TAKEN_FOR_MACHINE = "taken for a machine"
    BUSY = "busy"
    WRONG = "wrong"
    CONGESTED = "congested"
    SILENT = "no channel"


UNREACHED = {Fate.BUSY: BUSY, Fate.WRONG: WRONG, Fate.CONGESTED: CONGESTED, Fate.SILENT: Unreached(0, 0)}


TALK_S, PATIENCE_S, READS_S = 10.0, 20.0, 0.4


class Desk:
    """An agent at a phone."""

    def __init__(self, pbx: VirtualPbx, life: Life) -> None:
        self.channels: list[Channel] = []
        self._pbx = pbx
        self._life = life

    def rings(self, channel: Channel) -> None:
        self.channels.append(channel)
        if self._life.agents_answer_s is not None:
            self._pbx.agenda.after(self._life.agents_answer_s, self._pbx.answer, channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if channel not in self.channels:
            self.channels.append(channel)
        if self._life.agents_answer_s is not None and isinstance(verb, Collect) and channel.place is Place.DESK:
            self._pbx.agenda.after(READS_S, self._pbx.press, channel, "1")

    def joined(self, channel: Channel) -> None:
        """Talks."""

    def parted(self, channel: Channel) -> None:
        """Waits on."""

    def ended(self, channel: Channel) -> None:
        if channel in self.channels:
            self.channels.remove(channel)


class Callee:
    """Somebody, or a machine, who is called."""

    def __init__(self, told: Experience, pbx: VirtualPbx, by_leg: dict[LegId, Experience], life: Life) -> None:
        self.told = told
        self.channel: Channel | None = None
        self._pbx = pbx
        self._by_leg = by_leg
        self._life = life

    @property
    def _now_s(self) -> float:
        return self._pbx.agenda.now_s

    @property
    def is_ringing(self) -> bool:
        return self.channel is not None and not self.channel.is_up

    @property
    def is_up(self) -> bool:
        return self.channel is not None and self.channel.is_up

    def acts(self, way: str) -> None:
        """`way`: what one can do at a phone, or a key."""
        channel = self.channel
        if channel is None:
            return
        if way == "answer" and not channel.is_up:
            self._pbx.answer(channel)
            self.told.answered_s = self._now_s
        elif way == "decline":
            self._pbx.decline(channel)
        elif way in ("hang_up", "lose_line"):
            self.told.has_left = True
            getattr(self._pbx, way)(channel)
        elif way.isdigit():
            self._pbx.press(channel, way)

    # --- what is heard ------------------------------------------------------------------------------------------------
    def rings(self, channel: Channel) -> None:
        self.channel = channel
        self._by_leg[channel.leg] = self.told
        if self._life.callees_answer_s is not None and int(self.told.number) % 3:
            self._pbx.agenda.after(self._life.callees_answer_s, self.acts, "answer")
            self._pbx.agenda.after(self._life.callees_answer_s + PATIENCE_S, self._leave, channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if isinstance(verb, Say | Collect) and verb.say and self.told.spoken_to_s is None:
            self.told.spoken_to_s = self._now_s

    def joined(self, channel: Channel) -> None:
        if self.told.talked_s is None:
            self.told.talked_s = self._now_s
        if self._life.callees_answer_s is not None:
            self._pbx.agenda.after(TALK_S, self._leave, channel)

    def _leave(self, channel: Channel) -> None:
        if channel is self.channel:
            self.acts("hang_up")

    def parted(self, channel: Channel) -> None:
        """Waits on."""

    def ended(self, channel: Channel) -> None:
        self.channel = None
        if self.told.answered_s is not None:
            self.told.ended_s = self._now_s


@dataclass(slots=True, eq=False)
class People:
    """Who is reached over the trunks. `fates` are those of the next ones who are called; all others have a phone that rings."""

    pbx: VirtualPbx
    life: Life
    fates: deque[Fate] = field(default_factory=deque)
    dead: set[str] = field(default_factory=set)
    """Endpoints."""
    everybody: list[Callee] = field(default_factory=list)
    experiences: dict[LegId, Experience] = field(default_factory=dict)

    def reach(self, to: PhoneId) -> Person | Unreached | None:
        number, _, endpoint = to.removeprefix("PJSIP/").partition("@")
        if endpoint in self.dead:
            return CONGESTED
        fate = self.fates.popleft() if self.fates and number.startswith(PREFIX) else Fate.RINGS
        if fate in UNREACHED:
            return UNREACHED[fate]
        told = Experience(number, is_machine=fate is Fate.MACHINE)
        told.is_taken_for_machine = fate in (Fate.MACHINE, Fate.TAKEN_FOR_MACHINE)
        self.everybody.append(Callee(told, self.pbx, self.experiences, self.life))
        return self.everybody[-1]

    def hear(self, channel: Channel) -> Heard:
        """What AMD() says."""
        callee = channel.person
        if not isinstance(callee, Callee) or not isinstance(channel.ring, DialOut):
            return Heard.HUMAN
        callee.told.heard_out_s = self.pbx.agenda.now_s
        return Heard.MACHINE if callee.told.is_taken_for_machine else Heard.HUMAN

    def there(self) -> list[Callee]:
        """Those whose phones ring, or who are on the line."""
        self.everybody = [callee for callee in self.everybody if callee.channel is not None or callee.told.ended_s is None][
            -50:
        ]
        return [callee for callee in self.everybody if callee.channel is not None]

    def ringing(self) -> list[Callee]:
        return [callee for callee in self.there() if callee.is_ringing]
