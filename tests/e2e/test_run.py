"""`make run`: one's own phones register, a customer's call comes in, Ctrl-C ends it, passwords stay."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from harness.waiting import until

from ccserver.lab.phones import PhoneProcess


async def _start(directory: Path, log: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ccserver.lab.run"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**os.environ, "RUN_DIR": str(directory), "SIP_ADDRESS": "127.0.0.1", "PYTHONUNBUFFERED": "1"},
        )

    def is_ready() -> bool:
        assert process.returncode is None, log.read_text()
        return "Ctrl-C ends it." in log.read_text()

    try:
        await until(is_ready, 45, what="the stack")
    except AssertionError:
        process.kill()
        raise
    return process


async def _interrupt(process: asyncio.subprocess.Process, log: Path) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    assert await asyncio.wait_for(process.wait(), 30) == 0, log.read_text()


def _accounts(card: str) -> dict[str, str]:
    return dict(re.findall(r"^    (\w+) +([0-9a-f]{24})$", card, re.MULTILINE))


async def test_own_phones_reach_the_center_and_passwords_stay(asterisk_source: Path, tmp_path: Path) -> None:
    """`asterisk_source` has moved this worker to a network of its own, so the usual ports are free."""
    log = tmp_path / "out"
    process = await _start(tmp_path / "run", log)
    try:
        accounts = _accounts(log.read_text())
        assert set(accounts) == {"customer", *(str(number) for number in range(1001, 1007))}
        async with await PhoneProcess.start() as phones:
            await phones.phone("1001", password=accounts["1001"])
            customer = await phones.phone("customer", password=accounts["customer"])
            await customer.call("+34910000001")
            await customer.wait("up")
            await until(lambda: "call.arrived" in (tmp_path / "run" / "daemon.log").read_text(), what="the call in the log")
            await customer.hangup()
            await customer.wait("ended")
        await _interrupt(process, log)
        process = await _start(tmp_path / "run", log)
        assert _accounts(log.read_text()) == accounts
        await _interrupt(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
