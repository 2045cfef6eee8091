"""The demo database of the self-service example: customers, their orders and appointments, in one SQLite file.

The tables, for look-ups of one's own:

| table          | columns                                                                                                     |
|----------------|-------------------------------------------------------------------------------------------------------------|
| `customers`    | `number`, `phone` (E.164), `name`, `language`, `balance`, `pin_hash` (as `ccserver agent hash-pin` makes it) |
| `orders`       | `number`, `customer`, `status` (`preparing`, `sent`, `delivered`), `amount`, `due` (a date)                  |
| `appointments` | `customer`, `date`, `time`, `confirmed` (0 or 1)                                                             |
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

_TABLES = """
create table customers (
    number text primary key, phone text not null unique, name text not null, language text not null,
    balance real not null, pin_hash text not null
);
create table orders (
    number text primary key, customer text not null references customers, status text not null, amount real not null, due text not null
);
create table appointments (
    customer text not null references customers, date text not null, time text not null, confirmed integer not null
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCustomer:
    number: str
    phone: str
    name: str
    language: str
    balance: float
    pin: str


CUSTOMERS = (
    DemoCustomer(number="1001", phone="+34911222333", name="Ana García", language="es", balance=125.5, pin="2580"),
    DemoCustomer(number="1002", phone="+34911222334", name="Tom Baker", language="en", balance=-12.0, pin="1470"),
    DemoCustomer(number="1003", phone="+351211222335", name="João Silva", language="pt", balance=0.0, pin="3690"),
)
# number, customer, status, amount, days from now
_ORDERS = (
    ("4711", "1001", "sent", 49.9, 2),
    ("4712", "1001", "preparing", 120.0, 7),
    ("4713", "1002", "delivered", 15.25, -3),
    ("4714", "1003", "sent", 1234.56, 1),
)
# customer, days from now, time, confirmed
_APPOINTMENTS = (("1001", 3, "09:30", 0), ("1002", 5, "16:00", 1))


def make_demo(file: Path, *, hash_pin: Callable[[str], str], today: date) -> None:
    """Writes the file, with dates around `today`; it is there whole or not at all. Raises FileExistsError, and OSError."""
    if file.exists():
        raise FileExistsError(17, "it is there already", str(file))
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.unlink(missing_ok=True)
    # The daemon is another user; nothing in it is a secret.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    with closing(sqlite3.connect(unfinished)) as database, database:
        database.executescript(_TABLES)
        database.executemany(
            "insert into customers values (?, ?, ?, ?, ?, ?)",
            [(each.number, each.phone, each.name, each.language, each.balance, hash_pin(each.pin)) for each in CUSTOMERS],
        )
        database.executemany(
            "insert into orders values (?, ?, ?, ?, ?)",
            [(*order[:4], (today + timedelta(days=order[4])).isoformat()) for order in _ORDERS],
        )
        database.executemany(
            "insert into appointments values (?, ?, ?, ?)",
            [(customer, (today + timedelta(days=days)).isoformat(), *rest) for customer, days, *rest in _APPOINTMENTS],
        )
    unfinished.rename(file)
