"""A database and a folder of recordings in a temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_site import Site
from fresh_store import fresh_store

from ccserver.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = fresh_store(f"sqlite:///{tmp_path}/history.db")
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path, store: Store) -> Site:
    return Site.at(tmp_path, store)
