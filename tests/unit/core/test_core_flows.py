"""Callers in flows: every kind of node, and each way out of it."""

from dataclasses import replace

import pytest
from desk import a_queue, spoken
from flow_desk import EXITS, FlowDesk, N, T, a_flow, asks, equals, value
from rules import obey

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.checksums import Checksum
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CampaignSettings, DialingSettings
from ccserver.core.dialer.terms import Mode
from ccserver.core.expressions import Apply, Arithmetic, Both, Compare, Comparison, Compute, Expression, Function, Literal, Name
from ccserver.core.ids import LegId
from ccserver.core.records import (
    Attestation,
    DoNotCallRecord,
    DoNotCallSource,
    FlowEnd,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    Outcome,
    ShownState,
    SurveyRecord,
)
from ccserver.core.settings import (
    BranchNode,
    CallbackNode,
    CallNode,
    Case,
    DidSettings,
    DoneNode,
    DoNotCallNode,
    ExtensionNode,
    Flow,
    FlowExits,
    HangUpNode,
    HoursNode,
    LanguageChoiceNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    NumberNode,
    OpeningHours,
    SayNode,
    ScriptNode,
    SecretNode,
    SecretRule,
    SetNode,
    Spoken,
    SpokenKind,
    SurveyKind,
    SurveyNode,
)
from ccserver.daemon.requests import live_call

TOLD = SayNode(say=(value(SpokenKind.DIGITS, Name("order")),), next="bye")


# --- collecting ---------------------------------------------------------------------------------------------------------
def test_digits_are_collected_into_a_variable_and_said() -> None:
    desk = FlowDesk(a_flow(start=asks(), told=TOLD))
    caller = desk.dial()
    (ask,) = desk.told(c.Collect)
    assert (ask.max_digits, ask.terminator, ask.say) == (6, "#", spoken("which"))
    desk.types(caller, "00123")
    assert desk.told(c.Say)[0].say == (Spoken(SpokenKind.DIGITS, "00123"),)
    desk.prompt_ends(caller)
    assert desk.said == ["bye"]
    desk.prompt_ends(caller)
    desk.hangs_up(caller)
    assert desk.passages() == [(FlowEnd.ENDED, "start told bye")]


@pytest.mark.parametrize(("typed", "words"), [("12", "cc-invalid-input"), ("12*4", "cc-invalid-input"), ("", "cc-no-input")])
def test_what_is_no_answer_is_asked_again_and_leaves_by_its_exit(typed: str, words: str) -> None:
    desk = FlowDesk(a_flow(start=asks(), told=TOLD))
    caller = desk.dial()
    desk.types(caller, typed)
    assert desk.said == [words, "which"]
    desk.types(caller, typed)
    assert desk.said == ["silent" if typed == "" else "wrong"]


def test_a_nodes_own_way_out_comes_before_that_of_the_flow() -> None:
    desk = FlowDesk(a_flow(start=asks(tries=1, on_invalid="people"), told=TOLD))
    desk.types(desk.dial(), "1")
    assert desk.ring()


def test_an_input_is_read_back_and_taken_only_when_confirmed() -> None:
    desk = FlowDesk(a_flow(start=asks(confirm=True, tries=3), told=TOLD))
    caller = desk.dial()
    desk.types(caller, "1234")
    assert desk.said == ["cc-collect-confirm", "1234", "cc-collect-correct"] and not desk.variables()
    desk.types(caller, "2")
    assert desk.said == ["which"]
    desk.types(caller, "4321")
    desk.types(caller, "1")
    assert desk.said == ["4321"] and desk.variables() == {"order": "4321"}


def test_silence_at_the_confirmation_asks_it_again_and_then_leaves() -> None:
    desk = FlowDesk(a_flow(start=asks(confirm=True), told=TOLD))
    caller = desk.dial()
    desk.types(caller, "1234")
    desk.types(caller, "")
    assert desk.said[0] == "cc-collect-confirm"
    desk.types(caller, "")
    assert desk.said == ["silent"]


def test_a_dni_is_read_back_and_kept_with_its_letter() -> None:
    desk = FlowDesk(a_flow(start=asks(checksum=Checksum.DNI, min_digits=8, max_digits=8), told=TOLD))
    caller = desk.dial()
    desk.types(caller, "12345678")
    assert desk.said == ["cc-collect-confirm", "12345678", "Z", "cc-collect-correct"]
    desk.types(caller, "1")
    assert desk.variables() == {"order": "12345678Z"}


