"""`ccserver audit`: what an auditor asks for, and what somebody finds who wrote in the database."""

import json
import re
from pathlib import Path

import pytest
from cli_desk import a_configuration
from click.testing import CliRunner, Result
from fresh_store import fresh_store
from sqlalchemy import text

from ccserver.cli import root
from ccserver.config import load
from ccserver.daemon.housekeeping import DAY_S, Housekeeping
from ccserver.store import audit
from ccserver.store.chain import BEGINNING
from ccserver.store.database import Store


class Auditor:
    """The command line at a center with five acts on record."""

    def __init__(self, folder: Path) -> None:
        self.file = a_configuration(folder)
        self.store = fresh_store(load(self.file).edges.database.url)
        for number in range(1, 6):
            audit.record_access(self.store, by="eva", act="recording_play", what=f"file {number}", interaction=number)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(root, ["audit", words[0], "--config", str(self.file), *words[1:]])

    def by_hand(self, *statements: str) -> None:
        with self.store.engine.begin() as connection:
            for statement in ("drop trigger if exists audit_no_update", "drop trigger if exists audit_no_delete", *statements):
                connection.execute(text(statement))


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    return Auditor(tmp_path)


def test_a_log_that_fits(auditor: Auditor) -> None:
    told = auditor.run("verify")
    assert told.exit_code == 0, told.output
    assert re.fullmatch(r"all 5 rows fit; the head is 5:[0-9a-f]{64}\n", told.output)
    head = auditor.run("head").output.strip()
    assert told.output.strip().endswith(head)
    found = json.loads(auditor.run("verify", "--json", "--expect", head).output)
    assert found == {"ok": True, "rows": 5, "head": head, "fault": ""}
    assert json.loads(auditor.run("head", "--json").output) == {"position": 5, "digest": head[2:], "head": head}
    assert "file 5" in auditor.run("list").output


def test_a_row_that_was_changed(auditor: Auditor) -> None:
    auditor.by_hand("update audit set what = 'another file' where position = 3")
    told = auditor.run("verify")
    assert told.exit_code == 1
    assert "row 3 does not fit: it was changed, moved or put in (recording_play at" in told.output
    assert json.loads(auditor.run("verify", "--json").output)["rows"] == 2


def test_an_end_that_was_cut_off(auditor: Auditor) -> None:
    head = auditor.run("head").output.strip()
    auditor.by_hand("delete from audit where position > 3", "delete from audit_head")
    assert auditor.run("verify").exit_code == 1
    auditor.by_hand("insert into audit_head select 1, position, digest from audit where position = 3")
    assert auditor.run("verify").exit_code == 0, "by itself it cannot be told"
    told = auditor.run("verify", "--expect", head)
    assert told.exit_code == 1
    assert "row 4 is missing: the log was cut off there, it had 5 rows when that was noted" in told.output


@pytest.mark.parametrize("given", ["5", "\x1b[2J", "5:" + "z" * 64])
def test_what_is_no_head_is_refused(auditor: Auditor, given: str) -> None:
    told = auditor.run("verify", "--expect", given)
    assert told.exit_code == 1 and "POSITION:DIGEST" in told.output and "\x1b" not in told.output


def test_the_daemon_tells_the_head_once_a_day(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    keeping = Housekeeping(auditor.store, seconds=lambda: now_s)
    assert keeping.audit_head.digest == BEGINNING
    keeping.look()
    assert keeping.audit_head.position == 5
    audit.record_access(auditor.store, by="eva", act="recording_play", what="file 6")
    now_s = DAY_S - 1
    keeping.look()
    assert keeping.audit_head.position == 5
    now_s = DAY_S
    keeping.look()
    assert keeping.audit_head.position == 6


def test_a_database_that_is_away_is_asked_again(tmp_path: Path, auditor: Auditor) -> None:
    empty = Store(f"sqlite:///{tmp_path}/empty.db")
    keeping = Housekeeping(empty, seconds=lambda: 0.0)
    keeping.look()
    assert (keeping.failures, keeping.audit_head.position) == (1, 0)
    empty.upgrade()
    audit.record_access(empty, by="eva", act="recording_play", what="file 1")
    keeping.look()
    assert (keeping.failures, keeping.audit_head.position) == (1, 1)
    empty.close()
