from pathlib import Path

import pytest
from agi_peer import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
