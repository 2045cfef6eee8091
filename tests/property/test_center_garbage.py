"""Events nobody would send, about things nobody knows, in any order: the core never raises, and the totals still balance."""

from typing import Any

from call_sheets import any_sheet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.codec import decode, dump, encode, parse
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    CommandId,
    HoursId,
    InteractionId,
    LegId,
    PhoneId,
    PromptId,
    QueueId,
    ReasonId,
    RequestId,
    RoomId,
    SessionId,
    SkillId,
    TrunkId,
    WatchId,
)
from ccserver.core.invariants import check
from ccserver.core.moment import Moment
from ccserver.core.records import Attestation, KeptRecording, PhoneState, Stream
from ccserver.core.settings import (
    EVERYBODY,
    ConferenceSettings,
    HasSkill,
    NoneOf,
    NumberKind,
    NumberMark,
    Strategy,
    WatchMode,
)
from ccserver.core.state import CenterState
from ccserver.sim.full_sample import full_center
from ccserver.sim.sample import DID

SETTINGS = full_center(3, Strategy.RING_ALL).settings
LEGS = st.sampled_from(
    [LegId("pbx", name) for name in ("1.1", "1.2", "1.3", "ccpbx-000001-00000001", "ccpbx-000001-00000002", "", "x" * 300)]
    + [LegId("other", "1.1")]
)
SESSIONS = st.sampled_from([SessionId(name) for name in ("s1", "s2", "s3", "s4")])
COMMANDS = st.builds(CommandId, st.integers(0, 30), st.integers(0, 3))
PHONES = st.sampled_from([*SETTINGS.phones, PhoneId("PJSIP/none")])
AGENTS = st.sampled_from([*SETTINGS.agents, AgentId("404")])
TEXT = st.text(max_size=12)
BRIDGES = st.sampled_from(["b1", "b2", ""])

VIEWS = st.builds(
    ev.ChannelView,
    leg=LEGS,
    channel=TEXT,
    is_up=st.booleans(),
    bridge=st.none() | BRIDGES,
    application=st.sampled_from(["AGI", "Bridge", "Dial", "AppDial2", ""]),
    context=st.sampled_from(["cc-call", "cc-agent", "cc-phones", "cc-overflow", "elsewhere"]),
)
STREAMS = st.builds(Stream, packets=st.integers(-5, 10**9), lost=st.integers(-30, 10**9), jitter_ms=st.floats(-1.0, 1e9))
ROOMS = st.sampled_from([RoomId("board"), RoomId("made"), RoomId("")])
MEMBERS = st.builds(ev.MemberView, leg=LEGS, channel=TEXT, is_moderator=st.booleans(), is_muted=st.booleans())
ROOM_VIEWS = st.builds(ev.RoomView, room=ROOMS, is_locked=st.booleans(), members=st.lists(MEMBERS, max_size=3).map(tuple))
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "session": SESSIONS,
    "leg": LEGS,
    "command": COMMANDS,
    "phone": PHONES,
    "agent": AGENTS,
    "channel": TEXT,
    "bridge": BRIDGES,
    "pbx": st.sampled_from(["pbx", "other"]),
    "did": st.sampled_from([DID, "", "999"]),
    "caller_number": st.none() | TEXT,
    "number_as_given": TEXT,
    "caller_name": TEXT,
    "digits": st.text("0123456789*#", max_size=6),
    "digit": st.sampled_from(["", "1", "#", "*", "2", "0"]),
    "end": st.sampled_from(ev.VerbEnd),
    "is_ok": st.none() | st.booleans(),
    "reason": st.sampled_from([ReasonId("lunch"), ReasonId("none")]),
    "request": st.integers(0, 50).map(RequestId),
    "interaction": st.integers(0, 6).map(InteractionId),
    "cause": st.sampled_from([0, 3, 16, 17, 19, 21, 34, 127, -1]),
    "tech_cause": st.sampled_from([0, 480, 486, 603, 999]),
    "state": st.sampled_from(PhoneState),
    "codec": TEXT,
    "received": STREAMS,
    "sent": st.none() | STREAMS,
    "rtt_ms": st.none() | st.floats(-1.0, 1e9),
    "uptime_s": st.floats(0, 1e6),
    "asked_at_s": st.floats(-10.0, 400.0),
    "channels": st.lists(VIEWS, max_size=4).map(tuple),
    "phones": st.dictionaries(PHONES, st.sampled_from(PhoneState), max_size=3),
    "incarnation": st.integers(1, 5),
    "first_interaction": st.integers(1, 5).map(InteractionId),
    "settings": st.just(SETTINGS),
    "transferrer": LEGS,
    "second": LEGS,
    "transferee": LEGS,
    "target": LEGS,
    "target_channel": TEXT,
    "to": TEXT,
    "number": TEXT,
    "duration_s": st.floats(0, 100),
    "by": TEXT,
    "note": TEXT,
    "subject": TEXT,
    "skill": st.sampled_from([SkillId("sales"), SkillId("none")]),
    "level": st.none() | st.integers(-1, 101),
    "priority": st.integers(-1, 11),
    "queue": st.sampled_from([*SETTINGS.queues, QueueId("none")]),
    "prompt": st.none() | st.just(PromptId("cc-closed")),
    "mark": st.none() | st.sampled_from(NumberMark),
    "requires": st.sampled_from([EVERYBODY, HasSkill(SkillId("sales"), 50), NoneOf((HasSkill(SkillId("none")),))]),
    "is_taken": st.booleans(),
    "is_failed": st.booleans(),
    "token": TEXT,
    "result": TEXT,
    "values": st.dictionaries(TEXT, TEXT | st.booleans() | st.floats(-1e9, 1e9), max_size=3),
    "hours": st.sampled_from([*SETTINGS.hours, HoursId("none")]),
    "act": st.sampled_from(ev.RecordingAct),
    "campaign": st.sampled_from([CampaignId("winter"), CampaignId("none")]),
    "list": TEXT,
    "trunk": st.sampled_from([TrunkId("first"), TrunkId("none")]),
    "attempt": st.sampled_from([AttemptId("a-1"), AttemptId("none")]),
    "attestation": st.sampled_from(Attestation),
    "heard": st.sampled_from(ev.Heard),
    "rooms": st.lists(ROOM_VIEWS, max_size=2).map(tuple),
    "room": ROOMS,
    "member": st.none() | st.integers(-1, 4),
    "config": st.builds(ConferenceSettings, number=TEXT, max_members=st.integers(1, 3), record=st.booleans()),
    "is_moderator": st.booleans(),
    "is_muted": st.booleans(),
    "is_locked": st.booleans(),
    "watch": st.integers(0, 4).map(WatchId),
    "mode": st.sampled_from(WatchMode),
    "until_utc_s": st.none() | st.floats(1_767_600_000.0, 1_767_700_000.0),
}
SPECIAL: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "RingEnded": {"is_ok": st.booleans(), "reason": st.integers(0, 8)},
    "CommandFailed": {"reason": TEXT},
    "LookedUp": {"end": st.sampled_from(ev.LookUpEnd)},
    "LeadsClaimed": {
        "leads": st.just(()),
        "ready": st.integers(0, 5),
        "next_utc_s": st.none() | st.floats(1_767_600_000.0, 1_767_700_000.0),
    },
    "AttemptStored": {"sheet": st.none() | any_sheet, "why": TEXT, "end": st.sampled_from(ev.StoreEnd)},
    "OwnDialEnded": {
        "end": st.sampled_from(ev.DialEnd),
        "cause": st.integers(0, 127),
        "talk_s": st.floats(0.0, 9999.0),
    },
    "PromptKept": {"is_ok": st.booleans()},
    "RecordingOpened": {
        "end": st.sampled_from(ev.OpenEnd),
        "kept": st.none() | st.builds(KeptRecording, interaction=st.integers(0, 6).map(InteractionId)),
        "agents": st.lists(AGENTS, max_size=2).map(tuple),
        "path": TEXT,
    },
    "MessageMeasured": {"duration_s": st.none() | st.floats(0, 100), "ended_utc_s": st.none() | st.floats(0, 2e9)},
    "InteractionFaulted": {"reason": TEXT, "interaction": st.none() | st.integers(0, 6).map(InteractionId)},
    "FeatureDialled": {"phone": st.none() | PHONES},
    "OwnCallDialled": {"phone": st.none() | PHONES, "kind": st.sampled_from(NumberKind)},
    "EmergencyDialled": {"phone": st.none() | PHONES},
    "TransferAsked": {"kind": st.sampled_from(NumberKind)},
    "NumberCollected": {"kind": st.sampled_from(NumberKind)},
    "ConferenceRequested": {"act": st.sampled_from(ev.ConferenceAct)},
    "InvitationRequested": {"who": AGENTS | TEXT, "kind": st.sampled_from(NumberKind)},
    "WatchRequested": {
        "agent": st.none() | AGENTS,
        "queue": st.none() | st.sampled_from([*SETTINGS.queues, QueueId("none")]),
    },
    "WorkRequested": {"kind": st.sampled_from(["mail", "voice", ""])},
}
KINDS = list(ev.Event.__args__)  # type: ignore[attr-defined]


