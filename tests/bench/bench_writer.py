"""The history writer against raw sqlite3, both in one run on one disk, in turns: `python tests/bench/bench_writer.py [rows]`.

Both write the same mix of rows in batches of 100 with a synced commit for each. Raw: rows that are tuples already, one
`executemany` for each table, nothing else. The target is 0.6 of its rate or better.
"""

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "edges" / "store"))
from history_builders import one_of_each

from ccserver.core.ids import CommandId
from ccserver.store.database import Store
from ccserver.store.rows import row_of
from ccserver.store.writer import Told, Writer

ROUNDS = 5
BATCH = 100
RUN = "000001-bench"


def a_store(folder: str, name: str) -> Store:
    store = Store(f"sqlite:///{folder}/{name}.db")
    store.upgrade()
    return store


def records(rows: int) -> list[Told]:
    return [
        Told(RUN, CommandId(call, index), record) for call in range(rows // 8) for index, record in enumerate(one_of_each(call))
    ]


def raw_rows_per_s(folder: str, name: str, told: list[Told]) -> float:
    a_store(folder, name).close()
    batches = []
    for first in range(0, len(told), BATCH):
        tables: dict[str, list[tuple[object, ...]]] = {}
        for each in told[first : first + BATCH]:
            table, row = row_of(each.run, each.command, each.record)
            values = tuple(str(value) if hasattr(value, "tzinfo") else value for value in row.values())
            statement = f"insert into {table.name} ({', '.join(row)}) values ({', '.join('?' * len(row))})"
            tables.setdefault(statement, []).append(values)
        batches.append(tables)
    connection = sqlite3.connect(f"{folder}/{name}.db")
    connection.execute("pragma synchronous=full")
    started = time.perf_counter()
    for tables in batches:
        for statement, values in tables.items():
            connection.executemany(statement, values)
        connection.commit()
    took = time.perf_counter() - started
    connection.close()
    return len(told) / took


def writer_rows_per_s(folder: str, name: str, told: list[Told]) -> float:
    """From the first `append` to the last commit, in a process that does nothing else."""
    store = a_store(folder, name)
    writer = Writer(store.engine, batch_rows_max=BATCH)
    writer.start()
    started = time.perf_counter()
    for each in told:
        writer.append(each.run, each.command, each.record)
    if not writer.flush(600):
        raise SystemExit("the writer did not get done")
    took = time.perf_counter() - started
    writer.close(60)
    if writer.written_rows != len(told):
        raise SystemExit(f"{writer.written_rows} rows written of {len(told)}")
    store.close()
    return len(told) / took


def main(rows: int) -> None:
    told = records(rows)
    raw, ours = [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # a disk, where /tmp may be memory
        for number in range(ROUNDS):
            raw.append(raw_rows_per_s(folder, f"raw{number}", told))
            ours.append(writer_rows_per_s(folder, f"ours{number}", told))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, raw, strict=True))
    result = {
        "rows": len(told),
        "raw_rows_per_s": round(statistics.median(raw)),
        "writer_rows_per_s": round(statistics.median(ours)),
        "ratio": round(ratio, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
