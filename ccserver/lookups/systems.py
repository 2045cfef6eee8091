"""The outside systems, each with threads of its own, and the way in which a look-up is asked of one.

A system whose settings did not change is kept when they are read again. One that did is replaced: what is under way with the old
one comes to its end, and its connections are closed after it.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, assert_never

import structlog
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from ccserver.config.look_up_edges import (
    RETRY_PAUSE_S,
    AnyLookUp,
    HttpLookUp,
    LookUpDatabase,
    PythonLookUp,
    RecordsLookUp,
    SqlLookUp,
)
from ccserver.config.sql_text import read_statement
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import Language, LookUpId
from ccserver.lookups.answers import Answer, Fields, LookUpFailed, fit, place_of
from ccserver.lookups.http import HttpAsker
from ccserver.lookups.lanes import Lane
from ccserver.lookups.own_records import returned_call
from ccserver.lookups.sql import CONNECTIONS_MAX, Database

log = structlog.stdlib.get_logger(__name__)

HTTP_THREADS = 16
WAITING_MAX = 50
"""Askings of one system that wait for a thread; more fail at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. `is_over`: nobody waits for the answer any more. `facts` are what is known of the call."""

    parameters: Mapping[str, Value] = field(repr=False)
    language: Language
    secret: bytearray | None = field(default=None, repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    is_over: threading.Event = field(default_factory=threading.Event)


Result = Fields | LookUpFailed | None
"""None: there is nothing."""
Tell = Callable[[Result], None]


class Way(Protocol):
    """How one look-up is asked."""

    def begin(self, question: Question, tell: Tell) -> bool:
        """Asks, and later calls `tell` once, on the loop. False: too many wait, and nothing is asked."""


class RunFunction(Protocol):
    """Runs a pure function of the administrator's folder on a thread; gives what it returned, None for nothing. It fails where the
    function does, or takes longer than `time_limit_s`."""

    def __call__(
        self,
        name: str,
        parameters: Mapping[str, Value],
        facts: Mapping[str, str],
        language: str,
        time_limit_s: float,
        /,
    ) -> "Deferred[Mapping[str, object] | None]": ...


class Outside:
    """One outside system: an address, or a database."""

    def __init__(self, name: str, edge: HttpLookUp | LookUpDatabase, monotonic_s: Callable[[], float]) -> None:
        self.edge = edge
        self.asker: HttpAsker | Database
        match edge:
            case HttpLookUp():
                self.asker, threads = HttpAsker(edge, monotonic_s), HTTP_THREADS
            case LookUpDatabase():
                self.asker, threads = Database(edge.url, monotonic_s), CONNECTIONS_MAX
            case _:
                assert_never(edge)
        self.lane = Lane(name, threads=threads, waiting_max=WAITING_MAX)

    def close(self) -> None:
        """Once what is under way has ended."""
        self.lane.close(self.asker.close)


def ask_once(outside: Outside, edge: HttpLookUp | SqlLookUp | RecordsLookUp, question: Question) -> Fields | None:
    """One try, on this thread. Raises LookUpFailed."""
    if isinstance(outside.asker, HttpAsker):
        return outside.asker.ask(question.parameters, question.language, question.secret, edge.timeout_s)
    if isinstance(edge, RecordsLookUp):
        return returned_call(outside.asker, edge, question.parameters["number"], datetime.now(UTC), edge.timeout_s)
    assert isinstance(edge, SqlLookUp)  # a database is asked by SQL only
    return outside.asker.first_row(read_statement(edge.sql), question.parameters, question.secret, edge.timeout_s)


class OnThreads:
    """By HTTP or SQL, as often as the look-up says where a failure may pass."""

    def __init__(
        self,
        outside: Outside,
        edge: HttpLookUp | SqlLookUp | RecordsLookUp,
        from_thread: Callable[[Callable[[], object]], None],
        tried_again: Callable[[], None],
    ) -> None:
        self._outside = outside
        self._edge = edge
        self._from_thread = from_thread
        self._tried_again = tried_again

    def begin(self, question: Question, tell: Tell) -> bool:
        """See `Way`."""

        def job() -> None:
            result = self._result(question)
            self._from_thread(lambda: tell(result))

        return self._outside.lane.submit(job)

    def _result(self, question: Question) -> Result:
        for left in range(self._edge.tries - 1, -1, -1):
            if question.is_over.is_set():
                break
            try:
                return ask_once(self._outside, self._edge, question)
            except LookUpFailed as error:
                if not (left and error.may_pass):
                    return error
            except Exception as error:  # a fault of ours, or of a driver: the caller leaves by the failure exit
                log.error("look_up.faulted", system=self._outside.lane.name, where=place_of(error))
                return LookUpFailed(f"a fault: {type(error).__name__}")
            question.is_over.wait(RETRY_PAUSE_S)
            self._tried_again()
        return LookUpFailed("nobody waits for it any more")


class ByFunction:
    """By a Python function; it is not tried again."""

    def __init__(self, edge: PythonLookUp, run_function: RunFunction) -> None:
        self._edge = edge
        self._run = run_function

    def begin(self, question: Question, tell: Tell) -> bool:
        """See `Way`."""
        edge = self._edge
        running = maybeDeferred(
            self._run, edge.function, question.parameters, question.facts, question.language, edge.timeout_s
        )
        running.addCallbacks(tell, lambda failure: tell(_of_function(failure)))
        return True


def way_of(
    outside: Outside | None,
    edge: AnyLookUp,
    from_thread: Callable[[Callable[[], object]], None],
    run_function: RunFunction,
    tried_again: Callable[[], None],
) -> Way:
    """How the look-up is asked of its system."""
    if isinstance(edge, PythonLookUp):
        return ByFunction(edge, run_function)
    assert outside is not None
    return OnThreads(outside, edge, from_thread, tried_again)


def answer_of(result: Result, edge: AnyLookUp) -> tuple[Answer, bool]:
    """The answer, and whether the system seems to be down."""
    if result is None:
        return Answer(end=LookUpEnd.MISSING), False
    if not isinstance(result, LookUpFailed):
        try:
            return Answer(end=LookUpEnd.FOUND, values=fit(result, edge.gives)), False
        except LookUpFailed as misfit:
            result = misfit
    return Answer(end=LookUpEnd.FAILED, reason=result.reason), result.is_down


def _of_function(failure: Failure) -> LookUpFailed:
    # The text of an error in somebody's function may repeat a value.
    name = "no error" if failure.type is None else failure.type.__name__
    return LookUpFailed(f"the function failed: {name}")


class Systems:
    """All of them, by name: `database NAME`, `look-up NAME`, `own records`."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._outside: dict[str, Outside] = {}

    def configure(self, look_ups: Mapping[LookUpId, AnyLookUp], databases: Mapping[str, LookUpDatabase]) -> None:
        wanted: dict[str, HttpLookUp | LookUpDatabase] = {f"database {name}": edge for name, edge in databases.items()}
        wanted.update({_of_look_up(name): edge for name, edge in look_ups.items() if isinstance(edge, HttpLookUp)})
        wanted.update((_RECORDS, LookUpDatabase(url=edge.url)) for edge in look_ups.values() if isinstance(edge, RecordsLookUp))
        for name in [name for name, outside in self._outside.items() if wanted.get(name) != outside.edge]:
            self._outside.pop(name).close()
        for name, edge in wanted.items():
            if name not in self._outside:
                self._outside[name] = Outside(name, edge, self._monotonic_s)

    def of(self, look_up: LookUpId, edge: AnyLookUp) -> Outside | None:
        """None for Python."""
        match edge:
            case HttpLookUp():
                return self._outside[_of_look_up(look_up)]
            case SqlLookUp():
                return self._outside[f"database {edge.database}"]
            case RecordsLookUp():
                return self._outside[_RECORDS]
            case PythonLookUp():
                return None
            case _:
                assert_never(edge)

    def waiting(self) -> dict[str, int]:
        """Askings that wait for a thread, by system."""
        return {name: outside.lane.waiting for name, outside in self._outside.items()}

    def close(self) -> None:
        while self._outside:
            self._outside.popitem()[1].close()


_RECORDS = "own records"


def _of_look_up(name: LookUpId) -> str:
    return f"look-up {name}"
