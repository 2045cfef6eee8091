"""A person is erased: everything readable of them is gone, nobody else's is, and whoever was killed on the way goes on."""

import json
import os
import re
import signal
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archive_site import ASTERISK_DIR, Site, tone
from sqlalchemy import select, text
from sqlalchemy.engine.default import DefaultDialect

from ccserver.config.edges import PrivacyEdge
from ccserver.config.key_files import key_of
from ccserver.core.ids import AttemptId, InteractionId, QueueId
from ccserver.core.records import AttemptOutcome, AuditRecord, DoNotCallSource, MessageRecord
from ccserver.daemon.erasing import Erased, Erasing, MayNot
from ccserver.store import archive, attempts, chain, do_not_call, erasure, lead_book, lead_schema, pages, resealing, schema
from ccserver.store.archive import Hold
from ccserver.store.attempts import NewAttempt, Result
from ccserver.store.claims import claim
from ccserver.store.database import Store
from ccserver.store.history import audit_log, find_calls
from ccserver.store.lead_phones import Phone
from ccserver.store.lead_rows import NewLead
from ccserver.store.pages import StillBusy
from ccserver.store.persons import ERASED, Opener
from ccserver.store.vault import NoMasterKey, Vault

EVA, BEN = "+34911222333", "+493012345"
OLD, NEW = key_of(b"o" * 32), key_of(b"n" * 32)
RECORDINGS = key_of(b"k" * 32)
OPENER = Opener(Vault(OLD))


def a_site(folder: Path, **settings: object) -> Site:
    site = Site.at(folder, Store(f"sqlite:///{folder}/history.db"), key=RECORDINGS, **settings)
    site.vault = Vault(OLD)
    return site


