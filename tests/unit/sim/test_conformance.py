"""The comparer of real and virtual runs, on traces made by hand."""

from ccserver.core.commands import HangUpLeg, RingAgent
from ccserver.core.events import CallArrived, CommandDone, LegAnswered, LegEnded, LegRinging, LegStarted, RingEnded
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, SessionId
from ccserver.core.traced import TracedStep
from ccserver.sim.conformance import compare, learn
from ccserver.sim.sample import SALES
from ccserver.sim.trace import TraceLine, read_steps, stories, unfold

RING_ID = CommandId(2, 0)


def a_run(
    *,
    caller: str = "1.1",
    leg: str = "ccpbx-000001-00000001",
    swapped: bool = False,
    busy: bool = False,
    rings: int = 1,
    number: str | None = "+15550111",
) -> list[TraceLine]:
    """One caller arrives, one agent is rung and answers (or is busy). `swapped`: the answer's two signs in the other order."""
    caller_leg, agent_leg = LegId("pbx", caller), LegId("pbx", leg)
    arrived = CallArrived(
        session=SessionId("s"),
        leg=caller_leg,
        channel="PJSIP/trunk-1",
        did="1",
        caller_number=number,
        number_as_given=number or "",
        caller_name="",
    )
    ring = RingAgent(
        leg=agent_leg,
        interaction=InteractionId(1),
        agent=AgentId("1000"),
        phone=PhoneId("PJSIP/2000"),
        queue=SALES,
        caller=caller_leg,
        caller_channel="PJSIP/trunk-1",
        number=number,
        name="",
        ring_timeout_s=20.0,
        max_talk_s=60.0,
        recording="",
        auto_answer=False,
    )
    lines: list[TraceLine] = [
        TraceLine(0.0, arrived),
        TraceLine(0.1, ring, RING_ID),
        TraceLine(0.2, CommandDone(command=RING_ID)),
        TraceLine(0.2, LegStarted(leg=agent_leg, channel="PJSIP/2000-1")),
    ]
    if busy:
        lines.append(TraceLine(0.3, LegEnded(leg=agent_leg, cause=17, tech_cause=486)))
        lines.append(TraceLine(0.3, RingEnded(command=RING_ID, leg=agent_leg, is_ok=False, reason=0)))
        return lines
    lines += [TraceLine(0.3, LegRinging(leg=agent_leg))] * rings
    signs = [
        TraceLine(1.0, LegAnswered(leg=agent_leg)),
        TraceLine(1.0, RingEnded(command=RING_ID, leg=agent_leg, is_ok=True, reason=4)),
    ]
    lines += reversed(signs) if swapped else signs
    return [
        *lines,
        TraceLine(9.0, HangUpLeg(leg=agent_leg), CommandId(7, 1)),
        TraceLine(9.1, LegEnded(leg=agent_leg, cause=16)),
    ]


def test_ids_and_moments_do_not_matter() -> None:
    promises = learn([a_run(), a_run(swapped=True)])
    assert compare(a_run(caller="99.7", leg="ccpbx-000009-00000042"), promises) == []


def test_an_order_that_the_virtual_one_never_gave_is_a_difference() -> None:
    (difference,) = compare(a_run(swapped=True), learn([a_run()]))
    assert difference.leg == "agent 1"
    assert difference.what == "RingEnded answered came before LegAnswered; in the virtual runs it never does"


def test_an_order_that_varies_in_the_virtual_runs_may_vary_in_the_real_one() -> None:
    promises = learn([a_run(), a_run(swapped=True)])
    assert compare(a_run(swapped=True), promises) == []
    assert compare(a_run(), promises) == []


def test_what_happened_only_in_one_of_them_is_named() -> None:
    whats = {difference.what for difference in compare(a_run(busy=True), learn([a_run()]))}
    assert "LegEnded 17 came in the real run only" in whats
    assert "LegAnswered came in the virtual runs only" in whats


def test_a_leg_in_one_of_them_only_is_named() -> None:
    promises = learn([a_run()])
    alone = a_run()[:1]
    assert [(d.leg, d.what) for d in compare(alone, promises)] == [("agent 1", "is missing in the real run")]
    assert [(d.leg, d.what) for d in compare(a_run(), learn([alone]))] == [("agent 1", "is in no virtual run")]


def test_each_180_is_one_event_and_counts_once() -> None:
    assert compare(a_run(rings=3), learn([a_run()])) == []


def test_an_event_told_twice_is_a_difference() -> None:
    twice = a_run()
    twice.append(twice[-1])
    (difference,) = compare(twice, learn([a_run()]))
    assert difference.what == "LegEnded normal (no. 2) came in the real run only"


def test_answers_to_commands_belong_to_the_leg_of_the_command() -> None:
    told = stories(a_run())
    assert [token for token, _ in told["agent 1"].happenings][:3] == ["RingAgent", "CommandDone", "LegStarted"]
    assert [token for token, _ in told["caller 1"].happenings] == ["CallArrived"]


def test_a_hidden_number_is_part_of_the_story() -> None:
    whats = [difference.what for difference in compare(a_run(number=None), learn([a_run()]))]
    assert whats == [
        "CallArrived withheld came in the real run only",
        "CallArrived came in the virtual runs only",
        "RingAgent withheld came in the real run only",
        "RingAgent came in the virtual runs only",
    ]


def test_traced_steps_are_the_lines_of_their_events_and_commands() -> None:
    arrived, ring = a_run()[0].said, a_run()[1].said
    step = TracedStep(seq=2, mono_s=0.1, utc_s=9.0, event=arrived, commands=(ring,))  # type: ignore[arg-type]
    assert unfold(read_steps(step.line() + step.line())[:1]) == [TraceLine(0.1, arrived), TraceLine(0.1, ring, RING_ID)]
