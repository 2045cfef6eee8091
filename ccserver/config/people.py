"""What can be written about agents, their phones and codes, and about callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.config import kinds, ways
from ccserver.config.edges import NumbersBy
from ccserver.config.kinds import NAME_PATTERN, duration, shown_name, whole
from ccserver.config.positions import Node, PathInFile, Scalar
from ccserver.config.recording_policy import policy as recording_policy
from ccserver.config.schema import Choice, Field, Flag, Group, ListOf, MapOf, Reader, Reference, SetOf, Text, hinted
from ccserver.core.ids import ClassOfServiceId, HoursId, Language, ReasonId, RoleId, SkillId, TeamId
from ccserver.core.recording_policy import RecordingPolicy
from ccserver.core.settings import (
    AgentRules,
    CallerRules,
    CallKeys,
    ClassOfService,
    DispositionMeaning,
    DispositionSettings,
    FeatureCodes,
    IdleReset,
    LoginRule,
    NumberKind,
    NumberMark,
    OfferRules,
    PhoneKind,
    Reach,
    ReasonSettings,
    RoleSettings,
    SupervisionNotice,
    WatchMode,
    WithheldPolicy,
)


# --- values between the file and the settings -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSection:
    skill: SkillId | None = None
    voice: str = ""
    numbers: NumbersBy = NumbersBy.SPEECH


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSection:
    name: str
    skills: Mapping[SkillId, int]
    pin_hash: str = ""
    language: Language | None = None
    team: TeamId | None = None
    supervisor: bool = False
    role: RoleId | None = None
    class_of_service: ClassOfServiceId | None = None
    shift: HoursId | None = None
    min_rest_s: float = 0.0
    share: int = 1
    record: RecordingPolicy | None = None
    capacity: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSection:
    notice: SupervisionNotice = SupervisionNotice.NONE


class OverText:
    """`own_team`, `all`, or teams: that they exist is seen with the agents."""

    expected = "own_team, all, or names of teams"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> tuple[Reach, frozenset[TeamId]] | None:
        """The reach, or None after telling what is wrong."""
        words = {each.value: each for each in Reach}
        if isinstance(node, Scalar) and node.text in words:
            return words[node.text], frozenset()
        named = _teams.read(reader, node, path)
        if named is None:
            return None
        if not named:
            reader.tell(path, hinted(f"expected {self.expected}, got an empty list", "for example own_team"), node.mark)
            return None
        return Reach.OWN_TEAM, frozenset(named)


_team = Text("the name of a team", TeamId, NAME_PATTERN, 40, "day")
_teams = ListOf(_team, 100)


class _Right(Enum):
    """What a role may list."""

    LISTEN = WatchMode.LISTEN.value
    WHISPER = WatchMode.WHISPER.value
    BARGE = WatchMode.BARGE.value
    TAKE_OVER = WatchMode.TAKE_OVER.value
    RECORDINGS = "recordings"


def _role(may: frozenset[_Right], over: tuple[Reach, frozenset[TeamId]]) -> RoleSettings:
    modes = frozenset(WatchMode(right.value) for right in may if right is not _Right.RECORDINGS)
    return RoleSettings(may=modes, over=over[0], teams=over[1], hears_recordings=_Right.RECORDINGS in may)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSection:
    kind: PhoneKind = PhoneKind.DESK
    endpoint: str = "PJSIP/{number}"
    outside_number: str | None = None
    auto_answer: bool = False

    def dialled(self, number: str, trunk: str) -> str:
        """What Asterisk dials to ring the phone with this extension."""
        if self.outside_number is not None:
            return f"PJSIP/{self.outside_number}@{trunk}"
        return self.endpoint.replace("{number}", number)


# --- people and what they share ---------------------------------------------------------------------------------------
capacity = MapOf(
    Text("a kind of interaction", str, NAME_PATTERN, 40, "voice"), whole(0, 100, "1"), "numbers by kind of interaction", 20
)
language = Group(
    "a language",
    LanguageSection,
    [
        Field("skill", kinds.skill, "The skill an agent needs for callers who chose this language; without it none."),
        Field(
            "voice",
            kinds.voice,
            "The voice of spoken texts and values, as the speech engine names it; without it the language's own.",
        ),
        Field(
            "numbers",
            Choice(NumbersBy),
            "Who says digits and numbers: `speech`, or `asterisk` with its own sounds (install those of the language).",
        ),
    ],
)
agent = Group(
    "an agent",
    AgentSection,
    [
        Field("name", shown_name("a person's name"), "Shown in lists."),
        Field(
            "skills",
            MapOf(kinds.skill, whole(1, 100, "50"), "skills with levels", 100),
            "The agent's skills, each with a level from 1 to 100.",
            hint="for example {sales: 50}",
            fallback={},
        ),
        Field("pin_hash", kinds.pin_hash, "The hashed PIN, made by `ccserver agent hash-pin`. Without it no login by phone."),
        Field("language", kinds.language, "Spoken to the agent; without it the default language."),
        Field("team", _team, "The team; without it none."),
        Field("supervisor", Flag(), "Whether the agent may do what supervisors do by phone, to everybody."),
        Field(
            "role",
            Reference("a role", ("roles",), RoleId),
            "What the agent may do to the talks of others; without it nothing, unless the agent is a supervisor.",
        ),
        Field(
            "class_of_service",
            Reference("a class of service", ("classes_of_service",), ClassOfServiceId),
            "What the agent may call and transfer to; without it internal numbers only.",
        ),
        Field("shift", kinds.hours_name, "The agent is logged out when these hours end; without it never."),
        Field("min_rest_s", duration(0, 3600, "10"), "At least so long between two calls, after wrap-up."),
        Field("share", whole(1, 100, "1"), "With weighted_random: the agent's share of the calls."),
        Field(
            "record", recording_policy, "Which of the agent's talks are recorded; without it as the queue says.", default=None
        ),
        Field("capacity", capacity, "How many interactions at once by kind, if not as `capacity` of the center."),
    ],
    wrong={
        "pin": "PINs are never written in plain text: put the line of ccserver agent hash-pin under pin_hash",
        "password": "put the line of ccserver agent hash-pin under pin_hash",
    },
)
phone = Group(
    "a phone",
    PhoneSection,
    [
        Field("kind", Choice(PhoneKind), "external: a number outside, where a call is accepted with the key 1."),
        Field(
            "endpoint",
            Text("a PJSIP endpoint", str, r"PJSIP/([A-Za-z0-9_.-]|\{number\}){1,60}", 70, "PJSIP/1001"),
            "What Asterisk dials; {number} stands for the extension.",
        ),
        Field("outside_number", ways.outside_number, "What is dialled for an external phone, over the trunk."),
        Field("auto_answer", Flag(), "Whether the phone is told to answer by itself."),
    ],
)
role = Group(
    "a role",
    _role,
    [
        Field(
            "may",
            SetOf(Choice(_Right)),
            "What is allowed: listen; whisper, which the agent hears; barge, which both hear; take_over.",
            hint="for example [listen, whisper]",
        ),
        Field(
            "over",
            OverText(),
            "Over whom: own_team, all, or the names of teams.",
            default=(Reach.OWN_TEAM, frozenset()),
        ),
    ],
    like=RoleSettings,
)
supervision = Group(
    "supervision",
    SupervisionSection,
    [
        Field(
            "notice",
            Choice(SupervisionNotice),
            "Who is told that somebody listens: none; tone: the agent, by a tone; announce: the agent and the customer, by a prompt.",
        ),
    ],
)
reason = Group(
    "a reason",
    ReasonSettings,
    [
        Field("code", kinds.code, "Typed after the not-ready code."),
        Field("name", shown_name("a reason's name"), "Shown in lists and reports."),
    ],
)
disposition = Group(
    "a disposition",
    DispositionSettings,
    [
        Field("code", kinds.code, "Typed during wrap-up."),
        Field("name", shown_name("a disposition's name"), "Shown in lists and reports."),
        Field(
            "means",
            Choice(DispositionMeaning),
            "What it means for the lead of a campaign: nothing; success; refused (does not want what we offer); call_back (at a time that "
            "the agent enters); wrong_number; do_not_call; machine (an answering machine it was); person (who was taken for one).",
        ),
    ],
)
class_of_service = Group(
    "a class of service",
    ClassOfService,
    [
        Field(
            "allows",
            SetOf(Choice(NumberKind)),
            "What may be called. Emergency numbers always may.",
            hint="for example [internal, local]",
        ),
        Field("calls_per_hour", whole(1, 1000, "20"), "Outside calls and transfers in an hour at most; without it no limit."),
    ],
)

# --- rules ------------------------------------------------------------------------------------------------------------
offers = Group(
    "offers",
    OfferRules,
    [
        Field(
            "missed_before_not_ready",
            whole(0, 100, "2"),
            "Offers not taken in a row until the agent is set not ready; 0 is never.",
        ),
        Field("missed_back_off_s", duration(0, 3600, "5"), "How long an agent who did not answer is spared."),
        Field("rejected_back_off_s", duration(0, 3600, "10"), "The same after rejecting."),
        Field("busy_back_off_s", duration(0, 3600, "10"), "The same when the phone was busy."),
        Field(
            "missed_reason",
            Reference("a reason", ("reasons",), ReasonId),
            "The reason shown when the system set the agent not ready.",
            hint="name one of the reasons",
        ),
    ],
)
agent_rules = Group(
    "agent_rules",
    AgentRules,
    [
        Field("login", Choice(LoginRule), "What a log-in does when the agent is logged in at another phone."),
        Field("idle_clock", SetOf(Choice(IdleReset)), "What starts an agent's idle clock anew, beside the end of a call."),
        Field(
            "headset_return_s", duration(0, 600, "30"), "A customer whose agent's headset line broke waits so long for them."
        ),
        Field("consult_ring_s", duration(5, 300, "20"), "How long a consulted colleague's phone rings."),
        Field(
            "transfer_ring_s",
            duration(5, 300, "20"),
            "How long the phone of a transfer's target rings, or of who is invited into a conference.",
        ),
    ],
)
_feature = Text("a code of 1 to 4 digits, without the *", str, r"[0-9]{1,4}", 8, "11")
FEATURES: Mapping[str, str] = {
    "login": "Log in: agent number, then PIN. The number may follow at once.",
    "logout": "Log out; during a call, after it.",
    "not_ready": "Not ready: the reason's code is asked for, or follows at once. During a call, after it.",
    "ready": "Ready.",
    "end_wrap_up": "End the wrap-up.",
    "state": "Hear the own state.",
    "disposition": "Enter the disposition; its code follows.",
    "headset": "This call stays connected: calls come on it without ringing.",
    "figures": "Hear today's calls and the minutes in them.",
    "extend_wrap_up": "More time for the wrap-up, where the queue allows it.",
    "block_number": "Supervisors: block the present or the last caller's number.",
    "vip_number": "Supervisors: put the present or the last caller's number first from now on.",
    "echo_test": "Hear oneself: a test of the line.",
    "close_hours": "Supervisors: close opening hours, or open them again; their code is asked for, or follows at once.",
    "record_prompt": "Supervisors: record a prompt; its code is asked for, or follows at once.",
    "listen": "By role: hear an agent's calls; the agent's number is asked for, or follows at once.",
    "whisper": "By role: the same, and the agent hears you.",
    "barge": "By role: the same, and the agent and the customer hear you.",
    "take_over": "By role: take over the call of an agent.",
    "listen_queue": "By role: hear the next call of a queue; the queue's number is asked for, or follows at once.",
    "recordings": "By role: hear recordings of an agent's calls; the agent's number is asked for, or follows at once.",
    "next_lead": "The next lead of a campaign in which agents dial by themselves.",
    "conference": "Into a conference: its number is asked for, or follows at once; then its PIN.",
}
"""What each code does, as the reference and the guide for agents tell it."""
features = Group("features", FeatureCodes, [Field(name, _feature, doc) for name, doc in FEATURES.items()])

_key = Text("a key of * and 1 to 3 digits", str, r"\*[0-9]{1,3}", 4, '"*1"')
KEYS: Mapping[str, str] = {
    "release": "Let the customer go; a headset stays connected.",
    "transfer": "Transfer: the customer waits, and the number of the target is typed. In a consultation: hand the customer over.",
    "consult": "Consult: the customer waits, and the number of the colleague is typed. In a conference: the others talk on meanwhile.",
    "conference": "In a consultation: all talk together.",
    "record": "Record from here on, where it is done on demand; or keep what was recorded from the start.",
    "pause_recording": "Pause the recording; again: go on.",
    "objection": "The customer objects: nothing more is recorded, and what was recorded of the call is deleted.",
    "help": "Call for help: whoever watches the events is told.",
    "malicious": "Mark the call as malicious.",
    "send_to_flow": "Send the customer into a flow and get them back: its code and # follow.",
    "back": "Out of a consultation, back to the customer; in a conference: the others leave.",
}
"""What each key does."""
keys = Group("keys", CallKeys, [Field(name, _key, doc) for name, doc in KEYS.items()])

_marked = Text(
    "a number with its country code, or its beginning and *", str, r"\+[0-9]{2,15}\*?", 17, '"+34910000001" or "+3491*"'
)
callers = Group(
    "callers",
    CallerRules,
    [
        Field("marks", MapOf(_marked, Choice(NumberMark), "marks by number"), "Numbers that are blocked or VIP.", default={}),
        Field("withheld", Choice(WithheldPolicy), "What is done with calls without a number."),
        Field("vip_priority", ways.priority, "The priority of VIP callers."),
    ],
)
