"""Who asks not to be called is on the list once, whatever is told twice, and stays off it when somebody took them off."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from lead_desk import NOW, number
from sqlalchemy import select, text

from ccserver.config.key_files import key_of
from ccserver.core.ids import CampaignId, CommandId, InteractionId
from ccserver.core.records import DoNotCallRecord, DoNotCallSource, Record
from ccserver.store import do_not_call, lead_erasure, schema
from ccserver.store.database import Store
from ccserver.store.do_not_call import Listed
from ccserver.store.persons import Sealer
from ccserver.store.vault import Vault
from ccserver.store.writer import Writer

ON_POSTGRESQL = True
RUN = "000001-aaaaaaaa"
VAULT = Vault(key_of(b"k" * 32))
ASKED = DoNotCallRecord(
    number=number(1),
    campaign=None,
    source=DoNotCallSource.KEYPAD,
    at_utc_s=NOW.timestamp(),
    by="flow main",
    interaction=InteractionId(7),
)
SALES = replace(ASKED, campaign=CampaignId("sales"))


@contextmanager
def a_writer(store: Store, vault: Vault | None = None) -> Iterator[Writer]:
    writer = Writer(store.engine, sealer=None if vault is None else Sealer(vault))
    writer.start()
    yield writer
    assert writer.close(20), writer.last_error


def tell(store: Store, *records: Record, seq: int = 1, run: str = RUN, vault: Vault | None = None) -> Writer:
    with a_writer(store, vault) as writer:
        for index, record in enumerate(records):
            writer.append(run, CommandId(seq, index), record)
    return writer


def listed(store: Store, who: str = number(1), vault: Vault | None = None) -> Sequence[Listed]:
    with store.reading() as connection:
        return do_not_call.listed(connection, [who], do_not_call.hasher(connection, vault)).get(who, ())


def test_who_asks_is_on_the_list_with_the_call(store: Store) -> None:
    tell(store, ASKED, SALES)
    everywhere, sales = listed(store)
    assert everywhere == Listed(
        number=number(1),
        campaign=None,
        source=DoNotCallSource.KEYPAD,
        at=NOW,
        by="flow main",
        note="",
        interaction=InteractionId(7),
    )
    assert (sales.campaign, store.applied(RUN)) == ("sales", CommandId(1, 1))
    assert store.check() == [], "history counts its own rows only"


def test_the_first_request_stays_as_it_was(store: Store) -> None:
    again = replace(ASKED, at_utc_s=NOW.timestamp() + 60, by="agent 101", source=DoNotCallSource.DISPOSITION)
    tell(store, ASKED)
    assert tell(store, again, again, seq=2).written_rows == 0
    assert [each.by for each in listed(store)] == ["flow main"]
    assert store.applied(RUN) == CommandId(2, 1)


def test_a_replay_does_not_put_back_who_was_taken_off(store: Store) -> None:
    tell(store, ASKED)
    with store.engine.begin() as connection:
        assert do_not_call.remove(connection, number(1), None, None) == 1
    tell(store, ASKED)
    assert listed(store) == ()
    tell(store, replace(ASKED, at_utc_s=NOW.timestamp() + 60), seq=2)
    assert [each.at.timestamp() for each in listed(store)] == [NOW.timestamp() + 60]


def test_neither_the_entry_nor_the_place_is_written_alone(store: Store) -> None:
    with a_writer(store) as writer:
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE projection RENAME TO away"))
        writer.append(RUN, CommandId(1, 0), ASKED)
        assert not writer.flush(0.5) and writer.failed_batches
        assert listed(store) == ()
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO projection"))
        assert writer.flush(20)
    assert len(listed(store)) == 1 and store.check() == []


def test_an_erased_person_who_asks_again_is_known_by_the_hash(store: Store) -> None:
    tell(store, ASKED, vault=VAULT)
    with store.engine.begin() as connection:
        lead_erasure.forget(connection, number(1), VAULT)
    # the replay of the first request, the same person anew, and for one campaign besides
    tell(store, ASKED, vault=VAULT)
    tell(store, ASKED, seq=2, vault=VAULT)
    assert [each.number for each in listed(store, vault=VAULT)] == [None]
    tell(store, SALES, seq=3, vault=VAULT)
    assert [(each.number, each.campaign) for each in listed(store, vault=VAULT)] == [(number(1), "sales"), (None, None)]
    with store.engine.begin() as connection:
        lead_erasure.forget(connection, number(1), VAULT)
    assert [(each.number, each.campaign) for each in listed(store, vault=VAULT)] == [(None, None), (None, "sales")]


def test_a_damaged_key_of_hashes_keeps_nobody_off_the_list(store: Store) -> None:
    tell(store, ASKED, vault=VAULT)
    with store.engine.begin() as connection:
        do_not_call.forget(connection, number(1), VAULT)
        connection.execute(schema.persons.update().values(wrapped_key="no key"))
    tell(store, ASKED, seq=2, vault=VAULT)
    with store.reading() as connection:
        assert len(do_not_call.listed(connection, [number(1)], None)[number(1)]) == 1


@pytest.mark.parametrize("bad", ["", "101", "anonymous", "+34", "+346 0000", number(1) + "\n"])
def test_what_is_no_number_is_refused_and_the_others_are_kept(store: Store, bad: str) -> None:
    writer = tell(store, ASKED, replace(ASKED, number=bad), SALES)
    assert writer.refused_rows == 1 and len(listed(store)) == 2
    with store.reading() as connection:
        assert connection.execute(select(do_not_call.do_not_call.c.number).distinct()).scalars().all() == [number(1)]
