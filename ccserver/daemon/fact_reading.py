"""What is known of a telephone number that somebody wants to call: read from the database and the registers, on threads of their own.

What cannot be read is told as such, and then nobody is called: `ReadFacts` always ends in an answer, or the daemon does.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ccserver.core.commands import ReadFacts
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.events import FactsRead
from ccserver.core.ids import CommandId
from ccserver.store import fact_sheets
from ccserver.store.database import Store
from ccserver.store.register_file import BadRegister
from ccserver.store.registers import Registers, all_registers
from ccserver.store.vault import Vault

AT_ONCE = 2

log = structlog.stdlib.get_logger(__name__)


class FactReading:
    """`told` is called on a thread. `registers`: their folder."""

    def __init__(self, store: Store, registers: Path, vault: Vault | None, told: Callable[[FactsRead], None]) -> None:
        self._store = store
        self._folder = registers
        self._vault = vault
        self._told = told
        self._threads = ThreadPoolExecutor(AT_ONCE, "facts")

    def perform(self, command_id: CommandId, command: ReadFacts) -> None:
        self._threads.submit(self._read, command_id, command)

    def close(self) -> None:
        """On a thread."""
        self._threads.shutdown(cancel_futures=True)

    # --- on its threads -------------------------------------------------------------------------------------------------
    def _read(self, command_id: CommandId, command: ReadFacts) -> None:
        sheet: FactSheet | None = None
        try:
            sheet = self._filled(command)
        except Exception as error:  # whatever it is, somebody waits at a phone for the end of it
            mend = "ccserver register verify" if isinstance(error, BadRegister) else "look at the database"
            log.error("facts.not_read", kind=type(error).__name__, reason=str(error), mend=mend)
        self._told(FactsRead(command=command_id, sheet=sheet))

    def _filled(self, command: ReadFacts) -> FactSheet:
        """Raises BadRegister, NoMasterKey, BadSeal, OSError, SQLAlchemyError."""
        now = datetime.now(UTC)
        registers = Registers(self._store.engine, self._folder)
        try:
            with self._store.reading() as connection:
                if all_registers(connection) != registers.known:
                    raise BadRegister("a register is being replaced")
                return fact_sheets.of_number(connection, command.sheet, registers, self._vault, now)
        finally:
            registers.close()
