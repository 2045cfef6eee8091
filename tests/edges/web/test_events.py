"""The event stream over Twisted's own HTTP, with a feed in memory: who may listen, what is heard, and who is slow."""

import json
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ccserver.core.ids import AgentId, InteractionId, Language, QueueId
from ccserver.core.records import NoticeKind, NoticeRecord
from ccserver.store.feed import NoSuchPlace, check_place
from ccserver.web.api import api_site
from ccserver.web.calls import Calls
from ccserver.web.campaigns import Campaigns
from ccserver.web.events import CLIENTS_MAX, HEARTBEAT_S, PAGE, STUCK_S, EventStream
from ccserver.web.leads import Leads
from ccserver.web.notices import Numbered

TOKEN = "a-token"


class Feed:
    """Committed notices, in memory; `read` can be held up."""

    def __init__(self) -> None:
        self.notices: list[Numbered] = []
        self.reads = 0
        self.held: list[tuple[Deferred[list[Numbered]], list[Numbered]]] | None = None

    def add(self, kind: NoticeKind = NoticeKind.RINGING, agent: str = "101", **data: str) -> None:
        place = f"000001-a:{len(self.notices) + 1}:0"
        notice = NoticeRecord(
            interaction=InteractionId(len(self.notices) + 1),
            number=0,
            kind=kind,
            at_utc_s=1.0,
            caller_number=None,
            caller_name="a\nb",
            did="",
            language=Language("en"),
            queue=QueueId("sales"),
            agent=AgentId(agent),
            phone=None,
            data=data,
        )
        self.notices.append((place, notice))

    def read(self, after: str | None, limit: int) -> "Deferred[list[Numbered]]":
        self.reads += 1
        first = 0 if after is None else [place for place, _ in self.notices].index(after) + 1
        page = self.notices[first : first + limit]
        if self.held is None:
            return succeed(page)
        waiting: Deferred[list[Numbered]] = Deferred()
        self.held.append((waiting, page))
        return waiting

    def newest(self) -> "Deferred[str | None]":
        return succeed(self.notices[-1][0] if self.notices else None)

    def check_place(self, text: str) -> None:
        check_place(text)


class Api:
    def __init__(self) -> None:
        self.clock = Clock()
        self.feed = Feed()
        self.stream = EventStream(self.feed, TOKEN, cast(Any, self.clock))
        calls, campaigns = (each(lambda do, given: Deferred(), TOKEN, self.clock) for each in (Calls, Campaigns))
        self.site = api_site(self.stream, calls, Leads(lambda _: Deferred(), TOKEN, self.clock), campaigns, self.clock)

    def get(self, path: str = "/v1/events", token: str | None = TOKEN, **headers: str) -> StringTransport:
        transport = StringTransport()
        channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        lines = [f"GET {path} HTTP/1.1", "Host: x"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode())
        return transport


@pytest.fixture
def api() -> Api:
    return Api()


def ids(transport: StringTransport) -> list[str]:
    return [line.removeprefix("id: ") for line in transport.value().decode().splitlines() if line.startswith("id: ")]


@pytest.mark.parametrize("token", [None, "", "another", TOKEN + "x"])
def test_nobody_listens_without_the_token(api: Api, token: str | None) -> None:
    answer = api.get(token=token).value()
    assert answer.startswith(b"HTTP/1.1 401") and b"Bearer" in answer
    assert api.stream.clients == 0


@pytest.mark.parametrize("path", ["/v1/events?kind=ringing,banana", "/v1/events?kind=%00"])
def test_an_unknown_kind_is_refused(api: Api, path: str) -> None:
    assert api.get(path).value().startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("place", ["1", "000001-a:1", "a:b:c", "000001-a:1:0' OR 1=1"])
def test_a_place_that_is_none_is_refused(api: Api, place: str) -> None:
    assert api.get(Last_Event_ID=place).value().startswith(b"HTTP/1.1 400")
    with pytest.raises(NoSuchPlace):
        check_place(place)


