"""The time at which somebody who was called wants to be called again: the agent enters it on the keypad after the disposition.

Four digits are an hour and a minute (the next time it is that late there), eight a day, a month, an hour and a minute: 24121530 is the
24th of December, half past three in the afternoon. It is the callee's clock, and is read back: 1 keeps it for this agent, 2 for anybody,
3 asks again. Only then does the wrap-up end. A headset's line is sent to the desk for it.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ccserver.core.agents import Agents
from ccserver.core.callers import prompt
from ccserver.core.change import replace
from ccserver.core.commands import Collect, Move, Place, RedirectLegs
from ccserver.core.ids import AgentId, DispositionId, InteractionId, Language
from ccserver.core.settings import DispositionMeaning, Spoken, SpokenKind
from ccserver.core.state import Appointment, DeadlineKind, Dialogue, Interaction, Leg, Role, Session, Work
from ccserver.core.step import Step
from ccserver.core.transitions import Phase

OWN, ANYBODYS, AGAIN = "1", "2", "3"
TRIES = 3
KEY_S = 8.0
ENOUGH_S = 60.0
"""The wrap-up lasts at least so long from then on."""
LONGEST = timedelta(days=365)


class Appointments:
    """Whoever has just entered a disposition that means it."""

    def __init__(self, step: Step, agents: Agents) -> None:
        self.step = step
        self.agents = agents

    def wants(self, agent_id: AgentId, code: str) -> bool:
        """Whether this code means that a time is to be entered first."""
        return self._wanted(agent_id, code) is not None

    def _wanted(self, agent_id: AgentId, code: str) -> DispositionId | None:
        work, interaction = self._wrap_up_of(agent_id), self._wrapped_up_by(agent_id)
        if work is None or interaction is None or interaction.outbound is None:
            return None
        found = self.agents.dispositions(work).get(code)
        means = self.step.settings.dispositions[found].means if found is not None else None
        return found if means is DispositionMeaning.CALL_BACK else None

    def _wrap_up_of(self, agent_id: AgentId) -> Work | None:
        return next((each for each in self.agents.get(agent_id).work if each.phase is Phase.WRAP_UP), None)

    def _wrapped_up_by(self, agent_id: AgentId) -> Interaction | None:
        work = self._wrap_up_of(agent_id)
        return self.step.interactions.get(work.interaction) if work is not None else None

    # --- asking ---------------------------------------------------------------------------------------------------------
    def ask(self, session: Session, agent_id: AgentId, code: str) -> None:
        """In the session in which the disposition was typed."""
        self._stretch(agent_id)
        asked = replace(
            session, dialogue=Dialogue.APPOINTMENT, agent=agent_id, appointment=Appointment(code=code), is_left=False
        )
        self.step.sessions.put(session.id, asked)
        self._ask_time(asked, "cc-appointment-when")

    def ask_on_line(self, leg: Leg, agent_id: AgentId, code: str) -> None:
        """On a headset's line that is parked: it comes to the desk."""
        self._stretch(agent_id)
        self.step.put_agent(replace(self.agents.get(agent_id), promising=code))
        self.step.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=Place.DESK),)))

    def opened(self, session: Session, leg: Leg) -> bool:
        """A headset's line is at the desk. False: not for this."""
        agent = self.agents.get(leg.agent) if leg.agent is not None else None
        if agent is None or not agent.promising or leg.role is not Role.HEADSET:
            return False
        code = agent.promising
        self.step.put_agent(replace(agent, promising=""))
        if not self.wants(agent.id, code):
            return False
        self.ask(session, agent.id, code)
        return True

    def _stretch(self, agent_id: AgentId) -> None:
        """There is time to enter it."""
        due_s = self.step.now.mono_s + ENOUGH_S
        if self.agents.wrap_up_due_s(agent_id) < due_s:
            self.step.deadlines.set(DeadlineKind.WRAP_UP, agent_id, due_s)

    def _ask_time(self, session: Session, words: str) -> None:
        self.step.speak(
            Collect(
                session=session.id,
                say=(prompt(words),),
                language=self._language(session.agent),
                max_digits=8,
                first_timeout_s=2 * KEY_S,
                next_timeout_s=KEY_S,
            )
        )

    def _read_back(self, session: Session, local: datetime) -> None:
        self.step.speak(
            Collect(
                session=session.id,
                say=(
                    Spoken(SpokenKind.DATE, local.date().isoformat()),
                    Spoken(SpokenKind.TIME, local.strftime("%H:%M")),
                    prompt("cc-appointment-confirm"),
                ),
                language=self._language(session.agent),
                max_digits=1,
                first_timeout_s=2 * KEY_S,
                next_timeout_s=KEY_S,
                terminator="",
                complete=(OWN, ANYBODYS, AGAIN),
            )
        )

    # --- what is typed --------------------------------------------------------------------------------------------------
    def typed(self, session: Session, digits: str) -> "Promise | None":
        """A time, or the answer to it. Returned when it is settled, with the promise or without one; None: it goes on."""
        asked = session.appointment
        assert asked is not None and session.agent is not None
        interaction = self._wrapped_up_by(session.agent)
        if interaction is None or not self.wants(session.agent, asked.code):
            return Promise(code="")
        if asked.at_utc_s is not None:
            return self._answered(session, asked, digits)
        zone = self.zone_of(interaction.id)
        local = local_time(digits, zone, self.step.now.utc_s)
        if local is None:
            return self._again(session, asked, "cc-appointment-unknown")
        asked = replace(asked, at_utc_s=local.timestamp())
        session = replace(session, appointment=asked)
        self.step.sessions.put(session.id, session)
        self._read_back(session, local)
        return None

    def _answered(self, session: Session, asked: Appointment, digits: str) -> "Promise | None":
        if digits in (OWN, ANYBODYS):
            return Promise(code=asked.code, at_utc_s=asked.at_utc_s, is_own=digits == OWN)
        return self._again(session, replace(asked, at_utc_s=None), "cc-appointment-when")

    def _again(self, session: Session, asked: Appointment, words: str) -> "Promise | None":
        if asked.tries + 1 >= TRIES:
            return Promise(code="")
        session = replace(session, appointment=replace(asked, tries=asked.tries + 1))
        self.step.sessions.put(session.id, session)
        self._ask_time(session, words)
        return None

    def keep(self, session: Session, promise: "Promise") -> None:
        """The interaction knows it, and the wrap-up is over."""
        assert session.agent is not None
        interaction = self._wrapped_up_by(session.agent)
        if interaction is not None and interaction.outbound is not None:
            outbound = replace(interaction.outbound, callback_utc_s=promise.at_utc_s, is_own_callback=promise.is_own)
            self.step.put_interaction(replace(interaction, outbound=outbound))
        self.agents.dispose(session.id, session.agent, promise.code)

    # --- small things -----------------------------------------------------------------------------------------------------
    def zone_of(self, interaction: InteractionId) -> str:
        """The callee's; the site's where it is not known."""
        known = self.step.interactions[interaction].outbound
        attempt = self.step.attempts.get(known.attempt) if known is not None else None
        zones = attempt.sheet.zones if attempt is not None else ()
        return zones[0] if zones else self.step.settings.timezone

    def _language(self, agent: AgentId | None) -> Language:
        return self.agents.language_of(agent)


