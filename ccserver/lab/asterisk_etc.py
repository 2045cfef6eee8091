"""The whole `etc` directory of a private Asterisk: what a site has already, around the files ccserver brings.

The files of `asterisk-config/` and `dialplans/` come in by one include line each, as at a real site, so that the
lab tries what the site gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ccserver.config.asterisk_files import AsteriskValues, render

# Debian keeps modules below the triplet of the architecture.
_MODULES = "usr/lib/*/asterisk/modules"
# Asterisk looks for these and warns when they are missing; nothing of ours is in them.
_EMPTY = (
    "acl.conf ccss.conf cdr.conf cli_aliases.conf cli_permissions.conf codecs.conf features.conf "
    "amd.conf pjproject.conf stasis.conf udptl.conf confbridge.conf http.conf res_parking.conf dnsmgr.conf"
)
_INDICATIONS = """[general]
country = eu
[eu]
description = one tone for each, as in most of Europe
ringcadence = 1000,4000
dial = 425
busy = 425/500,0/500
ring = 425/1000,0/4000
congestion = 425/250,0/250
callwaiting = 425/200,0/600
dialrecall = 425
record = 1400/80,0/14920
info = 950/330,1400/330,1800/330,0/1000
stutter = 425
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """A desk phone's account.  `number` is its extension, its user name and the name of its endpoint."""

    number: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A carrier known by its address, without registration.  Calls out go to `address`:`port`."""

    name: str = "carrier"
    address: str = "127.0.0.2"
    port: int = 5060
    dtmf_mode: str = ""
    """How its callers' keys come (auto, rfc4733, inband, info); empty: as the template says."""
    more: tuple[str, ...] = ()
    """Lines of its endpoint's own, which win over those of the template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskPlan:
    """Everything that tells one private Asterisk from another."""

    directory: Path
    """Its own: etc, run, db, log, spool.  Same path inside and outside of its root."""
    values: AsteriskValues
    name: str = "pbx"
    sip_address: str = "127.0.0.1"
    sip_port: int = 5060
    rtp_ports: tuple[int, int] = (10000, 14998)
    accounts: tuple[SipAccount, ...] = ()
    shared: tuple[Path, ...] = ()
    """Directories it reads or writes besides: prompts, recordings.  Not below `directory`."""
    trunk: Trunk = field(default_factory=Trunk)
    more_trunks: tuple[Trunk, ...] = ()
    """Carriers besides: callers come from them, calls out go to `trunk`."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Text appended to a file of ours, by file name ("extensions.conf": a context only a test needs)."""


def write_etc(plan: AsteriskPlan, asterisk_root: Path) -> Path:
    """Write the configuration of `plan` and make its directories; the path of its asterisk.conf."""
    etc = plan.directory / "etc"
    for name in ("etc", "run", "db", "log/cel-custom", "spool", "cache"):
        (plan.directory / name).mkdir(parents=True, exist_ok=True)
    render(plan.values, etc / "ccserver")
    texts = dict.fromkeys(_EMPTY.split(), "")
    texts |= {
        "asterisk.conf": _asterisk(plan, asterisk_root),
        "modules.conf": '[modules]\nautoload = no\n#include "ccserver/ccserver-modules.conf"\n',
        "logger.conf": _logger(),
        "manager.conf": (
            f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {plan.values.ami_port}\ndisplayconnects = no\n"
            '#include "ccserver/ccserver-manager.conf"\n'
        ),
        "rtp.conf": f"[general]\nrtpstart = {plan.rtp_ports[0]}\nrtpend = {plan.rtp_ports[1]}\nicesupport = no\n",
        "musiconhold.conf": (
            '[general]\n[default]\nmode = files\ndirectory = moh\n#include "ccserver/ccserver-musiconhold.conf"\n'
        ),
        "cel.conf": '#include "ccserver/ccserver-cel.conf"\n',
        "cel_custom.conf": '#include "ccserver/ccserver-cel-custom.conf"\n',
        "extensions.conf": (
            "[general]\nstatic = yes\nwriteprotect = yes\n[globals]\n"
            '#include "ccserver/ccserver-extensions.conf"\n#include "ccserver/ccserver-fallback.conf"\n'
        ),
        "indications.conf": _INDICATIONS,
        "pjsip.conf": _pjsip(plan),
    }
    for name, text in {**dict.fromkeys(plan.extra, ""), **texts}.items():
        (etc / name).write_text(text + plan.extra.get(name, ""), encoding="utf-8")
    for name in ("pjsip.conf", "manager.conf"):
        (etc / name).chmod(0o600)
    return etc / "asterisk.conf"


