"""A database in a temporary directory, with its schema."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccserver.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/history.db", busy_s=60.0)
    made.upgrade()
    yield made
    made.close()
