"""Flows as they are built, and what no single broken file shows: how calls of flows nest, and who brings whom to a person."""

import re
from datetime import date
from pathlib import Path
from time import monotonic

import pytest

from ccserver.config import ConfigurationRejected, check, load, opening
from ccserver.config.difference import difference
from ccserver.config.expression_text import parse
from ccserver.core.checksums import Checksum
from ccserver.core.expressions import Expression, ValueType
from ccserver.core.ivr import FRAMES_MAX
from ccserver.core.settings import (
    BranchNode,
    CallNode,
    Case,
    CollectNode,
    FlowExits,
    HasSkill,
    HoursNode,
    LanguageChoiceNode,
    LookUpNode,
    LookUpShape,
    MessageNode,
    NumberNode,
    RecordablePrompt,
    ScriptNode,
    SecretNode,
    SecretRule,
    SetNode,
    Spoken,
    SpokenKind,
    SurveyKind,
    SurveyNode,
)

HERE = Path(__file__).parent
GOOD = (HERE / "flows.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "scripts").mkdir(mode=0o755)
    (tmp_path / "scripts" / "orders.py").write_text("def check(agi, call):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of(text: str) -> Expression:
    return parse(text).of


def told(text: str) -> list[str]:
    Path("c.yaml").write_text(text)
    problems, _ = check(Path("c.yaml"))
    return [f"{each.path}: {each.message}" for each in problems]


def with_flows(flows: str) -> str:
    """The good file with other flows; `main` is called from outside."""
    before, _, rest = GOOD.partition("flows:\n")
    rest = rest[rest.index("dids:\n") :].replace("flow: by_number", "flow: main").replace("survey: after_call", "")
    return before.replace(", survey: after_call", "") + "flows:\n" + flows + rest


# --- what is built ------------------------------------------------------------------------------------------------------
def test_each_node_is_what_the_file_says(folder: Path) -> None:
    Path("c.yaml").write_text(GOOD)
    settings = load(Path("c.yaml")).settings
    flow = settings.flows["main"]
    nodes = flow.nodes

    assert flow.variables["order"] is ValueType.TEXT
    assert flow.exits == FlowExits(no_input="people", invalid="people", failure="people", operator="people")
    assert nodes["opening"] == HoursNode(hours="office", on_open="choose", on_closed="closed", on_holiday="feast")
    assert nodes["closed"] == HoursNode(queue="sales", on_open="choose", on_closed="bye")
    assert nodes["choose"] == LanguageChoiceNode(choices={"1": "en", "2": "es"}, next="what")
    assert nodes["ask"] == CallNode(
        flow="ask_order",
        parameters={"length": of("4")},
        into={"order": "number"},
        on={"given": "find", "none": "people"},
    )
    assert nodes["find"] == LookUpNode(
        look_up="orders",
        parameters={"order": of("order")},
        into={"status": "status", "amount": "amount", "is_paid": "is_paid"},
        on_found="sort",
    )
    assert nodes["sort"] == BranchNode(
        cases=(
            Case(of("is_paid and amount > 100"), "thanks"),
            Case(of("queue.sales.staffed == 0 or not hours.office.is_open"), "bye"),
        ),
        otherwise="told",
    )
    assert nodes["told"].say == (
        Spoken(SpokenKind.MONEY, "EUR", of("amount")),
        Spoken(SpokenKind.TEXT, "", of("status")),
        Spoken(SpokenKind.SPELLED, "", of("order"), "es"),
        Spoken(SpokenKind.EXPECTED_WAIT, "sales"),
    )
    assert nodes["thanks"].say == (
        Spoken(SpokenKind.NUMBER, "", of("amount * 2")),
        Spoken(SpokenKind.DIGITS, "", of("order")),
        Spoken(SpokenKind.PROMPT, "words", language="es"),
        Spoken(SpokenKind.CALL_NUMBER, ""),
    )
    assert nodes["note"] == SetNode(
        next="people",
        requires=HasSkill("sales", 10),
        priority=5,
        variables={"tries": of("tries + 1")},
        data={"order": of("order"), "rest": of("amount")},
        serves=True,
    )
    words = (Spoken(SpokenKind.PROMPT, "words"),)
    assert nodes["card"] == SecretNode(
        say=words,
        check=SecretRule(look_up="pins", parameters={"customer": of("caller.number")}, hash_field="hash", token_field="token"),
        into="token",
        next="other",
    )
    assert nodes["check"] == ScriptNode(
        script="orders.check",
        parameters={"order": of("order")},
        into={"status": "said"},
        on={"paid": "thanks"},
        next="people",
    )
    assert nodes["leave"] == MessageNode(queue="sales", say=words, max_s=60.0, next="bye")
    assert nodes["mobile"] == NumberNode(number="+34910000009")
    asked = settings.flows["ask_order"].nodes["ask"]
    assert asked == CollectNode(
        say=words, into="number", min_digits=4, max_digits=8, confirm=True, next="long", on_no_input="none", on_invalid="none"
    )
    assert settings.flows["after_call"].nodes["csat"] == SurveyNode(kind=SurveyKind.CSAT, say=words, next="solved")
    assert settings.queues["sales"].survey == "after_call"
    assert settings.dids["+34910000002"].hours == "office"
    assert settings.recordable_prompts == {"1": RecordablePrompt(prompt="words", language="es")}
    look_up: LookUpShape = settings.look_ups["pins"]
    assert look_up.gives == {"hash": ValueType.TEXT, "token": ValueType.TEXT}


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("digits: 4-8", (4, 8)),
        ("digits: 8", (8, 8)),
        ("checksum: cpf", (11, 11)),
        ("checksum: dni, digits: 8", (8, 8)),
        ("checksum: luhn", (2, 20)),
        ("can_interrupt: false", (1, 20)),
    ],
)
def test_how_many_digits_are_collected(folder: Path, written: str, span: tuple[int, int]) -> None:
    Path("c.yaml").write_text(GOOD.replace("digits: 4-8", written))
    node = load(Path("c.yaml")).settings.flows["ask_order"].nodes["ask"]
    assert isinstance(node, CollectNode)
    assert (node.min_digits, node.max_digits) == span
    assert node.checksum is (Checksum(written[10:].partition(",")[0]) if "checksum" in written else None)


