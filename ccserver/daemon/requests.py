"""What people can ask over the control socket, as the daemon answers it.

What changes the center goes through its inbox like everything else and is answered by the core's `Reply`; what only looks is
read from a snapshot.
"""

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar

import structlog
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from ccserver.agi.numbers import Dialled
from ccserver.control.protocol import Why
from ccserver.control.server import Handler, NotDone
from ccserver.core import codec
from ccserver.core.commands import Reply
from ccserver.core.events import Event, LeadsAdded
from ccserver.core.explain import AgentExplained, InteractionExplained, explain_agent, explain_interaction, explain_queue
from ccserver.core.explain_campaign import CampaignExplained, explain_campaign
from ccserver.core.hours import is_holiday, is_open, next_change
from ccserver.core.ids import HoursId, RequestId, RoomId
from ccserver.core.moment import Moment
from ccserver.core.settings import OpeningHours, Settings
from ccserver.core.state import CenterState, ClosedHours, Interaction
from ccserver.core.transitions import InteractionState
from ccserver.core.views import Overview, WatchView, overview
from ccserver.daemon.campaign_acts import CampaignActs
from ccserver.daemon.conference_acts import ConferenceActs
from ccserver.daemon.live_acts import Given, LiveActs, Made, interaction_of, text_of
from ccserver.web.calls import Answer

REQUESTS_PER_RUN = 10**9
log = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")


class Desk(Protocol):
    """What requests need of the daemon."""

    @property
    def settings(self) -> Settings: ...
    @property
    def prompts(self) -> Collection[str]: ...
    def post(self, event: Event) -> None: ...
    def snapshot(self) -> CenterState: ...
    def now(self) -> Moment: ...
    def facts(self) -> dict[str, object]: ...
    def reload(self) -> Deferred[object]: ...
    def written(self) -> Deferred[object]: ...
    def keep_room_pins(self, room: RoomId, pins: Mapping[str, str]) -> None: ...
    def dialled(self, given: str) -> Dialled: ...
    def on_thread(self, work: Callable[[], T]) -> Deferred[T]: ...


