"""Functions of administrators in their threads: what they are given, what they give, and how they are ended."""

import builtins
import logging
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import structlog.testing
from asterisk.agi import AGI
from script_site import ScriptSite
from twisted.internet.defer import Deferred, ensureDeferred

from ccserver.core.events import VerbEnd
from ccserver.scripts.outcome import ScriptFailed
from ccserver.scripts.output import LINES_MAX
from ccserver.scripts.runner import HUNG_AFTER_S, SWITCH_S


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """What was logged."""
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


def events(lines: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in lines]


def failure(lines: list[dict[str, object]]) -> str:
    (failed,) = [line for line in lines if line["event"] == "script.failed"]
    return str(failed["reason"])


# --- with a call --------------------------------------------------------------------------------------------------------
def test_a_function_speaks_asks_and_gives_a_word_and_values(site: ScriptSite) -> None:
    site.write("""
        from ccserver.scripts import Result

        def check(agi, call):
            agi.stream_file("welcome")
            agi.stream_file("tt-monkeys", "12")
            order = agi.get_data("order-number", 5000, 4)
            agi.say_digits(order)
            return Result("paid", order=order, amount=12, known=True, caller=call.caller_number, number=call.number)
        """)
    run = site.start()
    site.answer(run, "STREAM FILE", "/prompts/en/welcome", "", "0")
    site.answer(run, "STREAM FILE", "tt-monkeys", "12", "0", reply="200 result=50 endpos=7200")
    site.answer(run, "GET DATA", "order-number", "5000", "4", reply="200 result=0123")
    site.answer(run, "SAY DIGITS", "0123", "")
    values = {"order": "0123", "amount": 12.0, "known": True, "caller": "+34911222333", "number": 12.0}
    assert site.done(run) == (VerbEnd.DONE, "paid", values)
    assert site.running() == 0


def test_it_is_pyst2s_own_agi(site: ScriptSite) -> None:
    site.write("""
        from asterisk.agi import AGI
        def check(agi, call):
            assert isinstance(agi, AGI), type(agi).__mro__
            return agi.env["agi_channel"].partition("-")[0].replace("/", "_")
        """)
    assert site.done(site.start())[1] == "PJSIP_trunk"
    assert AGI.__module__ == "asterisk.agi"


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("None", ("", {})),
        ("'paid'", ("paid", {})),
        ("{'amount': 3}", ("", {"amount": 3.0})),
        ("Result('late', due=__import__('datetime').date(2026, 12, 24))", ("late", {"due": "2026-12-24"})),
        (
            "Result(total=__import__('decimal').Decimal('1.50'), note='a\\nb', nothing=None)",
            ("", {"total": 1.5, "note": "a b"}),
        ),
    ],
)
def test_what_can_be_returned(site: ScriptSite, returned: str, expected: tuple[str, dict[str, object]]) -> None:
    site.write(f"from ccserver.scripts import Result\ndef check(agi, call): return {returned}")
    assert site.done(site.start())[1:] == expected


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ("7", "of the type int, not a word"),
        ("'no word'", "not one of letters"),
        ("{'x': [1]}", "'x' is of the type list"),
        ("{'x': float('nan')}", "no number that can be said"),
        ("{1: 'x'}", "the name of a value is of the type int"),
    ],
)
def test_what_no_flow_can_use_fails(site: ScriptSite, lines: list[dict[str, object]], returned: str, why: str) -> None:
    site.write(f"def check(agi, call): return {returned}")
    assert site.ended(site.start()) == (VerbEnd.FAILED, "", {})
    assert why in failure(lines)


