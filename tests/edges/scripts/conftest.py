from collections.abc import Iterator
from pathlib import Path

import pytest
from script_site import ScriptSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ScriptSite]:
    made = ScriptSite(tmp_path / "scripts")
    yield made
    made.close()
