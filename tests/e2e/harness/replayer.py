"""Works the journal of a daemon off again in a bare core: `python replayer.py DIRECTORY` writes each step as the trace does.

A program of its own, so that it shows what a replay needs: no Twisted, no asyncio, no database, no clock.
"""

import sys
from pathlib import Path

from ccserver.core import codec
from ccserver.core.center import CallCenter, StepFailed
from ccserver.core.events import DeadlineReached, SettingsLoaded
from ccserver.core.state import CenterState
from ccserver.core.traced import TracedStep
from ccserver.daemon.journal import Journal

FOREIGN = ("twisted", "asyncio", "panoramisk", "sqlalchemy", "structlog", "yaml")


def main(directory: Path) -> None:
    restored = Journal(directory).restore()
    assert not restored.warnings, restored.warnings
    if restored.state is None:
        center = CallCenter(next(given.event.settings for given in restored.inputs if isinstance(given.event, SettingsLoaded)))
    else:
        center = CallCenter.restore(codec.load(CenterState, restored.state))
    for given in restored.inputs:
        fault = ""
        try:
            is_timer = isinstance(given.event, DeadlineReached)
            commands = center.on_deadline(given.moment) if is_timer else center.handle(given.event, given.moment)
        except StepFailed as error:
            commands, fault = [], f"{type(error).__name__}: {error}"
        assert center.seq == given.seq
        moment = given.moment
        step = TracedStep(
            seq=given.seq, mono_s=moment.mono_s, utc_s=moment.utc_s, event=given.event, commands=tuple(commands), fault=fault
        )
        sys.stdout.buffer.write(step.line())
    loaded = [name for name in FOREIGN if name in sys.modules]
    assert not loaded, f"a bare core needs none of these: {loaded}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
