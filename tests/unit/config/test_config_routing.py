"""The settings of routing, agents and callers: what the file says is what the core obeys."""

import dataclasses
from pathlib import Path

import pytest

from ccserver.config import check, load
from ccserver.config.difference import difference
from ccserver.config.people import (
    agent,
    agent_rules,
    callers,
    class_of_service,
    disposition,
    features,
    keys,
    offers,
    phone,
    reason,
)
from ccserver.config.queues import callback, comfort, direct_calls, overflow, preference, queue, relaxation, staff_rules, tier
from ccserver.config.schema import Group
from ccserver.config.sections import did, limits, top
from ccserver.core import settings as s
from ccserver.core.codec import decode, encode
from ccserver.core.ids import QueueId
from ccserver.core.settings import (
    DIRECT,
    EVERYBODY,
    AgentNode,
    AllOf,
    AnyOf,
    CallbackRules,
    Comfort,
    Exit,
    ExitKind,
    HasSkill,
    HeadsetNotice,
    IdleReset,
    LoginRule,
    NoneOf,
    NumberKind,
    NumberMark,
    Overflow,
    OverflowBy,
    PhoneKind,
    PhoneSettings,
    Preference,
    QueueSettings,
    Relaxation,
    ReturnNode,
    SetNode,
    Settings,
    StaffRules,
    Strategy,
    Tier,
    WithheldPolicy,
    WrapUpKind,
)

HERE = Path(__file__).parent
QUEUE = """
    number: 700
    requires: sales >= 50 and (spanish or not sales >= 90)
    members: [101, 102]
    strategy: tiers
    tiers: [{after_s: 0, agents: [101]}, {after_s: 20, requires: sales >= 40}]
    relax: [{after_s: 60, requires: anybody, keeps_own: false}]
    priority: 4
    weight: 1.5
    preference: {wait_s: 10, owner: false, last_spoken_days: 7}
    wrap_up: until_disposition
    wrap_up_max_s: 120
    announce_wait: true
    announce_position_every_s: 30
    comfort: {prompt: welcome, every_s: 60}
    callback: {key: "5", hours: office, tries: 2}
    overflow:
      - {by: ratio, above: 2.5, exit: {number: "+34910000009", say: welcome}}
      - {by: wait_s, above: 300, exit: {agent: 101}}
    on_full: {flow: survey}
    max_waiting: 9
    on_closing: {callback: true}
    on_deserted: {message: true}
    stays_while: {unreachable: true}
    headset_notice: name
    name_prompt: welcome
    display: "{vip} {name} {number}"
    hold_reminder_s: 0
    lamp_waiting_above: 3
    lamp_wait_above_s: 90"""
MORE = """
timezone: Europe/Madrid
direct_calls: {max_wait_s: 20, on_max_wait: {node: wait}}
sendable_flows: {7: survey}
priority_step_s: 30
capacity: {voice: 1, mail: 3}
combined_capacity: 3
customers_file: customers.csv
classes_of_service: {office: {allows: [internal, local], calls_per_hour: 20}}
callers: {marks: {"+34900*": blocked, "+34600111222": vip}, withheld: refuse, vip_priority: 7}
agent_rules: {login: refuse, idle_clock: [missed, ready], headset_return_s: 15}
keys: {help: "*61"}
"""


