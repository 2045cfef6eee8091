"""What operators and IT staff do, against the running daemon on a real Asterisk: every command, reload, doctor, metrics."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP
from typing import Any

import pytest
from harness.center import AGENT_HZ, AGENTS, CALLER_HZ, MUSIC_HZ, Center, Site
from harness.cli import both, command, in_json
from harness.health import is_healthy
from harness.waiting import until

from ccserver.cli.doctor import kernel_clock_is_synchronised
from ccserver.lab import audio, namespace
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess
from ccserver.store.migrations import versions
from ccserver.web.metrics import WAIT_BUCKETS_S

NEWEST = max(path.name[1:5] for path in Path(str(versions.__file__)).parent.glob("v[0-9]*.py"))
"""The schema's revision."""
CHECKS = (
    "AMI reachable",
    "AMI rights",
    "modules loaded",
    "dialplan installed",
    "speech",
    "database schema",
    "keys",
    "disk",
    "clock",
    "ports",
)


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A third queue, which a reload takes away."""
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {}, "support": {}, "summer": {"name": "Summer sale"}},
    )


@pytest.fixture(scope="module")
def at_the_start(center: Center, runner: asyncio.Runner) -> "Held":
    """What the daemon holds at its start, once it has all that it keeps: what the first recorded call opens, and the
    threads of its pool, which many reloads at once set to work."""

    async def look() -> Held:
        async with await PhoneProcess.start() as phones:
            ear = center.site.directory / "first-call.wav"
            _, caller = await talking(center, phones, "108", record=str(ear))
            await longer_than(ear, CALLER_HZ, 500)  # of less there is no sound to merge
            await caller.hangup()
            await center.agent_is("108", "ready")
            await center.row("SELECT * FROM archive_files WHERE state='done'")
        await asyncio.gather(*(center.ask("reload") for _ in range(30)))
        await center.quiet()
        return Held.by(center.daemon.pid)

    return runner.run(look())


@pytest.fixture(autouse=True)
def _clean(at_the_start: "Held", center: Center, runner: asyncio.Runner) -> None:
    """Each test begins with nobody logged in and the settings of the site."""
    runner.run(center.log_everybody_out())


# --- commands ---------------------------------------------------------------------------------------------------------
async def talking(center: Center, phones: PhoneProcess, agent: str, did: str = "901", **fields: object) -> tuple[Phone, Phone]:
    """A logged-in agent who talks with a customer: (desk phone, customer)."""
    desk = await center.agent(phones, agent, **{"tone_hz": AGENT_HZ, "answer_after_ms": 50, **fields})
    caller = await center.caller(phones, name=f"talks-{agent}")
    await caller.call(f"sip:{did}@127.0.0.1")
    await center.agent_is(agent, "talking")
    return desk, caller


async def a_waiting_caller(center: Center, phones: PhoneProcess, queue: str, did: str, **fields: object) -> tuple[Phone, int]:
    """A customer in a queue, and the number of the call."""
    caller = await center.caller(phones, name=f"waits-{did}", number="+34911444555", **fields)
    await caller.call(f"sip:{did}@127.0.0.1")
    (waiting,) = await center.waiting(queue, 1)
    return caller, int(waiting["number"])


async def test_every_look_at_a_busy_center(center: Center, phones: PhoneProcess) -> None:
    _, talks = await talking(center, phones, "101")
    waits, number = await a_waiting_caller(center, phones, "sales", "901")
    (live,) = [one for one in await center.ask("calls") if one["agent"] == "101"]
    other = live["interaction"]

    text, facts = await both(center, "status")
    assert "2 live, 1 waiting" in text and "1 of 8 logged in" in text and "linked" in text
    assert facts["trouble"] is None and facts["pid"] == center.daemon.pid and len(facts["overview"]["calls"]) == 2

    text, shown = await both(center, "top", "--once")
    assert "2 live calls: 1 waiting, 1 talking" in text and "+34911444555" in text and "talking" in text
    assert [caller["number"] for queue in shown["queues"] for caller in queue["waiting"]] == [number]

    text, agents = await both(center, "agent", "list")
    assert [agent["id"] for agent in agents] == list(AGENTS) and all(agent in text for agent in AGENTS)
    text, agent = await both(center, "agent", "show", "101")
    assert agent["state"] == "talking" and agent["interaction"] == other and "PJSIP/1001" in text

    text, queues = await both(center, "queue", "list")
    assert {queue["id"]: len(queue["waiting"]) for queue in queues} == {"sales": 1, "support": 0, "summer": 0}
    assert "Summer sale" in text
    text, queue = await both(center, "queue", "show", "sales")
    assert queue["talking"] == 1 and queue["waiting"][0]["caller_number"] == "+34911444555" and str(number) in text

    text, calls = await both(center, "call", "list")
    assert {one["interaction"]: one["agent"] for one in calls} == {other: "101", number: None}
    assert "+34911222333" in text and "+34911444555" in text
    text, one = await both(center, "call", "show", str(number))
    assert one["is_live"] and one["caller"] == "+34911444555" and one["queue"] == "sales" and "sales" in text

    for words, what in (
        (("agent", "show", "999"), "no agent '999'"),
        (("queue", "show", "nobody"), "no queue 'nobody'"),
        (("call", "show", "99999"), "no call 99999"),
        (("call", "hangup", "99999"), "99999"),
    ):
        text, refusal = await both(center, *words, code=1)
        assert what in text and refusal["ok"] is False and what in refusal["text"]

    ended = await command(center, "call", "hangup", str(number))
    assert ended.code == 0, ended
    await waits.wait("ended")
    ended = await in_json(center, "call", "hangup", str(other))
    assert ended.code == 0 and ended.parsed["ok"] is True
    await talks.wait("ended")
    await center.quiet()
    by = {row["interaction"]: row["ended_by"] for row in center.rows("SELECT * FROM interactions")}
    assert by[number] == by[other] == "system", by
    await is_healthy(center)


async def test_agents_are_moved_from_the_command_line(center: Center, phones: PhoneProcess) -> None:
    await phones.phone("1003", password="secret-1003")
    for words, state in (
        (("login", "103", "1003"), "ready"),
        (("pause", "103", "lunch"), "not_ready"),
        (("unpause", "103"), "ready"),
        (("logout", "103"), "logged_out"),
    ):
        answer = await command(center, "agent", *words)
        assert answer.code == 0 and "103" in answer.out, answer
        await center.agent_is("103", state)
    for words, state in (
        (("login", "103", "PJSIP/1003"), "ready"),
        (("pause", "103", "lunch"), "not_ready"),
        (("unpause", "103"), "ready"),
    ):
        answer = await in_json(center, "agent", *words)
        assert answer.code == 0 and answer.parsed["ok"] is True, answer
        await center.agent_is("103", state)
    for words, what in (
        (("login", "104", "1003"), "103"),
        (("login", "104", "7777"), "7777"),
        (("pause", "103", "siesta"), "siesta"),
        (("pause", "104", "lunch"), "not logged in"),
        (("logout", "999"), "999"),
    ):
        text, refusal = await both(center, "agent", *words, code=1)
        assert what in text and what in refusal["text"]
    assert (await in_json(center, "agent", "logout", "103")).parsed["ok"] is True
    await center.quiet()
    reasons = center.rows("SELECT reason FROM agent_states WHERE agent='103' AND state='not_ready'")
    assert [row["reason"] for row in reasons] == ["lunch", "lunch"]
    await is_healthy(center)


async def test_one_call_is_followed_by_its_number(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    ear = tmp_path / "agent.wav"
    desk = await center.agent(phones, "102", tone_hz=AGENT_HZ, record=str(ear))
    caller = await center.caller(phones, number="+34911777888", display="Ana \x1b[31m Red")
    await caller.call("sip:900@127.0.0.1")
    await caller.wait("up")
    await caller.dtmf("11")  # ahead of both questions
    await desk.wait("incoming")
    (live,) = await center.ask("calls")
    number = live["interaction"]
    await desk.answer()
    await center.agent_is("102", "talking")
    await longer_than(ear, CALLER_HZ, 500)
    await caller.hangup()
    await desk.wait("ended")
    await center.quiet()
    await center.row("SELECT * FROM archive_files WHERE interaction=? AND state='done'", number)

    text, told = await both(center, "call", "show", str(number))
    assert not told["is_live"] and told["call"]["number"] == number and told["call"]["outcome"] == "answered"
    assert [part["kind"] for part in told["segments"]] == ["menu", "ring", "wait", "talk", "wrap_up"]
    assert [offer["agent"] for offer in told["offers"]] == ["102"] and "idle" in told["offers"][0]["why"]
    assert told["recordings"][0]["status"] == "archived", told["recordings"]
    assert f"call {number} " in text and live["leg"] in text and "+34911777888" in text and "\x1b" not in text
    past = (await in_json(center, "call", "list", "--past", "--caller", "777888")).parsed
    assert [one["number"] for one in past] == [number]
    shown = await command(center, "call", "list", "--past", "--agent", "102", "--queue", "sales")
    assert re.search(rf"^{number} ", shown.out, re.MULTILINE), shown.out

    lines = [json.loads(line) for line in center.daemon.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    events = Counter(line["event"] for line in lines if line.get("interaction") == number)
    assert {event: events[event] for event in LIFE} == LIFE, events

    for table, rows in {"interactions": 1, "segments": 5, "queue_visits": 1, "offers": 1, "recordings": 1}.items():
        assert len(center.rows(f"SELECT * FROM {table} WHERE interaction=?", number)) == rows, table
    await is_healthy(center)


LIFE = {
    "call.arrived": 1,
    "offer.started": 1,
    "offer.ended": 1,
    "visit.ended": 1,
    "recording.ended": 1,
    "segment.ended": 5,
    "interaction.ended": 1,
}
"""The lines of one answered call in the log, by event."""


def variant(center: Center, name: str, **changes: object) -> Path:
    """The site's settings with whole sections replaced, in a file beside them; "asterisk.x" replaces one key."""
    whole = center.site.settings()
    for key, value in changes.items():
        section, _, inner = key.partition("__")
        if inner:
            whole[section] = {**whole.get(section, {}), inner: value}
        else:
            whole[section] = value
    path = center.site.directory / f"{name}.yaml"
    path.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    path.chmod(0o600)
    return path


