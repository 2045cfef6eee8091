"""What supervisors do by phone: closing opening hours, and recording prompts."""

from dataclasses import replace

import pytest
from desk import Desk
from keypad import Keypad

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import AuditRecord
from ccserver.core.settings import RecordablePrompt, Settings


class Office(Desk):
    """Agent 101 is a supervisor; the hours `mornings` have the code 1, and the code 7 is the prompt `welcome` in Spanish."""

    def adapted(self, settings: Settings) -> Settings:
        agents = {**settings.agents, "101": replace(settings.agents["101"], is_supervisor=True, language="es")}
        hours = {**settings.hours, "mornings": replace(settings.hours["mornings"], code="1")}
        prompts = {"7": RecordablePrompt(prompt="welcome", language="es")}
        return replace(settings, agents=agents, hours=hours, recordable_prompts=prompts)

    def acts(self) -> list[tuple[str, str, str, bool]]:
        return [(a.by, a.act, a.what, a.is_done) for a in self.kept(AuditRecord)]


class OfficePad(Keypad):
    def types(self, digits: str) -> None:
        self.desk.types(self.leg, digits)

    def recorded(self, duration_s: float) -> None:
        command = next(i for i, x in reversed(self.desk.all) if isinstance(x, c.RecordMessage))
        self.desk.tell(ev.MessageRecorded(session=self.session, command=command, end=ev.VerbEnd.DIGIT, duration_s=duration_s))


def test_hours_are_closed_by_phone_and_opened_again() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "511")
    assert pad.heard == "cc-login-pin"
    pad.pin(True)
    assert [p.value for p in desk.told(c.Collect)[0].say] == ["cc-hours-are-open", "cc-hours-change"]
    pad.types("1")
    assert pad.heard == "cc-hours-closed-now" and desk.center.snapshot().closed_hours["mornings"].until_utc_s is None
    pad.hang_up()
    again = OfficePad(desk, 1, "51")
    again.pin(True)
    assert again.heard == "cc-hours-code"
    again.types("1")
    assert desk.told(c.Collect)[0].say[0].value == "cc-hours-are-closed"
    again.types("1")
    assert again.heard == "cc-hours-open-now" and not desk.center.snapshot().closed_hours
    assert desk.acts() == [
        ("agent 101", "close_hours", "mornings", True),
        ("agent 101", "open_hours", "mornings", True),
    ]


def test_nothing_changes_without_the_key() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "511")
    pad.pin(True)
    pad.types("")
    assert desk.told(c.EndSession) and not desk.center.snapshot().closed_hours


def test_an_unknown_code_is_told() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "519")
    pad.pin(True)
    assert pad.heard == "cc-invalid-code"


@pytest.mark.parametrize("agent", ["102", "999"])
def test_who_is_no_supervisor_hears_what_a_wrong_pin_hears(agent: str) -> None:
    desk = Office()
    pad = OfficePad(desk, 2, "511")
    assert pad.heard == "cc-login-agent"
    pad.types(agent)
    pad.pin(True)
    assert pad.heard == "cc-login-failed" and not desk.center.snapshot().closed_hours


def test_a_supervisor_may_use_anybodys_phone_and_is_locked_after_wrong_pins() -> None:
    desk = Office()
    for _ in range(3):
        pad = OfficePad(desk, 2, "511")
        pad.types("101")
        pad.pin(False)
        assert pad.heard == "cc-login-failed"
        pad.hang_up()
    pad = OfficePad(desk, 2, "511")
    pad.types("101")
    assert pad.heard == "cc-login-locked"


def test_a_prompt_is_recorded_heard_and_kept() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "527")
    pad.pin(True)
    (record,) = desk.told(c.RecordMessage)
    assert record.path.startswith("/rec/prompt-2027-01-15-") and record.path.endswith("-es-welcome.wav")
    pad.recorded(3.0)
    review = desk.told(c.Collect)[0]
    assert [p.value for p in review.say] == [record.path.removesuffix(".wav"), "cc-prompt-review"] and review.language == "es"
    pad.types("3")
    assert desk.told(c.Collect)[0].say == review.say
    pad.types("2")
    (second,) = desk.told(c.RecordMessage)
    assert second.path != record.path
    pad.recorded(2.0)
    pad.types("1")
    (keep,) = desk.told(c.KeepPrompt)
    assert (keep.path, keep.prompt, keep.language) == (second.path, "welcome", "es")
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.KeepPrompt))
    desk.tell(ev.PromptKept(command=command, is_ok=True))
    assert pad.heard == "cc-prompt-kept" and desk.acts() == [("agent 101", "record_prompt", "welcome", True)]


def test_nothing_said_keeps_the_old_prompt() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "527")
    pad.pin(True)
    pad.recorded(0.0)
    assert pad.heard == "cc-prompt-failed" and not desk.ever(c.KeepPrompt)


def test_a_prompt_that_cannot_be_kept_is_told_and_on_record() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "527")
    pad.pin(True)
    pad.recorded(3.0)
    pad.types("1")
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.KeepPrompt))
    desk.tell(ev.PromptKept(command=command, is_ok=False))
    assert pad.heard == "cc-prompt-failed" and desk.acts() == [("agent 101", "record_prompt", "welcome", False)]


def test_a_supervisor_who_hangs_up_before_it_is_kept_is_on_record_all_the_same() -> None:
    desk = Office()
    pad = OfficePad(desk, 1, "527")
    pad.pin(True)
    pad.recorded(3.0)
    pad.types("1")
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.KeepPrompt))
    desk.tell(ev.SessionClosed(session=pad.session))
    desk.hangs_up(pad.leg)
    desk.tell(ev.PromptKept(command=command, is_ok=True))
    assert desk.acts() == [("agent 101", "record_prompt", "welcome", True)]