def test_a_wrong_checksum_is_invalid() -> None:
    desk = FlowDesk(a_flow(start=asks(checksum=Checksum.LUHN, min_digits=12, max_digits=19), told=TOLD))
    caller = desk.dial()
    desk.types(caller, "4111111111111112")
    assert desk.said[0] == "cc-invalid-input"
    desk.types(caller, "4111111111111111")
    assert desk.variables() == {"order": "4111111111111111"}


def test_a_new_session_asks_from_the_beginning_and_keeps_the_tries() -> None:
    desk = FlowDesk(a_flow(start=asks(confirm=True), told=TOLD))
    caller = desk.dial()
    desk.types(caller, "1")
    desk.types(caller, "1234")
    desk.closes(caller)
    assert desk.said == ["which"]
    desk.types(caller, "1")
    assert desk.said == ["wrong"]


# --- the operator's key -------------------------------------------------------------------------------------------------
def test_the_operators_key_leads_out_of_a_menu_to_people() -> None:
    menu = MenuNode(say=spoken("menu"), choices={"1": "bye"}, timeout_s=3.0, tries=2)
    desk = FlowDesk(a_flow(start=menu))
    caller = desk.dial()
    assert desk.told(c.Collect)[0].complete == ("0", "1")
    desk.types(caller, "0")
    assert desk.ring() and desk.passages() == [(FlowEnd.TO_PEOPLE, "start!operator people")]


def test_a_choice_wins_over_the_operators_key() -> None:
    menu = MenuNode(say=spoken("menu"), choices={"0": "bye"}, timeout_s=3.0, tries=2)
    desk = FlowDesk(a_flow(start=menu))
    desk.types(desk.dial(), "0")
    assert desk.said == ["bye"]


def test_the_operators_key_alone_leads_out_of_a_question_that_cannot_take_it_as_an_answer() -> None:
    desk = FlowDesk(a_flow(start=asks(), told=TOLD))
    desk.types(desk.dial(), "0")
    assert desk.ring()


def test_a_question_that_takes_one_digit_has_no_operators_key_among_the_digits() -> None:
    desk = FlowDesk(a_flow(start=asks(min_digits=1), told=TOLD))
    desk.types(desk.dial(), "0")
    assert desk.variables() == {"order": "0"}


def test_an_operators_key_with_a_star_needs_no_end() -> None:
    flow = replace(a_flow(start=asks(), told=TOLD), exits=replace(EXITS, operator_key="*0"))
    desk = FlowDesk(flow)
    caller = desk.dial()
    assert desk.told(c.Collect)[0].complete == ("*0",)
    desk.types(caller, "*0")
    assert desk.ring()


# --- branches, values and what is known -----------------------------------------------------------------------------------
def by(when: object, **flow: object) -> FlowDesk:
    branch = BranchNode(cases=(Case(when, "people"),), otherwise="bye")
    return FlowDesk(a_flow(start=branch), **flow)


@pytest.mark.parametrize(
    ("when", "is_true"),
    [
        (Apply(Function.STARTS_WITH, (Name("caller.number"), Literal("+34"))), True),
        (Name("caller.is_withheld"), False),
        (equals("call.did", "800"), True),
        (equals("call.language", "es"), False),
        (equals("now.weekday", "friday"), True),
        (equals("now.hour", 8.0), True),
        (equals("now.date", "2027-01-15"), True),
        (equals("order", ""), True),
        (Compare(Comparison.AT_LEAST, Name("queue.sales.staffed"), Literal(1.0)), True),
        (Compare(Comparison.LESS, Name("queue.sales.expected_wait_s"), Literal(60.0)), True),
        (equals("queue.sales.ready", 1.0), True),
        (equals("queue.sales.waiting", 0.0), True),
        (Name("queue.sales.is_open"), True),
        (Name("hours.never.is_open"), False),
        (Both((Name("hours.mornings.is_open"), Name("queue.sales.is_open"))), True),
    ],
)
def test_a_branch_goes_by_what_is_known(when: object, is_true: bool) -> None:
    desk = by(when)
    desk.dial()
    assert bool(desk.told(c.RingAgent)) is is_true


def test_nobody_there_shows_in_the_queues_figures() -> None:
    branch = BranchNode(
        cases=(
            Case(
                Both((equals("queue.sales.staffed", 0.0), equals("queue.sales.expected_wait_s", 86_400.0))),
                "bye",
            ),
        ),
        otherwise="people",
    )
    desk = FlowDesk(a_flow(start=branch), agents=1)
    desk.tell(ev.LogoutRequested(request=9, agent="101"))
    desk.dial()
    assert desk.said == ["bye"]