def filled(site: Site) -> None:
    """Eva called twice, the second time she left a message, and her number is blocked; Ben called once."""
    tables = (*schema.HISTORY, schema.archive_files, schema.recording_files, schema.recording_deletions, *PERSONS)
    for table in (*tables, *lead_schema.DIALLING):
        if table is not schema.audit:
            with site.store.engine.begin() as connection:
                connection.execute(table.delete())
    site.seq += 1000
    for path in sorted(site.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for number, caller in ((7, EVA), (8, EVA), (9, BEN)):
        if number != 8:
            site.stretch(number, tone(2000, 440), tone(1900, 1000))
        site.over(number, caller_number=caller, caller_name="Eva Luna" if caller == EVA else "Ben")
    message = site.folder / "messages" / "8.wav"
    message.parent.mkdir()
    message.write_bytes(b"RIFF")
    site.tell(
        MessageRecord(
            interaction=InteractionId(8),
            queue=QueueId("sales"),
            path=str(ASTERISK_DIR / "messages" / "8.wav"),
            started_utc_s=site.began_utc_s,
            duration_s=3.0,
        ),
        AuditRecord(by="maria", act="mark_number", what=f"{EVA} blocked", is_done=True, at_utc_s=site.began_utc_s),
    )
    site.archive(7, 9)
    if site.vault is not None:  # lists of leads are plain
        dialled(site, EVA, "Eva Luna")
        dialled(site, BEN, "Ben")


EVAS_OTHER = "+34911222334"
LONG_AGO = datetime(2026, 5, 3, tzinfo=UTC)


def dialled(site: Site, number: str, name: str) -> None:
    """A lead of somebody, who was called once and then asked not to be."""
    numbers = (number, EVAS_OTHER) if number == EVA else (number,)
    with site.store.engine.begin() as connection:
        of = lead_book.open_list(connection, "spring", (), "dora").id
        new = NewLead(
            phones=tuple(Phone(each, "mobile", "ES", ()) for each in numbers), name=name, fields={"note": f"for {name}"}
        )
        (lead,) = lead_book.add(connection, of, [new])
        do_not_call.add(connection, [number], source=DoNotCallSource.REQUEST, by="dora", note=f"{name} wrote", at=LONG_AGO)
    (claimed,) = claim(site.store.engine, [of], campaign="s", count=1, now=LONG_AGO, hold=timedelta(hours=1), hasher=None)
    told = {"campaign": "s", "purpose": "service", "asked_by": "s", "caller_id": "+34910000001", "trunk": "t"}
    new_attempt = NewAttempt(id=AttemptId(f"to-{name[:3]}"), number=numbers[-1], lead=lead, token=claimed.token, **told)
    attempts.store(site.store.engine, new_attempt, LONG_AGO)
    attempts.settle(
        site.store.engine, new_attempt.id, Result(outcome=AttemptOutcome.ANSWERED, ended_at=LONG_AGO, again_at=None)
    )


PERSONS = (schema.persons, schema.erasures)


@pytest.fixture
def site(tmp_path: Path, store: Store) -> Site:
    made = a_site(tmp_path)
    filled(made)
    return made


def erasing(site: Site) -> Erasing:
    assert site.vault is not None
    return Erasing(site.store, site.vault, PrivacyEdge(key=OLD), site.shelf)


def erase(site: Site, number: str = EVA, name: str = "certificate.json") -> Erased | None:
    return erasing(site).erase(
        number, by="dora", reason="she asked", certificate=site.folder.parent / name, forget_live=lambda: "nothing live"
    )


def content(site: Site) -> bytes:
    """Of the database's files as somebody finds them who takes the disk."""
    return b"".join(path.read_bytes() for path in sorted(site.folder.parent.glob("history.db*")))


def wrapped(site: Site, number: str = EVA) -> str:
    assert site.vault is not None
    with site.store.engine.connect() as connection:
        table = schema.persons
        query = select(table.c.wrapped_key).where(table.c.number_index == site.vault.index(number))
        return str(connection.execute(query).scalar_one())


def is_erased(site: Site) -> None:
    """Eva is, and Ben is not."""
    calls = find_calls(site.store, opener=OPENER)
    assert {(each.number, each.caller_number, each.caller_name) for each in calls} == {
        (7, ERASED, ERASED),
        (8, ERASED, ERASED),
        (9, BEN, "Ben"),
    }
    assert find_calls(site.store, caller=EVA, opener=OPENER) == []
    assert audit_log(site.store, opener=OPENER, by="maria")[0].what == f"{ERASED} blocked"
    assert [name for name in site.names() if not name.startswith(f"{site.day}/9.")] == []
    assert site.shelf.verify(site.file(9)) == ""
    assert site.store.check() == [], "the audit log fits, and no row is missing"
    with site.store.engine.connect() as connection:
        assert {row.why for number in (7, 8) for row in archive.deletions_of(connection, InteractionId(number))} == {
            "the person was erased"
        }
        acts = connection.execute(select(schema.audit.c.what).where(schema.audit.c.act == "person_erase")).scalars().all()
        told = connection.execute(select(schema.erasures)).one()
    assert len(acts) == 1 and EVA not in acts[0] and "she asked" in acts[0]
    assert (told.step, told.number_index) == ("written", None)
    with site.store.engine.connect() as connection:
        found = lead_book.find(connection, lead_book.Wanted())
        calls = {each.id: each.number for each in attempts.find(connection)}
        hasher = do_not_call.hasher(connection, Vault(OLD))
        listed = do_not_call.listed(connection, [EVA, BEN], hasher)
    assert [(each.name, each.numbers[0].e164) for each in found] == [("Ben", BEN)]
    assert calls == {"to-Eva": "", "to-Ben": BEN}
    assert [(each.number, each.note) for each in listed[EVA]] == [(None, "")], "that she is not called outlives her"
    assert [(each.number, each.note) for each in listed[BEN]] == [(BEN, "Ben wrote")]


def test_everything_of_a_person_goes(site: Site) -> None:
    key, before = wrapped(site), wrapped(site, BEN)
    assert key.encode() in content(site)
    done = erase(site)
    assert done is not None
    is_erased(site)
    left = content(site)
    assert key.encode() not in left and before.encode() in left
    assert site.vault is not None and site.vault.index(EVA).encode() not in left and EVA.encode() not in left
    assert EVAS_OTHER.encode() not in left and b"Eva Luna" not in left
    told = json.loads((site.folder.parent / "certificate.json").read_text())
    assert told == done.certificate
    assert (
        told["erased"]["recordings_deleted"] == 1 and told["erased"]["messages_deleted"] == 1 and told["erased"]["calls"] == 2
    )
    assert told["erased"]["rows_of_history_made_unreadable"] == {"interactions": 2, "audit": 1}
    assert told["reason"] == "she asked" and EVA not in json.dumps(told)
    heads = told["audit_head"]
    with site.store.reading() as connection:
        for head in heads.values():
            assert chain.verify(connection, chain.Head.parse(head)).fault == "", "the log is still the same one"
    assert told["forgotten_at_the_latest"]["backups"] > told["forgotten_at_the_latest"]["journal_and_traces"]


def test_of_whom_only_a_list_knows_is_erased_too(site: Site) -> None:
    dialled(site, "+34911000999", "Carl")
    done = erase(site, "+34911000999")
    assert done is not None
    assert done.certificate["erased"]["leads_deleted"] == 1 and done.certificate["erased"]["attempts_without_number"] == 1
    assert done.certificate["erased"]["do_not_call_entries_kept_as_a_hash"] == 1
    assert b"+34911000999" not in content(site) and b"Carl wrote" not in content(site)
    assert erase(site, "+34911000999", "again.json") is None


def test_who_is_being_dialled_is_not_erased(site: Site) -> None:
    told = {"campaign": "s", "purpose": "service", "asked_by": "s", "caller_id": "+34910000001", "trunk": "t"}
    attempts.store(site.store.engine, NewAttempt(id=AttemptId("a9"), number=EVA, **told), LONG_AGO)
    with pytest.raises(MayNot, match="is being dialled"):
        erase(site)
    attempts.settle(site.store.engine, AttemptId("a9"), Result(outcome=AttemptOutcome.BUSY, ended_at=LONG_AGO))
    assert erase(site) is not None


def test_a_hash_is_found_after_the_keys_were_changed(site: Site) -> None:
    erase(site)
    vault = Vault(NEW, (OLD,))
    resealing.rotate(site.store.engine, vault)
    with site.store.engine.connect() as connection:
        only_new = do_not_call.hasher(connection, Vault(NEW))
        assert [each.number for each in do_not_call.listed(connection, [EVA], only_new)[EVA]] == [None]
        assert resealing.verify(connection, Vault(NEW))[1] == []
        with pytest.raises(NoMasterKey):
            do_not_call.hasher(connection, None)


def test_again_there_is_nobody(site: Site) -> None:
    assert erase(site) is not None
    assert erase(site, name="second.json") is None and not (site.folder.parent / "second.json").exists()
    assert erase(site, "+34999999999", name="third.json") is None


def test_a_new_call_is_of_somebody_new(site: Site) -> None:
    erase(site)
    site.over(11, caller_number=EVA)
    assert [each.number for each in find_calls(site.store, caller=EVA, opener=OPENER)] == [11]
    kept, begun = erasing(site).look(EVA)
    assert kept.interactions == (11,) and begun is None
    assert erase(site, name="second.json") is not None


def test_a_legal_hold_refuses_it_and_is_named(site: Site) -> None:
    with site.store.engine.begin() as connection:
        held = Hold(interaction=InteractionId(8), by="dora", reason="case 08/15", at=site.file(7).at)
        assert archive.put_hold(connection, held)
    with pytest.raises(MayNot, match=r"call 8 \(case 08/15\)"):
        erase(site)
    assert len(find_calls(site.store, caller=EVA, opener=OPENER)) == 2
    assert site.shelf.verify(site.file(7)) == ""


def test_a_hold_that_comes_in_between_stops_it_before_the_key_goes(site: Site) -> None:
    def hold() -> str:
        calls.append(1)
        if len(calls) == 1:
            return "nothing live"
        raise AssertionError

    calls: list[int] = []
    work = erasing(site)
    real = site.shelf.remove_all

    def removing(number: InteractionId, why: str, by: str) -> int:
        with site.store.engine.begin() as connection:
            archive.put_hold(connection, Hold(interaction=InteractionId(8), by="x", reason="late", at=site.file(9).at))
        return real(number, why, by)

    work._shelf.remove_all = removing  # type: ignore[union-attr, method-assign]
    with pytest.raises(MayNot, match="call 8 was put on legal hold meanwhile"):
        work.erase(EVA, by="dora", reason="she asked", certificate=site.folder.parent / "c.json", forget_live=hold)
    assert len(find_calls(site.store, caller=EVA, opener=OPENER)) == 2, "the key is there"
    with site.store.engine.begin() as connection:
        archive.drop_hold(connection, InteractionId(8))
    erase(site)
    is_erased(site)


def test_a_live_call_refuses_it(site: Site) -> None:
    def live() -> str:
        raise MayNot("voice 12 of this person is live")

    with pytest.raises(MayNot, match="voice 12"):
        erasing(site).erase(EVA, by="dora", reason="r", certificate=site.folder.parent / "c.json", forget_live=live)
    assert erasing(site).look(EVA)[1] is None, "it was not begun"


def test_recordings_in_work_are_waited_for(site: Site) -> None:
    site.stretch(10, tone(2000, 440), tone(1900, 1000))
    site.over(10, caller_number=EVA)
    with pytest.raises(MayNot, match="call 10 are being put into the archive"):
        erase(site)


def test_another_certificate_is_not_written_over(site: Site) -> None:
    (site.folder.parent / "certificate.json").write_text("{}")
    with pytest.raises(MayNot, match="not written over"):
        erase(site)


def test_rows_of_before_the_key_are_sealed_first(site: Site) -> None:
    vault, site.vault = site.vault, None
    site.over(12, caller_number=EVA)
    site.tell(AuditRecord(by="maria", act="mark_number", what=f"{EVA} vip", is_done=True, at_utc_s=site.began_utc_s))
    site.vault = vault
    with pytest.raises(MayNot, match=r"2 rows of this person.*seal-history"):
        erase(site)
    with site.store.engine.begin() as connection:
        for table in lead_schema.DIALLING:  # which are plain
            connection.execute(table.delete())
    assert vault is not None
    with site.store.reading() as connection:
        noted = chain.verify(connection).head
    done = resealing.seal_history(site.store.engine, vault, "dora")
    assert done.rows == 2 and done.audit_before == noted
    assert site.store.check() == []
    assert str(noted) in audit_log(site.store, by="dora")[0].what
    assert EVA.encode() not in content(site), "nor in what was freed"
    with pytest.raises(Exception, match="append-only"), site.store.engine.begin() as connection:
        connection.execute(text("delete from audit"))
    assert {each.number for each in find_calls(site.store, caller=EVA, opener=OPENER)} == {7, 8, 12}
    assert resealing.seal_history(site.store.engine, vault, "dora") == resealing.Resealed(rows=0, audit_before=None)
    assert erase(site) is not None
    assert [each.number for each in find_calls(site.store, caller=EVA, opener=OPENER)] == []


def test_a_log_that_was_touched_is_not_chained_anew(site: Site) -> None:
    vault, site.vault = site.vault, None
    site.tell(AuditRecord(by="maria", act="mark_number", what=f"{EVA} vip", is_done=True, at_utc_s=site.began_utc_s))
    with site.store.engine.begin() as connection:
        connection.execute(text("drop trigger audit_no_update"))
        connection.execute(text("update audit set by = 'eva' where position = 1"))
    assert vault is not None
    with pytest.raises(chain.Broken, match="row 1 does not fit"):
        resealing.seal_history(site.store.engine, vault, "dora")
    assert EVA in [each.what.split()[0] for each in audit_log(site.store, opener=OPENER)]


def test_a_reader_delays_what_is_overwritten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.store.reading() as connection:
        connection.execute(select(schema.persons)).all()
        with pytest.raises(StillBusy, match="run the same command again"):
            erase(site)
    key_gone = [each.caller_number for each in find_calls(site.store, opener=OPENER)]
    assert ERASED in key_gone
    assert erase(site) is not None
    is_erased(site)


# --- kill -9 ------------------------------------------------------------------------------------------------------------
def killed(site: Site, fatal: int, what: Callable[[Site], object]) -> bool:
    """Another process does it, and dies at its step of that number. False: it came to its end before."""
    child = os.fork()
    if not child:
        try:
            die_at(fatal)
            what(a_site(site.folder.parent))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL), "see above"
    return os.WIFSIGNALED(status)


