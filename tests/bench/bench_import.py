"""A file of a million leads into a list: `python tests/bench/bench_import.py [rows]` (or ROWS=…). The aim: three minutes of CPU for a
million, in memory that does not grow with the file, and whoever is stopped goes on where it was.

By the code of `ccserver lead import`, on the disk of the temporary folder, each batch synced. It is stopped half-way and begun again.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench_leads import a_file
from sqlalchemy import func, select

from ccserver.store.database import Store
from ccserver.store.lead_csv import CsvFile
from ccserver.store.lead_import import LeadImport, Progress, Rules
from ccserver.store.lead_rows import Reading, assigned
from ccserver.store.lead_schema import leads

ROWS = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROWS", "100000"))
CPU_S_OF_A_MILLION = 180.0


class Stopped(Exception):
    pass


class Watch:
    """Sees each batch; stops the import when `stop_at` rows are in."""

    def __init__(self, stop_at: int | None) -> None:
        self.stop_at = stop_at
        self.rss_mb: list[int] = []

    def __call__(self, progress: Progress) -> None:
        self.rss_mb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        if self.stop_at is not None and progress.added + progress.rejected >= self.stop_at:
            raise Stopped


def read_into(store: Store, path: Path, watch: Watch) -> Progress:
    with path.open("rb") as file:
        csv_file = CsvFile(file)
        return LeadImport(
            store,
            path=path,
            file=file,
            csv_file=csv_file,
            list_name="bench",
            reading=Reading(columns=assigned(csv_file.columns, {}), country="ES"),
            rules=Rules(),
            rejects=path.with_suffix(".rejected"),
            by="bench",
        ).run(watch)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "leads.csv"
        a_file(path, ROWS)
        store = Store(f"sqlite:///{name}/bench.db")
        store.upgrade()
        first, second = Watch(ROWS // 2), Watch(None)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        try:
            read_into(store, path, first)
        except Stopped:
            done = read_into(store, path, second)
        else:
            raise SystemExit("it was not stopped")
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        with store.reading() as connection:
            there = connection.execute(select(func.count()).select_from(leads)).scalar_one()
        store.close()
        bytes_each = (Path(name) / "bench.db").stat().st_size / max(there, 1)
    told = {
        "rows": ROWS,
        "leads": there,
        "rejected_as_twice": done.rejected,
        "went_on": done.went_on,
        "lost_or_twice": ROWS - done.added - done.rejected,
        "wall_s": round(took_s, 1),
        "cpu_s": round(cpu_s, 1),
        "cpu_s_of_a_million": round(cpu_s / ROWS * 1e6, 1),
        "aim": CPU_S_OF_A_MILLION,
        "rss_mb_after_the_first_batch": first.rss_mb[0],
        "rss_mb_at_the_end": second.rss_mb[-1],
        "disk_bytes_each": round(bytes_each),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
