"""What a caller's session is answered when it asks for a value, and when: threads end when the test says so."""

import os
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog.testing
import voices
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from voices import Program, by_command

from ccserver.config.edges import EdgeSettings, NumbersBy
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.speech import speaker as module
from ccserver.speech.clips import MAX_AGE_S, Clips
from ccserver.speech.sound import read_wav, write_wav
from ccserver.speech.speaker import AT_ONCE, FAILURES_BEFORE_REST, HANGS_AFTER_S, MAX_QUEUED, REST_S, Paths, Speaker

EN, ES = Language("en"), Language("es")


class Studio:
    """A speaker with its clock, its threads and the voice that it uses."""

    def __init__(self, tmp_path: Path) -> None:
        self.program = Program(tmp_path)
        self.folder = tmp_path / "prompts"
        self.edges: EdgeSettings = voices.edges(tmp_path, by_command(self.program))
        self.clock = Clock()
        self.threads: list[tuple[Callable[[], None], Deferred[None]]] = []
        self.speaker = Speaker(edges=lambda: self.edges, on_thread=self._defer, clock=self.clock)

    def _defer(self, work: Callable[[], None], /) -> "Deferred[None]":
        result: Deferred[None] = Deferred()
        self.threads.append((work, result))
        return result

    def finish_threads(self) -> None:
        while self.threads:
            work, result = self.threads.pop(0)
            try:
                work()
            except Exception:
                result.errback()
            else:
                result.callback(None)

    def ask(self, kind: SpokenKind, value: str, language: Language = EN) -> "list[Paths | None]":
        """What has been answered; empty while the answer is awaited."""
        answers: list[Paths | None] = []
        answer = self.speaker.say(Spoken(kind, value), language)
        if isinstance(answer, Deferred):
            answer.addCallback(answers.append)
        else:
            answers.append(answer)
        return answers

    def said(self, kind: SpokenKind, value: str, language: Language = EN) -> Paths:
        """Asked, made and answered."""
        answers = self.ask(kind, value, language)
        self.finish_threads()
        assert len(answers) == 1
        assert answers[0] is not None
        return answers[0]

    def is_there(self, path: str) -> bool:
        return (self.folder / path.removeprefix("/prompts/")).with_suffix(".wav").is_file()


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def test_a_value_is_made_on_a_thread_and_from_then_on_there_at_once(studio: Studio) -> None:
    first = studio.ask(SpokenKind.DURATION, "300", ES)
    assert first == []
    studio.finish_threads()
    (paths,) = first
    assert paths is not None
    assert len(paths) == 1
    assert paths[0].startswith("/prompts/.values/")
    assert studio.is_there(paths[0])
    assert studio.program.said() == ["es-mx es: cinco minutos"]
    assert studio.ask(SpokenKind.DURATION, "299.5", ES) == [paths]
    assert studio.speaker.counters.made == 1


def test_the_same_value_is_made_once_for_all_who_wait(studio: Studio) -> None:
    asked = [studio.ask(SpokenKind.NUMBER, "12") for _ in range(3)]
    assert len(studio.threads) == 1
    studio.finish_threads()
    assert asked[0] == asked[1] == asked[2] != []
    assert studio.program.said() == ["en en: twelve"]


def test_digits_are_put_together_from_single_ones(studio: Studio) -> None:
    paths = studio.said(SpokenKind.DIGITS, "4004")
    assert len(paths) == 4
    assert paths[0] == paths[3] != paths[1] == paths[2]
    assert sorted(studio.program.said()) == ["en en: four", "en en: zero"]
    assert studio.ask(SpokenKind.DIGITS, "0440") == [(paths[1], paths[0], paths[0], paths[1])]
    assert studio.ask(SpokenKind.SPELLED, "40") == [(paths[0], paths[1])]


