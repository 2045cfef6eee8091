"""One key press, seen from two sides, counted once.

AMI tells every digit of a channel (`DTMFEnd`), in order, but nothing while its link is down. AGI answers a digit only if a
command that listens was running: what is typed in between is lost to it. The two sockets are not in step: either may be first.
So a digit counts when the first side shows it, and the other side's showing of it is expected and swallowed.

The last key of a talk is an exception: when the channel leaves its bridge, Asterisk can end that key a second time, which AMI's
side knows for a repetition. AGI may read it as typed in the session, where it is not counted unless AMI tells it.
"""

from collections import deque

# AMI lags under load, by seconds at worst. What it has not told by then it never will (the link was lost and is back).
_TOLD_LATE_S = 5.0
# A digit that AMI told before a command was sent cannot be what that command read, with one exception: without a listening
# command Asterisk plays out a SIP INFO digit for 80 ms and more, and the command that starts meanwhile reads its end.
_PLAYED_OUT_S = 0.25

# Many people end a number of fixed length with the terminator all the same.
_HABIT_S = 2.0

_MAX_TYPED = 32


class TypedDigits:
    """The digits of one session that count and were not used yet, typed ahead ones included.

    No `repr` shows them: they may be a PIN.
    """

    __slots__ = ("_ahead", "_before", "_ending", "_read", "_told", "is_ami_listening")

    def __init__(self) -> None:
        self._before = ""  # the last key of the talk before the session
        self._ending: tuple[str, float] | None = None  # a terminator that would mean nothing, until then
        self._ahead: deque[str] = deque()
        self._told: deque[tuple[str, float]] = deque()  # by AMI; AGI has not read them (yet)
        self._read: deque[tuple[str, float]] = deque()  # by AGI; AMI has not told them yet
        self.is_ami_listening = True

    def __bool__(self) -> bool:
        return bool(self._ahead)

    def take(self) -> str:
        """The oldest unused digit."""
        return self._ahead.popleft()

    def take_one_of(self, wanted: str) -> str:
        """The oldest unused digit out of `wanted`, or "". Those typed before it are dropped; so are all if there is none."""
        while self._ahead:
            digit = self._ahead.popleft()
            if digit in wanted:
                return digit
        return ""

    def first_of(self, wanted: str) -> str:
        """The oldest unused digit out of `wanted`, or ""; it stays unused."""
        return next((digit for digit in self._ahead if digit in wanted), "")

    def has_one_of(self, wanted: str) -> bool:
        return bool(self.first_of(wanted))

    def is_full(self, terminator: str, now_s: float) -> None:
        """A number took as many digits as it may have: `terminator`, typed behind it out of habit, answers nothing else."""
        if self._ahead and self._ahead[0] == terminator:
            self._ahead.popleft()
        elif not self._ahead:
            self._ending = (terminator, now_s + _HABIT_S)

    def without_ending(self, digits: str, now_s: float) -> str:
        """Those of `digits` that would mean something if they were typed now."""
        if self._ending is None or now_s > self._ending[1]:
            return digits
        return digits.replace(self._ending[0], "")

    def clear(self) -> None:
        """Forgets what was typed and not used; what one side still has to show stays expected."""
        self._ahead.clear()

    def forget_twins(self) -> None:
        """AMI's link broke or is back: it will not tell what AGI read before."""
        self._told.clear()
        self._read.clear()
        self._before = ""

    def told_before(self, digit: str) -> None:
        """The last key that AMI told of this channel before the session; "": none."""
        self._before = digit

    def command_sent(self, now_s: float) -> None:
        """A command that listens starts: it cannot read what AMI told before."""
        while self._told and now_s - self._told[0][1] > _PLAYED_OUT_S:
            self._told.popleft()

    def read_by_agi(self, digit: str, now_s: float) -> bool:
        """A command answered `digit`. Whether it counts now."""
        for place, (told, _) in enumerate(self._told):
            if told == digit:
                for _ in range(place + 1):  # AGI reads in order: those before it were lost to AGI
                    self._told.popleft()
                return False
        if digit == self._before:
            self._before = ""
            return False
        if self.is_ami_listening:
            self._drop_untold(now_s)
            self._read.append((digit, now_s))
        self._count(digit, now_s)
        return True

    def told_by_ami(self, digit: str, now_s: float) -> bool:
        """DTMFEnd. Whether it counts now."""
        self._drop_untold(now_s)
        # Only the oldest can be its twin: AMI tells all, in order, so another digit was typed before that one and lost to AGI.
        if self._read and self._read[0][0] == digit:
            self._read.popleft()
            return False
        self._told.append((digit, now_s))
        if len(self._told) > _MAX_TYPED:
            self._told.popleft()
        self._count(digit, now_s)
        return True

    def _drop_untold(self, now_s: float) -> None:
        while self._read and now_s - self._read[0][1] > _TOLD_LATE_S:
            self._read.popleft()

    def _count(self, digit: str, now_s: float) -> None:
        ending, self._ending = self._ending, None
        if ending is not None and digit == ending[0] and now_s <= ending[1]:
            return
        if len(self._ahead) < _MAX_TYPED:  # who leans on a key does not fill the memory
            self._ahead.append(digit)
