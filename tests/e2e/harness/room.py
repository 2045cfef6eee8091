"""Conferences with a number, as tests come into them and look at them: by the command line, and by ConfBridge's own list."""

from dataclasses import dataclass
from typing import Any

from ccserver.agi.secrets import hash_pin
from ccserver.lab.asterisk import Asterisk
from harness.center import PROMPTS_HZ
from harness.floor import Floor, FloorSite
from harness.waiting import until

PIN, MODERATORS = "2468", "97531"
PIN_HASH, MODERATORS_HASH = hash_pin(PIN), hash_pin(MODERATORS)
ROOM_DID = "909"


@dataclass(kw_only=True)
class RoomSite(FloorSite):
    """Rooms of every kind beside the floor; 909 leads a caller into `monday`."""

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        pins = {"pin_hash": PIN_HASH, "moderator_pin_hash": MODERATORS_HASH}
        whole["conferences"] = {
            "monday": {"number": "700", "class_of_service": "few", **pins},
            "lecture": {"number": "701", "moderator_pin_hash": MODERATORS_HASH, "wait_for_moderator": True},
            "board": {"number": "702", "record": True},
            "told": {"number": "703", "announce": "number"},
        }
        whole["flows"]["room"] = {"start": "in", "nodes": {"in": {"conference": "monday"}}}
        whole["dids"][ROOM_DID] = {"flow": "room", "language": "en"}
        return whole


async def asked(floor: Floor, who: str, typed: str, ear: str = "") -> None:
    """The PIN is asked for, and typed."""
    before_ms = floor.ear(ear or who).ms(PROMPTS_HZ["cc-conference-pin"])
    await floor.is_told(ear or who, "cc-conference-pin", before_ms + 100)
    await floor.phones[who].dtmf(f"{typed}#")


async def dials_in(floor: Floor, agent: str, number: str, pin: str | None = None, ear: str = "") -> None:
    """The agent's phone goes into a room; without a PIN none is asked for. `ear`: of a phone that has called before."""
    if agent not in floor.phones:
        await floor.agent(agent)
    await floor.phones[agent].call(f"*60{number}")
    await floor.phones[agent].wait("up")
    if pin is not None:
        await asked(floor, agent, pin, ear)
    await floor.is_told(ear or agent, "cc-conference-enter", 100)


async def calls_in(floor: Floor, pin: str = PIN) -> None:
    await floor.customer(ROOM_DID)
    await asked(floor, "customer", pin)
    await floor.is_told("customer", "cc-conference-enter", 100)


async def room(floor: Floor, name: str = "monday") -> dict[str, Any]:
    shown = await floor.center.ask("conference.show", conference=name)
    assert isinstance(shown, dict)
    return shown


async def has_members(floor: Floor, count: int, name: str = "monday") -> list[dict[str, Any]]:
    async def look() -> bool:
        return len((await room(floor, name))["members"]) == count

    await until(look, what=f"{count} members of {name}")
    members = (await room(floor, name))["members"]
    assert isinstance(members, list)
    return members


async def hears_no_more(floor: Floor, listener: str, speaker: str, beside: str) -> None:
    """While `beside` is heard on, `speaker` is not."""
    await floor.hears(listener, beside, ms=1000)  # until the key, or the order, is there
    before_ms = floor.ear(listener).ms(floor.voice(speaker))
    await floor.hears(listener, beside, ms=800)
    assert floor.ear(listener).ms(floor.voice(speaker)) <= before_ms + 100, f"{listener} hears {speaker}"


async def everybody_out(floor: Floor, *gone: str) -> None:
    """All but those who are `gone` hang up."""
    for name, phone in floor.phones.items():
        if name not in gone:
            await phone.hangup()
    await floor.center.quiet()


# --- what Asterisk has ---------------------------------------------------------------------------------------------------
Bridge = tuple[bool, list[tuple[str, bool, bool]]]
"""Whether it is locked; and of each member the channel's Uniqueid, whether a moderator, whether muted."""


def confbridge(pbx: Asterisk, name: str) -> Bridge:
    """ConfBridge's own list of a room; one that does not exist is open and empty."""
    rooms = [line.split() for line in pbx.cli("confbridge list").splitlines() if line.startswith(f"ccroom-{name} ")]
    if not rooms:
        return False, []
    uniqueids = {row.split("!")[0]: row.split("!")[-1] for row in pbx.cli("core show channels concise").splitlines()}
    members = []
    for line in pbx.cli(f"confbridge list ccroom-{name}").splitlines():
        words = line.split()
        if words and words[0] in uniqueids and words[0].startswith("PJSIP/"):
            flags = words[1] if len(words) > 1 else ""
            members.append((uniqueids[words[0]], "A" in flags, "m" in flags))
    return rooms[0][3] == "Yes", sorted(members)


async def known(floor: Floor, name: str) -> Bridge:
    """The same, as the center shows it."""
    shown = await room(floor, name)
    return shown["is_locked"], sorted((m["leg"], m["is_moderator"], m["is_muted"]) for m in shown["members"])


async def knows_what_is(floor: Floor, name: str = "monday") -> Bridge:
    """Wait until `conference show` equals ConfBridge's own list; that list."""
    seen: tuple[Bridge, Bridge] | None = None

    async def look() -> bool:
        nonlocal seen
        seen = (confbridge(floor.center.pbx, name), await known(floor, name))
        return seen[0] == seen[1]

    try:
        await until(look, what=f"{name} as it is")
    except AssertionError as missed:
        raise AssertionError(f"{missed}; Asterisk and the center have {seen}") from None
    assert seen is not None
    return seen[0]
