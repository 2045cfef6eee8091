"""The gauges of campaigns and trunks, read when Prometheus asks. Labels are the names of the settings, and words of ours."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.dialer.campaign_state import DIALS

_PLAIN = (
    ("ccserver_campaign_running", "1 while the campaign runs or drains.", lambda one: one.run in DIALS),
    ("ccserver_campaign_open", "1 while the campaign's hours are open.", lambda one: one.is_open),
    (
        "ccserver_campaign_leads",
        "Leads that are claimed, or were ready when it claimed last.",
        lambda one: one.buffered + one.ready,
    ),
    ("ccserver_campaign_abandoned_ratio", "Abandoned calls, 0 to 1, as the rule counts them.", lambda one: one.account.share),
    ("ccserver_campaign_abandoned_limit_ratio", "The limit of that share.", lambda one: one.account.max_abandon),
    ("ccserver_campaign_abandon_room", "Calls that may still be abandoned.", lambda one: one.account.room),
    ("ccserver_campaign_calls_wanted", "Calls that the pacer asked for at its last look.", lambda one: one.asked),
)
_CREW = ("idle", "reserved", "talking", "wrapping", "away")


def families(campaigns: Sequence[CampaignView], trunks: Sequence[TrunkView]) -> Iterator[Metric]:
    """None without campaigns and trunks in the settings."""
    if campaigns:
        yield from _of_campaigns(campaigns)
    if trunks:
        yield from _of_trunks(trunks)


def _of_campaigns(campaigns: Sequence[CampaignView]) -> Iterator[Metric]:
    for name, text, value in _PLAIN:
        plain = GaugeMetricFamily(name, text, labels=["campaign"])
        for one in campaigns:
            plain.add_metric([one.id], float(value(one)))
        yield plain
    calls = GaugeMetricFamily(
        "ccserver_campaign_calls", "Calls of the campaign now, by how far they are.", labels=["campaign", "stage"]
    )
    agents = GaugeMetricFamily(
        "ccserver_campaign_agents",
        "Agents who are logged in and may serve the campaign, by what they do; reserved: of those idle, kept for a call on its way.",
        labels=["campaign", "state"],
    )
    used = GaugeMetricFamily(
        "ccserver_campaign_utilisation_ratio", "Agents in a call or in wrap-up, of those at work, 0 to 1.", labels=["campaign"]
    )
    for one in campaigns:
        for stage, count in one.calls.items():
            calls.add_metric([one.id, stage.value], count)
        for state in _CREW:
            agents.add_metric([one.id, state], getattr(one.crew, state))
        if one.crew.utilisation is not None:
            used.add_metric([one.id], one.crew.utilisation)
    yield from (calls, agents, used)


def _of_trunks(trunks: Sequence[TrunkView]) -> Iterator[Metric]:
    works = GaugeMetricFamily("ccserver_trunk_works", "0 while the trunk is taken for dead.", labels=["trunk"])
    lines = GaugeMetricFamily("ccserver_trunk_lines", "The lines that the trunk has.", labels=["trunk"])
    used = GaugeMetricFamily("ccserver_trunk_lines_used", "Those in use by campaigns.", labels=["trunk"])
    for one in trunks:
        works.add_metric([one.id], float(not one.why))
        lines.add_metric([one.id], one.lines)
        used.add_metric([one.id], one.lines_used)
    yield from (works, lines, used)
