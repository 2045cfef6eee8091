"""An AMI client of its own, so that what we see of Asterisk does not pass through the code under test."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence

from harness.waiting import PATIENCE_S, until

Message = dict[str, str]
USER, SECRET = "observer", "observer-secret"
# Appended to the lab's manager.conf: it may see and do everything, unlike the daemon's account.
ACCOUNT = f"""
[{USER}]
secret = {SECRET}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call,user,system,dtmf,dialplan,agi
write = all
"""


class Observer:
    """Sends actions, keeps every event with its time of arrival in `events` (`_at`, monotonic seconds)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[Message] = []
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._lists: dict[str, list[Message]] = {}
        self._changed = asyncio.Event()
        self._next = 0
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, port: int = 5038) -> "Observer":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        await reader.readline()
        observer = cls(reader, writer)
        answer = await observer.act("Login", Username=USER, Secret=SECRET)
        assert answer["Response"] == "Success", answer
        return observer

    @property
    def is_connected(self) -> bool:
        return not self._task.done()

    async def _read(self) -> None:
        message: Message = {}
        async for raw in self._reader:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line:
                key, _, value = line.partition(": ")
                message[key] = message[key] + "\n" + value if key in message else value
            elif message:
                self._take({**message, "_at": repr(time.monotonic())})
                message = {}
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("AMI has closed"))
        self._changed.set()

    def _take(self, message: Message) -> None:
        number = message.get("ActionID", "")
        if "Response" in message and "Event" not in message:
            if number in self._lists and message["Response"] == "Success":
                return
            answer = self._answers.pop(number, None)
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif number in self._lists:
            if message.get("EventList") == "Complete":
                self._answers.pop(number).set_result(message)
            else:
                self._lists[number].append(message)
        else:
            self.events.append(message)
            self._changed.set()

    async def act(self, action: str, variables: Sequence[str] = (), **fields: object) -> Message:
        """The answer of one action.  `variables`: "NAME=value", one Variable header each."""
        return await self._send(f"A{next(self._numbers)}", action, variables, fields)

    async def rows(self, action: str, **fields: object) -> list[Message]:
        """The rows of an action that answers with a list of events."""
        number = f"L{next(self._numbers)}"
        found = self._lists[number] = []
        await self._send(number, action, (), fields)
        del self._lists[number]
        return found

    async def _send(self, number: str, action: str, variables: Sequence[str], fields: dict[str, object]) -> Message:
        lines = [f"Action: {action}", f"ActionID: {number}", *(f"{key}: {value}" for key, value in fields.items())]
        lines += [f"Variable: {each}" for each in variables]
        assert not any("\r" in line or "\n" in line for line in lines)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await asyncio.wait_for(answer, PATIENCE_S)

    async def wait(
        self, event: str, deadline_s: float = PATIENCE_S, where: Callable[[Message], bool] = lambda _: True, **fields: str
    ) -> Message:
        """The next event of this name and fields after the last one waited for."""
        deadline = time.monotonic() + deadline_s
        while True:
            self._changed.clear()
            for index in range(self._next, len(self.events)):
                found = self.events[index]
                if found["Event"] == event and all(found.get(k) == v for k, v in fields.items()) and where(found):
                    self._next = index + 1
                    return found
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - time.monotonic())
            except TimeoutError:
                names = [f"{each['Event']} {each.get('Channel', '')}" for each in self.events[-20:]]
                raise AssertionError(f"{event} {fields} not seen within {deadline_s} s; seen: {names}") from None

    async def channels(self) -> list[Message]:
        return await self.rows("CoreShowChannels")

    async def bridges(self) -> list[Message]:
        return await self.rows("BridgeList")

    async def variable(self, channel: str, name: str) -> str:
        return (await self.act("Getvar", Channel=channel, Variable=name)).get("Value", "")

    async def reachable(self, number: str, deadline_s: float = PATIENCE_S) -> None:
        """Wait until a desk phone can be rung: after its registration Asterisk first asks it with OPTIONS."""

        async def look() -> str:
            state = (await self.act("Getvar", Variable=f"DEVICE_STATE(PJSIP/{number})")).get("Value", "")
            return state if state == "NOT_INUSE" else ""

        await until(look, deadline_s, what=f"PJSIP/{number} NOT_INUSE")

    async def close(self) -> None:
        self._writer.close()
        await self._task