async def test_files_and_database_are_checked(center: Center, tmp_path: Path) -> None:
    good = center.daemon.config
    text, parsed = await both(center, "config", "check", str(good))
    assert "good" in text and parsed["ok"] is True
    bad = variant(center, "bad", kountry="ES", queues__sales={"name": "Sales", "skills": ["sails"], "wrap_up_s": "banana"})
    text, parsed = await both(center, "config", "check", str(bad), code=1)
    assert parsed["ok"] is False and len(parsed["problems"]) >= 3
    for what in ("kountry", "country", "sails", "banana", "queues.sales.wrap_up_s"):
        assert what in text, what
    assert re.search(r"bad\.yaml:\d+:\d+: queues\.sales\.wrap_up_s: expected ", text), text

    other = variant(
        center, "other", reasons={"lunch": {"code": "1", "name": "Meal"}, "missed": {"code": "9", "name": "Missed"}}
    )
    text, parsed = await both(center, "config", "diff", str(other))
    assert text.splitlines() == ["reasons.lunch.name: Lunch -> Meal"] == parsed["changes"], text
    text, parsed = await both(center, "config", "diff", str(good))
    assert "nothing changes" in text and parsed["changes"] == []
    refused = await command(center, "config", "diff", str(bad))
    assert refused.code == 78 and "banana" in refused.err

    text, parsed = await both(center, "db", "check")
    assert parsed == {"ok": True, "found": []} and "sound" in text
    new = variant(center, "new-db", database={"url": f"sqlite:///{tmp_path}/new.db"})
    text, parsed = await both(center, "db", "check", config=new, code=1)
    assert parsed["ok"] is False and "db upgrade" in text
    made = await command(center, "db", "upgrade", config=new)
    assert made.code == 0 and NEWEST in made.out, made
    again = await in_json(center, "db", "upgrade", config=new)
    assert again.code == 0 and again.parsed["ok"] is True, again
    text, parsed = await both(center, "db", "check", config=new)
    assert parsed["ok"] is True

    rendered = await in_json(center, "asterisk", "render", "--out", str(tmp_path / "etc"))
    assert rendered.code == 0 and {Path(name).name for name in rendered.parsed["written"]} >= {"ccserver-extensions.conf"}
    absent = variant(center, "absent", control_socket=str(tmp_path / "none.sock"))
    unreachable = await command(center, "status", config=absent)
    assert unreachable.code == 3 and "not running" in unreachable.err


