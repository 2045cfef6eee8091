"""The systems beside the virtual PBX, and the verbs that ask them: by chance, each end that the real ones can have."""

from collections import Counter

from pbx_bench import CHECK, ORDERS, PINS, Bench, one

from ccserver.core.commands import (
    CloseRecording,
    CollectSecret,
    EndSession,
    KeepPrompt,
    LookUp,
    Next,
    OpenRecording,
    RunScript,
    Say,
    SecretCheck,
)
from ccserver.core.events import (
    Event,
    LookedUp,
    LookUpEnd,
    OpenEnd,
    PromptEnded,
    PromptKept,
    RecordingOpened,
    ScriptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
)
from ccserver.core.expressions import Value, ValueType, fitted, type_of
from ccserver.core.ids import AgentId, PromptId, SessionId
from ccserver.sim.sample import ENGLISH
from ccserver.sim.systems import NOTHING_TOLD, Answer, ScriptRun, Told
from ccserver.sim.wire import Faults

SEEDS = range(60)
LOOK_UP = LookUp(interaction=1, look_up=ORDERS, parameters={"order": "4711"}, language=ENGLISH)  # type: ignore[arg-type]
CHECKED = SecretCheck(look_up=PINS, parameters={}, hash_field="hash", token_field="token")


def asked_outside(seed: int) -> LookedUp:
    bench = Bench(seed)
    command = bench.perform(LOOK_UP)
    looked_up = one(bench.run(6.0), LookedUp)
    assert looked_up.command == command
    return looked_up


def script(session: SessionId) -> RunScript:
    return RunScript(session=session, script=CHECK, parameters={}, language=ENGLISH, time_limit_s=8.0)


def secret(session: SessionId) -> CollectSecret:
    return CollectSecret(session=session, say=(), language=ENGLISH, timeout_s=3.0, check=CHECKED, max_digits=4)


def typed(seed: int, digits: str, told: Told = NOTHING_TOLD) -> SecretChecked:
    bench = Bench(seed, told=told)
    _, caller, arrived = bench.caller()
    bench.perform(secret(arrived.session))
    for digit in digits:
        bench.pbx.press(caller, digit)
    return one(bench.run(10.0), SecretChecked)


# --- look-ups -----------------------------------------------------------------------------------------------------------
def test_a_look_up_finds_misses_or_fails_in_its_longest_time() -> None:
    assert {asked_outside(seed).end for seed in SEEDS} == set(LookUpEnd)


def test_what_is_found_has_the_types_that_the_look_up_gives_however_strange_it_is() -> None:
    found = [looked_up.values for seed in SEEDS if (looked_up := asked_outside(seed)).end is LookUpEnd.FOUND]
    for values in found:
        assert {name: type_of(value) for name, value in values.items()} == {type_.value: type_ for type_ in ValueType}
        assert all(fitted(value, type_of(value)) == value for value in values.values())
    assert len({str(values) for values in found}) > len(found) / 2


def test_a_look_up_that_the_daemon_dies_with_is_never_answered() -> None:
    bench = Bench()
    bench.perform(LOOK_UP)
    bench.systems.daemon_died()
    bench.pbx.daemon_died()
    bench.pbx.daemon_started()
    assert bench.run(10.0) == []


def test_a_story_says_what_is_found() -> None:
    def found(parameters: dict[str, Value]) -> Answer:
        return Answer(end=LookUpEnd.FOUND, values={"text": f"for {parameters['order']}"}, after_s=2.0)

    bench = Bench(told=Told(look_ups={ORDERS: found}))  # type: ignore[dict-item]
    bench.perform(LOOK_UP)
    assert bench.run(1.99) == []
    assert one(bench.run(0.02), LookedUp).values == {"text": "for 4711"}


def test_a_recorded_prompt_is_kept_or_not() -> None:
    ends = set()
    for seed in SEEDS:
        bench = Bench(seed)
        bench.perform(KeepPrompt(path="/rec/1", prompt=PromptId("welcome"), language=ENGLISH))
        ends.add(one(bench.run(1.0), PromptKept).is_ok)
    assert ends == {True, False}


def test_a_recording_is_laid_ready_until_it_is_closed_or_the_daemon_dies() -> None:
    ends = set()
    for seed in SEEDS:
        bench = Bench(seed)
        bench.perform(OpenRecording(agent=AgentId("101")))
        opened = one(bench.run(1.0), RecordingOpened)
        ends.add(opened.end)
        assert bench.systems.laid_ready == ({opened.path} if opened.end is OpenEnd.OPENED else set())
        if seed % 2:
            bench.perform(CloseRecording(path=opened.path))
        else:
            bench.systems.daemon_died()
        assert not bench.systems.laid_ready
    assert ends == set(OpenEnd)


