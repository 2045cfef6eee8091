"""A snapshot that release 0.1.0 wrote, in the middle of a busy hour: this release goes on from it."""

import json
from pathlib import Path

import pytest

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.codec import CodecError, dump
from ccserver.core.ids import InteractionId
from ccserver.core.invariants import check
from ccserver.core.moment import Moment
from ccserver.core.records import InteractionRecord
from ccserver.core.settings import AllOf, HasSkill
from ccserver.core.state import FORMAT, CenterState
from ccserver.core.transitions import InteractionState, Phase
from ccserver.core.upgrade import read_state

OLD = (Path(__file__).parent / "state-format-1.json").read_bytes()
WRAPPED_UP, TALKING, WAITING, OFFERED = (InteractionId(number) for number in (51, 52, 53, 55))


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(OLD) | fields).encode()


@pytest.fixture
def state() -> CenterState:
    return read_state(OLD)


def test_what_was_going_on_goes_on(state: CenterState) -> None:
    found = state.interactions
    (wrapping,) = found[WRAPPED_UP].wrapping
    assert (wrapping.agent, wrapping.queue) == ("1002", "billing")
    assert found[TALKING].talk is not None and found[TALKING].state is InteractionState.TALKING
    (offer,) = found[OFFERED].offers
    assert (offer.agent, offer.waits, found[OFFERED].joining) == ("1000", False, None)
    assert (found[OFFERED].offers_made, offer.number) == (1, 0)
    assert not found[WAITING].offers


def test_the_skills_of_a_visit_are_required_as_before(state: CenterState) -> None:
    offered, waiting = state.interactions[OFFERED].visit, state.interactions[WAITING].visit
    assert offered is not None and waiting is not None
    assert offered.requires == AllOf((HasSkill("sales"), HasSkill("spanish")))
    assert isinstance(waiting.requires, HasSkill)


def test_it_is_sound_and_is_written_in_todays_form(state: CenterState) -> None:
    assert check(state, state.versions[state.version]) == []
    assert state.format == FORMAT
    assert read_state(dump(state)) == state


def test_a_center_works_on_from_it(state: CenterState) -> None:
    """The daemon starts, sees the same channels, and the one who rang, and the one who waits, both hang up."""
    settings = state.versions[state.version]
    center, now_s = CallCenter.restore(state), state.moment.mono_s

    def tell(event: ev.Event) -> list[c.Command]:
        nonlocal now_s
        now_s += 0.1
        return center.handle(event, Moment(now_s, state.moment.utc_s + now_s))

    tell(ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)))
    tell(ev.SettingsLoaded(settings=settings))
    tell(ev.LinkUp(pbx="pbx", uptime_s=now_s))
    seen = tuple(
        ev.ChannelView(leg=leg.id, channel=leg.channel, is_up=True, bridge=leg.bridge, application="", context="")
        for leg in state.legs.values()
    )
    phones = {phone: known.state for phone, known in state.phones.items()}
    tell(ev.PbxObserved(pbx="pbx", asked_at_s=now_s, channels=seen, phones=phones))
    told = []
    for number in (OFFERED, WAITING):
        leg = state.interactions[number].leg
        assert leg is not None
        told += tell(ev.LegEnded(leg=leg, cause=16))
    (ringing,) = [command.leg for command in told if isinstance(command, c.HangUpLeg)]
    told += tell(ev.LegEnded(leg=ringing, cause=16))
    over = [x.record.interaction for x in told if isinstance(x, c.Store) and isinstance(x.record, InteractionRecord)]
    assert sorted(over) == [WAITING, OFFERED]
    after = center.snapshot()
    assert check(after, settings) == []
    assert all(work.phase is not Phase.RINGING for work in after.agents["1000"].work)  # type: ignore[index]


@pytest.mark.parametrize("given", [FORMAT + 1, 0, -1, None, "2", True])
def test_a_format_that_nobody_knows_is_refused_with_its_name(given: object) -> None:
    with pytest.raises(ValueError, match=rf"snapshot format {given}; this core reads 1 to {FORMAT}"):
        read_state(changed(format=given))


@pytest.mark.parametrize("bad", [{}, [1], [[1]], [[1, {}]], [[1, {"offer": None}]], None])
def test_what_is_no_snapshot_is_refused(bad: object) -> None:
    with pytest.raises(CodecError):
        read_state(changed(interactions=bad))


@pytest.mark.parametrize("line", [b"", b"[]", b"nonsense"])
def test_what_is_no_json_object_is_refused(line: bytes) -> None:
    with pytest.raises(CodecError):
        read_state(line)
