"""A center to simulate: three queues, a language menu, as many agents as wanted. The same numbers give the same center."""

from dataclasses import dataclass

from ccserver.core.ids import (
    AgentId,
    DispositionId,
    FlowId,
    HoursId,
    Language,
    NodeId,
    PhoneId,
    PromptId,
    QueueId,
    ReasonId,
    SkillId,
)
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.settings import (
    AgentSettings,
    DidSettings,
    DispositionSettings,
    EnqueueNode,
    Exit,
    ExitKind,
    ExtensionNode,
    Flow,
    HangUpNode,
    HoursNode,
    LanguageNode,
    MenuNode,
    OfferRules,
    OpeningHours,
    PhoneSettings,
    QueueSettings,
    ReasonSettings,
    SayNode,
    Settings,
    Spoken,
    SpokenKind,
)

ENGLISH, SPANISH = Language("en"), Language("es")
SALES, SUPPORT, BILLING = QueueId("sales"), QueueId("support"), QueueId("billing")
DID = "15550100"


@dataclass(frozen=True, slots=True)
class Sample:
    settings: Settings
    pins: dict[AgentId, str]


def _said(*prompts: str) -> tuple[Spoken, ...]:
    return tuple(Spoken(SpokenKind.PROMPT, prompt) for prompt in prompts)


def _flow() -> Flow:
    node = NodeId
    languages = MenuNode(
        say=_said("language-menu"),
        choices={"1": node("english"), "2": node("spanish")},
        timeout_s=4.0,
        tries=2,
        on_no_input=node("english"),
        on_invalid=node("english"),
    )
    departments = MenuNode(
        say=_said("department-menu"),
        choices={"1": node("sales"), "2": node("support"), "3": node("billing"), "4": node("clerk")},
        timeout_s=4.0,
        tries=3,
        on_no_input=node("sales"),
        on_invalid=node("goodbye"),
        say_invalid=_said("no-such-choice"),
    )
    return Flow(
        start=node("greeting"),
        nodes={
            node("greeting"): SayNode(say=_said("greeting"), next=node("hours")),
            node("hours"): HoursNode(hours=HoursId("always"), on_open=node("languages"), on_closed=node("goodbye")),
            node("languages"): languages,
            node("english"): LanguageNode(language=ENGLISH, next=node("departments")),
            node("spanish"): LanguageNode(language=SPANISH, next=node("departments")),
            node("departments"): departments,
            node("sales"): EnqueueNode(queue=SALES),
            node("support"): EnqueueNode(queue=SUPPORT),
            node("billing"): EnqueueNode(queue=BILLING),
            node("clerk"): ExtensionNode(extension="1900", say=_said("one-moment")),
            node("goodbye"): HangUpNode(say=_said("goodbye")),
        },
    )


def _queues(wrap_up_s: float) -> dict[QueueId, QueueSettings]:
    dispositions = (DispositionId("solved"), DispositionId("open"))
    hang_up = Exit(kind=ExitKind.HANG_UP, prompt=PromptId("cc-queue-full"))
    return {
        SALES: QueueSettings(
            name="Sales",
            skills=(SkillId("sales"),),
            wrap_up_s=wrap_up_s,
            max_waiting=60,
            max_wait_s=300.0,
            on_full=hang_up,
            on_max_wait=Exit(kind=ExitKind.QUEUE, target=SUPPORT),
            announce_position_every_s=45.0,
            dispositions=dispositions,
        ),
        SUPPORT: QueueSettings(
            name="Support",
            skills=(SkillId("support"),),
            wrap_up_s=wrap_up_s * 1.5,
            max_wait_s=900.0,
            on_max_wait=Exit(kind=ExitKind.EXTENSION, target="1900", prompt=PromptId("cc-unavailable")),
            dispositions=dispositions,
        ),
        BILLING: QueueSettings(
            name="Billing",
            skills=(SkillId("billing"),),
            wrap_up_s=wrap_up_s * 0.5,
            ring_timeout_s=15.0,
            on_unstaffed=Exit(kind=ExitKind.HANG_UP, prompt=PromptId("cc-closed")),
            record=RecordingPolicy(mode=RecordingMode.ON_DEMAND),
        ),
    }


def sample_center(agents: int, *, wrap_up_s: float = 20.0, missed_before_not_ready: int = 2) -> Sample:
    """A center of `agents` agents, each with one to three departments' skills and every third one with Spanish."""
    skills = tuple(SkillId(name) for name in ("sales", "support", "billing"))
    people: dict[AgentId, AgentSettings] = {}
    for number in range(agents):
        able = {skills[number % 3]: 50}
        if number % 2 == 0:
            able[skills[(number + 1) % 3]] = 30
        if number % 3 == 0:
            able[SkillId("spanish")] = 80
        people[AgentId(str(1000 + number))] = AgentSettings(name=f"Agent {number}", skills=able)
    whole_day = ((0, 1440),)
    settings = Settings(
        content_hash=f"sample-{agents}-{wrap_up_s:g}-{missed_before_not_ready}",
        pbx="pbx",
        country="US",
        default_language=ENGLISH,
        language_skills={ENGLISH: None, SPANISH: SkillId("spanish")},
        agents=people,
        phones={PhoneId(f"PJSIP/{2000 + number}"): PhoneSettings(number=str(2000 + number)) for number in range(agents)},
        queues=_queues(wrap_up_s),
        flows={FlowId("main"): _flow()},
        dids={DID: DidSettings(flow=FlowId("main"), language=ENGLISH)},
        hours={HoursId("always"): OpeningHours(timezone="UTC", week=(whole_day,) * 7)},
        reasons={
            ReasonId("lunch"): ReasonSettings(code="1", name="Lunch"),
            ReasonId("training"): ReasonSettings(code="2", name="Training"),
            ReasonId("missed"): ReasonSettings(code="9", name="Missed calls"),
        },
        dispositions={
            DispositionId("solved"): DispositionSettings(code="1", name="Solved"),
            DispositionId("open"): DispositionSettings(code="2", name="Open"),
        },
        offers=OfferRules(missed_reason=ReasonId("missed"), missed_before_not_ready=missed_before_not_ready),
        recording_dir="/var/spool/ccserver",
    )
    return Sample(settings, {agent: f"{int(agent) * 7 % 10_000:04d}" for agent in people})
