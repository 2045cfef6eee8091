"""`ccserver recording`: what an auditor, an administrator and a court ask for."""

import hashlib
import json
import subprocess
import tarfile
import wave
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from archive_site import ASTERISK_DIR, Site, tone
from click.testing import CliRunner, Result
from sqlalchemy import select

from ccserver.cli import root
from ccserver.config import load
from ccserver.config.edges import RecordingFormat
from ccserver.config.key_files import read_key
from ccserver.core.ids import AgentId, DispositionId, InteractionId, LegId, QueueId
from ccserver.core.records import LegSide, QualityRecord, Stream, SurveyRecord
from ccserver.core.settings import SurveyKind
from ccserver.store import schema

EXAMPLE = Path(__file__).parents[3] / "ccserver" / "config" / "example.yaml"
DAYS_AGO_S = 86_400.0


class Desk:
    """The command line at a site with two calls in its archive: 7 for sales, yesterday; 8 for support, 40 days ago."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.whole: dict[str, Any] = {}
        self.file = folder / "ccserver.yaml"
        for name in ("ami", "agi"):
            (folder / f"{name}.secret").write_text(f"{name}-secret-1\n")
            (folder / f"{name}.secret").chmod(0o600)
        self.run("recording", "new-key", str(folder / "key"))
        self.configure()
        now_s = site.began_utc_s
        for number, days, caller, agent, changes in (
            (7, 1, "+493012345", "201", {}),
            (8, 40, "+34911222333", "202", {"queue": QueueId("support"), "agent": AgentId("202")}),
        ):
            site.began_utc_s = now_s - days * DAYS_AGO_S
            site.stretch(
                number, tone(8000 * (number - 6), 440), tone(800, 1000), by=agent, queue=changes.get("queue", QueueId("sales"))
            )
            site.over(number, caller_number=caller, disposition=DispositionId("sold") if number == 7 else None, **changes)
        site.tell(
            SurveyRecord(
                interaction=InteractionId(7),
                number=0,
                kind=SurveyKind.CSAT,
                question="friendly",
                score=2,
                queue=QueueId("sales"),
                agent=AgentId("201"),
                at_utc_s=now_s,
            ),
            QualityRecord(
                interaction=InteractionId(7),
                leg=LegId("main", "1767268800.7"),
                side=LegSide.CUSTOMER,
                agent=None,
                codec="alaw",
                received=Stream(packets=900, lost=80, jitter_ms=2.0),
                sent=None,
                rtt_ms=None,
                mos=3.4,
                at_utc_s=now_s,
            ),
        )
        site.archive(7, 8)

    def configure(self, **changes: object) -> None:
        recording: dict[str, Any] = {
            "asterisk_dir": str(ASTERISK_DIR),
            "local_dir": str(self.site.folder),
            "format": "flac",
            "key_file": str(self.folder / "key"),
            "retention_days": 30,
        }
        whole = {
            **self.whole,
            "extends": str(EXAMPLE),
            "asterisk": {
                "ami_secret_file": f"{self.folder}/ami.secret",
                "agi_secret_file": f"{self.folder}/agi.secret",
                "prompts_dir": f"{self.folder}/prompts",
                "prompts_local_dir": f"{self.folder}/prompts",
            },
            "database": {"url": f"sqlite:///{self.folder}/history.db"},
            "recording": {key: value for key, value in (recording | changes).items() if value is not None},
            "state_dir": str(self.folder),
        }
        self.file.write_text(json.dumps(whole))
        edge = load(self.file).edges.recording
        assert edge is not None
        self.site.edge = edge

    def run(self, *words: str) -> Result:
        given = ["--config", str(self.file)] if words[:2] != ("recording", "new-key") else []
        return CliRunner().invoke(root, [*words, *given], catch_exceptions=False)

    def told(self, *words: str, code: int = 0) -> Any:
        result = self.run("recording", *words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def audited(self) -> list[tuple[str, int | None]]:
        with self.site.store.engine.connect() as connection:
            table = schema.audit
            return [tuple(row) for row in connection.execute(select(table.c.act, table.c.interaction).order_by(table.c.seq))]


@pytest.fixture
def desk(site: Site, tmp_path: Path) -> Desk:
    return Desk(site, tmp_path)


def test_they_are_listed_and_found_by_what_is_known_of_the_call(desk: Desk) -> None:
    assert [one["file"]["interaction"] for one in desk.told("list")] == [7, 8]
    for words, calls in {
        ("--caller", "+493012345"): [7],
        ("--caller", "2333"): [8],
        ("--agent", "202"): [8],
        ("--queue", "sales"): [7],
        ("--disposition", "sold"): [7],
        ("--longer", "1.5"): [8],
        ("--shorter", "1.5"): [7],
        ("--score-at-most", "2"): [7],
        ("--score-at-least", "3"): [],
        ("--mos-at-most", "3.4"): [7],
        ("--mos-at-most", "3.3"): [],
        ("--silence-at-least", "0.92"): [8],
        ("--silence-at-least", "0.5"): [7, 8],
        ("--silence-at-least", "0"): [7, 8],
        ("--queue", "sales", "--agent", "202"): [],
        ("--until", "2020-01-01"): [],
    }.items():
        assert [one["file"]["interaction"] for one in desk.told("search", *words)] == calls, words
    text = desk.run("recording", "list").stdout
    assert "+493012345" in text and "0:01" in text and "flac" in text and "yes" in text


def test_one_is_played_and_that_is_on_record_before(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "heard.wav"
    assert desk.run("recording", "play", "7", "--out", str(out)).exit_code == 0
    with wave.open(str(out), "rb") as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 8000)
    assert desk.run("recording", "play", "7", "--out", "-").stdout_bytes == out.read_bytes()
    assert desk.run("recording", "play", "9", "--out", "-").exit_code == 1
    assert desk.audited() == [("recording_play", 7)] * 2


def test_on_behalf_of_an_agent_only_what_the_role_reaches_and_refusals_are_on_record_too(desk: Desk, tmp_path: Path) -> None:
    desk.whole |= {
        "agents": {
            agent: {"name": agent, "skills": {}, "team": team}
            for agent, team in (("201", "day"), ("202", "night"), ("203", "day"))
        },
        "roles": {"lead": {"may": ["recordings"], "over": "own_team"}},
    }
    desk.whole["agents"]["203"]["role"] = "lead"
    desk.configure()
    out = str(tmp_path / "heard.wav")
    assert desk.run("recording", "play", "7", "--as", "203", "--out", out).exit_code == 0
    for words in (("play", "8", "--as", "203"), ("play", "7", "--as", "201"), ("play", "7", "--as", "9")):
        refused = desk.run("recording", *words, "--out", out)
        assert refused.exit_code == 1 and "does not allow it" in refused.output, words
    assert desk.run("recording", "export", "7", "8", "--as", "203", "--out", str(tmp_path / "case")).exit_code == 1
    assert not (tmp_path / "case").exists()
    assert desk.run("recording", "export", "7", "--as", "203", "--out", str(tmp_path / "case")).exit_code == 0
    with desk.site.store.engine.connect() as connection:
        table = schema.audit
        rows = connection.execute(select(table.c.act, table.c.interaction, table.c.is_done, table.c.what).order_by(table.c.seq))
        told = [(act, call, is_done, what.partition(", ")[2]) for act, call, is_done, what in rows]
    assert told == [
        ("recording_play", 7, True, "as agent 203"),
        ("recording_play", 8, False, "as agent 203: not_allowed"),
        ("recording_play", 7, False, "as agent 201: not_allowed"),
        ("recording_play", 7, False, "as agent 9: not_allowed"),
        ("recording_export", 8, False, "as agent 203: not_allowed"),
        ("recording_export", 7, True, "as agent 203"),
    ]


def test_an_export_proves_itself(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "case"
    assert desk.told("export", "7", "8", "--out", str(out))["files"] == 2
    assert sorted(each.name for each in out.iterdir()) == ["7.flac", "8.flac", "SHA256SUMS", "manifest.json"]
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=out, check=True)
    subprocess.run(["flac", "--silent", "--test", "7.flac"], cwd=out, check=True)
    told = json.loads((out / "manifest.json").read_text())["recordings"]
    assert [(one["file"], one["recording"]["caller_number"], one["marks"][0]["what"]) for one in told] == [
        ("7.flac", "+493012345", "stretch"),
        ("8.flac", "+34911222333", "stretch"),
    ]
    assert sorted(desk.audited()) == [("recording_export", 7), ("recording_export", 8)]
    assert desk.run("recording", "export", "7", "--out", str(out)).exit_code == 1, "never written over"
    assert desk.run("recording", "export", "99", "--out", str(tmp_path / "none")).exit_code == 1


def test_an_export_may_be_one_file_and_by_search(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "case.tar"
    desk.told("export", "--agent", "202", "--out", str(out))
    with tarfile.open(out) as bundle:
        assert sorted(bundle.getnames()) == ["case/8.flac", "case/SHA256SUMS", "case/manifest.json"]
        sound = bundle.extractfile("case/8.flac")
        assert sound is not None and hashlib.sha256(sound.read()).hexdigest() == desk.site.file(8).sha256
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".case")]


def test_damage_is_found_and_named(desk: Desk) -> None:
    assert desk.told("verify") == {"ok": True, "checked": 2, "faults": []}
    path = desk.site.shelf.path(desk.site.file(8))
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    faults = desk.told("verify", code=1)["faults"]
    assert [each["call"] for each in faults] == [8] and "8.flac.enc is damaged between byte" in faults[0]["fault"]
    assert desk.told("verify", "7")["ok"]
    path.unlink()
    assert "is not there" in desk.run("recording", "verify", "8").stdout


def test_the_wrong_key_is_named(desk: Desk, tmp_path: Path) -> None:
    right = read_key(tmp_path / "key").id
    desk.run("recording", "new-key", str(tmp_path / "other"))
    desk.configure(key_file=str(tmp_path / "other"))
    result = desk.run("recording", "play", "7", "--out", "-")
    assert result.exit_code == 1 and f"sealed with key {right}" in result.stderr and "old_key_files" in result.stderr


def test_a_new_key_opens_all_and_the_old_one_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.run("recording", "new-key", str(tmp_path / "new"))
    desk.configure(key_file=str(tmp_path / "new"), old_key_files=[str(tmp_path / "key")])
    bodies = {number: desk.site.shelf.path(desk.site.file(number)).read_bytes()[188:] for number in (7, 8)}
    assert desk.told("rotate-key")["changed"] == 2
    assert desk.told("rotate-key")["changed"] == 0
    desk.configure(key_file=str(tmp_path / "new"))
    assert desk.told("verify")["ok"]
    assert {number: desk.site.shelf.path(desk.site.file(number)).read_bytes()[188:] for number in (7, 8)} == bodies
    desk.configure()
    assert len(desk.told("verify", code=1)["faults"]) == 2


def test_the_old_are_deleted_except_those_on_hold(desk: Desk) -> None:
    assert desk.run("recording", "hold", "8", "--reason", "case 4711").exit_code == 0
    assert desk.run("recording", "hold", "8", "--reason", "again").exit_code == 1
    assert desk.told("list")[1]["hold"]["reason"] == "case 4711"
    told = desk.told("purge")
    assert (told["deleted"], told["due"][0]["is_held"]) == (0, True)
    assert desk.told("verify")["checked"] == 2

    assert desk.run("recording", "release", "8").exit_code == 0
    assert desk.run("recording", "release", "8").exit_code == 1
    dry = desk.told("purge", "--dry-run")
    assert (dry["deleted"], [(one["file"]["interaction"], one["why"]) for one in dry["due"]]) == (
        0,
        [(8, "older than the 30 days of queue support")],
    )
    assert "1 would be deleted, 0 on legal hold" in desk.run("recording", "purge", "--dry-run").stdout
    assert desk.told("verify")["checked"] == 2
    assert desk.told("purge")["deleted"] == 1
    assert [one["file"]["interaction"] for one in desk.told("list")] == [7]
    assert desk.audited()[-1] == ("recording_purge", 8)
    assert ("recording_hold", 8) in desk.audited() and ("recording_release", 8) in desk.audited()
    assert not [name for name in desk.site.names() if "8" in Path(name).name]


def test_each_queue_has_its_own_time_and_of_several_the_longest_counts(desk: Desk) -> None:
    desk.configure(queue_retention_days={"support": 60})
    assert desk.told("purge", "--dry-run")["due"] == []
    desk.configure(queue_retention_days={"support": 20})
    assert len(desk.told("purge", "--dry-run")["due"]) == 1
    shelf = desk.site.shelf
    assert shelf.retention_days((QueueId("support"), QueueId("sales"))) == 30
    desk.configure(retention_days=None, queue_retention_days={"support": 20})
    assert desk.site.shelf.retention_days((QueueId("support"), QueueId("sales"))) is None, "sales are kept for ever"
    assert desk.site.shelf.retention_days(()) is None


def test_the_daemon_deletes_by_itself_what_is_too_old(desk: Desk) -> None:
    desk.site.edge = replace(desk.site.edge, format=RecordingFormat.WAV)
    with desk.site.archivist() as (archivist, _):
        assert archivist.purge(datetime.now(UTC)) == 1
        assert archivist.purge(datetime.now(UTC)) == 0
    assert [one["file"]["interaction"] for one in desk.told("list")] == [7]
    assert desk.audited() == [("recording_purge", 8)]