def _any(kind: type) -> st.SearchStrategy[Any]:
    fields = kind.__dataclass_fields__  # type: ignore[attr-defined]
    special = SPECIAL.get(kind.__name__, {})
    return st.builds(kind, **{name: special.get(name, KNOWN.get(name)) for name in fields})


EVENTS = st.one_of([_any(kind) for kind in KINDS])
STEPS = st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.0, 0.01, 1.0, 5.0, 30.0])), max_size=60)
TOTALS = (" offered", " in time, ", " no counters", "both at", "calls at once", "is the caller of")
"""What must hold even for nonsense; the rest presumes a PBX that means something."""


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_nonsense_never_raises_and_never_unbalances(steps: list[tuple[ev.Event, float]]) -> None:
    center, at_s = CallCenter(SETTINGS), 0.0
    opening: list[ev.Event] = [
        ev.CenterStarted(incarnation=1, first_interaction=InteractionId(1)),
        ev.SettingsLoaded(settings=SETTINGS),
        ev.LinkUp(pbx="pbx", uptime_s=5.0),
        ev.PbxObserved(pbx="pbx", asked_at_s=0.0, channels=(), phones=dict.fromkeys(SETTINGS.phones, PhoneState.IDLE)),
    ]
    for event, wait_s in [*((event, 0.0) for event in opening), *steps]:
        at_s += wait_s
        now = Moment(at_s, 1_767_600_000.0 + at_s)
        due = center.next_deadline()
        if due is not None and due <= at_s:
            center.on_deadline(now)
        center.handle(event, now)
        findings = [found for found in check(center.snapshot(), SETTINGS) if any(word in found for word in TOTALS)]
        assert findings == [], f"after {event!r}: {findings}"
    state = center.snapshot()
    read = decode(CenterState, parse(dump(state)))
    assert encode(read) == encode(state)
    again, now = CallCenter.restore(read), Moment(at_s + 1.0, 1_767_600_001.0 + at_s)
    assert again.handle(ev.DeadlineReached(), now) == center.handle(ev.DeadlineReached(), now)
