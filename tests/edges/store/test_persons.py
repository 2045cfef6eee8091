"""What identifies people is sealed as it is written, found by the number, and shown to whoever has the key."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from history_builders import a_call, one_of_each
from sqlalchemy import event, select, text

from ccserver.config.key_files import key_of
from ccserver.core.ids import CommandId, InteractionId
from ccserver.core.records import AuditRecord, CallbackRecord, FaultRecord, NoticeRecord, OwnCallRecord, TransferRecord
from ccserver.core.settings import NumberKind
from ccserver.store import chain, personal, schema
from ccserver.store.database import Store
from ccserver.store.feed import NoticeFeed
from ccserver.store.history import audit_log, call_story, find_calls
from ccserver.store.persons import CLOSED, DAMAGED, ERASED, SEALED, Opener, Sealer, require_keys
from ccserver.store.vault import PREFIX, BadSeal, NoMasterKey, Vault
from ccserver.store.writer import Writer

RUN = "000001-aaaaaaaa"
OLD, NEW = key_of(b"o" * 32), key_of(b"n" * 32)
VAULT = Vault(OLD)
OPENER = Opener(VAULT)
EVA, BEN = "+34911222333", "+493012345"


def kept(store: Store, *records: object, run: str = RUN, seq: int = 1, vault: Vault = VAULT) -> Writer:
    told: list[BadSeal] = []
    writer = Writer(store.engine, sealer=Sealer(vault, told.append))
    writer.start()
    for index, record in enumerate(records):
        writer.append(run, CommandId(seq, index), record)  # type: ignore[arg-type]
    assert writer.close(20), writer.last_error
    writer.told = told  # type: ignore[attr-defined]
    return writer


def everything(store: Store) -> str:
    """All that is in the database, as text."""
    with store.engine.connect() as connection:
        return "\n".join(
            repr(row) for table in schema.METADATA.sorted_tables for row in connection.execute(select(table)).all()
        )


def persons(store: Store) -> int:
    with store.engine.connect() as connection:
        return len(connection.execute(select(schema.persons)).all())


def an_act(what: str, act: str = "mark_number") -> AuditRecord:
    return AuditRecord(by="maria", act=act, what=what, is_done=True, at_utc_s=1.7e9)


def test_nothing_that_identifies_a_person_is_readable(store: Store) -> None:
    records = one_of_each(7)
    kept(store, *records)
    written = everything(store)
    plain = next(each for each in records if isinstance(each, NoticeRecord))
    assert plain.caller_number is not None and plain.caller_number not in written
    for each in records:
        for name in ("caller_number", "caller_name"):
            assert not getattr(each, name, "") or str(getattr(each, name)) not in written
        if isinstance(each, CallbackRecord):
            assert each.number not in written
    assert store.check() == []


def test_it_is_shown_with_the_key_and_found_by_the_number(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA, caller_name="Eva"), a_call(2, caller_number=BEN), a_call(3, caller_number=EVA))
    assert persons(store) == 2
    opened = find_calls(store, opener=OPENER)
    assert {(each.number, each.caller_number) for each in opened} == {(1, EVA), (2, BEN), (3, EVA)}
    assert {each.number for each in find_calls(store, caller=EVA, opener=OPENER)} == {1, 3}
    national = Opener(VAULT, lambda number: f"+34{number}")
    assert {each.number for each in find_calls(store, caller="911222333", opener=national)} == {1, 3}
    assert find_calls(store, caller=EVA) == [], "without the key there is no way from the number to the person"
    assert {each.caller_number for each in find_calls(store)} == {SEALED}
    story = call_story(store, InteractionId(1), OPENER)
    assert story is not None and story.call.caller_name == "Eva"


def test_a_search_by_number_uses_the_index(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA))
    statements: list[tuple[str, object]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    find_calls(store, caller=EVA, opener=OPENER)
    statement, parameters = next(each for each in statements if "FROM interactions" in each[0])
    with store.engine.connect() as connection:
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"explain query plan {statement}", parameters).all())
    assert "ix_interactions_caller_number_arrived_at" in plan and "SCAN" not in plan, plan


def test_every_personal_column_opens_again(store: Store) -> None:
    call = a_call(7, caller_number=EVA, caller_name="Eva «Ñ»")
    records = {type(each): each for each in one_of_each(7)}
    own = replace(records[OwnCallRecord], to=EVA, kind=NumberKind.MOBILE)
    inside = replace(records[OwnCallRecord], to="1002", kind=NumberKind.INTERNAL)
    out, queue, agent = (replace(records[TransferRecord], to=to, number=n) for n, to in enumerate((EVA, "sales", "10234567")))
    notice = replace(records[NoticeRecord], caller_number=EVA, caller_name="Eva", data={"order": "4711"})
    fault = replace(records[FaultRecord], reason=f"no way to {EVA}, and none to +49301234567: given up")
    acts = (
        an_act(f"{EVA} blocked"),
        an_act("911222333 vip"),
        an_act("sales", "close_queue"),
        an_act("recordings/4711.opus", "x"),
    )
    kept(store, call, own, inside, out, queue, agent, notice, fault, *acts, records[CallbackRecord])
    story = call_story(store, InteractionId(7), OPENER)
    assert story is not None
    assert (story.call.caller_number, story.call.caller_name) == (EVA, "Eva «Ñ»")
    assert [each.to for each in story.transfers] == [EVA, "sales", "10234567"]
    assert story.callbacks == (records[CallbackRecord],)
    (read,) = [each for _, each in NoticeFeed(store, OPENER).read(None, 10)]
    assert (read.caller_number, read.caller_name, read.data) == (EVA, "Eva", {"order": "4711"})
    assert {each.what for each in audit_log(store, opener=OPENER)} == {each.what for each in acts}
    with store.engine.connect() as connection:
        targets = connection.execute(select(schema.own_calls.c.target)).scalars().all()
        faults = OPENER.rows(connection, schema.faults, connection.execute(select(schema.faults)).all())
    assert "1002" in targets and EVA not in targets
    assert faults[0].reason == fault.reason
    assert EVA not in everything(store) and '4711"' not in everything(store)
    # who has no key sees the sentences, and that something is sealed in them
    assert f"{SEALED} blocked" in {each.what for each in audit_log(store)}
    (closed,) = [each for _, each in NoticeFeed(store).read(None, 10)]
    assert (closed.caller_number, closed.caller_name, closed.data) == (None, "", {})


def test_callers_who_withhold_their_number(store: Store) -> None:
    kept(store, a_call(1, caller_number=None, caller_name=""), a_call(2, caller_number=None, caller_name="Anonymous"))
    assert persons(store) == 1
    assert {(each.caller_number, each.caller_name) for each in find_calls(store, opener=OPENER)} == {
        (None, ""),
        (None, "Anonymous"),
    }


def test_what_is_told_again_makes_no_person(store: Store) -> None:
    """The journal's replay after a person was erased."""
    call = a_call(1, caller_number=EVA)
    kept(store, call)
    erased(store)
    kept(store, call)
    assert persons(store) == 1
    assert [each.caller_number for each in find_calls(store, opener=OPENER)] == [ERASED]
    kept(store, a_call(2, caller_number=EVA), seq=2)
    assert persons(store) == 2, "a new call is of a new person, whom nothing connects with the old one"
    assert [each.caller_number for each in find_calls(store, opener=OPENER)] == [EVA, ERASED]
    assert [each.number for each in find_calls(store, caller=EVA, opener=OPENER)] == [2]
    assert store.check() == []


