"""Look-ups by HTTP against real servers that answer, err, stall, trickle and lie."""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import structlog
from outside import Bench, Crm, certificate, closed_port, raw, says

from ccserver.config.look_up_edges import BreakerRules, HttpLookUp, HttpMethod
from ccserver.core.commands import LookUp
from ccserver.core.events import LookedUp, LookUpEnd
from ccserver.core.expressions import ValueType
from ccserver.core.ids import CommandId, InteractionId, Language, LookUpId
from ccserver.lookups.http import ANSWER_MAX_BYTES

T, N, B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
MakeCrm = Callable[..., Crm]


def customer(url: str, **more: object) -> HttpLookUp:
    given = {"parameters": {"number": T}, "gives": {"name": T}, "timeout_s": 1.0, "tries": 1, **more}
    return HttpLookUp(url=url, **given)  # type: ignore[arg-type]


# --- what is asked, and what comes of it --------------------------------------------------------------------------------
def test_a_get_has_the_parameters_in_its_query_and_takes_paths_out_of_the_answer(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({"name": "Ana", "address": {"city": "Porto"}, "orders": [{"due": 12.5}], "is_vip": True, "rest": [1]}))
    look_up = customer(
        server.url("/customers?site=1"),
        parameters={"number": T, "last": N, "open": B},
        gives={"name": T, "address.city": T, "orders.0.due": N, "is_vip": B},
        headers={"X-Site": "madrid"},
        token="a-token",
    )
    bench.configure(customer=look_up)

    bench.edge.perform(
        CommandId(7, 1),
        LookUp(
            interaction=InteractionId(3),
            look_up=LookUpId("customer"),
            parameters={"number": "+34 91&x=ñ", "last": 12.0, "open": False},
            language=Language("pt_BR"),
        ),
    )
    bench.loop.until(lambda: bool(bench.events), "the answer")

    values = {"name": "Ana", "address.city": "Porto", "orders.0.due": 12.5, "is_vip": True}
    assert bench.events == [LookedUp(command=CommandId(7, 1), end=LookUpEnd.FOUND, values=values)]
    (asked,) = server.asked
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.target == "/customers?site=1&number=%2B34+91%26x%3D%C3%B1&last=12&open=false"
    assert asked.headers["Authorization"] == "Bearer a-token"
    assert asked.headers["X-Site"] == "madrid"
    assert asked.headers["Accept-Language"] == "pt-BR"
    assert bench.counted("ccserver_look_ups_total", look_up="customer", end="found") == 1
    assert bench.counted("ccserver_look_up_seconds_count", look_up="customer") == 1


def test_a_post_has_them_in_a_json_object_and_no_secret_is_kept_after_it(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({"name": "Ana"}))
    card = customer(server.url("/"), method=HttpMethod.POST, parameters={"number": T, "amount": N, "secret": T})
    only = customer(server.url("/"), method=HttpMethod.POST, parameters={"secret": T})
    bench.configure(card=card, only=only)

    secret = bytearray(b"083915")
    assert bench.ask("card", secret, number='"x"', amount=3.0).end is LookUpEnd.FOUND
    assert bench.ask("only", secret).end is LookUpEnd.FOUND

    assert json.loads(server.asked[0].body) == {"number": '"x"', "amount": 3, "secret": "083915"}
    assert json.loads(server.asked[1].body) == {"secret": "083915"}
    assert "083915" not in server.asked[0].target


@pytest.mark.parametrize(
    "answer", [raw(b"", 404), raw(b"no such customer", 404), raw(b"", 204), raw(b" \n"), says({}), says([]), says(None)]
)
def test_not_found_and_empty_answers_are_missing(bench: Bench, crm: MakeCrm, answer: object) -> None:
    bench.configure(customer=customer(crm(answer).url()))
    assert bench.ask("customer", number="1").end is LookUpEnd.MISSING
    assert bench.counted("ccserver_look_ups_total", look_up="customer", end="missing") == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says({"title": "Dr"}), "the answer does not fit: name is missing, and no text"),
        (says({"name": None}), "the answer does not fit: name is nothing, and no text"),
        (says({"name": ["Ana"]}), "the answer does not fit: name is a list, and no text"),
        (says({"error": "down"}, 500), "status 500"),
        (says({"name": "Ana"}, 401), "status 401"),
        (raw(b"", 302, Location="/elsewhere"), "status 302"),
        (raw(b"<html>name: Ana</html>"), "an answer that is no JSON"),
        (raw(b'{"name": NaN}'), "an answer that is no JSON"),
        (raw(b"[" * 100_000), "an answer that is no JSON"),
        (raw(b'"Ana"'), "an answer that is no table"),
        (raw(b'{"name": "' + b"x" * ANSWER_MAX_BYTES + b'"}'), "an answer of more than 256 KiB"),
    ],
)
def test_everything_else_has_failed_and_the_log_says_why_without_a_value(
    bench: Bench, crm: MakeCrm, answer: object, reason: str
) -> None:
    server = crm(answer)
    bench.configure(customer=customer(server.url("/customers"), token="a-token"))
    with structlog.testing.capture_logs() as logs:
        told = bench.ask("customer", number="666123987")
    assert (told.end, told.reason, told.values) == (LookUpEnd.FAILED, reason, {})
    assert [(entry["event"], entry["look_up"], entry["reason"]) for entry in logs] == [("look_up.failed", "customer", reason)]
    for private in ("666123987", "Ana", "a-token", "elsewhere"):
        assert private not in repr(logs) + repr(told)
    assert len(server.asked) == 1  # no redirect was followed, nothing tried again


