"""The whole stack as one value: Asterisk, `ccserver run`, their files and secrets, in the present namespaces.

    with Stack(plan, report) as stack:
        stack.start()
        stack.overview()

Everything is kept below one directory.  Secrets and SIP passwords are made once and kept there, so that one's own phones go on
working from one start to the next.  Calls block; call them from the main thread, because what they start dies with it.
"""

import contextlib
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccserver.config import Configuration, load
from ccserver.config.site_values import asterisk_values
from ccserver.control.client import ControlClient, DaemonNotRunning, NoAnswer
from ccserver.core import codec
from ccserver.core.views import Overview
from ccserver.lab import asterisk_root, namespace
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import AsteriskPlan, SipAccount
from ccserver.speech.library import render_prompts

Report = Callable[[str], None]
EXAMPLE = Path(__file__).resolve().parents[1] / "config" / "example.yaml"
CUSTOMER = "customer"
"""A SIP account whose calls arrive as a customer's do, for trying the center with a phone of one's own."""
WATCHDOG_S = 10
_START_S = 30.0
_STOP_S = 30.0


class StackFailed(Exception):
    """A part of the stack did not start or ended.  The text names it and ends with the last lines of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """`center` is the YAML file to serve; addresses, secrets and folders in it are replaced by the stack's own."""

    directory: Path
    asterisk_root: Path
    center: Path = EXAMPLE
    sip_address: str = "127.0.0.1"
    sip_port: int = 5060
    ami_port: int = 5038
    agi_port: int = 4573
    metrics_port: int = 9318


