"""`ccserver lead`, `do-not-call` and `register`, as somebody who runs campaigns uses them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk, a_configuration
from click.testing import CliRunner, Result
from fresh_store import fresh_store
from twisted.internet.task import Clock

from ccserver.cli import root
from ccserver.config import load
from ccserver.control.client import ControlClient, NotDone
from ccserver.control.server import ControlServer
from ccserver.core.events import LeadsAdded
from ccserver.store.history import audit_log
from ccserver.store.lead_csv import plain_cell, safe_cell


class Office:
    """The command line, with a database and no daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = a_configuration(folder)
        self.store = fresh_store(load(self.file).edges.database.url)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(root, [*arguments, "--config", str(self.file)], catch_exceptions=False)

    def json(self, *arguments: str, code: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def refused(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code != 0, result.output
        return result.output

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


LEADS = """Tel;key;Full name;city;secret
600 111 222;c1;Eva Luna;Jaén;x
nobody;c2;Ben;Cádiz;x
911 222 333;c3;=cmd();;x
"""
READ = ("--list", "spring", "--map", "number=Tel", "--map", "name=Full name", "--ignore", "secret")


def test_a_file_is_tried_read_and_written_again(office: Office) -> None:
    file = office.write("leads.csv", LEADS)
    tried = office.json("lead", "import", file, *READ, "--dry-run")
    assert (tried["added"], tried["rejected"], tried["is_dry_run"], tried["rejects"]) == (2, 1, True, None)
    assert tried["columns"] == {"number": "Tel", "key": "key", "name": "Full name", "city": "city"}
    assert tried["sample_of_rejected"][0].startswith("3;")
    assert "no list" in office.refused("lead", "list", "--list", "spring"), "nothing was made"
    done = office.json("lead", "import", file, *READ)
    assert (done["lines"], done["added"], done["rejected"]) == (4, 2, 1)
    assert "nobody" in Path(done["rejects"]).read_text()
    assert "2 leads would be added" in office.run("lead", "import", file, "--list", "other", *READ[2:], "--dry-run").output
    again = office.json("lead", "import", file, *READ, "--dry-run")
    assert (again["added"], again["rejected"]) == (0, 3), "a dry run knows what the list has"
    assert "--again" in office.refused("lead", "import", file, *READ)

    out = office.folder / "out.csv"
    assert office.json("lead", "export", "--list", "spring", "--out", str(out))["leads"] == 2
    with out.open(newline="") as written:
        rows = list(csv.DictReader(written))
    assert [(row["number"], row["name"], row["city"], row["lead_state"]) for row in rows] == [
        ("+34600111222", "Eva Luna", "Jaén", "ready"),
        ("+34911222333", "'=cmd()", "", "ready"),
    ]
    assert "not written over" in office.refused("lead", "export", "--list", "spring", "--out", str(out))
    copied = office.json("lead", "import", str(out), "--list", "copy")
    assert copied["added"] == 2 and not any(what.startswith("lead_") for what in copied["columns"])
    assert {each["name"] for each in office.json("lead", "list", "--list", "copy")["leads"]} == {"Eva Luna", "=cmd()"}
    assert office.run("lead", "export", "--list", "copy").output.count("\n") == 3


@pytest.mark.parametrize(
    "text", ["=1+1", "+34 600", "-5", "-5.2", "@x", "\tx", "'=x", "''+a", "'x", "", "plain", "+34600111222", "-", "=", "'"]
)
def test_cells_come_back_as_they_were_and_are_no_formulas(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text
    shown = safe_cell(text)
    assert shown[:1] not in {"=", "@", "\t"} and (
        shown[:1] not in {"+", "-"} or all(each in "+-0123456789 .," for each in shown)
    )


def test_what_is_wrong_with_a_file_is_told(office: Office) -> None:
    file = office.write("leads.csv", LEADS)
    assert "no column has the number" in office.refused("lead", "import", file, "--list", "spring")
    assert "there is no column 'Phone'" in office.refused("lead", "import", file, "--list", "spring", "--map", "number=Phone")
    assert "lower-case letters" in office.refused("lead", "import", file, "--list", "Spring!", *READ[2:])
    assert "no time zone" in office.refused("lead", "import", file, *READ, "--time-zone", "Mars")
    assert "it is empty" in office.refused("lead", "import", office.write("empty.csv", ""), *READ)
    utf16 = office.folder / "utf16.csv"
    utf16.write_bytes("number\n600111222\n".encode("utf-16"))
    assert "UTF-16" in office.refused("lead", "import", str(utf16), *READ)


def test_leads_are_looked_at_pushed_and_deleted(office: Office) -> None:
    office.json("lead", "import", office.write("leads.csv", LEADS), *READ)
    made = office.json("lead", "push", "600111333", "911222444", "--list", "spring", "--name", "Carl", "--field", "from=web")
    assert made["is_new"]
    assert not office.json("lead", "push", "600111222", "--list", "spring")["is_new"]
    shown = office.json("lead", "show", str(made["lead"]))["lead"]
    assert [each["e164"] for each in shown["numbers"]] == ["+34600111333", "+34911222444"]
    assert shown["fields"] == {"from": "web"} and shown["hot_at"]
    text = office.run("lead", "show", str(made["lead"])).output
    assert "hot, priority 0" in text and "fixed_line ES, Europe/Madrid" in text
    assert "there is no lead 99" in office.refused("lead", "show", "99")
    (listed,) = office.json("lead", "lists")["lists"]
    assert listed["leads"] == {"ready": 3} and "spring" in office.run("lead", "lists").output
    assert [each["name"] for each in office.json("lead", "list", "--number", "911222444")["leads"]] == ["Carl"]
    assert office.json("lead", "attempts", "--state", "unknown") == {"attempts": []}
    assert "say which" in office.refused("lead", "purge", "--list", "spring")
    assert office.json("lead", "purge", "--list", "spring", "--state", "done")["deleted"] == 0
    assert office.json("lead", "purge", "--list", "spring", "--all")["deleted"] == 3
    assert office.json("lead", "lists") == {"lists": [], "imports": []}
    assert "lead_purge" in {each.act for each in audit_log(office.store)}


def test_the_daemon_hears_of_leads_that_came(office: Office) -> None:
    desk = Desk(office.file)

    def told() -> list[str]:
        return [event.list for event in desk.posted if isinstance(event, LeadsAdded)]

    file = office.write("leads.csv", LEADS)
    with desk.serve():
        office.json("lead", "import", file, *READ, "--dry-run")
        assert told() == [], "nothing came"
        office.json("lead", "import", file, *READ)
        assert told() == ["spring"]
        office.json("lead", "import", office.write("none.csv", "Tel;key;Full name;secret\nnobody;c9;Ben;x\n"), *READ)
        assert told() == ["spring"], "a file of which nothing was taken"
        office.json("lead", "push", "600111333", "--list", "winter")
        assert told() == ["spring", "winter"]
        assert office.json("lead", "push", "600111333", "--list", "winter")["ok"]
        office.refused("lead", "push", "12", "--list", "winter")
    assert told() == ["spring", "winter", "winter"] and desk.faults == []
    assert office.json("lead", "push", "600111444", "--list", "winter")["is_new"], "no daemon, and nothing is said of it"


def test_a_daemon_that_does_not_take_it_is_told_and_the_lead_is_there(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(office.file)
    monkeypatch.setattr(desk.requests, "leads_added", lambda _: 1 / 0)
    desk.server = ControlServer(clock=Clock(), handlers=desk.requests.handlers(), follows={}, report=lambda *_: None)
    with desk.serve():
        result = office.run("lead", "push", "600111333", "--list", "winter")
    assert result.exit_code == 0 and "lead 1 of winter is hot" in result.stdout
    assert "campaigns find the leads later" in result.stderr


@pytest.mark.parametrize("given", [{}, {"list": ""}, {"list": 7}, {"list": "x" * 101}, {"list": "a\x1b[2J"}])
def test_what_names_no_list_is_refused(office: Office, given: dict[str, object]) -> None:
    desk = Desk(office.file)
    with desk.serve(), ControlClient(desk.configuration.edges.control_socket) as daemon, pytest.raises(NotDone, match="list"):
        daemon.ask("leads.added", **given)
    assert not any(isinstance(event, LeadsAdded) for event in desk.posted)


def test_a_number_that_is_not_called(office: Office) -> None:
    assert office.json("do-not-call", "add", "600 111 222", "--note", "letter of May")["is_new"]
    assert not office.json("do-not-call", "add", "+34600111222")["is_new"]
    assert office.json("do-not-call", "add", "600111222", "--campaign", "sales", "--source", "keypad")["is_new"]
    found = office.json("do-not-call", "find", "600111222")
    assert found["is_listed"] and [(each["campaign"], each["source"]) for each in found["entries"]] == [
        (None, "request"),
        ("sales", "keypad"),
    ]
    assert "for all campaigns: request" in office.run("do-not-call", "find", "600111222").output
    assert len(office.json("do-not-call", "list")["entries"]) == 2
    assert len(office.json("do-not-call", "list", "--campaign", "sales")["entries"]) == 1
    office.json("do-not-call", "remove", "600111222")
    assert "is not on the list" in office.refused("do-not-call", "remove", "600111222")
    assert [each["campaign"] for each in office.json("do-not-call", "find", "600111222")["entries"]] == ["sales"]
    assert "no telephone number" in office.refused("do-not-call", "add", "nobody")
    assert {each.act for each in audit_log(office.store)} == {"do_not_call_add", "do_not_call_remove"}
    assert office.store.check() == []


def test_a_file_of_numbers_that_are_not_called(office: Office) -> None:
    file = office.write("no.csv", "Number\n600111222;x\nnobody\n+34600111223\n600111222\n")
    done = office.json("do-not-call", "import", file, code=1)
    assert (done["numbers"], done["added"]) == (3, 2) and [each["line"] for each in done["bad_lines"]] == [3]
    assert office.json("do-not-call", "find", "600111223")["entries"][0]["source"] == "import"


def test_registers(office: Office) -> None:
    file = office.write("robinson.csv", "600111222\n600111223\n")
    made = office.json("register", "import", "robinson", file, "--as-of", "2026-05-03")["register"]
    assert (made["entries"], made["as_of"]) == (2, "2026-05-03")
    assert office.json("register", "check", "600111222", code=1)["registers"] == [{"name": "robinson", "as_of": "2026-05-03"}]
    assert office.json("register", "check", "600111224")["registers"] == []
    assert office.json("do-not-call", "find", "600111223")["is_listed"]
    assert "robinson" in office.run("register", "list").output
    assert office.json("register", "verify") == {"ok": True, "registers": 1, "faults": []}
    assert "--older" in office.refused("register", "import", "robinson", file, "--as-of", "2026-05-02")
    assert "a day to come" in office.refused("register", "import", "robinson", file, "--as-of", "2999-01-01")
    (written,) = (office.folder / "state" / "registers").glob("*.register")
    written.write_bytes(written.read_bytes()[:-1])
    assert "import it again" in office.json("register", "verify", code=1)["faults"][0]
    assert "import it again" in office.refused("register", "check", "600111222"), "a damaged one is not taken for an empty one"
    office.json("register", "remove", "robinson")
    assert office.json("register", "list") == {"registers": []}