def die_at(fatal: int) -> None:
    """Every step that lasts, counted: on the disk, and in the database before and after each commit."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            step()
            return original(*arguments, **named)

        return call

    os.fsync = dying(os.fsync)
    Path.replace = dying(Path.replace)  # type: ignore[method-assign]
    Path.unlink = dying(Path.unlink)  # type: ignore[method-assign]
    for name in ("put_file", "put_deletion", "note", "drop_file"):
        setattr(archive, name, dying(getattr(archive, name)))
    for name in ("begin", "destroy", "finish", "overwrite"):
        setattr(erasure, name, dying(getattr(erasure, name)))
    pages.overwrite = dying(pages.overwrite)
    commit = DefaultDialect.do_commit

    def committing(self: Any, connection: Any) -> None:
        step()
        commit(self, connection)
        step()

    DefaultDialect.do_commit = committing  # type: ignore[method-assign]


def test_killed_at_any_step_of_an_erasure(site: Site) -> None:
    for fatal in range(1, 150):
        filled(site)
        certificate = site.folder.parent / "certificate.json"
        certificate.unlink(missing_ok=True)
        with site.store.engine.connect() as connection:
            acts = connection.execute(select(schema.audit.c.position).where(schema.audit.c.act == "person_erase")).all()
        is_killed = killed(site, fatal, erase)
        if is_killed:
            # The daemon may find the half-deleted recordings first.
            if fatal % 2:
                site.archive()
            erase(site)
        told = json.loads(certificate.read_text())
        assert told["erased"]["recordings_deleted"] == 1 and told["erased"]["messages_deleted"] == 1, fatal
        with site.store.engine.connect() as connection:
            now = connection.execute(select(schema.audit.c.position).where(schema.audit.c.act == "person_erase")).all()
        assert len(now) == len(acts) + 1, "once, and not twice"
        assert find_calls(site.store, caller=EVA, opener=OPENER) == []
        assert [name for name in site.names() if not name.startswith(f"{site.day}/9.")] == [], fatal
        assert erasing(site).look(EVA)[1] is None
        if not is_killed:
            break
    assert fatal >= 18
    assert site.store.check()[0].what.startswith("the tables hold") or site.store.check() == []


def sealed_anew(site: Site) -> None:
    assert site.vault is not None
    resealing.seal_history(site.store.engine, site.vault, "dora")


def test_killed_at_any_step_of_sealing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    vault = site.vault
    for fatal in range(1, 150):
        site.vault = None
        filled(site)
        site.vault = vault
        is_killed = killed(site, fatal, sealed_anew)
        sealed_anew(site)
        assert EVA.encode() not in content(site) and BEN.encode() not in content(site), fatal
        assert {(each.number, each.caller_number) for each in find_calls(site.store, opener=OPENER)} == {
            (7, EVA),
            (8, EVA),
            (9, BEN),
        }
        with site.store.reading() as connection:
            assert chain.verify(connection).fault == ""
            assert vault is not None
            faults = resealing.verify(connection, vault)[1]
        # those of earlier rounds were taken out of the table, and their acts cannot be
        assert [fault for fault in faults if "who is not there" not in fault] == []
        if not is_killed:
            break
    assert fatal >= 15


def rotated(site: Site) -> None:
    assert resealing.rotate(site.store.engine, Vault(NEW, (OLD,)))[1] == []


def test_killed_at_any_step_of_a_change_of_keys(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 1)
    for fatal in range(1, 30):
        filled(site)
        is_killed = killed(site, fatal, rotated)
        both = Opener(Vault(NEW, (OLD,)))
        assert {each.number for each in find_calls(site.store, caller=EVA, opener=both)} == {7, 8}
        rotated(site)
        assert resealing.rotate(site.store.engine, Vault(NEW, (OLD,))) == (0, [])
        new = Opener(Vault(NEW))
        assert {each.number for each in find_calls(site.store, caller=EVA, opener=new)} == {7, 8}
        assert {each.caller_number for each in find_calls(site.store, opener=new)} == {EVA, BEN}
        if not is_killed:
            break
    assert fatal >= 4


# --- proving ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("update interactions set caller_name = replace(caller_name, 'sealed:v1', 'sealed:v2')", None),
        ("update interactions set caller_number = substr(caller_number, 1, 30)", "interactions.caller_number in row .* cut"),
        ("update interactions set caller_number = caller_name", "a cell of interactions.caller_number of person"),
        (
            "update persons set wrapped_key = (case when wrapped_key like 'A%' then 'B' else 'A' end) || substr(wrapped_key, 2)",
            "the key of person .* was changed",
        ),
        ("update persons set number = 'x'", "the number of person"),
        ("update persons set id = 'ffffffffffffffff' where id = (select min(id) from persons)", "who is not there"),
    ],
)
def test_what_does_not_open_is_named(site: Site, statement: str, says: str | None) -> None:
    assert site.vault is not None
    with site.store.reading() as connection:
        assert resealing.verify(connection, site.vault) == (7, [])
    with site.store.engine.begin() as connection:
        connection.execute(text(statement))
    with site.store.reading() as connection:
        _, faults = resealing.verify(connection, site.vault)
        if says is None:
            assert faults == []
        else:
            assert any(re.search(says, fault) for fault in faults), faults
        _, wrong = resealing.verify(connection, Vault(NEW))
    assert any(OLD.id in fault for fault in wrong)


def test_rotation_names_whom_it_cannot(site: Site) -> None:
    with site.store.engine.begin() as connection:
        connection.execute(
            text(
                "update persons set wrapped_key = (case when wrapped_key like 'A%' then 'B' else 'A' end) || substr(wrapped_key, 2) "
                "where id = (select min(id) from persons)"
            )
        )
    changed, faults = resealing.rotate(site.store.engine, Vault(NEW, (OLD,)))
    assert changed == 1 and len(faults) == 1 and "was changed" in faults[0]
