"""A database in a temporary directory, with its schema."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fresh_store import fresh_store

from ccserver.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = fresh_store(f"sqlite:///{tmp_path}/history.db")
    yield made
    made.close()
