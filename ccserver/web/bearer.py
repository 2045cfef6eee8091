"""Who may use the API: whoever sends its token."""

import hmac

from twisted.web.server import Request


def is_allowed(request: Request, token: bytes) -> bool:
    scheme, _, given = (request.getHeader(b"authorization") or b"").partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token)


def refuse(request: Request, code: int, reason: str) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")  # type: ignore[no-untyped-call]
    if code == 401:
        request.setHeader(b"www-authenticate", b"Bearer")  # type: ignore[no-untyped-call]
    return reason.encode() + b"\n"


def refuse_without_token(request: Request) -> bytes:
    return refuse(request, 401, "the header Authorization must be: Bearer and the token of api.token_file")