def _asterisk(plan: AsteriskPlan, asterisk_root: Path) -> str:
    found = sorted(asterisk_root.glob(_MODULES))
    if not found:
        raise FileNotFoundError(f"no Asterisk modules in {asterisk_root / _MODULES}")
    own = plan.directory
    return "\n".join(
        [
            "[directories]",
            f"astetcdir => {own}/etc",
            f"astmoddir => /{found[0].relative_to(asterisk_root)}",
            f"astvarlibdir => {own}/db",
            f"astdbdir => {own}/db",
            f"astkeydir => {own}/db",
            f"astcachedir => {own}/cache",
            "astdatadir => /usr/share/asterisk",
            "astagidir => /usr/share/asterisk/agi-bin",
            f"astspooldir => {own}/spool",
            f"astrundir => {own}/run",
            f"astlogdir => {own}/log",
            "astsbindir => /usr/sbin",
            "[options]",
            "verbose = 3",
            f"systemname = {plan.name}",
            # Without an ethernet card Asterisk warns at every start and every -rx.
            "entityid = 02:00:00:00:00:01",
            "transmit_silence = yes",
            "hideconnect = yes",
            "live_dangerously = no",
            "documentation_language = en_US",
            "",
        ]
    )


def _logger() -> str:
    # Never the level `dtmf`: PINs are typed.
    return "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull => notice,warning,error,verbose(3)\n"


def _pjsip(plan: AsteriskPlan) -> str:
    lines = [
        "[global]",
        "type = global",
        "user_agent = ccserver-lab",
        # The trunk is known by address, and an address must not pass for a phone.
        "endpoint_identifier_order = ip,username",
        "[udp]",
        "type = transport",
        "protocol = udp",
        f"bind = {plan.sip_address}:{plan.sip_port}",
        '#include "ccserver/ccserver-pjsip.conf"',
    ]
    for trunk in (plan.trunk, *plan.more_trunks):
        lines += [
            f"[{trunk.name}](cc-trunk)",
            f"aors = {trunk.name}",
            *([f"dtmf_mode = {trunk.dtmf_mode}"] if trunk.dtmf_mode else []),
            *trunk.more,
            *_media(plan),
            f"[{trunk.name}]",
            "type = aor",
            f"contact = sip:{trunk.address}:{trunk.port}",
            f"[{trunk.name}]",
            "type = identify",
            f"endpoint = {trunk.name}",
            f"match = {trunk.address}",
        ]
    for account in plan.accounts:
        lines += [
            f"[{account.number}](cc-phone)",
            f"auth = {account.number}",
            f"aors = {account.number}",
            f'callerid = "Desk {account.number}" <{account.number}>',
            *_media(plan),
            f"[{account.number}](cc-phone-auth)",
            f"username = {account.number}",
            f"password = {account.password}",
            f"[{account.number}](cc-phone-aor)",
        ]
    return "\n".join([*lines, ""])


def _media(plan: AsteriskPlan) -> list[str]:
    """RTP on the SIP address only: several instances share the loopback network, and a site has other addresses."""
    return ["transport = udp", f"media_address = {plan.sip_address}", "bind_rtp_to_media_address = yes"]
