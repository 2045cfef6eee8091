"""The command line, as operators use it, against a running center."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ccserver.cli import root
from harness.center import Center


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def parsed(self) -> Any:
        return json.loads(self.out)


async def command(center: Center, *words: str, config: Path | None = None) -> Answer:
    """Run `ccserver WORDS` as an operator does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ccserver", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CCSERVER_CONFIG": str(config or center.daemon.config), "COLUMNS": "140"},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    answer = Answer(code=process.returncode, out=out.decode(), err=err.decode())
    assert "Traceback" not in answer.err, answer.err
    return answer


async def here(center: Center, *words: str, config: Path | None = None) -> Answer:
    """`ccserver WORDS` in this process: the same without its start, half a second less for each."""
    environment = {"CCSERVER_CONFIG": str(config or center.daemon.config), "COLUMNS": "140"}
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, root, words)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)


async def in_json(center: Center, *words: str, config: Path | None = None) -> Answer:
    return await here(center, *words, "--json", config=config)


async def both(center: Center, *words: str, config: Path | None = None, code: int = 0) -> tuple[str, Any]:
    """What a command that only looks says to people, and with --json to programs. Refusals come without a new process."""
    text = await (here if code else command)(center, *words, config=config)
    parsed = await in_json(center, *words, config=config)
    assert (text.code, parsed.code) == (code, code), (text, parsed)
    return text.out + text.err, parsed.parsed