def test_set_changes_variables_one_after_the_other_and_tells_data() -> None:
    chosen = SetNode(
        next="people",
        variables={
            "amount": Compute(Arithmetic.PLUS, Name("amount"), Literal(2.0)),
            "order": Apply(Function.TEXT, (Name("amount"),)),
        },
        data={"order": Name("order"), "call": Name("call.number")},
        priority=7,
    )
    desk = FlowDesk(a_flow(start=chosen))
    desk.dial()
    call = desk.center.snapshot().interactions[1]
    assert call.variables == {"amount": 2.0, "order": "2"} and call.data == {"order": "2", "call": "1"}
    assert call.visit is not None and call.visit.priority == 7


def test_what_is_said_carries_the_values_as_an_edge_takes_them() -> None:
    given = SetNode(
        next="says",
        variables={"amount": Literal(1234.5), "order": Literal("2026-12-25T14:05:00")},
    )
    says = SayNode(
        say=(
            value(SpokenKind.MONEY, Name("amount"), "EUR"),
            value(SpokenKind.NUMBER, Name("amount")),
            value(SpokenKind.DATE, Name("order")),
            value(SpokenKind.TIME, Name("order")),
            value(SpokenKind.DURATION, Literal(90.0)),
            value(SpokenKind.TEXT, Name("caller.name")),
            value(SpokenKind.DATE, Literal("soon")),
            Spoken(SpokenKind.EXPECTED_WAIT, "sales"),
            Spoken(SpokenKind.CALL_NUMBER, ""),
        ),
        next="bye",
    )
    desk = FlowDesk(a_flow(start=given, says=says))
    desk.dial()
    assert [(p.kind.value, p.value) for p in desk.told(c.Say)[0].say] == [
        ("money", "1234.50 EUR"),
        ("number", "1234.5"),
        ("date", "2026-12-25"),
        ("time", "14:05"),
        ("duration", "90"),
        ("text", "soon"),
        ("duration", "0"),
        ("digits", "1"),
    ]


# --- where a caller is --------------------------------------------------------------------------------------------------
def test_a_live_call_tells_the_node_the_caller_is_in_and_since_when() -> None:
    first = SayNode(say=spoken("first"), next="second")
    desk = FlowDesk(a_flow(start=first, second=SayNode(say=spoken("second"), next="people")))

    def shown() -> tuple[object, object, object]:
        told = live_call(desk.center.snapshot().interactions[1], desk.moment())
        return told["flow"], told["node"], told["node_since_utc_s"]

    caller = desk.dial()
    came_utc_s = desk.moment().utc_s
    desk.wait(5.0)
    assert shown() == ("flow", "start", came_utc_s)
    desk.closes(caller)
    assert shown() == ("flow", "start", came_utc_s), "the same stay, in another session"
    desk.wait(2.0)
    desk.prompt_ends(caller)
    assert shown() == ("flow", "second", desk.moment().utc_s)
    desk.prompt_ends(caller)
    assert shown() == (None, None, None), "in a queue"


# --- hours --------------------------------------------------------------------------------------------------------------
HOLIDAYS = OpeningHours(
    timezone="UTC",
    week=(((0, 1440),),) * 7,
    holidays=frozenset({"2027-01-15"}),
)


def test_a_holiday_has_a_way_of_its_own() -> None:
    node = HoursNode(hours="feast", on_open="people", on_closed="bye", on_holiday="silent")
    desk = FlowDesk(a_flow(start=node), hours={"feast": HOLIDAYS})
    desk.dial()
    assert desk.said == ["silent"]


def test_special_hours_win_over_a_holiday() -> None:
    node = HoursNode(hours="feast", on_open="people", on_closed="bye")
    special = replace(HOLIDAYS, special={"2027-01-15": ((7 * 60, 9 * 60),)})
    desk = FlowDesk(a_flow(start=node), hours={"feast": special})
    desk.dial()
    assert desk.ring()


def test_hours_of_the_called_number_and_of_a_queue() -> None:
    node = HoursNode(on_open="by_queue", on_closed="bye")
    by_queue = HoursNode(queue="sales", on_open="people", on_closed="silent")
    desk = FlowDesk(
        a_flow(start=node, by_queue=by_queue), queues={"sales": a_queue(hours="never", on_closed=a_queue().on_closed)}
    )
    desk.dial()
    assert desk.said == ["silent"]
    obey(desk, dids={**desk.settings.dids, "800": DidSettings(flow="flow", language="en", hours="never")})
    desk.dial()
    assert desk.said == ["bye"]


