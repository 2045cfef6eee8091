"""What can be written about queues and about direct calls to agents."""

import re
from dataclasses import dataclass, replace

from ccserver.config import kinds, ways
from ccserver.config.kinds import duration, shown_name, whole
from ccserver.config.positions import Node, PathInFile, quoted
from ccserver.config.recording_policy import policy as recording_policy
from ccserver.config.schema import Choice, Field, Flag, Group, ListOf, Number, Reader, Reference, Text, hinted, nearest
from ccserver.core.ids import DispositionId
from ccserver.core.settings import (
    CallbackRules,
    Comfort,
    HeadsetNotice,
    Overflow,
    OverflowBy,
    Preference,
    QueueSettings,
    Relaxation,
    StaffRules,
    Strategy,
    SupervisionNotice,
    Tier,
    WrapUpKind,
)

DISPLAY_FIELDS = ("queue", "number", "name", "vip", "did", "wait", "call")
"""What `display` may hold in braces."""
_disposition = Reference("a disposition", ("dispositions",), DispositionId)
_agents = ListOf(kinds.agent, 5000)


@dataclass(frozen=True, slots=True)
class DisplayText:
    """A text with fields in braces, for the display of a phone."""

    expected: str = "a text for the phone's display, with fields like {queue}"
    of = Text("a text for the phone's display", str, r"\S(.*\S)?", 80, hint="without spaces at its ends")

    def read(self, reader: Reader, node: Node, path: PathInFile) -> str | None:
        """Fields are checked by name."""
        text = self.of.read(reader, node, path)
        if text is None:
            return None
        fields = ", ".join(f"{{{each}}}" for each in DISPLAY_FIELDS)
        for name in re.findall(r"\{([^{}]*)\}", text):
            if name not in DISPLAY_FIELDS:
                near = nearest(name, DISPLAY_FIELDS)
                hint = f"did you mean {{{near}}}?" if near else f"known are {fields}"
                reader.tell(path, hinted(f"expected a field of the display, got {quoted(f'{{{name}}}')}", hint), node.mark)
                return None
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
            reader.tell(path, hinted(f"expected braces in pairs, got {quoted(text)}", f"the fields are {fields}"), node.mark)
            return None
        return text


# --- parts of a queue -------------------------------------------------------------------------------------------------
tier = Group(
    "a tier",
    Tier,
    [
        Field("after_s", duration(0, 86400, "20"), "These agents are offered calls that have waited so long."),
        Field("agents", _agents, "The agents of this tier; without it everybody who fulfils `requires`."),
        Field("requires", ways.requirement, "A condition on this tier's agents; without it none."),
    ],
)
relaxation = Group(
    "a relaxation",
    Relaxation,
    [
        Field("after_s", duration(1, 86400, "60"), "From so much waiting on."),
        Field(
            "requires",
            ways.requirement,
            "Required instead of the queue's `skills` and `requires`; `anybody` is everybody.",
            hint="for example sales, or anybody",
        ),
        Field(
            "keeps_own",
            Flag(),
            "Whether what the call itself requires (language, number called, choices) holds on.",
        ),
    ],
)
staff_rules = Group(
    "staff rules",
    StaffRules,
    [
        Field("not_ready", Flag(), "Whether agents who are not ready count as staff."),
        Field("unreachable", Flag(), "Whether agents whose phone cannot be reached do."),
        Field("wrap_up", Flag(), "Whether agents in wrap-up do."),
    ],
)
overflow = Group(
    "an overflow",
    Overflow,
    [
        Field(
            "by",
            Choice(OverflowBy),
            "What is measured: the waiting time, the expected wait, the waiting calls (this one included), or the waiting "
            "calls for each agent on duty.",
        ),
        Field("above", Number(float, 0, 100_000, "120"), "The call leaves when the measure is greater."),
        Field("exit", ways.queue_exit, "Where it goes."),
    ],
)
preference = Group(
    "a preference",
    Preference,
    [
        Field("wait_s", duration(0, 3600, "20"), "So long a call waits for the agent it prefers; then anybody takes it."),
        Field("owner", Flag(), "Whether a customer's own agent is preferred (`customers_file`)."),
        Field(
            "last_spoken_days",
            Number(float, 0, 3650, "30", "days"),
            "The agent the customer spoke to last is preferred, if that is not longer ago; without it, not.",
        ),
    ],
)
comfort = Group(
    "a comfort prompt",
    Comfort,
    [
        Field("prompt", kinds.prompt, "Said to waiting callers."),
        Field("every_s", duration(5, 3600, "60"), "How often."),
    ],
)
callback = Group(
    "a callback",
    CallbackRules,
    [
        Field("key", Text("one key", str, r"[0-9*#]", 8, '"1"'), "Pressed to be called back."),
        Field("offer_after_s", duration(0, 86400, "60"), "Offered after so much waiting."),
        Field(
            "offer_above_expected_s",
            duration(0, 86400, "180"),
            "Offered at once when the expected wait is longer; without it by waiting time only.",
        ),
        Field("tries", whole(1, 20, "3"), "How often the customer is called."),
        Field("retry_after_s", duration(10, 86400, "600"), "The time between two calls."),
        Field("ring_timeout_s", duration(5, 300, "30"), "How long the customer's phone rings."),
        Field(
            "hours",
            kinds.hours_name,
            "When customers may be called; outside, the next lawful time is taken. Without it always.",
        ),
        Field("keeps_s", duration(60, 30 * 86400, "86400"), "A request is given up after this time."),
    ],
)