def test_a_number_is_read_from_a_text_and_an_oversized_one_is_cut(bench: Bench, crm: MakeCrm) -> None:
    bench.configure(customer=customer(crm(says({"a": "12,5", "b": 10**400})).url(), gives={"a": N}))
    assert bench.ask("customer", number="1").values == {"a": 12.5}
    bench.configure(customer=customer(crm(says({"b": 10**400})).url(), gives={"b": N}))
    assert bench.ask("customer", number="1").end is LookUpEnd.FAILED


# --- time -----------------------------------------------------------------------------------------------------------------
def test_a_server_that_says_nothing_is_given_up_in_time(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({}))
    server.answering = [server.stall]
    bench.configure(customer=customer(server.url(), timeout_s=0.3))
    answer, took_s = bench.timed("customer", number="1")
    assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "no answer in time")
    assert 0.25 <= took_s < 0.75


def test_one_that_trickles_is_given_up_in_time_too(bench: Bench, crm: MakeCrm) -> None:
    """Each byte is early enough for a time-out of the socket: the limit is on the whole."""
    server = crm(says({}))
    server.answering = [server.trickle]
    bench.configure(customer=customer(server.url(), timeout_s=0.4))
    answer, took_s = bench.timed("customer", number="1")
    assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "no answer in time")
    assert 0.35 <= took_s < 0.85


def test_one_that_accepts_and_never_reads_is_given_up_in_time(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        bench.configure(customer=customer(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.3))
        answer, took_s = bench.timed("customer", number="1")
    assert answer.reason == "no answer in time"
    assert took_s < 0.75


def test_a_thread_that_hangs_keeps_nobody_waiting_longer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver of names knows no time limit: the loop's own timer answers."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: free.wait(20) and [])
    bench.configure(customer=customer("http://crm.example.com/", timeout_s=0.2))
    answer, took_s = bench.timed("customer", number="1")
    assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "no answer in time")
    assert 0.6 <= took_s < 1.2  # longest_s: the try, and half a second for the way
    free.set()


# --- trying again -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_may_pass_is_tried_again(bench: Bench, crm: MakeCrm, status: int) -> None:
    server = crm(raw(b"", status), says({"name": "Ana"}))
    bench.configure(customer=customer(server.url(), tries=2))
    assert bench.ask("customer", number="1").end is LookUpEnd.FOUND
    assert len(server.asked) == 2
    assert bench.counted("ccserver_look_up_tries_again_total", look_up="customer") == 1


def test_an_answer_that_broke_off_is_asked_for_again(bench: Bench, crm: MakeCrm) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"na')

    server = crm(broken, says({"name": "Ana"}))
    bench.configure(customer=customer(server.url(), tries=2))
    assert bench.ask("customer", number="1").values == {"name": "Ana"}


def test_a_stall_is_tried_again_within_the_longest_time(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({}))
    server.answering = [server.stall, says({"name": "Ana"})]
    look_up = customer(server.url(), timeout_s=0.3, tries=2)
    bench.configure(customer=look_up)
    answer, took_s = bench.timed("customer", number="1")
    assert answer.end is LookUpEnd.FOUND
    assert took_s < look_up.longest_s == pytest.approx(0.3 * 2 + 0.25 + 0.5)


def test_what_will_not_pass_is_not_tried_again(bench: Bench, crm: MakeCrm) -> None:
    server = crm(raw(b"", 400))
    bench.configure(customer=customer(server.url(), tries=3))
    assert bench.ask("customer", number="1").reason == "status 400"
    assert len(server.asked) == 1


def test_nobody_there(bench: Bench) -> None:
    bench.configure(customer=customer(f"http://127.0.0.1:{closed_port()}/", tries=2))
    assert bench.ask("customer", number="1").reason == "not reached: Connection refused"
    assert bench.counted("ccserver_look_up_tries_again_total", look_up="customer") == 1


# --- TLS --------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "localhost")


def test_a_certificate_that_nobody_signed_is_refused_and_one_that_was_named_is_taken(bench: Bench, signed: Path) -> None:
    server = Crm(says({"name": "Ana"}), certificate=signed)
    try:
        url = server.url(scheme="https", host="localhost")
        bench.configure(customer=customer(url, tries=2))
        assert bench.ask("customer", number="1").reason == "its certificate is refused: self-signed certificate"
        assert server.asked == []

        bench.configure(customer=customer(url, ca_file=signed))
        assert bench.ask("customer", number="1").values == {"name": "Ana"}

        bench.configure(customer=customer(server.url(scheme="https"), ca_file=signed))
        assert "IP address mismatch" in bench.ask("customer", number="1").reason  # it is another's

        bench.configure(customer=customer(url, ca_file=signed.with_name("none.pem")))
        assert bench.ask("customer", number="1").reason == "its ca_file cannot be read"
    finally:
        server.close()