def test_an_exceptional_closing_holds_for_flows_and_queues_until_its_end() -> None:
    node = HoursNode(hours="mornings", on_open="people", on_closed="bye")
    desk = FlowDesk(a_flow(start=node))
    until = desk.moment().utc_s + 600.0
    desk.tell(ev.CloseHoursRequested(request=1, hours="mornings", until_utc_s=until, by="ann"))
    assert desk.told(c.Reply)[0].is_ok
    desk.dial()
    assert desk.said == ["bye"]
    desk.wait(601.0)
    desk.dial()
    assert desk.ring()


def test_closed_hours_are_opened_by_hand_and_unknown_ones_are_refused() -> None:
    node = HoursNode(hours="mornings", on_open="people", on_closed="bye")
    desk = FlowDesk(a_flow(start=node))
    desk.tell(ev.CloseHoursRequested(request=1, hours="mornings", until_utc_s=None))
    desk.tell(ev.OpenHoursRequested(request=2, hours="mornings"))
    desk.dial()
    assert desk.ring()
    desk.tell(ev.OpenHoursRequested(request=3, hours="mornings"))
    assert not desk.told(c.Reply)[0].is_ok
    desk.tell(ev.CloseHoursRequested(request=4, hours="nights", until_utc_s=None))
    assert desk.told(c.Reply)[0].text == "there are no hours nights"


# --- languages ------------------------------------------------------------------------------------------------------------
CHOICE = LanguageChoiceNode(choices={"1": "en", "2": "es"}, next="people")


def test_languages_are_offered_each_in_itself() -> None:
    desk = FlowDesk(a_flow(start=CHOICE))
    caller = desk.dial()
    said = desk.told(c.Collect)[0].say
    assert [(p.value, p.language) for p in said] == [
        ("cc-language-choice", "en"),
        ("1", "en"),
        ("cc-language-choice", "es"),
        ("2", "es"),
    ]
    desk.types(caller, "2")
    call = desk.center.snapshot().interactions[1]
    assert call.language == "es" and call.needs == ("spanish",)


def test_who_chooses_no_language_keeps_the_one_they_have() -> None:
    desk = FlowDesk(a_flow(start=CHOICE))
    caller = desk.dial()
    desk.types(caller, "7")
    desk.types(caller, "")
    assert desk.center.snapshot().interactions[1].language == "en" and desk.ring()


# --- flows in flows ---------------------------------------------------------------------------------------------------------
ASKING = Flow(
    start="ask",
    nodes={
        "ask": asks(next="found", tries=1, on_no_input="nothing", on_invalid="nothing"),
        "found": DoneNode(result="found"),
        "nothing": DoneNode(result="nothing"),
    },
    variables={"order": T, "amount": N, "prefix": T},
    parameters=("prefix",),
    gives=("order",),
    exits=FlowExits(failure="nothing"),
)
CALLS = CallNode(
    flow="asking", parameters={"prefix": Literal("A")}, into={"order": "order"}, on={"found": "told", "nothing": "people"}
)


def test_a_flow_goes_through_another_and_takes_back_what_it_gives() -> None:
    desk = FlowDesk(
        a_flow(start=SetNode(next="calls", variables={"amount": Literal(3.0)}), calls=CALLS, told=TOLD),
        others={"asking": ASKING},
    )
    caller = desk.dial()
    assert desk.variables() == {"prefix": "A"}
    desk.types(caller, "5555")
    assert desk.said == ["5555"] and desk.variables() == {"amount": 3.0, "order": "5555"}
    desk.hangs_up(caller)
    assert desk.passages() == [(FlowEnd.GAVE_UP, "start ask found calls told")]


def test_another_result_leads_elsewhere() -> None:
    desk = FlowDesk(a_flow(start=CALLS, told=TOLD), others={"asking": ASKING})
    desk.types(desk.dial(), "")
    assert desk.ring()


def test_a_session_that_comes_back_is_still_in_the_inner_flow() -> None:
    desk = FlowDesk(a_flow(start=CALLS, told=TOLD), others={"asking": ASKING})
    caller = desk.dial()
    desk.closes(caller)
    assert desk.said == ["which"]
    desk.types(caller, "1234")
    assert desk.said == ["1234"]


# --- look-ups ---------------------------------------------------------------------------------------------------------------
LOOKS = LookUpNode(
    look_up="orders",
    parameters={"order": Literal("77")},
    into={"order": "status", "amount": "amount"},
    on_found="told",
    on_missing="bye",
)


