"""A person on a real PBX: sealed while they call, refused while they are live, erased afterwards, and somebody new when they call again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.archive import files_of, shelf_of
from harness.center import Center
from harness.cli import command, here
from harness.floor import Floor, FloorSite, story
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.key_files import new_key
from ccserver.lab.phones import Phone, PhoneProcess

EVA = "+34911222333"


@dataclass(kw_only=True)
class SealedSite(FloorSite):
    """Whoever calls is sealed, and every talk recorded."""

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        whole["privacy"] = {"key_file": str(self.directory / "persons.key"), "backup_days": 14}
        whole["recording"] |= {"format": "wav"}
        whole["queues"]["sales"]["record"] = True
        return whole


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SealedSite]:
    made = SealedSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    new_key(made.directory / "persons.key")
    yield made


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


def in_the_database(center: Center, what: str) -> bool:
    """Whether the files of the database hold it, as somebody would find it who took the disk."""
    store = shelf_of(center).store
    path = Path(str(store.engine.url.database))
    store.close()
    return any(what.encode() in each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


async def callers(center: Center) -> list[str]:
    told = await here(center, "call", "list", "--past", "--caller", "911 222 333", "--json")
    return [one["caller_number"] for one in told.parsed]


async def talk(floor: Floor, name: str) -> Phone:
    customer = await floor.customer(name=name, number=EVA)
    await floor.center.agent_is("101", "talking")
    await floor.hears("101" if name == "customer" else "101-2", "customer")
    return customer


async def test_a_person_from_the_first_call_to_the_erasure(floor: Floor, books: Ledger, center: Center, tmp_path: Path) -> None:
    books.may_repair = True
    certificate = tmp_path / "certificate.json"
    words = ("person", "erase", EVA, "--reason", "she asked", "--certificate", str(certificate))
    await floor.agent("101")
    customer = await talk(floor, "customer")
    await here(center, "number", "vip", EVA)
    live = await here(center, *words)
    assert live.code == 1 and "is live: wait until it is over" in live.err and not certificate.exists()
    await customer.hangup()
    call = await story(books)
    (file,) = await files_of(center, call["interaction"])
    assert call["caller_number"].startswith("sealed:v1:") and not in_the_database(center, EVA)
    assert await callers(center) == [EVA]
    head = (await here(center, "audit", "head")).out.strip()

    done = await command(center, *words)
    assert done.code == 0, done.err
    told = json.loads(certificate.read_text())
    assert told["erased"]["recordings_deleted"] == 1 and "the mark is gone" in told["erased"]["in_the_live_center"]
    shelf = shelf_of(center)
    assert not shelf.path(file).exists() and not shelf.manifest_path(file).exists()
    shelf.store.close()
    assert await callers(center) == [] and EVA not in (await here(center, "number", "list")).out
    verified = await here(center, "audit", "verify", "--expect", head)
    assert verified.code == 0, verified.out

    # The journal tells it all again: the rows are there, and nobody comes back to life.
    await center.daemon.kill()
    await center.restart()
    assert await callers(center) == []
    sound = await here(center, "db", "check")
    assert sound.code == 0, sound.out

    customer = await talk(floor, "again")
    await customer.hangup()
    await until(lambda: len(books.calls()) == 2, 20, what="the second call in history")
    assert await callers(center) == [EVA], "somebody new"
    first, second = (row["caller_number"].split(":")[2] for row in books.calls())
    assert first != second
