"""One stream of log lines: ours, Twisted's and the AMI library's, as JSON, or coloured text on a terminal.

Events are named `noun.past_tense`; the number of the interaction is bound as `interaction`, so that one call can be
followed by it. Callers' numbers are masked unless the level is debug.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from twisted.logger import ILogObserver, STDLibLogObserver, globalLogBeginner

MASKED_KEYS = frozenset({"caller", "caller_number", "number", "number_as_given"})
SHOWN_DIGITS = 3
VALUE_CHARACTERS_MAX = 2000

Line = MutableMapping[str, Any]


def masked(number: str | None) -> str:
    """A telephone number of which the last three digits are left, enough to recognise a call one is looking at."""
    if number is None:
        return "withheld"
    return "*" * max(0, len(number) - SHOWN_DIGITS) + number[-SHOWN_DIGITS:]


def _mask(_logger: object, _method: str, line: Line) -> Line:
    for key in MASKED_KEYS & line.keys():
        value = line[key]
        if value is None or isinstance(value, str):
            line[key] = masked(value)
    return line


def _bound(_logger: object, _method: str, line: Line) -> Line:
    """Escape what callers control: no control character reaches a terminal or a log, and no value is endless."""
    for key, value in line.items():
        if isinstance(value, str) and key != "exception":
            short = value if len(value) <= VALUE_CHARACTERS_MAX else value[:VALUE_CHARACTERS_MAX] + "…"
            line[key] = short if short.isprintable() else short.encode("unicode_escape").decode("ascii")
    return line


def set_level(level: str) -> None:
    """Change the level of a running daemon. Whether numbers are masked stays as it was at the start."""
    logging.getLogger().setLevel(logging.getLevelNamesMapping()[level.upper()])


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Set up logging for the whole process, but for Twisted. `level` is a name of the standard library's (debug, info, warning, error)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([] if number <= logging.DEBUG else [_mask]),
        _bound,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(default=str)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # the AMI library writes whole messages, secrets included, at debug; asyncio each slow callback
    logging.getLogger("panoramisk").setLevel(max(number, logging.WARNING))
    logging.getLogger("asyncio").setLevel(max(number, logging.WARNING))
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))
    # Twisted's own chatter (factory started, connection lost) is below what an operator wants at info
    logging.getLogger("twisted").setLevel(max(number, logging.WARNING))


def take_over_twisted() -> None:
    """Have Twisted speak in the same stream; once for the process."""
    globalLogBeginner.beginLoggingTo([cast(ILogObserver, STDLibLogObserver())], redirectStandardIO=False)
