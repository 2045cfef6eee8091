"""The telephone network beside the PBX, as a test sees it: which calls came, from which number, and what each callee heard."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.carrier import AMI_PORT, Callee
from ccserver.lab.phones import Phone, PhoneProcess
from harness.edges import Ear
from harness.observer import Message, Observer
from harness.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCall:
    """A call that came over one of the trunks. `at_s`: when, on the machine's monotonic clock."""

    number: str
    caller: str
    caller_name: str
    line: str
    at_s: float
    uniqueid: str
    record: Path

    @property
    def heard(self) -> Ear:
        """What the callee was sent."""
        return Ear(self.record.with_name(f"{self.record.name}-heard.wav"))

    @property
    def said(self) -> Ear:
        """What the callee sent; in step with `heard`."""
        return Ear(self.record.with_name(f"{self.record.name}-said.wav"))


class Carrier:
    """Both trunks' other end. Calls are told from when it was connected: one for each test."""

    def __init__(self, asterisk: Asterisk, ami: Observer) -> None:
        self.asterisk = asterisk
        self.ami = ami
        self._next = 0

    @classmethod
    async def connect(cls, asterisk: Asterisk) -> "Carrier":
        return cls(asterisk, await Observer.connect(AMI_PORT))

    async def close(self) -> None:
        """No call is left, and every line is up again."""
        try:
            await until(lambda: not self.asterisk.channels(), 5, what="a network without calls")
        finally:
            for line in ("carrier", "carrier2"):
                await self.set_down(line, is_down=False)
            await self.ami.close()

    @property
    def calls(self) -> list[NetworkCall]:
        """All that came, in order."""
        return [_call(event) for event in self.ami.events if event.get("UserEvent") == "CarrierCall"]

    async def call(self, where: Callable[[NetworkCall], bool] = lambda _: True, deadline_s: float = 8.0) -> NetworkCall:
        """The next call for which `where` holds, after the last one waited for."""

        def look() -> NetworkCall | None:
            for place, call in enumerate(self.calls[self._next :], self._next):
                if where(call):
                    self._next = place + 1
                    return call
            return None

        found = await until(look, deadline_s, what=f"a call at the carrier; {self.calls}")
        assert found is not None
        return found

    async def call_to(self, number: str | Callee, deadline_s: float = 8.0) -> NetworkCall:
        """The next call to this number, or to any of a callee's."""
        ending = number.value if isinstance(number, Callee) else number
        return await self.call(lambda call: call.number.endswith(ending), deadline_s)

    async def ended(self, call: NetworkCall, deadline_s: float = 8.0) -> Message:
        """The end of the call as the network sees it: its recordings are complete."""

        def look() -> Message | None:
            return next((e for e in self.ami.events if e["Event"] == "Hangup" and e["Uniqueid"] == call.uniqueid), None)

        found = await until(look, deadline_s, what=f"the end of {call}")
        assert found is not None
        return found

    async def set_down(self, line: str, *, is_down: bool) -> None:
        """From now on `line` answers 503 to every call, or does no more."""
        answer = await self.ami.act("Setvar", Variable=f"DOWN_{line}", Value="yes" if is_down else "no")
        assert answer["Response"] == "Success", answer

    async def phone(self, phones: PhoneProcess, name: str, **fields: object) -> Phone:
        """A real phone at the network, for numbers that end in `name` (one of `ccserver.lab.carrier.PHONES`)."""
        return await phones.phone(name, password=f"secret-{name}", registrar="127.0.0.2:5060", **fields)


def _call(event: Message) -> NetworkCall:
    return NetworkCall(
        number=event["Number"],
        caller=event.get("From", ""),
        caller_name=event.get("Name", ""),
        line=event["Line"],
        at_s=float(event["_at"]),
        uniqueid=event["Uniqueid"],
        record=Path(event["Record"]),
    )
