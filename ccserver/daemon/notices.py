"""What other systems hear of the center, the event stream and the webhooks, fed from the committed notices; and what they may do to it."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ccserver.config.edges import ApiEdge, WebhookEdge
from ccserver.daemon.reactor import Loop
from ccserver.store import feed
from ccserver.store.database import Store
from ccserver.store.persons import Opener
from ccserver.web.api import api_site
from ccserver.web.calls import Ask, Calls
from ccserver.web.campaigns import Campaigns
from ccserver.web.events import EventStream
from ccserver.web.leads import Leads, Push
from ccserver.web.notices import Numbered
from ccserver.web.webhooks import Hook, WebhookSender

CLOSE_S = 2.0

Reading = tuple[str, float]
"""A metric's help and value."""


class _OffReactor:
    """The feed, read on threads."""

    def __init__(self, reader: feed.NoticeFeed, loop: Loop) -> None:
        self._reader = reader
        self._loop = loop

    def read(self, after: str | None, limit: int) -> "Deferred[list[Numbered]]":
        return self._loop.on_thread(lambda: self._reader.read(after, limit))

    def newest(self) -> "Deferred[str | None]":
        return self._loop.on_thread(self._reader.newest)

    def check_place(self, text: str) -> None:
        feed.check_place(text)


class Notices:
    """`told` is to be called, from any thread, when notices have been committed."""

    def __init__(self, store: Store, loop: Loop, api: ApiEdge | None, hooks: tuple[WebhookEdge, ...], opener: Opener) -> None:
        self._loop = loop
        self._api = api
        reader = feed.NoticeFeed(store, opener)
        self._stream = None if api is None else EventStream(_OffReactor(reader, loop), api.token, loop)
        self._senders = [
            WebhookSender(
                Hook(name=hook.name, url=hook.url, secret=hook.secret, kinds=frozenset(hook.kinds), timeout_s=hook.timeout_s),
                reader,
            )
            for hook in hooks
        ]

    async def start(self, ask: Ask, push: Push, campaigns: Ask) -> list[Callable[[], "Deferred[None]"]]:
        """`ask` does what clients of the API want done, `push` takes their leads, `campaigns` answers for campaigns. Returns what stops
        listening.

        Raises CannotListenError.
        """
        for sender in self._senders:
            sender.start()
        if self._api is None or self._stream is None:
            return []
        token = self._api.token
        clock = self._loop
        served = api_site(self._stream, Calls(ask, token, clock), Leads(push, token, clock), Campaigns(campaigns, token, clock))
        return [await self._loop.listen_tcp(self._api.address, self._api.port, served)]

    def told(self) -> None:
        for sender in self._senders:
            sender.told()
        if self._stream is not None:
            self._loop.from_thread(self._stream.told)

    def end_streams(self) -> None:
        """On the loop, at the end: clients come back to where they were."""
        if self._stream is not None:
            self._stream.close()

    def close(self) -> None:
        """On a thread: waits for what is being posted."""
        for sender in self._senders:
            sender.close(CLOSE_S)

    def gauges(self) -> dict[str, Reading]:
        return {
            "ccserver_event_stream_clients": (
                "Clients that listen to the event stream.",
                0 if self._stream is None else self._stream.clients,
            ),
            "ccserver_webhooks_down": (
                "Webhooks whose receiver does not take notices.",
                sum(s.counters.is_down for s in self._senders),
            ),
        }

    def counters(self) -> dict[str, Reading]:
        senders = self._senders
        return {
            "ccserver_webhook_deliveries": ("Notices that receivers took.", sum(s.counters.delivered for s in senders)),
            "ccserver_webhook_failures": ("Attempts that receivers did not take.", sum(s.counters.failed for s in senders)),
            "ccserver_webhook_left_out": (
                "Notices that a receiver refused for ever.",
                sum(s.counters.left_out for s in senders),
            ),
        }
