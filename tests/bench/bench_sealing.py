"""The history writer with and without sealing, beside each other, in turns, on one disk: `python tests/bench/bench_sealing.py [rows]`.

The worst case for sealing: every call is of somebody new. `known` is the usual one: a thousand persons who call again and again.
"""

import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "edges" / "store"))
from history_builders import one_of_each

from ccserver.config.key_files import key_of
from ccserver.core.ids import CommandId
from ccserver.store.database import Store
from ccserver.store.persons import Sealer
from ccserver.store.vault import Vault
from ccserver.store.writer import Told, Writer

ROUNDS = 3
RUN = "000001-bench"


def records(rows: int, persons: int) -> list[Told]:
    """Eight records of history for each call, as they come."""
    told = []
    for call in range(rows // 8):
        for index, record in enumerate(one_of_each(call)):
            given: Any = record
            if hasattr(given, "caller_number"):
                given = replace(given, caller_number=f"+34{900_000_000 + call % persons}")
            told.append(Told(RUN, CommandId(call, index), given))
    return told


def rows_per_s(folder: str, name: str, told: list[Told], *, is_sealed: bool) -> float:
    store = Store(f"sqlite:///{folder}/{name}.db")
    store.upgrade()
    writer = Writer(store.engine, sealer=Sealer(Vault(key_of(b"k" * 32))) if is_sealed else None)
    writer.start()
    started = time.perf_counter()
    for each in told:
        writer.append(each.run, each.command, each.record)
    if not writer.flush(600):
        raise SystemExit("the writer did not get done")
    took = time.perf_counter() - started
    writer.close(60)
    store.close()
    return len(told) / took


def main(rows: int) -> None:
    new, known = records(rows, rows), records(rows, 1000)
    rates: dict[str, list[float]] = {"plain": [], "sealed_new": [], "sealed_known": []}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # a disk, where /tmp may be memory
        for number in range(ROUNDS):
            rates["plain"].append(rows_per_s(folder, f"plain{number}", new, is_sealed=False))
            rates["sealed_new"].append(rows_per_s(folder, f"new{number}", new, is_sealed=True))
            rates["sealed_known"].append(rows_per_s(folder, f"known{number}", known, is_sealed=True))
    print(
        json.dumps({"rows": len(new), **{f"{name}_rows_per_s": round(statistics.median(each)) for name, each in rates.items()}})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
