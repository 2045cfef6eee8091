"""The center that has everything, and calls people too: four campaigns on two trunks, three of them with the agents of its queues."""

from dataclasses import replace
from random import Random

from ccserver.core.dialer.facts import Consent
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import (
    AmdSettings,
    AmdUse,
    CallerIdSettings,
    CampaignSettings,
    DialingSettings,
    Outcome,
    RetryRule,
    TrunkSettings,
)
from ccserver.core.dialer.terms import ConsentKind, LineType, Mode, Purpose
from ccserver.core.ids import CampaignId, DispositionId, FlowId, NodeId, PromptId, TrunkId
from ccserver.core.settings import (
    DispositionMeaning,
    DispositionSettings,
    Flow,
    HangUpNode,
    PhoneKind,
    PhoneSettings,
    SayNode,
    Settings,
    Spoken,
    SpokenKind,
    Strategy,
)
from ccserver.sim.full_sample import full_center
from ccserver.sim.leads import LeadBook
from ccserver.sim.sample import BILLING, SALES, SUPPORT, Sample

AHEAD, ONE_BY_ONE, LOOKED_AT, NEWS = (CampaignId(name) for name in ("ahead", "one_by_one", "looked_at", "news"))
MAIN, SPARE = TrunkId("main"), TrunkId("spare")
SHOWN = "+34910000001"
PREFIX = "+349101"
WHO_CALLED = PromptId("who-called")
RULES = replace(
    PRESETS["es"].rules,
    holidays={"ES": frozenset({"2026-01-06"})},
    needs_register=False,
    max_abandon=0.1,
    abandon_hold_off_s=600.0,
    refusal_hold_off_s=1800.0,
    calls_a_day=6,
    caller_id_calls_a_day=100_000,
)
RETRY = {
    Outcome.BUSY: RetryRule(after_s=120.0, tries=3),
    Outcome.NO_ANSWER: RetryRule(after_s=300.0, tries=2),
    Outcome.CONGESTION: RetryRule(after_s=60.0, tries=3),
    Outcome.CANCELLED: RetryRule(after_s=60.0, tries=3),
    Outcome.MACHINE: RetryRule(after_s=600.0, tries=2),
    Outcome.ABANDONED: RetryRule(after_s=900.0, tries=2),
    Outcome.UNKNOWN: RetryRule(after_s=900.0, tries=2),
}
RINGS_S = 8.0
"""An agent's phone; a callee's rings for longer."""
MEANINGS = {
    "sold": ("3", DispositionMeaning.SUCCESS),
    "no": ("4", DispositionMeaning.REFUSED),
    "never": ("5", DispositionMeaning.DO_NOT_CALL),
    "machine": ("6", DispositionMeaning.MACHINE),
    "again": ("7", DispositionMeaning.CALL_BACK),
    "wrong": ("8", DispositionMeaning.WRONG_NUMBER),
}


