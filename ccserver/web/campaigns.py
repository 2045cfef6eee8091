"""`/v1/campaigns`: another system looks at campaigns, starts and stops them.

    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9319/v1/campaigns/winter/figures?since=2026-11-01
    curl -H "Authorization: Bearer $TOKEN" -d '{"act": "pause", "by": "ana"}' http://127.0.0.1:9319/v1/campaigns/winter

GET of `/v1/campaigns` tells all, of `/v1/campaigns/NAME` one, and below it `explain`, `figures` (with `since` and `until`) and
`overdue`. POST to `/v1/campaigns/NAME` does an `act`: start, pause, drain, stop, or mode (with `mode`); `by`, which may be missing, is
whom the system asks for, and goes on record with it.

The answer is `{"ok": true, …}` with 200, or false and a `text` with 400 (not understood), 404 (no such campaign), 409 (not done, and why),
503 (ask again later) or 504 (not answered in time).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ccserver.web.bearer import is_allowed, refuse, refuse_without_token
from ccserver.web.calls import API, NAME_CHARACTERS_MAX, Ask, Clock, NotUnderstood, Pending

ACTS = ("start", "pause", "drain", "stop", "mode")
LOOKS = ("explain", "figures", "overdue")
_PERIOD = ("since", "until")
_TIME_CHARACTERS_MAX = 40


class NoSuchPlace(Exception):
    """A path that names nothing. The text says what there is."""


class Campaigns(Resource):
    isLeaf = True

    def __init__(self, ask: Ask, token: str, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ask, self._token, self._clock = ask, token.encode(), clock

    def render_GET(self, request: Request) -> bytes | int:
        return self._done(request, is_look=True)

    def render_POST(self, request: Request) -> bytes | int:
        return self._done(request, is_look=False)

    def _done(self, request: Request, *, is_look: bool) -> bytes | int:
        if not is_allowed(request, self._token):
            return refuse_without_token(request)
        place: Sequence[bytes] = request.postpath or ()
        try:
            if is_look:
                do, given = looked_at(place, request.args or {})
            else:
                do, given = acted_on(place, request.content.read() if request.content else b"")
        except NoSuchPlace as error:
            return refuse(request, 404, str(error))
        except NotUnderstood as error:
            return refuse(request, 400, str(error))
        Pending(request, self._ask(do, given), self._clock)
        return NOT_DONE_YET


def looked_at(place: Sequence[bytes], asked: Mapping[bytes, Sequence[bytes]]) -> tuple[str, Mapping[str, object]]:
    """What a GET wants: a command and its arguments. Raises NoSuchPlace, NotUnderstood."""
    if not place:
        _require_only(asked, ())
        return "campaigns", {}
    name = _name(place[0])
    if len(place) == 1:
        _require_only(asked, ())
        return "campaign.show", {"campaign": name}
    look = _shown(place[1])
    if len(place) > 2 or look not in LOOKS:
        raise NoSuchPlace(f"below a campaign there are: {', '.join(LOOKS)}")
    _require_only(asked, _PERIOD if look == "figures" else ())
    period = {word: _time(asked[word.encode()], word) for word in _PERIOD if word.encode() in asked}
    return f"campaign.{look}", {"campaign": name, **period}


def acted_on(place: Sequence[bytes], body: bytes) -> tuple[str, Mapping[str, object]]:
    """What a POST wants. Raises NoSuchPlace, NotUnderstood."""
    if len(place) != 1:
        raise NoSuchPlace("acts are posted to /v1/campaigns/NAME")
    name = _name(place[0])
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood('the body must be JSON, for example {"act": "pause"}') from None
    if not isinstance(given, dict) or not given.keys() <= {"act", "mode", "by"}:
        raise NotUnderstood('the body must be an object with "act", and perhaps "mode" and "by"')
    act, by = given.get("act"), given.get("by", "")
    if act not in ACTS:
        raise NotUnderstood(f'"act" must be one of {", ".join(ACTS)}')
    if ("mode" in given) != (act == "mode"):
        raise NotUnderstood('"mode" goes with the act "mode", and with that one only')
    if not _is_name(by):
        raise NotUnderstood(f'"by" must be a name of at most {NAME_CHARACTERS_MAX} printable ASCII characters')
    if "mode" in given and not _is_name(given["mode"]):
        raise NotUnderstood('"mode" must name a mode, or "default"')
    wanted = {"mode": given["mode"]} if act == "mode" else {}
    return f"campaign.{act}", {"campaign": name, **wanted, "by": f"{API}, {by}" if by else API}


def _is_name(given: Any) -> bool:
    return isinstance(given, str) and given.isascii() and given.isprintable() and len(given) <= NAME_CHARACTERS_MAX


def _name(given: bytes) -> str:
    name = _shown(given)
    if not name or name.encode() != given:
        raise NoSuchPlace("there is no such campaign")
    return name


def _shown(given: bytes) -> str:
    """Empty if it is no word that could be a name."""
    word = given.decode("ascii", "replace")
    return word if _is_name(word) else ""


def _require_only(asked: Mapping[bytes, Sequence[bytes]], known: Sequence[str]) -> None:
    if not {word.encode() for word in known} >= asked.keys():
        raise NotUnderstood(f"only {' and '.join(known)} can be given" if known else "no parameters can be given here")


def _time(given: Sequence[bytes], word: str) -> datetime:
    """Without a zone it is of UTC."""
    try:
        (written,) = given
        if len(written) > _TIME_CHARACTERS_MAX:
            raise ValueError("too long")
        read = datetime.fromisoformat(written.decode("ascii"))
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotUnderstood(f'"{word}" must be given once, as a date or time: 2026-11-01, or 2026-11-01T08:00Z') from None
