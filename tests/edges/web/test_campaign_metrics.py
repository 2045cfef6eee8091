"""The gauges of campaigns, and the dashboard and alert rules that are shipped for them."""

import json
import re
from collections import Counter as Tally
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ccserver.core.campaign_views import AccountView, CampaignView, CrewView, MachinesView, TrunkView
from ccserver.core.dialer.account import Tally as Calls
from ccserver.core.dialer.campaign_state import AttemptStage, RunState
from ccserver.core.dialer.terms import AbandonWindow, Mode, ShareOf
from ccserver.core.dialer.view import Totals
from ccserver.core.ids import CampaignId, QueueId, TrunkId
from ccserver.web.metrics import CenterMetrics, Reading

MONITORING = Path(__file__).parents[3] / "monitoring"


def a_campaign(name: str, run: RunState, crew: CrewView) -> CampaignView:
    account = AccountView(
        preset="es",
        max_abandon=0.03,
        share_of=ShareOf.LIVE,
        abandon_window=AbandonWindow.DAY,
        counts_amd_errors=False,
        connect_s=2.0,
        share=0.021,
        balance=4.5,
        room=4,
        tally=Calls(),
    )
    return CampaignView(
        id=CampaignId(name),
        name="Winter offer",
        run=run,
        mode=Mode.PREDICTIVE,
        is_mode_by_hand=False,
        queue=QueueId("sales"),
        by="ana",
        since_s=5.0,
        why_stopped="",
        is_open=True,
        calls=dict.fromkeys(AttemptStage, 0) | {AttemptStage.DIALLED: 7},
        buffered=12,
        ready=30,
        next_lead_utc_s=None,
        crew=crew,
        account=account,
        machines=MachinesView(),
        refused={},
        last_refusal="",
        placed=9,
        asked=3,
        held_by="",
        today=Totals(),
    )


def a_trunk(why: str) -> TrunkView:
    return TrunkView(
        id=TrunkId("main"),
        endpoint="carrier",
        lines=30,
        lines_used=7,
        calls_per_second=1.0,
        failed_in_row=0,
        down_left_s=0.0,
        why=why,
    )


def samples(reading: Reading) -> dict[tuple[str, tuple[str, ...]], float]:
    registry = CollectorRegistry()
    CenterMetrics(registry, lambda: reading)
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def a_reading(**told: Any) -> Reading:
    return Reading(queues=(), agents=Tally(), **told)


def test_campaigns_and_trunks_are_read_at_each_scrape() -> None:
    runs = a_campaign("winter", RunState.DRAINING, CrewView(logged_in=10, idle=1, reserved=1, talking=6, wrapping=1, away=2))
    stopped = a_campaign("autumn", RunState.STOPPED, CrewView())
    seen = samples(a_reading(campaigns=(runs, stopped), trunks=(a_trunk("503"),)))
    assert (seen["ccserver_campaign_running", ("winter",)], seen["ccserver_campaign_running", ("autumn",)]) == (1, 0)
    assert seen["ccserver_campaign_calls", ("winter", "dialled")] == 7
    assert seen["ccserver_campaign_agents", ("winter", "talking")] == 6
    assert seen["ccserver_campaign_abandoned_ratio", ("winter",)] == pytest.approx(0.021)
    assert (seen["ccserver_campaign_abandon_room", ("winter",)], seen["ccserver_campaign_leads", ("winter",)]) == (4, 42)
    assert seen["ccserver_campaign_utilisation_ratio", ("winter",)] == pytest.approx(7 / 8)
    assert ("ccserver_campaign_utilisation_ratio", ("autumn",)) not in seen
    assert (seen["ccserver_trunk_works", ("main",)], seen["ccserver_trunk_lines_used", ("main",)]) == (0, 7)


def test_without_campaigns_there_are_no_such_gauges() -> None:
    assert not [name for name, _ in samples(a_reading()) if name.startswith(("ccserver_campaign_", "ccserver_trunk_works"))]


def test_the_dashboard_and_the_alerts_speak_of_metrics_that_exist() -> None:
    runs = a_campaign("winter", RunState.RUNNING, CrewView(logged_in=1, talking=1))
    registry = CollectorRegistry()
    CenterMetrics(registry, lambda: a_reading(campaigns=(runs,), trunks=(a_trunk(""),)))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    known = {name for family in families for name in (family.name, f"{family.name}_total")}
    board = json.loads((MONITORING / "campaigns-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked.append(board["templating"]["list"][1]["query"]["query"])
    (group,) = yaml.safe_load((MONITORING / "campaigns-alerts.yaml").read_text())["groups"]
    asked += [rule["expr"] for rule in group["rules"]]
    assert len(group["rules"]) == 5 and len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for each in asked:
        names = re.findall(r"ccserver_[a-z_]+", each)
        assert names and set(names) <= known, (each, set(names) - known)
