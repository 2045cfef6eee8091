"""What is wrong with this installation, and what mends it.

Ten checks, each of which can be read alone. They look from outside, so they work with the daemon running or not.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from ccserver.cli.ami_probe import AmiProbe, LoginRefused, ProbeFailed
from ccserver.config.edges import EdgeSettings
from ccserver.config.key_files import MasterKey
from ccserver.speech.trial import Trouble

FREE_BYTES_MIN = 1024**3
RECORDING_BYTES_PER_S = 32_000
"""Two mono files of 8 kHz and 16 bit while a call is recorded."""
CLOCK_DIFFERENCE_MAX_S = 1.0
DOCTORS_DEVICE = "Custom:ccserver-doctor"
NEEDED_ACTIONS = (
    "Originate",
    "Hangup",
    "Redirect",
    "Setvar",
    "MixMonitor",
    "MixMonitorMute",
    "CoreShowChannels",
    "DeviceStateList",
    "ShowDialPlan",
    "ModuleCheck",
)
NEEDED_CONTEXTS = (
    "cc-from-trunk",
    "cc-call",
    "cc-callee",
    "cc-agent",
    "cc-conference",
    "cc-forward",
    "cc-xfer",
    "cc-phones",
    "cc-hints",
    "cc-fallback",
)
NEEDED_MODULES = (
    "res_agi",
    "res_speech",
    "res_musiconhold",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_header_funcs",
    "res_rtp_asterisk",
    "res_manager_devicestate",
    "chan_pjsip",
    "bridge_builtin_features",
    "bridge_simple",
    "bridge_holding",
    "bridge_softmix",
    "app_amd",
    "app_bridgewait",
    "app_confbridge",
    "app_mixmonitor",
    "app_stack",
    "app_userevent",
    "app_waitforsilence",
    "func_callerid",
    "func_channel",
    "func_devstate",
    "func_global",
    "func_uri",
    "pbx_config",
    "format_wav",
)
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class Verdict(Enum):
    GOOD = "good"
    FAULT = "fault"
    UNKNOWN = "unknown"  # another fault is in the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check: what was seen, and for a fault the mend."""

    check: str
    verdict: Verdict
    seen: str
    mend: str = ""


