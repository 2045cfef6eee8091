"""A desk whose center calls people: a campaign, its leads, and a database that answers at once."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from desk import UTC_AT_0, Desk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.dialer.account import Tally
from ccserver.core.dialer.campaign_state import Attempt, Campaign
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import (
    CallerIdSettings,
    CampaignSettings,
    DialingSettings,
    Outcome,
    RetryRule,
    TrunkSettings,
)
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.ids import CampaignId, LeadId, LegId, PromptId, SessionId, TrunkId
from ccserver.core.records import AttemptOutcome, AttemptRecord
from ccserver.core.settings import DispositionMeaning, DispositionSettings, PhoneSettings, Settings

WINTER = CampaignId("winter")
OURS = "+34910000001"
RULES = replace(
    PRESETS["es"].rules,
    holidays={"ES": frozenset({"2026-12-25"})},
    abandon_hold_off_s=0.0,
    registers={},
    needs_register=False,
)


def a_campaign(**changes: object) -> CampaignSettings:
    plain = CampaignSettings(
        name="Winter",
        mode=Mode.PROGRESSIVE,
        purpose=Purpose.SERVICE,
        queue="sales",
        rules=RULES,
        trunks=(TrunkId("main"), TrunkId("spare")),
        caller_ids=(OURS,),
        lines=30,
        calls_per_second=100.0,
        safe_harbour=PromptId("who-called"),
        retry={Outcome.BUSY: RetryRule(after_s=600.0, tries=2), Outcome.NO_ANSWER: RetryRule(after_s=3600.0, tries=2)},
    )
    return replace(plain, **changes)


class DialDesk(Desk):
    """Leads in `waiting` are claimed; what is stored is told at once. `facts` changes the sheets that are read before a dial."""

    def __init__(
        self,
        agents: int = 2,
        *,
        campaign: CampaignSettings | None = None,
        auto_answer: bool = False,
        prefixes: Mapping[str, tuple[str, ...]] | None = None,
        **queues: object,
    ) -> None:
        self.campaign = campaign or a_campaign()
        self.auto_answer = auto_answer
        self.prefixes = prefixes or {}
        self.waiting: deque[ClaimedLead] = deque()
        self.facts: dict[str, object] = {}
        self.is_storing = True
        self.leads_made = 0
        super().__init__(agents, **queues)

    def adapted(self, settings: Settings) -> Settings:
        trunk = TrunkSettings(endpoint="carrier", lines=2000, calls_per_second=100.0)
        return replace(
            settings,
            content_hash=settings.content_hash + "dials",
            phones={
                phone: PhoneSettings(number=each.number, auto_answer=self.auto_answer)
                for phone, each in settings.phones.items()
            },
            dispositions={
                "sold": DispositionSettings(code="1", name="Sold", means=DispositionMeaning.SUCCESS),
                "no": DispositionSettings(code="2", name="No", means=DispositionMeaning.REFUSED),
                "never": DispositionSettings(code="3", name="Never", means=DispositionMeaning.DO_NOT_CALL),
                "machine": DispositionSettings(code="4", name="Machine", means=DispositionMeaning.MACHINE),
                "away": DispositionSettings(code="5", name="Not at home", means=DispositionMeaning.NOTHING),
            },
            queues={
                name: replace(queue, dispositions=("sold", "no", "never", "machine", "away"))
                for name, queue in settings.queues.items()
            },
            dialing=DialingSettings(
                country="ES",
                rules=RULES,
                campaigns={WINTER: self.campaign},
                trunks={
                    TrunkId(name): replace(trunk, endpoint=endpoint, prefixes=self.prefixes.get(name, ()))
                    for name, endpoint in (("main", "carrier"), ("spare", "carrier2"))
                },
                caller_ids={
                    OURS: CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True, calls_a_day=100_000)
                },
            ),
        )

    # --- the database ---------------------------------------------------------------------------------------------------
    def a_lead(self, *numbers: str, **changes: object) -> ClaimedLead:
        self.leads_made += 1
        n = self.leads_made
        of = numbers or (f"+34910100{n:03d}",)
        return ClaimedLead(
            id=LeadId(n),
            token="t",
            until_utc_s=UTC_AT_0 + 1e6,
            list="winter",
            name=f"Lead {n}",
            sheets=tuple(self.a_sheet(number) for number in of),
            **changes,  # type: ignore[arg-type]
        )

    def a_sheet(self, number: str, **changes: object) -> FactSheet:
        return replace(
            FactSheet(
                number=number,
                line_type=LineType.FIXED,
                region="ES-MD",
                zones=("Europe/Madrid",),
                zone_source=ZoneSource.NUMBER,
                purpose=self.campaign.purpose,
                mode=self.campaign.mode,
                campaign=WINTER,
                read_utc_s=self.moment().utc_s,
                is_campaign_open=False,
            ),
            **changes,  # type: ignore[arg-type]
        )

    def add(self, count: int = 1) -> list[ClaimedLead]:
        made = [self.a_lead() for _ in range(count)]
        self.waiting.extend(made)
        return made

    def _took(self, commands: list[c.Command]) -> None:
        super()._took(commands)
        for command_id, command in self.last:
            if isinstance(command, c.ClaimLeads):
                given = [self.waiting.popleft() for _ in range(min(command.count, len(self.waiting)))]
                self.tell(
                    ev.LeadsClaimed(
                        command=command_id, campaign=command.campaign, is_ok=True, leads=tuple(given), ready=len(self.waiting)
                    )
                )
            elif isinstance(command, c.StoreAttempt) and self.is_storing:
                self.stores(command_id, command)

    def stores(self, command_id: object, command: c.StoreAttempt) -> None:
        sheet = replace(command.sheet, read_utc_s=self.moment().utc_s, **self.facts)  # type: ignore[arg-type]
        self.tell(
            ev.AttemptStored(command=command_id, attempt=command.attempt, end=ev.StoreEnd.STORED, sheet=sheet)  # type: ignore[arg-type]
        )

    # --- what supervisors do --------------------------------------------------------------------------------------------
    def act(self, act: ev.CampaignAct, mode: Mode | None = None) -> c.Reply:
        self.tell(ev.CampaignRequested(request=7, campaign=WINTER, act=act, mode=mode, by="boss"))
        return self.ever(c.Reply)[-1]

    def start(self) -> None:
        assert self.act(ev.CampaignAct.START).is_ok
        self.wait(0.0)

    # --- what came out --------------------------------------------------------------------------------------------------
    def known(self) -> Campaign:
        return self.center.snapshot().campaigns[WINTER]

    def attempts(self) -> Mapping[str, Attempt]:
        return self.center.snapshot().attempts  # type: ignore[return-value]

    def dials(self) -> list[c.DialOut]:
        return self.ever(c.DialOut)

    def settled(self) -> list[tuple[int | None, AttemptOutcome]]:
        return [(each.lead, each.outcome) for each in self.kept(AttemptRecord)]

    def tally(self) -> Tally:
        days = self.known().account.days
        return Tally(
            connected=sum(each.tally.connected for each in days),
            abandoned=sum(each.tally.abandoned for each in days),
            amd_errors=sum(each.tally.amd_errors for each in days),
            machines=sum(each.tally.machines for each in days),
            left=sum(each.tally.left for each in days),
            told=sum(each.tally.told for each in days),
        )

    def local(self) -> datetime:
        return datetime.fromtimestamp(self.moment().utc_s, UTC)

    # --- callees ----------------------------------------------------------------------------------------------------------
    def rings(self, dial: c.DialOut) -> None:
        self.tell(ev.LegStarted(leg=dial.leg, channel=f"PJSIP/carrier-{dial.leg.uniqueid}"), ev.LegRinging(leg=dial.leg))

    def picks_up(self, dial: c.DialOut, heard: ev.Heard = ev.Heard.NOTHING, after_s: float = 0.0) -> SessionId:
        self.rings(dial)
        self.tell(ev.LegAnswered(leg=dial.leg))
        self.wait(after_s)
        return self.comes(dial, heard)

    def comes(self, dial: c.DialOut, heard: ev.Heard = ev.Heard.NOTHING) -> SessionId:
        session = SessionId(f"callee-{len(self.all)}-{dial.leg.uniqueid}")
        self.tell(
            ev.CallArrived(
                session=session,
                leg=dial.leg,
                channel=f"PJSIP/carrier-{dial.leg.uniqueid}",
                did="",
                caller_number=None,
                number_as_given="",
                caller_name="",
                heard=heard,
            )
        )
        return session

    def does_not_answer(self, dial: c.DialOut, cause: int = 19, tech_cause: int = 0, *, rings: bool = True) -> None:
        if rings:
            self.rings(dial)
        self.hangs_up(dial.leg, cause, tech_cause)

    def bridged(self, customer: LegId, agent: LegId) -> None:
        bridge = f"b-{customer.uniqueid}"
        session = self.center.snapshot().legs[customer].session
        self.tell(ev.LegEnteredBridge(leg=customer, bridge=bridge))
        if session is not None:
            self.tell(ev.SessionClosed(session=session))
        self.tell(ev.LegEnteredBridge(leg=agent, bridge=bridge))

    def ring(self) -> c.RingAgent:
        """The newest offer whose phone rings."""
        legs = self.center.snapshot().legs
        return [offer for offer in self.ever(c.RingAgent) if offer.leg in legs][-1]

    # --- agents -----------------------------------------------------------------------------------------------------------
    def accepts(self, offer: c.RingAgent) -> None:
        """The agent's phone is picked up, and waits."""
        self.tell(
            ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"),
            ev.LegAnswered(leg=offer.leg),
            ev.LegParked(leg=offer.leg),
        )