# --- doctor -----------------------------------------------------------------------------------------------------------
async def examined(center: Center, config: Path | None = None) -> dict[str, dict[str, str]]:
    """The findings of `doctor` by check."""
    answer = await in_json(center, "doctor", config=config)
    findings = {finding["check"]: finding for finding in answer.parsed["findings"]}
    assert tuple(findings) == CHECKS
    assert answer.parsed["ok"] is all(finding["verdict"] == "good" for finding in findings.values()) is (answer.code == 0)
    return findings


def faults(findings: dict[str, dict[str, str]]) -> list[str]:
    """The checks that are not good, the machine's own unsteered clock left out."""
    is_unsteered = not kernel_clock_is_synchronised()
    return [
        name
        for name, finding in findings.items()
        if finding["verdict"] != "good" and not (name == "clock" and is_unsteered and "not synchronised" in finding["seen"])
    ]


async def has_one_fault(center: Center, check: str, seen: str, mend: str, config: Path | None = None) -> None:
    """`doctor` names this fault, with its mend, and no other."""
    findings = await examined(center, config)
    assert faults(findings) == [check], findings
    finding = findings[check]
    assert finding["verdict"] == "fault" and seen in finding["seen"] and mend in finding["mend"], finding


async def test_doctor_finds_a_sound_center_sound(center: Center) -> None:
    findings = await examined(center)
    assert faults(findings) == [], findings
    assert findings["clock"]["verdict"] == ("good" if kernel_clock_is_synchronised() else "fault")
    text = await command(center, "doctor")
    lines = [line.split(":")[0].split(maxsplit=1) for line in text.out.splitlines() if not line.startswith(" ")]
    assert lines == [[finding["verdict"], name] for name, finding in findings.items()], text


