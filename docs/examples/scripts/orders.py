"""Orders of the shop's database: asked for and said in a call, and a score for a branch of the flow."""

import sqlite3
from contextlib import closing

from asterisk.agi import AGI

from ccserver.scripts import Call, Result

DATABASE = "/var/lib/shop/orders.db"
TRIES = 3


def check(agi: AGI, call: Call) -> Result | str:
    """Asks for an order number and says the status of the order."""
    for _ in range(TRIES):
        number = agi.get_data("order-number", 6000, 8)
        found = _row("SELECT status, amount FROM orders WHERE number = ?", number)
        if found is not None:
            status, amount = found
            agi.stream_file(f"order-{status}")
            return Result(status, order=number, amount=amount)
        agi.stream_file("order-unknown")
    return "gave_up"


def score(call: Call) -> dict[str, object] | None:
    """How many orders the caller's number has not paid; nothing for a number without orders."""
    found = _row(
        "SELECT count(*), sum(status = 'late') FROM orders WHERE phone = ?",
        call.caller_number,
    )
    if found is None or found[0] == 0:
        return None
    return {"unpaid": found[1], "is_regular": found[0] > 2}


def _row(query: str, value: str) -> tuple | None:
    # Without a time limit here a locked database would hold up the script, and the caller.
    with closing(sqlite3.connect(DATABASE, timeout=2)) as database:
        return database.execute(query, (value,)).fetchone()
