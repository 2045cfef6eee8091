"""Waiting at a phone without losing what came meanwhile: each wait says from which event on it looks."""

from collections.abc import Collection

from ccserver.lab.phones import Event, Phone


async def heard(phone: Phone, since: int, names: Collection[str], deadline_s: float, **fields: object) -> tuple[int, Event]:
    """The first event with one of these names (and field values) from index `since` on, and the index after it.

    Raises NotSeen at the deadline, PhoneFailed when the phones' process ended.
    """

    def find() -> tuple[int, Event] | None:
        for index in range(since, len(phone.seen)):
            found = phone.seen[index]
            if found["event"] in names and all(found.get(key) == value for key, value in fields.items()):
                return index + 1, found
        return None

    return await phone.process.until(find, deadline_s, f"{phone.name}: {' or '.join(names)} {fields or ''}", phone.seen)
