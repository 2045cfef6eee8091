"""Webhooks: each notice is posted to the configured addresses, at least once, in order within an interaction.

A thread of its own for each address reads the committed notices from the place it had come to, which is kept in the database:
neither a receiver that is down nor a restart loses one, and no call ever waits for one. Interactions go side by side; a notice
is posted only when the one before it of the same interaction was taken.

    POST … HTTP/1.1
    Content-Type: application/json
    CCServer-Delivery: 000001-a:17:3                 the same at every attempt: receivers drop what they have seen
    CCServer-Signature: t=1767225600,v1=5f3c…        v1 = HMAC-SHA256(secret, t + "." + body) in hexadecimal

A receiver should refuse a `t` that is more than five minutes away from its own clock: it guards against replays.
"""

import hashlib
import hmac
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from ccserver.core.records import NoticeKind
from ccserver.web.notices import Numbered, body

PAGE = 100
SIDE_BY_SIDE = 8
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 60.0
REFUSALS_MAX = 5
"""A notice that the receiver refuses (4xx) so often is left out, so that it does not hold up all others for ever."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One receiver. `kinds` empty: all."""

    name: str
    url: str
    secret: str = field(repr=False)
    kinds: frozenset[NoticeKind] = frozenset()
    timeout_s: float = 10.0


class Feed(Protocol):
    def read(self, after: str | None, limit: int) -> list[Numbered]: ...
    def newest(self) -> str | None: ...
    def place_of(self, reader: str) -> str | None: ...
    def keep_place(self, reader: str, place: str) -> None: ...


@dataclass(slots=True)
class HookCounters:
    delivered: int = 0
    failed: int = 0
    left_out: int = 0
    is_down: bool = False


def signature(secret: str, at_utc_s: int, text: bytes) -> str:
    """The value of CCServer-Signature."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at_utc_s, text), hashlib.sha256).hexdigest()
    return f"t={at_utc_s},v1={digest}"


def post(hook: Hook, headers: Mapping[str, str], text: bytes) -> int:
    """One attempt; the status, redirects included (they are not followed). Raises OSError or http.client.HTTPException."""
    parts = urlsplit(hook.url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=hook.timeout_s, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=hook.timeout_s)
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body=text, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


class WebhookSender:
    """Serves one hook. A new one begins with what happens from its first start on."""

    def __init__(
        self, hook: Hook, feed: Feed, *, utc_s: Callable[[], float] = time.time, pause_first_s: float = PAUSE_FIRST_S
    ) -> None:
        self.hook = hook
        self.counters = HookCounters()
        self._feed = feed
        self._utc_s = utc_s
        self._pause_first_s = pause_first_s
        self._changed = threading.Condition()
        self._has_more = True
        self._is_closing = False
        self._taken: set[str] = set()
        self._refused: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name=f"webhook-{hook.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def told(self) -> None:
        """Notices have been committed. From any thread."""
        with self._changed:
            self._has_more = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """What is not delivered yet is delivered after the next start."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    # --- the thread -----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        pause_s = 0.0
        place: str | None = None
        is_placed = False
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix=f"webhook-{self.hook.name}") as pool:
            while not self._waits(pause_s):
                try:
                    if not is_placed:
                        place, is_placed = self._first_place(), True
                    page = self._feed.read(place, PAGE)
                    is_done = self._deliver(page, pool)
                    if is_done and page:
                        place = page[-1][0]
                        self._feed.keep_place(self.hook.name, place)
                        self._taken.clear()
                        self._refused.clear()
                except Exception as error:  # the database stalls, say: the thread must not end
                    log.error("webhook.failed", hook=self.hook.name, reason=str(error))
                    is_done, page = False, []
                if is_done:
                    pause_s = 0.0
                    if len(page) == PAGE:
                        self.told()
                else:
                    pause_s = min(PAUSE_MAX_S, pause_s * 2 or self._pause_first_s)
                self._note(is_down=not is_done)

    def _first_place(self) -> str | None:
        known = self._feed.place_of(self.hook.name)
        if known is not None:
            return known
        newest = self._feed.newest()
        if newest is not None:
            self._feed.keep_place(self.hook.name, newest)
        return newest

    def _waits(self, pause_s: float) -> bool:
        """Until there is more, or the pause after a failure is over. True: the end."""
        with self._changed:
            if pause_s:
                self._changed.wait_for(lambda: self._is_closing, pause_s)
            else:
                self._changed.wait_for(lambda: self._is_closing or self._has_more)
            self._has_more = False
            return self._is_closing

    def _deliver(self, page: list[Numbered], pool: ThreadPoolExecutor) -> bool:
        """Whether every notice of the page is taken or left out."""
        chains: dict[object, list[Numbered]] = {}
        for place, notice in page:
            if place not in self._taken and (not self.hook.kinds or notice.kind in self.hook.kinds):
                chains.setdefault(notice.interaction, []).append((place, notice))
        waiting = list(chains.values())
        # While the receiver is down, one notice is the probe: not eight at once.
        if self.counters.is_down and waiting and not self._chain(waiting.pop(0)):
            return False
        return all(list(pool.map(self._chain, waiting)))

    def _chain(self, chain: list[Numbered]) -> bool:
        return all(self._one(place, body(place, notice)) for place, notice in chain)

    def _one(self, place: str, text: bytes) -> bool:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ccserver",
            "CCServer-Delivery": place,
            "CCServer-Signature": signature(self.hook.secret, int(self._utc_s()), text),
        }
        try:
            status = post(self.hook, headers, text)
        except (OSError, http.client.HTTPException) as error:
            self.counters.failed += 1
            log.warning("webhook.unreachable", hook=self.hook.name, reason=f"{type(error).__name__}: {error}")
            return False
        if 200 <= status < 300:
            self.counters.delivered += 1
            self._taken.add(place)
            return True
        self.counters.failed += 1
        if 400 <= status < 500 and status not in (408, 429):
            self._refused[place] = self._refused.get(place, 0) + 1
            if self._refused[place] >= REFUSALS_MAX:
                self.counters.left_out += 1
                self._taken.add(place)
                log.error("webhook.left_out", hook=self.hook.name, delivery=place, status=status)
                return True
        log.warning("webhook.refused", hook=self.hook.name, delivery=place, status=status)
        return False

    def _note(self, *, is_down: bool) -> None:
        if is_down != self.counters.is_down:
            self.counters.is_down = is_down
            if not is_down:
                log.info("webhook.recovered", hook=self.hook.name)