class Ailment(Exception):
    """How a check reports a fault."""

    def __init__(self, *, seen: str, mend: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.mend = mend


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the checks look at. `is_running`: the daemon answers on its control socket, so its ports are rightly taken.
    `schema_trouble` says what is wrong with the database's schema, or None; `speech_trouble` what callers would not hear;
    `key_trouble` which key is not here under which persons are kept."""

    edges: EdgeSettings
    is_running: bool
    schema_trouble: Callable[[], str | None]
    speech_trouble: Callable[[], Trouble | None]
    key_trouble: Callable[[], str | None] = lambda: None
    clock_is_synchronised: Callable[[], bool]
    utc: Callable[[], float] = time.time


class _InTheWay(Exception):
    """The check cannot be made because of a fault that another check names."""


def examine(around: Surroundings) -> Iterator[Finding]:
    """All ten checks in the order in which one would mend what they find."""
    checks: tuple[tuple[str, Callable[[Surroundings], str]], ...] = (
        ("AMI reachable", _ami_reachable),
        ("AMI rights", _ami_rights),
        ("modules loaded", _modules_loaded),
        ("dialplan installed", _dialplan_installed),
        ("speech", _speech),
        ("database schema", _database_schema),
        ("keys", _keys),
        ("disk", _disk),
        ("clock", _clock),
        ("ports", _ports),
    )
    for name, check in checks:
        try:
            yield Finding(check=name, verdict=Verdict.GOOD, seen=check(around))
        except Ailment as ailment:
            yield Finding(check=name, verdict=Verdict.FAULT, seen=ailment.seen, mend=ailment.mend)
        except _InTheWay as reason:
            yield Finding(
                check=name, verdict=Verdict.UNKNOWN, seen=str(reason), mend="mend what is named above, then ask again"
            )


def _probe(around: Surroundings) -> AmiProbe:
    return AmiProbe(around.edges.asterisk.host, around.edges.asterisk.ami_port)


@contextlib.contextmanager
def _logged_in(around: Surroundings) -> Iterator[AmiProbe]:
    try:
        with _probe(around) as probe:
            probe.login(around.edges.asterisk.ami_user, around.edges.asterisk.ami_secret)
            yield probe
    except ProbeFailed as error:
        raise _InTheWay(f"not asked: {error}") from error


def _ami_reachable(around: Surroundings) -> str:
    edge = around.edges.asterisk
    try:
        with _probe(around) as probe:
            return f"{probe.greeting} at {edge.host}:{edge.ami_port}"
    except ProbeFailed as error:
        raise Ailment(
            seen=str(error),
            mend=f"start Asterisk (`systemctl start asterisk`), and in manager.conf [general] set enabled=yes, "
            f"bindaddr={edge.host}, port={edge.ami_port}",
        ) from error


def _ami_rights(around: Surroundings) -> str:
    edge = around.edges.asterisk
    try:
        probe = _probe(around)
    except ProbeFailed as error:
        raise _InTheWay(f"not asked: {error}") from error
    account = f"in ccserver-manager.conf, [{edge.ami_user}]"
    with probe:
        try:
            probe.login(edge.ami_user, edge.ami_secret)
            # ListCommands answers with those actions that this account may use
            allowed = probe.ask("ListCommands")
            missing = [action for action in NEEDED_ACTIONS if action not in allowed]
            hears_system = probe.event("FullyBooted") is not None
            # a device state of our own that changes twice: the one event of class call that disturbs nobody
            for state in ("INUSE", "NOT_INUSE"):
                probe.ask("Setvar", Variable=f"DEVICE_STATE({DOCTORS_DEVICE})", Value=state)
            hears_call = probe.event("DeviceStateChange") is not None
        except LoginRefused as error:
            raise Ailment(
                seen=f"user {edge.ami_user!r} may not log in: {error}",
                mend=f"make the secret {account} the same as asterisk.ami_secret_file, permit {edge.host} there, and run "
                "`asterisk -rx 'manager reload'`",
            ) from error
        except ProbeFailed as error:
            raise Ailment(
                seen=str(error), mend="look into Asterisk's log; it may be overloaded or `writetimeout` too short"
            ) from error
    if missing:
        raise Ailment(
            seen=f"the account may not use {', '.join(missing)}",
            mend=f"{account} set write = call,originate,reporting,system and run `asterisk -rx 'manager reload'`",
        )
    deaf = [name for name, hears in (("system", hears_system), ("call", hears_call)) if not hears]
    if deaf:
        raise Ailment(
            seen=f"the account does not hear events of class {', '.join(deaf)}",
            mend=f"{account} set read = call,user,dtmf,system and run `asterisk -rx 'manager reload'`",
        )
    return f"{edge.ami_user} may use all {len(NEEDED_ACTIONS)} actions and hears events"


def _modules_loaded(around: Surroundings) -> str:
    with _logged_in(around) as probe:
        missing = [name for name in NEEDED_MODULES if probe.ask("ModuleCheck", Module=name).get("Response") != "Success"]
    if missing:
        raise Ailment(
            seen=f"Asterisk has not loaded {', '.join(missing)}",
            mend="include ccserver-modules.conf in modules.conf (or load them: "
            + f"`asterisk -rx 'module load {missing[0]}.so'`) and restart Asterisk; its log names what a module lacks",
        )
    return f"all {len(NEEDED_MODULES)} that are needed"


def _dialplan_installed(around: Surroundings) -> str:
    with _logged_in(around) as probe:
        contexts = (*NEEDED_CONTEXTS, around.edges.asterisk.overflow_context)
        missing = [name for name in contexts if probe.ask("ShowDialPlan", Context=name).get("Response") != "Success"]
    if missing:
        raise Ailment(
            seen=f"the dialplan has no context {', '.join(missing)}",
            mend="run `ccserver asterisk render --out /etc/asterisk/ccserver`, add "
            "`#include ccserver/ccserver-extensions.conf` to extensions.conf, then `asterisk -rx 'dialplan reload'`",
        )
    return f"contexts {', '.join(contexts)}"


def _speech(around: Surroundings) -> str:
    found = around.speech_trouble()
    if found is not None:
        raise Ailment(seen=found.seen, mend=found.mend)
    return "every prompt has its file, and the speech engine speaks every language"


def _database_schema(around: Surroundings) -> str:
    trouble = around.schema_trouble()
    if trouble is not None:
        raise Ailment(seen=trouble, mend="run `ccserver db upgrade` with the configuration of the daemon")
    return "the version this ccserver works with"


def _keys(around: Surroundings) -> str:
    """Key files that everybody may read were refused with the configuration already."""
    recording, privacy = around.edges.recording, around.edges.privacy
    trouble = around.key_trouble()
    if trouble is not None:
        raise Ailment(seen=trouble, mend="take the key file out of its copy, and name it in privacy.old_key_files")
    said = []
    if recording is not None:
        said.append(_key_said("recordings", "recording.key_file", recording.key))
    said.append(_key_said("persons", "privacy.key_file", None if privacy is None else privacy.key))
    return ", ".join(said) + ("; keep copies of keys elsewhere" if any("under key" in each for each in said) else "")


def _key_said(what: str, setting: str, key: MasterKey | None) -> str:
    return f"{what}: not sealed ({setting} is not set)" if key is None else f"{what}: sealed under key {key.id}"


def _disk(around: Surroundings) -> str:
    folders = [around.edges.state_dir]
    if around.edges.recording is not None:
        folders.append(around.edges.recording.local_dir)
    room: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise Ailment(
                seen=f"{folder} does not exist", mend=f"create it: `install -d -o ccserver -g asterisk -m 2770 {folder}`"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Ailment(
                seen=f"{folder} may not be written by this user", mend=f"`chown ccserver {folder}`, or run as its owner"
            )
        free = shutil.disk_usage(folder).free
        hours = free / RECORDING_BYTES_PER_S / 3600
        if free < FREE_BYTES_MIN:
            raise Ailment(
                seen=f"{folder} has {free / 1024**2:.0f} MB left, which is {hours:.0f} hours of recorded talk",
                mend="move old recordings away or give the folder a larger disk",
            )
        room.append(f"{folder}: {free / 1024**3:.0f} GB free")
    return ", ".join(room)


def _clock(around: Surroundings) -> str:
    with contextlib.suppress(_InTheWay), _logged_in(around) as probe:
        stamp = probe.ask("Ping").get("Timestamp", "")
        with contextlib.suppress(ValueError):
            difference_s = float(stamp) - around.utc()
            if abs(difference_s) > CLOCK_DIFFERENCE_MAX_S:
                raise Ailment(
                    seen=f"Asterisk's clock is {difference_s:+.1f} s away from ours",
                    mend="run a time service on both machines (`apt-get install chrony`)",
                )
    if not around.clock_is_synchronised():
        raise Ailment(
            seen="the system clock is not synchronised: times in history and opening hours may be wrong",
            mend="run a time service (`apt-get install chrony`, or `timedatectl set-ntp true`)",
        )
    return "synchronised"


def _ports(around: Surroundings) -> str:
    edges = around.edges
    wanted = (
        ("FastAGI (asterisk.agi_port)", edges.asterisk.agi_host, edges.asterisk.agi_port),
        ("metrics (metrics.port)", edges.metrics.address, edges.metrics.port),
    )
    for name, host, port in wanted:
        if around.is_running:
            try:
                socket.create_connection((host, port), timeout=2.0).close()
            except OSError as error:
                raise Ailment(
                    seen=f"the daemon runs, but nobody listens on {host}:{port} for {name}: {error.strerror or error}",
                    mend="look into the daemon's log (`journalctl -u ccserver`): it opens FastAGI once it has seen Asterisk",
                ) from error
        else:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    trial.bind((host, port))
                except OSError as error:
                    raise Ailment(
                        seen=f"{host}:{port} for {name} cannot be used: {error.strerror or error}",
                        mend=f"find who has it with `ss -ltnp 'sport = :{port}'` and stop that, or choose another port",
                    ) from error
    return ", ".join(f"{host}:{port}" for _, host, port in wanted) + (" listening" if around.is_running else " free")


def kernel_clock_is_synchronised() -> bool:
    """The kernel's opinion of its clock (adjtimex): False when no time service steers it."""
    # struct timex is 208 bytes on 64-bit Linux; `modes` 0 only reads; `status` is the sixth word of eight bytes, after
    # modes (padded), offset, freq, maxerror, esterror
    timex = ctypes.create_string_buffer(256)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    status = ctypes.c_int.from_buffer(timex, 40).value
    return state != _TIME_ERROR and not status & _STA_UNSYNC