def test_the_sites_own_recordings_win(studio: Studio) -> None:
    (studio.folder / "en").mkdir()
    write_wav(studio.folder / "en/number-12.wav", array("h", [9] * 800))
    (studio.folder / "en/digit-5.gsm").write_bytes(b"gsm")
    assert studio.ask(SpokenKind.NUMBER, "12.0") == [("/prompts/en/number-12",)]
    assert studio.said(SpokenKind.DIGITS, "56")[0] == "/prompts/en/digit-5"
    assert studio.program.said() == ["en en: six"]
    assert studio.ask(SpokenKind.NUMBER, "12", ES) == []


def test_a_language_whose_numbers_asterisk_says(studio: Studio) -> None:
    studio.edges = voices.edges(studio.folder.parent, studio.edges.speech, numbers={EN: NumbersBy.ASTERISK})
    for kind in (SpokenKind.DIGITS, SpokenKind.NUMBER, SpokenKind.SPELLED):
        assert studio.ask(kind, "12") == [None]
        assert studio.ask(kind, "12", ES) == []
    assert studio.ask(SpokenKind.DURATION, "60") == [], "of which Asterisk knows nothing"


def test_a_value_that_is_none_is_refused_at_once(studio: Studio) -> None:
    assert studio.ask(SpokenKind.DATE, "tomorrow") == [None]
    assert studio.ask(SpokenKind.PROMPT, "welcome") == [None]
    assert studio.threads == []


def test_an_engine_that_fails_is_answered_without_delay_and_then_left_alone(studio: Studio) -> None:
    for number in range(FAILURES_BEFORE_REST):
        answers = studio.ask(SpokenKind.TEXT, f"fail {number}")
        studio.finish_threads()
        assert answers == [None]
    assert studio.ask(SpokenKind.TEXT, "good") == [None]
    assert studio.threads == []
    studio.clock.advance(REST_S)
    assert studio.said(SpokenKind.TEXT, "good"), "it is asked again"
    assert studio.speaker.counters.failed == FAILURES_BEFORE_REST


def test_after_a_rest_one_failure_is_enough(studio: Studio) -> None:
    for number in range(FAILURES_BEFORE_REST + 1):
        studio.ask(SpokenKind.TEXT, f"fail {number}")
        studio.finish_threads()
        studio.clock.advance(REST_S if number >= FAILURES_BEFORE_REST - 1 and number != FAILURES_BEFORE_REST else 0)
    assert studio.ask(SpokenKind.TEXT, "good") == [None]


def test_who_gives_up_is_answered_and_the_next_caller_has_it(studio: Studio) -> None:
    answer = studio.speaker.say(Spoken(SpokenKind.TEXT, "Ana"), EN)
    assert isinstance(answer, Deferred)
    answers: list[Paths | None] = []
    answer.addCallback(answers.append)
    answer.cancel()
    assert answers == [None]
    studio.finish_threads()
    assert answers == [None]
    (paths,) = studio.ask(SpokenKind.TEXT, "Ana")
    assert paths is not None
    assert studio.speaker.counters.late == 1


def give_up(studio: Studio, text: str) -> None:
    answer = studio.speaker.say(Spoken(SpokenKind.TEXT, text), EN)
    if isinstance(answer, Deferred):
        answer.cancel()


def test_an_engine_that_hangs_is_left_alone_and_what_waits_for_it_is_answered(studio: Studio) -> None:
    waiting = [studio.ask(SpokenKind.TEXT, f"waits {number}") for number in range(AT_ONCE + 1)]
    studio.clock.advance(HANGS_AFTER_S)
    for number in range(FAILURES_BEFORE_REST):
        assert waiting[-1] == []
        give_up(studio, f"given up {number}")
    assert waiting[-1] == [None]
    assert studio.ask(SpokenKind.TEXT, "good") == [None]
    assert len(studio.threads) == AT_ONCE
    studio.finish_threads()
    assert waiting[0] != [None]