def test_what_a_look_up_finds_is_kept_and_said() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=SayNode(say=(value(SpokenKind.TEXT, Name("order")),), next="bye")))
    desk.dial()
    (asked,) = desk.told(c.LookUp)
    assert (asked.look_up, asked.parameters) == ("orders", {"order": "77"})
    desk.looked_up(status="sent", amount=12.0)
    assert desk.said == ["sent"] and desk.variables() == {"order": "sent", "amount": 12.0}


def test_a_missing_one_has_its_way_and_a_failed_one_another() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    desk.dial()
    desk.looked_up(ev.LookUpEnd.MISSING)
    assert desk.said == ["bye"]
    desk.dial()
    desk.looked_up(ev.LookUpEnd.FAILED)
    assert desk.said == ["broken"]


@pytest.mark.parametrize("values", [{"status": "sent"}, {"status": "sent", "amount": True}])
def test_an_answer_that_does_not_fit_is_a_failure(values: dict[str, object]) -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    desk.dial()
    desk.looked_up(**values)
    assert desk.said == ["broken"]


def test_a_slow_look_up_is_filled_with_music_and_given_up_in_the_end() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    caller = desk.dial()
    assert not desk.told(c.WaitUntil)
    desk.wait(1.5)
    assert desk.told(c.WaitUntil)[0].music == "default"
    desk.wait(10.0)
    assert desk.said == ["broken"]
    desk.looked_up(status="late", amount=1.0)
    assert not desk.last or desk.said == []
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)


def test_an_answer_after_music_takes_the_musics_place() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    caller = desk.dial()
    desk.wait(1.5)
    music = desk.verbs[desk.session_of(caller)]
    desk.looked_up(status="sent", amount=1.0)
    assert desk.told(c.Say)
    desk.tell(ev.WaitEnded(session=desk.session_of(caller), command=music, end=ev.VerbEnd.SUPERSEDED))
    assert not desk.last


def test_a_caller_who_comes_back_is_looked_up_anew_and_the_old_answer_means_nothing() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    caller = desk.dial()
    old = desk.last_command(c.LookUp)
    desk.closes(caller)
    assert desk.told(c.LookUp)
    desk.tell(ev.LookedUp(command=old, end=ev.LookUpEnd.FOUND, values={"status": "old", "amount": 0.0}))
    assert desk.node() == "start"
    desk.looked_up(status="new", amount=0.0)
    assert desk.variables()["order"] == "new"


def test_a_caller_who_is_gone_is_not_looked_for() -> None:
    desk = FlowDesk(a_flow(start=LOOKS, told=TOLD))
    desk.hangs_up(desk.dial())
    desk.looked_up(status="sent", amount=1.0)
    assert not desk.last and desk.passages() == [(FlowEnd.GAVE_UP, "start")]


# --- secrets ----------------------------------------------------------------------------------------------------------------
SECRET = SecretNode(
    say=spoken("pin"),
    check=SecretRule(look_up="pins", parameters={"customer": Name("caller.number")}, hash_field="hash"),
    next="told",
    into="token",
    tries=2,
)


def test_a_secret_is_checked_at_the_edge_and_only_its_token_is_known() -> None:
    desk = FlowDesk(a_flow(start=SECRET, told=TOLD))
    caller = desk.dial()
    (asked,) = desk.told(c.CollectSecret)
    assert asked.agent is None and asked.check is not None and asked.check.parameters == {"customer": "+34911222333"}
    desk.secret(caller, True, token="tok_1")
    assert desk.variables() == {"token": "tok_1"}


def test_wrong_secrets_are_asked_again_and_then_leave() -> None:
    desk = FlowDesk(a_flow(start=SECRET, told=TOLD))
    caller = desk.dial()
    desk.secret(caller, False)
    assert [p.value for p in desk.told(c.CollectSecret)[0].say] == ["cc-secret-wrong", "pin"]
    desk.secret(caller, False)
    assert desk.said == ["wrong"]


def test_silence_and_a_check_that_fails_have_ways_of_their_own() -> None:
    desk = FlowDesk(a_flow(start=replace(SECRET, tries=1), told=TOLD))
    desk.secret(desk.dial(), None)
    assert desk.said == ["silent"]
    desk.secret(desk.dial(), None, is_failed=True)
    assert desk.said == ["broken"]


# --- scripts ----------------------------------------------------------------------------------------------------------------
SCRIPT = ScriptNode(
    script="orders.check", next="told", on={"paid": "bye"}, into={"amount": "total"}, parameters={"order": Literal("9")}
)


