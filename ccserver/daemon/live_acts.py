"""What supervisors and operators do to the live center: requests of the control socket as events of the core.

Each carries `by`, the account at the other end of the socket, and is answered and put on record by the core.
"""

import difflib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from ccserver.control.protocol import Why
from ccserver.control.server import BY, NotDone
from ccserver.core.events import (
    CancelCallbackRequested,
    CloseHoursRequested,
    CloseQueueRequested,
    Event,
    ForgetNumberRequested,
    HangUpRequested,
    LoginRequested,
    LogoutRequested,
    MarkNumberRequested,
    MoveAgentRequested,
    MoveCallRequested,
    OpenHoursRequested,
    OpenQueueRequested,
    PauseRequested,
    PickRequested,
    PriorityRequested,
    RecordingAct,
    RecordingRequested,
    SkillRequested,
    UnpauseRequested,
    WatchModeRequested,
    WatchRequested,
    WatchStopRequested,
)
from ccserver.core.ids import AgentId, HoursId, InteractionId, PhoneId, PromptId, QueueId, ReasonId, RequestId, SkillId, WatchId
from ccserver.core.settings import NumberMark, Settings, WatchMode
from ccserver.core.state import CenterState

TEXT_CHARACTERS_MAX = 100
PRIORITY_MAX, LEVEL_MAX, SESSION_MAX = 10, 100, 10**9

Given = Mapping[str, object]
Made = Callable[[RequestId], Event]


