"""A notice as the outside reads it: one JSON object, the same in the event stream and in webhooks."""

import json

from ccserver.core.records import NoticeRecord

Numbered = tuple[str, NoticeRecord]
"""A notice with its place in the feed."""


def body(place: str, notice: NoticeRecord) -> bytes:
    """`id` is the same at every delivery of the same notice; `sequence` counts from 0 within the interaction."""
    return json.dumps(
        {
            "id": place,
            "event": notice.kind.value,
            "interaction": notice.interaction,
            "sequence": notice.number,
            "at_utc_s": round(notice.at_utc_s, 3),
            "caller_number": notice.caller_number,
            "caller_name": notice.caller_name,
            "did": notice.did,
            "language": notice.language,
            "queue": notice.queue,
            "agent": notice.agent,
            "phone": notice.phone,
            "data": dict(notice.data),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