def test_an_exception_is_told_with_its_place_but_without_what_was_typed(
    site: ScriptSite, lines: list[dict[str, object]]
) -> None:
    site.write("""
        PASSWORD = "hunter-two"
        def check(agi, call):
            pin = agi.get_data("pin", 5000, 4)
            return connect(pin, PASSWORD)

        def connect(pin, password):
            raise ValueError(f"no {pin!r} at postgresql://user:{password}@db/crm")
        """)
    run = site.start()
    site.answer(run, "GET DATA", "pin", "5000", "4", reply="200 result=4711")
    assert site.ended(run)[0] is VerbEnd.FAILED
    (failed,) = [line for line in lines if line["event"] == "script.failed"]
    assert (failed["script"], failed["interaction"], failed["where"]) == ("orders.check", 12, "orders.py:8")
    assert failed["reason"] == "ValueError: no '###' at postgresql://***@db/crm"
    assert 'orders.py", line 5, in check' in str(failed["traceback"])
    assert "4711" not in repr(lines) and "hunter" not in repr(lines)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def check(agi, call:\n  pass", "orders.py:1"),
        ("import no_such_module_at_all\ndef check(agi, call): pass", "ModuleNotFoundError"),
        ("def check(call): pass", "it takes (call), and (agi, call) is needed here"),
        ("def chekc(agi, call): pass", "did you mean orders.chekc?"),
        ("async def check(agi, call): pass", "it is async"),
        ("from os.path import join as check", "there is no such function"),
        ("def check(agi, call): pass\ncheck = 7", "no function any more"),
    ],
)
def test_what_cannot_be_run_is_told(site: ScriptSite, lines: list[dict[str, object]], text: str, why: str) -> None:
    site.write(text)
    assert site.ended(site.start())[0] is VerbEnd.FAILED
    assert why in failure(lines)


# --- the ends -----------------------------------------------------------------------------------------------------------
def test_a_caller_who_hangs_up_is_pysts_hang_up_and_the_function_can_tidy_up(site: ScriptSite) -> None:
    site.write("""
        from asterisk.agi import AGIHangup
        done = []
        def check(agi, call):
            try:
                agi.wait_for_digit(30000)
            except AGIHangup:
                done.append("tidied up")
                raise
        """)
    run = site.start()
    site.asked(run)
    run.hang_up()
    with structlog.testing.capture_logs() as captured:
        assert site.ended(run)[0] is VerbEnd.FAILED
    assert [line["event"] for line in captured] == ["script.left", "script.ended"]
    assert site.running() == 0 and site.runner.counters.failed == 0


def test_a_time_limit_in_a_command_ends_it_at_once_through_every_except_exception(site: ScriptSite) -> None:
    site.write("""
        def check(agi, call):
            while True:
                try:
                    agi.wait_for_digit(-1)
                except Exception:
                    pass
        """)
    run = site.start(time_limit_s=2.0)
    site.asked(run)
    site.clock.advance(2.0)
    assert run.ended() == (VerbEnd.TIMEOUT, "", {}), "without waiting for the thread"
    site.until(lambda: not site.running(), "the end of the thread")
    assert site.runner.counters.timed_out == 1 and site.hung() == 0


def test_a_pure_loop_is_ended_between_two_instructions(site: ScriptSite) -> None:
    site.write("""
        def check(agi, call):
            while True:
                try:
                    sum(range(100))
                except Exception:
                    pass
        """)
    run = site.start(time_limit_s=1.0)
    site.until(lambda: site.running() == 1)
    site.clock.advance(1.0)
    assert run.ended() == (VerbEnd.TIMEOUT, "", {})
    assert site.running() == 1, "its thread is still there"
    site.all_ended()
    assert site.runner.counters.hung == 0


