"""What comes in without a telephone: acts of supervisors, and work without a line with the agents who do it on their screens.

Both see what the center shows, and ask by requests, as through the control socket.
"""

import math
from collections.abc import Callable
from random import Random

from ccserver.core import events as ev
from ccserver.core.commands import Reply
from ccserver.core.ids import AgentId, InteractionId, QueueId, RequestId, WatchId
from ccserver.core.settings import EVERYBODY, NumberMark, Settings, WatchMode
from ccserver.core.state import CenterState, Presence
from ccserver.core.transitions import InteractionState, Phase
from ccserver.sim.agenda import Agenda

FIRST_REQUEST = 1_000_000
MARKED = "+15550000042"
"""A number that supervisors mark."""

Post = Callable[[ev.Event], None]
Look = Callable[[], CenterState]


class Requests:
    """Numbers for requests: each is answered once."""

    def __init__(self) -> None:
        self._next = FIRST_REQUEST

    def number(self) -> RequestId:
        self._next += 1
        return RequestId(self._next)

    def unanswered(self, replies: dict[RequestId, Reply]) -> int:
        """How many of those that were given out have no answer."""
        return sum(RequestId(number) not in replies for number in range(FIRST_REQUEST + 1, self._next + 1))


def clear_desks(post: Post, look: Look, requests: Requests) -> None:
    """Nobody comes any more for what waits without a caller: messages, and who wanted to be called back."""
    for interaction in look().interactions.values():
        if interaction.message is not None:
            post(ev.HangUpRequested(request=requests.number(), interaction=interaction.id, by="sim"))
        elif interaction.callback is not None:
            post(ev.CancelCallbackRequested(request=requests.number(), interaction=interaction.id, by="sim"))


