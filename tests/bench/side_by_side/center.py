"""One Asterisk that serves the same agents twice: by ccserver and by its own app_queue. No music, so that none is measured."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.control.client import ControlClient, DaemonNotRunning, NoAnswer
from ccserver.lab import asterisk_root, namespace
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import AsteriskPlan

PHONES_AT = ("127.0.0.9", 5080)
CALLERS_AT = ("127.0.0.2", 5060)
PBX = ("127.0.0.1", 5060)
FIRST = 2000
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
READY_S = 60.0


def agent_numbers(agents: int) -> list[str]:
    return [str(FIRST + n) for n in range(agents)]


class Center:
    """`agents` in `queues` queues each; `recorded` queues record. Numbers to call: `5<queue>` for ccserver, `6<queue>` for app_queue
    (queue from 000)."""

    def __init__(
        self,
        directory: Path,
        agents: int,
        queues: int,
        recorded: frozenset[int] = frozenset(),
        *,
        rtp_timeout_s: int = 0,
    ) -> None:
        """With `rtp_timeout_s`, a phone that sends nothing for so long is taken as gone."""
        self.agents, self.queues, self.recorded = agents, queues, recorded
        self.directory = directory
        self.shared = directory / "shared"
        for name in ("rec", "prompts"):
            (self.shared / name).mkdir(parents=True)
        values = AsteriskValues(ami_secret="ami-secret-1", agi_secret="agi-secret-1", internal_patterns=("2XXX",))
        plan = AsteriskPlan(
            directory=directory / "pbx",
            values=values,
            shared=(self.shared,),
            extra={
                "modules.conf": "load = app_queue.so\n",
                "pjsip.conf": "".join(_phone(number, rtp_timeout_s) for number in agent_numbers(agents)),
                "extensions.conf": _APP_QUEUE_NUMBERS,
            },
        )
        self.pbx = Asterisk(plan, asterisk_root.provide())
        etc = plan.directory / "etc"
        (etc / "musiconhold.conf").write_text("[general]\n")
        (etc / "queues.conf").write_text(_queues_conf(agents, queues))
        self._write_settings()
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.pbx.start()
        with (self.directory / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "ccserver", "run", "--config", str(self.directory / "ccserver.yaml"), "--upgrade-db"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=namespace.die_with_parent,  # noqa: PLW1509 - one call to prctl, no lock is taken
            )
        deadline = time.monotonic() + READY_S
        while True:
            try:
                if self.ask("status")["trouble"] is None:
                    break
            except (DaemonNotRunning, NoAnswer):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"no daemon that takes calls:\n{(self.directory / 'daemon.log').read_text()[-3000:]}")
            time.sleep(0.1)

    def log_in(self, agents: int | None = None) -> None:
        """All of them, or so many."""
        with ControlClient(self.directory / "control.sock", timeout_s=20.0) as client:
            for number in agent_numbers(self.agents if agents is None else agents):
                client.ask("agent.login", agent=number, phone=number)
                client.ask("agent.unpause", agent=number)

    def log_out(self) -> None:
        """So that ccserver gives nobody a call while app_queue is measured."""
        with ControlClient(self.directory / "control.sock", timeout_s=20.0) as client:
            for number in agent_numbers(self.agents):
                client.ask("agent.logout", agent=number)

    def ask(self, do: str) -> dict[str, object]:
        answer = self.request(do)
        assert isinstance(answer, dict)
        return answer

    def request(self, do: str, **arguments: object) -> object:
        with ControlClient(self.directory / "control.sock", timeout_s=20.0) as client:
            return client.ask(do, **arguments)

    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds so far of Asterisk and of the daemon."""
        assert self._daemon is not None
        return _cpu_s(self.pbx.pid), _cpu_s(self._daemon.pid)

    def left_over(self) -> tuple[int, int]:
        """Channels in Asterisk and live calls in the daemon."""
        overview = self.ask("overview")
        calls = overview["calls"]
        assert isinstance(calls, list)
        return len(self.pbx.channels()), len(calls)

    def say_what_is_left(self) -> None:
        """Where in the dialplan each channel is: name, context, extension, priority, state, application and its data, …, seconds."""
        for row in self.pbx.cli("core show channels concise").splitlines():
            if "!" in row:
                print(f"  left: {row}")

    def close(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)
        self.pbx.close()

    def _write_settings(self) -> None:
        for name in ("ami", "agi"):
            secret = self.directory / f"{name}.secret"
            secret.write_text(f"{name}-secret-1")
            secret.chmod(0o600)
        names = [f"q{n:03d}" for n in range(self.queues)]
        last = FIRST + self.agents - 1
        settings = {
            "country": "ES",
            "asterisk": {
                "ami_secret_file": str(self.directory / "ami.secret"),
                "agi_secret_file": str(self.directory / "agi.secret"),
                "prompts_dir": str(self.shared / "prompts"),
                "prompts_local_dir": str(self.shared / "prompts"),
            },
            "database": {"url": f"sqlite:///{self.directory}/history.db"},
            "log": {"level": "warning"},
            "state_dir": str(self.directory / "state"),
            "control_socket": str(self.directory / "control.sock"),
            "default_language": "en",
            "languages": {"en": {}},
            "skills": {name: name for name in names},
            "agents": {a: {"name": a, "skills": dict.fromkeys(names, 50)} for a in agent_numbers(self.agents)},
            "phones": {f"{FIRST}-{last}": {"endpoint": "PJSIP/{number}"}},
            "reasons": {"missed": {"code": "9", "name": "Missed"}},
            "offers": {"missed_reason": "missed", "missed_before_not_ready": 0},
            **self._recording(),
            "queues": {
                name: {"name": name, "skills": [name], "wrap_up": "none", "ring_timeout_s": 15, **self._records(n)}
                for n, name in enumerate(names)
            },
            "flows": {name: {"start": "q", "nodes": {"q": {"enqueue": name}}} for name in names},
            "dids": {f"5{name[1:]}": {"flow": name, "language": "en"} for name in names},
        }
        path = self.directory / "ccserver.yaml"
        path.write_text(json.dumps(settings))
        path.chmod(0o600)

    def _recording(self) -> dict[str, object]:
        folder = str(self.shared / "rec")
        return {"recording": {"asterisk_dir": folder, "local_dir": folder, "format": "wav"}} if self.recorded else {}

    def _records(self, queue: int) -> dict[str, object]:
        return {"record": "always" if queue in self.recorded else "never"} if self.recorded else {}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_S


