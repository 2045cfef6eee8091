"""`ccserver run`: from a checked configuration to a daemon that listens, and to its end."""

import os
import signal
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from ccserver.config import Configuration
from ccserver.daemon import logs
from ccserver.daemon.lock import StateDirectoryInUse
from ccserver.daemon.notify import ServiceManager
from ccserver.daemon.reactor import Loop
from ccserver.store.database import SchemaMismatch
from ccserver.store.vault import NoMasterKey

DONE = 0
FAILED = 1
REFUSED = 78
"""As sysexits.h has it for configurations: starting again does not help before somebody mends something."""

log = structlog.stdlib.get_logger(__name__)


def run(path: Path, configuration: Configuration, trace: Path | None = None) -> int:
    """Run until a signal ends it; the exit code. SIGTERM and SIGINT stop cleanly, SIGHUP reloads."""
    loop = Loop()
    logs.configure(configuration.edges.log_level)
    logs.take_over_twisted()
    os.umask(0o027)
    # after the reactor has been chosen: these modules import it
    from ccserver.daemon.service import Service  # noqa: PLC0415

    try:
        service = Service(
            path=path,
            configuration=configuration,
            loop=loop,
            manager=ServiceManager.from_environment(os.environ, os.getpid()),
            trace=trace,
        )
    except (SchemaMismatch, NoMasterKey, StateDirectoryInUse) as error:
        log.error("daemon.refused", reason=str(error))
        return REFUSED
    except (OSError, SQLAlchemyError) as error:
        log.error("daemon.failed", reason=str(error), mend="run `ccserver doctor`")
        return FAILED
    code = DONE

    def failed(failure: Failure) -> None:
        nonlocal code
        code = FAILED
        log.error("daemon.failed", reason=failure.getErrorMessage(), exc_info=failure.value)
        loop.end()

    def start() -> None:
        ensureDeferred(service.start()).addErrback(failed)

    def stop() -> Deferred[None]:
        stopping = ensureDeferred(service.stop())
        stopping.addErrback(lambda failure: log.error("daemon.stop_failed", exc_info=failure.value))
        return stopping

    def reload(_number: int, _frame: object) -> None:
        # a refusal is logged and shown by `status`: nobody waits for this one's answer
        loop.from_thread(lambda: service.reload().addErrback(lambda _: None))

    signal.signal(signal.SIGHUP, reload)
    loop.run(start, stop)
    return code