def erased(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(schema.persons.update().values(number_index=None, wrapped_key=None, number=""))


def test_a_value_that_was_moved_or_changed_does_not_open(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA, caller_name="Eva"), a_call(2, caller_number=BEN))
    with store.engine.begin() as connection:
        connection.execute(text("update interactions set caller_name = caller_number where interaction = 2"))
    assert [each.caller_name for each in find_calls(store, opener=OPENER, number=InteractionId(2))] == [DAMAGED]
    (cell,) = _cells(store, 1)
    person = VAULT.unwrap(*_person(store, cell.split(":")[2]))
    written = cell.split(":")[3]
    assert person.open(written, "interactions.caller_number") == EVA
    for at in range(len(written)):
        for letter in "Aa0_":
            changed = written[:at] + letter + written[at + 1 :]
            if changed != written:
                with pytest.raises(BadSeal, match=f"interactions.caller_number of person {person.id}"):
                    person.open(changed, "interactions.caller_number")
    for cut in (written[:-1], written[1:], "", written + "A", written + "AAAA"):
        with pytest.raises(BadSeal):
            person.open(cut, "interactions.caller_number")


def _cells(store: Store, interaction: int) -> list[str]:
    with store.engine.connect() as connection:
        table = schema.interactions
        return list(connection.execute(select(table.c.caller_number).where(table.c.interaction == interaction)).scalars())