def _phone(number: str, rtp_timeout_s: int) -> str:
    ip, port = PHONES_AT
    return (
        f"[{number}]\ntype=endpoint\ntransport=udp\ncontext=cc-phones\ndisallow=all\nallow=ulaw\naors={number}\n"
        f"direct_media=no\nmedia_address=127.0.0.1\nbind_rtp_to_media_address=yes\nrtp_timeout={rtp_timeout_s}\n"
        f"[{number}]\ntype=aor\ncontact=sip:{number}@{ip}:{port}\nqualify_frequency=0\n"
    )


_APP_QUEUE_NUMBERS = """
[cc-from-trunk](+)
exten => _6XXX,1,Answer(0,i)
 same => n,Queue(q${EXTEN:1})
 same => n,Hangup()
"""


def _queues_conf(agents: int, queues: int) -> str:
    members = "".join(f"member => PJSIP/{number}\n" for number in agent_numbers(agents))
    one = (
        "strategy = leastrecent\ntimeout = 15\nretry = 1\nwrapuptime = 0\nautofill = yes\nringinuse = no\n"
        "announce-frequency = 0\nannounce-holdtime = no\njoinempty = yes\nleavewhenempty = no\n"
    )
    blocks = "".join(f"[q{n:03d}]\n{one}{members}" for n in range(queues))
    return f"[general]\nautofill = yes\nshared_lastcall = yes\nlog_membername_as_agent = no\n{blocks}"
