"""Webhooks against a real HTTP server: nothing is lost, the order holds within a call, and a dead receiver holds up nobody."""

import hashlib
import hmac
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fresh_store import fresh_store

from ccserver.core.ids import AgentId, CommandId, InteractionId, Language, QueueId
from ccserver.core.records import NoticeKind, NoticeRecord
from ccserver.store.database import Store
from ccserver.store.feed import NoticeFeed
from ccserver.store.writer import Writer
from ccserver.web.webhooks import REFUSALS_MAX, Hook, WebhookSender

RUN = "000001-a"
SECRET = "a-secret-of-the-test"
WAIT_S = 20.0


class Receiver:
    """A CRM's end: takes what is posted, or answers as `verdict` says."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.taken: list[dict[str, object]] = []
        self.attempts: dict[str, int] = defaultdict(int)
        self.forged: list[str] = []
        self.verdict: Callable[[dict[str, object], int], int] = lambda _, __: 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                notice = json.loads(text)
                stamp, _, given = self.headers["CCServer-Signature"].partition(",v1=")
                signed = stamp.removeprefix("t=").encode() + b"." + text
                with receiver.changed:
                    if hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() != given:
                        receiver.forged.append(given)
                    assert self.headers["CCServer-Delivery"] == notice["id"]
                    receiver.attempts[notice["id"]] += 1
                    status = receiver.verdict(notice, receiver.attempts[notice["id"]])
                    if status < 300:
                        receiver.taken.append(notice)
                    receiver.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?from=ccserver"

    def until(self, condition: Callable[[], bool], what: str) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT_S), f"never: {what}; taken {self.taken}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = fresh_store(f"sqlite:///{tmp_path}/history.db")
    yield made
    made.close()


class Center:
    """Tells notices as the daemon does: through the one writer."""

    def __init__(self, store: Store) -> None:
        self.senders: list[WebhookSender] = []
        self.writer = Writer(store.engine, on_notices=self._told, batch_s=0.01)
        self.writer.start()
        self._seq = 0
        self._numbers: dict[int, int] = defaultdict(int)

    def _told(self) -> None:
        for sender in self.senders:
            sender.told()

    def tell(self, interaction: int, kind: NoticeKind = NoticeKind.RINGING) -> None:
        self._seq += 1
        notice = NoticeRecord(
            interaction=InteractionId(interaction),
            number=self._numbers[interaction],
            kind=kind,
            at_utc_s=1_767_268_800.5,
            caller_number="+34911234567",
            caller_name='Zoë "Z" Müller',
            did="902",
            language=Language("es"),
            queue=QueueId("sales"),
            agent=AgentId("101"),
            phone=None,
            data={"order": "4711"},
        )
        self._numbers[interaction] += 1
        self.writer.append(RUN, CommandId(self._seq, 0), notice)


@pytest.fixture
def center(store: Store) -> Iterator[Center]:
    made = Center(store)
    yield made
    made.writer.close(10)


@contextmanager
def sending(center: Center, store: Store, receiver: Receiver, **changes: object) -> Iterator[WebhookSender]:
    hook = Hook(name="crm", url=receiver.url, secret=SECRET, timeout_s=2.0, **changes)  # type: ignore[arg-type]
    sender = WebhookSender(hook, NoticeFeed(store), pause_first_s=0.02)
    center.senders.append(sender)
    sender.start()
    try:
        yield sender
    finally:
        center.senders.remove(sender)
        sender.close(WAIT_S)


def begin_at_the_beginning(center: Center, store: Store) -> None:
    """A hook begins with what happens after its first start; most tests want one that has started before."""
    center.tell(999)
    assert center.writer.flush(10)
    newest = NoticeFeed(store).newest()
    assert newest is not None
    NoticeFeed(store).keep_place("crm", newest)


def test_a_notice_arrives_whole_and_signed(center: Center, store: Store, receiver: Receiver) -> None:
    begin_at_the_beginning(center, store)
    with sending(center, store, receiver):
        center.tell(7)
        receiver.until(lambda: len(receiver.taken) == 1, "the notice")
    got = receiver.taken[0]
    assert (got["event"], got["interaction"], got["sequence"]) == ("ringing", 7, 0)
    assert (got["caller_number"], got["caller_name"]) == ("+34911234567", 'Zoë "Z" Müller')
    assert (got["queue"], got["agent"], got["data"], got["at_utc_s"]) == ("sales", "101", {"order": "4711"}, 1_767_268_800.5)
    assert receiver.forged == []


def test_a_receiver_that_fails_gets_it_again_and_in_order_within_each_call(
    center: Center, store: Store, receiver: Receiver
) -> None:
    receiver.verdict = lambda notice, attempt: 500 if attempt <= 2 and notice["interaction"] == 1 else 200
    begin_at_the_beginning(center, store)
    with sending(center, store, receiver):
        for _ in range(3):
            for interaction in (1, 2, 3):
                center.tell(interaction)
        receiver.until(lambda: len(receiver.taken) >= 9, "all nine")
    by_call: dict[object, list[object]] = defaultdict(list)
    for notice in receiver.taken:
        by_call[notice["interaction"]].append(notice["sequence"])
    assert by_call == {1: [0, 1, 2], 2: [0, 1, 2], 3: [0, 1, 2]}


def test_nothing_is_lost_over_a_restart(center: Center, store: Store, receiver: Receiver) -> None:
    receiver.verdict = lambda notice, _: 200 if notice["interaction"] == 1 else 503
    begin_at_the_beginning(center, store)
    with sending(center, store, receiver):
        for interaction in (1, 2, 1, 2):
            center.tell(interaction)
        receiver.until(lambda: any(count > 1 for count in receiver.attempts.values()), "a second attempt")
    receiver.verdict = lambda _, __: 200
    center.tell(2)
    with sending(center, store, receiver):
        receiver.until(lambda: {(n["interaction"], n["sequence"]) for n in receiver.taken} >= {(1, 1), (2, 2)}, "the rest")
    assert {(n["interaction"], n["sequence"]) for n in receiver.taken} == {(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)}
    assert [n["sequence"] for n in receiver.taken if n["interaction"] == 2] == [0, 1, 2]


def test_what_the_receiver_refuses_for_ever_is_left_out_and_counted(center: Center, store: Store, receiver: Receiver) -> None:
    receiver.verdict = lambda notice, _: 422 if notice["sequence"] == 1 else 200
    begin_at_the_beginning(center, store)
    with sending(center, store, receiver) as sender:
        for _ in range(3):
            center.tell(1)
        receiver.until(lambda: len(receiver.taken) == 2, "the two good ones")
        assert [n["sequence"] for n in receiver.taken] == [0, 2]
        assert (sender.counters.left_out, sender.counters.failed) == (1, REFUSALS_MAX)


def test_only_the_wanted_kinds_are_posted(center: Center, store: Store, receiver: Receiver) -> None:
    begin_at_the_beginning(center, store)
    with sending(center, store, receiver, kinds=frozenset({NoticeKind.ENDED})):
        center.tell(1, NoticeKind.RINGING)
        center.tell(1, NoticeKind.ENDED)
        receiver.until(lambda: len(receiver.taken) == 1, "the end")
    assert receiver.taken[0]["event"] == "ended"


def test_a_new_hook_begins_with_what_happens_now(center: Center, store: Store, receiver: Receiver) -> None:
    center.tell(1)
    assert center.writer.flush(10)
    with sending(center, store, receiver) as sender:
        receiver.until(lambda: NoticeFeed(store).place_of("crm") is not None or _turn(sender), "its first place")
        center.tell(2)
        receiver.until(lambda: len(receiver.taken) == 1, "the new one")
    assert receiver.taken[0]["interaction"] == 2


def _turn(sender: WebhookSender) -> bool:
    sender.told()
    return False


def test_a_receiver_that_is_not_there_holds_up_nobody(center: Center, store: Store, receiver: Receiver) -> None:
    begin_at_the_beginning(center, store)
    dead = Hook(name="crm", url="http://127.0.0.1:9/", secret=SECRET, timeout_s=0.5)
    sender = WebhookSender(dead, NoticeFeed(store), pause_first_s=0.02)
    center.senders.append(sender)
    sender.start()
    for _ in range(300):
        center.tell(1)
    assert center.writer.flush(10)
    patience = threading.Event()
    for _ in range(1000):
        if sender.counters.is_down:
            break
        patience.wait(0.01)
    sender.close(WAIT_S)
    assert (sender.counters.delivered, sender.counters.is_down) == (0, True)
    with sending(center, store, receiver):
        receiver.until(lambda: len(receiver.taken) == 300, "all, once it is there")
    assert [n["sequence"] for n in receiver.taken] == list(range(300))
