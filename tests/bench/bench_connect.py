"""How soon a callee and an agent on a headset are joined: `python tests/bench/bench_connect.py [connects]`, as root.

A predictive campaign on a real Asterisk, and another one for the network. Asterisk's own timestamps say when the callee answered, when its
detection of machines gave a verdict, and when both were in one bridge, where each hears the other. In turns without detection and with
it; the clock runs from the answer, or from the verdict.
"""

import asyncio
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from harness.calls import heard
from harness.campaigns import import_leads, site_that_calls, start, stop
from harness.center import AGENT_HZ, PROMPTS_HZ, Center, password_of, pin_of, write_prompts
from harness.observer import ACCOUNT, Message, Observer
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import asterisk_root, namespace
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import AsteriskPlan, SipAccount
from ccserver.lab.carrier import SECOND_TRUNK, Callee, carrier_plan
from ccserver.lab.phones import PhoneProcess

CONNECTS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
HEADSET = "1002"
WITHOUT, WITH = "at_once", "listens"
USUAL = {"mode": "predictive", "safe_harbour": "who-called"}
CAMPAIGNS = {WITHOUT: USUAL, WITH: {**USUAL, "amd": "on"}}
STAMPED = "\n[general](+)\ntimestampevents = yes\n"


@dataclass
class Connect:
    """One call, by Asterisk's clock."""

    channel: str = ""
    answered_s: float = 0.0
    verdict_s: float = 0.0
    verdict: str = ""
    joined_s: float = 0.0
    bridge: str = ""
    parties: set[str] = field(default_factory=set)


def read(connects: dict[str, Connect], event: Message) -> None:
    """What an event tells of the calls to the network."""
    at_s, uniqueid, name = float(event.get("Timestamp", "0")), event.get("Uniqueid", ""), event["Event"]
    if event.get("Channel", "").startswith("PJSIP/carrier-"):
        one = connects.setdefault(uniqueid, Connect(channel=event["Channel"]))
        if name == "Newstate" and event["ChannelStateDesc"] == "Up":
            one.answered_s = at_s
        elif name == "VarSet" and event["Variable"] == "AMDSTATUS":
            one.verdict_s, one.verdict = at_s, event["Value"]
    if name == "BridgeEnter":
        for each_id, one in connects.items():
            if each_id == uniqueid:
                one.bridge = event["BridgeUniqueid"]
            if one.bridge == event["BridgeUniqueid"] and not one.joined_s:
                one.parties.add(uniqueid)
                one.joined_s = at_s if each_id in one.parties and len(one.parties) == 2 else 0.0


async def turn(center: Center, ami: Observer, campaign: str, begin: str) -> list[float]:
    """So many connects of one campaign, one after the other; each from the answer or the verdict to the join, in milliseconds."""
    await import_leads(center, campaign, [Callee.HUMAN.number(f"{begin}{place:03d}") for place in range(2 * CONNECTS)])
    seen, connects, over = len(ami.events), dict[str, Connect](), set[str]()
    await start(center, campaign)
    while len(over) < CONNECTS:
        await until(lambda: len(ami.events) > seen, 30, what="events")  # noqa: B023 - awaited here
        for event in ami.events[seen:]:
            seen += 1
            read(connects, event)
        for uniqueid, one in connects.items():
            if one.joined_s and uniqueid not in over:
                over.add(uniqueid)
                await ami.act("Hangup", Channel=one.channel, Cause="16")
    await stop(center, campaign)
    done = [one for one in connects.values() if one.joined_s]
    return [(one.joined_s - (one.verdict_s or one.answered_s)) * 1000 for one in done]


async def log_in(center: Center, phones: PhoneProcess, ear: Path) -> None:
    """One agent, on a headset that stays connected."""
    phone = await phones.phone(HEADSET, password=password_of(HEADSET), tone_hz=AGENT_HZ, record=str(ear))
    await phone.call("sip:*18102@127.0.0.1")
    await heard(ear, PROMPTS_HZ["cc-login-pin"], 100)
    await phone.dtmf(f"{pin_of('102')}#")
    await center.agent_is("102", "ready")


async def measured(pbx: Asterisk, directory: Path, shared: Path) -> dict[str, list[float]]:
    site = site_that_calls(directory / "site", shared, CAMPAIGNS)
    site.queues = {"sales": {"wrap_up": "none", "record": "never"}}
    center = await Center.start(pbx, site)
    try:
        async with await PhoneProcess.start() as phones:
            ami = await Observer.connect(pbx.plan.values.ami_port)
            await log_in(center, phones, directory / "ear.wav")
            return {campaign: await turn(center, ami, campaign, f"+3491{n}0") for n, campaign in enumerate(CAMPAIGNS, 1)}
    finally:
        await center.daemon.stop()


def main() -> None:
    source = asterisk_root.provide()
    namespace.enter()
    with tempfile.TemporaryDirectory(prefix="bench-connect-") as name:
        directory = Path(name)
        shared = directory / "shared"
        write_prompts(shared)
        values = AsteriskValues(
            ami_secret="ami-secret-1",
            agi_secret="agi-secret-1",
            music_directory=str(shared / "music"),
            comfort_sound=str(shared / "prompts" / "en" / "cc-comfort"),
            recordings_directory=str(shared / "rec"),
        )
        plan = AsteriskPlan(
            directory=directory / "pbx",
            values=values,
            accounts=(SipAccount(number=HEADSET, password=password_of(HEADSET)),),
            shared=(shared,),
            more_trunks=(SECOND_TRUNK,),
            extra={"manager.conf": ACCOUNT + STAMPED},
        )
        with Asterisk(plan, source) as pbx, Asterisk(carrier_plan(directory / "network"), source):
            found = asyncio.run(measured(pbx, directory, shared))
    for campaign, words in ((WITHOUT, "from the answer"), (WITH, "from AMD's verdict")):
        each = sorted(found[campaign])
        p99 = statistics.quantiles(each, n=100, method="inclusive")[98]
        print(
            f"{words}: {len(each)} connects, p50 {statistics.median(each):.1f} ms, p99 {p99:.1f} ms, longest {each[-1]:.1f} ms"
        )


if __name__ == "__main__":
    main()
