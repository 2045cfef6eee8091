"""Lamps: keys of phones that show an agent's state or a queue's load (BLF).

| lamp          | off        | lit             | blinking                                                                        |
|---------------|------------|-----------------|---------------------------------------------------------------------------------|
| `agent-<id>`  | logged out | everything else | not ready, unreachable, or a customer on hold for longer than `hold_reminder_s` |
| `queue-<id>`  | nobody     | somebody waits  | more wait than `lamp_waiting_above`, or one for longer than `lamp_wait_above_s` |

They follow the state at the end of each step: only agents and queues that it touched are looked at, and only what changed is ordered.
Asterisk forgets a lamp with its own restart, so all are ordered again after the first observation of each link; until then none is.
"""

from collections.abc import Callable

from ccserver.core.agents import Agents
from ccserver.core.commands import LampState, SetLamp
from ccserver.core.ids import AgentId, QueueId
from ccserver.core.records import ShownState
from ccserver.core.settings import QueueSettings
from ccserver.core.state import Agent, DeadlineKind
from ccserver.core.step import Step

AGAIN_S = 2.0
"""How often a queue's lamp that blinks for a long wait is looked at again, while it does: who waits longest is not told apart when
somebody leaves."""
BLINKS = frozenset({ShownState.NOT_READY, ShownState.UNREACHABLE})


class Lamps:
    """`waiting_in` is how many wait on a line in a queue."""

    def __init__(self, step: Step, agents: Agents, *, waiting_in: Callable[[QueueId], int]) -> None:
        self.step = step
        self._agents = agents
        self._waiting_in = waiting_in

    def forget(self) -> None:
        """The PBX may have lost them all: the end of this step orders each again."""
        step = self.step
        for lamp in list(step.lamps):
            step.lamps.drop(lamp)
        self._look_at_all()

    def settings_changed(self) -> None:
        for kind, name in [key for key in self.step.deadlines.table if key[0] is DeadlineKind.LAMP]:
            self.step.deadlines.clear(kind, name)
        self._look_at_all()

    def _look_at_all(self) -> None:
        step = self.step
        for agent in step.agents:
            step.touched_agents[agent] = None
        for queue in (*step.settings.queues, *step.queues):
            step.touched_queues[queue] = None

    def follow(self) -> None:
        """At the end of a step."""
        step = self.step
        if not (step.clockwork.is_linked and step.clockwork.is_observed):
            return
        for agent_id in step.touched_agents:
            agent = step.agents.get(agent_id)
            if agent is not None:
                self._set(f"agent-{agent_id}", self._of_agent(agent))
        for queue in step.touched_queues:
            self._set(f"queue-{queue}", self._of_queue(queue))

    def _set(self, lamp: str, state: LampState) -> None:
        if self.step.lamps.get(lamp) is not state:
            self.step.lamps.put(lamp, state)
            self.step.emit(SetLamp(lamp=lamp, state=state))

    # --- agents -------------------------------------------------------------------------------------------------------
    def _of_agent(self, agent: Agent) -> LampState:
        shown = self._agents.shown(agent)
        if shown is ShownState.LOGGED_OUT:
            return LampState.OFF
        return LampState.BLINKING if shown in BLINKS or self._holds_too_long(agent.id) else LampState.LIT

    def _holds_too_long(self, agent: AgentId) -> bool:
        for work in self.step.agents[agent].work:
            interaction = self.step.interactions.get(work.interaction)
            talk = interaction.talk if interaction is not None else None
            if interaction is None or talk is None or talk.agent != agent or talk.held_since is None:
                continue
            limit_s = self.step.queue_settings(talk.queue, interaction).hold_reminder_s
            if limit_s is not None and self.step.now.mono_s >= talk.held_since.mono_s + limit_s:
                return True
        return False

    # --- queues -------------------------------------------------------------------------------------------------------
    def _of_queue(self, queue: QueueId) -> LampState:
        step, config = self.step, self.step.settings.queues.get(queue)
        waiting = self._waiting_in(queue)
        if not waiting or config is None:
            step.deadlines.clear(DeadlineKind.LAMP, queue)
            return LampState.LIT if waiting else LampState.OFF
        if config.lamp_waiting_above is not None and waiting > config.lamp_waiting_above:
            step.deadlines.clear(DeadlineKind.LAMP, queue)
            return LampState.BLINKING
        return self._by_time(queue, config)

    def _by_time(self, queue: QueueId, config: QueueSettings) -> LampState:
        step, now_s = self.step, self.step.now.mono_s
        if config.lamp_wait_above_s is None:
            step.deadlines.clear(DeadlineKind.LAMP, queue)
            return LampState.LIT
        lamp = step.lamps.get(f"queue-{queue}")
        if lamp is not None and (DeadlineKind.LAMP, str(queue)) in step.deadlines.table:
            return lamp
        due_s = self._longest_since(queue) + config.lamp_wait_above_s
        is_long = now_s >= due_s
        step.deadlines.set(DeadlineKind.LAMP, queue, now_s + AGAIN_S if is_long else due_s)
        return LampState.BLINKING if is_long else LampState.LIT

    def _longest_since(self, queue: QueueId) -> float:
        visits = (i.visit for i in self.step.interactions.values() if i.visit is not None and i.holds_the_line())
        since = (visit.waiting_since_s for visit in visits if visit.queue == queue)
        return min(since, default=self.step.now.mono_s)
