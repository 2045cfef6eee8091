"""The edge of look-ups: performs `LookUp`, and asks for the check of secrets, each within the look-up's time, whatever the system does.

An asking goes: breaker -> a thread of the system (or the runner of Python functions) -> one or more tries -> what was found is made to
fit. A timer on the loop ends it after `longest_s` even where a thread hangs in something that cannot be interrupted. Nothing that is
asked or answered is ever logged: a line names the look-up, the field, the status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, succeed

from ccserver.config.look_up_edges import SECRET, AnyLookUp, LookUpDatabase
from ccserver.core.commands import LookUp
from ccserver.core.events import Event, LookedUp, LookUpEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import CommandId, InteractionId, Language, LookUpId
from ccserver.lookups.answers import Answer, LookUpFailed
from ccserver.lookups.breaker import Breaker, BreakerState, Ticket
from ccserver.lookups.counts import LookUpCounts
from ccserver.lookups.systems import Outside, Question, Result, RunFunction, Systems, Way, answer_of, way_of

log = structlog.stdlib.get_logger(__name__)


class Timer(Protocol):
    def active(self) -> bool: ...

    def cancel(self) -> None: ...


class Loop(Protocol):
    """The part of the daemon's loop that is used here."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], /, *args: object) -> Timer: ...

    def from_thread(self, call: Callable[[], object], /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _LookUp:
    """One look-up, ready to be asked. `outside` is None for Python."""

    edge: AnyLookUp
    outside: Outside | None
    way: Way
    breaker: Breaker


@dataclass(slots=True, kw_only=True, eq=False)
class _Asking:
    """One that is under way."""

    id: LookUpId
    of: _LookUp
    ticket: Ticket
    question: Question
    interaction: InteractionId | None
    started_s: float
    answered: "Deferred[Answer]"
    timer: Timer | None = None


class LookUps:
    """All look-ups of the center; to be called on the loop's thread. Before `configure` there are none."""

    def __init__(
        self,
        *,
        loop: Loop,
        monotonic_s: Callable[[], float],
        post: Callable[[Event], None],
        run_function: RunFunction,
        registry: CollectorRegistry,
    ) -> None:
        self._loop = loop
        self._post = post
        self._run_function = run_function
        self._systems = Systems(monotonic_s)
        self._look_ups: dict[LookUpId, _LookUp] = {}
        self._under_way: dict[_Asking, None] = {}
        self._is_closed = False
        self._counts = LookUpCounts(registry, self.breakers, self._systems.waiting)

    # --- settings -----------------------------------------------------------------------------------------------------
    def configure(self, look_ups: Mapping[LookUpId, AnyLookUp], databases: Mapping[str, LookUpDatabase]) -> None:
        """From now on these. What did not change keeps its breaker and its threads."""
        self._systems.configure(look_ups, databases)
        before, self._look_ups = self._look_ups, {}
        for name, edge in look_ups.items():
            made = self._made(name, edge)
            old = before.get(name)
            is_same = old is not None and old.edge == edge and old.outside is made.outside
            self._look_ups[name] = old if old is not None and is_same else made

    def _made(self, name: LookUpId, edge: AnyLookUp) -> _LookUp:
        outside = self._systems.of(name, edge)
        way = way_of(outside, edge, self._loop.from_thread, self._run_function, lambda: self._counts.tried_again(name))
        return _LookUp(edge=edge, outside=outside, way=way, breaker=Breaker(edge.breaker.failures, edge.breaker.rest_s))

    def breakers(self) -> dict[LookUpId, BreakerState]:
        return {name: each.breaker.state for name, each in self._look_ups.items()}

    # --- asking -------------------------------------------------------------------------------------------------------
    def perform(self, command_id: CommandId, command: LookUp) -> None:
        """Posts LookedUp, within the look-up's `longest_s`."""
        answered = self.ask(command.look_up, command.parameters, command.language, interaction=command.interaction)
        answered.addCallback(lambda answer: self._post(LookedUp(command=command_id, end=answer.end, values=answer.values)))

    def ask(
        self,
        look_up: LookUpId,
        parameters: Mapping[str, Value],
        language: Language,
        *,
        secret: bytearray | None = None,
        interaction: InteractionId | None = None,
    ) -> "Deferred[Answer]":
        """Never fails: that is an answer too. `secret` are digits; they must not be wiped before the answer."""
        of = self._look_ups.get(look_up)
        if of is None or self._is_closed:
            return succeed(self._not_asked(look_up, "unknown", "there is no such look-up now", interaction))
        given = {*parameters, *(() if secret is None else (SECRET,))}
        if given != set(of.edge.parameters):
            # A call in a flow of the settings before these.
            return succeed(self._not_asked(look_up, "misfit", "it has other parameters now", interaction))
        ticket = of.breaker.ask(self._loop.seconds())
        if ticket is None:
            return succeed(self._not_asked(look_up, "resting", "it rests after failures", interaction))
        asking = _Asking(
            id=look_up,
            of=of,
            ticket=ticket,
            question=Question(
                parameters=parameters,
                language=language,
                secret=secret,
                facts={} if interaction is None else {"number": str(interaction)},
            ),
            interaction=interaction,
            started_s=self._loop.seconds(),
            answered=Deferred(),
        )
        self._under_way[asking] = None
        if not of.way.begin(asking.question, lambda result: self._settle(asking, result)):
            del self._under_way[asking]
            of.breaker.withdrawn(ticket)
            return succeed(self._not_asked(look_up, "full", "too many wait for this system", interaction))
        if asking in self._under_way:  # not answered on the spot
            asking.timer = self._loop.callLater(of.edge.longest_s, self._too_late, asking)
        return asking.answered

    def close(self) -> None:
        """No more answers from outside: who waits for one is told that it failed. Threads and connections end by themselves."""
        self._is_closed = True
        for asking in list(self._under_way):
            self._settle(asking, LookUpFailed("ccserver stops", is_down=False))
        self._systems.close()

    # --- answers --------------------------------------------------------------------------------------------------------
    def _not_asked(self, look_up: LookUpId, why: str, reason: str, interaction: InteractionId | None) -> Answer:
        self._counts.not_asked(look_up, why)
        self._counts.ended(look_up, LookUpEnd.FAILED, None)
        # An open breaker has been told; each caller who meets it is only counted.
        tell = log.debug if why == "resting" else log.warning
        tell("look_up.not_asked", look_up=look_up, reason=reason, interaction=interaction)
        return Answer(end=LookUpEnd.FAILED, reason=reason)

    def _too_late(self, asking: _Asking) -> None:
        self._settle(asking, LookUpFailed("no answer in time"))

    def _settle(self, asking: _Asking, result: Result) -> None:
        """The first to come counts: the answer, the end of the time, the end of the daemon."""
        if asking not in self._under_way:
            return
        del self._under_way[asking]
        asking.question.is_over.set()
        if asking.timer is not None and asking.timer.active():
            asking.timer.cancel()
        answer, is_down = answer_of(result, asking.of.edge)
        self._tell_breaker(asking, is_down)
        duration_s = self._loop.seconds() - asking.started_s
        self._counts.ended(asking.id, answer.end, duration_s)
        line = log.warning if answer.end is LookUpEnd.FAILED else log.debug
        line(
            "look_up.failed" if answer.end is LookUpEnd.FAILED else "look_up.ended",
            look_up=asking.id,
            end=answer.end.value,
            reason=answer.reason,
            interaction=asking.interaction,
            duration_s=round(duration_s, 3),
        )
        asking.answered.callback(answer)

    def _tell_breaker(self, asking: _Asking, is_down: bool) -> None:
        breaker = asking.of.breaker
        before = breaker.state
        if is_down:
            breaker.failed(asking.ticket, self._loop.seconds())
        else:
            breaker.succeeded(asking.ticket)
        if breaker.state is not before:
            if breaker.state is BreakerState.OPEN:
                log.warning("look_up.rests", look_up=asking.id, rest_s=asking.of.edge.breaker.rest_s)
            else:
                log.info("look_up.recovered", look_up=asking.id)
