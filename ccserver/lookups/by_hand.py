"""A look-up asked by hand, in a terminal: the same systems, tries and time limits, without the daemon and without a breaker."""

import queue
import time
from collections.abc import Callable, Mapping

from ccserver.config.look_up_edges import AnyLookUp, LookUpDatabase
from ccserver.core.expressions import Value, ValueType, read_number
from ccserver.core.ids import Language, LookUpId
from ccserver.lookups.answers import Answer, LookUpFailed
from ccserver.lookups.systems import Question, Result, RunFunction, Systems, answer_of, way_of


def read_value(text: str, type_: ValueType) -> Value:
    """A value as it is typed. Raises ValueError, whose text says what would do."""
    match type_:
        case ValueType.TEXT:
            return text
        case ValueType.NUMBER:
            number = read_number(text)
            if number is None:
                raise ValueError("a number, for example 12 or 3.5")
            return number
        case ValueType.TRUTH:
            if text not in ("true", "false"):
                raise ValueError("true or false")
            return text == "true"


def ask(
    look_up: LookUpId,
    edge: AnyLookUp,
    databases: Mapping[str, LookUpDatabase],
    parameters: Mapping[str, Value],
    language: Language,
    *,
    run_function: RunFunction,
) -> Answer:
    """Waits for the answer, for `longest_s` at most."""
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    results: list[Result] = []
    systems = Systems(time.monotonic)
    systems.configure({look_up: edge}, databases)
    way = way_of(systems.of(look_up, edge), edge, calls.put, run_function, lambda: None)
    question = Question(parameters=parameters, language=language)
    way.begin(question, results.append)
    ends_at_s = time.monotonic() + edge.longest_s
    while not results:
        try:
            calls.get(timeout=max(0.0, ends_at_s - time.monotonic()))()
        except queue.Empty:
            question.is_over.set()
            results.append(LookUpFailed("no answer in time"))
    systems.close()
    return answer_of(results[0], edge)[0]
