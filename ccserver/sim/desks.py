"""Agents made of chance: one agent at one phone, or on one line, for one shift. Everything is done by the phone's keys.

An agent draws from a source of its own, as callers do.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from ccserver.core.commands import Collect, CollectNumber, CollectSecret, Say
from ccserver.core.hearing import KEYS as MESSAGE_KEYS
from ccserver.core.ids import AgentId, PhoneId
from ccserver.core.office import ASKED_CODE
from ccserver.core.playback import KEYS as TAPE_KEYS
from ccserver.core.previews import AGAIN, DIAL, NUMBER, REJECT, SKIP
from ccserver.core.settings import PhoneKind, SpokenKind
from ccserver.sim.agenda import Entry
from ccserver.sim.channels import Asking, BridgeKind, Channel, Place
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.people import length_s


class InTalk(Enum):
    """What an agent does in a talk with a customer, beside talking."""

    TRANSFER = "transfer"
    CONSULT = "consult"
    ERRAND = "errand"
    REFER = "refer"  # the phone's own blind transfer
    REFER_ATTENDED = "refer_attended"
    RELEASE = "release"
    RECORD = "record"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHabits:
    """Ratios are 0 to 1 per occasion; times are means."""

    answer_s: float = 3.0
    missed_ratio: float = 0.02
    declined_ratio: float = 0.01
    talk_s: float = 240.0
    """The caller draws a length too; the shorter one ends the talk."""
    hold_ratio: float = 0.08
    line_lost_ratio: float = 0.001
    wrap_up_s: float = 15.0
    disposition_ratio: float = 0.5
    ends_wrap_up_ratio: float = 0.3
    break_every_s: float = 5400.0
    break_s: float = 600.0
    own_call_every_s: float = 7200.0
    own_call_s: float = 120.0
    looks_at_lamp_every_s: float = 90.0
    """How soon an agent who was put not ready sees it and comes back."""
    notices_after_s: float = 8.0
    in_talk: Mapping[InTalk, float] = field(default_factory=dict)
    """The ratio of talks in which the agent does it; together at most 1."""
    extends_ratio: float = 0.0
    """Adds time to the wrap-up."""
    dials_ratio: float = 0.0
    """Of the own calls: dialled over our dialplan, where the daemon is asked; the others only show at the phone."""
    moves_every_s: float = 0.0
    """Logs in at a free phone elsewhere; 0: never."""
    headset_ratio: float = 0.0
    """Of the agents: work on a line that stays."""
    line_drops_every_s: float = 0.0
    """A headset's line breaks; 0: never."""
    office_every_s: float = 0.0
    """A supervisor closes hours, opens them, or records a prompt, by phone; 0: never."""
    supervises_every_s: float = 0.0
    """A supervisor listens to somebody, and more, by phone; 0: never."""
    accepts_ratio: float = 0.85
    """At an external phone: presses 1; else it is a voicemail that has answered."""


