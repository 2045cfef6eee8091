"""Campaigns of a test: their settings, their leads, and what the database says became of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from ccserver.lab.phones import NotSeen, Phone
from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_rows import NUMBERS, lead_of
from harness.center import Center
from harness.waiting import until

OURS = "+34910000001"
SINCE = "the tests dial at any hour, and in a network of their own"
ANY_TIME = {
    "rules": {
        "window_binds": [],
        "closed_on_holidays": False,
        "abandon_hold_off_s": 0,
        "ring_min_s": 3,
        "max_abandon_percent": 90,
        "caller_id_calls_a_day": 100_000,
    },
    "overrides": [
        {"rule": rule, "because": SINCE}
        for rule in (
            "window_binds",
            "closed_on_holidays",
            "abandon_hold_off_s",
            "ring_min_s",
            "max_abandon_percent",
            "caller_id_calls_a_day",
        )
    ],
}
"""Nothing hinders but what a test is about."""


def dialing(campaigns: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The sections of a site that calls people; each campaign with its changes."""
    usual = {
        "name": "Winter",
        "purpose": "service",
        "queue": "sales",
        "trunks": ["main", "spare"],
        "caller_ids": [OURS],
        "ring_s": 5,
        "calls_per_second": 20,
    }
    return {
        "dialing": {"country": "ES", "preset": "es", **ANY_TIME},
        "trunks": {
            "main": {"endpoint": "carrier", "calls_per_second": 50},
            "spare": {"endpoint": "carrier2", "calls_per_second": 50},
        },
        "caller_ids": {OURS: {"answers_back": True, "calls_a_day": 100_000}},
        "campaigns": {name: {**usual, **changes} for name, changes in campaigns.items()},
    }


def add_leads(center: Center, to: str, numbers: Iterable[str], **told: str) -> None:
    """Into the list of that name, in this order."""
    store = Store(center.site.settings()["database"]["url"])
    try:
        for place, number in enumerate(numbers):
            lead, _ = lead_book.push(
                store.engine,
                to,
                lead_of({NUMBERS[0]: number, "name": f"Lead {number[-2:]}", "key": f"{to}-{place}", **told}, country="ES"),
                "test",
            )
            assert lead
    finally:
        store.close()


async def start(center: Center, campaign: str) -> None:
    await center.ask("campaign.start", campaign=campaign)


async def stop(center: Center, campaign: str) -> None:
    await center.ask("campaign.stop", campaign=campaign)


def attempts(center: Center, campaign: str) -> list[dict[str, Any]]:
    return center.rows("SELECT * FROM attempts WHERE campaign = ? ORDER BY stored_at, id", campaign)


async def settled(center: Center, campaign: str, count: int = 1, deadline_s: float = 20.0) -> list[dict[str, Any]]:
    """Wait until so many attempts are over; they."""

    def look() -> list[dict[str, Any]] | None:
        rows = attempts(center, campaign)
        done = [row for row in rows if row["state"] == "settled"]
        return rows if len(done) >= count else None

    found = await until(look, deadline_s, what=f"{count} attempts of {campaign} that are over; {attempts(center, campaign)}")
    assert found is not None
    return found


async def called(center: Center, agent: Phone, campaign: str, deadline_s: float = 15.0) -> None:
    """The agent's phone rings for a call to make; else it is told why none is made."""
    try:
        await agent.wait("incoming", deadline_s)
    except NotSeen as missed:
        why = await center.ask("campaign.explain", campaign=campaign)
        raise AssertionError(f"{missed}\n{why}\n{center.daemon.tail()}") from None


async def hang_up_all(center: Center) -> None:
    """Every call that is there."""
    for each in (await center.overview())["calls"]:
        await center.ask("call.hangup", interaction=each["number"])
