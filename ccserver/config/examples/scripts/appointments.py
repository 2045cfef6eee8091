"""Appointments of the demo database: found for a look-up, and confirmed in a call.

Look-ups by SQL only read. What writes is a function: `confirm` marks the appointment, and the flow says what came of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from asterisk.agi import AGI

from ccserver.scripts import Call, Result

DATABASE = "/var/lib/ccserver/demo.db"
"""Another one can be given as the parameter `database`."""

NEXT = """
    SELECT rowid, date, time FROM appointments
    WHERE customer = :customer AND NOT confirmed AND (:date = '' OR date = :date)
    ORDER BY date, time LIMIT 1
"""


def find(call: Call) -> dict[str, object] | None:
    """The next appointment of the parameter `customer` that is not confirmed: its `date` and `time`."""
    with _database(call) as database:
        found = database.execute(NEXT, {"customer": call.parameters["customer"], "date": ""}).fetchone()
    return None if found is None else {"date": found[1], "time": found[2]}


def confirm(agi: AGI, call: Call) -> Result | str:
    """Confirms that appointment (or the one of the parameter `date`): `confirmed`, or `gone` when there is none any more."""
    wanted = {"customer": call.parameters["customer"], "date": call.parameters.get("date", "")}
    with _database(call) as database:
        found = database.execute(NEXT, wanted).fetchone()
        if found is None:
            return "gone"
        database.execute("UPDATE appointments SET confirmed = 1 WHERE rowid = ?", (found[0],))
    agi.verbose(f"appointment of {found[1]} confirmed")
    return Result("confirmed", date=found[1], time=found[2])


@contextmanager
def _database(call: Call) -> Iterator[sqlite3.Connection]:
    # The time limit is for a database that somebody else is writing. What was changed is kept only when nothing went wrong.
    path = str(call.parameters.get("database", DATABASE))
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=2)) as database, database:
        yield database