def test_a_scripts_word_leads_on_and_its_values_are_kept() -> None:
    desk = FlowDesk(a_flow(start=SCRIPT, told=TOLD))
    caller = desk.dial()
    (run,) = desk.told(c.RunScript)
    assert run.script == "orders.check" and run.parameters == {"order": "9"} and run.facts["did"] == "800"
    desk.script_ended(caller, result="paid", total=4.0)
    assert desk.said == ["bye"] and desk.variables() == {"amount": 4.0}


def test_another_word_goes_on_with_the_next_node() -> None:
    desk = FlowDesk(a_flow(start=SCRIPT, told=TOLD))
    desk.script_ended(desk.dial(), result="whatever", total=4.0)
    assert desk.node() == "bye"  # `told` has nothing to say: the order is empty


@pytest.mark.parametrize("end", [ev.VerbEnd.FAILED, ev.VerbEnd.TIMEOUT])
def test_a_script_that_fails_or_hangs_takes_the_failure_exit(end: ev.VerbEnd) -> None:
    desk = FlowDesk(a_flow(start=SCRIPT, told=TOLD))
    desk.script_ended(desk.dial(), end)
    assert desk.said == ["broken"]


def test_a_script_that_gives_what_does_not_fit_has_failed() -> None:
    desk = FlowDesk(a_flow(start=SCRIPT, told=TOLD))
    desk.script_ended(desk.dial(), total="much")
    assert desk.said == ["broken"]


# --- the ways out of a flow ---------------------------------------------------------------------------------------------------
def test_a_callback_keeps_the_place_and_asks_for_the_number() -> None:
    desk = FlowDesk(a_flow(start=CallbackNode(queue="sales")))
    desk.tell(ev.LogoutRequested(request=9, agent="101"))
    caller = desk.dial()
    assert desk.said[0] == "cc-callback-number" and desk.state(1) == "waiting"
    desk.types(caller, "1")
    assert desk.said == ["cc-callback-done"]


def test_who_does_not_want_to_be_called_back_waits() -> None:
    desk = FlowDesk(a_flow(start=CallbackNode(queue="sales")))
    desk.tell(ev.LogoutRequested(request=9, agent="101"))
    caller = desk.dial()
    desk.types(caller, "")
    assert desk.state(1) == "waiting" and desk.told(c.WaitUntil)


def test_a_message_is_recorded_and_the_flow_goes_on() -> None:
    desk = FlowDesk(a_flow(start=MessageNode(queue="sales", say=spoken("speak"), next="bye")))
    caller = desk.dial()
    (record,) = desk.told(c.RecordMessage)
    assert record.say == spoken("speak")
    session = desk.session_of(caller)
    desk.tell(ev.MessageRecorded(session=session, command=desk.verbs[session], end=ev.VerbEnd.DONE, duration_s=5.0))
    assert desk.said == ["bye"]
    desk.prompt_ends(caller)
    desk.hangs_up(caller)
    first = next(r for r in desk.kept(InteractionRecord) if r.interaction == 1)
    assert first.outcome is Outcome.LEFT_MESSAGE


def test_a_number_that_nobody_answers_leads_on() -> None:
    desk = FlowDesk(a_flow(start=NumberNode(number="+34910000009", on_failure="people")))
    desk.dial()
    (dial,) = desk.told(c.DialOut)
    assert dial.to == "PJSIP/+34910000009@carrier"
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-9"))
    desk.tell(ev.LegEnded(leg=dial.leg, cause=19))
    assert desk.ring()
    assert desk.passages() == [(FlowEnd.TO_PEOPLE, "start"), (FlowEnd.TO_PEOPLE, "start!failed people")]