class AgentAtDesk:
    """One agent at one phone, for one shift. `others` are numbers that the agent may call, consult or transfer to."""

    def __init__(
        self,
        agent: AgentId,
        phone: PhoneId,
        pbx: VirtualPbx,
        habits: AgentHabits,
        *,
        seed: int,
        pin: str,
        others: Sequence[str] = (),
    ) -> None:
        self.agent = agent
        self._phone = pbx.phones[phone]
        self._phone.person = self
        self._chance = Random(f"{seed}/agent {agent}")
        self._pbx = pbx
        self._agenda = pbx.agenda
        self._habits = habits
        self._pin = pin
        self._others = [number for number in others if number not in (agent, self._phone.number)]
        self._plans: list[str] = []
        self._is_trying = False
        self._is_at_work = False
        self._talk: list[Entry] = []
        settings = pbx.settings
        self._codes = settings.features
        self._keys = settings.keys
        self._errands = sorted(settings.sendable_flows)
        self._reasons = sorted(reason.code for reason in settings.reasons.values())
        self._dispositions = sorted(disposition.code for disposition in settings.dispositions.values())
        self._has_headset = habits.headset_ratio > 0 and self._chance.random() < habits.headset_ratio
        self._line: Channel | None = None
        """The headset's, from when it is dialled."""
        self._typing = ""
        """The code that is typed at the desk, on a headset's line."""
        self._is_consulting = False
        self._customer_of: Channel | None = None
        """The leg on which the phone holds the customer while it calls somebody itself."""
        self._listened_on: Channel | None = None
        """The leg on which a message was heard last."""
        self.missed = 0

    # --- the shift ----------------------------------------------------------------------------------------------------
    def start_shift(self, length_s: float) -> None:
        self._is_at_work = True
        self._agenda.after(length_s, self._go_home)
        self.plan(self._codes.headset if self._has_headset else self._codes.login)
        self._again(self._habits.break_every_s, self._take_break)
        self._again(self._habits.own_call_every_s, self._call_a_friend)
        self._again(self._habits.moves_every_s, self._move)
        self._again(self._habits.line_drops_every_s, self._drop_line)
        if self._pbx.settings.agents[self.agent].is_supervisor:
            self._again(self._habits.office_every_s, self._do_office)
            self._again(self._habits.supervises_every_s, self._supervise)

    def _again(self, mean_s: float, action: Callable[[], None]) -> None:
        if mean_s > 0:
            delay_s = -math.log(1.0 - self._chance.random()) * mean_s
            self._agenda.after(delay_s, action)

    def _go_home(self) -> None:
        self._is_at_work = False
        self.plan(self._codes.logout)

    def _take_break(self) -> None:
        if not self._is_at_work:
            return
        if self._reasons:
            self.plan(self._codes.not_ready + self._chance.choice(self._reasons))
            self._agenda.after(length_s(self._chance, self._habits.break_s), self._come_back)
        self._again(self._habits.break_every_s, self._take_break)

    def _come_back(self) -> None:
        if self._is_at_work:
            self.plan(self._codes.ready)

    def _call_a_friend(self) -> None:
        if not self._is_at_work:
            return
        phone, chance = self._phone, self._chance
        if not phone.channels and not phone.is_in_own_call:
            if self._others and chance.random() < self._habits.dials_ratio:
                self._pbx.dial(self, phone, chance.choice(self._others))
            else:
                self._pbx.set_own_call(phone, True)
                self._agenda.after(length_s(chance, self._habits.own_call_s), self._pbx.set_own_call, phone, False)
        self._again(self._habits.own_call_every_s, self._call_a_friend)

    def _move(self) -> None:
        """To a phone at which nobody sits, for the rest of the shift or until the next move."""
        if not self._is_at_work:
            return
        free = [phone for phone in self._pbx.phones.values() if phone.person is None and phone.kind is not PhoneKind.EXTERNAL]
        if free and self._line is None and not self._phone.channels and not self._phone.is_in_own_call:
            self._phone = self._chance.choice(free)
            self._phone.person = self
            self.plan(self._codes.login)
        self._again(self._habits.moves_every_s, self._move)

    def _drop_line(self) -> None:
        if self._line is not None:
            self._pbx.lose_line(self._line)
        if self._is_at_work:
            self._again(self._habits.line_drops_every_s, self._drop_line)

    def _do_office(self) -> None:
        """With the code of something there is, of something else, or without one."""
        if self._is_at_work:
            errand = self._chance.choice((self._codes.close_hours, self._codes.record_prompt))
            self.plan(errand + self._chance.choice(("1", "1", "9", "")))
            self._again(self._habits.office_every_s, self._do_office)

    def _supervise(self) -> None:
        """An agent, a queue, or what is neither; with the number at once, or when it is asked for."""
        if self._is_at_work and self._others and self._line is None:
            codes, chance = self._codes, self._chance
            code = chance.choice(
                (codes.listen, codes.whisper, codes.barge, codes.take_over, codes.listen_queue, codes.recordings)
            )
            self.plan(code + chance.choice((chance.choice(self._others), "")))
        if self._is_at_work:
            self._again(self._habits.supervises_every_s, self._supervise)

    def _hear(self, channel: Channel) -> None:
        """For a while, with keys, until it is enough, or has become a talk."""
        chance, at_s = self._chance, 0.0
        for _ in range(chance.randrange(6)):
            at_s += chance.uniform(0.5, 20.0)
            self._agenda.after(at_s, self._press_in_silence, channel, chance.choice("4569*1"))
        self._agenda.after(at_s + chance.uniform(1.0, 60.0), self._hear_enough, channel)

    def _press_in_silence(self, channel: Channel, digit: str) -> None:
        if channel.place is not Place.AGENT:
            self._pbx.press(channel, digit)

    def _hear_enough(self, channel: Channel) -> None:
        if channel.place is not Place.AGENT:
            self._pbx.hang_up(channel)

    # --- feature codes ------------------------------------------------------------------------------------------------
    def plan(self, digits: str) -> None:
        """Dial `*digits` as soon as the phone is free."""
        self._plans.append(digits)
        self._try_plan()

    def _try_plan(self) -> None:
        if self._is_trying or not self._plans:
            return
        if self._do(self._plans[0]):
            self._plans.pop(0)
        else:
            self._is_trying = True
            self._agenda.after(self._chance.uniform(2.0, 10.0), self._retry_plan)

    def _do(self, digits: str) -> bool:
        """On a line that waits the `*` asks for the desk, where the code is typed; else the phone dials."""
        line = self._line
        if line is not None:
            if line.bridge is None or line.bridge.kind is not BridgeKind.HOLDING:
                return False
            self._typing = digits
            self._pbx.press(line, "*")
            return True
        channel = self._pbx.dial_feature(self, self._phone, digits)
        if channel is not None and digits == self._codes.headset:
            self._line = channel
        codes = self._codes
        if channel is not None and digits.startswith(
            (codes.listen, codes.whisper, codes.barge, codes.take_over, codes.listen_queue)
        ):
            self._hear(channel)
        return channel is not None

    def _retry_plan(self) -> None:
        self._is_trying = False
        self._try_plan()

    # --- what is heard ------------------------------------------------------------------------------------------------
    def rings(self, channel: Channel) -> None:
        chance, habits = self._chance, self._habits
        luck = chance.random()
        delay_s = max(0.3, length_s(chance, habits.answer_s))
        if luck < habits.missed_ratio:
            self._miss()
        elif luck < habits.missed_ratio + habits.declined_ratio:
            self._agenda.after(delay_s, self._pbx.decline, channel)
            self._miss()
        else:
            self._agenda.after(delay_s, self._pbx.answer, channel)
            if channel.is_supervisor:
                self._agenda.after(delay_s, self._hear, channel)

    def _miss(self) -> None:
        self.missed += 1
        self._agenda.after(length_s(self._chance, self._habits.looks_at_lamp_every_s), self._come_back)

    def asked(self, channel: Channel, verb: Asking) -> None:
        delay_s = self._chance.uniform(0.5, 3.0)
        if isinstance(verb, CollectSecret):
            self._agenda.after(delay_s, self._pbx.press, channel, self._pin + "#")
        elif isinstance(verb, CollectNumber):
            self._agenda.after(delay_s, self._pbx.press, channel, self._whom() + "#")
        elif isinstance(verb, Collect) and verb.complete == MESSAGE_KEYS:
            self._after_message(channel, delay_s)
        elif isinstance(verb, Collect) and channel.place is Place.FEATURE and verb.max_digits == 1 and not verb.complete:
            self._agenda.after(delay_s, self._pbx.press, channel, self._chance.choice(TAPE_KEYS + "15"))
        elif isinstance(verb, Collect):
            self._answer_question(channel, verb, delay_s)
        elif isinstance(verb, Say) and channel.place is Place.FEATURE and verb.stop_digits == TAPE_KEYS:
            self._hear_tape(channel)
        elif isinstance(verb, Say) and any(piece.kind is SpokenKind.RECORDING for piece in verb.say):
            self._hear_message(channel)

    def _answer_question(self, channel: Channel, verb: Collect, delay_s: float) -> None:
        chance, press = self._chance, self._pbx.press
        answer = self._of_campaign({piece.value for piece in verb.say})
        if answer is not None:
            self._agenda.after(delay_s, press, channel, answer)
        elif channel.place is Place.DESK and self._typing:
            digits, self._typing = self._typing, ""
            self._agenda.after(delay_s, press, channel, digits + "#")
        elif channel.place is Place.DESK and self._phone.kind is PhoneKind.EXTERNAL:
            if chance.random() < self._habits.accepts_ratio:
                self._agenda.after(delay_s, press, channel, "1")
        elif channel.place is Place.FEATURE and verb.complete:
            self._agenda.after(delay_s, press, channel, chance.choice(verb.complete))
        elif channel.place is Place.FEATURE:
            is_code = any(piece.value in ASKED_CODE.values() for piece in verb.say)
            is_other = any(piece.value in ("cc-watch-agent", "cc-watch-queue") for piece in verb.say)
            typed = "1" if is_code else self._whom() if is_other else self.agent
            self._agenda.after(delay_s, press, channel, typed + "#")
        elif self._dispositions and chance.random() < self._habits.disposition_ratio:
            self._agenda.after(delay_s, press, channel, chance.choice(self._dispositions) + "#")
        elif chance.random() < 0.5 and channel is not self._line:
            self._agenda.after(delay_s, self._pbx.hang_up, channel)

    def _of_campaign(self, said: set[str]) -> str | None:
        """Whom to call, and when somebody wants to be called again. Mostly sensible; None: nothing of that was asked."""
        chance = self._chance
        if "cc-preview-keys" in said:
            return chance.choice((DIAL, DIAL, DIAL, DIAL, SKIP, REJECT, NUMBER, AGAIN, "0", ""))
        if said & {"cc-appointment-when", "cc-appointment-unknown"}:
            soon = f"{chance.randrange(9, 20):02d}{chance.randrange(60):02d}"
            return chance.choice((soon, soon, soon, "0601" + soon, "9", "2575", "*", "")) + "#"
        return chance.choice("11123*") if "cc-appointment-confirm" in said else None

    def _hear_tape(self, channel: Channel) -> None:
        chance = self._chance
        if chance.random() < 0.1:
            self._agenda.after(chance.uniform(0.1, 20.0), self._pbx.hang_up, channel)
        elif chance.random() < 0.8:
            self._agenda.after(chance.uniform(0.1, 20.0), self._pbx.press, channel, chance.choice(TAPE_KEYS))

    def _hear_message(self, channel: Channel) -> None:
        """To the end, most often."""
        self._listened_on = channel
        luck, chance = self._chance.random(), self._chance
        if luck < self._habits.line_lost_ratio:
            self._agenda.after(chance.uniform(0.1, 4.0), self._pbx.lose_line, channel)
        elif luck < 0.05 and channel is not self._line:
            self._agenda.after(chance.uniform(0.1, 4.0), self._pbx.hang_up, channel)
        elif luck < 0.15:
            self._agenda.after(chance.uniform(0.1, 4.0), self._pbx.press, channel, chance.choice(MESSAGE_KEYS))

    def _after_message(self, channel: Channel, delay_s: float) -> None:
        """Hear it again, call the customer back, be done with it, or nothing."""
        self._listened_on = channel
        key = self._chance.choice((*MESSAGE_KEYS, *MESSAGE_KEYS[1:], MESSAGE_KEYS[-1], "9", ""))
        if key:
            self._agenda.after(delay_s, self._pbx.press, channel, key)
        elif channel is not self._line:
            self._agenda.after(delay_s, self._pbx.hang_up, channel)

    def _whom(self) -> str:
        """Sometimes nothing, and sometimes what is no number."""
        if not self._others or self._chance.random() < 0.1:
            return self._chance.choice(("", "*", "0"))
        return self._chance.choice(self._others)

    def joined(self, channel: Channel) -> None:
        self._stop()
        if channel.place in (Place.OWN, Place.CALLED):
            # Whatever becomes of other talks at this or another phone meanwhile.
            self._agenda.after(length_s(self._chance, self._habits.own_call_s), self._pbx.hang_up, channel)
        if self._customer_of is not None and channel is not self._customer_of:
            self._talk = [self._agenda.after(self._chance.uniform(1.0, 10.0), self._join_them, self._customer_of, channel)]
        elif channel.place in (Place.OWN, Place.CALLED):
            return
        elif self._is_consulting and channel.place is Place.DESK:
            self._talk = [self._agenda.after(self._chance.uniform(2.0, 20.0), self._end_consultation, channel)]
        else:
            self._talk_with_customer(channel)

    def _talk_with_customer(self, channel: Channel) -> None:
        chance, habits = self._chance, self._habits
        self._is_consulting = False
        talk_s = 5.0 + length_s(chance, habits.talk_s)
        ending = self._pbx.lose_line if chance.random() < habits.line_lost_ratio else self._say_goodbye
        self._talk = [self._agenda.after(talk_s, ending, channel)]
        if chance.random() < habits.hold_ratio:
            self._talk.append(self._agenda.after(talk_s * 0.3, self._pbx.hold, channel, True))
            self._talk.append(self._agenda.after(talk_s * 0.4, self._pbx.hold, channel, False))
        if habits.in_talk:
            luck = chance.random()
            for act, ratio in habits.in_talk.items():
                if 0.0 <= luck < ratio:
                    self._talk.append(self._agenda.after(talk_s * 0.5, self._do_in_talk, channel, act))
                luck -= ratio

    def _say_goodbye(self, channel: Channel) -> None:
        """A line stays: the customer is let go by a key."""
        if channel is self._line:
            self._pbx.press(channel, self._keys.release)
        else:
            self._pbx.hang_up(channel)

    def _do_in_talk(self, channel: Channel, act: InTalk) -> None:
        keys, pbx = self._keys, self._pbx
        if channel.bridge is None or channel.is_held:
            return
        if act is InTalk.REFER:
            pbx.refer(channel, self._whom() or "0")
        elif act is InTalk.REFER_ATTENDED:
            pbx.hold(channel, True)
            self._customer_of = channel
            if not self._others or pbx.dial(self, self._phone, self._chance.choice(self._others)) is None:
                self._customer_of = None
                pbx.hold(channel, False)
        elif act is InTalk.ERRAND:
            if self._errands:
                pbx.press(channel, f"{keys.send_to_flow}{self._chance.choice(self._errands)}#")
        else:
            self._is_consulting = act is InTalk.CONSULT
            typed = {
                InTalk.TRANSFER: keys.transfer,
                InTalk.CONSULT: keys.consult,
                InTalk.RELEASE: keys.release,
                InTalk.RECORD: self._chance.choice((keys.record, keys.pause_recording)),
                InTalk.HELP: self._chance.choice((keys.help, keys.malicious)),
            }
            pbx.press(channel, typed[act])

    def _end_consultation(self, channel: Channel) -> None:
        """Hand over, go back, meet, or just hang up."""
        keys = self._keys
        typed = self._chance.choice((keys.transfer, keys.transfer, keys.back, keys.conference, ""))
        if typed:
            self._pbx.press(channel, typed)
            self._talk = [self._agenda.after(length_s(self._chance, self._habits.talk_s), self._say_goodbye, channel)]
        else:
            self._pbx.hang_up(channel)

    def _join_them(self, customer: Channel, colleague: Channel) -> None:
        self._customer_of = None
        self._pbx.refer_attended(customer, colleague)

    def parted(self, channel: Channel) -> None:
        self._stop()
        if channel is self._line or channel.place in (Place.OWN, Place.CALLED):
            return
        if channel.ring is not None and not self._is_consulting:
            self._talk = [self._agenda.after(length_s(self._chance, self._habits.notices_after_s), self._give_up, channel)]

    def _give_up(self, channel: Channel) -> None:
        """The line is silent, or asks for a disposition."""
        if not (channel.bridge is not None and channel.bridge.kind is BridgeKind.TALK):
            self._pbx.hang_up(channel)

    def ended(self, channel: Channel) -> None:
        if channel.is_up:
            # Else somebody was refused, and the talk that the phone is in goes on.
            self._stop()
        if channel is self._customer_of or channel.partner is not None:
            self._back_to_held_customer()
        if channel is self._line:
            self._line = None
            self._typing = ""
            if self._is_at_work:
                self._agenda.after(length_s(self._chance, self._habits.notices_after_s), self._dial_in)
        elif channel.ring is not None and (channel.has_talked or channel is self._listened_on):
            self._is_consulting = False
            self._after_work()
        self._try_plan()

    def _back_to_held_customer(self) -> None:
        held, self._customer_of = self._customer_of, None
        if held is not None and not held.is_gone:
            self._pbx.hold(held, False)
            self._talk = [self._agenda.after(length_s(self._chance, self._habits.talk_s), self._say_goodbye, held)]

    def _dial_in(self) -> None:
        if self._is_at_work and self._line is None and self._codes.headset not in self._plans:
            self._plans.insert(0, self._codes.headset)
            self._try_plan()

    def _stop(self) -> None:
        for entry in self._talk:
            entry.cancel()
        self._talk = []

    def _after_work(self) -> None:
        chance, habits = self._chance, self._habits
        if habits.extends_ratio and chance.random() < habits.extends_ratio:
            self._agenda.after(length_s(chance, habits.wrap_up_s) * 0.3, self.plan, self._codes.extend_wrap_up)
        if chance.random() < habits.ends_wrap_up_ratio:
            self._agenda.after(length_s(chance, habits.wrap_up_s), self.plan, self._codes.end_wrap_up)
        elif self._dispositions and chance.random() < 0.3:
            digits = self._codes.disposition + chance.choice(self._dispositions)
            self._agenda.after(length_s(chance, habits.wrap_up_s) * 0.5, self.plan, digits)
