"""The dialplan's places on a real Asterisk, by our own edges: legs wait, are joined, sent to the desk, into a conference and back."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.edges import EN, edges_of, spoken
from harness.hall import CUSTOMER_HZ, MUSIC_HZ, PROMPT_HZ, TONES, Hall
from harness.observer import Observer
from harness.waiting import until

from ccserver.agi.secrets import hash_pin
from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.commands import (
    Collect,
    CollectSecret,
    ControlRecording,
    DialOut,
    HangUpLeg,
    JoinLeg,
    Next,
    Place,
    RecordingStep,
    RecordMessage,
)
from ccserver.core.events import (
    CallArrived,
    DeskOpened,
    DigitsCollected,
    FeatureDialled,
    LegDigit,
    LegEnded,
    LegEnteredBridge,
    LegParked,
    MessageRecorded,
    PromptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
    WrapUpOpened,
)
from ccserver.core.ids import AgentId, InteractionId, PhoneId
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

_incarnations = itertools.count(1)


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    audio.write_tone(shared_directory / "prompts" / "en" / "words.wav", PROMPT_HZ, 1000)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@asynccontextmanager
async def a_hall(pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path) -> AsyncIterator[Hall]:
    async with edges_of(pbx, shared_directory / "prompts", next(_incarnations)) as edges:
        yield Hall(edges, phones, tmp_path)


@pytest.fixture
def hall(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> Iterator[AbstractAsyncContextManager[Hall]]:
    yield a_hall(pbx, phones, shared_directory, tmp_path)


Halls = AbstractAsyncContextManager[Hall]


async def test_of_several_phones_that_answer_at_once_one_is_joined(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1001")
        await at.desk("1002")
        customer, arrived = await at.customer()
        legs = {number: edges.ring(number, Place.PARK) for number in ("1001", "1002")}
        for leg in legs.values():
            await until(lambda leg=leg: edges.of(LegParked, lambda event: event.leg == leg), what="both phones wait")
        winner, loser = "1001", "1002"
        assert edges.of(LegEnteredBridge, lambda event: event.leg == arrived.leg) == []
        joining = edges.join(legs[winner], arrived.leg)
        edges.verb(HangUpLeg(leg=legs[loser]))
        await joining
        await edges.next(LegEnded, lambda event: event.leg == legs[loser])
        await at.ear("customer").hears(TONES[winner])
        await at.ear(winner).hears(CUSTOMER_HZ)
        assert at.ear("customer").ms(TONES[loser]) == 0
        await at.desks[winner].hangup()
        back = await edges.next(CallArrived)
        assert back.leg == arrived.leg
        edges.end(back.session)
        await customer.wait("ended")


async def test_a_line_that_is_kept_parks_again_and_is_joined_again(hall: Halls, shared_directory: Path) -> None:
    recordings = shared_directory / "rec"
    recordings.mkdir(exist_ok=True)
    async with hall as at:
        edges = at.edges
        agent = await at.desk("1001")
        line = await at.parked("1001")
        for name in ("first", "second"):
            customer, arrived = await at.customer(name)
            await edges.join(line, arrived.leg, is_kept=True, recording=str(recordings / name))
            await at.ear(name).hears(TONES["1001"])
            await customer.hangup()
            await edges.parked(line)
        assert not agent.has("ended")
        assert not edges.of(WrapUpOpened)
        await agent.hangup()
        await edges.next(LegEnded, lambda event: event.leg == line)
    for name in ("first", "second"):
        for part, hz in (("caller", CUSTOMER_HZ), ("agent", TONES["1001"])):
            assert audio.total_ms(audio.heard(recordings / f"{name}-{part}.wav", [hz])[hz]) >= 300, (name, part)
    lengths = [len(audio.read(recordings / f"{name}-agent.wav")[1][0]) for name in ("first", "second")]
    assert max(lengths) <= 8 * 4000, "a segment ends with its talk"


async def test_a_kept_line_whose_caller_has_gone_parks_again_without_a_talk(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1001")
        line = await at.parked("1001")
        customer, arrived = await at.customer()
        await customer.hangup()
        await edges.next(LegEnded, lambda event: event.leg == arrived.leg)
        await edges.act(
            JoinLeg(
                leg=line,
                channel=edges.channels[line],
                caller=arrived.leg,
                caller_channel=arrived.channel,
                recording="",
                max_talk_s=60.0,
                is_kept=True,
            )
        )
        await edges.parked(line)
        await edges.hang_up(line)


async def test_an_agent_hears_who_calls_while_the_caller_hears_music(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1001")
        line = await at.parked("1001")
        customer, arrived = await at.customer()
        await at.ear("customer").hears(MUSIC_HZ)
        await edges.redirect(edges.move(line, Place.DESK))
        desk = await edges.next(DeskOpened)
        assert desk.leg == line
        edges.say(desk.session, "words")
        await edges.next(PromptEnded)
        edges.end(desk.session, Next.PARK)
        await edges.parked(line)
        await edges.join(line, arrived.leg, is_kept=True)
        await at.ear("customer").hears(TONES["1001"])
        await customer.hangup()
        await edges.parked(line)
        await edges.hang_up(line)
        await at.phones.close()
        assert at.ear("1001").ms(PROMPT_HZ) >= 700
        heard = audio.heard(at.ear("customer").file, [MUSIC_HZ, PROMPT_HZ, TONES["1001"]])
        assert audio.total_ms(heard[PROMPT_HZ]) == 0
        assert audio.longest_gap_ms(heard[MUSIC_HZ]) <= 300
        assert heard[TONES["1001"]][0].start_ms - heard[MUSIC_HZ][-1].end_ms <= 300


async def test_a_talk_parts_in_one_stroke_and_comes_together_again(hall: Halls, shared_directory: Path) -> None:
    """Consult: the customer hears music, the agent a prompt, then a colleague, and then both are joined again."""
    async with hall as at:
        edges = at.edges
        await at.desk("1002")
        customer, arrived, leg = await at.talk()
        await edges.redirect(edges.move(arrived.leg, Place.LOOP), edges.move(leg, Place.DESK))
        held = await edges.next(CallArrived)
        desk = await edges.next(DeskOpened)
        assert (held.leg, desk.leg) == (arrived.leg, leg)
        edges.music(held.session)
        edges.say(desk.session, "words")
        edges.music(desk.session)
        await at.ear("1001").hears(PROMPT_HZ)
        colleague = edges.new_leg()
        edges.verb(
            DialOut(
                leg=colleague,
                interaction=InteractionId(2),
                to=PhoneId("PJSIP/1002"),
                number="+34911234567",
                name="Desk 1001",
                ring_timeout_s=5.0,
                place=Place.JOIN,
                caller_channel=desk.channel,
                max_talk_s=60.0,
            )
        )
        await edges.together(colleague, leg)
        await at.ear("1001").hears(TONES["1002"])
        before_ms = at.ear("customer").ms(TONES["1002"])
        await at.ear("customer").hears(MUSIC_HZ)
        # Back: the colleague goes, the agent is at the desk again.
        await edges.hang_up(colleague)
        again = await edges.next(DeskOpened)
        assert again.leg == leg
        await edges.join(leg, arrived.leg)
        await at.ear("customer").hears(TONES["1001"])
        await at.ear("1001").hears(CUSTOMER_HZ)
        assert before_ms == at.ear("customer").ms(TONES["1002"]) == 0
        assert at.ear("customer").ms(PROMPT_HZ) == 0
        await customer.hangup()
        wrap_up = await edges.next(WrapUpOpened)
        assert wrap_up.leg == leg
        edges.end(wrap_up.session)
        await at.desks["1001"].wait("ended")


async def test_the_colleague_takes_the_customer_over_and_the_agent_is_at_the_desk(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1002")
        customer, arrived, leg = await at.talk()
        await edges.redirect(edges.move(arrived.leg, Place.LOOP), edges.move(leg, Place.DESK))
        held = await edges.next(CallArrived)
        desk = await edges.next(DeskOpened)
        edges.music(held.session)
        edges.music(desk.session)
        colleague = edges.ring("1002", Place.JOIN, leg)
        await edges.together(colleague, leg)
        await at.ear("1001").hears(TONES["1002"])
        await edges.join(colleague, arrived.leg)
        again = await edges.next(DeskOpened)
        assert again.leg == leg
        await at.ear("customer").hears(TONES["1002"])
        await at.ear("1002").hears(CUSTOMER_HZ)
        edges.end(again.session)
        await at.desks["1001"].wait("ended")
        await at.ear("customer").hears(TONES["1002"])
        await customer.hangup()
        wrap_up = await edges.next(WrapUpOpened)
        assert wrap_up.leg == colleague
        edges.end(wrap_up.session)
        await at.desks["1002"].wait("ended")


async def test_three_confer_and_whoever_leaves_the_others_go_on(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1002")
        customer, arrived, leg = await at.talk()
        colleague = await at.parked("1002")
        await edges.redirect(edges.move(arrived.leg, Place.CONFERENCE, "17"), edges.move(leg, Place.CONFERENCE, "17"))
        await edges.redirect(edges.move(colleague, Place.CONFERENCE, "17"))
        await at.ear("customer").hears(TONES["1001"], TONES["1002"])
        await at.ear("1001").hears(CUSTOMER_HZ, TONES["1002"])
        await at.ear("1002").hears(CUSTOMER_HZ, TONES["1001"])
        await at.desks["1001"].hangup()
        await edges.next(LegEnded, lambda event: event.leg == leg)
        await at.ear("customer").hears(TONES["1002"])
        await at.ear("1002").hears(CUSTOMER_HZ)
        # A customer who is sent out asks what is next; an agent's leg wraps up.
        await edges.redirect(edges.move(arrived.leg, Place.LOOP))
        back = await edges.next(CallArrived)
        assert back.leg == arrived.leg
        edges.music(back.session)
        await at.ear("customer").hears(MUSIC_HZ)
        await edges.redirect(edges.move(colleague, Place.PARK))
        await edges.parked(colleague)
        await customer.hangup()
        await edges.hang_up(colleague)


@pytest.mark.parametrize("tone_hz", [0, 1030], ids=["nobody", "voicemail"])
async def test_a_phone_outside_takes_no_call_without_a_key(hall: Halls, tone_hz: int) -> None:
    """The line is answered; nothing but the key 1 is taken for a person."""
    async with hall as at:
        edges = at.edges
        agent = await at.desk("1001", tone_hz=tone_hz)
        customer, arrived = await at.customer()
        leg = edges.ring("1001", Place.DESK)
        desk = await edges.next(DeskOpened)
        edges.verb(
            Collect(
                session=desk.session,
                say=spoken("words"),
                language=EN,
                max_digits=1,
                first_timeout_s=1.5,
                next_timeout_s=1.0,
            )
        )
        collected = await edges.next(DigitsCollected)
        assert (collected.end, collected.digits) == (VerbEnd.TIMEOUT, "")
        edges.end(desk.session)
        await edges.next(LegEnded, lambda event: event.leg == leg)
        await agent.wait("ended")
        assert not edges.of(LegEnteredBridge, lambda event: event.leg == arrived.leg)
        await customer.hangup()


async def test_a_phone_outside_takes_the_call_with_the_key(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        agent = await at.desk("1001")
        customer, arrived = await at.customer()
        leg = edges.ring("1001", Place.DESK)
        desk = await edges.next(DeskOpened)
        edges.verb(
            Collect(
                session=desk.session,
                say=spoken("words"),
                language=EN,
                max_digits=1,
                first_timeout_s=5.0,
                next_timeout_s=1.0,
            )
        )
        await at.ear("1001").hears(PROMPT_HZ, ms=200)
        await agent.dtmf("1")
        assert (await edges.next(DigitsCollected)).digits == "1"
        edges.end(desk.session, Next.PARK)
        await edges.parked(leg)
        await edges.join(leg, arrived.leg)
        await at.ear("customer").hears(TONES["1001"])
        await agent.hangup()
        back = await edges.next(CallArrived)
        edges.end(back.session)
        await customer.wait("ended")


async def test_keys_of_a_talk_are_told_of_the_agent_only_and_a_pin_never(hall: Halls, ami: Observer) -> None:
    async with hall as at:
        edges = at.edges
        edges.pin_hashes[AgentId("101")] = hash_pin("4711")
        customer, arrived, leg = await at.talk()
        edges.listened_to.add(leg)
        await at.ear("customer").hears(TONES["1001"])
        await customer.dtmf("55")
        # Asterisk takes a key that comes within half a second of one that it sends there for an echo.
        await ami.wait("DTMFEnd", where=lambda key: key["Digit"] == "5" and key["Direction"] == "Sent")
        await at.ear("1001").hears(CUSTOMER_HZ, ms=1000)
        await at.desks["1001"].dtmf("*2")
        await until(lambda: len(edges.of(LegDigit)) >= 2, what="two keys")
        assert edges.of(LegDigit) == [LegDigit(leg=leg, digit="*"), LegDigit(leg=leg, digit="2")]
        await edges.redirect(edges.move(arrived.leg, Place.LOOP), edges.move(leg, Place.DESK))
        held = await edges.next(CallArrived)
        desk = await edges.next(DeskOpened)
        edges.music(held.session)
        edges.verb(CollectSecret(session=desk.session, agent=AgentId("101"), say=(), language=EN, timeout_s=5.0))
        await at.desks["1001"].dtmf("4711#")
        assert (await edges.next(SecretChecked)).is_ok
        edges.end(desk.session, Next.PARK)
        await edges.parked(leg)
        await until(lambda: LegEnteredBridge in map(type, edges.events[edges.events.index(LegParked(leg=leg)) :]))
        # Parked, and nobody asks: a key is one for the core again.
        await at.desks["1001"].dtmf("9")
        await edges.next(LegDigit, lambda event: event.digit == "9")
        assert [event.digit for event in edges.of(LegDigit)] == ["*", "2", "9"]
        await customer.hangup()
        await edges.hang_up(leg)


async def test_a_phones_own_call_becomes_the_line_of_a_headset(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        agent = await at.desk("1001")
        await agent.call("*18")
        dialled = await edges.next(FeatureDialled)
        assert (dialled.phone, dialled.digits) == ("PJSIP/1001", "18")
        edges.channels[dialled.leg] = dialled.channel
        edges.end(dialled.session, Next.PARK)
        await edges.parked(dialled.leg)
        customer, arrived = await at.customer()
        await edges.join(dialled.leg, arrived.leg, is_kept=True)
        await at.ear("customer").hears(TONES["1001"])
        # The agent lets the customer go and stays.
        await edges.hang_up(arrived.leg)
        await edges.parked(dialled.leg)
        await customer.wait("ended")
        await edges.redirect(edges.move(dialled.leg, Place.DESK))
        desk = await edges.next(DeskOpened)
        edges.say(desk.session, "words")
        await edges.next(PromptEnded)
        edges.end(desk.session, Next.PARK)
        await edges.parked(dialled.leg)
        assert not agent.has("ended")
        await agent.hangup()
        await edges.next(LegEnded, lambda event: event.leg == dialled.leg)


async def test_a_recording_is_begun_in_a_talk_and_silent_where_it_was_paused(hall: Halls, shared_directory: Path) -> None:
    recordings = shared_directory / "rec"
    recordings.mkdir(exist_ok=True)
    path = recordings / "begun"
    spoken_part = recordings / "begun-agent.wav"

    def recorded_ms() -> int:
        return len(audio.read(spoken_part)[1][0]) // 8 if spoken_part.exists() else 0

    async with hall as at:
        edges = at.edges
        _, _, leg = await at.talk()

        async def control(what: RecordingStep, recording: str = "") -> None:
            edges.verb(ControlRecording(leg=leg, channel=edges.channels[leg], what=what, recording=recording))

        async def goes_on(ms: int) -> None:
            goal = recorded_ms() + ms
            await until(lambda: recorded_ms() >= goal, what=f"{ms} ms more")

        await control(RecordingStep.START, str(path))
        await goes_on(1000)
        await control(RecordingStep.PAUSE)
        await goes_on(1500)
        await control(RecordingStep.RESUME)
        await goes_on(1000)
        await at.desks["1001"].hangup()
        back = await edges.next(CallArrived)
        edges.end(back.session)
        await edges.next(SessionClosed, lambda event: event.session == back.session)
    for part, hz in (("agent", TONES["1001"]), ("caller", CUSTOMER_HZ)):
        spans = audio.heard(recordings / f"begun-{part}.wav", [hz])[hz]
        assert 800 <= audio.longest_gap_ms(spans) <= 2500, (part, spans)
        assert audio.total_ms(spans) >= 1200, (part, spans)


@pytest.mark.parametrize("ends_by", ["key", "hang-up"])
async def test_a_message_is_recorded_after_a_beep(hall: Halls, shared_directory: Path, ends_by: str) -> None:
    file = shared_directory / f"message-{ends_by}.wav"
    async with hall as at:
        edges = at.edges
        customer, arrived = await at.customer()
        edges.verb(
            RecordMessage(
                session=arrived.session,
                say=spoken("words"),
                language=EN,
                path=str(file),
                max_s=20.0,
                silence_s=5.0,
            )
        )
        await until(
            lambda: file.exists() and audio.total_ms(audio.heard(file, [CUSTOMER_HZ])[CUSTOMER_HZ]) >= 1500,
            what="a message of 1.5 s",
        )
        if ends_by == "key":
            await customer.dtmf("#")
        else:
            await customer.hangup()
        recorded = await edges.next(MessageRecorded)
        assert recorded.end is (VerbEnd.DIGIT if ends_by == "key" else VerbEnd.DONE)
        assert 1.4 <= recorded.duration_s <= 5.0
        assert not edges.discarded
        edges.end(arrived.session)
        await customer.wait("ended")


async def test_a_message_without_a_word_is_taken_away(hall: Halls, shared_directory: Path) -> None:
    file = shared_directory / "nothing.wav"
    async with hall as at:
        edges = at.edges
        customer, arrived = await at.customer()
        await customer.do("tone", tone_hz=0)
        edges.verb(RecordMessage(session=arrived.session, say=(), language=EN, path=str(file), max_s=20.0, silence_s=2.0))
        recorded = await edges.next(MessageRecorded)
        assert (recorded.end, recorded.duration_s) == (VerbEnd.DONE, 0.0)
        assert edges.discarded == [str(file)]
        edges.end(arrived.session)
        await customer.wait("ended")
