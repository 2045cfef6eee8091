"""What the center itself knows of a call that a campaign wants to place; the database fills in what it knows of the number."""

from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.settings import AmdUse, CampaignSettings
from ccserver.core.dialer.terms import LineType, ZoneSource
from ccserver.core.ids import CampaignId


def blank_sheet(campaign: CampaignId, settings: CampaignSettings, now_utc_s: float) -> FactSheet:
    """A sheet without a number, an agent, room for abandoned calls, a caller-ID or a trunk, and of a campaign that is closed: the gate
    refuses it until all of that is filled in."""
    return FactSheet(
        number="",
        line_type=LineType.UNKNOWN,
        region="",
        zones=(),
        zone_source=ZoneSource.NONE,
        purpose=settings.purpose,
        mode=settings.mode,
        campaign=campaign,
        read_utc_s=now_utc_s,
        is_campaign_open=False,
        ring_s=settings.ring_s,
        uses_amd=settings.amd.use is not AmdUse.OFF,
        has_safe_harbour=settings.safe_harbour is not None,
    )