def test_an_engine_that_only_has_much_to_do_is_not_left_alone(studio: Studio) -> None:
    studio.ask(SpokenKind.TEXT, "at work")
    studio.clock.advance(HANGS_AFTER_S - 1)
    for number in range(2 * FAILURES_BEFORE_REST):
        give_up(studio, f"given up {number}")
    assert studio.ask(SpokenKind.TEXT, "good") == []
    assert studio.speaker.counters.late == 2 * FAILURES_BEFORE_REST


def test_few_threads_speak_at_once_and_few_values_wait(studio: Studio) -> None:
    asked = [studio.ask(SpokenKind.NUMBER, str(number)) for number in range(AT_ONCE + MAX_QUEUED)]
    assert len(studio.threads) == AT_ONCE
    assert studio.ask(SpokenKind.NUMBER, "1000") == [None], "too many wait already"
    studio.finish_threads()
    assert all(len(each) == 1 and each[0] is not None for each in asked)
    assert studio.ask(SpokenKind.NUMBER, "1000") == []


def test_a_reload_is_seen(studio: Studio) -> None:
    before = studio.said(SpokenKind.NUMBER, "12", ES)
    studio.edges = voices.edges(studio.folder.parent, studio.edges.speech, voices={ES: "es-419"})
    assert studio.said(SpokenKind.NUMBER, "12", ES) != before
    assert studio.program.said()[-1] == "es-419 es: doce"


def test_a_fault_of_ours_is_an_answer_too(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module.Clips, "make", make)
    answers = studio.ask(SpokenKind.NUMBER, "12")
    studio.finish_threads()
    assert answers == [None]


def test_an_engine_that_writes_something_else_says_so_in_the_log(studio: Studio) -> None:
    with structlog.testing.capture_logs() as logs:
        answers = studio.ask(SpokenKind.TEXT, "noise")
        studio.finish_threads()
    assert answers == [None]
    assert "the speech engine wrote not a WAV file" in logs[0]["reason"]
    assert not list(studio.folder.glob(".values/*"))


# --- what is kept -----------------------------------------------------------------------------------------------------
def test_a_clip_is_short_of_silence_and_for_telephones(studio: Studio, tmp_path: Path) -> None:
    (path,) = studio.said(SpokenKind.NUMBER, "12")
    samples, rate_hz = read_wav(studio.folder / f"{path.removeprefix('/prompts/')}.wav")
    assert rate_hz == 8000
    assert max(samples[:400]) > 1000


def test_what_is_not_used_goes_and_what_is_used_stays(studio: Studio) -> None:
    (used,), (unused,) = studio.said(SpokenKind.NUMBER, "1"), studio.said(SpokenKind.NUMBER, "2")
    files = {path: studio.folder / f"{path.removeprefix('/prompts/')}.wav" for path in (used, unused)}
    now_s = files[used].stat().st_mtime + MAX_AGE_S - 3600
    for file in files.values():
        os.utime(file, (now_s - MAX_AGE_S, now_s - MAX_AGE_S))
    studio.speaker._wall_s = lambda: now_s
    assert studio.ask(SpokenKind.NUMBER, "1") == [(used,)]

    assert Clips(studio.edges).sweep(now_s + 60) == 1
    assert (files[used].exists(), files[unused].exists()) == (True, False)


def test_of_too_many_the_oldest_go_but_none_that_is_young(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccserver.speech.clips.MAX_CLIPS", 2)
    files = []
    for number in range(4):
        (path,) = studio.said(SpokenKind.NUMBER, str(number))
        files.append(studio.folder / f"{path.removeprefix('/prompts/')}.wav")
    now_s = files[0].stat().st_mtime + 10
    assert Clips(studio.edges).sweep(now_s) == 0
    for number, file in enumerate(files):
        os.utime(file, (now_s - 90_000 + number, now_s - 90_000 + number))
    assert Clips(studio.edges).sweep(now_s) == 2
    assert [file.exists() for file in files] == [False, False, True, True]
