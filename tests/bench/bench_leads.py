"""Lists of leads: import, claims, registers: `python tests/bench/bench_leads.py [leads]`. The targets: a claim of 50 of a million in 5 ms,
a look-up among five million in 10 us.

Everything is by the code that the daemon and the commands use, on the disk of the temporary folder, each commit synced.
"""

import json
import random
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from ccserver.core.ids import AttemptId
from ccserver.core.records import AttemptOutcome
from ccserver.store import attempts, claims, lead_book
from ccserver.store.attempts import NewAttempt, Result
from ccserver.store.database import Store
from ccserver.store.lead_book import ListId
from ccserver.store.lead_csv import CsvFile
from ccserver.store.lead_import import LeadImport, Rules
from ccserver.store.lead_phones import read_phone
from ccserver.store.lead_rows import Reading, assigned
from ccserver.store.register_file import RegisterFile, build

REGISTER = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
LOOK_UPS = 100_000
LEADS = 1_000_000
CLAIMS = 100
NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)


def a_file(path: Path, rows: int) -> None:
    chance = random.Random(1)
    with path.open("w") as file:
        file.write("key,number,name,city,balance\n")
        for row in range(rows):
            file.write(f"k{row},+346{chance.randrange(10**8):08d},Name {row},Town {row % 1000},{row % 777}.50\n")


def of_import(store: Store, path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        csv_file = CsvFile(file)
        reading = Reading(columns=assigned(csv_file.columns, {}), country="ES")
        made = LeadImport(
            store,
            path=path,
            file=file,
            csv_file=csv_file,
            list_name="bench",
            reading=reading,
            rules=Rules(),
            rejects=path.with_suffix(".rejected"),
            by="bench",
        )
        began_s, cpu_s = time.perf_counter(), time.process_time()
        done = made.run()
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    rows = done.added + done.rejected
    return {
        "rows": rows,
        "rows_per_s": round(rows / took_s),
        "rows_per_cpu_s": round(rows / cpu_s),
        "rejected_as_twice": done.rejected,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def of_numbers() -> dict[str, object]:
    chance = random.Random(2)
    given = [f"+346{chance.randrange(10**8):08d}" for _ in range(3000)]
    cpu_s = time.process_time()
    for number in given:
        read_phone(number, "ES")
    return {"cpu_us_each": round((time.process_time() - cpu_s) / len(given) * 1e6)}


def fill(store: Store, rows: int) -> ListId:
    """A list of so many leads, made by the database itself."""
    counting = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :rows) "
    with store.engine.begin() as connection:
        of = lead_book.open_list(connection, "large", (), "bench").id
        first = connection.execute(text("select coalesce(max(id), 0) from leads")).scalar_one()
        given = {"rows": rows, "of": of, "first": first}
        connection.execute(
            text(
                "insert into leads (id, list, name, fields, state, urgency, precedence, tries, added_at) "
                + counting
                + "select :first + i, :of, 'Name ' || i, '{\"city\":\"Town\"}', 'ready', 2, i % 5, 0, '2026-11-28 00:00:00.000000' from n"
            ),
            given,
        )
        connection.execute(
            text(
                "insert into lead_numbers (lead, position, e164, line_type, region, time_zones, state, tries, answers) "
                + counting
                + "select :first + i, 1, '+35' || (1000000000 + i * 7919 % 1000000007), 'mobile', 'ES', '', 'good', 0, 0 from n"
            ),
            given,
        )
    return of


def of_claims(store: Store, of: ListId) -> dict[str, object]:
    """Each claim of 50, each of which is dialled and settled afterwards, so that the list is that of a morning."""
    took_ms, cpu_ms, stored_ms = [], [], []
    for turn in range(CLAIMS):
        now = NOW + timedelta(seconds=turn)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        found = claims.claim(store.engine, [of], campaign="bench", count=50, now=now, hold=timedelta(minutes=5), hasher=None)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_ms.append((time.process_time() - began_cpu_s) * 1000)
        for each in found[:5]:
            attempt = NewAttempt(
                id=AttemptId(f"{turn}-{each.lead.id}"),
                number=each.lead.numbers[0].e164,
                campaign="bench",
                purpose="service",
                asked_by="bench",
                caller_id="+34910000001",
                trunk="carrier",
                lead=each.lead.id,
                token=each.token,
            )
            began_s = time.perf_counter()
            attempts.store(store.engine, attempt, now)
            stored_ms.append((time.perf_counter() - began_s) * 1000)
            busy = Result(outcome=AttemptOutcome.BUSY, ended_at=now, again_at=now + timedelta(seconds=20))
            attempts.settle(store.engine, attempt.id, busy)
        claims.give_back(store.engine, found[0].token, [each.lead.id for each in found[5:]], until=now + timedelta(hours=1))
    return {"claim_of_50": _spread(took_ms), "claim_of_50_cpu": _spread(cpu_ms), "store_attempt": _spread(stored_ms)}


def _spread(took: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(took), 2), "p99_ms": round(sorted(took)[int(len(took) * 0.99)], 2)}


def of_registers(folder: Path) -> dict[str, object]:
    chance = random.Random(3)
    began_s = time.perf_counter()
    count, _ = build(folder / "register", (chance.randrange(10**10, 10**11) for _ in range(REGISTER)), date(2026, 5, 3))
    build_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    opened = RegisterFile(folder / "register")
    open_s = time.perf_counter() - began_s
    asked = [f"+{chance.randrange(10**10, 10**11)}" for _ in range(LOOK_UPS)]
    rounds = []
    for _ in range(5):
        began_s = time.process_time()
        for number in asked:
            _ = number in opened
        rounds.append((time.process_time() - began_s) / LOOK_UPS * 1e6)
    opened.close()
    return {
        "entries": count,
        "build_s": round(build_s, 1),
        "open_and_prove_s": round(open_s, 3),
        "look_up_cpu_us": round(statistics.median(rounds), 2),
    }


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(f"sqlite:///{folder}/bench.db")
        store.upgrade()
        a_file(folder / "leads.csv", rows)
        told = {"number": of_numbers(), "import": of_import(store, folder / "leads.csv")}
        told |= {"claims_among": LEADS, **of_claims(store, fill(store, LEADS))}
        store.close()
        told["register"] = of_registers(folder)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
