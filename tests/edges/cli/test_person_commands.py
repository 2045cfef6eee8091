"""`ccserver person`, with a center that is live: what a data protection officer does."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk, a_configuration
from click.testing import CliRunner, Result
from fresh_store import fresh_store
from sqlalchemy import select

from ccserver.cli import root
from ccserver.config import load
from ccserver.core.events import MarkNumberRequested
from ccserver.core.ids import CommandId, InteractionId, Language, LegId, RequestId
from ccserver.core.records import AuditRecord, EndedBy, InteractionRecord, Outcome
from ccserver.core.settings import NumberMark
from ccserver.store import schema
from ccserver.store.persons import Sealer
from ccserver.store.vault import Vault
from ccserver.store.writer import Writer

EVA, BEN = "+34600111222", "+34911000111"


class Office(Desk):
    """The command line beside a live center; Eva called as 1 and 2, Ben as 3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = a_configuration(folder)
        CliRunner().invoke(root, ["person", "new-key", str(folder / "persons.key")], catch_exceptions=False)
        with file.open("a") as more:
            more.write(f"privacy: {{key_file: {folder}/persons.key, backup_days: 14}}\n")
        super().__init__(file)
        self.store = fresh_store(self.configuration.edges.database.url)
        self.write(((1, EVA), (2, EVA), (3, BEN)))

    def write(self, calls: Any, *, seq: int = 1, is_sealed: bool = True) -> None:
        vault = Vault.of(load(self.file).edges.privacy)
        assert vault is not None
        writer = Writer(self.store.engine, sealer=Sealer(vault) if is_sealed else None)
        writer.start()
        for number, caller in calls:
            writer.append("000001-a", CommandId(seq, number), _call(number, caller))
        act = AuditRecord(by="maria", act="mark_number", what=f"{EVA} vip", is_done=True, at_utc_s=1.7e9)
        writer.append("000001-a", CommandId(seq + 1, 0), act)
        assert writer.close(20)

    def person(self, *words: str) -> Result:
        return self.run("person", *words)

    def erase(self, *words: str, number: str = EVA) -> Result:
        certificate = str(self.folder / "certificate.json")
        return self.person("erase", number, "--reason", "she asked", "--certificate", certificate, *words)


def _call(number: int, caller: str) -> InteractionRecord:
    return InteractionRecord(
        interaction=InteractionId(number),
        kind="voice",
        leg=LegId("pbx", f"1.{number}"),
        did="900",
        caller_number=caller,
        caller_name="Eva Luna",
        language=Language("es"),
        queue=None,
        agent=None,
        outcome=Outcome.SERVED,
        ended_by=EndedBy.CUSTOMER,
        disposition=None,
        arrived_utc_s=1.7e9 + number,
        ended_utc_s=1.7e9 + 60,
        wait_s=0.0,
        talk_s=0.0,
    )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_what_is_kept_is_found_by_the_number_as_people_write_it(office: Office) -> None:
    for number in (EVA, "600 111 222", "600111222"):
        told = office.person("find", number).output
        assert "interactions  2" in told and "audit         1" in told and "calls: 1, 2" in told, told
    assert office.json("person", "find", BEN)["kept"]["interactions"] == [3]
    assert office.person("find", "+34911999999").output == "nothing is kept of this number\n"


def test_calls_are_shown_and_found_with_the_key(office: Office) -> None:
    assert EVA in office.run("call", "list", "--past").output
    assert [one["number"] for one in office.json("call", "list", "--past", "--caller", "600111222")] == [2, 1]
    assert f"{EVA} vip" in office.run("audit", "list").output
    text = office.file.read_text()
    office.file.write_text(text.replace("privacy:", "#"))
    assert EVA not in office.run("call", "list", "--past").output and "(sealed)" in office.run("call", "list", "--past").output
    assert "(sealed) vip" in office.run("audit", "list").output


def test_a_person_gets_all_that_is_kept(office: Office) -> None:
    assert office.person("export", EVA, "--out", str(office.folder / "eva")).exit_code == 0
    told = json.loads((office.folder / "eva" / "person.json").read_text())
    assert told["number"] == EVA
    assert [(one["call"]["number"], one["call"]["caller_name"]) for one in told["calls"]] == [(1, "Eva Luna"), (2, "Eva Luna")]
    again = office.person("export", EVA, "--out", str(office.folder / "eva"))
    assert again.exit_code == 1 and "not written over" in again.output
    assert office.person("export", "+34911999999", "--out", str(office.folder / "none")).exit_code == 1


