"""What a CRM hears of a real call: over the event stream and by webhook, and that a dead receiver delays no call."""

import hashlib
import hmac
import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness.calls import answer, call, leave
from harness.center import Center, Site
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

TOKEN, SECRET = "a-token-for-tests", "a-secret-for-tests"
HOOK_PORT, STALLED_PORT, API_PORT = 9411, 9412, 9319


class Crm:
    """Takes webhooks, and checks their signature."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.forged = 0
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                stamp, _, given = self.headers["CCServer-Signature"].partition(",v1=")
                signed = stamp.removeprefix("t=").encode() + b"." + text
                crm.forged += hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() != given
                crm.taken.append(json.loads(text))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", HOOK_PORT), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def story(self, interaction: int) -> list[str]:
        return [str(one["event"]) for one in self.taken if one["interaction"] == interaction]


class Listener:
    """A client of the event stream, on a thread of its own."""

    def __init__(self, path: str = "/v1/events", after: str | None = None) -> None:
        self.heard: list[dict[str, Any]] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", API_PORT, timeout=60)
        headers = {"Authorization": f"Bearer {TOKEN}", **({"Last-Event-ID": after} if after else {})}
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self.answer:
                if line.startswith(b"data: "):
                    self.heard.append(json.loads(line[6:]))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the test closed it

    def story(self, interaction: int) -> list[str]:
        return [str(one["event"]) for one in self.heard if one["interaction"] == interaction]


@pytest.fixture(scope="module")
def crm(pbx: Asterisk) -> Iterator[Crm]:
    made = Crm()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def stalled(pbx: Asterisk) -> Iterator[None]:
    """A receiver that takes connections and never answers."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", STALLED_PORT)):
        yield


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory, crm: Crm, stalled: None) -> Site:
    directory = tmp_path_factory.mktemp("site")
    for name, secret in (("api.token", TOKEN), ("hook.secret", SECRET)):
        (directory / name).write_text(secret)
        (directory / name).chmod(0o600)
    hook = {"secret_file": str(directory / "hook.secret")}
    return Site(
        directory=directory,
        shared=shared_directory,
        more={
            "api": {"port": API_PORT, "token_file": str(directory / "api.token")},
            "webhooks": {
                "crm": {"url": f"http://127.0.0.1:{HOOK_PORT}/calls", **hook},
                "stalled": {"url": f"http://127.0.0.1:{STALLED_PORT}/", "timeout_s": 1, **hook},
            },
        },
    )


async def test_a_crm_hears_of_a_call_as_it_happens(
    center: Center, crm: Crm, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    listener, only_ends = Listener(), Listener("/v1/events?kind=ended")
    agent = await center.agent(desk, "101")
    caller = await call(center, phones, number="+34911222333")
    await agent.wait("incoming")
    # While the phone rings, the screen can pop.
    await until(lambda: any(one["event"] == "ringing" for one in listener.heard), what="ringing, while it rings")
    popped = next(one for one in listener.heard if one["event"] == "ringing")
    assert (popped["caller_number"], popped["did"], popped["queue"]) == ("+34911222333", "901", "sales")
    assert (popped["agent"], popped["phone"]) == ("101", "PJSIP/1001")
    await agent.answer()
    await center.agent_is("101", "talking")
    await leave(center, caller)

    number = popped["interaction"]
    whole = ["arrived", "queued", "ringing", "answered", "ended"]
    await until(lambda: listener.story(number)[-1:] == ["ended"], what="the end in the stream")
    assert listener.story(number) == whole
    await until(lambda: crm.story(number) == whole, what="the whole story by webhook")
    assert [one["sequence"] for one in crm.taken if one["interaction"] == number] == list(range(5))
    assert only_ends.story(number) == ["ended"] and crm.forged == 0
    # Who was away for a while hears the rest.
    second = next(one["id"] for one in listener.heard if one["interaction"] == number and one["sequence"] == 1)
    late = Listener(after=second)
    await until(lambda: late.story(number) == whole[2:], what="what came after the second notice")


async def test_a_receiver_that_never_answers_delays_no_call_and_is_seen_in_the_metrics(
    center: Center, crm: Crm, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    agent = await center.agent(desk, "102")
    caller = await call(center, phones)
    await answer(center, "102", agent)
    await leave(center, caller)
    offer = await center.row("SELECT * FROM offers WHERE agent = '102'")
    visit = await center.row("SELECT * FROM queue_visits WHERE interaction = ?", offer["interaction"])
    assert visit["wait_s"] - offer["ring_s"] < 0.5

    async def is_told() -> bool:
        metrics = await center.metrics()
        return metrics["ccserver_webhooks_down"] == 1 and metrics["ccserver_webhook_failures_total"] >= 1

    await until(is_told, what="a webhook that is down, in the metrics")
    await until(lambda: crm.story(offer["interaction"])[-1:] == ["ended"], what="the other receiver has it all")


async def test_nobody_listens_without_the_token(center: Center) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", API_PORT, timeout=5)
    connection.request("GET", "/v1/events")
    assert connection.getresponse().status == 401
    connection.close()