def dialling_center(agents: int, strategy: Strategy, *, wrap_up_s: float = 10.0, lines: int = 30) -> Sample:
    """The same numbers give the same center."""
    sample = full_center(agents, strategy, wrap_up_s=wrap_up_s)
    plain = sample.settings
    meanings = {DispositionId(name): known for name, known in MEANINGS.items()}
    settings = replace(
        plain,
        content_hash=f"dials-{lines}-{plain.content_hash}",
        phones={phone: _phone(given) for phone, given in plain.phones.items()},
        queues={
            name: replace(queue, dispositions=(*queue.dispositions, *meanings), ring_timeout_s=RINGS_S)
            if name in (SALES, SUPPORT, BILLING)
            else queue
            for name, queue in plain.queues.items()
        },
        dispositions={
            **plain.dispositions,
            **{
                name: DispositionSettings(code=code, name=name.title(), means=means) for name, (code, means) in meanings.items()
            },
        },
        flows={**plain.flows, FlowId("news"): _news()},
        dialing=DialingSettings(
            country="ES",
            rules=RULES,
            campaigns=_campaigns(lines),
            trunks={
                MAIN: TrunkSettings(endpoint="carrier", lines=lines, calls_per_second=5.0),
                SPARE: TrunkSettings(endpoint="carrier2", lines=max(lines // 3, 1), calls_per_second=2.0),
            },
            caller_ids={
                SHOWN: CallerIdSettings(line_type=LineType.FIXED, country="ES", answers_back=True, calls_a_day=100_000)
            },
        ),
    )
    return Sample(settings, sample.pins)


def _phone(given: PhoneSettings) -> PhoneSettings:
    """Two of three pick up by themselves, so that campaigns that dial ahead have agents."""
    is_inside = given.kind is not PhoneKind.EXTERNAL
    return replace(given, auto_answer=is_inside and (given.auto_answer or int(given.number) % 3 != 0))


def _campaigns(lines: int) -> dict[CampaignId, CampaignSettings]:
    plain = CampaignSettings(
        name="One by one",
        mode=Mode.PROGRESSIVE,
        purpose=Purpose.SERVICE,
        queue=SALES,
        rules=RULES,
        trunks=(MAIN, SPARE),
        caller_ids=(SHOWN,),
        lines=lines,
        calls_per_second=3.0,
        safe_harbour=WHO_CALLED,
        whisper=("name", "city"),
        retry=RETRY,
    )
    hears = AmdSettings(use=AmdUse.ON)
    return {
        ONE_BY_ONE: replace(plain, dispositions=tuple(DispositionId(name) for name in MEANINGS)),
        AHEAD: replace(
            plain,
            name="Ahead",
            mode=Mode.PREDICTIVE,
            purpose=Purpose.MARKETING,
            queue=SUPPORT,
            lines_per_agent=3.0,
            amd=hears,
            whisper=(),
            wrap_up_s=8.0,
        ),
        LOOKED_AT: replace(plain, name="Looked at", mode=Mode.PREVIEW, queue=BILLING, preview_s=20.0, whisper=()),
        NEWS: replace(
            plain,
            name="News",
            mode=Mode.AGENTLESS,
            queue=None,
            flow=FlowId("news"),
            lines=3,
            calls_per_second=0.2,
            amd=hears,
            voicemail=PromptId("news"),
            trunks=(SPARE,),
        ),
    }


def _news() -> Flow:
    say, bye = NodeId("say"), NodeId("bye")
    return Flow(
        start=say,
        nodes={say: SayNode(say=(Spoken(SpokenKind.PROMPT, "news"),), next=bye), bye: HangUpNode(say=())},
    )


def lay_leads(book: LeadBook, settings: Settings, each: int, seed: int, now_utc_s: float) -> None:
    """So many for each campaign: with one number or two, some of them another lead's as well, some that may not be called, or not yet."""
    chance = Random(f"{seed}/leads")
    assert settings.dialing is not None
    given_s = now_utc_s - 86_400.0
    counter = 0
    for campaign in settings.dialing.campaigns:
        for _ in range(each):
            numbers = []
            for _ in range(1 if chance.random() < 0.7 else 2):
                counter += 1
                numbers.append(f"{PREFIX}{counter:05d}")
            if counter > 10 and chance.random() < 0.05:
                numbers[0] = f"{PREFIX}{chance.randrange(1, counter):05d}"
            luck = chance.random()
            zone = ("Atlantic/Canary", "ES-CN") if luck < 0.1 else ("Europe/Madrid", "ES-MD")
            kind = ConsentKind.CALLS if luck > 0.9 else ConsentKind.AUTOMATIC
            ends_s = now_utc_s + chance.uniform(0.0, 3600.0) if luck > 0.95 else None
            book.add(
                str(campaign),
                tuple(dict.fromkeys(numbers)),
                zone=zone[0],
                region=zone[1],
                consent=None if 0.1 < luck < 0.13 else Consent(kind=kind, given_utc_s=given_s, expires_utc_s=ends_s),
                is_hot=0.13 < luck < 0.16,
            )
            if 0.16 < luck < 0.2:
                book.ask_not_to_call(numbers[0], given_s)