class Stack:
    """One Asterisk and one daemon.  Use it as a context manager: leaving it ends both, whatever happened."""

    def __init__(self, plan: StackPlan, report: Report = asterisk_root.to_stderr) -> None:
        self.plan = plan
        self._report = report
        self._daemon: subprocess.Popen[bytes] | None = None
        self._asterisk: Asterisk | None = None
        for name in ("secrets", "asterisk", "recordings", "state"):
            (plan.directory / name).mkdir(parents=True, exist_ok=True)
        (plan.directory / "secrets").chmod(0o700)
        self._secret("ami")
        self._secret("agi")
        self.config.write_text(self._yaml(), encoding="utf-8")
        self.configuration: Configuration = load(self.config)
        self.passwords = {number: self._secret(f"sip-{number}") for number in (*self._numbers(), CUSTOMER)}

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- where things are ---------------------------------------------------------------------------------------------
    @property
    def config(self) -> Path:
        """The configuration the daemon runs with."""
        return self.plan.directory / "ccserver.yaml"

    @property
    def log(self) -> Path:
        return self.plan.directory / "daemon.log"

    @property
    def recordings(self) -> Path:
        return self.plan.directory / "recordings"

    @property
    def database_url(self) -> str:
        return self.configuration.edges.database.url

    @property
    def cel(self) -> Path:
        """Asterisk's own record of calls."""
        return self.plan.directory / "asterisk" / "log" / "cel-custom" / "ccserver.csv"

    # --- life ---------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Returns when calls can be taken.  Raises StackFailed, AsteriskFailed."""
        self._render_prompts()
        self._report("asterisk: starting")
        self._asterisk = Asterisk(self._asterisk_plan(), self.plan.asterisk_root)
        self._asterisk.start()
        self._report("ccserver: starting")
        self._start_daemon()
        self._wait_until_served()

    def stop(self) -> None:
        """End the daemon in order, then Asterisk.  Doing it twice does nothing."""
        daemon, self._daemon = self._daemon, None
        try:
            if daemon is not None and daemon.poll() is None:
                self._report("ccserver: stopping")
                daemon.send_signal(signal.SIGTERM)
                try:
                    daemon.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
                    raise StackFailed(f"ccserver did not stop within {_STOP_S:g} s\n{self.tail()}") from None
        finally:
            asterisk, self._asterisk = self._asterisk, None
            if asterisk is not None:
                self._report("asterisk: stopping")
                try:
                    asterisk.stop()
                finally:
                    asterisk.close()

    def require_alive(self) -> None:
        """Raises StackFailed when Asterisk or the daemon has ended."""
        if self._asterisk is None or not self._asterisk.is_running:
            raise StackFailed("Asterisk ended" + (f"\n{self._asterisk.tail()}" if self._asterisk else ""))
        if self._daemon is None or self._daemon.poll() is not None:
            raise StackFailed(f"ccserver ended\n{self.tail()}")

    def ask(self, do: str, **arguments: object) -> object:
        """One request on the control socket."""
        with ControlClient(self.configuration.edges.control_socket) as client:
            return client.ask(do, **arguments)

    def overview(self) -> Overview:
        """What the center shows of itself now."""
        found = codec.decode(Overview, self.ask("overview"))
        assert isinstance(found, Overview)
        return found

    def tail(self, lines: int = 25) -> str:
        """The last lines of the daemon's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    # --- parts --------------------------------------------------------------------------------------------------------
    def _secret(self, name: str) -> str:
        path = self.plan.directory / "secrets" / name
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(12) + "\n")
        return path.read_text().strip()

    def _numbers(self) -> list[str]:
        return [phone.number for phone in self.configuration.settings.phones.values()]

    def _yaml(self) -> str:
        """Only what differs from the center's own file."""
        plan, base = self.plan, self.plan.directory
        # Spoken once and shared; by content, so that two centers do not take away each other's prompts.
        key = hashlib.sha256(plan.center.read_bytes()).hexdigest()[:12]
        prompts = asterisk_root.cache_directory() / f"prompts-{key}"
        return "\n".join(
            [
                f"extends: {plan.center}",
                "asterisk:",
                "  host: 127.0.0.1",
                f"  ami_port: {plan.ami_port}",
                f"  ami_secret_file: {base}/secrets/ami",
                "  agi_host: 127.0.0.1",
                f"  agi_port: {plan.agi_port}",
                f"  agi_secret_file: {base}/secrets/agi",
                f"  prompts_dir: {prompts}",
                f"  prompts_local_dir: {prompts}",
                "database:",
                f"  url: sqlite:///{base}/state/ccserver.db",
                "recording:",
                f"  asterisk_dir: {base}/recordings",
                f"  local_dir: {base}/recordings",
                "  format: wav",  # to be played by anything
                "metrics:",
                "  address: 127.0.0.1",
                f"  port: {plan.metrics_port}",
                f"state_dir: {base}/state",
                f"control_socket: {base}/state/control.sock",
                "",
            ]
        )

    def _render_prompts(self) -> None:
        told_s = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal told_s
            if time.monotonic() - told_s >= 2:
                told_s = time.monotonic()
                self._report(f"prompts: {done} of {total} are spoken")

        rendered = render_prompts(self.configuration.edges, progress=progress)
        if rendered.faults:
            raise StackFailed("\n".join(rendered.faults))

    def _asterisk_plan(self) -> AsteriskPlan:
        edges = self.configuration.edges
        customer = [
            f"[{CUSTOMER}](cc-phone)",
            "context = cc-from-trunk",
            f"auth = {CUSTOMER}",
            f"aors = {CUSTOMER}",
            "callerid = Customer <+34600000000>",
            "transport = udp",
            f"media_address = {self.plan.sip_address}",
            "bind_rtp_to_media_address = yes",
            f"[{CUSTOMER}](cc-phone-auth)",
            f"username = {CUSTOMER}",
            f"password = {self.passwords[CUSTOMER]}",
            f"[{CUSTOMER}](cc-phone-aor)",
            "",
        ]
        return AsteriskPlan(
            directory=self.plan.directory / "asterisk",
            values=asterisk_values(edges, self.configuration.settings.features),
            sip_address=self.plan.sip_address,
            sip_port=self.plan.sip_port,
            accounts=tuple(SipAccount(number=number, password=self.passwords[number]) for number in self._numbers()),
            shared=(edges.asterisk.prompts_local_dir, self.recordings),
            extra={"pjsip.conf": "\n".join(customer)},
        )

    def _start_daemon(self) -> None:
        command = [sys.executable, "-m", "ccserver", "run", "--config", str(self.config)]
        command += ["--upgrade-db", "--watchdog-s", str(WATCHDOG_S)]
        with self.log.open("ab") as out:
            self._daemon = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                preexec_fn=namespace.die_with_parent,  # noqa: PLW1509 - one call to prctl, no lock is taken
            )

    def _wait_until_served(self) -> None:
        deadline = time.monotonic() + _START_S
        trouble: object = "it does not answer on its control socket"
        while time.monotonic() < deadline:
            self.require_alive()
            with contextlib.suppress(DaemonNotRunning, NoAnswer):  # it is still on its way
                facts = self.ask("status")
                assert isinstance(facts, dict)
                trouble = facts["trouble"]
                if trouble is None:
                    return
            time.sleep(0.05)  # between two looks
        raise StackFailed(f"ccserver was not ready within {_START_S:g} s: {trouble}\n{self.tail()}")