class Supervisor:
    """Does something now and then, until `until_s`: mostly sensible, sometimes about what is over or not there."""

    def __init__(
        self, settings: Settings, agenda: Agenda, post: Post, look: Look, requests: Requests, *, seed: int, every_s: float
    ) -> None:
        self._settings = settings
        self._agenda = agenda
        self._post = post
        self._look = look
        self._requests = requests
        self._chance = Random(f"{seed}/supervisor")
        self._every_s = every_s
        self._until_s = 0.0
        self._acts = (
            self._prioritise,
            self._move_call,
            self._pick,
            self._teach,
            self._pause,
            self._unpause,
            self._move_agent,
            self._close,
            self._open,
            self._mark,
            self._hang_up,
            self._cancel_callback,
            self._record,
            self._watch,
            self._change_watch,
            self._forget,
        )

    def work_until(self, until_s: float) -> None:
        self._until_s = until_s
        self._again()

    def close_the_house(self) -> None:
        """Logs out whoever is still there: somebody whom a supervisor moved to another phone, say."""
        for agent in self._look().agents.values():
            if agent.presence is not Presence.LOGGED_OUT:
                self._post(ev.LogoutRequested(request=self._requests.number(), agent=agent.id, by="sim"))

    def _again(self) -> None:
        after_s = -math.log(1.0 - self._chance.random()) * self._every_s
        if self._agenda.now_s + after_s < self._until_s:
            self._agenda.after(after_s, self._act)
        else:
            for queue in self._settings.queues:
                self._post(ev.OpenQueueRequested(request=self._requests.number(), queue=queue, by="sim"))

    def _act(self) -> None:
        self._chance.choice(self._acts)()
        self._again()

    def _agent(self) -> AgentId:
        return self._chance.choice(sorted(self._settings.agents))

    def _interaction(self) -> InteractionId:
        """One that waits, where one does; else any number."""
        waiting = [it.id for it in self._look().interactions.values() if it.state is InteractionState.WAITING]
        return self._chance.choice(waiting) if waiting else InteractionId(self._chance.randrange(1, 50))

    def _prioritise(self) -> None:
        priority = self._chance.randrange(11)
        self._post(
            ev.PriorityRequested(request=self._requests.number(), interaction=self._interaction(), priority=priority, by="sim")
        )

    def _move_call(self) -> None:
        queue = self._chance.choice(sorted(self._settings.queues))
        self._post(
            ev.MoveCallRequested(request=self._requests.number(), interaction=self._interaction(), queue=queue, by="sim")
        )

    def _pick(self) -> None:
        self._post(
            ev.PickRequested(request=self._requests.number(), interaction=self._interaction(), agent=self._agent(), by="sim")
        )

    def _teach(self) -> None:
        skills = sorted({skill for agent in self._settings.agents.values() for skill in agent.skills})
        level = self._chance.choice((None, 0, 30, 90))
        self._post(
            ev.SkillRequested(
                request=self._requests.number(), agent=self._agent(), skill=self._chance.choice(skills), level=level, by="sim"
            )
        )

    def _pause(self) -> None:
        reason = self._chance.choice(sorted(self._settings.reasons))
        self._post(ev.PauseRequested(request=self._requests.number(), agent=self._agent(), reason=reason, by="sim"))

    def _unpause(self) -> None:
        """Everybody who is not ready: else a supervisor's pauses would empty the room."""
        for agent in self._look().agents.values():
            if agent.presence is Presence.NOT_READY:
                self._post(ev.UnpauseRequested(request=self._requests.number(), agent=agent.id, by="sim"))

    def _move_agent(self) -> None:
        phone = self._chance.choice(sorted(self._settings.phones))
        taken = {agent.phone for agent in self._look().agents.values()}
        if phone not in taken:
            self._post(ev.MoveAgentRequested(request=self._requests.number(), agent=self._agent(), phone=phone, by="sim"))

    def _close(self) -> None:
        queue = self._chance.choice(sorted(self._settings.queues))
        self._post(ev.CloseQueueRequested(request=self._requests.number(), queue=queue, prompt=None, by="sim"))
        self._agenda.after(self._chance.uniform(5.0, 60.0), self._open)

    def _open(self) -> None:
        for queue in self._look().closed:
            self._post(ev.OpenQueueRequested(request=self._requests.number(), queue=queue, by="sim"))

    def _mark(self) -> None:
        mark = self._chance.choice((NumberMark.BLOCKED, NumberMark.VIP, None))
        self._post(
            ev.MarkNumberRequested(request=self._requests.number(), number=MARKED, mark=mark, note="simulated", by="sim")
        )

    def _hang_up(self) -> None:
        self._post(ev.HangUpRequested(request=self._requests.number(), interaction=self._interaction(), by="sim"))

    def _record(self) -> None:
        """Or pause, resume, give up: of a talk that goes on, where there is one."""
        talks = [it.id for it in self._look().interactions.values() if it.talk is not None]
        interaction = self._chance.choice(talks) if talks else self._interaction()
        act = self._chance.choice(tuple(ev.RecordingAct))
        self._post(ev.RecordingRequested(request=self._requests.number(), interaction=interaction, act=act, by="sim"))

    def _watch(self) -> None:
        """At some phone: an agent, most often one who talks, or the next call of a queue."""
        chance, is_next = self._chance, self._chance.random() < 0.3
        talking = sorted(it.talk.agent for it in self._look().interactions.values() if it.talk is not None)
        self._post(
            ev.WatchRequested(
                request=self._requests.number(),
                phone=chance.choice(sorted(self._settings.phones)),
                mode=chance.choice(tuple(WatchMode)),
                agent=None if is_next else chance.choice(talking or sorted(self._settings.agents)),
                queue=chance.choice(sorted(self._settings.queues)) if is_next else None,
                by="sim",
            )
        )

    def _forget(self) -> None:
        """Somebody who calls just now asks to be erased, which has to wait, or who is only marked."""
        live = sorted(it.caller_number for it in self._look().interactions.values() if it.caller_number is not None)
        number = self._chance.choice([*live, MARKED])
        self._post(ev.ForgetNumberRequested(request=self._requests.number(), number=number, by="sim"))

    def _change_watch(self) -> None:
        """Another mode, or the end."""
        watch = self._chance.choice([*self._look().watches, WatchId(0)])
        if self._chance.random() < 0.3:
            self._post(ev.WatchStopRequested(request=self._requests.number(), watch=watch, by="sim"))
        else:
            mode = self._chance.choice(tuple(WatchMode))
            self._post(ev.WatchModeRequested(request=self._requests.number(), watch=watch, mode=mode, by="sim"))

    def _cancel_callback(self) -> None:
        self._post(ev.CancelCallbackRequested(request=self._requests.number(), interaction=self._interaction(), by="sim"))


class Screens:
    """Work comes in; agents take it, or refuse it, or look the other way; and finish it."""

    def __init__(
        self, agenda: Agenda, post: Post, look: Look, requests: Requests, *, seed: int, kind: str, queue: QueueId
    ) -> None:
        self._agenda = agenda
        self._post = post
        self._look = look
        self._requests = requests
        self._chance = Random(f"{seed}/screens")
        self._kind = kind
        self._queue = queue

    def expect(self, moments: list[float]) -> None:
        for at_s in moments:
            self._agenda.at(at_s, self._comes_in)

    def watch_until(self, until_s: float, *, every_s: float = 3.0) -> None:
        if self._agenda.now_s < until_s:
            self._look_at_screens()
            self._agenda.after(every_s, lambda: self.watch_until(until_s, every_s=every_s))

    def _comes_in(self) -> None:
        self._post(
            ev.WorkRequested(
                request=self._requests.number(),
                kind=self._kind,
                queue=self._queue,
                subject="A question",
                requires=EVERYBODY,
            )
        )

    def _look_at_screens(self) -> None:
        chance = self._chance
        for agent in self._look().agents.values():
            for work in agent.work:
                if work.kind != self._kind:
                    continue
                if work.phase is Phase.RINGING and chance.random() < 0.5:
                    self._post(
                        ev.WorkAccepted(
                            request=self._requests.number(),
                            agent=agent.id,
                            interaction=work.interaction,
                            is_taken=chance.random() < 0.85,
                        )
                    )
                elif work.phase is Phase.TALKING and chance.random() < 0.05:
                    self._post(ev.WorkFinished(request=self._requests.number(), agent=agent.id, interaction=work.interaction))