async def test_doctor_names_what_is_wrong_with_asterisk(center: Center, pbx: Asterisk) -> None:
    away = variant(center, "no-ami", asterisk__ami_port=5999)
    findings = await examined(center, away)
    verdicts = {name: finding["verdict"] for name, finding in findings.items() if name in faults(findings)}
    assert verdicts == {
        "AMI reachable": "fault",
        "AMI rights": "unknown",
        "modules loaded": "unknown",
        "dialplan installed": "unknown",
    }, findings
    assert "5999" in findings["AMI reachable"]["seen"]

    secret = center.site.directory / "weak.secret"
    secret.write_text("weak-secret-1")
    secret.chmod(0o600)
    accounts = pbx.plan.directory / "etc" / "manager.conf"
    told = accounts.read_text(encoding="utf-8")
    can_write = "call,originate,reporting,system"
    try:
        accounts.write_text(
            told
            + "\n[idle]\nsecret = weak-secret-1\nread = call,user,dtmf,system\nwrite = call,reporting,system\n"
            + f"[deaf]\nsecret = weak-secret-1\nread = user,dtmf,system\nwrite = {can_write}\n",
            encoding="utf-8",
        )
        pbx.cli("manager reload")
        idle = variant(center, "idle", asterisk__ami_user="idle", asterisk__ami_secret_file=str(secret))
        await has_one_fault(center, "AMI rights", "may not use Originate", f"write = {can_write}", idle)
        deaf = variant(center, "deaf", asterisk__ami_user="deaf", asterisk__ami_secret_file=str(secret))
        await has_one_fault(center, "AMI rights", "does not hear events of class call", "read = call,user,dtmf,system", deaf)
    finally:
        accounts.write_text(told, encoding="utf-8")
        pbx.cli("manager reload")
    wrong = variant(center, "wrong-secret", asterisk__ami_secret_file=str(secret))
    findings = await examined(center, wrong)
    assert findings["AMI rights"]["verdict"] == "fault" and "may not log in" in findings["AMI rights"]["seen"]

    pbx.cli("module unload app_userevent.so")
    try:
        await has_one_fault(center, "modules loaded", "app_userevent", "module load app_userevent.so")
    finally:
        pbx.cli("module load app_userevent.so")  # as the mend says
    pbx.cli("dialplan remove context cc-fallback")
    try:
        await has_one_fault(center, "dialplan installed", "cc-fallback", "dialplan reload")
    finally:
        pbx.cli("dialplan reload")  # as the mend says
    findings = await examined(center)
    assert faults(findings) == [], "mended as told, all is well"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 16 MB, in our own mount table."""
    folder.mkdir()
    namespace.mount_memory(folder, "16m")
    try:
        yield folder
    finally:
        namespace.discard_root(folder)


@asynccontextmanager
async def late_clock(ami_port: int, by_s: int) -> AsyncIterator[int]:
    """Asterisk as seen through a wire that changes the time it tells; the port."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while line := await source.readline():
                if found := re.match(rb"Timestamp: (\d+)(\S*)", line):
                    line = b"Timestamp: %d%s\r\n" % (int(found[1]) - by_s, found[2])
                sink.write(line)
                await sink.drain()
        except ConnectionError:
            pass  # either side may leave in mid-sentence
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", ami_port)
        await asyncio.gather(pump(reader, ours), pump(theirs, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_doctor_names_what_is_wrong_around_it(center: Center, pbx: Asterisk, tmp_path: Path) -> None:
    old = variant(center, "old-db", database={"url": f"sqlite:///{tmp_path}/old.db"})
    await has_one_fault(center, "database schema", "", "ccserver db upgrade", old)
    assert (await command(center, "db", "upgrade", config=old)).code == 0
    findings = await examined(center, old)
    assert faults(findings) == [], "mended as told"

    missing = variant(center, "no-folder", recording__local_dir=str(tmp_path / "gone"))
    await has_one_fault(center, "disk", "gone does not exist", "install -d", missing)
    with small_disk(tmp_path / "small") as folder:
        full = variant(center, "full", recording__local_dir=str(folder))
        await has_one_fault(center, "disk", "16 MB left", "larger disk", full)

    async with late_clock(pbx.plan.values.ami_port, 90) as port:
        late = variant(center, "late", asterisk__ami_port=port)
        await has_one_fault(center, "clock", "Asterisk's clock is -9", "chrony", late)

    # Not our daemon, as it seems, has the ports.
    alone = variant(center, "alone", control_socket=str(tmp_path / "none.sock"))
    await has_one_fault(center, "ports", "4573", "ss -ltnp", alone)
    # The daemon runs, but does not listen where these settings say.
    moved = variant(center, "moved", metrics={"address": "127.0.0.1", "port": 9999})
    await has_one_fault(center, "ports", "127.0.0.1:9999", "log", moved)


# --- reload -----------------------------------------------------------------------------------------------------------
async def reloaded(center: Center, *, is_ok: bool, text: str) -> None:
    """SIGHUP, and wait until `status` tells how it went."""
    before = (await center.ask("status"))["reload"]

    async def look() -> bool:
        now = (await center.ask("status"))["reload"]
        return now is not None and now != before

    center.daemon.signal(SIGHUP)
    await until(look, what="the end of the reload")
    outcome = (await center.ask("status"))["reload"]
    assert outcome["is_ok"] is is_ok and text in outcome["text"], outcome


async def settings_hash(center: Center) -> str:
    return str((await center.ask("status"))["settings"])


@pytest.fixture
def settings_back(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    """After the test the daemon has the settings that the site had before it."""
    before = center.site.queues, center.site.more
    yield
    center.site.queues, center.site.more = before
    center.site.write_settings()
    runner.run(reloaded(center, is_ok=True, text=""))


MEAL = {"lunch": {"code": "1", "name": "Meal"}, "missed": {"code": "9", "name": "Missed"}}


@pytest.mark.usefixtures("settings_back")
async def test_a_broken_file_changes_nothing_at_all(center: Center, phones: PhoneProcess) -> None:
    _, talks = await talking(center, phones, "101")
    as_before = await settings_hash(center)
    config = center.daemon.config
    good = config.read_text(encoding="utf-8")

    config.write_text(good.replace('"ring_timeout_s": 2', '"ring_timeout_s": "banana"'), encoding="utf-8")
    await reloaded(center, is_ok=False, text="queues.sales.ring_timeout_s: expected ")
    text, _ = await both(center, "status")
    assert "REFUSED, nothing was changed" in text and "banana" in text
    assert "reload.refused" in center.daemon.log.read_text(encoding="utf-8")
    config.write_text(good[: len(good) // 2], encoding="utf-8")
    await reloaded(center, is_ok=False, text="ccserver.yaml:")
    # Half a file does not even tell where the daemon is.
    refused = await command(center, "reload", "--socket", str(center.site.directory / "control.sock"))
    assert refused.code == 1 and "ccserver.yaml:" in refused.err, refused
    config.unlink()
    await reloaded(center, is_ok=False, text="ccserver.yaml")
    # One part that needs a restart, and nothing of the rest is taken either.
    center.site.more = {"reasons": MEAL, "metrics": {"address": "127.0.0.1", "port": 9400}}
    center.site.write_settings()
    await reloaded(center, is_ok=False, text="needs a restart")

    assert await settings_hash(center) == as_before
    assert await center.agent_state("101") == "talking"
    late = await center.caller(phones, name="late")
    await late.call("sip:901@127.0.0.1")
    await center.waiting("sales", 1)
    for caller in (late, talks):
        await caller.hangup()
    await is_healthy(center)


@pytest.mark.usefixtures("settings_back")
async def test_a_reload_touches_no_call_and_a_removed_queue_drains(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    waiting_ear, talking_ear = tmp_path / "waits.wav", tmp_path / "talks.wav"
    desk, talks = await talking(center, phones, "101", record=str(talking_ear))
    waits, number = await a_waiting_caller(center, phones, "summer", "903", record=str(waiting_ear))
    (before,) = await center.waiting("summer", 1)
    as_before = await settings_hash(center)

    center.site.more = {"reasons": MEAL}
    center.site.queues = {"sales": {}, "support": {}, "winter": {"name": "Winter sale"}}
    center.site.write_settings()
    await reloaded(center, is_ok=True, text="queues.summer: removed")
    assert await settings_hash(center) != as_before
    (after,) = await center.waiting("summer", 1)
    assert after["number"] == before["number"] == number and after["wait_s"] > before["wait_s"]
    assert await center.agent_state("101") == "talking"
    # Both hear what they heard, all the time.
    for ear, hz in ((waiting_ear, MUSIC_HZ), (talking_ear, CALLER_HZ)):
        sound = await longer_than(ear, hz, 2000)
        assert audio.longest_gap_ms(sound) <= 400, sound  # what a busy machine costs
    # Nobody comes into the old queue any more, and the new one takes calls.
    late = await center.caller(phones, name="late")
    await late.call("sip:903@127.0.0.1")
    await center.waiting("winter", 1)
    await center.waiting("summer", 1)
    await late.hangup()
    await center.waiting("winter", 0)
    # The old queue drains: who waits in it is served.
    await talks.hangup()
    await desk.wait("ended")
    await center.waiting("summer", 0)
    await center.agent_is("101", "talking")
    await waits.hangup()
    await center.quiet()
    row = await center.row("SELECT * FROM interactions WHERE interaction=?", number)
    assert (row["outcome"], row["queue"], row["agent"]) == ("answered", "summer", "101")
    assert [visit["queue"] for visit in center.rows("SELECT * FROM queue_visits WHERE interaction=?", number)] == ["summer"]
    done = await in_json(center, "reload")
    assert done.code == 0 and done.parsed["ok"] is True and done.parsed["changes"] == []
    await is_healthy(center)


async def longer_than(ear: Path, hz: int, length_ms: int) -> list[audio.Span]:
    """Wait until so much of a tone was heard; its spans."""

    def look() -> list[audio.Span]:
        spans = audio.heard(ear, [hz])[hz]
        return spans if audio.total_ms(spans) >= length_ms else []

    return await until(look, what=f"{length_ms} ms of {hz} Hz in {ear.name}")


# --- the end of the module --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the daemon holds. `descriptors` by kind: a file by its name, sockets and pipes together; those to the database
    apart, since a connection is opened when the two threads that use it first do so at once, and kept."""

    descriptors: Counter[str]
    database: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        kinds: Counter[str] = Counter()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = entry.readlink()
            except FileNotFoundError:
                continue  # closed while we looked
            # The journal goes on in a new file now and then.
            kinds["journal" if "journal" in target.parts else target.name.partition(":[")[0]] += 1
        database = [kinds.pop(name) for name in ("history.db", "history.db-wal", "history.db-shm") if name in kinds]
        return cls(descriptors=kinds, database=max(database), threads=sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()))


DATABASE_USERS = 2
"""The threads that write the history and that work on recordings."""


async def test_many_calls_at_once(center: Center, phones: PhoneProcess) -> None:
    """Three callers for one agent, again and again; and one whom the agent does not answer."""
    await center.agent(phones, "104", answer_after_ms=20)
    callers = [await center.caller(phones, name=f"caller-{n}") for n in range(3)]
    for _ in range(3):
        for caller in callers:
            await caller.call("sip:901@127.0.0.1")
        for caller in callers:
            await caller.wait("up")
        await center.agent_is("104", "talking")
        for caller in callers:
            await caller.hangup()
        for caller in callers:
            await caller.wait("ended")
        await center.quiet()
    await center.ask("agent.logout", agent="104")
    slow = await center.agent(phones, "105")
    await callers[0].call("sip:901@127.0.0.1")
    await slow.wait("incoming")
    await slow.wait("ended")
    await callers[0].hangup()
    await is_healthy(center)
    answered = center.rows("SELECT * FROM interactions WHERE agent='104' AND outcome='answered'")
    assert len(answered) >= 3


async def test_no_descriptor_and_no_thread_is_left_over(center: Center, at_the_start: Held) -> None:
    """After all that went before."""
    await center.quiet()
    assert center.rows("SELECT * FROM interactions"), "the tests before this one make the calls"

    def left() -> bool:
        now = Held.by(center.daemon.pid)
        is_no_more = now.descriptors <= at_the_start.descriptors and now.threads <= at_the_start.threads
        return is_no_more and now.database <= DATABASE_USERS

    try:
        await until(left)
    except AssertionError:
        assert Held.by(center.daemon.pid) == at_the_start


async def test_the_metrics_equal_the_history(center: Center) -> None:
    """The last test: all that this module's one daemon did, counted by Prometheus and by SQL."""
    await center.quiet()
    metrics = await center.metrics()
    for name, query in {
        "ccserver_interactions_total": "SELECT kind, outcome, count(*) AS n FROM interactions GROUP BY kind, outcome",
        "ccserver_queue_visits_total": "SELECT queue, outcome, count(*) AS n FROM queue_visits GROUP BY queue, outcome",
        "ccserver_wait_seconds_count": "SELECT queue, outcome, count(*) AS n FROM queue_visits GROUP BY queue, outcome",
        "ccserver_wait_seconds_sum": "SELECT queue, outcome, sum(wait_s) AS n FROM queue_visits GROUP BY queue, outcome",
        "ccserver_offers_total": "SELECT queue, outcome, count(*) AS n FROM offers GROUP BY queue, outcome",
        "ccserver_talk_seconds_count": "SELECT queue, count(*) AS n FROM segments WHERE kind='talk' GROUP BY queue",
        "ccserver_talk_seconds_sum": "SELECT queue, sum(duration_s) AS n FROM segments WHERE kind='talk' GROUP BY queue",
        "ccserver_recordings_total": "SELECT count(*) AS n FROM recordings",
        "ccserver_faults_total": "SELECT count(*) AS n FROM faults",
        "ccserver_agent_state_seconds_total": "SELECT state, sum(duration_s) AS n FROM agent_states GROUP BY state",
        "ccserver_answered_within_service_level_total": (
            "SELECT queue, count(*) AS n FROM queue_visits WHERE is_within_service_level GROUP BY queue"
        ),
    }.items():
        counted = {key: value for key, value in metrics.items() if re.fullmatch(rf"{name}(\{{.*\}})?", key)}
        kept = {sample(name, row): row["n"] for row in center.rows(query)}
        assert counted == pytest.approx(kept, abs=0.001), name
        assert kept, f"{name}: the module did nothing of that kind"
    for row in center.rows("SELECT DISTINCT queue, outcome FROM queue_visits"):
        waits = [
            each["wait_s"] for each in center.rows("SELECT * FROM queue_visits WHERE queue=? AND outcome=?", *row.values())
        ]
        for bound in WAIT_BUCKETS_S:
            label = f'ccserver_wait_seconds_bucket{{le="{bound}",outcome="{row["outcome"]}",queue="{row["queue"]}"}}'
            assert metrics[label] == sum(wait_s <= bound for wait_s in waits), label
    outcomes = {row["outcome"] for row in center.rows("SELECT DISTINCT outcome FROM offers")}
    assert {"answered", "missed"} <= outcomes, outcomes

    shown = await center.overview()
    states = Counter(agent["state"] for agent in shown["agents"])
    for state in ("logged_out", "ready", "talking", "wrap_up"):
        assert metrics[f'ccserver_agents{{state="{state}"}}'] == states[state]
    for queue in ("sales", "support", "summer"):
        assert metrics[f'ccserver_waiting{{queue="{queue}"}}'] == 0
        assert metrics[f'ccserver_longest_wait_seconds{{queue="{queue}"}}'] == 0
    assert metrics["ccserver_ami_link_up"] == 1 and metrics["ccserver_ami_links_lost_total"] == 0
    assert metrics["ccserver_step_seconds_count"] > 100
    for nothing in ("inbox_depth", "history_backlog_records", "interactions_live", "agi_sessions", "queue_totals_difference"):
        assert metrics[f"ccserver_{nothing}"] == 0, nothing
    for nothing in ("edge_faults", "journal_errors", "history_rows_refused", "history_batches_failed", "snapshots_failed"):
        assert metrics[f"ccserver_{nothing}_total"] == 0, nothing
    assert not [key for key in metrics if key.startswith("ccserver_repairs_total{")], "nothing had to be mended"
    await is_healthy(center)


def sample(name: str, row: dict[str, Any]) -> str:
    """The name of a metric's sample with its labels, in the order in which they are exposed: that of their names."""
    labels = ",".join(f'{key}="{row[key]}"' for key in sorted(row) if key != "n")
    return f"{name}{{{labels}}}" if labels else name