def test_a_server_that_speaks_no_tls(bench: Bench, crm: MakeCrm) -> None:
    bench.configure(customer=customer(crm(says({})).url(scheme="https")))
    assert bench.ask("customer", number="1").reason.startswith("no TLS: ")


# --- many at once, rest, new settings ------------------------------------------------------------------------------------
def test_more_than_can_wait_fail_at_once_and_other_systems_go_on(
    bench: Bench, crm: MakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccserver.lookups.systems.HTTP_THREADS", 2)
    monkeypatch.setattr("ccserver.lookups.systems.WAITING_MAX", 3)
    slow, quick = crm(says({})), crm(says({"name": "Ana"}))
    slow.answering = [slow.stall]
    bench.configure(slow=customer(slow.url(), timeout_s=10.0), quick=customer(quick.url()))

    waiting = [bench.begin("slow", number=str(n)) for n in range(5)]
    bench.loop.until(lambda: len(slow.asked) == 2, "two that are asked")
    full = bench.begin("slow", number="6")
    assert [answer.reason for answer in full] == ["too many wait for this system"]
    assert bench.counted("ccserver_look_ups_not_asked_total", look_up="slow", reason="full") == 1
    assert bench.counted("ccserver_look_ups_waiting", system="look-up slow") == 3
    assert bench.ask("quick", number="1").end is LookUpEnd.FOUND

    slow.answering = [says({"name": "Ana"})]
    slow.let_go.set()
    bench.loop.until(lambda: all(waiting), "the rest")
    # The two that stalled were let go without an answer; those that waited got one.
    assert [answers[0].end for answers in waiting].count(LookUpEnd.FOUND) == 3


def test_a_system_that_is_down_is_left_alone_for_its_rest(bench: Bench, crm: MakeCrm) -> None:
    server = crm(raw(b"", 500))
    rules = BreakerRules(failures=2, rest_s=0.3)
    bench.configure(customer=customer(server.url(), breaker=rules))
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            assert bench.ask("customer", number="1").end is LookUpEnd.FAILED
        assert len(server.asked) == 2
        assert bench.counted("ccserver_look_up_breaker_open", look_up="customer") == 1
        assert bench.counted("ccserver_look_ups_not_asked_total", look_up="customer", reason="resting") == 2

        server.answering = [says({"name": "Ana"})]
        rested_at_s = bench.loop.seconds() + 0.3
        bench.loop.until(lambda: bench.loop.seconds() > rested_at_s, "the end of the rest")
        assert bench.ask("customer", number="1").end is LookUpEnd.FOUND
    assert bench.counted("ccserver_look_up_breaker_open", look_up="customer") == 0
    told = [entry["event"] for entry in logs if entry["log_level"] != "debug"]
    assert told == ["look_up.failed", "look_up.rests", "look_up.failed", "look_up.recovered"]


def test_answers_that_do_not_fit_are_no_reason_to_rest(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({"title": "Dr"}))
    bench.configure(customer=customer(server.url(), breaker=BreakerRules(failures=1, rest_s=60.0)))
    assert [bench.ask("customer", number="1").end for _ in range(3)] == [LookUpEnd.FAILED] * 3
    assert len(server.asked) == 3


def test_new_settings_keep_what_did_not_change_and_end_what_is_under_way(bench: Bench, crm: MakeCrm) -> None:
    old, new, other = crm(says({})), crm(says({"name": "New"})), crm(raw(b"", 500))
    old.answering = [old.stall]
    resting = customer(other.url(), breaker=BreakerRules(failures=1, rest_s=60.0))
    bench.configure(customer=customer(old.url(), timeout_s=10.0), resting=resting)
    bench.ask("resting", number="1")
    under_way = bench.begin("customer", number="1")
    bench.loop.until(lambda: bool(old.asked), "the old one is asked")

    bench.configure(customer=customer(new.url()), resting=resting)
    assert bench.ask("customer", number="1").values == {"name": "New"}
    assert bench.ask("resting", number="1").reason == "it rests after failures"
    assert under_way == []
    old.let_go.set()
    bench.loop.until(lambda: bool(under_way), "the old one's end")

    bench.configure()
    assert bench.ask("customer", number="1").reason == "there is no such look-up now"
    bench.configure(customer=customer(new.url(), parameters={"id": T}))
    assert bench.ask("customer", number="1").reason == "it has other parameters now"


def test_the_end_of_the_daemon_answers_who_waits(bench: Bench, crm: MakeCrm) -> None:
    server = crm(says({}))
    server.answering = [server.stall]
    bench.configure(customer=customer(server.url(), timeout_s=10.0))
    answers = bench.begin("customer", number="1")
    bench.edge.close()
    assert [answer.reason for answer in answers] == ["ccserver stops"]
    assert bench.ask("customer", number="1").end is LookUpEnd.FAILED