@pytest.mark.parametrize("is_answered", [False, True])
def test_who_hangs_up_at_a_number_outside_was_handed_on_and_not_lost(is_answered: bool) -> None:
    desk = FlowDesk(a_flow(start=NumberNode(number="+34910000009", on_failure="people")))
    caller = desk.dial()
    (dial,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-9"))
    if is_answered:
        desk.tell(ev.LegAnswered(leg=dial.leg))
    desk.hangs_up(caller)
    desk.tell(ev.LegEnded(leg=dial.leg, cause=16))
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.OVERFLOWED


def test_who_gives_up_after_a_number_outside_failed_has_left_in_the_menu() -> None:
    desk = FlowDesk(a_flow(start=NumberNode(number="+34910000009", on_failure="choose"), choose=CHOICE))
    caller = desk.dial()
    (dial,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-9"))
    desk.tell(ev.LegEnded(leg=dial.leg, cause=19))
    desk.hangs_up(caller)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.LEFT_IN_MENU


def test_an_extension_is_said_goodbye_to_and_counted() -> None:
    desk = FlowDesk(a_flow(start=ExtensionNode(extension="500", say=spoken("moment"))))
    caller = desk.dial()
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)[0].extension == "500"
    assert desk.passages() == [(FlowEnd.TO_PEOPLE, "start")]


def test_a_caller_who_was_served_and_hangs_up_was_served() -> None:
    served = SetNode(next="told", variables={"order": Literal("123")}, serves=True)
    desk = FlowDesk(a_flow(start=served, told=TOLD))
    desk.hangs_up(desk.dial())
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.SERVED
    assert desk.passages() == [(FlowEnd.SERVED, "start told")]


def test_a_done_node_that_nobody_waits_for_ends_the_call() -> None:
    desk = FlowDesk(a_flow(start=DoneNode(result="x")))
    desk.dial()
    assert desk.told(c.EndSession)


# --- limits -------------------------------------------------------------------------------------------------------------------
def test_a_flow_that_goes_in_circles_leaves_by_its_failure_exit() -> None:
    circle = MenuNode(say=spoken("again"), choices={"1": "start"}, timeout_s=3.0, tries=2)
    desk = FlowDesk(a_flow(start=circle))
    caller = desk.dial()
    for _ in range(desk.settings.limits.menu_steps_max):
        if not desk.told(c.Collect):
            break
        desk.types(caller, "1")
    assert desk.said == ["broken"]


def test_without_a_failure_exit_the_caller_hears_an_excuse() -> None:
    circle = MenuNode(say=spoken("again"), choices={"1": "start"}, timeout_s=3.0, tries=2, on_no_input="bye", on_invalid="bye")
    desk = FlowDesk(replace(a_flow(start=circle), exits=FlowExits()))
    caller = desk.dial()
    for _ in range(desk.settings.limits.menu_steps_max):
        if not desk.told(c.Collect):
            break
        desk.types(caller, "1")
    assert desk.said == ["cc-error"]
    desk.hangs_up(caller)
    assert desk.passages()[-1][0] is FlowEnd.LOST


def test_an_interaction_finishes_in_the_version_in_which_it_entered() -> None:
    desk = FlowDesk(a_flow(start=asks(), told=TOLD))
    caller = desk.dial()
    obey(desk, flows={**desk.settings.flows, "flow": a_flow(start=asks(say=spoken("other")), told=TOLD)}, look_ups={})
    desk.types(caller, "1")
    assert desk.said == ["cc-invalid-input", "which"]
    desk.dial()
    assert desk.said == ["other"]


# --- surveys -------------------------------------------------------------------------------------------------------------------
SURVEY = Flow(
    start="csat",
    nodes={
        "csat": SurveyNode(kind=SurveyKind.CSAT, say=spoken("how"), next="nps"),
        "nps": SurveyNode(kind=SurveyKind.NPS, say=spoken("recommend"), next="fcr"),
        "fcr": SurveyNode(kind=SurveyKind.FCR, say=spoken("solved"), next="thanks"),
        "thanks": SetNode(next="bye", serves=True),
        "bye": DoneNode(result="done"),
    },
)


def surveyed() -> FlowDesk:
    return FlowDesk(
        a_flow(start=SayNode(say=(), next="people")), others={"survey": SURVEY}, queues={"sales": a_queue(survey="survey")}
    )


def test_a_customer_whose_agent_hangs_up_is_asked_and_the_answers_are_kept_with_agent_and_queue() -> None:
    desk = surveyed()
    caller, offer = desk.talk("800")
    desk.hangs_up(offer.leg)
    desk.arrive(caller, did="800")
    assert desk.said == ["how"]
    desk.types(caller, "5")
    assert desk.told(c.Collect)[0].complete == ("0", "10", "2", "3", "4", "5", "6", "7", "8", "9")
    desk.types(caller, "10")
    desk.types(caller, "2")
    assert desk.told(c.EndSession)
    desk.hangs_up(caller)
    assert [(a.kind, a.question, a.score, a.queue, a.agent, a.number) for a in desk.kept(SurveyRecord)] == [
        (SurveyKind.CSAT, "csat", 5, "sales", "101", 0),
        (SurveyKind.NPS, "nps", 10, "sales", "101", 1),
        (SurveyKind.FCR, "fcr", 0, "sales", "101", 2),
    ]
    desk.wait(60.0)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.ANSWERED


def test_a_customer_who_hangs_up_first_is_not_asked() -> None:
    desk = surveyed()
    caller, _ = desk.talk("800")
    desk.hangs_up(caller)
    assert not desk.ever(c.Collect)


def test_who_does_not_answer_goes_on_and_hanging_up_loses_no_answer_given() -> None:
    desk = surveyed()
    caller, offer = desk.talk("800")
    desk.hangs_up(offer.leg)
    desk.arrive(caller, did="800")
    desk.types(caller, "9")
    desk.types(caller, "")
    assert desk.said == ["recommend"]
    desk.types(caller, "7")
    desk.hangs_up(caller)
    assert [(a.kind, a.score) for a in desk.kept(SurveyRecord)] == [(SurveyKind.NPS, 7)]


def test_an_agent_who_releases_the_customer_by_key_sends_them_to_the_survey() -> None:
    desk = surveyed()
    caller, offer = desk.talk("800")
    for digit in "*0":
        desk.tell(ev.LegDigit(leg=offer.leg, digit=digit))
    (moves,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.place) for m in moves.moves] == [(caller, c.Place.LOOP)]
    desk.arrive(caller, did="800")
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    assert desk.node() == "csat" and desk.shown(1) is ShownState.WRAP_UP