class Requests:
    """The commands of the control socket. `replied` is to be called with each `Reply` of the core."""

    def __init__(self, desk: Desk, incarnation: int) -> None:
        self._desk = desk
        # a reply to a request of an earlier run must not meet a new one
        self._numbers = itertools.count(incarnation * REQUESTS_PER_RUN)
        self._waiting: dict[RequestId, Deferred[object]] = {}
        self._acts = LiveActs(lambda: desk.settings, desk.snapshot, lambda: desk.prompts)
        self._campaigns = CampaignActs(lambda: desk.settings, desk.snapshot)
        self._conferences = ConferenceActs(
            lambda: desk.settings, desk.snapshot, lambda: desk.prompts, desk.keep_room_pins, desk.dialled
        )

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "status": lambda _: self._desk.facts(),
            "overview": lambda _: self.overview(),
            "calls": lambda _: self.calls(),
            "call.show": self.call,
            "call.explain": self.explain_call,
            "queue.explain": self.explain_queue,
            "agent.explain": self.explain_agent,
            **{do: self._act(read) for do, read in self._acts.table().items()},
            **{do: self._act(read) for do, read in self._conferences.table().items()},
            **{do: self._act(read) for do, read in self._campaigns.table().items()},
            "campaigns": lambda _: self._campaigns.list(self._desk.now()),
            "campaign.show": lambda given: self._campaigns.show(given, self._desk.now()),
            "campaign.explain": self.explain_campaign,
            "campaign.evidence": lambda given: self._campaigns.evidence(given, self._desk.now()),
            "trunks": lambda _: self._campaigns.trunks(self._desk.now()),
            "conferences": lambda _: self._conferences.list(self._desk.now()),
            "conference.show": lambda given: self._conferences.show(given, self._desk.now()),
            "numbers": lambda _: self.numbers(),
            "hours": lambda _: self.hours(),
            "watches": lambda _: codec.encode(self.read().watches, tuple[WatchView, ...]),
            "leads.added": self.leads_added,
            "reload": lambda _: self._desk.reload(),
            "history.written": lambda _: self._desk.written(),
        }

    def follows(self) -> Mapping[str, Callable[[], object]]:
        return {"overview.follow": self.overview}

    def replied(self, reply: Reply) -> None:
        """One of a request nobody waits for any more (the client left, the daemon restarted) is dropped."""
        waiting = self._waiting.pop(reply.request, None)
        if waiting is None:
            return
        if reply.is_ok:
            waiting.callback({"text": reply.text})
        else:
            waiting.errback(NotDone(Why.REFUSED, reply.text))

    def overview(self) -> object:
        return codec.encode(self.read(), Overview)

    def read(self) -> Overview:
        return overview(self._desk.snapshot(), self._desk.settings, self._desk.now())

    def calls(self) -> object:
        """The interactions that are not over, oldest first."""
        state, now = self._desk.snapshot(), self._desk.now()
        return [live_call(state.interactions[number], now) for number in sorted(state.interactions)]

    def call(self, given: Mapping[str, object]) -> object:
        """One interaction that is not over; NOT_FOUND when it is over (history has it) or never was."""
        number = interaction_of(given)
        interaction = self._desk.snapshot().interactions.get(number)
        if interaction is None:
            raise NotDone(Why.NOT_FOUND, f"no call {number} is live")
        return live_call(interaction, self._desk.now())

    # Asked of the whole center at once, they may take seconds in a large one: so on a thread, and of a snapshot.
    def explain_call(self, given: Given) -> Deferred[object]:
        """Why it is where it is: an `InteractionExplained`. NOT_FOUND as for `call.show`."""
        number = interaction_of(given)
        return self._explain(
            InteractionExplained,
            lambda state, settings, now: explain_interaction(state, settings, now.mono_s, number),
            f"no call {number} is live",
        )

    def explain_queue(self, given: Given) -> Deferred[object]:
        """The same of the most urgent `NAMED` who wait in a queue: a list."""
        queue = self._acts.queue(given)
        return self._explain(
            tuple[InteractionExplained, ...],
            lambda state, settings, now: explain_queue(state, settings, now.mono_s, queue),
            f"no queue {queue!r}",
        )

    def explain_agent(self, given: Given) -> Deferred[object]:
        """Why an agent gets nothing: an `AgentExplained`."""
        agent = self._acts.agent(given)
        missing = f"agent {agent!r} is no longer in the configuration"
        return self._explain(
            AgentExplained, lambda state, settings, now: explain_agent(state, settings, now.mono_s, agent), missing
        )

    def explain_campaign(self, given: Given) -> Deferred[object]:
        """Why a campaign dials nobody: a `CampaignExplained`."""
        campaign = self._campaigns.campaign(given)
        missing = f"campaign {campaign!r} is no longer in the configuration"
        return self._explain(
            CampaignExplained, lambda state, settings, now: explain_campaign(state, settings, now, campaign), missing
        )

    def _explain(
        self, type_: Any, explain: Callable[[CenterState, Settings, Moment], object], missing: str
    ) -> Deferred[object]:
        state, settings, now = self._desk.snapshot(), self._desk.settings, self._desk.now()

        def work() -> object:
            found = explain(state, settings, now)
            if found is None:
                raise NotDone(Why.NOT_FOUND, missing)
            return codec.encode(found, type_)

        return self._desk.on_thread(work)

    def numbers(self) -> object:
        """The numbers that were marked live, in the order of the marks."""
        return [
            {"number": number, "mark": mark.mark.value, "note": mark.note, "by": mark.by, "at_utc_s": mark.at_utc_s}
            for number, mark in self._desk.snapshot().marks.items()
        ]

    def hours(self) -> object:
        """The opening hours in the order of the configuration, and those that are closed by hand."""
        state, now_utc_s = self._desk.snapshot(), self._desk.now().utc_s
        return [
            opening_hours(name, hours, state.closed_hours.get(name), now_utc_s)
            for name, hours in self._desk.settings.hours.items()
        ]

    def leads_added(self, given: Given) -> object:
        """Somebody else put leads into the database. A list of no campaign concerns nobody."""
        of_list = text_of(given, "list")
        self._desk.post(LeadsAdded(list=of_list))
        return {"text": f"the campaigns of {of_list} look at it"}

    def ask(self, do: str, given: Given) -> "Deferred[Answer]":
        """One of the acts, asked for over HTTP: never fails."""
        acts = {**self._acts.table(), **self._campaigns.table()}
        asked = maybeDeferred(self._act(acts[do]), given)
        return asked.addCallbacks(lambda done: Answer(200, done["text"]), not_done)

    # --- requests to the core -----------------------------------------------------------------------------------------
    def _act(self, read: Callable[[Given], Made]) -> Handler:
        return lambda given: self._ask(read(given))

    def _ask(self, event: Callable[[RequestId], Event]) -> Deferred[object]:
        number = RequestId(next(self._numbers))
        asked = event(number)
        waiting: Deferred[object] = Deferred()
        self._waiting[number] = waiting
        self._desk.post(asked)
        return waiting