# --- the queue --------------------------------------------------------------------------------------------------------
_FIELDS = [
    Field("name", shown_name("a queue's name"), "Shown on the agent's phone."),
    Field(
        "number",
        Text("a number of 1 to 8 digits", str, r"[0-9]{1,8}", 8, '"700"'),
        "Typed by agents who consult the queue or transfer to it; without it they cannot.",
    ),
    Field(
        "skills", ListOf(kinds.skill, 20), "The skills an agent needs, all of them.", hint="for example [sales]", fallback=()
    ),
    Field("requires", ways.requirement, "A condition on agents beside the skills: `sales >= 50 and not trainee`."),
    Field("members", _agents, "Only these agents, in this order of service; without it everybody who fulfils the conditions."),
    Field("strategy", Choice(Strategy), "Who is offered a call next; see routing.md."),
    Field("ring_more_every_s", duration(1, 300, "5"), "With ring_progressively: one more phone rings so often."),
    Field("ring_most", whole(1, 50, "10"), "With ring_all and ring_progressively: so many phones ring at most."),
    Field("tiers", ListOf(tier, 20), "With tiers: who is offered calls, and after how much waiting."),
    Field("relax", ListOf(relaxation, 20), "Conditions that take the place of the queue's after a time of waiting."),
    Field("priority", ways.priority, "0 to 10; each step is worth `priority_step_s` of waiting."),
    Field("weight", Number(float, 0.01, 100, "1"), "Seconds of urgency for each second of waiting."),
    Field("preference", preference, "Whom a call waits for first; without it nobody."),
    Field("hours", kinds.hours_name, "When the queue takes calls; without it always."),
    Field("music", kinds.word, "The class of music on hold."),
    Field("ring_timeout_s", duration(1, 300, "20"), "How long one agent's phone rings."),
    Field(
        "wrap_up",
        Choice(WrapUpKind, "its seconds are wrap_up_s"),
        "How the time after a call ends: there is none; after `wrap_up_s`; the same, but the agent can add time up to "
        "`wrap_up_max_s`; or with a disposition, at most `wrap_up_max_s`.",
    ),
    Field("wrap_up_s", duration(0, 3600, "30"), "Time after a call before the agent is ready again; 0 is none."),
    Field(
        "wrap_up_max_s", duration(1, 7200, "300"), "The longest wrap-up where it can be extended or waits for a disposition."
    ),
    Field("service_level_s", duration(1, 3600, "20"), "An answer within this time counts as in time."),
    Field("short_abandon_s", duration(0, 300, "5"), "Callers who leave sooner are counted apart."),
    Field("max_waiting", whole(1, 10_000, "50"), "More callers leave by `on_full`; without it there is no limit."),
    Field("max_wait_s", duration(1, 86400, "600"), "Who waits longer leaves by `on_max_wait`; without it nobody does."),
    Field("max_talk_s", duration(10, 86400, "14400"), "A talk is ended after this time."),
    Field(
        "announce_position_every_s",
        duration(5, 3600, "60"),
        "How often waiting callers hear their position; without it never.",
    ),
    Field(
        "expected_service_s",
        duration(1, 14400, "240"),
        "Talk and wrap-up of one call together, assumed for the expected wait as long as there is no experience.",
    ),
    Field("announce_wait", Flag(), "Whether the expected wait is said with the position."),
    Field("comfort", ListOf(comfort, 10), "Said to waiting callers every so often; without it nothing."),
    Field("callback", callback, "Callers may be called back instead of waiting; without it not."),
    Field("overflow", ListOf(overflow, 10), "Ways out by time, expected wait, size or ratio; the first that applies is taken."),
    Field("on_full", ways.queue_exit, "Where a caller goes when `max_waiting` others wait; without it hung up."),
    Field("on_max_wait", ways.queue_exit, "Where a caller goes after `max_wait_s`; without it hung up."),
    Field("on_closed", ways.queue_exit, "Where a caller goes outside the `hours`; without it hung up."),
    Field("on_closing", ways.queue_exit, "Where waiting callers go when the `hours` end; without it they are served."),
    Field("on_unstaffed", ways.queue_exit, "Where a caller goes when nobody is on duty; without it callers wait."),
    Field("joins_when", staff_rules, "Who is on duty for `on_unstaffed`."),
    Field("on_deserted", ways.queue_exit, "Where waiting callers go when the last agent leaves; without it they wait on."),
    Field("stays_while", staff_rules, "Who is on duty for `on_deserted`."),
    Field(
        "survey",
        kinds.flow,
        "The flow that customers go through whose agent ends the talk; without it they are released.",
    ),
    Field(
        "record",
        recording_policy,
        "Which talks are recorded, if there is a section `recording`.",
    ),
    Field(
        "supervision_notice",
        Choice(SupervisionNotice),
        "Who is told that a supervisor listens; without it as `supervision` says.",
    ),
    Field("dispositions", ListOf(_disposition, 50), "What agents may enter in wrap-up; without it nothing is asked."),
    Field("headset_notice", Choice(HeadsetNotice), "What an agent on a headset hears before the customer."),
    Field("name_prompt", kinds.prompt, "The queue's name as said to an agent on a headset; needed for `headset_notice: name`."),
    Field(
        "display",
        DisplayText(),
        f"The name on the agent's phone. Fields: {', '.join(f'{{{each}}}' for each in DISPLAY_FIELDS)}.",
    ),
    Field(
        "hold_reminder_s",
        duration(0, 3600, "60"),
        "An agent is reminded of a customer on hold after so long; 0 is never.",
    ),
    Field(
        "lamp_waiting_above",
        whole(0, 10_000, "5"),
        "The queue's lamp is lit while calls wait, and blinks while more wait than this; without it not for their number.",
    ),
    Field("lamp_wait_above_s", duration(0, 86400, "60"), "It blinks while a call has waited longer; without it not for that."),
]
_NOT_FOR_DIRECT_CALLS = frozenset(
    {"number", "skills", "requires", "members", "strategy", "ring_more_every_s", "ring_most", "tiers", "relax", "preference"}
)


def _queue(hold_reminder_s: float, **given: object) -> QueueSettings:
    return QueueSettings(hold_reminder_s=hold_reminder_s or None, **given)  # type: ignore[arg-type]


def _direct_calls(**given: object) -> QueueSettings:
    return _queue(skills=(), **given)  # type: ignore[arg-type]


queue = Group("a queue", _queue, _FIELDS, like=QueueSettings)
direct_calls = Group(
    "direct_calls",
    _direct_calls,
    [
        replace(each, default="Direct call") if each.name == "name" else each
        for each in _FIELDS
        if each.name not in _NOT_FOR_DIRECT_CALLS
    ],
    wrong=dict.fromkeys(sorted(_NOT_FOR_DIRECT_CALLS), "a direct call is for one agent: nobody is chosen"),
    like=QueueSettings,
)
