"""The sections `dialing`, `campaigns`, `trunks` and `caller_ids`: outbound calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccserver.config import kinds
from ccserver.config.dialing_rules import GivenRules, Override, overrides, prefix, rules
from ccserver.config.kinds import NAME_PATTERN, duration, shown_name, whole
from ccserver.config.positions import Node, PathInFile, Scalar
from ccserver.config.recording_policy import policy as recording_policy
from ccserver.config.schema import Choice, Field, Flag, Group, ListOf, MapOf, Number, Reader, Reference, Text
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import AmdSettings, AmdUse, CostFigures, Outcome, RetryRule, TrunkSettings
from ccserver.core.dialer.terms import Mode, Purpose
from ccserver.core.ids import CampaignId, DispositionId, FlowId, HoursId, PromptId, QueueId, SkillId, TrunkId
from ccserver.core.recording_policy import RecordingPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class DialingSection:
    country: str = ""
    """Empty: that of the file."""
    preset: str = ""
    """Empty: that of the country."""
    registers: Mapping[str, int] = field(default_factory=dict)
    holidays: tuple[str, ...] = ()
    rules: GivenRules = field(default_factory=GivenRules)
    overrides: tuple[Override, ...] = ()
    own_calls: Purpose = Purpose.SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdSection:
    answers_back: bool = False
    prefixes: tuple[str, ...] = ()
    calls_a_day: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSection:
    """As written: rules are still differences from a preset."""

    name: str
    mode: Mode
    purpose: Purpose = Purpose.MARKETING
    preset: str = ""
    rules: GivenRules = field(default_factory=GivenRules)
    overrides: tuple[Override, ...] = ()
    queue: QueueId | None = None
    flow: FlowId | None = None
    skills: tuple[SkillId, ...] = ()
    hours: HoursId | None = None
    lists: tuple[str, ...] = ()
    trunks: tuple[TrunkId, ...]
    caller_ids: tuple[str, ...]
    lines: int = 30
    calls_per_second: float = 1.0
    lines_per_agent: float = 1.0
    ring_s: float = 20.0
    amd: AmdSettings = field(default_factory=AmdSettings)
    safe_harbour: PromptId | None = None
    opt_out_key: str = "9"
    voicemail: PromptId | None = None
    whisper: tuple[str, ...] = ()
    preview_s: float = 60.0
    inbound_level_percent: float | None = None
    retry: Mapping[Outcome, RetryRule] = field(default_factory=dict)
    retry_dispositions: Mapping[DispositionId, RetryRule] = field(default_factory=dict)
    dispositions: tuple[DispositionId, ...] = ()
    wrap_up_s: float | None = None
    record: RecordingPolicy | None = None
    costs: CostFigures = field(default_factory=CostFigures)


def _preset(text: str) -> str:
    if text not in PRESETS:
        raise ValueError(f"known are {', '.join(PRESETS)}")
    return text


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        raise ValueError(f"known are {', '.join(each.value for each in Outcome)}") from None


_preset_name = Text("the name of a preset", _preset, r"[a-z]{1,20}", 20, "es")
_own_calls = Text("service or marketing", Purpose, r"service|marketing", 9, "service")
_trunk = Reference("a trunk", ("trunks",), TrunkId)
_caller_id = Reference("a caller-ID", ("caller_ids",), str)
_skill = kinds.skill
_disposition = Reference("a disposition", ("dispositions",), DispositionId)
_milliseconds = whole(0, 60_000, "2500")
_rate = Number(float, 0.1, 500, "5", "calls a second")
_minor = whole(0, 10_000_000, "1800")
_list_name = Text(
    "the name of a list of leads",
    str,
    r"[a-z0-9][a-z0-9_.-]{0,59}",
    60,
    hint="lower-case letters, digits, _ . and -, as it was imported",
)
_lead_field = Text("a field of the lead", str, r"\S(.*\S)?", 200, hint="name, or the head of a column of the imported file")
e164 = Text("a telephone number with + and country code", str, r"\+[1-9][0-9]{6,14}", 16, '"+34910000001"')

dialing = Group(
    "dialing",
    DialingSection,
    [
        Field(
            "country",
            Text("a country code of two capital letters", str, r"[A-Z]{2}", 2, "ES"),
            "The country that is called (ISO 3166), without it that of the file.",
        ),
        Field(
            "preset",
            _preset_name,
            "The rules of which country hold: us, uk, br, es, it; fr, de and other are unverified, and allow only calls that a person "
            "dials. Without it those of the country. docs/outbound-law.md tells what they say.",
        ),
        Field(
            "registers",
            MapOf(Text("the name of a register", str, NAME_PATTERN, 40, "robinson"), whole(1, 366, "31"), "registers", 20),
            "The public do-not-call registers that bind marketing calls, by the name they are imported under, and how many days old "
            "an import may be.",
        ),
        Field(
            "holidays",
            ListOf(Text("a region of ISO 3166-2", str, r"[A-Z]{2}-[A-Za-z0-9]{1,10}", 13, "ES-MD"), 200),
            "Regions with holidays of their own, for presets under which nobody is called on holidays; the country's are known.",
        ),
        Field(
            "rules",
            rules,
            "What the site makes stricter than the preset, for all calls; a rule that is not named is as the preset says.",
        ),
        Field("overrides", overrides, "What the site allows beyond the preset, each with the reason."),
        Field(
            "own_calls",
            _own_calls,
            "Why agents call outside numbers from their phones: service or marketing; the law's gate judges each of these calls by it. "
            "They show one of `caller_ids`; without any none goes out.",
        ),
    ],
)
trunk = Group(
    "a trunk",
    TrunkSettings,
    [
        Field("endpoint", kinds.word, "The PJSIP endpoint.", hint="for example carrier"),
        Field("lines", whole(1, 5000, "30"), "Calls at once."),
        Field("calls_per_second", _rate, "New calls in a second."),
        Field("prefixes", ListOf(prefix, 200), "The beginnings of the numbers it is for; without them all."),
    ],
)
caller_id = Group(
    "a caller-ID",
    CallerIdSection,
    [
        Field(
            "answers_back",
            Flag(),
            "true: who calls the number back is answered, by its flow under `dids`. Only such numbers are shown.",
        ),
        Field(
            "prefixes",
            ListOf(prefix, 200),
            "The callees for whom it is meant first; without them those whose numbers begin most alike.",
        ),
        Field("calls_a_day", whole(1, 100_000, "100"), "Calls that it is shown for in 24 hours."),
    ],
)
retry = Group(
    "another try",
    RetryRule,
    [
        Field("after_s", duration(0, 366 * 86_400, "3600"), "How long after this outcome.", hint="for example 3600"),
        Field("tries", whole(1, 100, "3"), "How many tries with this outcome at most.", hint="for example 3"),
    ],
)
amd_table = Group(
    "amd",
    AmdSettings,
    [
        Field(
            "use",
            Choice(AmdUse),
            "off; on: what is taken for a machine is hung up on; confirm: it goes to an agent, who says whether it is one.",
        ),
        Field("initial_silence_ms", _milliseconds, "As AMD's initial_silence."),
        Field("greeting_ms", _milliseconds, "As AMD's greeting."),
        Field("after_greeting_silence_ms", _milliseconds, "As AMD's after_greeting_silence."),
        Field("total_analysis_ms", _milliseconds, "As AMD's total_analysis_time."),
        Field("min_word_ms", _milliseconds, "As AMD's min_word_length."),
        Field("between_words_silence_ms", _milliseconds, "As AMD's between_words_silence."),
        Field("max_words", whole(1, 100, "3"), "As AMD's maximum_number_of_words."),
        Field("silence_threshold", whole(0, 32_767, "256"), "As AMD's silence_threshold."),
        Field("max_word_ms", _milliseconds, "As AMD's maximum_word_length."),
    ],
)


class AmdWord:
    """A word, or the table."""

    expected = "off, on, confirm, or a table with use and the parameters of AMD"
    group = amd_table

    def read(self, reader: Reader, node: Node, path: PathInFile) -> AmdSettings | None:
        """The word alone takes the parameters as they come."""
        if isinstance(node, Scalar) and not node.is_nothing():
            use = Choice(AmdUse).read(reader, node, path)
            return None if use is None else AmdSettings(use=use)
        return self.group.read(reader, node, path)


costs = Group(
    "costs",
    CostFigures,
    [
        Field("currency", Text("a currency of three capital letters", str, r"[A-Z]{3}", 3, "EUR"), "The currency."),
        Field("agent_hour_minor", _minor, "An hour of an agent, in cents (or what the currency has)."),
        Field("call_minute_minor", _minor, "A minute of a call."),
        Field("attempt_minor", _minor, "An attempt, answered or not."),
        Field("lead_minor", _minor, "A lead."),
    ],
)
campaign = Group(
    "a campaign",
    CampaignSection,
    [
        Field("name", shown_name("the campaign's name"), "As it is shown.", hint="for example Winter offer"),
        Field(
            "mode",
            Choice(Mode),
            "manual, preview, progressive (one call for one reserved agent), power (a fixed number of calls for each free agent), "
            "predictive, agentless, callback_only.",
            hint="for example progressive",
        ),
        Field(
            "purpose",
            Choice(Purpose),
            "marketing, service, or requested (they asked to be called): it decides which rules bind.",
        ),
        Field("preset", _preset_name, "The rules of which country hold; without it as under `dialing`."),
        Field("rules", rules, "What is stricter in this campaign."),
        Field("overrides", overrides, "What is allowed beyond the rules of `dialing`, each with the reason."),
        Field("queue", kinds.queue, "Whose agents it is for. Required, but for agentless."),
        Field("flow", kinds.flow, "What the callees of an agentless campaign go through."),
        Field("skills", ListOf(_skill, 50), "Required of the agent, beside what the queue requires."),
        Field("hours", kinds.hours_name, "When it runs, by the site's clock; without it whenever people may be called."),
        Field(
            "lists",
            ListOf(_list_name, 50),
            "The lists of its leads (`ccserver leads`), by name, in this order; without it the one that is named as the campaign is.",
        ),
        Field("trunks", ListOf(_trunk, 20), "The trunks, in this order.", hint="define them under trunks"),
        Field(
            "caller_ids",
            ListOf(_caller_id, 1000),
            "The numbers of ours that may be shown.",
            hint="define them under caller_ids",
        ),
        Field("lines", whole(1, 5000, "30"), "Calls at once."),
        Field("calls_per_second", _rate, "New calls in a second."),
        Field(
            "lines_per_agent",
            Number(float, 1, 20, "1.5", "calls for an agent"),
            "Calls for each free agent: as many for power, at most for predictive.",
        ),
        Field("ring_s", duration(5, 120, "20"), "How long it rings; at least as the rules say."),
        Field("amd", AmdWord(), "Answering machine detection."),
        Field(
            "safe_harbour",
            kinds.prompt,
            "What is said to who answers and finds no agent: who called, a number, and the key against further calls. Required where a "
            "call may be abandoned.",
        ),
        Field("opt_out_key", Text("one of 0-9 * #", str, r"[0-9*#]", 1, '"9"'), "The key against further calls."),
        Field(
            "voicemail",
            kinds.prompt,
            "What is left on an answering machine, after its beep; without it machines are hung up on. With agentless, or amd: on. It "
            "is an automatic call: it needs consent to those.",
        ),
        Field(
            "whisper",
            ListOf(_lead_field, 5),
            "What an agent hears of a lead before it is dialled, with preview and progressive: `name`, or fields of the lead, each read "
            "out; without it nothing.",
        ),
        Field(
            "preview_s",
            duration(5, 3600, "60"),
            "With preview: how long the agent may think before the lead is dialled; then it is skipped.",
        ),
        Field(
            "inbound_level_percent",
            Number(float, 1, 100, "80", "percent"),
            "Agents who serve other queues too are lent to the campaign while so much of those queues' recent calls was answered in time; "
            "without it whenever no caller waits.",
        ),
        Field(
            "retry",
            MapOf(Text("an outcome", _outcome, r"[a-z_]{1,20}", 20, "busy"), retry, "outcomes", 20),
            "When it is tried again, by what came of it: busy, no_answer, rejected, congestion, cancelled, machine, abandoned, unknown. "
            "What is not named is not tried again.",
        ),
        Field(
            "retry_dispositions",
            MapOf(_disposition, retry, "dispositions", 100),
            "When it is tried again after a talk, by what the agent entered: one that means nothing, or person.",
        ),
        Field("dispositions", ListOf(_disposition, 500), "What agents may enter; without it what the queue says."),
        Field("wrap_up_s", duration(0, 3600, "30"), "Wrap-up; without it as in the queue."),
        Field(
            "record",
            recording_policy,
            "Which talks are recorded, if there is a section `recording`; it goes before what the number, the direction and the queue say.",
        ),
        Field("costs", costs, "What things cost, for key figures."),
    ],
    wrong={
        "max_abandon": "it stands under rules: max_abandon_percent",
        "max_abandon_percent": "it stands under rules",
        "calls_a_day": "it stands under rules",
        "cps": "it is written as calls_per_second",
        "list": "it is written as lists",
        "recording": "it is written as record",
        "inbound_level": "it is written in percent: inbound_level_percent",
    },
)
campaigns = MapOf(Text("a name for a campaign", CampaignId, NAME_PATTERN, 40, "winter"), campaign, "campaigns", 500)
trunks = MapOf(Text("a name for a trunk", TrunkId, NAME_PATTERN, 40, "main"), trunk, "trunks", 100)
caller_ids = MapOf(e164, caller_id, "caller-IDs", 5000)
