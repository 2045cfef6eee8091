"""`ccserver campaign` on a real control socket. What a campaign would have done is put into the state that the requests read."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk, a_configuration
from fresh_store import fresh_store
from sqlalchemy import insert, update
from twisted.internet.defer import Deferred, execute

from ccserver.core.commands import Reply
from ccserver.core.dialer import account
from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.campaign_state import Campaign, RunState, TrunkState
from ccserver.core.dialer.terms import Mode
from ccserver.core.dialer.view import Totals
from ccserver.core.events import CampaignAct, CampaignRequested, Event, RedialRequested
from ccserver.core.ids import CampaignId, TrunkId
from ccserver.core.state import CenterState
from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_phones import Phone
from ccserver.store.lead_rows import NewLead
from ccserver.store.lead_schema import abandonment_evidence, attempts, leads

WINTER, FIRST = CampaignId("winter"), TrunkId("first")


class CampaignDesk(Desk):
    """Acts are noted, and done; a start is refused while `refuses` says why."""

    def __init__(self, file: Path) -> None:
        self.asked: list[CampaignRequested | RedialRequested] = []
        self.refuses = ""
        self.known: Campaign | None = None
        self.trunk = TrunkState()
        super().__init__(file)

    def post(self, event: Event) -> None:
        if not isinstance(event, CampaignRequested | RedialRequested):
            super().post(event)
            return
        self.asked.append(event)
        text = self.refuses or "it is done"
        self.requests.replied(Reply(request=event.request, is_ok=not self.refuses, text=text))

    def snapshot(self) -> CenterState:
        campaigns = {} if self.known is None else {WINTER: self.known}
        return replace(super().snapshot(), campaigns=campaigns, trunks={FIRST: self.trunk})

    def on_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return execute(work)

    def runs(self) -> None:
        now = self.now()
        book = account.opened(WINTER, now.utc_s - 3600)
        for what in (*[Counted.CONNECTED] * 199, Counted.ABANDONED):
            book = account.count(book, what, now.utc_s - 30, now.utc_s)
        self.known = Campaign(
            id=WINTER,
            run=RunState.RUNNING,
            by="ana\x1b[2J",
            since=replace(now, mono_s=now.mono_s - 65),
            account=book,
            ready=40,
            refused={"day_cap": 3, "outside_window": 12},
            last_refusal="this number was called in 24 hours 2 times; 2 are the limit",
            placed=250,
            totals=Totals(dials=250, humans=200, connects=199, abandoned=1, machines=20, no_answer=28, failed=2),
        )


DIALLING = """
dialing: {registers: {robinson: 30}, rules: {max_abandon_percent: 1, calls_a_day: 2}}
trunks: {first: {endpoint: carrier, lines: 60, calls_per_second: 5}}
caller_ids: {"+34910000001": {answers_back: true}}
campaigns:
  winter:
    name: Winter offer
    mode: progressive
    queue: sales
    trunks: first
    caller_ids: "+34910000001"
    costs: {agent_hour_minor: 1800, call_minute_minor: 2, attempt_minor: 1}
