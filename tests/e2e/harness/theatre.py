"""Stories on real phones, held against the virtual PBX: what the core is told and answers there is what it could have told.

Each run is recorded. `RECORD_TRACES=tests/traces` keeps the recordings in the repository, where `tests/simulation` compares
them with the virtual PBX when there is no Asterisk: do that when events, commands or settings change their form.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.events import CenterStarted, PbxObserved, SettingsLoaded
from ccserver.core.settings import Settings
from ccserver.core.traced import TracedStep
from ccserver.lab.asterisk import Asterisk
from ccserver.sim.conformance import compare, learn
from ccserver.sim.scenarios import play
from ccserver.sim.script import Act, Script
from ccserver.sim.trace import TraceLine, unfold
from harness.center import Center, write_prompts
from harness.ledger import Ledger
from harness.stage import Stage, StageSite, Wire

Plays = Callable[[Script, int, Settings], list[TraceLine]]
"""A run on the virtual PBX."""
AGI_PORT = 4573
SEEDS = range(100)
NO_PART_OF_A_STORY = (CenterStarted, PbxObserved, SettingsLoaded)
"""Unless something follows from them."""


def values(shared: Path) -> AsteriskValues:
    """As in other modules, but a phone that sends no audio is given up after two seconds."""
    write_prompts(shared)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        rtp_timeout_s=2,
        music_directory=str(shared / "music"),
        recordings_directory=str(shared / "rec"),
    )


class Theatre:
    """A center whose steps are traced, and the phones of the cast. `opened` makes one."""

    def __init__(self, stage: Stage, site: StageSite, runner: asyncio.Runner, plays: Plays = play) -> None:
        self._stage, self._site, self._runner, self._plays = stage, site, runner, plays
        self._settings = self._read_settings()

    def differences(self, script: Script) -> list[str]:
        """Play it on real phones: what the virtual PBX could not have told. Fails when the books do not balance afterwards."""
        # Not in an `async` test: the phones live longer than a test, and what an `async` test leaves running is ended with it.
        ledger = Ledger(self._stage.center)
        ledger.may_repair = any(step.act is Act.CUT_LINK for step in script.steps)
        steps = self._runner.run(self._stage.play(script))
        self._keep(
            script.file_name, [step for step in steps if step.commands or not isinstance(step.event, NO_PART_OF_A_STORY)]
        )
        promises = learn([self._plays(script, seed, self._settings) for seed in SEEDS])
        self._runner.run(ledger.check())
        return [f"{found.leg}: {found.what}" for found in compare(unfold(steps), promises)]

    def _read_settings(self) -> Settings:
        """As the daemon read them."""
        self._stage.tail.read()
        (loaded,) = [step for step in self._stage.tail.steps if isinstance(step.event, SettingsLoaded)]
        self._keep("settings.jsonl" if self._plays is play else "settings-called.jsonl", [loaded])
        assert isinstance(loaded.event, SettingsLoaded)
        return loaded.event.settings

    def _keep(self, name: str, steps: list[TracedStep]) -> None:
        """Record under a name without the paths of this machine."""
        lines = b"".join(step.line() for step in steps).replace(str(self._site.shared).encode(), b"/var/spool/ccserver")
        directory = os.environ.get("RECORD_TRACES")
        ((Path(directory) if directory else self._site.directory) / name).write_bytes(lines)


@contextmanager
def opened(
    pbx: Asterisk, site: StageSite, runner: asyncio.Runner, plays: Plays = play, wire: Wire | None = None
) -> Iterator[Theatre]:
    """For a module's stories; ends with a daemon that ends well."""
    center = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    stage = Stage(center, site.directory / "trace", wire)
    try:
        yield Theatre(stage, site, runner, plays)
    finally:
        runner.run(stage.close())
        assert runner.run(center.daemon.stop()) == 0, center.daemon.tail()
