"""The scripts of `ccserver.sim.scenarios` on a real Asterisk with real phones: what the core is told and answers there is what the
virtual PBX could have told it.

Each run is recorded. `RECORD_TRACES=tests/traces` keeps the recordings in the repository, where `tests/simulation` compares
them with the virtual PBX when there is no Asterisk: do that when events, commands or settings change their form.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.center import Center, Site, pin_of, write_prompts
from harness.ledger import Ledger
from harness.stage import Stage, StageSite

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.events import CenterStarted, PbxObserved, SettingsLoaded
from ccserver.core.settings import Settings
from ccserver.core.traced import TracedStep
from ccserver.lab.asterisk import Asterisk
from ccserver.sim.conformance import compare, learn
from ccserver.sim.scenarios import PINS, SCENARIOS, play
from ccserver.sim.script import Script
from ccserver.sim.trace import unfold

AGI_PORT = 4573
SEEDS = range(100)
NO_PART_OF_A_STORY = (CenterStarted, PbxObserved, SettingsLoaded)


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    """As in other modules, but a phone that sends no audio is given up after two seconds."""
    write_prompts(shared_directory)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        rtp_timeout_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> StageSite:
    return StageSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: StageSite, runner: asyncio.Runner) -> Iterator[Center]:
    running = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    yield running
    assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


@pytest.fixture(scope="module")
def stage(center: Center, site: StageSite, runner: asyncio.Runner) -> Iterator[Stage]:
    opened = Stage(center, site.directory / "trace")
    yield opened
    runner.run(opened.close())


@pytest.fixture(scope="module")
def settings(stage: Stage, site: StageSite) -> Settings:
    """As the daemon read them."""
    stage.tail.read()
    (loaded,) = [step for step in stage.tail.steps if isinstance(step.event, SettingsLoaded)]
    keep(site, "settings.jsonl", [loaded])
    assert isinstance(loaded.event, SettingsLoaded)
    return loaded.event.settings


def keep(site: Site, name: str, steps: list[TracedStep]) -> None:
    """Record under a name without the paths of this machine."""
    lines = b"".join(step.line() for step in steps).replace(str(site.shared).encode(), b"/var/spool/ccserver")
    directory = os.environ.get("RECORD_TRACES")
    ((Path(directory) if directory else site.directory) / name).write_bytes(lines)


@pytest.mark.parametrize("script", SCENARIOS, ids=lambda script: script.name)
def test_the_virtual_pbx_could_have_told_it(script: Script, stage: Stage, settings: Settings, runner: asyncio.Runner) -> None:
    # Not `async`: the phones live longer than a test, and what an `async` test leaves running is ended with it.
    ledger = Ledger(stage.center)
    steps = runner.run(stage.play(script))
    keep(stage.center.site, script.file_name, [step for step in steps if not isinstance(step.event, NO_PART_OF_A_STORY)])
    promises = learn([play(script, seed, settings) for seed in SEEDS])
    runner.run(ledger.check())
    assert [f"{found.leg}: {found.what}" for found in compare(unfold(steps), promises)] == []


def test_the_pins_of_the_scripts_are_those_of_the_site() -> None:
    assert {agent: pin_of(agent) for agent in PINS} == PINS
