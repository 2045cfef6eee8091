"""Records of a small center, for tests to vary."""

from dataclasses import replace

from ccserver.core.dialer.verdict import Refusal
from ccserver.core.ids import (
    AgentId,
    FlowId,
    InteractionId,
    Language,
    LegId,
    NodeId,
    PhoneId,
    QueueId,
    RoomId,
    TrunkId,
    WatchId,
)
from ccserver.core.records import (
    AgentStateRecord,
    AuditRecord,
    CallbackOutcome,
    CallbackRecord,
    ConferenceMemberRecord,
    ConferenceRecord,
    ConsentKind,
    ConsentRecord,
    DialKind,
    EndedBy,
    FaultRecord,
    FlowEnd,
    FlowRecord,
    FlowStep,
    InteractionRecord,
    LegSide,
    MarkRecord,
    MemberEnd,
    MessageRecord,
    NoticeKind,
    NoticeRecord,
    ObjectionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    OwnCallRecord,
    QualityRecord,
    Record,
    RecordingRecord,
    RefusedDialRecord,
    RepairKind,
    RepairRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    StepHow,
    Stream,
    SurveyRecord,
    TransferKind,
    TransferOutcome,
    TransferRecord,
    TrunkRecord,
    VisitOutcome,
    VisitRecord,
    WatchRecord,
)
from ccserver.core.settings import NumberKind, SurveyKind, WatchMode

NOON_S = 1_767_268_800.0  # 2026-01-01 12:00 UTC
SALES = QueueId("sales")
ANNA = AgentId("201")


def a_call(number: int = 1, /, **changes: object) -> InteractionRecord:
    call = InteractionRecord(
        interaction=InteractionId(number),
        kind="voice",
        leg=LegId("main", f"1767268800.{number}"),
        did="1000",
        caller_number="+493012345",
        caller_name="Müller",
        language=Language("de"),
        queue=SALES,
        agent=ANNA,
        outcome=Outcome.ANSWERED,
        ended_by=EndedBy.CUSTOMER,
        disposition=None,
        arrived_utc_s=NOON_S,
        ended_utc_s=NOON_S + 100,
        wait_s=10.0,
        talk_s=80.0,
    )
    return replace(call, **changes)


def a_segment(number: int = 1, /, **changes: object) -> SegmentRecord:
    segment = SegmentRecord(
        interaction=InteractionId(number), number=0, kind=SegmentKind.WAIT, started_utc_s=NOON_S, duration_s=10.0, queue=SALES
    )
    return replace(segment, **changes)


def a_visit(number: int = 1, /, **changes: object) -> VisitRecord:
    visit = VisitRecord(
        interaction=InteractionId(number),
        number=0,
        queue=SALES,
        entered_utc_s=NOON_S,
        wait_s=10.0,
        outcome=VisitOutcome.ANSWERED,
        is_within_service_level=True,
        agent=ANNA,
    )
    return replace(visit, **changes)


def an_offer(number: int = 1, /, **changes: object) -> OfferRecord:
    offer = OfferRecord(
        interaction=InteractionId(number),
        number=0,
        queue=SALES,
        agent=ANNA,
        phone=PhoneId("PJSIP/1001"),
        leg=LegId("main", "ccmain-000001-00000001"),
        offered_utc_s=NOON_S + 8,
        ring_s=2.0,
        outcome=OfferOutcome.ANSWERED,
        why="idle longest",
    )
    return replace(offer, **changes)


def a_state(**changes: object) -> AgentStateRecord:
    state = AgentStateRecord(
        agent=ANNA,
        state=ShownState.READY,
        reason=None,
        phone=PhoneId("PJSIP/1001"),
        started_utc_s=NOON_S,
        duration_s=60.0,
    )
    return replace(state, **changes)


def a_recording(number: int = 1, /, **changes: object) -> RecordingRecord:
    recording = RecordingRecord(
        interaction=InteractionId(number),
        number=0,
        agent=ANNA,
        leg=LegId("main", "ccmain-000001-00000001"),
        path=f"/var/spool/asterisk/cc/{number}-0",
        started_utc_s=NOON_S,
        duration_s=80.0,
    )
    return replace(recording, **changes)


def a_notice(interaction: int = 1, /, **changes: object) -> NoticeRecord:
    notice = NoticeRecord(
        interaction=InteractionId(interaction),
        number=0,
        kind=NoticeKind.RINGING,
        at_utc_s=NOON_S,
        caller_number="+493012345",
        caller_name="Müller",
        did="1000",
        language=Language("de"),
        queue=SALES,
        agent=ANNA,
        phone=PhoneId("PJSIP/1001"),
        data={"order": "4711"},
    )
    return replace(notice, **changes)


def steps(*walked: str, flow: str = "main") -> tuple[FlowStep, ...]:
    """`menu`, `menu no_input`, `menu 2 invalid`: the node, the tries that led to another, how it was left."""
    made = []
    for one in walked:
        node, *rest = one.split()
        repeats = int(rest.pop(0)) if rest and rest[0].isdigit() else 0
        made.append(FlowStep(FlowId(flow), NodeId(node), StepHow(rest[0] if rest else "passed"), repeats))
    return tuple(made)


