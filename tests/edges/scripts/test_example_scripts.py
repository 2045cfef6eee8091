"""The scripts that are shipped and shown do what their pages say."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from ccserver.config.script_files import ScriptKind, functions_in
from ccserver.lookups.demo import make_demo
from ccserver.scripts import Call, Rehearsal, Result
from ccserver.scripts.folder import ScriptFolder

ROOT = Path(__file__).parents[3]
SHOWN = ROOT / "docs" / "examples" / "scripts"
SHIPPED = ROOT / "ccserver" / "config" / "examples" / "scripts"


def test_the_administrators_own_tests_pass_as_the_page_runs_them(tmp_path: Path) -> None:
    shutil.copytree(SHOWN, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path / "scripts")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "5 passed" in done.stdout, done.stdout + done.stderr


def test_the_page_shows_the_file_as_it_is() -> None:
    page = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    for name in ("orders.py", "test_orders.py"):
        assert (SHOWN / name).read_text(encoding="utf-8") in page, f"docs/scripts.md shows another {name}"


# --- appointments -------------------------------------------------------------------------------------------------------
@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The demo's, with two appointments of the customer 1001 and one of 1003 beside its own."""
    path = tmp_path / "demo.db"
    make_demo(path, hash_pin=lambda pin: "", today=date(2026, 12, 18))
    with closing(sqlite3.connect(path)) as made, made:
        made.executemany(
            "INSERT INTO appointments VALUES (?, ?, ?, ?)",
            [("1001", "2026-12-28", "09:30", 0), ("1001", "2026-12-01", "10:00", 1), ("1003", "2026-12-22", "11:15", 0)],
        )
    return path


def rows(database: Path) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(database)) as opened:
        return opened.execute("SELECT customer, date, confirmed FROM appointments ORDER BY customer, date").fetchall()


@pytest.fixture
def appointments(tmp_path: Path) -> ScriptFolder:
    folder = tmp_path / "scripts"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("__pycache__"))
    folder.chmod(0o755)
    (folder / "appointments.py").chmod(0o644)
    return ScriptFolder(lambda: folder)


def test_the_next_appointment_is_found_and_confirmed(appointments: ScriptFolder, database: Path) -> None:
    find = appointments.function("appointments.find", ScriptKind.PURE)
    confirm = appointments.function("appointments.confirm", ScriptKind.WITH_CALL)
    call = Call(parameters={"customer": "1001", "database": str(database)})
    assert find(call) == {"date": "2026-12-21", "time": "09:30"}
    assert Rehearsal().run(confirm, call) == Result("confirmed", date="2026-12-21", time="09:30")
    assert find(call) == {"date": "2026-12-28", "time": "09:30"}
    assert Rehearsal().run(confirm, call).word == "confirmed"
    assert find(call) is None
    assert Rehearsal().run(confirm, call) == Result("gone")
    assert rows(database) == [
        ("1001", "2026-12-01", 1),
        ("1001", "2026-12-21", 1),
        ("1001", "2026-12-28", 1),
        ("1002", "2026-12-23", 1),
        ("1003", "2026-12-22", 0),
    ]


def test_a_certain_appointment_is_confirmed(appointments: ScriptFolder, database: Path) -> None:
    confirm = appointments.function("appointments.confirm", ScriptKind.WITH_CALL)
    call = Call(parameters={"customer": "1001", "date": "2026-12-28", "database": str(database)})
    assert Rehearsal().run(confirm, call).values["date"] == "2026-12-28"
    assert Rehearsal().run(confirm, call).word == "gone"


def test_a_caller_who_hangs_up_meanwhile_has_confirmed_nothing_by_half(appointments: ScriptFolder, database: Path) -> None:
    confirm = appointments.function("appointments.confirm", ScriptKind.WITH_CALL)
    line = Rehearsal()
    line.is_over = True
    with pytest.raises(Exception, match="hung up"):
        line.run(confirm, Call(parameters={"customer": "1003", "database": str(database)}))
    assert ("1003", "2026-12-22", 1) in rows(database), "it was asked for, and is kept as a whole"


def test_a_database_that_is_not_there_fails_and_is_not_made(appointments: ScriptFolder, tmp_path: Path) -> None:
    find = appointments.function("appointments.find", ScriptKind.PURE)
    with pytest.raises(sqlite3.OperationalError):
        find(Call(parameters={"customer": "1001", "database": str(tmp_path / "none.db")}))
    assert not (tmp_path / "none.db").exists()


def test_what_is_shipped_can_be_named_by_flows(appointments: ScriptFolder, tmp_path: Path) -> None:
    found = functions_in(tmp_path / "scripts")
    assert {name: function.kind for name, function in found.functions.items()} == {
        "appointments.find": ScriptKind.PURE,
        "appointments.confirm": ScriptKind.WITH_CALL,
    }
    assert all(function.about for function in found.functions.values()) and not found.faults and not found.others
