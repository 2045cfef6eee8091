"""The sections on outbound calls: rules are whole when the core gets them, a site can only be stricter, and nothing leads nowhere."""

import re
from pathlib import Path

import pytest

from ccserver.config import ConfigurationRejected, check, load
from ccserver.config.build import Configuration
from ccserver.config.dialing_rules import written_name
from ccserver.config.difference import difference
from ccserver.core import codec
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import AT_LEAST_AS_STRICT
from ccserver.core.dialer.settings import AmdUse, CampaignSettings, DialingSettings, Outcome, RetryRule
from ccserver.core.dialer.terms import DAY_S, LineType, Mode, Purpose
from ccserver.core.dialer.verdict import Refusal
from ccserver.core.expressions import Expression, Literal, Name
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.settings import DispositionMeaning, DoNotCallNode, Settings

CENTER = Path(__file__).parent / "center.yaml"
FIXED, MOBILE, FREE = "+34915550100", "+34600111222", "+34900100100"
OURS = f"""\
flows:
  gone: {{start: bye, nodes: {{bye: {{hang_up: true}}}}}}
dids:
  "{FIXED}": {{flow: main, language: en}}
  "{MOBILE[1:]}": {{flow: main, language: en}}
  "{FREE}": {{flow: gone, language: en, answer: never}}
trunks:
  first: {{endpoint: carrier, lines: 60, calls_per_second: 10}}
caller_ids:
  "{FIXED}": {{answers_back: true, prefixes: "+3491", calls_a_day: 60}}
prompts:
  who: {{en: This was Example, es: Era Example}}
"""
DIALING = "dialing: {registers: {robinson: 30}, holidays: [ES-MD]}\n"
CAMPAIGN = f"""\
campaigns:
  winter:
    name: Winter offer
    mode: progressive
    queue: sales
    trunks: first
    caller_ids: "{FIXED}"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ami.secret", "agi.secret"):
        Path(name).write_text("a-good-secret\n")
        Path(name).chmod(0o600)


def loaded(*parts: str) -> Configuration:
    Path("base.yaml").write_text(CENTER.read_text())
    Path("c.yaml").write_text("extends: base.yaml\n" + "".join(parts))
    return load(Path("c.yaml"))


def dialing(*parts: str) -> DialingSettings:
    found = loaded(*parts).settings.dialing
    assert found is not None
    return found


def winter(more: str = "", site: str = DIALING) -> CampaignSettings:
    (campaign,) = dialing(OURS, site, CAMPAIGN, more).campaigns.values()
    return campaign


def told(*parts: str) -> list[str]:
    with pytest.raises(ConfigurationRejected) as rejected:
        loaded(*parts)
    return [f"{each.path}: {each.message}" for each in rejected.value.problems]


def warned() -> list[str]:
    return [f"{each.path}: {each.message}" for each in check(Path("c.yaml"))[1]]


# --- what the core gets -------------------------------------------------------------------------------------------------------
def test_without_the_sections_nobody_is_called() -> None:
    assert loaded().settings.dialing is None


def test_a_campaign_has_its_rules_whole() -> None:
    rules = winter().rules
    assert rules.preset == "es" and rules.countries == {"ES"} and rules.registers == {"robinson": 30 * DAY_S}
    assert rules.week == PRESETS["es"].rules.week and Purpose.MARKETING in rules.consent_for
    assert set(rules.holidays) == {"ES", "ES-MD"} and rules.holidays["ES"] < rules.holidays["ES-MD"]
    assert all(f"{year}-12-25" in rules.holidays["ES"] for year in (2026, 2027, 2030))


def test_everything_a_campaign_can_say() -> None:
    campaign = winter(
        """\
    purpose: marketing
    hours: office
    skills: sales
    lines: 20
    calls_per_second: 2.5
    ring_s: 25
    amd: {use: on, max_words: 4}
    safe_harbour: who
    opt_out_key: "8"
    retry: {busy: {after_s: 300, tries: 3}, abandoned: {after_s: 86400, tries: 1}}
    retry_dispositions: {sold: {after_s: 7200, tries: 2}}
    dispositions: sold
    wrap_up_s: 15
    lists: [winter, autumn-2025]
    whisper: [name, "Last order"]
    preview_s: 90
    inbound_level_percent: 80
    voicemail: who
    record: {mode: share, percent: 20}
    costs: {currency: EUR, agent_hour_minor: 1800}
    rules:
      max_abandon_percent: 1
      calls_a_day: 2
      calling_hours: {monday-friday: ["10:00-13:00", "16:00-20:00"]}
      blocked_prefixes: "+3490"
