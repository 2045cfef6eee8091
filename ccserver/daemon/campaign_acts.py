"""What supervisors and operators do to campaigns and trunks, and what they are shown of them."""

from collections.abc import Callable, Mapping

from ccserver.control.protocol import Why
from ccserver.control.server import NotDone
from ccserver.core import campaign_views, codec
from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.dialer.account import Evidence
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.dialer.terms import Mode
from ccserver.core.events import CampaignAct, CampaignRequested, RedialRequested
from ccserver.core.ids import CampaignId, TrunkId
from ccserver.core.moment import Moment
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState
from ccserver.daemon.live_acts import Given, Made, text_of, who

BY_THE_SETTINGS = "default"


class CampaignActs:
    """Reads the arguments of a request; what names nothing is refused here, with the names there are. Whether it may be done, and the entry
    in the audit log, is the core's."""

    def __init__(self, settings: Callable[[], Settings], snapshot: Callable[[], CenterState]) -> None:
        self._settings = settings
        self._snapshot = snapshot

    def table(self) -> Mapping[str, Callable[[Given], Made]]:
        acts = {f"campaign.{act.value}": self._act(act) for act in CampaignAct}
        return {**acts, "trunk.retry": self._retry}

    def _act(self, act: CampaignAct) -> Callable[[Given], Made]:
        def made(given: Given) -> Made:
            campaign, by = self.campaign(given), who(given)
            mode = _mode(given) if act is CampaignAct.MODE else None
            return lambda number: CampaignRequested(request=number, campaign=campaign, act=act, mode=mode, by=by)

        return made

    def _retry(self, given: Given) -> Made:
        named, by, known = text_of(given, "trunk"), who(given), self._dialing().trunks
        if named not in known:
            raise NotDone(Why.NOT_FOUND, f"no trunk {named!r}; there are: {', '.join(known) or 'none'}")
        return lambda number: RedialRequested(request=number, trunk=TrunkId(named), by=by)

    # --- what there is --------------------------------------------------------------------------------------------------
    def list(self, now: Moment) -> object:
        return codec.encode(campaign_views.campaigns(self._snapshot(), self._settings(), now), tuple[CampaignView, ...])

    def show(self, given: Given, now: Moment) -> object:
        found = campaign_views.campaign(self._snapshot(), self._settings(), self.campaign(given), now)
        return codec.encode(found, CampaignView)

    def evidence(self, given: Given, now: Moment) -> object:
        """What of the account is not in the database yet."""
        found = campaign_views.present_evidence(self._snapshot(), self._settings(), self.campaign(given), now.utc_s)
        return codec.encode(found, tuple[Evidence, ...])

    def trunks(self, now: Moment) -> object:
        return codec.encode(campaign_views.trunks(self._snapshot(), self._settings(), now.mono_s), tuple[TrunkView, ...])

    # --- what arguments name --------------------------------------------------------------------------------------------
    def campaign(self, given: Given) -> CampaignId:
        """Raises NotDone for one that the settings do not have."""
        named, known = text_of(given, "campaign"), self._dialing().campaigns
        if named not in known:
            raise NotDone(Why.NOT_FOUND, f"no campaign {named!r}; there are: {', '.join(known) or 'none'}")
        return CampaignId(named)

    def _dialing(self) -> DialingSettings:
        dialing = self._settings().dialing
        if dialing is None:
            raise NotDone(Why.NOT_FOUND, "the settings have no campaigns and no trunks")
        return dialing


def _mode(given: Given) -> Mode | None:
    word = text_of(given, "mode")
    if word == BY_THE_SETTINGS:
        return None
    try:
        return Mode(word)
    except ValueError:
        known = ", ".join([each.value for each in Mode] + [BY_THE_SETTINGS])
        raise NotDone(Why.MALFORMED, f"no mode {word!r}; there are: {known}") from None
