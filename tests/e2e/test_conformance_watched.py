"""The stories of `ccserver.sim.scenarios` in which a supervisor hears a talk, or more than two confer, on a real Asterisk with real
phones: as `test_conformance`, which they would make too long."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.stage import StageSite
from harness.theatre import Theatre, opened, values

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.asterisk import Asterisk
from ccserver.sim.scenarios import WATCHED
from ccserver.sim.script import Script


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    return values(shared_directory)


@pytest.fixture(scope="module")
def theatre(
    pbx: Asterisk, shared_directory: Path, tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner
) -> Iterator[Theatre]:
    with opened(pbx, StageSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory), runner) as theatre:
        yield theatre


@pytest.mark.parametrize("script", WATCHED, ids=lambda script: script.name)
def test_the_virtual_pbx_could_have_told_it(script: Script, theatre: Theatre) -> None:
    assert theatre.differences(script) == []