"""


def a_site(folder: Path, **campaign: str) -> Path:
    """The example with a campaign."""
    file = a_configuration(folder)
    more = "".join(f"    {key}: {value}\n" for key, value in campaign.items())
    file.write_text(file.read_text() + DIALLING + more)
    return file


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CampaignDesk]:
    made = CampaignDesk(a_site(tmp_path))
    with made.serve():
        yield made
    assert made.faults == []


@pytest.mark.parametrize("act", ["start", "pause", "drain", "stop"])
def test_acts_go_to_the_core_with_whoever_asks(desk: CampaignDesk, act: str) -> None:
    assert desk.json("campaign", act, "winter") == {"ok": True, "text": "it is done"}
    (asked,) = desk.asked
    assert isinstance(asked, CampaignRequested)
    assert (asked.campaign, asked.act, asked.mode, bool(asked.by)) == ("winter", CampaignAct(act), None, True)


def test_another_mode_and_back_to_that_of_the_settings(desk: CampaignDesk) -> None:
    assert desk.run("campaign", "mode", "winter", "preview").exit_code == 0
    assert desk.run("campaign", "mode", "winter", "default").exit_code == 0
    assert [each.mode for each in desk.asked if isinstance(each, CampaignRequested)] == [Mode.PREVIEW, None]
    assert desk.run("campaign", "mode", "winter", "fast").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("campaign", "start", "spring"), "no campaign 'spring'; there are: winter"),
        (("campaign", "show", "spring"), "no campaign 'spring'; there are: winter"),
        (("campaign", "explain", "win\x1bter"), '"campaign" must be a short printable text'),
        (("campaign", "trunk", "retry", "second"), "no trunk 'second'; there are: first"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(desk: CampaignDesk, arguments: tuple[str, ...], said: str) -> None:
    result = desk.run(*arguments)
    assert (result.exit_code, said in result.stderr, result.stdout) == (1, True, "")
    assert json.loads(desk.run(*arguments, "--json").stdout)["ok"] is False and desk.asked == []


def test_what_the_core_refuses_is_told(desk: CampaignDesk) -> None:
    desk.refuses = "campaign winter does not run"
    result = desk.run("campaign", "pause", "winter")
    assert (result.exit_code, result.stderr) == (1, "campaign winter does not run\n")


def test_campaigns_are_listed_and_shown(desk: CampaignDesk) -> None:
    (listed,) = desk.json("campaign", "list")
    assert (listed["id"], listed["run"], listed["mode"]) == ("winter", "stopped", "progressive")
    desk.runs()
    assert "running" in desk.run("campaign", "list").output
    text = desk.run("campaign", "show", "winter").output
    for said in (
        "winter: Winter offer",
        "state      running for 1:05, by ana?[2J",
        "leads      0 claimed, 40 ready",
        "1 of 200 answered by people in 24 hours, 0.50% by the account (at most 1.00%, rules es); 1 more may be",
        "refused    outside_window 12, day_cap 3; last: this number was called in 24 hours 2 times; 2 are the limit",
        "today      250 dialled: 200 people (199 put through, 1 abandoned), 20 machines, 28 no answer, 2 failed",
    ):
        assert said in text, text
    assert "\x1b" not in text
    shown = desk.json("campaign", "show", "winter")
    assert shown["account"]["share"] == pytest.approx(0.005) and shown["today"]["dials"] == 250


def test_it_is_explained_why_nothing_is_dialled(desk: CampaignDesk) -> None:
    text = desk.run("campaign", "explain", "winter").output
    assert "- it was never started\n    mend: ccserver campaign start winter\n" in text
    desk.runs()
    desk.trunk = TrunkState(down_until_s=desk.now_s + 30, why="5 calls in a row failed: 503")
    answer = desk.json("campaign", "explain", "winter")
    assert [each["cause"] for each in answer["obstacles"]] == ["trunks", "no_leads", "agents"]
    text = desk.run("campaign", "explain", "winter").output
    assert "taken for dead, 30 s more: 5 calls in a row failed: 503" in text and "logged out" in text


def test_trunks_are_listed_and_tried_again(desk: CampaignDesk) -> None:
    assert desk.run("campaign", "trunk", "list").output.splitlines()[1].split()[:3] == ["first", "carrier", "0/60"]
    desk.trunk = TrunkState(failed_in_row=5, down_until_s=desk.now_s + 61, why="503")
    assert "dead for 1:01 more: 503" in desk.run("campaign", "trunk", "list").output
    assert desk.run("campaign", "trunk", "retry", "first").exit_code == 0
    (asked,) = desk.asked
    assert isinstance(asked, RedialRequested) and asked.trunk == "first" and asked.by


def test_status_and_top_show_campaigns_and_dead_trunks(desk: CampaignDesk) -> None:
    assert "campaigns      0 of 1 running, 0 calls\n" in desk.run("status").output
    assert "CAMPAIGN" not in desk.run("top", "--once").output
    desk.runs()
    desk.trunk = TrunkState(down_until_s=desk.now_s + 61, why="503")
    assert "campaigns      1 of 1 running, 0 calls; DEAD trunks: first\n" in desk.run("status").output
    board = desk.run("top", "--once").output
    assert "CAMPAIGN" in board and "Winter offer" in board
    assert "! trunk first is taken for dead for 1:01 more: 503" in board


# --- out of the database --------------------------------------------------------------------------------------------------------
def a_history(desk: CampaignDesk) -> Store:
    store = fresh_store(str(desk.configuration.edges.database.url))
    return store


def an_attempt(store: Store, name: str, outcome: str, **told: Any) -> None:
    at = datetime(2026, 11, 27, 10, tzinfo=UTC)
    values = {
        "id": name,
        "lead": 1,
        "number": f"+3460011122{name}",
        "campaign": "winter",
        "purpose": "marketing",
        "asked_by": "campaign",
        "caller_id": "+34910000001",
        "trunk": "first",
        "state": "settled",
        "stored_at": at,
        "ended_at": at,
        "outcome": outcome,
        **told,
    }
    with store.engine.begin() as connection:
        connection.execute(insert(attempts).values(values))


PERIOD = ("--since", "2026-11-27", "--until", "2026-11-28")


def test_key_figures_of_one_campaign_and_of_all(desk: CampaignDesk) -> None:
    with contextlib.closing(a_history(desk)) as store:
        for name in "123":
            an_attempt(store, name, "no_answer")
        answered_at, ended_at = datetime(2026, 11, 27, 10, tzinfo=UTC), datetime(2026, 11, 27, 10, 3, tzinfo=UTC)
        talked = {"answered_at": answered_at, "ended_at": ended_at, "talk_s": 170.0, "wrap_up_s": 10.0, "is_success": True}
        an_attempt(store, "4", "answered", **talked)
        an_attempt(store, "5", "answered", campaign="autumn")
    text = desk.run("campaign", "figures", "winter", *PERIOD).output
    for said in (
        "winter: 2026-11-27 00:00 to 2026-11-28 00:00 UTC",
        "placed                4, to 1 leads (3 no_answer, 1 answered)",
        "answered by people    1, 25.0 % of those placed",
        "handled               1; AHT 3:00; 4.0 attempts each",
        "successes             1, 25.0 % of those placed, 100.0 % of those handled; 0 do not want it",
        "costs                 1.00 EUR; 0.25 EUR a call, 1.00 EUR a success",
    ):
        assert said in text, text
    shown = desk.json("campaign", "figures", "winter", *PERIOD)
    assert (shown["placed"], shown["aht_s"], shown["costs"]["total_minor"]) == (4, 180.0, 100.0)
    both = desk.json("campaign", "figures", "--all", *PERIOD)
    assert [(each["campaign"], each["placed"]) for each in both] == [("autumn", 1), ("winter", 4)]
    assert both[0]["costs"] is None
    assert desk.run("campaign", "figures", "--all", *PERIOD).output.splitlines()[2].split()[:2] == ["autumn", "1"]


def test_evidence_is_what_was_written_and_what_the_daemon_knows(desk: CampaignDesk) -> None:
    desk.runs()
    assert desk.known is not None
    (present,) = desk.known.account.months
    begins = datetime.fromtimestamp(present.from_utc_s, UTC)
    row = {
        "connected": 1,
        "abandoned": 1,
        "amd_errors": 0,
        "machines": 3,
        "left_before": 0,
        "told": 1,
        "preset": "es",
        "max_abandon": 0.03,
        "share_of": "live",
        "abandon_window": "day",
        "counts_amd_errors": False,
        "share": 0.02,
    }
    with contextlib.closing(a_history(desk)) as store, store.engine.begin() as connection:
        for at in (begins - timedelta(days=1), begins):
            times = {"campaign": "winter", "from_at": at, "until_at": at + timedelta(hours=4)}
            connection.execute(insert(abandonment_evidence).values({**row, **times}))
    period = ("--from", f"{begins - timedelta(days=2):%Y-%m-%d}", "--until", f"{begins + timedelta(days=1):%Y-%m-%d}")
    shown = desk.json("campaign", "evidence", "winter", *period)
    assert [(each["connected"], each["abandoned"]) for each in shown["parts"]] == [(1, 1), (199, 1)]
    text = desk.run("campaign", "evidence", "winter", *period).output
    assert "rules es: share = " in text and "at most 3.00% in any 24 hours" in text and "at most 1.00%" in text
    assert text.splitlines()[-2].split()[:3] == ["all", "200", "2"]
    lines = desk.run("campaign", "evidence", "winter", *period, "--csv").output.splitlines()
    assert lines[0].startswith("campaign,from,until,connected,abandoned,amd_errors,machines,left,told,share,")
    assert len(lines) == 3 and lines[2].split(",")[3:5] == ["199", "1"]
    assert desk.run("campaign", "evidence", "winter", "--csv", "--json").exit_code == 2


def test_evidence_without_the_daemon_says_what_is_missing(tmp_path: Path) -> None:
    stopped = CampaignDesk(a_site(tmp_path))
    a_history(stopped).close()
    result = stopped.run("campaign", "evidence", "winter")
    assert result.exit_code == 0 and "nobody has answered" in result.stdout
    assert "what it has not written yet is not shown" in result.stderr
    assert stopped.run("campaign", "evidence", "spring").exit_code == 1


def test_short_calls_are_told_where_the_rule_counts_them(desk: CampaignDesk) -> None:
    a_site(desk.file.parent, preset="br")
    with contextlib.closing(a_history(desk)) as store:
        an_attempt(store, "1", "no_answer")
        an_attempt(store, "2", "busy")
    shown = desk.json("campaign", "evidence", "winter", "--from", "2026-11-27", "--until", "2026-11-28")
    assert shown["short_calls"] == [
        {"number": "+34910000001", "day": "2026-11-27", "calls": 2, "short": 2, "share": 1.0, "is_over": False}
    ]
    text = desk.run("campaign", "evidence", "winter", "--from", "2026-11-27", "--until", "2026-11-28").output
    assert "calls of at most 6 s, by the number that was shown:" in text


def test_callbacks_that_are_overdue(desk: CampaignDesk) -> None:
    with contextlib.closing(a_history(desk)) as store:
        phone = Phone("+34600111222", "mobile", "ES", ("Europe/Madrid",))
        with store.engine.begin() as connection:
            of = lead_book.open_list(connection, "winter", (), "dora").id
            lead_book.add(connection, of, [NewLead(phones=(phone,), name="Eva\x1b")])
            promised = {"state": "waiting", "callback_at": datetime(2026, 1, 1, tzinfo=UTC), "only_agent": "101"}
            connection.execute(update(leads).values(promised))
    (one,) = desk.json("campaign", "overdue")
    assert (one["list"], one["only"], one["due_at"]) == ("winter", "101", "2026-01-01T00:00:00+00:00")
    text = desk.run("campaign", "overdue", "winter").output
    assert "Eva?" in text and "2026-01-01 00:00" in text
    assert desk.run("campaign", "overdue", "spring").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("figures",), 2, "say which: NAME, or --all"),
        (("figures", "winter", "--all"), 2, "say which: NAME, or --all"),
        (("figures", "spring"), 1, "there is no campaign 'spring'; there are: winter"),
        (("figures", "winter", "--since", "2026-11-28", "--until", "2026-11-27"), 2, "the period ends before it begins"),
    ],
)
def test_reports_that_nobody_can_make(desk: CampaignDesk, arguments: tuple[str, ...], code: int, said: str) -> None:
    a_history(desk).close()
    result = desk.run("campaign", *arguments)
    assert result.exit_code == code and said in result.stderr