def test_a_listener_hears_what_happens_from_now_on(api: Api) -> None:
    api.feed.add()
    heard = api.get()
    assert b"text/event-stream" in heard.value() and ids(heard) == []
    api.feed.add(NoticeKind.ANSWERED)
    api.stream.told()
    assert ids(heard) == ["000001-a:2:0"]
    text = heard.value().decode()
    assert "event: answered\n" in text and '"caller_name":"a\\nb"' in text


def test_a_screen_pop_has_the_campaign_and_the_lead_with_its_fields(api: Api) -> None:
    listener = api.get()
    api.feed.add(campaign="winter", lead="8123", lead_name="Zoë\n", **{"lead_Last order": "2026-03-02"})
    api.stream.told()
    (line,) = [each for each in listener.value().decode().splitlines() if each.startswith("data: ")]
    assert json.loads(line.removeprefix("data: "))["data"] == {
        "campaign": "winter",
        "lead": "8123",
        "lead_name": "Zoë\n",
        "lead_Last order": "2026-03-02",
    }


def test_who_comes_back_has_missed_nothing(api: Api) -> None:
    for _ in range(2 * PAGE + 5):
        api.feed.add()
    heard = api.get(Last_Event_ID="000001-a:3:0")
    assert ids(heard) == [f"000001-a:{n}:0" for n in range(4, 2 * PAGE + 6)]


def test_a_listener_hears_only_what_it_asked_for(api: Api) -> None:
    heard = api.get("/v1/events?kind=ringing,ended&agent=102")
    api.feed.add(NoticeKind.RINGING, "101")
    api.feed.add(NoticeKind.ANSWERED, "102")
    api.feed.add(NoticeKind.ENDED, "102")
    api.stream.told()
    assert ids(heard) == ["000001-a:3:0"]


def test_news_that_come_while_a_page_is_read_are_read_afterwards(api: Api) -> None:
    heard = api.get()
    api.feed.held = []
    api.feed.add()
    api.stream.told()
    api.feed.add()
    api.stream.told()
    waiting, page = api.feed.held[0]
    assert len(api.feed.held) == 1
    api.feed.held = None
    waiting.callback(page)
    assert ids(heard) == ["000001-a:1:0", "000001-a:2:0"]


def test_a_slow_listener_is_not_written_to_and_is_let_go_at_last(api: Api) -> None:
    heard = api.get()
    producer = heard.producer
    assert producer is not None
    producer.pauseProducing()
    reads = api.feed.reads
    for _ in range(1000):
        api.feed.add()
        api.stream.told()
    assert api.feed.reads == reads and ids(heard) == []
    for _ in range(int(STUCK_S / HEARTBEAT_S) + 2):
        api.clock.advance(HEARTBEAT_S)
    assert heard.disconnecting or heard.disconnected


def test_a_listener_that_goes_on_is_brought_up_to_date(api: Api) -> None:
    heard = api.get()
    assert heard.producer is not None
    heard.producer.pauseProducing()
    for _ in range(5):
        api.feed.add()
    api.stream.told()
    heard.producer.resumeProducing()
    assert len(ids(heard)) == 5


def test_a_silent_center_is_heard_to_be_alive(api: Api) -> None:
    heard = api.get()
    before = len(heard.value())
    api.clock.advance(HEARTBEAT_S)
    assert len(heard.value()) > before


def test_there_is_a_limit_of_listeners(api: Api) -> None:
    for _ in range(CLIENTS_MAX):
        api.get()
    assert api.get().value().startswith(b"HTTP/1.1 503")


def test_the_end_of_the_daemon_ends_the_streams(api: Api) -> None:
    heard = api.get()
    api.stream.close()
    assert api.stream.clients == 0
    assert heard.value().endswith(b"0\r\n\r\n")
