"""A center to simulate that has everything: external phones, spare phones, work without a line, callbacks, tiers, direct calls,
flows that an agent can send a customer into, messages, self-service, surveys. The queues choose agents by the strategy that is
asked for."""

from collections.abc import Mapping
from dataclasses import replace

from ccserver.core.ids import ClassOfServiceId, FlowId, NodeId, PhoneId, PromptId, QueueId, SkillId
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.settings import (
    DIRECT,
    EVERYBODY,
    AgentNode,
    AgentSettings,
    CallbackRules,
    ClassOfService,
    Comfort,
    DidSettings,
    EnqueueNode,
    Exit,
    ExitKind,
    Flow,
    HasSkill,
    HeadsetNotice,
    MenuNode,
    MessageNode,
    NumberKind,
    PhoneKind,
    PhoneSettings,
    Preference,
    QueueSettings,
    Relaxation,
    ReturnNode,
    Spoken,
    SpokenKind,
    Strategy,
    Tier,
    WrapUpKind,
)
from ccserver.sim import self_service
from ccserver.sim.sample import BILLING, DID, ENGLISH, SALES, SUPPORT, Sample, sample_center

POST = QueueId("post")
MAIL = "mail"
DIRECT_DID, STRAIGHT_DID, MESSAGE_DID, SELF_SERVICE_DID = "15550101", "15550102", "15550103", "15550104"
DIDS = (DID, DID, STRAIGHT_DID, DIRECT_DID, DID, SELF_SERVICE_DID, STRAIGHT_DID, MESSAGE_DID, SELF_SERVICE_DID)
CLERK_OUTSIDE = "+15555550142"
EVERY_NTH_EXTERNAL = 6
SPARE_PHONES = 2
MAY_CALL = ClassOfServiceId("staff")


def full_center(agents: int, strategy: Strategy, *, wrap_up_s: float = 20.0) -> Sample:
    """The same numbers give the same center. At least one agent."""
    sample = sample_center(agents, wrap_up_s=wrap_up_s)
    plain = sample.settings
    settings = replace(
        plain,
        content_hash=f"full-{strategy.value}-{plain.content_hash}",
        agents={name: _agent(agent, number) for number, (name, agent) in enumerate(plain.agents.items())},
        phones=_phones(agents),
        queues=_queues(plain.queues, strategy, wrap_up_s),
        flows={
            **plain.flows,
            FlowId("direct"): Flow(
                start=NodeId("agent"), nodes={NodeId("agent"): AgentNode(agent=min(plain.agents), on_no_answer=None)}
            ),
            FlowId("straight"): Flow(start=NodeId("queue"), nodes={NodeId("queue"): EnqueueNode(queue=SALES)}),
            FlowId("survey"): _survey(),
            FlowId("message"): Flow(start=NodeId("message"), nodes={NodeId("message"): MessageNode(queue=SUPPORT, max_s=60.0)}),
            **self_service.flows(min(plain.agents), CLERK_OUTSIDE),
        },
        dids={
            **plain.dids,
            DIRECT_DID: DidSettings(flow=FlowId("direct"), language=ENGLISH),
            STRAIGHT_DID: DidSettings(flow=FlowId("straight"), language=ENGLISH, priority=3),
            MESSAGE_DID: DidSettings(flow=FlowId("message"), language=ENGLISH),
            SELF_SERVICE_DID: DidSettings(flow=self_service.SELF_SERVICE, language=ENGLISH, hours=self_service.OFFICE),
        },
        classes_of_service={
            MAY_CALL: ClassOfService(allows=frozenset(NumberKind) - {NumberKind.PREMIUM, NumberKind.UNKNOWN}, calls_per_hour=20)
        },
        capacity={"voice": 1, MAIL: 2},
        combined_capacity=2,
        sendable_flows={"1": FlowId("survey"), "2": self_service.AFTER_CALL},
        hours={**plain.hours, **self_service.HOURS},
        look_ups=self_service.LOOK_UPS,
        recordable_prompts=self_service.RECORDABLE_PROMPTS,
    )
    return Sample(settings, sample.pins)


def _agent(plain: AgentSettings, number: int) -> AgentSettings:
    return replace(
        plain,
        class_of_service=MAY_CALL,
        is_supervisor=number % 5 == 0,
        min_rest_s=3.0 if number % 4 == 1 else 0.0,
        share=1 + number % 3,
    )


def _phones(agents: int) -> dict[PhoneId, PhoneSettings]:
    """One for each agent, the first of them outside; then the spare ones. The order of their ids is that of the agents."""
    outside = range(agents // EVERY_NTH_EXTERNAL)
    inside = range(2000, 2000 + agents - len(outside) + SPARE_PHONES)
    return {
        **{
            PhoneId(f"PJSIP/+1555060{number:04d}@carrier"): PhoneSettings(
                number=f"+1555060{number:04d}", kind=PhoneKind.EXTERNAL
            )
            for number in outside
        },
        **{PhoneId(f"PJSIP/{number}"): PhoneSettings(number=str(number), auto_answer=number % 7 == 3) for number in inside},
    }


def _queues(plain: Mapping[QueueId, QueueSettings], strategy: Strategy, wrap_up_s: float) -> dict[QueueId, QueueSettings]:
    tiers = (Tier(after_s=0.0, requires=HasSkill(SkillId("spanish"))), Tier(after_s=15.0))
    return {
        SALES: replace(
            plain[SALES],
            number="701",
            strategy=strategy,
            tiers=tiers if strategy is Strategy.TIERS else (),
            ring_more_every_s=4.0,
            ring_most=4,
            wrap_up=WrapUpKind.EXTENDABLE,
            callback=CallbackRules(offer_after_s=20.0, retry_after_s=60.0, keeps_s=1800.0),
            comfort=(Comfort(prompt=PromptId("cc-still-waiting"), every_s=30.0),),
            headset_notice=HeadsetNotice.NAME,
            name_prompt=PromptId("queue-sales"),
            survey=self_service.AFTER_CALL,
        ),
        SUPPORT: replace(
            plain[SUPPORT],
            number="702",
            strategy=strategy,
            preference=Preference(wait_s=10.0, last_spoken_days=7.0),
            relax=(Relaxation(after_s=60.0, requires=EVERYBODY),),
            headset_notice=HeadsetNotice.NOTHING,
        ),
        BILLING: replace(
            plain[BILLING],
            number="703",
            strategy=strategy,
            wrap_up=WrapUpKind.UNTIL_DISPOSITION,
            wrap_up_max_s=60.0,
            dispositions=plain[SALES].dispositions,
            on_unstaffed=Exit(kind=ExitKind.MESSAGE),
        ),
        DIRECT: QueueSettings(
            name="Direct",
            skills=(),
            wrap_up_s=wrap_up_s * 0.25,
            max_wait_s=60.0,
            on_max_wait=Exit(kind=ExitKind.QUEUE, target=SALES),
        ),
        POST: QueueSettings(name="Post", skills=(), wrap_up=WrapUpKind.NONE, record=RecordingPolicy(mode=RecordingMode.NEVER)),
    }


def _survey() -> Flow:
    rating, thanks = NodeId("rating"), NodeId("thanks")
    ask = MenuNode(
        say=(Spoken(SpokenKind.PROMPT, "rate-us"),),
        choices={"1": thanks, "2": thanks},
        timeout_s=4.0,
        tries=2,
        on_no_input=thanks,
        on_invalid=thanks,
    )
    return Flow(start=rating, nodes={rating: ask, thanks: ReturnNode(result=PromptId("cc-flow-done"))})
