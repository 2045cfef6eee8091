"""Reading what is known of a number always ends in an answer: a sheet, or that there is none."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from queue import Queue

import pytest
from lead_desk import number

from ccserver.core.commands import ReadFacts
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.events import FactsRead
from ccserver.core.ids import CommandId
from ccserver.core.records import DoNotCallSource
from ccserver.daemon.fact_reading import FactReading
from ccserver.store import do_not_call
from ccserver.store.database import Store
from ccserver.store.registers import import_register

ON_POSTGRESQL = {"test_a_number_is_read_with_its_lists_and_registers"}
BLANK = FactSheet(
    number=number(1),
    line_type=LineType.UNKNOWN,
    region="",
    zones=(),
    zone_source=ZoneSource.NONE,
    purpose=Purpose.SERVICE,
    mode=Mode.MANUAL,
    campaign=None,
    read_utc_s=0.0,
    is_campaign_open=True,
)


class Reader:
    def __init__(self, store: Store, folder: Path) -> None:
        self.told: Queue[FactsRead] = Queue()
        self.reading = FactReading(store, folder, None, self.told.put)
        self.count = 0

    def reads(self) -> FactSheet | None:
        self.count += 1
        command = CommandId(self.count, 0)
        self.reading.perform(command, ReadFacts(number=BLANK.number, sheet=BLANK))
        event = self.told.get(timeout=20)
        assert event.command == command
        return event.sheet


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Reader]:
    made = Reader(store, tmp_path / "registers")
    yield made
    made.reading.close()


def test_a_number_is_read_with_its_lists_and_registers(store: Store, reader: Reader, tmp_path: Path) -> None:
    sheet = reader.reads()
    assert sheet is not None and (sheet.listings, sheet.registers, sheet.line_type) == ((), (), LineType.MOBILE)
    with store.engine.begin() as connection:
        do_not_call.add(connection, [number(1)], source=DoNotCallSource.REQUEST, by="dora")
    digits = int(number(1)[1:])
    import_register(store.engine, tmp_path / "registers", "robinson", [digits], as_of=date(2026, 11, 20), by="dora")
    sheet = reader.reads()
    assert sheet is not None and len(sheet.listings) == 1, "what was imported a moment ago counts"
    assert [(each.name, each.is_listed) for each in sheet.registers] == [("robinson", True)]


def test_a_register_that_lost_its_file_lets_nobody_be_called(store: Store, reader: Reader, tmp_path: Path) -> None:
    import_register(store.engine, tmp_path / "registers", "robinson", [1], as_of=date(2026, 11, 20), by="dora")
    for file in (tmp_path / "registers").iterdir():
        file.unlink()
    assert reader.reads() is None


def test_a_database_that_fails_is_told_and_asked_again_the_next_time(store: Store, reader: Reader) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE do_not_call RENAME TO away")
    assert reader.reads() is None
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO do_not_call")
    assert reader.reads() is not None
