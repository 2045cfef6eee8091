"""States of campaigns that are made up: what would have happened before is not played."""

from dataclasses import dataclass, field, replace
from typing import Any

from desk import UTC_AT_0, Desk

from ccserver.core.dialer import account
from ccserver.core.dialer.account import Account, Counted
from ccserver.core.dialer.campaign_state import Campaign, Candidate, RunState, TimesShown, TrunkState
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CallerIdSettings, CampaignSettings, DialingSettings, TrunkSettings
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.explain_campaign import CampaignExplained, explain_campaign
from ccserver.core.ids import CampaignId, LeadId, TrunkId
from ccserver.core.moment import Moment
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState

WINTER, MAIN, OTHER = CampaignId("winter"), TrunkId("main"), TrunkId("other")
OURS = "+34915550100"
RULES = replace(PRESETS["es"].rules, countries=frozenset({"ES"}), closed_on_holidays=False, max_abandon=0.03)
NOW = Moment(mono_s=100.0, utc_s=UTC_AT_0 + 100.0)


def a_campaign(**changes: Any) -> CampaignSettings:
    plain = CampaignSettings(
        name="Winter offer",
        mode=Mode.PROGRESSIVE,
        purpose=Purpose.SERVICE,
        queue="sales",
        rules=RULES,
        trunks=(MAIN,),
        caller_ids=(OURS,),
    )
    return replace(plain, **changes)


def a_sheet(number: str = "+34600111222", **changes: Any) -> FactSheet:
    plain = FactSheet(
        number=number,
        line_type=LineType.MOBILE,
        region="ES",
        zones=("Europe/Madrid",),
        zone_source=ZoneSource.NUMBER,
        purpose=Purpose.SERVICE,
        mode=Mode.PROGRESSIVE,
        campaign=WINTER,
        read_utc_s=NOW.utc_s - 1.0,
        is_campaign_open=False,
        ring_s=20.0,
    )
    return replace(plain, **changes)


def a_lead(number: int, **facts: Any) -> Candidate:
    sheet = a_sheet(f"+346001112{number:02}", **facts)
    lead = ClaimedLead(
        id=LeadId(number),
        token=f"t{number}",
        until_utc_s=NOW.utc_s + 600,
        list="winter",
        name=f"Lead {number}",
        sheets=(sheet,),
    )
    return Candidate(lead=lead, sheet=sheet)


def an_account(connected: int = 0, abandoned: int = 0) -> Account:
    book = account.opened(WINTER, NOW.utc_s - 3600)
    for what, times in ((Counted.CONNECTED, connected), (Counted.ABANDONED, abandoned)):
        for _ in range(times):
            book = account.count(book, what, NOW.utc_s - 60, NOW.utc_s)
    return book


@dataclass
class MadeUp:
    """A center of two agents at desk phones, both ready, with one campaign that runs."""

    campaign: CampaignSettings = field(default_factory=a_campaign)
    desk: Desk = field(default_factory=Desk)
    known: Campaign | None = field(
        default_factory=lambda: Campaign(
            id=WINTER, run=RunState.RUNNING, by="ana", since=Moment(mono_s=40.0, utc_s=NOW.utc_s - 60), account=an_account()
        )
    )
    more: dict[str, Any] = field(default_factory=dict)
    trunk: TrunkState = field(default_factory=TrunkState)
    """Of the main one."""
    ways: dict[TrunkId, tuple[str, ...]] = field(default_factory=lambda: {MAIN: ()})
    """The trunks, with their prefixes."""
    shown: int = 0
    calls_a_day: int = 100

    def has(self, **changes: Any) -> None:
        assert self.known is not None
        self.known = replace(self.known, **changes)

    @property
    def settings(self) -> Settings:
        ours = CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True, calls_a_day=self.calls_a_day)
        dialing = DialingSettings(
            country="ES",
            rules=RULES,
            campaigns={WINTER: self.campaign},
            trunks={each: TrunkSettings(endpoint="carrier", lines=2, prefixes=to) for each, to in self.ways.items()},
            caller_ids={OURS: ours},
        )
        return replace(self.desk.settings, dialing=dialing)

    @property
    def state(self) -> CenterState:
        return replace(
            self.desk.center.snapshot(),
            campaigns={} if self.known is None else {WINTER: self.known},
            trunks={MAIN: self.trunk},
            shown={OURS: TimesShown(hours=((NOW.utc_s // 3600 * 3600, self.shown),))} if self.shown else {},
            **self.more,
        )

    def explained(self) -> CampaignExplained:
        found = explain_campaign(self.state, self.settings, NOW, WINTER)
        assert found is not None
        return found

    def told(self) -> list[tuple[str, str]]:
        return [(each.cause.value, each.text) for each in self.explained().obstacles]