_HTTP = {Why.MALFORMED: 400, Why.NOT_FOUND: 404, Why.REFUSED: 409}


def not_done(failure: Failure) -> Answer:
    """What a client of HTTP hears of it."""
    if isinstance(failure.value, NotDone):
        return Answer(_HTTP[failure.value.why], str(failure.value))
    log.error("request.failed", reason=failure.getErrorMessage())
    return Answer(500, "a fault of ours; the log has more")


def opening_hours(name: HoursId, hours: OpeningHours, closed: ClosedHours | None, now_utc_s: float) -> dict[str, object]:
    """Opening hours for people. A closing that is over counts no more; `changes_utc_s`: by the timetable, or when the closing ends (None:
    nobody knows when)."""
    if closed is not None and closed.until_utc_s is not None and closed.until_utc_s <= now_utc_s:
        closed = None
    return {
        "hours": name,
        "timezone": hours.timezone,
        "code": hours.code,
        "is_open": closed is None and is_open(hours, now_utc_s),
        "is_holiday": is_holiday(hours, now_utc_s),
        "changes_utc_s": next_change(hours, now_utc_s) if closed is None else closed.until_utc_s,
        "closed_by_hand": None
        if closed is None
        else {"by": closed.by, "since_utc_s": closed.since.utc_s, "until_utc_s": closed.until_utc_s},
    }


def live_call(interaction: Interaction, now: Moment) -> dict[str, object]:
    """One interaction for people. `wait_s` counts all its queues, the present one included. `flow` and `node`: where a caller is who is led
    by a flow, who came there at `node_since_utc_s`."""
    is_at_node = interaction.state is InteractionState.MENU and interaction.node is not None
    node_since = interaction.node_since if is_at_node else None
    waiting_s = 0.0 if interaction.visit is None else max(0.0, now.mono_s - interaction.visit.waiting_since_s)
    return {
        "interaction": interaction.id,
        "kind": interaction.kind,
        "state": interaction.state.value,
        "caller": interaction.caller_number,
        "caller_name": interaction.caller_name,
        "attestation": interaction.attestation.value,
        "did": interaction.did,
        "language": interaction.language,
        "queue": interaction.visit.queue if interaction.visit else interaction.queue,
        "agent": interaction.talk.agent
        if interaction.talk
        else (interaction.offers[0].agent if interaction.offers else interaction.agent),
        "arrived_utc_s": interaction.arrived.utc_s,
        "wait_s": round(interaction.wait_s + waiting_s, 3),
        "talk_s": round(interaction.talk_s + (now.mono_s - interaction.talk.since.mono_s if interaction.talk else 0.0), 3),
        "leg": interaction.leg.uniqueid if interaction.leg else None,
        "why_this_agent": interaction.offers[0].why if interaction.offers else None,
        "message": interaction.message.path if interaction.message else None,
        "flow": interaction.flow if is_at_node else None,
        "node": interaction.node if is_at_node else None,
        "node_since_utc_s": node_since.utc_s if node_since is not None else None,
    }