class LiveActs:
    """Reads the arguments of a request; what names nothing is refused here, with the names there are."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        snapshot: Callable[[], CenterState],
        prompts: Callable[[], Collection[str]],
    ) -> None:
        self._settings = settings
        self._snapshot = snapshot
        self._prompts = prompts

    def table(self) -> Mapping[str, Callable[[Given], Made]]:
        return {
            "agent.login": self._login,
            "agent.logout": self._logout,
            "agent.pause": self._pause,
            "agent.unpause": self._unpause,
            "agent.move": self._move_agent,
            "agent.skill": self._skill,
            "call.hangup": self._hang_up,
            "call.priority": self._priority,
            "call.move": self._move_call,
            "call.pick": self._pick,
            "call.recording": self._recording,
            "queue.close": self._close,
            "queue.open": self._open,
            "hours.close": self._close_hours,
            "hours.open": self._open_hours,
            "number.mark": self._mark,
            "number.forget": self._forget,
            "callback.cancel": self._cancel_callback,
            "watch.begin": self._watch,
            "watch.mode": self._watch_mode,
            "watch.stop": self._watch_stop,
        }

    # --- agents -------------------------------------------------------------------------------------------------------
    def _login(self, given: Given) -> Made:
        agent, phone, by = self.agent(given), self._phone(given), who(given)
        return lambda number: LoginRequested(request=number, agent=agent, phone=phone, by=by)

    def _logout(self, given: Given) -> Made:
        agent, by = self.agent(given), who(given)
        return lambda number: LogoutRequested(request=number, agent=agent, by=by)

    def _pause(self, given: Given) -> Made:
        agent, by = self.agent(given), who(given)
        reason = ReasonId(_one_of(text_of(given, "reason"), self._settings().reasons, "reason"))
        return lambda number: PauseRequested(request=number, agent=agent, reason=reason, by=by)

    def _unpause(self, given: Given) -> Made:
        agent, by = self.agent(given), who(given)
        return lambda number: UnpauseRequested(request=number, agent=agent, by=by)

    def _move_agent(self, given: Given) -> Made:
        agent, phone, by = self.agent(given), self._phone(given), who(given)
        return lambda number: MoveAgentRequested(request=number, agent=agent, phone=phone, by=by)

    def _skill(self, given: Given) -> Made:
        agent, by = self.agent(given), who(given)
        level = None if given.get("level") is None else _whole(given, "level", 0, LEVEL_MAX)
        settings = self._settings()
        skills = {skill for one in settings.agents.values() for skill in one.skills}
        skill = SkillId(_one_of(text_of(given, "skill"), sorted(skills), "skill"))
        return lambda number: SkillRequested(request=number, agent=agent, skill=skill, level=level, by=by)

    # --- calls --------------------------------------------------------------------------------------------------------
    def _hang_up(self, given: Given) -> Made:
        interaction, by = interaction_of(given), who(given)
        return lambda number: HangUpRequested(request=number, interaction=interaction, by=by)

    def _priority(self, given: Given) -> Made:
        interaction, by, priority = interaction_of(given), who(given), _whole(given, "priority", 0, PRIORITY_MAX)
        return lambda number: PriorityRequested(request=number, interaction=interaction, priority=priority, by=by)

    def _move_call(self, given: Given) -> Made:
        interaction, by, queue = interaction_of(given), who(given), self.queue(given)
        return lambda number: MoveCallRequested(request=number, interaction=interaction, queue=queue, by=by)

    def _pick(self, given: Given) -> Made:
        interaction, by, agent = interaction_of(given), who(given), self.agent(given)
        return lambda number: PickRequested(request=number, interaction=interaction, agent=agent, by=by)

    def _recording(self, given: Given) -> Made:
        interaction, by = interaction_of(given), who(given)
        act = RecordingAct(_one_of(text_of(given, "act"), [each.value for each in RecordingAct], "act"))
        return lambda number: RecordingRequested(request=number, interaction=interaction, act=act, by=by)

    # --- queues, hours, numbers, callbacks -----------------------------------------------------------------------------------
    def _close(self, given: Given) -> Made:
        queue, by = self.queue(given), who(given)
        prompt = None
        if given.get("prompt") is not None:
            # A missing one would be no message at all, in an emergency.
            name = text_of(given, "prompt")
            if name not in self._prompts():
                near = difflib.get_close_matches(name, list(self._prompts()), n=1)
                raise NotDone(Why.NOT_FOUND, f"no prompt {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            prompt = PromptId(name)
        return lambda number: CloseQueueRequested(request=number, queue=queue, prompt=prompt, by=by)

    def _open(self, given: Given) -> Made:
        queue, by = self.queue(given), who(given)
        return lambda number: OpenQueueRequested(request=number, queue=queue, by=by)

    def _close_hours(self, given: Given) -> Made:
        hours, by = self.hours(given), who(given)
        until_utc_s = None if given.get("until") is None else self._instant(text_of(given, "until"), hours)
        return lambda number: CloseHoursRequested(request=number, hours=hours, until_utc_s=until_utc_s, by=by)

    def _open_hours(self, given: Given) -> Made:
        hours, by = self.hours(given), who(given)
        return lambda number: OpenHoursRequested(request=number, hours=hours, by=by)

    def _mark(self, given: Given) -> Made:
        marked, by = text_of(given, "number"), who(given)
        mark = None
        if given.get("mark") is not None:
            mark = NumberMark(_one_of(text_of(given, "mark"), [each.value for each in NumberMark], "mark"))
        note = "" if not given.get("note") else text_of(given, "note")
        return lambda number: MarkNumberRequested(request=number, number=marked, mark=mark, note=note, by=by)

    def _forget(self, given: Given) -> Made:
        forgotten, by = text_of(given, "number"), who(given)
        return lambda number: ForgetNumberRequested(request=number, number=forgotten, by=by)

    def _cancel_callback(self, given: Given) -> Made:
        interaction, by = interaction_of(given), who(given)
        return lambda number: CancelCallbackRequested(request=number, interaction=interaction, by=by)

    # --- supervision --------------------------------------------------------------------------------------------------
    def _watch(self, given: Given) -> Made:
        """Of an agent, or of a queue's next call; the core says what cannot be."""
        phone, mode, by = self._phone(given), _mode(given), who(given)
        agent, queue = None, None
        if (given.get("agent") is None) == (given.get("queue") is None):
            raise NotDone(Why.MALFORMED, 'either "agent" or "queue" must be given')
        if given.get("agent") is not None:
            agent = AgentId(_one_of(text_of(given, "agent"), self._settings().agents, "agent"))
        else:
            queue = self.queue(given)
        return lambda number: WatchRequested(request=number, phone=phone, mode=mode, agent=agent, queue=queue, by=by)

    def _watch_mode(self, given: Given) -> Made:
        watch, mode, by = _watch_of(given), _mode(given), who(given)
        return lambda number: WatchModeRequested(request=number, watch=watch, mode=mode, by=by)

    def _watch_stop(self, given: Given) -> Made:
        watch, by = _watch_of(given), who(given)
        return lambda number: WatchStopRequested(request=number, watch=watch, by=by)

    # --- what arguments name ------------------------------------------------------------------------------------------
    def agent(self, given: Given) -> AgentId:
        agent = AgentId(text_of(given, "agent"))
        # an agent taken out of the configuration can still be logged out
        if agent not in self._settings().agents and agent not in self._snapshot().agents:
            raise NotDone(Why.NOT_FOUND, f"no agent {agent!r}")
        return agent

    def queue(self, given: Given) -> QueueId:
        return QueueId(_one_of(text_of(given, "queue"), self._settings().queues, "queue"))

    def hours(self, given: Given) -> HoursId:
        return HoursId(_one_of(text_of(given, "hours"), self._settings().hours, "opening hours"))

    def _instant(self, text: str, hours: HoursId) -> float:
        """A local time of the place that these hours are of (`2026-12-24T18:00`), unless it names its own zone."""
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            raise NotDone(Why.MALFORMED, f"{text!r} is no time; for example 2026-12-24T18:00") from None
        zone = ZoneInfo(self._settings().hours[hours].timezone)
        return (local.replace(tzinfo=zone) if local.tzinfo is None else local).timestamp()

    def _phone(self, given: Given) -> PhoneId:
        """By what Asterisk dials (`PJSIP/1001`) or by the phone's number (`1001`)."""
        phone = text_of(given, "phone")
        for known, settings in self._settings().phones.items():
            if phone in (known, settings.number):
                return known
        raise NotDone(Why.NOT_FOUND, f"no phone {phone!r}")


def who(given: Given) -> str:
    return text_of(given, BY)


def interaction_of(given: Given) -> InteractionId:
    number = given.get("interaction")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise NotDone(Why.MALFORMED, '"interaction" must be the number of a call')
    return InteractionId(number)


def _watch_of(given: Given) -> WatchId:
    return WatchId(_whole(given, "session", 1, SESSION_MAX))


def _mode(given: Given) -> WatchMode:
    return WatchMode(_one_of(text_of(given, "mode"), [each.value for each in WatchMode], "mode"))


def text_of(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > TEXT_CHARACTERS_MAX:
        raise NotDone(Why.MALFORMED, f'"{name}" must be a short printable text')
    return value


def _whole(given: Given, name: str, low: int, high: int) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise NotDone(Why.MALFORMED, f'"{name}" must be a whole number from {low} to {high}')
    return value


def _one_of(value: str, known: Collection[str], what: str) -> str:
    if value not in known:
        raise NotDone(Why.NOT_FOUND, f"no {what} {value!r}; there are: {', '.join(known)}")
    return value