def test_a_person_is_erased_in_history_and_in_the_live_center(office: Office) -> None:
    with office.serve():
        office.post(MarkNumberRequested(request=RequestId(1), number=EVA, mark=NumberMark.VIP, note="", by="maria"))
        tried = office.erase("--dry-run")
        assert tried.exit_code == 0 and "would be erased" in tried.output and EVA in office.snapshot().marks
        done = office.erase()
        assert done.exit_code == 0, done.output
        assert EVA not in office.snapshot().marks
        assert "nothing is kept" in office.erase().output
    told = json.loads((office.folder / "certificate.json").read_text())
    assert "the mark is gone" in told["erased"]["in_the_live_center"]
    shown = office.run("call", "list", "--past").output
    assert EVA not in shown and shown.count("(erased)") == 2 and BEN in shown
    assert "(erased) vip" in office.run("audit", "list").output
    assert office.run("audit", "verify", "--expect", told["audit_head"]["before"]).exit_code == 0
    assert office.run("db", "check").exit_code == 0


def test_a_live_call_refuses_it(office: Office) -> None:
    with office.serve():
        office.call_arrives(EVA)
        refused = office.erase()
        assert refused.exit_code == 1 and "is live: wait until it is over" in refused.output
    assert not (office.folder / "certificate.json").exists()


def test_nobody_is_erased_before_history_has_what_the_daemon_told(office: Office) -> None:
    office.is_behind = True
    with office.serve():
        refused = office.erase()
        assert refused.exit_code == 1 and "history is behind (2 records, disk full)" in refused.output
        assert not (office.folder / "certificate.json").exists()
        office.is_behind = False
        assert office.erase().exit_code == 0


def test_without_the_daemon_only_by_the_word(office: Office) -> None:
    refused = office.erase()
    assert refused.exit_code == 3, refused.output
    assert office.erase("--without-daemon").exit_code == 0
    assert "not asked" in json.loads((office.folder / "certificate.json").read_text())["erased"]["in_the_live_center"]


def test_a_reason_with_the_number_is_refused(office: Office) -> None:
    words = ("person", "erase", EVA, "--certificate", str(office.folder / "c.json"), "--without-daemon")
    told = office.run(*words, "--reason", "600-111-222 asked by letter")
    assert told.exit_code == 1 and "without the number" in told.output


def test_a_number_in_what_the_command_line_puts_on_record_is_sealed_with_its_person(office: Office) -> None:
    for words in (("hold", "3", "--reason", f"complaint of {BEN}"), ("release", "3")):
        assert office.run("recording", *words).exit_code == 0
    assert office.erase("--without-daemon", "--reason", f"she wrote, as {BEN} did").exit_code == 0
    with office.store.engine.connect() as connection:
        told = connection.execute(select(schema.audit.c.act, schema.audit.c.what)).all()
    assert not [act for act, what in told if BEN in what or EVA in what], told
    shown = office.run("audit", "list").output
    assert f"complaint of {BEN}" in shown and f"she wrote, as {BEN} did" in shown
    assert office.run("audit", "verify").exit_code == 0


def test_history_of_before_the_key(office: Office) -> None:
    office.write([(4, EVA)], seq=9, is_sealed=False)
    assert "seal-history" in office.erase("--without-daemon").output
    head = office.run("audit", "head").output.strip()
    done = office.person("seal-history")
    assert done.exit_code == 0 and "2 rows sealed" in done.output and head in done.output
    assert office.run("audit", "verify").exit_code == 0
    assert office.erase("--without-daemon").exit_code == 0
    assert office.person("verify").output == "2 values open, 0 faults\n"


def test_another_master_key(office: Office) -> None:
    office.person("verify")
    text = office.file.read_text()
    CliRunner().invoke(root, ["person", "new-key", str(office.folder / "new.key")], catch_exceptions=False)
    office.file.write_text(text.replace("persons.key", "new.key"))
    told = office.person("find", EVA)
    assert told.exit_code == 1 and "is not here: name its file" in told.output
    both = text.replace("key_file:", f"old_key_files: [{office.folder}/persons.key], key_file:").replace(
        "key_file: " + str(office.folder / "persons.key"), f"key_file: {office.folder}/new.key"
    )
    office.file.write_text(both)
    assert "2 persons given key" in office.person("rotate-key").output
    office.file.write_text(text.replace("persons.key", "new.key"))
    assert EVA in office.run("call", "list", "--past").output
    assert office.person("verify").exit_code == 0


def test_without_a_key_there_are_no_persons(office: Office) -> None:
    office.file.write_text(office.file.read_text().replace("privacy:", "#"))
    told = office.person("find", EVA)
    assert told.exit_code == 78 and "privacy.key_file" in told.output
    told = CliRunner().invoke(root, ["person", "new-key", str(office.folder / "persons.key")])
    assert told.exit_code == 1 and "not written over" in told.output