"""
    )
    assert (campaign.mode, campaign.queue, campaign.hours, campaign.lines) == (Mode.PROGRESSIVE, "sales", "office", 20)
    assert (campaign.amd.use, campaign.amd.max_words, campaign.amd.greeting_ms) == (AmdUse.ON, 4, 1500)
    assert campaign.retry[Outcome.BUSY] == RetryRule(after_s=300, tries=3)
    assert campaign.retry_dispositions == {"sold": RetryRule(after_s=7200, tries=2)}
    assert (campaign.rules.max_abandon, campaign.rules.calls_a_day) == (0.01, 2)
    assert campaign.rules.week[0] == ((600, 780), (960, 1200)) and campaign.rules.week[5] == ()
    assert campaign.rules.blocked_prefixes == {"+3490"} and campaign.costs.agent_hour_minor == 1800
    assert (campaign.lists, campaign.whisper) == (("winter", "autumn-2025"), ("name", "Last order"))
    assert (campaign.preview_s, campaign.inbound_level, campaign.voicemail) == (90, 0.8, "who")
    assert campaign.record == RecordingPolicy(mode=RecordingMode.SHARE, percent=20)


def test_numbers_of_ours_have_the_type_that_the_plan_gives_them() -> None:
    found = dialing(OURS.replace(f'  "{FIXED}": {{answers', f'  "{MOBILE}": {{answers_back: true}}\n  "{FIXED}": {{answers'))
    assert {number: each.line_type for number, each in found.caller_ids.items()} == {
        MOBILE: LineType.MOBILE,
        FIXED: LineType.FIXED,
    }
    assert (found.caller_ids[FIXED].prefixes, found.caller_ids[FIXED].calls_a_day, found.country) == (("+3491",), 60, "ES")


def test_the_sites_rules_hold_in_its_campaigns_and_another_preset_keeps_what_is_never_called() -> None:
    site = "dialing: {registers: {tps: 15}, rules: {calls_a_day: 3, blocked_prefixes: ['+3480']}}\n"
    assert winter(site=site).rules.calls_a_day == 3
    british = winter("    preset: uk\n", site=site).rules
    assert (british.preset, british.calls_a_day, british.countries) == ("uk", None, {"GB"})
    assert british.blocked_prefixes == {"+3480"} and british.registers == {"tps": 15 * DAY_S}


def test_an_override_loosens_a_rule_and_its_reason_is_kept() -> None:
    reason = "Counsel, 3 May 2026: only companies are called"
    site = f"dialing: {{registers: {{a: 9}}, rules: {{consent_for: []}}, overrides: [{{rule: consent_for, because: '{reason}'}}]}}\n"
    rules = winter(site=site).rules
    assert rules.consent_for == frozenset() and rules.overrides == {"consent_for": reason}
    assert any("dialing.rules.consent_for: expected a value as strict as the preset es has" in each for each in warned())


def test_the_settings_go_through_the_journal_and_a_change_is_told() -> None:
    old, new = loaded(OURS, DIALING, CAMPAIGN), loaded(OURS, DIALING, CAMPAIGN, "    lines: 7\n")
    assert codec.decode(Settings, codec.encode(new.settings)) == new.settings
    assert difference(old, new).changes == ("dialing.campaigns.winter.lines: 30 -> 7",)
    assert old.settings.content_hash != new.settings.content_hash


# --- what is refused ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            "    rules: {max_abandon_percent: 5}\n",
            "rules.max_abandon_percent: expected a value at least as strict as 3 (the rules es), got 5",
        ),
        ("    rules: {max_abandon_percent: 101}\n", "rules.max_abandon_percent: expected percent from 0 to 100, got 101"),
        ("    rules: {closed_on_holidays: false}\n", "rules.closed_on_holidays: expected a value at least as strict as true"),
        ("    rules: {calling_hours: {sunday: '10:00-12:00'}}\n", "monday 09:00-21:00; tuesday"),
        ("    rules: {calling_hours: {monday: ['10:00-12:00', '11:00-13:00']}}\n", "expected spans that do not overlap"),
        ("    rules: {modes: [predictve]}\n", "did you mean predictive?"),
        ("    rules: {max_abandon: 3}\n", "it is written in percent: max_abandon_percent"),
        ("    rules: {ring_min_s: 10}\n", "rules.ring_min_s: expected a value at least as strict as 15"),
        ("    overrides: [{rule: ring_min_s, because: why}]\n", "expected a reason, got"),
        ("    overrides: [{rule: rings, because: a long enough reason}]\n", "known are abandon_hold_off_s"),
        ("    ring_s: 10\n", "ring_s: expected at least 15 seconds (the rules es), got 10"),
        ("    lines_per_agent: 2\n", "expected lines_per_agent with power or predictive only"),
        ("    retry: {abandoned: {after_s: 60, tries: 1}}\n", "retry.abandoned.after_s: expected at least 86400 seconds"),
        ("    retry: {busy: {after_s: 60}}\n", "retry.busy.tries: expected"),
        ("    retry: {bussy: {after_s: 60, tries: 1}}\n", "known are busy, no_answer"),
        (
            "    retry_dispositions: {sould: {after_s: 60, tries: 1}}\n",
            "retry_dispositions.sould: expected the name of a disposition",
        ),
        ("    retry_dispositions: {sold: {after_s: 60}}\n", "retry_dispositions.sold.tries: expected"),
        ("    safe_harbour: goodby\n", 'expected the name of a prompt, got "goodby"'),
        ("    opt_out_key: '10'\n", "opt_out_key: expected one of 0-9 * #"),
        ("    preset: gb\n", "known are us, uk, br, es, it, fr, de, other"),
        ("    preset: uk\n    amd: on\n", "amd: expected amd: off under the rules uk, got on"),
        ("    amd: maybe\n", "amd: expected one of off, on, confirm"),
        ("    calls_per_second: 0\n", "expected calls a second from 0.1 to 500, got 0"),
        ("    cps: 3\n", "it is written as calls_per_second"),
        ("    lists: [Winter]\n", 'lists[0]: expected the name of a list of leads, got "Winter" (lower-case letters'),
        ("    lists: [winter, spring, winter]\n", 'lists: expected each name once, got "winter" again (remove it)'),
        ("    list: winter\n", "it is written as lists"),
        ("    whisper: [name, name]\n", 'whisper: expected each name once, got "name" again'),
        ("    whisper: [number]\n", 'whisper: expected name or a field of the lead, got "number"'),
        ("    preview_s: 2\n", "preview_s: expected seconds from 5 to 3600, got 2"),
        ("    inbound_level_percent: 0.8\n", "inbound_level_percent: expected percent from 1 to 100, got 0.8"),
        ("    inbound_level: 80\n", "it is written in percent: inbound_level_percent"),
        (
            "    voicemail: who\n",
            "voicemail: expected amd: on with voicemail, or the mode agentless, got amd: off and progressive",
        ),
        ("    amd: confirm\n", "amd: expected a disposition that means machine, or person, with amd: confirm, got none"),
        ("    record: sometimes\n", "record: expected true, false, always"),
        ("    recording: true\n", "it is written as record"),
    ],
)
def test_what_is_wrong_in_a_campaign(more: str, says: str) -> None:
    found = told(OURS, DIALING, CAMPAIGN, more)
    assert any(each.startswith("campaigns.winter") and says in each for each in found), found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mode: progressive", "mode: predictive", "mode: expected a safe_harbour prompt with predictive, got none"),
        ("mode: progressive", "mode: agentless", "mode: expected a flow with agentless, got none"),
        ("mode: progressive", "mode: callback_only", "mode: expected purpose: requested with callback_only"),
        (
            "mode: progressive\n",
            "mode: progressive\n    preset: fr\n",
            "mode: expected a mode that the rules fr (they are not verified) allow, got progressive",
        ),
        ("    queue: sales\n", "", "mode: expected a queue with progressive, got none"),
        ("    queue: sales\n", "    queue: salse\n", "did you mean sales?"),
        ("    trunks: first\n", "", "trunks: expected a list"),
        ("    trunks: first\n", "    trunks: []\n", "trunks: expected a trunk, got an empty list"),
        ("    trunks: first\n", "    trunks: frist\n", "did you mean first?"),
        (FIXED, "+34915550199", 'expected the name of a caller-ID, got "+34915550199"'),
        ("    name: Winter offer\n", "", "name: expected"),
    ],
)
def test_what_a_campaign_lacks(old: str, new: str, says: str) -> None:
    found = told(OURS, DIALING, CAMPAIGN.replace(old, new))
    assert any(each.startswith("campaigns.winter") and says in each for each in found), found


@pytest.mark.parametrize(
    ("number", "given", "says"),
    [
        ("+34915550199", "answers_back: true", 'got "+34915550199", which is not under dids (did you mean +34915550100?)'),
        ("+34123", "answers_back: true", "expected a telephone number with + and country code"),
        ("+34111111111", "answers_back: true", "expected a number that exists"),
        (
            FREE,
            "answers_back: true",
            "answers_back: expected a number that is answered, got one that is refused: answer: never",
        ),
        (MOBILE, "answer_back: true", "did you mean answers_back?"),
    ],
)
def test_numbers_that_may_not_be_shown(number: str, given: str, says: str) -> None:
    found = told(OURS.replace(f'  "{FIXED}": {{answers', f'  "{number}": {{{given}}}\n  "{FIXED}": {{answers'))
    assert any(each.startswith(f"caller_ids.{number}") and says in each for each in found), found


def test_a_mobile_number_is_not_shown_in_spain_and_one_must_answer() -> None:
    ours = OURS.replace(f'  "{FIXED}": {{answers_back: true,', f'  "{MOBILE}": {{answers_back: true}}\n  "{FIXED}": {{')
    campaign = CAMPAIGN.replace(f'"{FIXED}"', f'["{MOBILE}", "{FIXED}"]')
    assert any(
        f"caller_ids: expected numbers that the rules es allow to show, got {MOBILE}" in each
        for each in told(ours, DIALING, campaign)
    )
    assert any("expected a number with answers_back: true, got none" in each for each in told(ours, DIALING, CAMPAIGN))


@pytest.mark.parametrize(
    ("site", "says"),
    [
        (
            "dialing: {registers: {robinson: 90}}\n",
            "dialing.registers.robinson: expected at most 31 days (the preset es), got 90",
        ),
        ("dialing: {preset: us, registers: {dnc: 30}}\n", "dialing.preset: expected a preset for ES, got us"),
        ("dialing: {country: XX, registers: {a: 3}}\n", "expected a country whose holidays are known"),
        (
            "dialing: {registers: {a: 3}, holidays: [ES-XX]}\n",
            "dialing.holidays[0]: expected a region whose holidays are known",
        ),
        ("dialing: {registers: {a: 3}, overides: []}\n", "did you mean overrides?"),
        ("dialing: true\n", "dialing: expected a table"),
        ("", "campaigns.winter: expected a public do-not-call register for marketing under the rules es, got none"),
    ],
)
def test_what_is_wrong_with_the_sites_rules(site: str, says: str) -> None:
    found = told(OURS, site, CAMPAIGN)
    assert any(says in each for each in found), found


def test_what_a_disposition_means_for_a_lead() -> None:
    means = "dispositions: {sold: {means: success}, robot: {code: '8', name: Robot, means: machine}}\n"
    found = loaded(OURS, DIALING, CAMPAIGN, "    amd: confirm\n    dispositions: [sold, robot]\n", means)
    assert [each.means for each in found.settings.dispositions.values()][:1] == [DispositionMeaning.SUCCESS]
    assert not any("campaigns" in each for each in warned())
    assert any(
        "dispositions.robot.means: expected one of nothing, success" in each and "did you mean machine?" in each
        for each in told(OURS, DIALING, CAMPAIGN, means.replace("machine", "machin"))
    )
    agentless = CAMPAIGN.replace("mode: progressive\n    queue: sales", "mode: agentless\n    flow: gone")
    assert any(
        "dispositions: expected no dispositions with agentless, got some" in each
        for each in told(OURS, DIALING, agentless, "    dispositions: [sold]\n")
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "retry_dispositions.later: expected a disposition that agents may enter here, got"),
        ("    dispositions: [sold, later]\n", "which means call_back"),
    ],
)
def test_which_dispositions_may_ask_for_another_try(more: str, says: str) -> None:
    later = "dispositions: {later: {code: '8', name: Later, means: call_back}}\n"
    again = "    retry_dispositions: {later: {after_s: 60, tries: 2}}\n"
    assert any(says in each for each in told(OURS, DIALING, CAMPAIGN, again, more, later))


def test_what_nobody_can_tell_is_warned_of() -> None:
    loaded(OURS, DIALING, CAMPAIGN, "    dispositions: [sold]\n    retry: {machine: {after_s: 60, tries: 2}}\n")
    found = warned()
    for says in ("expected a disposition that means success, got none", "retry.machine: expected amd, or a disposition"):
        assert any(says in each for each in found), found


def test_what_works_and_is_hardly_meant() -> None:
    loaded(
        OURS,
        DIALING,
        CAMPAIGN,
        "    lines: 90\n    calls_per_second: 50\n    overrides: [{rule: modes, because: nothing at all}]\n",
    )
    found = warned()
    for says in ("at most the 60 lines of the trunks, got 90", "at most the 10 calls a second", "got one of no use"):
        assert any(says in each for each in found), found


# --- the documents ----------------------------------------------------------------------------------------------------------------
ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "outbound-law.md").read_text()


def test_the_guide_says_of_each_preset_what_it_is() -> None:
    for name, preset in PRESETS.items():
        part = GUIDE.partition(f"\n### `{name}`: {preset.title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
        assert f"As of {preset.as_of}" in part, name
        assert ("not verified" in part) is not preset.is_verified
        assert all(f"- {source}\n" in part for source in preset.sources), name
        assert all(f"`{written_name(rule)}`" in part for rule in preset.unverified), name
    assert "no legal advice" in GUIDE


def test_the_guide_tells_every_refusal_and_every_rule() -> None:
    for reason in Refusal:
        assert f"| `{reason.value}` |" in GUIDE, reason
    for rule in AT_LEAST_AS_STRICT:
        assert f"`{written_name(rule)}`" in GUIDE or rule in ("registers", "holidays"), rule


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE))
def test_what_stands_in_the_guide_is_good(block: str) -> None:
    assert loaded(block, "" if "dids:" in block else OURS).settings.dialing is not None


def test_the_sections_in_the_comments_of_the_example_are_good() -> None:
    example = ROOT / "ccserver" / "config" / "example.yaml"
    commented = example.read_text().partition("\n# dialing:\n")[2].partition("\n\n")[0]
    lines = [line[2:] for line in ["# dialing:", *commented.splitlines()] if not line.startswith("# The")]
    Path("example.yaml").write_text(f"extends: {example}\n" + "\n".join(lines))
    problems, warnings = check(Path("example.yaml"))
    assert problems == [] and len(warnings) == 2


# --- agents' own calls, and callers who do not want to be called ---------------------------------------------------------------
def test_why_agents_call_outside_is_service_unless_it_is_said() -> None:
    assert dialing(OURS, DIALING).own_calls is Purpose.SERVICE
    assert dialing(OURS, "dialing: {registers: {robinson: 30}, own_calls: marketing}\n").own_calls is Purpose.MARKETING
    (problem,) = told(OURS, "dialing: {own_calls: requested}\n")
    assert "expected service or marketing" in problem


@pytest.mark.parametrize(
    ("written", "campaign"),
    [("true", None), ("{campaign: \"'winter'\"}", Literal("winter")), ("{campaign: which}", Name("which"))],
)
def test_a_flow_puts_callers_on_the_list(written: str, campaign: Expression | None) -> None:
    nodes = f"a: {{do_not_call: {written}, next: bye, on_failure: bye}}, bye: {{hang_up: true}}"
    flow = f"flows: {{off: {{start: a, variables: {{which: text}}, nodes: {{{nodes}}}}}}}\n"
    node = loaded(flow).settings.flows["off"].nodes["a"]
    assert node == DoNotCallNode(next="bye", campaign=campaign, on_failure="bye")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("false", "expected true, or {campaign: …}, got false"),
        ("{campaign: 5}", "expected a text"),
        ("{campaing: x}", "did you mean campaign?"),
        ("maybe", "expected true"),
        ("true, on_failure: nowhere", "nowhere"),
    ],
)
def test_what_is_wrong_with_it_is_told(written: str, says: str) -> None:
    way = "" if "on_failure" in written else ", on_failure: bye"
    nodes = f"a: {{do_not_call: {written}, next: bye{way}}}, bye: {{hang_up: true}}"
    problems = told(f"flows: {{off: {{start: a, nodes: {{{nodes}}}}}}}\n")
    assert any(says in each for each in problems), problems


def test_callers_without_a_number_need_a_way_out() -> None:
    nodes = "a: {do_not_call: true, next: bye}, bye: {hang_up: true}"
    assert any("on_failure" in each for each in told(f"flows: {{off: {{start: a, nodes: {{{nodes}}}}}}}\n"))