def a_passage(number: int = 1, /, **changes: object) -> FlowRecord:
    passage = FlowRecord(
        interaction=InteractionId(number),
        number=0,
        version="v1",
        started_utc_s=NOON_S,
        duration_s=10.0,
        end=FlowEnd.TO_PEOPLE,
        steps=steps("welcome", "menu 1", "sales"),
    )
    return replace(passage, **changes)


def an_answer(number: int = 1, /, **changes: object) -> SurveyRecord:
    answer = SurveyRecord(
        interaction=InteractionId(number),
        number=0,
        kind=SurveyKind.CSAT,
        question="rate",
        score=5,
        queue=SALES,
        agent=ANNA,
        at_utc_s=NOON_S,
    )
    return replace(answer, **changes)


def one_of_each(number: int = 1) -> list[Record]:
    return [
        a_segment(number),
        a_visit(number),
        an_offer(number),
        a_state(),
        a_recording(number),
        RepairRecord(kind=RepairKind.LEG_GONE, what="main/1", at_utc_s=NOON_S, interaction=InteractionId(number)),
        FaultRecord(interaction=None, reason="KeyError: 7", at_utc_s=NOON_S),
        TransferRecord(
            interaction=InteractionId(number),
            number=0,
            kind=TransferKind.CONSULT,
            agent=ANNA,
            to="202",
            started_utc_s=NOON_S,
            duration_s=4.0,
            outcome=TransferOutcome.DONE,
        ),
        ConferenceRecord(
            conference=InteractionId(number + 2),
            room=RoomId("monday"),
            made_by="",
            started_utc_s=NOON_S,
            duration_s=600.0,
            members=3,
            most_at_once=2,
        ),
        ConferenceMemberRecord(
            conference=InteractionId(number + 2),
            room=RoomId("monday"),
            leg=LegId("main", "1767268800.12"),
            agent=ANNA,
            phone=PhoneId("PJSIP/1001"),
            caller_number=None,
            interaction=None,
            is_moderator=True,
            joined_utc_s=NOON_S,
            duration_s=300.0,
            end=MemberEnd.LEFT,
        ),
        OwnCallRecord(
            agent=ANNA,
            phone=PhoneId("PJSIP/1001"),
            leg=LegId("main", "1767268800.9"),
            to="0049301",
            kind=NumberKind.INTERNATIONAL,
            is_allowed=False,
            started_utc_s=NOON_S,
            duration_s=0.0,
        ),
        RefusedDialRecord(
            kind=DialKind.CALLBACK,
            number="+493012345",
            reason=Refusal.OUTSIDE_WINDOW,
            says="nobody is called at this hour",
            until_utc_s=NOON_S + 3600,
            agent=ANNA,
            phone=None,
            interaction=InteractionId(number + 1),
            at_utc_s=NOON_S,
        ),
        CallbackRecord(
            interaction=InteractionId(number + 1),
            call=InteractionId(number),
            queue=SALES,
            number="+493012345",
            confirmed_by="1",
            asked_utc_s=NOON_S,
            tries=1,
            outcome=CallbackOutcome.DONE,
            ended_utc_s=NOON_S + 50,
        ),
        MessageRecord(interaction=InteractionId(number), queue=SALES, path="/m/1.wav", started_utc_s=NOON_S, duration_s=7.5),
        MarkRecord(interaction=InteractionId(number), agent=ANNA, what="malicious", at_utc_s=NOON_S),
        AuditRecord(by="root", act="queue.close", what="sales", is_done=True, at_utc_s=NOON_S),
        WatchRecord(
            watch=WatchId(3),
            number=0,
            by="root",
            supervisor=None,
            phone=PhoneId("PJSIP/1003"),
            agent=ANNA,
            interaction=InteractionId(number),
            mode=WatchMode.WHISPER,
            started_utc_s=NOON_S,
            duration_s=12.5,
        ),
        a_notice(number),
        a_passage(number),
        an_answer(number),
        ConsentRecord(
            interaction=InteractionId(number),
            kind=ConsentKind.GRANTED,
            language=Language("de"),
            flow=FlowId("main"),
            node=NodeId("may_we"),
            at_utc_s=NOON_S,
        ),
        ObjectionRecord(interaction=InteractionId(number), agent=ANNA, at_utc_s=NOON_S + 40),
        QualityRecord(
            interaction=InteractionId(number),
            leg=LegId("pbx", f"{number}.1"),
            side=LegSide.CUSTOMER,
            agent=None,
            codec="ulaw",
            received=Stream(packets=900, lost=100, jitter_ms=2.5),
            sent=None,
            rtt_ms=None,
            mos=3.4,
            at_utc_s=NOON_S + 60,
        ),
        a_call(number),
        TrunkRecord(trunk=TrunkId("carrier"), is_down=True, why="503", at_utc_s=NOON_S),
    ]
