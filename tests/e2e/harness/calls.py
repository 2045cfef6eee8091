"""What people do on the phone, in a line each, for tests that drive a whole center."""

from pathlib import Path

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess
from harness.center import Center, password_of
from harness.waiting import PATIENCE_S, until

SALES = "901"


async def heard(ear: Path, hz: int, at_least_ms: int, deadline_s: float = PATIENCE_S) -> None:
    """Wait until the phone that records to `ear` has heard so much of a tone."""
    await until(
        lambda: ear.exists() and audio.total_ms(audio.heard(ear, [hz])[hz]) >= at_least_ms,
        deadline_s,
        what=f"{at_least_ms} ms of {hz} Hz in {ear.name}",
    )


async def call(center: Center, phones: PhoneProcess, did: str = SALES, name: str = "caller", **fields: object) -> Phone:
    """A customer who has dialled `did` and was answered by the center."""
    caller = await center.caller(phones, name, **fields)
    await caller.call(f"sip:{did}@127.0.0.1")
    await caller.wait("up")
    return caller


async def answer(center: Center, agent: str, phone: Phone) -> None:
    """The agent takes the offered call, and the talk has begun."""
    await phone.wait("incoming")
    await phone.answer()
    await center.agent_is(agent, "talking")


async def log_in(center: Center, phones: PhoneProcess, agent: str, **fields: object) -> Phone:
    """A registered phone whose agent logs in while callers wait, and is rung at once."""
    number = f"100{agent[-1]}"
    phone = await phones.phone(number, password=password_of(number), **fields)
    await center.ask("agent.login", agent=agent, phone=number)
    return phone


async def carrier(phones: PhoneProcess, **fields: object) -> Phone:
    """The other end of the trunk: rings for every number outside that the center calls.

    In a process of its own: in that of a caller from outside, a call back would be the caller's.
    """
    return await phones.phone(
        "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060, **fields
    )


async def leave(center: Center, caller: Phone) -> None:
    """The customer hangs up, and all of the call is over."""
    await caller.hangup()
    await center.quiet()


async def reason_of(center: Center, agent: str) -> str | None:
    """Why the agent is shown not ready."""
    found: str | None = next(a["reason"] for a in (await center.overview())["agents"] if a["id"] == agent)
    return found


async def waits_for(center: Center, queue: str, at_least_s: float) -> bool:
    """Whether somebody has waited so long in a queue."""
    return any(q["longest_wait_s"] >= at_least_s for q in (await center.overview())["queues"] if q["id"] == queue)
