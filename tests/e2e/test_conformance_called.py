"""The stories of `ccserver.sim.called`, in which a campaign calls somebody, on a real Asterisk with real phones and another one for the
network: as `test_conformance`, which they would make too long."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from harness.carrier import Carrier
from harness.proxy import Wire
from harness.stage import CallingSite
from harness.theatre import Theatre, opened, values

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.carrier import Callee
from ccserver.sim import called
from ccserver.sim.called import CALLED, play_called
from ccserver.sim.script import Script


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    return replace(values(shared_directory), comfort_sound=str(shared_directory / "prompts" / "en" / "cc-comfort"))


@pytest.fixture(scope="module")
def theatre(
    pbx: Asterisk, shared_directory: Path, tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner
) -> Iterator[Theatre]:
    port = pbx.plan.values.ami_port + 100
    site = CallingSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, ami_port=port)
    with Wire(pbx.plan.values.ami_port, port) as wire, opened(pbx, site, runner, play_called, wire) as theatre:
        yield theatre


@pytest.mark.parametrize("script", CALLED, ids=lambda script: script.name)
def test_the_virtual_pbx_could_have_told_it(script: Script, carrier: Carrier, theatre: Theatre) -> None:
    assert theatre.differences(script) == []


def test_the_callees_of_the_scripts_are_those_of_the_network() -> None:
    assert (
        Callee.HUMAN.value,
        Callee.SLOW_HUMAN.value,
        Callee.LEAVES_SOON.value,
    ) == (called.HUMAN, called.SLOW_HUMAN, called.LEAVES_SOON)
    assert (
        Callee.BUSY.value,
        Callee.NO_ANSWER.value,
        Callee.DECLINES.value,
    ) == (called.BUSY_ONE, called.NO_ANSWER, called.DECLINES)
    assert (Callee.CONGESTION.value, Callee.MACHINE.value) == (called.CONGESTION, called.MACHINE)