@pytest.fixture
def center(tmp_path: Path) -> Path:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "customers.csv").write_text("number,owner,priority\n+34600111222,101,6\n")
    text = (HERE / "center.yaml").read_text()
    pin = next(line for line in text.splitlines() if "pin_hash" in line)
    for old, new in (
        ("    wrap_up_s: 20\n", ""),
        ("    skills: [sales]\n    hours", f"    skills: [sales]{QUEUE}\n    hours"),
        (
            "agents:\n",
            "agents:\n  102:\n    name: Ben\n    skills: {sales: 60}\n    language: es\n    team: day\n    supervisor: true\n"
            "    class_of_service: office\n    shift: office\n    min_rest_s: 5\n    share: 3\n    capacity: {mail: 1}\n"
            + pin
            + "\n",
        ),
        (
            "  2001: {endpoint: PJSIP/desk}",
            "  2001: {kind: external, outside_number: '+34600111333'}\n  2002: {kind: softphone}",
        ),
        (
            "      wait: {enqueue: sales}",
            "      wait: {set: {requires: spanish, priority: 8}, next: in}\n      in: {enqueue: sales}",
        ),
        (
            "flows:\n",
            "flows:\n  survey: {start: ask, nodes: {ask: {agent: 101, on_no_answer: back}, back: {return: welcome}}}\n",
        ),
        ("{flow: main, language: en}", "{flow: main, language: en, requires: sales >= 20, priority: 2}"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "center.yaml"
    path.write_text(text + MORE)
    return path


@pytest.fixture
def settings(center: Path) -> Settings:
    problems, warnings = check(center)
    assert problems == []
    assert [str(each) for each in warnings] == []
    return load(center).settings


def skill(name: str, level: int = 1) -> HasSkill:
    return HasSkill(name, level)  # type: ignore[arg-type]


def test_a_queue_has_all_that_is_written(settings: Settings) -> None:
    queue = settings.queues[QueueId("sales")]
    assert queue == QueueSettings(
        name="Sales",
        number="700",
        skills=("sales",),  # type: ignore[arg-type]
        requires=AllOf((AnyOf((skill("spanish"), NoneOf((skill("sales", 90),)))), skill("sales", 50))),
        members=("101", "102"),  # type: ignore[arg-type]
        strategy=Strategy.TIERS,
        tiers=(Tier(after_s=0, agents=("101",)), Tier(after_s=20, requires=skill("sales", 40))),  # type: ignore[arg-type]
        relax=(Relaxation(after_s=60, requires=EVERYBODY, keeps_own=False),),
        priority=4,
        weight=1.5,
        preference=Preference(wait_s=10, owner=False, last_spoken_days=7),
        hours="office",  # type: ignore[arg-type]
        wrap_up=WrapUpKind.UNTIL_DISPOSITION,
        wrap_up_max_s=120,
        max_waiting=9,
        announce_position_every_s=30,
        announce_wait=True,
        comfort=(Comfort(prompt="welcome", every_s=60),),  # type: ignore[arg-type]
        callback=CallbackRules(key="5", hours="office", tries=2),  # type: ignore[arg-type]
        overflow=(
            Overflow(
                by=OverflowBy.RATIO,
                above=2.5,
                exit=Exit(kind=ExitKind.NUMBER, target="+34910000009", prompt="welcome"),  # type: ignore[arg-type]
            ),
            Overflow(by=OverflowBy.WAIT_S, above=300, exit=Exit(kind=ExitKind.AGENT, target="101")),
        ),
        on_full=Exit(kind=ExitKind.FLOW, target="survey"),
        on_closed=Exit(kind=ExitKind.QUEUE, target="second"),
        on_closing=Exit(kind=ExitKind.CALLBACK),
        on_deserted=Exit(kind=ExitKind.MESSAGE),
        stays_while=StaffRules(unreachable=True),
        dispositions=("sold",),  # type: ignore[arg-type]
        headset_notice=HeadsetNotice.NAME,
        name_prompt="welcome",  # type: ignore[arg-type]
        display="{vip} {name} {number}",
        hold_reminder_s=None,
        lamp_waiting_above=3,
        lamp_wait_above_s=90,
    )


def test_people_phones_and_rules_are_what_is_written(settings: Settings) -> None:
    ben = settings.agents["102"]  # type: ignore[index]
    assert (ben.language, ben.team, ben.is_supervisor, ben.class_of_service) == ("es", "day", True, "office")
    assert (ben.shift, ben.min_rest_s, ben.share, ben.capacity) == ("office", 5, 3, {"mail": 1})
    assert settings.phones["PJSIP/+34600111333@carrier"] == PhoneSettings(number="2001", kind=PhoneKind.EXTERNAL)  # type: ignore[index]
    assert settings.phones["PJSIP/2002"].kind is PhoneKind.SOFTPHONE  # type: ignore[index]
    office = settings.classes_of_service["office"]  # type: ignore[index]
    assert (office.allows, office.calls_per_hour) == ({NumberKind.INTERNAL, NumberKind.LOCAL}, 20)
    rules = settings.agent_rules
    assert (rules.login, rules.idle_clock) == (LoginRule.REFUSE, {IdleReset.MISSED, IdleReset.READY})
    assert (rules.headset_return_s, rules.consult_ring_s) == (15, 20)
    assert (settings.keys.help, settings.keys.back) == ("*61", "*9")


def test_callers_and_the_center_are_what_is_written(settings: Settings) -> None:
    assert settings.callers.marks == {"+34900*": NumberMark.BLOCKED, "+34600111222": NumberMark.VIP}
    assert (settings.callers.withheld, settings.callers.vip_priority) == (WithheldPolicy.REFUSE, 7)
    assert settings.customers["+34600111222"].priority == 6
    assert (settings.priority_step_s, settings.capacity, settings.combined_capacity) == (30, {"voice": 1, "mail": 3}, 3)
    assert (settings.sendable_flows, settings.timezone, settings.trunk) == ({"7": "survey"}, "Europe/Madrid", "carrier")
    assert settings.queues[DIRECT].on_max_wait == Exit(kind=ExitKind.NODE, target="wait")
    assert settings.queues[DIRECT].skills == ()
    did = settings.dids["+34910000001"]
    assert (did.requires, did.priority) == (skill("sales", 20), 2)
    nodes = {**settings.flows["main"].nodes, **settings.flows["survey"].nodes}  # type: ignore[index]
    assert nodes["wait"] == SetNode(next="in", requires=skill("spanish"), priority=8)  # type: ignore[index, arg-type]
    assert nodes["ask"] == AgentNode(agent="101", on_no_answer="back")  # type: ignore[index, arg-type]
    assert nodes["back"] == ReturnNode(result="welcome")  # type: ignore[index, arg-type]


def test_all_of_it_comes_through_the_journal_unchanged(settings: Settings) -> None:
    assert decode(Settings, encode(settings)) == settings


def test_the_difference_of_the_new_settings_is_told_in_words(center: Path) -> None:
    old = load(center)
    text = center.read_text()
    for before, after in (
        ("sales >= 50 and (spanish", "sales >= 60 and (spanish"),
        ("above: 2.5", "above: 3"),
        ("wait_s: 10, owner", "wait_s: 15, owner"),
        ("[missed, ready]", "[ready]"),
    ):
        assert before in text
        text = text.replace(before, after)
    (center.parent / "customers.csv").write_text("number,owner,priority\n+34600111222,101,7\n")
    center.write_text(text)
    assert difference(old, load(center)).changes == (
        "queues.sales.requires: (spanish or not sales >= 90) and sales >= 50 -> (spanish or not sales >= 90) and sales >= 60",
        "queues.sales.preference.wait_s: 10 -> 15",
        "queues.sales.overflow: [{by: ratio, above: 2.5, exit: number +34910000009, saying welcome}, "
        "{by: wait_s, above: 300, exit: agent 101}] -> [{by: ratio, above: 3, exit: number +34910000009, saying welcome}, "
        "{by: wait_s, above: 300, exit: agent 101}]",
        "agent_rules.idle_clock: [missed, ready] -> [ready]",
        "customers.+34600111222.priority: 6 -> 7",
    )


def test_a_member_who_can_never_be_offered_a_call_is_told(center: Path) -> None:
    center.write_text(
        center.read_text().replace("    relax:", "    ring_timeout_s: 9 #").replace("sales >= 50 and", "sales >= 55 and")
    )
    message = "expected a member who fulfils (spanish or not sales >= 90) and sales and sales >= 55, got 101 (who is never offered a call)"
    assert message in [each.message for each in check(center)[1]]


WRITTEN_ELSEWHERE = {
    s.AgentSettings: {"is_supervisor"},  # supervisor
    s.Settings: {"content_hash", "pbx", "language_skills", "customers", "trunk", "recording_dir", "supervision_notice"},
    s.PhoneSettings: {"number"},  # the key of the table
}


@pytest.mark.parametrize(
    ("of", "group"),
    [
        (s.QueueSettings, queue),
        (s.Tier, tier),
        (s.Relaxation, relaxation),
        (s.StaffRules, staff_rules),
        (s.Overflow, overflow),
        (s.Preference, preference),
        (s.Comfort, comfort),
        (s.CallbackRules, callback),
        (s.AgentSettings, agent),
        (s.PhoneSettings, phone),
        (s.ReasonSettings, reason),
        (s.DispositionSettings, disposition),
        (s.ClassOfService, class_of_service),
        (s.OfferRules, offers),
        (s.AgentRules, agent_rules),
        (s.FeatureCodes, features),
        (s.CallKeys, keys),
        (s.CallerRules, callers),
        (s.DidSettings, did),
        (s.Limits, limits),
        (s.Settings, top),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_every_setting_of_the_core_can_be_written(of: type, group: Group[object]) -> None:
    fields = {each.name for each in dataclasses.fields(of)}
    assert fields - WRITTEN_ELSEWHERE.get(of, set()) <= set(group.fields), (
        "add it to ccserver/config (people, queues, sections)"
    )


def test_direct_calls_have_the_keys_of_a_queue_but_those_that_choose() -> None:
    assert set(direct_calls.fields) < set(queue.fields)
    assert {"max_wait_s", "on_max_wait", "wrap_up", "record"} <= set(direct_calls.fields)
