"""Walks one caller through a flow, without a PBX: a real `CallCenter` is told what would happen, and its commands are answered at once.

Time is virtual. Whatever takes time by itself (speech, look-ups) passes; where the center waits for the caller it stands still until the
caller types, speaks, waits or hangs up. What outside systems answer is asked of whoever walks (`Outside`). The walk is over when the
caller is gone, or somebody's phone rings: what people say to each other is no business of a flow.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import (
    AgentId,
    CommandId,
    FlowId,
    InteractionId,
    Language,
    LegId,
    PhoneId,
    QueueId,
    RequestId,
    SessionId,
)
from ccserver.core.moment import Moment
from ccserver.core.records import (
    Attestation,
    DoNotCallRecord,
    FlowRecord,
    FlowStep,
    MessageRecord,
    PhoneState,
    StepHow,
    SurveyRecord,
)
from ccserver.core.settings import DidSettings, PhoneSettings, Settings, Spoken, SpokenKind
from ccserver.core.state import CALLBACK, Interaction
from ccserver.core.transitions import InteractionState
from ccserver.sim.numbers import read_number
from ccserver.sim.outside import SECRET_FIELD, Impossible, Outside, typed_values
from ccserver.sim.transcript import Line, LineKind, Stand, Standing, Transcript

LEG, SESSION = LegId("walk", "caller"), SessionId("walk-1")
CALLER = InteractionId(1)
CHARACTERS_PER_S = 15.0
LOOK_UP_S = 0.2
SLOW_SHARE = 0.9
"""Of its longest time, for a look-up that is slow."""
WAIT_MAX_S = 3600.0
"""How long a caller waits for something to happen."""

Say = Callable[[Spoken, Language], str]
"""A piece of speech in words."""
Verb = (
    c.AnswerCall
    | c.Say
    | c.Collect
    | c.CollectNumber
    | c.CollectSecret
    | c.RecordMessage
    | c.RunScript
    | c.WaitUntil
    | c.EndSession
)
Asking = c.Collect | c.CollectNumber | c.CollectSecret
SECRET_DIGITS_MAX, NUMBER_DIGITS_MAX = 12, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls what, when. `flow` takes the place of `did` where a flow is to be walked that no number starts."""

    at_utc_s: float
    did: str = ""
    flow: FlowId | None = None
    language: Language | None = None
    """With `flow`; None: the default."""
    caller: str | None = None
    attestation: Attestation = Attestation.NONE
    """None: withheld."""
    name: str = ""
    staffed: Collection[AgentId] = ()
    """The agents who are logged in and free."""
    is_reached_outside: bool = True
    """Somebody answers at numbers outside."""


