"""A recorded run, worked off again in a bare core: the same inputs give the same commands."""

from collections.abc import Iterable, Iterator

from ccserver.core.center import CallCenter
from ccserver.core.events import DeadlineReached, Event
from ccserver.core.ids import CommandId
from ccserver.core.moment import Moment
from ccserver.core.settings import Settings
from ccserver.sim.trace import TraceLine


def retrace(inputs: Iterable[tuple[Moment, Event]], settings: Settings) -> Iterator[TraceLine]:
    """The trace of a journal that begins with an empty center."""
    center = CallCenter(settings)
    for now, event in inputs:
        yield TraceLine(now.mono_s, event)
        commands = center.on_deadline(now) if isinstance(event, DeadlineReached) else center.handle(event, now)
        for place, command in enumerate(commands):
            yield TraceLine(now.mono_s, command, CommandId(center.seq, place))