def _person(store: Store, person: str) -> tuple[str, str, str]:
    with store.engine.connect() as connection:
        row = connection.execute(select(schema.persons).where(schema.persons.c.id == person)).one()
    return row.id, row.key_id, row.wrapped_key


def test_a_person_whose_key_was_changed_gets_a_new_one(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA))
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "update persons set wrapped_key = (case when wrapped_key like 'A%' then 'B' else 'A' end) || substr(wrapped_key, 2)"
            )
        )
    writer = kept(store, a_call(2, caller_number=EVA), seq=2)
    assert "does not open" in str(writer.told[0])  # type: ignore[attr-defined]
    assert [each.caller_number for each in find_calls(store, opener=OPENER)] == [EVA, DAMAGED]


def test_the_wrong_key_is_named(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA))
    with store.engine.connect() as connection:
        require_keys(connection, VAULT)
        require_keys(connection, Vault(NEW, (OLD,)))
        for wrong in (None, Vault(NEW)):
            with pytest.raises(NoMasterKey, match=OLD.id):
                require_keys(connection, wrong)
    assert [each.caller_number for each in find_calls(store, opener=Opener(Vault(NEW)))] == [SEALED]
    with pytest.raises(NoMasterKey, match=f"{OLD.id}.*here: {NEW.id}"):
        Vault(NEW).unwrap(*_person(store, _cells(store, 1)[0].split(":")[2]))


def test_nobody_is_two_persons_while_the_key_changes(store: Store) -> None:
    kept(store, a_call(1, caller_number=EVA))
    kept(store, a_call(2, caller_number=EVA), a_call(3, caller_number=BEN), seq=2, vault=Vault(NEW, (OLD,)))
    assert persons(store) == 2
    opener = Opener(Vault(NEW, (OLD,)))
    assert {each.number for each in find_calls(store, caller=EVA, opener=opener)} == {1, 2}


def test_many_persons_in_one_batch(store: Store) -> None:
    for seq in (1, 2):
        kept(store, *(a_call(seq * 10_000 + n, caller_number=f"+3491{n:07d}") for n in range(1300)), seq=seq)
    assert persons(store) == 1300
    assert {each.caller_number for each in find_calls(store, opener=OPENER, limit=1000)} <= {
        f"+3491{n:07d}" for n in range(1300)
    }


def test_a_batch_that_failed_is_sealed_once_more(store: Store) -> None:
    """The rows are made anew for each attempt."""
    failures = iter([True, True, False])

    def refuse(*_: object) -> None:
        if next(failures, False):
            raise RuntimeError("the disk is away")

    event.listen(store.engine, "commit", refuse)
    kept(store, a_call(1, caller_number=EVA), a_call(2, caller_number=BEN))
    event.remove(store.engine, "commit", refuse)
    assert persons(store) == 2
    assert [each.caller_number for each in find_calls(store, opener=OPENER)] == [BEN, EVA]


def test_the_chain_is_over_what_is_stored(store: Store) -> None:
    kept(store, an_act(f"{EVA} blocked"))
    with store.reading() as connection:
        assert chain.verify(connection).fault == ""
    erased(store)
    with store.reading() as connection:
        assert chain.verify(connection).fault == ""
    assert [each.what for each in audit_log(store, opener=OPENER)] == [f"{ERASED} blocked"]


def test_which_columns_are_personal_is_decided_for_each_column_of_history() -> None:
    """A new column is either personal, or said not to be (docs/privacy.md)."""
    told = (Path(__file__).parents[3] / "docs" / "privacy.md").read_text()
    for table, rule in personal.PERSONAL.items():
        for name in (*rule.whole, *rule.sentences):
            assert name in table.c
            assert f"`{table.name}.{name}`" in told, f"{table.name}.{name}"


def test_without_a_sealer_all_stays_as_it_is(store: Store) -> None:
    writer = Writer(store.engine)
    writer.start()
    writer.append(RUN, CommandId(1, 0), a_call(1, caller_number=EVA))
    writer.append(RUN, CommandId(1, 1), an_act(f"{EVA} vip"))
    assert writer.close(20)
    assert PREFIX not in everything(store) and persons(store) == 0
    assert [each.caller_number for each in find_calls(store, caller="222333", opener=CLOSED)] == [EVA]
    json.dumps([each.what for each in audit_log(store)])