class Walker:
    """`lines` is the transcript so far. `asked` is the verb that waits for the caller: None when the call is over, or nothing that the
    caller does is waited for."""

    def __init__(self, settings: Settings, call: Call, outside: Outside, say: Say) -> None:
        self._call = call
        self._did = call.did if call.flow is None else f"walk {call.flow}"
        self._settings = settings = _site(settings, call, self._did)
        self._outside = outside
        self._say = say
        self._center = CallCenter(settings)
        self._now_s = 1000.0
        self._start_s = self._now_s
        self._coming: list[tuple[float, int, ev.Event]] = []
        self._entered = 0
        self._verbs: deque[tuple[CommandId, Verb]] = deque()
        self._command = CommandId(0, 0)
        self._verb: Verb | None = None
        self._ends_s: float | None = None
        self._typed = ""
        self._collected = ""
        self._transcript = Transcript(settings.flows)
        self._queue = ""
        self._end: Standing | None = None
        self.last_queue = ""
        """The queue that the caller is in, or was last."""
        self.messages: list[QueueId] = []
        """The queues that messages were left for."""
        self.callbacks: list[QueueId] = []
        self.passages: list[FlowRecord] = []
        self.answers: list[SurveyRecord] = []

    # --- what may be asked of it --------------------------------------------------------------------------------------
    @property
    def lines(self) -> list[Line]:
        return self._transcript.lines

    @property
    def at_s(self) -> float:
        return self._now_s - self._start_s

    @property
    def asked(self) -> Verb | None:
        return self._verb if self._end is None else None

    @property
    def standing(self) -> Standing:
        if self._end is not None:
            return self._end
        if self._queue:
            return Standing(Stand.QUEUE, self._queue)
        interaction = self._interaction()
        return Standing(Stand.NODE, f"{interaction.flow}/{interaction.node}" if interaction is not None else "")

    @property
    def is_over(self) -> bool:
        return self._end is not None

    # --- what the caller does -----------------------------------------------------------------------------------------
    def start(self) -> None:
        """The call comes in."""
        phones = dict.fromkeys(self._settings.phones, PhoneState.IDLE)
        first: list[ev.Event] = [
            ev.CenterStarted(incarnation=1, first_interaction=CALLER),
            ev.SettingsLoaded(settings=self._settings),
            ev.LinkUp(pbx=self._settings.pbx, uptime_s=1000.0),
            ev.PbxObserved(pbx=self._settings.pbx, asked_at_s=self._now_s, channels=(), phones=phones),
            *(
                ev.LoginRequested(request=RequestId(number), agent=agent, phone=_phone(agent))
                for number, agent in enumerate(self._call.staffed, 1)
            ),
        ]
        for event in first:
            self._step(event)
        arrived = ev.CallArrived(
            session=SESSION,
            leg=LEG,
            channel="PJSIP/walk",
            did=self._did,
            caller_number=self._call.caller,
            number_as_given=self._call.caller or "",
            caller_name=self._call.name,
            attestation=self._call.attestation,
        )
        self._step(arrived)
        self._run()

    def type(self, digits: str) -> None:
        """Keys, one by one: what a question does not take is kept for the next. Raises Impossible."""
        self._must_be_on()
        if not digits or any(digit not in "0123456789*#" for digit in digits):
            raise Impossible(f"{digits!r} are no keys")
        is_secret = isinstance(self._verb, c.CollectSecret)
        self._line(LineKind.TYPES, "*" * len(digits) if is_secret else digits)
        self._typed += digits
        self._take_digits()
        self._run()
        if isinstance(self._verb, Asking) and self._collected and not self.is_over:
            # They stopped typing: so says the time after the last key.
            self._now_s += self._verb.timeout_s if isinstance(self._verb, c.CollectSecret) else self._verb.next_timeout_s
            self._answered(ev.VerbEnd.TIMEOUT)
            self._run()

    def speak(self, duration_s: float) -> None:
        """Into the recording of a message, which ends with a key. 0: says nothing. Raises Impossible."""
        self._must_be_on()
        verb = self._verb
        if not isinstance(verb, c.RecordMessage):
            raise Impossible("nothing is recorded here")
        self._now_s += min(duration_s, verb.max_s)
        self._line(LineKind.SPEAKS, f"for {min(duration_s, verb.max_s):g} s")
        end = ev.VerbEnd.DIGIT if duration_s else ev.VerbEnd.TIMEOUT
        told = ev.MessageRecorded(session=SESSION, command=self._command, end=end, duration_s=min(duration_s, verb.max_s))
        self._finish(told)
        self._run()

    def wait(self, duration_s: float | None = None) -> None:
        """Let time pass: until the caller is waited for no longer, or hears something new; or for so long. Raises Impossible."""
        self._must_be_on()
        began_s, place, waited_s = self._now_s, len(self.lines), 0.0
        until_s = began_s + (WAIT_MAX_S if duration_s is None else duration_s)
        self._line(LineKind.WAITS, "")
        while not self.is_over:
            due_s = min((each for each in (self._ends_s, self._center.next_deadline()) if each is not None), default=until_s)
            self._now_s = max(self._now_s, min(due_s, until_s))
            waited_s = self._now_s - began_s
            if due_s >= until_s:
                break
            if self._ends_s is not None and self._ends_s <= self._now_s:
                self._timed_out()
            else:
                self._step(ev.DeadlineReached())
            self._run()
            if duration_s is None and len(self.lines) > place + 1:
                break
        self.lines[place] = replace(self.lines[place], text=f"{waited_s:.0f} s")

    def hang_up(self) -> None:
        """Raises Impossible."""
        self._must_be_on()
        self._ends(Standing(Stand.CALLER_GONE), "the caller hangs up")
        self._step(ev.LegEnded(leg=LEG, cause=16))

    def _must_be_on(self) -> None:
        if self._end is not None:
            raise Impossible(f"the call is over: {self._end}")

    # --- steps of the center ------------------------------------------------------------------------------------------
    def _run(self) -> None:
        """Until the caller is waited for, or it is over."""
        while self._coming and self._end is None:
            deadline_s = self._center.next_deadline()
            if deadline_s is not None and deadline_s <= self._coming[0][0]:
                self._now_s = max(self._now_s, deadline_s)
                self._step(ev.DeadlineReached())
            else:
                at_s, _, event = heapq.heappop(self._coming)
                self._now_s = max(self._now_s, at_s)
                if isinstance(event, ev.PromptEnded | ev.CommandDone | ev.ScriptEnded):
                    self._finish(event)
                else:
                    self._step(event)

    def _step(self, event: ev.Event) -> None:
        now = Moment(self._now_s, self._call.at_utc_s + self.at_s)
        center = self._center
        commands = center.on_deadline(now) if isinstance(event, ev.DeadlineReached) else center.handle(event, now)
        seq = center.seq
        records = [command.record for command in commands if isinstance(command, c.Store)]
        for record in records:
            self._show(record)
        self._show_place(is_in_passage=not any(isinstance(each, FlowRecord) for each in records))
        for index, command in enumerate(commands):
            self._perform(CommandId(seq, index), command)

    def _later(self, delay_s: float, event: ev.Event) -> None:
        self._entered += 1
        heapq.heappush(self._coming, (self._now_s + delay_s, self._entered, event))

    def _interaction(self) -> Interaction | None:
        return self._center.snapshot().interactions.get(CALLER)

    # --- what is shown of a step --------------------------------------------------------------------------------------
    def _show(self, record: object) -> None:
        match record:
            case FlowRecord() if record.interaction == CALLER:
                self._transcript.way(self.at_s, record.steps, is_over=True)
                self.passages.append(record)
            case MessageRecord() if record.queue is not None:
                self.messages.append(record.queue)
            case DoNotCallRecord():
                by = "all campaigns" if record.campaign is None else record.campaign
                self._line(LineKind.ANSWERED, f"not to be called any more by {by}")
            case SurveyRecord():
                self.answers.append(record)
                self._line(LineKind.ANSWERED, f"{record.kind.value} {record.score}")
            case _:
                pass

    def _show_place(self, *, is_in_passage: bool) -> None:
        """Where the caller is now: at a node, or in a queue."""
        interaction = self._interaction()
        if interaction is None:
            return
        is_in_flow = is_in_passage and interaction.state is InteractionState.MENU
        if is_in_flow and interaction.flow is not None and interaction.node is not None:
            here = FlowStep(interaction.flow, interaction.node, StepHow.PASSED)
            self._transcript.way(self.at_s, (*interaction.path, here), is_over=False)
        queue = "" if interaction.visit is None else interaction.visit.queue
        if queue and queue != self._queue:
            self._line(LineKind.QUEUE, queue)
        self.last_queue = queue or self.last_queue
        self._queue = queue

    def _line(self, kind: LineKind, text: str, prompts: tuple[str, ...] = ()) -> None:
        self._transcript.tell(self.at_s, kind, text, prompts)

    def _says(self, say: tuple[Spoken, ...], language: Language) -> float:
        """The words go onto the transcript; how long they take."""
        words = " ".join(text for piece in say if (text := self._say(piece, piece.language or language)))
        if words:
            self._line(LineKind.SAYS, words, tuple(piece.value for piece in say if piece.kind is SpokenKind.PROMPT))
        return len(words) / CHARACTERS_PER_S

    def _ends(self, end: Standing, text: str) -> None:
        self._queue = ""
        self._end = end
        self._coming.clear()
        callbacks = (each for each in self._center.snapshot().interactions.values() if each.kind == CALLBACK)
        self.callbacks = [each.queue for each in callbacks if each.queue is not None]
        self._line(LineKind.ENDS, text)

    # --- commands -----------------------------------------------------------------------------------------------------
    def _perform(self, number: CommandId, command: c.Command) -> None:
        if self._end is not None:
            return
        match command:
            case (
                c.AnswerCall() | c.Say() | c.Collect() | c.CollectNumber() | c.CollectSecret() | c.RecordMessage()
                | c.RunScript() | c.WaitUntil() | c.EndSession()
            ):  # fmt: skip
                if command.session == SESSION:
                    self._verbs.append((number, command))
                    self._next_verb()
            case c.LookUp():
                self._ask_outside(number, command)
            case c.RingAgent():
                self._ends(
                    Standing(Stand.AGENT, command.agent), f"agent {command.agent} is rung, out of the queue {command.queue}"
                )
            case c.DialOut():
                dialled = command.to.partition("/")[2].partition("@")[0] or command.to
                if self._call.is_reached_outside:
                    self._ends(Standing(Stand.NUMBER, dialled), f"{dialled} is called")
                else:
                    self._later(1.0, ev.CommandFailed(command=number, reason="nobody there"))
            case c.HangUpLeg() if command.leg == LEG:
                self._ends(Standing(Stand.HUNG_UP), "the call is hung up")
            case _:
                pass

    def _ask_outside(self, number: CommandId, command: c.LookUp) -> None:
        shape = self._settings.look_ups[command.look_up]
        answer = self._outside.look_up(command.look_up, command.parameters)
        values = typed_values(command.look_up, shape, answer.values) if answer.end is ev.LookUpEnd.FOUND else {}
        given = ", ".join(f"{name} {value}" for name, value in command.parameters.items())
        self._line(
            LineKind.LOOKS_UP, f"{command.look_up} ({given}): {answer.end.value}" + (", slowly" if answer.is_slow else "")
        )
        delay_s = shape.longest_s * SLOW_SHARE if answer.is_slow else LOOK_UP_S
        self._later(delay_s, ev.LookedUp(command=number, end=answer.end, values=values))

    # --- verbs --------------------------------------------------------------------------------------------------------
    def _next_verb(self) -> None:
        """A wait, and a question that nobody has begun to answer, give way to what comes."""
        if self._verb is not None and self._verbs:
            if isinstance(self._verb, c.WaitUntil):
                self._finish(ev.WaitEnded(session=SESSION, command=self._command, end=ev.VerbEnd.SUPERSEDED))
            elif isinstance(self._verb, Asking):
                self._answered(ev.VerbEnd.SUPERSEDED)
            return
        if self._verb is not None or not self._verbs:
            return
        self._command, verb = self._verbs.popleft()
        self._verb, self._collected, self._ends_s = verb, "", None
        match verb:
            case c.AnswerCall():
                self._later(0.0, ev.CommandDone(command=self._command))
            case c.Say():
                told = ev.PromptEnded(session=SESSION, command=self._command, end=ev.VerbEnd.DONE)
                self._later(self._says(verb.say, verb.language), told)
            case c.Collect() | c.CollectNumber():
                self._ask(verb, verb.first_timeout_s, _wanted(verb))
            case c.CollectSecret():
                self._ask(verb, verb.timeout_s, "a secret, ended by #")
            case c.RecordMessage():
                self._now_s += self._says(verb.say, verb.language)
                self._line(LineKind.ASKS, "a message")
                self._ends_s = self._now_s + verb.silence_s
            case c.WaitUntil():
                keys = f", takes the keys {' '.join(verb.stop_digits)}" if verb.stop_digits else ""
                self._line(LineKind.MUSIC, f"{verb.music or 'silence'}{keys}")
                self._ends_s = None if verb.timeout_s is None else self._now_s + verb.timeout_s
                self._take_digits()
            case c.RunScript():
                self._run_script(verb)
            case c.EndSession():
                self._end_session(verb)

    def _ask(self, verb: Asking, timeout_s: float, wanted: str) -> None:
        self._now_s += self._says(verb.say, verb.language)
        self._line(LineKind.ASKS, wanted)
        self._ends_s = self._now_s + timeout_s
        self._take_digits()

    def _run_script(self, verb: c.RunScript) -> None:
        answer = self._outside.script(verb.script, verb.parameters)
        self._line(LineKind.SCRIPT, f"{verb.script}: {answer.result or answer.end.value}")
        told = ev.ScriptEnded(
            session=SESSION, command=self._command, end=answer.end, result=answer.result, values=dict(answer.values)
        )
        self._later(verb.time_limit_s if answer.end is ev.VerbEnd.TIMEOUT else 1.0, told)

    def _end_session(self, verb: c.EndSession) -> None:
        if verb.next is c.Next.EXTENSION:
            self._ends(Standing(Stand.EXTENSION, verb.extension), f"goes on to the extension {verb.extension}")
        else:
            self._ends(Standing(Stand.HUNG_UP), "the call is hung up")
        self._verb = None

    def _finish(self, event: ev.Event) -> None:
        """The verb that is on has ended: what the center says to that comes behind what it has said already."""
        self._verb, self._ends_s = None, None
        self._step(event)
        self._next_verb()

    def _timed_out(self) -> None:
        if isinstance(self._verb, c.WaitUntil):
            self._finish(ev.WaitEnded(session=SESSION, command=self._command, end=ev.VerbEnd.TIMEOUT))
        elif isinstance(self._verb, c.RecordMessage):
            self._finish(ev.MessageRecorded(session=SESSION, command=self._command, end=ev.VerbEnd.TIMEOUT, duration_s=0.0))
        else:
            self._answered(ev.VerbEnd.TIMEOUT)

    # --- keys ---------------------------------------------------------------------------------------------------------
    def _take_digits(self) -> None:
        """As a session does: what one question does not take is for the next one."""
        while self._typed and self._end is None:
            verb = self._verb
            if isinstance(verb, c.WaitUntil):
                digit, self._typed = self._typed[0], self._typed[1:]
                if digit in verb.stop_digits:
                    self._finish(ev.WaitEnded(session=SESSION, command=self._command, end=ev.VerbEnd.DIGIT, digit=digit))
            elif isinstance(verb, c.RecordMessage):
                raise Impossible("a message is recorded here: let the caller speak")
            elif isinstance(verb, Asking):
                self._take_digit(verb)
            else:
                return

    def _take_digit(self, verb: Asking) -> None:
        digit, self._typed = self._typed[0], self._typed[1:]
        if digit == (verb.terminator if isinstance(verb, c.Collect) else "#"):
            self._answered(ev.VerbEnd.DONE)
            return
        self._collected += digit
        is_complete = isinstance(verb, c.Collect) and self._collected in verb.complete
        most = NUMBER_DIGITS_MAX if isinstance(verb, c.CollectNumber) else verb.max_digits
        if is_complete or len(self._collected) >= most:
            self._answered(ev.VerbEnd.DONE)

    def _answered(self, end: ev.VerbEnd) -> None:
        verb, digits, self._collected = self._verb, self._collected, ""
        match verb:
            case c.Collect():
                self._finish(ev.DigitsCollected(session=SESSION, command=self._command, end=end, digits=digits))
            case c.CollectNumber():
                number, kind = read_number(digits)
                told = ev.NumberCollected(
                    session=SESSION, command=self._command, end=end, digits=digits, number=number, kind=kind
                )
                self._finish(told)
            case c.CollectSecret():
                self._finish(self._checked(verb, "" if end is ev.VerbEnd.SUPERSEDED else digits))
            case _:
                raise AssertionError(f"{verb} asks nothing")

    def _checked(self, verb: c.CollectSecret, digits: str) -> ev.SecretChecked:
        if not digits or verb.check is None:
            return ev.SecretChecked(session=SESSION, command=self._command, is_ok=None)
        check = verb.check
        answer = self._outside.look_up(check.look_up, check.parameters)
        self._line(LineKind.LOOKS_UP, f"{check.look_up}: {answer.end.value}")
        if answer.end is ev.LookUpEnd.FAILED:
            return ev.SecretChecked(session=SESSION, command=self._command, is_ok=None, is_failed=True)
        right = answer.values.get(SECRET_FIELD, digits)
        is_ok = answer.end is ev.LookUpEnd.FOUND and str(right) == digits
        token = str(answer.values.get(check.token_field, "token")) if check.token_field and is_ok else ""
        return ev.SecretChecked(session=SESSION, command=self._command, is_ok=is_ok, token=token)


# --- the site ---------------------------------------------------------------------------------------------------------
def _phone(agent: AgentId) -> PhoneId:
    return PhoneId(f"PJSIP/walk-{agent}")


def _site(settings: Settings, call: Call, did: str) -> Settings:
    """With a phone for each agent who is there, and a number for the flow that is walked."""
    phones = {_phone(agent): PhoneSettings(number=f"walk-{agent}") for agent in call.staffed}
    dids = dict(settings.dids)
    if call.flow is not None:
        dids[did] = DidSettings(flow=call.flow, language=call.language or settings.default_language)
    return replace(settings, phones={**settings.phones, **phones}, dids=dids)


def _wanted(verb: c.Collect | c.CollectNumber) -> str:
    if isinstance(verb, c.CollectNumber):
        return "a telephone number, ended by #"
    if verb.complete:
        return f"one of the keys {', '.join(verb.complete)}"
    return f"up to {verb.max_digits} digits" + (f", ended by {verb.terminator}" if verb.terminator else "")