class Promise:
    """What an agent has entered; `code` empty: nothing."""

    __slots__ = ("at_utc_s", "code", "is_own")

    def __init__(self, *, code: str, at_utc_s: float | None = None, is_own: bool = False) -> None:
        self.code = code
        self.at_utc_s = at_utc_s
        self.is_own = is_own


def local_time(digits: str, zone: str, now_utc_s: float) -> datetime | None:
    """The instant that was typed, by the clock of `zone`: the next one of those digits. None: there is none within a year."""
    if not (digits.isascii() and digits.isdigit() and len(digits) in (4, 8)):
        return None
    there = ZoneInfo(zone)
    now = datetime.fromtimestamp(now_utc_s, tz=UTC).astimezone(there)
    hour, minute = int(digits[-4:-2]), int(digits[-2:])
    if hour > 23 or minute > 59:
        return None
    if len(digits) == 4:
        days = [(now + timedelta(days=ahead)).date() for ahead in (0, 1, 2)]
    else:
        days = []
        for year in (now.year, now.year + 1):
            try:
                days.append(now.date().replace(year=year, month=int(digits[2:4]), day=int(digits[:2])))
            except ValueError:
                continue
    for day in days:
        at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=there)
        exists = at.astimezone(UTC).astimezone(there).replace(tzinfo=None) == at.replace(tzinfo=None)
        if exists and now < at <= now + LONGEST:
            return at
    return None
