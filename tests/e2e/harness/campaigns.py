"""Campaigns of a test: their settings, their leads, and what the database says became of them."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ccserver.control.client import NotDone
from ccserver.lab import audio
from ccserver.lab.phones import NotSeen, Phone
from ccserver.store import lead_book
from ccserver.store.database import Store
from ccserver.store.lead_rows import NUMBERS, lead_of
from harness.center import Center, Site
from harness.cli import here
from harness.waiting import until

OURS = "+34910000001"
WHO_CALLED_HZ, WHO_CALLED_MS = 2310, 1500
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


def site_that_calls(directory: Path, shared: Path, campaigns: Mapping[str, Mapping[str, Any]], **sections: Any) -> Site:
    """The usual center with these campaigns. Phones 1005 to 1008 pick up by themselves; `who-called` is a tone. `sections` go before."""
    plain = Site(directory=directory, shared=shared)
    whole = plain.settings()
    for language in ("en", "es"):
        audio.write_tone(shared / "prompts" / language / "who-called.wav", WHO_CALLED_HZ, WHO_CALLED_MS)
    more = {
        **dialing(campaigns),
        "prompts": {**whole["prompts"], "who-called": {"en": "Example Ltd called you.", "es": "Le llamó Example."}},
        "dids": {**whole["dids"], OURS: {"flow": "sales", "language": "en"}},
        "phones": {
            "1001-1004": {"endpoint": "PJSIP/{number}"},
            "1005-1008": {"endpoint": "PJSIP/{number}", "auto_answer": True},
        },
        **sections,
    }
    return Site(directory=directory, shared=shared, more=more)


def add_leads(center: Center, to: str, numbers: Iterable[str], **told: str) -> None:
    """Into the list of that name, as hot ones, in this order. A daemon that runs does not hear of it."""
    store = Store(center.site.settings()["database"]["url"])
    try:
        for number in numbers:
            lead, _ = lead_book.push(
                store.engine,
                to,
                lead_of({NUMBERS[0]: number, "name": f"Lead {number[-2:]}", "key": f"{to}-{number}", **told}, country="ES"),
                "test",
            )
            assert lead
    finally:
        store.close()


async def import_leads(center: Center, to: str, numbers: Iterable[str]) -> None:
    """From a file, by the command line: none of them is hot, and the daemon hears of it."""
    file = center.site.directory / f"{to}.csv"
    file.write_text("number,name\n" + "".join(f"{number},Lead {number[-2:]}\n" for number in numbers))
    answer = await here(center, "lead", "import", str(file), "--list", to)
    assert answer.code == 0, answer


async def start(center: Center, campaign: str) -> None:
    await center.ask("campaign.start", campaign=campaign)


async def stop(center: Center, campaign: str) -> None:
    await center.ask("campaign.stop", campaign=campaign)


def attempts(center: Center, campaign: str) -> list[dict[str, Any]]:
    return center.rows("SELECT * FROM attempts WHERE campaign = ? ORDER BY stored_at, id", campaign)


def leads_of(center: Center, name: str) -> list[dict[str, Any]]:
    """The leads of a list, in the order in which they were added."""
    query = (
        "SELECT leads.* FROM leads JOIN lead_lists ON leads.list = lead_lists.id WHERE lead_lists.name = ? ORDER BY leads.id"
    )
    return center.rows(query, name)


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


async def end_all(center: Center) -> None:
    """Every campaign is stopped, every call is over, and nobody is logged in: for the next test, however this one ended."""
    for each in await center.ask("campaigns"):
        if each["run"] != "stopped":
            await stop(center, each["id"])
    await hang_up_all(center)
    await center.log_everybody_out()


async def hang_up_all(center: Center) -> None:
    """Every call that is there."""
    await _hang_up(center, lambda _: True)


async def hang_up_call_to(center: Center, number: str) -> None:
    """The call to this number, and no other."""
    await _hang_up(center, lambda call: call["caller_number"] == number)


async def _hang_up(center: Center, where: Callable[[Any], bool]) -> None:
    for each in (await center.overview())["calls"]:
        if where(each):
            with suppress(NotDone):  # it has ended meanwhile
                await center.ask("call.hangup", interaction=each["number"])
