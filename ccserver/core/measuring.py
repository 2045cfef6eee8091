"""Messages whose end nobody told: the daemon was killed, a connection broke, or Asterisk died, while a caller spoke.

Asterisk goes on recording by itself until the caller hangs up, types a key, is silent, or the longest time is over. The recording is
over when the caller's leg is, or is back in a session; then its file is measured. From there on it is a message like any other: it is
queued, and a caller who is still there is thanked. Who has said nothing is asked again; until it is known, nothing is said.

It becomes a message in the step in which its length is told, and is forgotten here in that step. So it never doubles: killed before,
the daemon measures again; killed after, it has nothing to measure. What cannot be read is rather queued than lost.
"""

from collections.abc import Callable

from ccserver.core.callers import Callers, leaves
from ccserver.core.change import replace
from ccserver.core.commands import MeasureMessage
from ccserver.core.events import MessageMeasured
from ccserver.core.messages import Messages
from ccserver.core.state import Awaited, Interaction, Outstanding, Session, Unmeasured
from ccserver.core.step import Step


class Measuring:
    """`resume` goes on with a caller who is back."""

    def __init__(self, step: Step, callers: Callers, messages: Messages, resume: Callable[[Interaction], None]) -> None:
        self.step = step
        self.callers = callers
        self.messages = messages
        self._resume = resume

    def session_over(self, session: Session) -> None:
        """Whatever it tells from now on is late."""
        message = session.message
        if message is not None:
            self.step.sessions.put(session.id, replace(session, verb=None, message=None))
            self.step.unmeasured.put(message.path, Unmeasured(message=message, leg=session.leg))
            self.callers.message_begun(message)

    def follow(self) -> None:
        """At the end of each step: what is over is measured. An answer that got lost is asked for again."""
        step = self.step
        if not len(step.unmeasured):
            return
        for path, one in step.unmeasured.items():
            leg = step.legs.get(one.leg)
            is_over = leg is None or leg.session in step.sessions
            if is_over and step.outstanding.get(one.command) is None:
                command = step.emit(MeasureMessage(path=path))
                awaits = leg.id if leg is not None else None
                step.outstanding.put(command, Outstanding(what=Awaited.MEASURE, leg=awaits, sent_s=step.now.mono_s))
                step.unmeasured.put(path, replace(one, command=command))

    def measured(self, event: MessageMeasured) -> None:
        """An answer that nobody waits for means nothing."""
        step = self.step
        step.outstanding.drop(event.command)
        one = next((each for each in step.unmeasured.values() if each.command == event.command), None)
        if one is None:
            return
        message, now_utc_s = one.message, step.now.utc_s
        step.about = message.interaction
        step.unmeasured.drop(message.path)
        if event.duration_s is None or event.duration_s > 0:
            duration_s = event.duration_s or 0.0
            ended_utc_s = now_utc_s if event.ended_utc_s is None else min(event.ended_utc_s, now_utc_s)
            self.callers.keep_message(message, duration_s, ended_utc_s)
            self.callers.thank(message)
            self.messages.left(message, duration_s)
            return
        interaction = step.interactions.get(message.interaction)
        if interaction is not None and leaves(interaction, message) and step.caller_session(interaction) is not None:
            self._resume(interaction)
