"""Attendance: who is logged in, where, ready or not; on request, by the clock, and after the present work where it cannot be at once.

An agent is an account and not a phone. A log-in at another phone moves the agent there, with the state and the idle time as they are, or
is refused (`agent_rules.login`); one phone has one agent. Whatever cannot happen during the present work is noted and happens after
it: log-out wins over a move, and a move comes before not ready.
"""

from ccserver.core import figures, idle_clock
from ccserver.core.change import replace
from ccserver.core.facts import Answered, Origin
from ccserver.core.hours import is_open, next_close
from ccserver.core.ids import AgentId, Language, PhoneId, PromptId, ReasonId
from ccserver.core.records import PhoneState
from ccserver.core.settings import IdleReset, LoginRule, WorkMode
from ccserver.core.state import Agent, DeadlineKind, Presence, seen_phone
from ccserver.core.step import Step
from ccserver.core.transitions import Phase

OF_A_LOGIN = (DeadlineKind.SPARED, DeadlineKind.REST, DeadlineKind.SHIFT, DeadlineKind.DAY)
"""Deadlines that end with the log-in."""


class Attendance:
    """What agents declare. Each request is answered by a fact; its return value says whether it was granted."""

    def __init__(self, step: Step) -> None:
        self.step = step

    # --- questions ----------------------------------------------------------------------------------------------------
    def get(self, agent: AgentId) -> Agent:
        """The agent's record; one who was never seen is logged out."""
        return self.step.agents.get(agent) or Agent(id=agent, shown_since=self.step.now)

    def phone_state(self, agent: Agent) -> PhoneState:
        return seen_phone(agent, self.step.phones.get(agent.phone), self.step.legs.get(agent.line))

    def at_phone(self, phone: PhoneId) -> Agent | None:
        """Who is logged in there."""
        return self.step.agents.get(self.step.agent_at.get(phone))

    def language_of(self, agent: AgentId | None) -> Language:
        """In which the agent is spoken to; the default for nobody."""
        settings = self.step.settings
        config = settings.agents.get(agent) if agent is not None else None
        return (config.language if config is not None else None) or settings.default_language

    @staticmethod
    def is_working(agent: Agent) -> bool:
        return agent.reserved is not None or any(w.phase is not Phase.RELEASING for w in agent.work)

    # --- log-in, move and log-out -------------------------------------------------------------------------------------
    def log_in(self, origin: Origin, agent_id: AgentId, phone: PhoneId) -> bool:
        agent = self.get(agent_id)
        if agent_id not in self.step.settings.agents:
            return self.answer(origin, False, "cc-login-failed", f"agent {agent_id} does not exist")
        if self._refuses_place(origin, agent_id, phone):
            return False
        if agent.presence is Presence.LOGGED_OUT:
            self._enter(agent, phone)
        elif agent.phone == phone:
            self.step.put_agent(replace(agent, leaves=False, next_phone=None))
        elif self.step.settings.agent_rules.login is LoginRule.REFUSE:
            return self.answer(origin, False, "cc-on-own-phone", f"agent {agent_id} is logged in at {agent.phone}")
        else:
            return self.move(origin, agent_id, phone)
        return self.answer(origin, True, "cc-login-done", f"agent {agent_id} is logged in at {phone}")

    def move(self, origin: Origin, agent_id: AgentId, phone: PhoneId) -> bool:
        """To another phone: at once where the agent is free, else after the present work."""
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            return self._not_logged_in(origin, agent_id)
        if self._refuses_place(origin, agent_id, phone):
            return False
        if agent.phone != phone and self.is_working(agent):
            self.step.put_agent(replace(agent, next_phone=phone))
            return self.answer(origin, True, "cc-will-move", f"agent {agent_id} moves to {phone} after the present work")
        self._move(replace(agent, next_phone=None), phone)
        return self.answer(origin, True, "cc-login-done", f"agent {agent_id} is logged in at {phone}")

    def log_out(self, origin: Origin, agent_id: AgentId) -> bool:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            return self._not_logged_in(origin, agent_id)
        if self._leaves_later(agent):
            return self.answer(origin, True, "cc-will-log-out", f"agent {agent_id} is logged out after the present work")
        return self.answer(origin, True, "cc-logged-out", f"agent {agent_id} is logged out")

    # --- ready and not ready ------------------------------------------------------------------------------------------
    def not_ready(self, origin: Origin, agent_id: AgentId, reason: ReasonId) -> bool:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            return self._not_logged_in(origin, agent_id)
        if reason not in self.step.settings.reasons:
            return self.answer(origin, False, "cc-reason-unknown", f"there is no reason {reason}")
        if self.is_working(agent):
            self.step.put_agent(replace(agent, next_reason=reason))
            text = f"agent {agent_id} is not ready ({reason}) after the present work"
            return self.answer(origin, True, "cc-will-pause", text)
        self.step.put_agent(replace(agent, presence=Presence.NOT_READY, reason=reason))
        return self.answer(origin, True, "cc-not-ready", f"agent {agent_id} is not ready ({reason})")

    def ready(self, origin: Origin, agent_id: AgentId) -> bool:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            return self._not_logged_in(origin, agent_id)
        if agent.presence is Presence.NOT_READY:
            agent = replace(agent, presence=Presence.READY, reason=None)
            agent = idle_clock.after(agent, IdleReset.READY, self.step.settings, self.step.now.mono_s)
        agent = replace(agent, next_reason=None, leaves=False, missed=0, spared_until_s=0.0)
        self.step.deadlines.clear(DeadlineKind.SPARED, agent_id)
        self.step.put_agent(agent)
        return self.answer(origin, True, "cc-ready", f"agent {agent_id} is ready")

    # --- what was put off, and what the clock does ----------------------------------------------------------------------
    def settle(self, agent_id: AgentId) -> None:
        """The work may be over: what was put off until then."""
        agent = self.get(agent_id)
        if self.is_working(agent):
            return
        if agent.leaves:
            self._leave(agent)
            return
        if agent.next_phone is not None:
            agent = self._move_if_free(agent, agent.next_phone)
        if agent.next_reason is not None:
            self.step.put_agent(replace(agent, presence=Presence.NOT_READY, reason=agent.next_reason, next_reason=None))

    def set_clocks(self, agent_id: AgentId) -> None:
        """When the shift of a logged-in agent ends, and when the next day begins; anew after new settings."""
        step, agent = self.step, self.get(agent_id)
        config = step.settings.agents.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            return
        step.deadlines.set(DeadlineKind.DAY, agent_id, figures.next_day_s(step.now, step.settings.timezone))
        hours = step.settings.hours.get(config.shift) if config is not None and config.shift is not None else None
        end_utc_s = next_close(hours, step.now.utc_s) if hours is not None else None
        if end_utc_s is None:
            step.deadlines.clear(DeadlineKind.SHIFT, agent_id)
        else:
            step.deadlines.set(DeadlineKind.SHIFT, agent_id, step.now.mono_s + end_utc_s - step.now.utc_s)

    def day_began(self, agent_id: AgentId) -> None:
        agent = self.get(agent_id)
        self.step.put_agent(replace(agent, figures=figures.as_of(agent.figures, self.step.now, self.step.settings.timezone)))
        self.set_clocks(agent_id)

    def shift_over(self, agent_id: AgentId) -> None:
        """The shift's hours have closed; unless the wall clock was set back since, and they have not."""
        agent, config = self.get(agent_id), self.step.settings.agents.get(agent_id)
        hours = self.step.settings.hours.get(config.shift) if config is not None and config.shift is not None else None
        if hours is None or agent.presence is Presence.LOGGED_OUT:
            return
        if is_open(hours, self.step.now.utc_s):
            self.set_clocks(agent_id)
        else:
            self._leaves_later(agent)

    def line_gone(self, agent_id: AgentId) -> None:
        """A headset's line was hung up, and not dialled again in time."""
        agent = self.get(agent_id)
        if agent.presence is not Presence.LOGGED_OUT and agent.mode is WorkMode.HEADSET and agent.line is None:
            self._leaves_later(agent)

    # --- PINs ---------------------------------------------------------------------------------------------------------
    def is_locked(self, agent_id: AgentId) -> bool:
        return self.get(agent_id).locked_until_s > self.step.now.mono_s

    def pin_checked(self, agent_id: AgentId, is_ok: bool) -> None:
        """Count wrong PINs; lock the account after so many in a row."""
        agent, limits = self.get(agent_id), self.step.settings.limits
        failures = 0 if is_ok else agent.pin_failures + 1
        agent = replace(agent, pin_failures=failures)
        if failures >= limits.max_pin_tries:
            agent = replace(agent, pin_failures=0, locked_until_s=self.step.now.mono_s + limits.pin_lock_s)
        self.step.put_agent(agent)

    # --- inside -------------------------------------------------------------------------------------------------------
    def answer(self, origin: Origin, is_ok: bool, prompt: str, text: str) -> bool:
        """Tell what became of a request. Returns `is_ok`."""
        self.step.tell(Answered(origin, is_ok, PromptId(prompt), text))
        return is_ok

    def _not_logged_in(self, origin: Origin, agent_id: AgentId) -> bool:
        return self.answer(origin, False, "cc-not-logged-in", f"agent {agent_id} is not logged in")

    def _refuses_place(self, origin: Origin, agent_id: AgentId, phone: PhoneId) -> bool:
        other = self.at_phone(phone)
        if phone not in self.step.settings.phones:
            self.answer(origin, False, "cc-not-allowed", f"phone {phone} is not one of the settings' phones")
            return True
        if other is not None and other.id != agent_id:
            self.answer(origin, False, "cc-login-phone-in-use", f"agent {other.id} is logged in at {phone}")
            return True
        return False

    def _enter(self, agent: Agent, phone: PhoneId) -> None:
        step = self.step
        agent = idle_clock.after(agent, IdleReset.LOG_IN, step.settings, step.now.mono_s)
        step.put_agent(
            replace(
                agent,
                presence=Presence.READY,
                reason=None,
                phone=phone,
                missed=0,
                spared_until_s=0.0,
                figures=figures.logged_in(agent.figures, step.now, step.settings.timezone),
            )
        )
        self.set_clocks(agent.id)

    def _move_if_free(self, agent: Agent, phone: PhoneId) -> Agent:
        """The move that was put off; it lapses when somebody else is there by now."""
        agent, other = replace(agent, next_phone=None), self.at_phone(phone)
        if phone in self.step.settings.phones and (other is None or other.id == agent.id):
            self._move(agent, phone)
        else:
            self.step.put_agent(agent)
        return self.get(agent.id)

    def _move(self, agent: Agent, phone: PhoneId) -> None:
        if agent.phone != phone:
            agent = self._without_line(agent)
        self.step.put_agent(replace(agent, phone=phone))

    def _without_line(self, agent: Agent) -> Agent:
        """What happens at the phone the agent leaves is no longer the agent's."""
        line = self.step.legs.get(agent.line)
        if line is not None and line.session not in self.step.sessions:
            # Else the agent is being told so, and the line ends with that session.
            self.step.hang_up(line.id)
        self.step.deadlines.clear(DeadlineKind.LINE, agent.id)
        return replace(agent, mode=WorkMode.DESK, line=None, own_call=None)

    def _leaves_later(self, agent: Agent) -> bool:
        """Log out, after the present work if there is any: then True."""
        if self.is_working(agent):
            self.step.put_agent(replace(agent, leaves=True, next_reason=None, next_phone=None))
            return True
        self._leave(agent)
        return False

    def _leave(self, agent: Agent) -> None:
        step = self.step
        for kind in OF_A_LOGIN:
            step.deadlines.clear(kind, agent.id)
        step.put_agent(
            replace(
                self._without_line(agent),
                presence=Presence.LOGGED_OUT,
                reason=None,
                phone=None,
                leaves=False,
                next_reason=None,
                next_phone=None,
                missed=0,
                spared_until_s=0.0,
                rests_until_s=0.0,
                skills={},
                figures=figures.logged_out(agent.figures, step.now, step.settings.timezone),
            )
        )
