"""`ccserver campaign` on a real control socket. What a campaign would have done is put into the state that the requests read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_desk import Desk, a_configuration
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

WINTER, FIRST = CampaignId("winter"), TrunkId("first")


class CampaignDesk(Desk):
    """The campaign winter of the example. Acts are noted, and done; a start is refused while `refuses` says why."""

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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CampaignDesk]:
    made = CampaignDesk(a_configuration(tmp_path))
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