# --- scripts ------------------------------------------------------------------------------------------------------------
def test_a_script_gives_a_word_and_values_raises_or_takes_too_long() -> None:
    ends, words, misfits = Counter[VerbEnd](), set[str](), 0
    for seed in SEEDS:
        bench = Bench(seed)
        _, _, arrived = bench.caller()
        began_s = bench.agenda.now_s
        bench.perform(script(arrived.session))
        bench.agenda.run_until(began_s + 7.9)
        ended = [event for event in bench.events if isinstance(event, ScriptEnded)] or [one(bench.run(0.2), ScriptEnded)]
        ends[ended[0].end] += 1
        words.add(ended[0].result)
        misfits += any(name != type_of(value).value for name, value in ended[0].values.items())
    assert ends.keys() == {VerbEnd.DONE, VerbEnd.FAILED, VerbEnd.TIMEOUT}
    assert {"paid", "", "something else"} <= words
    assert misfits > 0


def test_a_caller_who_hangs_up_ends_the_script_without_a_result() -> None:
    bench = Bench(told=Told(scripts={CHECK: lambda _: ScriptRun(end=VerbEnd.DONE, after_s=5.0)}))
    _, caller, arrived = bench.caller()
    bench.perform(script(arrived.session))
    bench.run(1.0)
    bench.pbx.hang_up(caller)
    told = bench.run(10.0)
    assert one(told, SessionClosed).session == arrived.session
    assert not any(isinstance(event, ScriptEnded) for event in told)


def test_a_newer_verb_waits_for_the_script() -> None:
    bench = Bench(told=Told(scripts={CHECK: lambda _: ScriptRun(end=VerbEnd.DONE, after_s=5.0)}))
    _, _, arrived = bench.caller()
    bench.perform(script(arrived.session))
    bench.perform(EndSession(session=arrived.session, next=Next.HANG_UP))
    assert not any(isinstance(event, SessionClosed) for event in bench.run(4.0))
    kinds = [type(event) for event in bench.run(2.0) if isinstance(event, ScriptEnded | SessionClosed)]
    assert kinds == [ScriptEnded, SessionClosed]


# --- secrets ------------------------------------------------------------------------------------------------------------
def test_a_secret_is_right_wrong_or_cannot_be_checked_and_only_a_right_one_has_a_token() -> None:
    ends = [typed(seed, "1234") for seed in SEEDS]
    assert {(end.is_ok, end.is_failed, bool(end.token)) for end in ends} == {
        (True, False, True),
        (False, False, False),
        (None, True, False),
    }


def test_who_types_nothing_is_not_judged() -> None:
    silent = typed(1, "")
    assert (silent.is_ok, silent.is_failed) == (None, False)


def test_a_story_says_which_secret_is_right() -> None:
    told = Told(secrets={PINS: "4321"})
    assert typed(1, "4321", told).is_ok is True
    assert typed(1, "1234", told).is_ok is False


def test_a_secret_that_was_typed_is_checked_before_a_newer_verb_begins() -> None:
    for seed in SEEDS:
        bench = Bench(seed)
        _, caller, arrived = bench.caller()
        bench.perform(secret(arrived.session))
        for digit in "1234":
            bench.pbx.press(caller, digit)
        bench.perform(Say(session=arrived.session, say=(), language=ENGLISH))
        ends: list[Event] = [event for event in bench.run(5.0) if isinstance(event, SecretChecked | PromptEnded)]
        assert [type(event) for event in ends] == [SecretChecked, PromptEnded]
        assert isinstance(ends[0], SecretChecked)
        assert ends[0].is_ok is not None or ends[0].is_failed


# --- verbs that fail ----------------------------------------------------------------------------------------------------
def test_any_verb_may_fail_where_faults_say_so() -> None:
    bench = Bench(faults=Faults(failed_ratio=1.0))
    _, _, arrived = bench.caller()
    bench.perform(script(arrived.session))
    bench.perform(secret(arrived.session))
    told = bench.run(1.0)
    assert one(told, ScriptEnded).end is VerbEnd.FAILED
    assert one(told, SecretChecked).is_failed