def test_a_fault_in_a_flow_brings_the_caller_to_the_people_whom_the_flow_knows() -> None:
    desk = FlowDesk(a_flow(start=asks(), told=TOLD))
    desk.dial()
    desk.tell(ev.InteractionFaulted(interaction=1, reason="a bug"))
    assert desk.ring()


# --- not to be called any more -------------------------------------------------------------------------------------------------
WINTER = CampaignSettings(
    name="Winter", mode=Mode.PROGRESSIVE, rules=PRESETS["es"].rules, trunks=(), caller_ids=("+34910000001",)
)


def not_called(**changes: object) -> FlowDesk:
    node = DoNotCallNode(**{"next": "bye", "on_failure": "people", **changes})
    law = DialingSettings(country="ES", rules=PRESETS["es"].rules, campaigns={"winter": WINTER})
    return FlowDesk(a_flow(start=node, bye=HangUpNode()), dialing=law)


@pytest.mark.parametrize(
    ("campaign", "kept"),
    [(None, None), (Literal("winter"), "winter"), (Literal("summer"), None), (Literal(""), None), (Name("call.did"), None)],
)
def test_a_caller_who_asks_is_put_on_the_list_and_hears_so(campaign: Expression | None, kept: str | None) -> None:
    desk = not_called(campaign=campaign)
    caller = desk.dial()
    assert desk.said == ["cc-not-called"]
    assert desk.kept(DoNotCallRecord) == [
        DoNotCallRecord(
            number="+34911222333",
            campaign=kept,
            source=DoNotCallSource.KEYPAD,
            at_utc_s=desk.moment().utc_s,
            by="flow flow",
            interaction=1,
        )
    ]
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP


def test_other_words_may_be_said_instead() -> None:
    desk = not_called(say=spoken("sorry"))
    desk.dial()
    assert desk.said == ["sorry"]


@pytest.mark.parametrize("number", [None, "101", "+34", "anonymous"])
def test_a_caller_whose_number_is_not_known_goes_to_a_person(number: str | None) -> None:
    desk = not_called()
    desk.dial(number)
    assert not desk.kept(DoNotCallRecord) and desk.state(1) in ("waiting", "offered")


# --- what the carrier says of the number -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("said", Attestation)
def test_a_flow_knows_how_surely_the_number_is_the_callers(said: Attestation) -> None:
    surely = equals("caller.attestation", "A")
    desk = FlowDesk(a_flow(start=BranchNode(cases=(Case(surely, "people"),), otherwise="bye")))
    desk.tell(
        ev.CallArrived(
            session="s-1",
            leg=LegId("pbx", "1.7"),
            channel="x",
            did="800",
            caller_number="+34911222333",
            number_as_given="",
            caller_name="",
            attestation=said,
        )
    )
    assert bool(desk.told(c.RingAgent)) is (said is Attestation.FULL)
    told = {} if said is Attestation.NONE else {"attestation": said.value}
    assert {notice.kind: notice.data for notice in desk.kept(NoticeRecord)}[NoticeKind.ARRIVED] == told
    interaction = desk.center.snapshot().interactions[1]
    assert live_call(interaction, desk.moment())["attestation"] == said.value