def test_hours_know_the_public_holidays_of_the_years_around(folder: Path) -> None:
    Path("c.yaml").write_text(GOOD)
    hours = load(Path("c.yaml")).settings.hours["office"]
    this = date.today().year
    years = [int(each[:4]) for each in hours.holidays]
    assert set(years) == {*range(this - 1, this + 11)}
    assert all(8 <= years.count(year) <= 16 for year in years)
    assert not hours.closed_on and hours.holidays_of == "ES-MD"
    assert hours.special == {"2026-12-24": ((540, 780),)}
    assert hours.code == "1"
    assert any(each.endswith("-05-02") for each in hours.holidays)  # Madrid's own

    Path("c.yaml").write_text(GOOD.replace("{country: ES, region: MD}", "{country: ES}").replace("09:00-13:00}", "[]}"))
    hours = load(Path("c.yaml")).settings.hours["office"]
    assert not any(each.endswith("-05-02") for each in hours.holidays)
    assert hours.special == {"2026-12-24": ()}


def test_the_settings_are_the_same_in_another_year(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At New Year the days of another year are known, and not a word of the file has changed; another region is another word."""

    class Later(date):
        @classmethod
        def today(cls) -> date:
            return date(date.today().year + 1, 1, 1)

    written = GOOD.replace("holidays:", f"closed_on: [{date.today().year - 1}-12-25]\n    holidays:", 1)
    Path("c.yaml").write_text(written)
    now = load(Path("c.yaml"))
    Path("c.yaml").write_text(written.replace("{country: ES, region: MD}", "{country: ES, region: CT}"))
    elsewhere = load(Path("c.yaml"))
    monkeypatch.setattr(opening, "date", Later)
    Path("c.yaml").write_text(written)
    later = load(Path("c.yaml"))
    assert later.settings.hours["office"].holidays != now.settings.hours["office"].holidays
    assert later.settings.content_hash == now.settings.content_hash != elsewhere.settings.content_hash
    assert later.settings != now.settings, "a reload tells the core of the new days"
    assert [line.partition(": ")[0] for line in difference(now, later).changes] == ["hours.office.holidays"]


# --- who brings whom to a person ----------------------------------------------------------------------------------------
ASK = "  ask:\n    start: what\n    nodes:\n      what: {menu: words, choices: {1: yes, 2: no}, on_no_input: no, on_invalid: no}\n"
ENDS = "      yes: {done: yes}\n      no: {done: no}\n"
NO_PERSON = (
    "expected a way to a person from this menu, got none "
    "(give the flow an exits.operator that leads to a queue, an agent, a message or a number)"
)


def caller(name: str, yes: str, no: str) -> str:
    return (
        f"  {name}:\n    start: go\n    nodes:\n      go: {{call: ask, on: {{yes: {yes}, no: {no}}}}}\n"
        "      people: {enqueue: sales}\n      bye: {hang_up: true, say: words}\n"
    )


def test_a_called_flow_has_the_people_of_its_callers(folder: Path) -> None:
    assert told(with_flows(caller("main", "people", "bye") + ASK + ENDS)) == []


def test_every_caller_must_bring_its_callers_to_a_person(folder: Path) -> None:
    other = caller("other", "bye", "bye").replace("      people: {enqueue: sales}\n", "")
    assert told(with_flows(caller("main", "people", "bye") + other + ASK + ENDS)) == [f"flows.ask.nodes.what: {NO_PERSON}"]


def test_only_the_results_that_it_may_end_with_count(folder: Path) -> None:
    asks = ASK.replace("1: yes, 2: no", "1: no") + "      first: {say: words, next: what}\n" + ENDS
    asks = asks.replace("start: what", "start: sort").replace(
        "      first", "      sort: {branch: {when: true, then: yes}, otherwise: first}\n      first"
    )
    assert told(with_flows(caller("main", "people", "bye") + asks)) == [f"flows.ask.nodes.what: {NO_PERSON}"]


def test_a_called_flow_that_calls_come_to_directly_needs_people_of_its_own(folder: Path) -> None:
    text = with_flows(caller("main", "people", "bye") + ASK + ENDS)
    assert told(text.replace("{flow: main, language: en, hours: office}", "{flow: ask, language: en, hours: office}")) == [
        f"flows.ask.nodes.what: {NO_PERSON}"
    ]


def test_people_in_a_called_flow_are_the_callers_too(folder: Path) -> None:
    main = (
        "  main:\n    start: what\n    nodes:\n      what: {menu: words, choices: {1: go}, on_no_input: bye, on_invalid: bye}\n"
    )
    main += "      go: {call: ask, on: {}}\n      bye: {hang_up: true}\n"
    assert told(with_flows(main + "  ask:\n    start: people\n    nodes:\n      people: {enqueue: sales}\n")) == []


def test_whom_a_flow_that_could_not_be_read_leads_to_is_not_guessed(folder: Path) -> None:
    text = with_flows(caller("main", "people", "bye").replace("{enqueue: sales}", "{enqeue: sales}") + ASK + ENDS)
    assert all("a way to a person" not in each for each in told(text))


# --- how calls nest -------------------------------------------------------------------------------------------------------
def nested(depth: int) -> str:
    flows = "".join(
        f"  {f'f{number}' if number else 'main'}:\n    start: go\n    nodes:\n"
        f"      go: {{call: f{number + 1}, on: {{over: end}}}}\n      end: {{{'done: over' if number else 'hang_up: true'}}}\n"
        for number in range(depth)
    )
    return flows + f"  f{depth}:\n    start: end\n    nodes:\n      end: {{done: over}}\n"


def test_calls_may_nest_as_deep_as_the_core_follows(folder: Path) -> None:
    assert told(with_flows(nested(FRAMES_MAX))) == []
    assert told(with_flows(nested(FRAMES_MAX + 1))) == [
        "flows.f8.nodes.go.call: expected calls of flows within flows to be at most 8 deep, got a deeper one "
        "(lead to a node of the same flow instead)"
    ]
    assert FRAMES_MAX == 8


def test_four_hundred_flows_in_a_row_and_a_flow_of_five_hundred_menus_are_judged_at_once(folder: Path) -> None:
    started = monotonic()
    assert len(told(with_flows(nested(400)))) == 1
    choices = ", ".join(f"{key}: n{{}}" for key in range(10, 40))
    menus = "".join(
        f"      n{at}: {{menu: words, choices: {{{choices.format(*((at * 7 + step) % 498 for step in range(30)))}}}, "
        "on_no_input: end, on_invalid: end}\n"
        for at in range(498)
    )
    flow = f"  main:\n    start: n0\n    nodes:\n{menus}      end: {{done: no}}\n      other: {{done: yes}}\n"
    assert sum("a way to a person" in each for each in told(with_flows(flow))) > 100
    assert monotonic() - started < 20


def test_a_silent_circle_through_a_called_flow_is_found(folder: Path) -> None:
    main = (
        "  main:\n    start: go\n    nodes:\n      go: {call: ask, on: {again: go, other: bye}}\n      bye: {hang_up: true}\n"
    )
    asks = "  ask:\n    start: sort\n    nodes:\n      sort: {branch: {when: call.number > 5, then: a}, otherwise: b}\n"
    silent = asks + "      a: {done: again}\n      b: {done: other}\n"
    loud = (
        asks.replace("then: a", "then: c") + "      c: {say: words, next: a}\n      a: {done: again}\n      b: {done: other}\n"
    )
    assert told(with_flows(main + silent)) == [
        "flows.main.nodes.go: expected nodes that say something or wait, got the silent circle go -> go "
        "(let one of them say something, or end the call)"
    ]
    assert told(with_flows(main + loud)) == []


def test_nothing_is_built_of_a_file_whose_flows_do_not_fit(folder: Path) -> None:
    Path("c.yaml").write_text(GOOD.replace("when: is_paid and", "when: order and"))
    with pytest.raises(ConfigurationRejected):
        load(Path("c.yaml"))


def test_who_chose_a_language_in_a_called_flow_comes_to_the_queue_with_it(folder: Path) -> None:
    main = "  main:\n    start: go\n    nodes:\n      go: {call: ask, on: {over: people}}\n      people: {enqueue: sales}\n"
    asks = "  ask:\n    start: choose\n    nodes:\n      choose: {choose_language: {1: en, 2: es}, next: end}\n      end: {done: over}\n"
    text = with_flows(main + asks).replace("languages: {en: {}, es: {}}", "languages: {en: {}, es: {skill: spanish}}")
    Path("c.yaml").write_text(text.replace("skills: {sales: Sales}", "skills: {sales: Sales, spanish: Spanish}", 1))
    warnings = [f"{each.path}: {each.message}" for each in check(Path("c.yaml"))[1]]
    assert "languages.es.skill: expected an agent with the skill spanish, got none" in warnings


# --- what a reload would change -----------------------------------------------------------------------------------------
def test_what_changes_in_flows_and_hours_is_told_in_their_own_words(folder: Path) -> None:
    Path("c.yaml").write_text(GOOD)
    old = load(Path("c.yaml"))
    text = GOOD
    for before, after in (
        ("monday-friday: 09:00-18:00", "monday-thursday: 09:00-18:00, friday: [09:00-13:00, 15:00-17:00]"),
        ("{2026-12-24: 09:00-13:00}", "{2026-12-24: []}"),
        ("{country: ES, region: MD}", "{country: ES}"),
        ("amount: number, tries", "amount: number, name: text, tries"),
        ("operator: people}", "operator: call_me, operator_key: 9}"),
        ("when: is_paid and amount > 100", "when: is_paid and amount > 200"),
        ("{money: amount, currency: EUR}", "{money: amount + 1, currency: USD}"),
        ("{prompt: words, language: es}", "words"),
        ("variables: {tries: tries + 1}", "variables: {tries: tries + 2}"),
        ("with: {customer: caller.number}, hash: hash, token", "with: {customer: caller.name}, hash: hash, token"),
        ("digits: 4-8", "digits: 8"),
        ("desk: {extension: 2000, say: words}", "desk: {enqueue: sales}"),
        ("number = :order\n", "number = :order and not is_gone\n"),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    Path("c.yaml").write_text(text)

    told, *rest = difference(old, load(Path("c.yaml"))).changes

    assert told.startswith("look_ups.orders.sql: select status, amount, is_paid from orders where number = :order -> ")
    holidays = next(each for each in rest if each.startswith("hours.office.holidays: "))
    assert re.fullmatch(r"hours.office.holidays: without ([0-9]{4}-[0-9]{2}-[0-9]{2}(, )?){5} and [0-9]+ more", holidays)
    assert [each for each in rest if each is not holidays] == [
        "flows.main.nodes.sort.cases: [is_paid and amount > 100: thanks, queue.sales.staffed == 0 or not hours.office.is_open: bye]"
        " -> [is_paid and amount > 200: thanks, queue.sales.staffed == 0 or not hours.office.is_open: bye]" + LATER,
        "flows.main.nodes.told.say: [money amount EUR, text status, spelled order in es, expected_wait sales]"
        " -> [money amount + 1 USD, text status, spelled order in es, expected_wait sales]" + LATER,
        "flows.main.nodes.thanks.say: [number amount * 2, digits order, words in es, call_number]"
        " -> [number amount * 2, digits order, words, call_number]" + LATER,
        "flows.main.nodes.note.variables.tries: tries + 1 -> tries + 2" + LATER,
        "flows.main.nodes.card.check.parameters.customer: caller.number -> caller.name" + LATER,
        "flows.main.nodes.desk: extension -> enqueue" + LATER,
        "flows.main.variables.name: new",
        "flows.main.exits.operator: people -> call_me" + LATER,
        "flows.main.exits.operator_key: 0 -> 9" + LATER,
        "flows.ask_order.nodes.ask.min_digits: 4 -> 8" + LATER,
        "hours.office.open.friday: 09:00-18:00 -> 09:00-13:00, 15:00-17:00",
        "hours.office.special.2026-12-24: 09:00-13:00 -> closed",
    ]


LATER = " (calls that are in it go on in the old one)"
