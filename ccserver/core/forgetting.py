"""A person is to be erased: what the live center remembers of a number is let go.

That is the mark that a supervisor set, who spoke to it last, whom an agent would call back, and a request to be called back that waits
(which is cancelled). While an interaction of the person is live, or somebody calls them, nothing is forgotten: what it would tell at its
end would be kept anew. Asked again, it is done again.

Numbers of the settings (block list, VIPs, customers) are not ours to forget: the reply names them.
"""

from ccserver.core.callbacks import Callbacks
from ccserver.core.change import replace
from ccserver.core.commands import Reply
from ccserver.core.events import ForgetNumberRequested
from ccserver.core.records import AuditRecord, CallbackOutcome
from ccserver.core.state import Interaction
from ccserver.core.step import Step


class Forgetting:
    def __init__(self, step: Step, callbacks: Callbacks) -> None:
        self._step = step
        self._callbacks = callbacks

    def forget(self, event: ForgetNumberRequested) -> None:
        """The audit log tells that it was asked for, and not of whom."""
        problem = self._problem(event.number)
        text = self._forget(event.number) if problem is None else problem
        at_utc_s = self._step.now.utc_s
        self._step.store(AuditRecord(by=event.by, act="forget_number", what="", is_done=problem is None, at_utc_s=at_utc_s))
        self._step.emit(Reply(request=event.request, is_ok=problem is None, text=text))

    def _problem(self, number: str) -> str | None:
        for interaction in self._of(number):
            request = interaction.callback
            if request is None or request.is_reached or interaction.leg is not None or interaction.offers:
                return f"{interaction.kind} {interaction.id} of this person is live: wait until it is over"
        for left in self._messages_in_the_making():
            if left.caller_number == number:
                return f"a message of this person, from call {left.id}, is not kept yet: wait until it is"
        for call in self._step.own_calls.values():
            if number in (call.to, call.attempt.number if call.attempt is not None else call.to):
                return f"{call.phone} is calling this person: wait until that is over"
        return None

    def _messages_in_the_making(self) -> list[Interaction]:
        """The calls of those whose caller may be gone already."""
        messages = [session.message for session in self._step.sessions.values() if session.message is not None]
        messages += [one.message for one in self._step.unmeasured.values()]
        return [message.left_by for message in messages if message.left_by is not None]

    def _of(self, number: str) -> list[Interaction]:
        return [
            each
            for each in self._step.interactions.values()
            if each.caller_number == number or (each.callback is not None and each.callback.number == number)
        ]

    def _forget(self, number: str) -> str:
        step = self._step
        done = []
        for interaction in self._of(number):
            self._callbacks.end(interaction, CallbackOutcome.CANCELLED)
            done.append(f"callback {interaction.id} is cancelled")
        if number in step.marks:
            step.marks.drop(number)
            done.append("the mark is gone")
        if number in step.spoken_to:
            step.spoken_to.drop(number)
            done.append("who spoke to them last is forgotten")
        for agent in list(step.agents.values()):
            if agent.last_caller == number:
                step.put_agent(replace(agent, last_caller=None))
                done.append(f"agent {agent.id} does not call them back")
        if number in step.settings.callers.marks or number in step.settings.customers:
            done.append("the settings (callers, customers_file) name this number: take it out there")
        return "; ".join(done) or "nothing live remembers the number"
