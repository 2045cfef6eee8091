"""The law in a simulated campaign: the gate that judges each attempt, and the abandonment account, as the center has them.

The leads are of one country, may be called, and were looked up in its register; the caller-ID is in order. So what the gate refuses
follows from the hour, the mode, the detection of machines and the account.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ccserver.core.dialer import account as accounts
from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.facts import CallerIdFacts, Consent, FactSheet, RegisterFacts
from ccserver.core.dialer.gate import judge
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.terms import DAY_S, ONE_TO_ONE, ConsentKind, LineType, Mode, Purpose, ZoneSource
from ccserver.core.dialer.verdict import Refused, Verdict
from ccserver.core.ids import CampaignId, TrunkId
from ccserver.sim.campaign_laws import Scenario

PLACES = {
    "us": ("US-NY", "America/New_York", "+1212555"),
    "uk": ("GB", "Europe/London", "+442071"),
    "br": ("BR-SP", "America/Sao_Paulo", "+55113"),
    "es": ("ES-MD", "Europe/Madrid", "+3491"),
    "it": ("IT", "Europe/Rome", "+3906"),
    "fr": ("FR", "Europe/Paris", "+3314"),
    "de": ("DE", "Europe/Berlin", "+4930"),
}
"""Where the leads of a preset live: region, time zone, and how their numbers begin."""
MORNING = (2026, 11, 25, 10)
"""A Wednesday, in local time."""
CAMPAIGN = CampaignId("simulated")
REGISTER = "national"


def rules_of(preset: str, cap: float) -> Rules:
    """Of the preset, and of the site where it allows less."""
    rules = PRESETS[preset].rules
    country = PLACES[preset][0].partition("-")[0]
    return replace(
        rules,
        holidays={country: frozenset({"2026-12-25"})},
        registers={REGISTER: 30 * DAY_S} if rules.needs_register else {},
        max_abandon=min(rules.max_abandon, cap),
    )


class Law:
    """What the campaign asks before each attempt, and is told of each answer."""

    def __init__(self, preset: str, mode: Mode, scenario: Scenario, cap: float) -> None:
        self.rules = rules_of(preset, cap)
        self.refusals: Counter[str] = Counter()
        """By reason, each attempt once."""
        region, zone, self._prefix = PLACES[preset]
        self._start_utc_s = datetime(*MORNING, tzinfo=ZoneInfo(zone)).timestamp()
        self.account = accounts.opened(CAMPAIGN, self._start_utc_s)
        self._sheet = FactSheet(
            number=self._prefix,
            line_type=LineType.FIXED,
            region=region,
            zones=(zone,),
            zone_source=ZoneSource.LEAD,
            purpose=Purpose.MARKETING,
            mode=mode,
            campaign=CAMPAIGN,
            read_utc_s=self._start_utc_s,
            is_campaign_open=True,
            consent=Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=self._start_utc_s - DAY_S),
            registers=tuple(
                RegisterFacts(name=name, as_of_utc_s=self._start_utc_s - DAY_S, is_listed=False)
                for name in self.rules.registers
            ),
            ring_s=scenario.ring_timeout_s,
            uses_amd=scenario.detection_s is not None,
            has_safe_harbour=True,
            caller_id=CallerIdFacts(
                number=self._prefix + "0000",
                line_type=LineType.FIXED,
                is_ours=True,
                answers_back=True,
                calls_today=0,
                calls_a_day=self.rules.caller_id_calls_a_day,
            ),
            trunk=TrunkId("simulated"),
        )

    def allowance(self, now_s: float) -> int:
        """How many calls the account can still bear to lose."""
        return accounts.room(self.account, self.rules, self._start_utc_s + now_s)

    def judge(self, lead: int, now_s: float, *, has_agent: bool, unbacked: int) -> Verdict:
        """`has_agent`: there is an idle agent for this call; `unbacked`: calls in flight that have none."""
        now_utc_s = self._start_utc_s + now_s
        sheet = replace(
            self._sheet,
            number=f"{self._prefix}{lead % 10_000:04d}",
            read_utc_s=now_utc_s,
            is_agent_reserved=has_agent or self._sheet.mode in ONE_TO_ONE,
            abandon_room=accounts.room(self.account, self.rules, now_utc_s, unbacked),
        )
        verdict = judge(sheet, self.rules, now_utc_s)
        if isinstance(verdict, Refused):
            self.refusals[verdict.reason.value] += 1
        return verdict

    def count(self, what: Counted, now_s: float) -> None:
        """A call that was answered is over, or has found its agent."""
        now_utc_s = self._start_utc_s + now_s
        self.account = accounts.count(self.account, what, now_utc_s, now_utc_s)

    def share(self, now_s: float) -> float:
        """Abandoned, as the rule counts it."""
        return accounts.share(self.account, self.rules, self._start_utc_s + now_s)