def test_a_thread_that_does_not_end_is_counted_and_the_places_are_bounded(
    site: ScriptSite, lines: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("""
        import builtins
        def check(agi, call):
            builtins.freed.wait()
        def quick(agi, call):
            return "done"
        """)
    monkeypatch.setattr(builtins, "freed", site.freed, raising=False)
    runs = [site.start(time_limit_s=1.0) for _ in range(4)]
    site.clock.advance(1.0)
    assert [run.ended() for run in runs] == [(VerbEnd.TIMEOUT, "", {})] * 4
    site.clock.pump([0.5] * int(HUNG_AFTER_S * 2 + 2))
    assert (site.running(), site.hung(), site.runner.counters.hung) == (4, 4, 4)
    assert events(lines).count("script.hung") == 4

    began = time.monotonic()
    assert site.start("orders.quick").ended() == (VerbEnd.FAILED, "", {}), "at once: nobody waits for a place"
    assert time.monotonic() - began < 0.5
    refused = lines[-1]
    assert (refused["event"], refused["running"], refused["hung"]) == ("script.refused", 4, 4) and "mend" in refused

    site.freed.set()
    site.until(lambda: not site.running(), "the threads, now free")
    assert site.hung() == 0
    assert site.done(site.start("orders.quick"))[1] == "done"


def test_a_system_without_threads_is_a_failure_and_no_fault(
    site: ScriptSite, lines: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    site.write("def check(agi, call): pass")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        assert site.start().ended() == (VerbEnd.FAILED, "", {})
    assert (site.running(), events(lines)) == (0, ["script.refused"])
    assert site.done(site.start())


def test_a_stop_does_not_wait_for_ever(
    site: ScriptSite, lines: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("""
        import builtins
        def check(agi, call):
            builtins.freed.wait()
        def asks(agi, call):
            agi.wait_for_digit(30000)
        """)
    monkeypatch.setattr(builtins, "freed", site.freed, raising=False)
    hanging, asking = site.start(), site.start("orders.asks")
    site.asked(asking)
    stopped: Deferred[None] = ensureDeferred(site.runner.stop())
    site.until(lambda: site.running() == 1, "the end of the one that asks")
    assert not stopped.called
    site.clock.advance(2.0)
    assert stopped.called and hanging.ended() is None
    assert lines[-1] == {
        "event": "scripts.left",
        "log_level": "warning",
        "scripts": ["orders.check"],
        "reason": "their threads do not end",
    }
    site.freed.set()


def test_sys_exit_is_an_end_like_any_other(site: ScriptSite) -> None:
    site.write("import sys\ndef check(agi, call): sys.exit()")
    assert site.done(site.start()) == (VerbEnd.DONE, "", {})


# --- what it says -------------------------------------------------------------------------------------------------------
def test_prints_and_logs_go_to_the_log_under_the_scripts_name_and_not_for_ever(
    site: ScriptSite, lines: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("""
        import logging, sys
        def check(agi, call):
            print("hello", "there")
            logging.getLogger("mine").warning("order %s", "late")
            sys.stderr.write("half a line")
            for each in range(1000):
                print(each)
        """)
    logging.getLogger().addHandler(handler := logging.StreamHandler())
    site.runner.prepare()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    try:
        print("the daemon's own")
        site.done(site.start())
    finally:
        site.runner.release()
        logging.getLogger().removeHandler(handler)
    assert sys.getswitchinterval() == pytest.approx(0.005)
    said = [line for line in lines if line["event"] == "script.said"]
    assert [line["text"] for line in said][:4] == ["hello there", "mine: order late", "half a line0", "1"]
    assert {line["script"] for line in said} == {"orders.check"} and said[1]["log_level"] == "warning"
    assert len(said) == LINES_MAX + 1 and "the rest of this run is not written" in str(said[-1]["text"])
    written = capsys.readouterr()
    assert written.out == "the daemon's own\n" and written.err == ""


# --- commands that are not a script's -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("agi.set_variable('CC_NEXT', 'bye')", "are ccserver's"),
        ("agi.set_variable('__CC_TRY', '1')", "are ccserver's"),
        ("agi.set_variable('AGIEXITONHANGUP', 'no')", "are ccserver's"),
        ("agi.appexec('Set', 'CC_NEXT=bye')", "are ccserver's"),
        ("agi.appexec('AGI', 'agi://127.0.0.1/x')", "its session already"),
        ("agi.appexec('Goto', 'cc-call,s,1')", "the flow's to say"),
        ("agi.exec_command('Dial', 'PJSIP/101')", "joined by the flow"),
        ("agi.appexec('MusicOnHold', 'default')", "does not end"),
        ("agi.execute('ASYNCAGI BREAK')", "the flow's to say"),
        ("agi.set_context('other')", "the flow's to say"),
        ("agi.hangup('PJSIP/101-00000001')", "another call"),
        ("agi.execute('FORMAT DISK')", "no such command"),
        ("agi.verbose('x\\nSET VARIABLE CC_NEXT bye')", "one line"),
        ("agi.execute('SET VARIABLE', '\"CC\\\\_NEXT\"', 'bye')", "are ccserver's"),
    ],
)
def test_commands_that_a_script_cannot_give(site: ScriptSite, lines: list[dict[str, object]], call: str, why: str) -> None:
    site.write(f"""
        from asterisk.agi import AGIInvalidCommand
        def check(agi, call):
            try:
                {call}
            except AGIInvalidCommand as refusal:
                return "refused"
        """)
    run = site.start()
    assert site.done(run)[1] == "refused"
    (said,) = [line for line in lines if line["event"] == "script.said"]
    assert why in str(said["text"]) and said["log_level"] == "warning"


def test_pysts_bugs_that_would_hurt_are_mended(site: ScriptSite) -> None:
    site.write(r"""
        def check(agi, call):
            agi.verbose('say "hi" \\ there')
            agi.hangup()
            agi.database_get("cid name", "1")
            agi.exec_command("Playback", "a b", "skip")
            agi.set_variable("X", None)
        """)
    run = site.start()
    site.answer(run, "VERBOSE", 'say "hi" \\ there', "1")
    site.answer(run, "HANGUP", reply="200 result=1")
    site.answer(run, "DATABASE GET", "cid name", "1", reply="200 result=1 (Ana)")
    site.answer(run, "EXEC", "Playback", "a b,skip")
    site.answer(run, "SET VARIABLE", "X", "None")
    site.done(run)


# --- pure functions -----------------------------------------------------------------------------------------------------
def looked_up(site: ScriptSite, name: str = "orders.score", time_limit_s: float = 2.0) -> Deferred[object]:
    answer = site.runner.run_function(name, {"x": 2.0}, {"caller_number": "+34911222333"}, "es", time_limit_s)
    return answer  # type: ignore[return-value]


def result_of(site: ScriptSite, answer: Deferred[object]) -> object:
    site.until(lambda: answer.called, "an answer")
    found: list[object] = []
    answer.addBoth(found.append)
    return found[0]


def test_a_pure_function_answers_a_look_up(site: ScriptSite) -> None:
    site.write("""
        def score(call):
            return {"risk": call.parameters["x"] * 10, "who": call.caller_number, "language": call.language}
        def nothing(call):
            return None
        def raises(call):
            return {}["no"]
        """)
    assert result_of(site, looked_up(site)) == {"risk": 20.0, "who": "+34911222333", "language": "es"}
    assert result_of(site, looked_up(site, "orders.nothing")) is None
    failed = result_of(site, looked_up(site, "orders.raises"))
    assert str(failed.value) == "orders.raises: orders.py:7: KeyError: 'no'"  # type: ignore[attr-defined]
    failed = result_of(site, looked_up(site, "orders.none"))
    assert isinstance(failed.value, ScriptFailed)  # type: ignore[attr-defined]


def test_a_pure_function_has_its_time_too(site: ScriptSite) -> None:
    site.write("def score(call):\n    while True: pass")
    answer = looked_up(site, time_limit_s=1.0)
    site.clock.advance(1.0)
    assert "took longer than 1 s" in str(result_of(site, answer).value)  # type: ignore[attr-defined]
    site.all_ended()


def test_a_look_up_that_nobody_waits_for_any_more_is_ended(site: ScriptSite, lines: list[dict[str, object]]) -> None:
    site.write("def score(call):\n    while True: pass")
    answer = looked_up(site, time_limit_s=60.0)
    answer.addErrback(lambda _: None)
    answer.cancel()
    site.all_ended(5.0)
    assert "script.failed" not in events(lines)
