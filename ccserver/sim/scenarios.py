"""Fifteen short stories, each with its failure, for the virtual PBX and for real phones: the ground for conformance.

Cast: "caller" calls DID; "ann" and "bob" are agents, who are logged in before the start unless the story says otherwise.
The menu asks two questions (language, department); department 1 is a queue that both agents serve.
"""

from collections.abc import Mapping
from dataclasses import replace

from ccserver.core.commands import Command
from ccserver.core.events import Event, LoginRequested
from ccserver.core.ids import AgentId, CommandId, PhoneId, RequestId
from ccserver.core.settings import Settings
from ccserver.sim.day import verify
from ccserver.sim.sample import DID, SALES, sample_center
from ccserver.sim.script import Act, Cast, Script, ScriptStep, Seen
from ccserver.sim.trace import TraceLine
from ccserver.sim.world import World

CALLER, ANN, BOB = "caller", "ann", "bob"
ANNS = (AgentId("1000"), PhoneId("PJSIP/2000"))
BOBS = (AgentId("1002"), PhoneId("PJSIP/2002"))
LOGGED_IN_S = 1.0
OVER_AFTER_S = 300.0


def _on(of: str, seen: Seen, who: str, act: Act, value: str = "", *, nth: int = 1, after_s: float = 0.5) -> ScriptStep:
    return ScriptStep(who=who, act=act, value=value, of=of, seen=seen, nth=nth, after_s=after_s)


def _at(after_s: float, who: str, act: Act, value: str = "") -> ScriptStep:
    return ScriptStep(who=who, act=act, value=value, after_s=after_s)


CALLS = _at(0.1, CALLER, Act.CALL, DID)
INTO_THE_QUEUE = (
    CALLS,
    _on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "1"),
    _on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "1", nth=2),
)
ANN_ANSWERS = _on(ANN, Seen.RINGS, ANN, Act.ANSWER)
BOB_ANSWERS = _on(BOB, Seen.RINGS, BOB, Act.ANSWER)
CALLER_LEAVES = _on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=3.0)
ONE: Mapping[str, tuple[AgentId, PhoneId]] = {ANN: ANNS}
TWO: Mapping[str, tuple[AgentId, PhoneId]] = {ANN: ANNS, BOB: BOBS}


def _script(name: str, agents: Mapping[str, tuple[AgentId, PhoneId]], *steps: ScriptStep) -> Script:
    return Script(name=name, agents=dict(agents), steps=steps)


SCENARIOS: tuple[Script, ...] = (
    _script("agent ends the talk", ONE, *INTO_THE_QUEUE, ANN_ANSWERS, _on(ANN, Seen.JOINED, ANN, Act.HANG_UP, after_s=3.0)),
    _script(
        "caller ends the talk, agent gives a disposition",
        ONE,
        *INTO_THE_QUEUE,
        ANN_ANSWERS,
        CALLER_LEAVES,
        _on(ANN, Seen.QUESTION, ANN, Act.PRESS, "1#"),
    ),
    _script("caller leaves in the menu", ONE, CALLS, _on(CALLER, Seen.QUESTION, CALLER, Act.HANG_UP)),
    _script("caller leaves in the queue", {}, *INTO_THE_QUEUE, _at(60.0, CALLER, Act.HANG_UP)),
    _script(
        "caller leaves while the phone rings", ONE, *INTO_THE_QUEUE, _on(ANN, Seen.RINGS, CALLER, Act.HANG_UP, after_s=1.0)
    ),
    _script(
        "caller leaves in the instant of the answer",
        ONE,
        *INTO_THE_QUEUE,
        _on(ANN, Seen.RINGS, ANN, Act.ANSWER, after_s=1.0),
        _on(ANN, Seen.RINGS, CALLER, Act.HANG_UP, after_s=1.0),
    ),
    _script("agent does not answer, the next one does", TWO, *INTO_THE_QUEUE, BOB_ANSWERS, CALLER_LEAVES),
    _script(
        "agent declines, the next one answers",
        TWO,
        *INTO_THE_QUEUE,
        _on(ANN, Seen.RINGS, ANN, Act.DECLINE),
        BOB_ANSWERS,
        CALLER_LEAVES,
    ),
    _script(
        "agent's phone loses its contact while it rings",
        TWO,
        *INTO_THE_QUEUE,
        _on(ANN, Seen.RINGS, ANN, Act.UNREGISTER, after_s=0.2),
        BOB_ANSWERS,
        CALLER_LEAVES,
    ),
    _script("agent's phone has no contact", TWO, _at(0.0, ANN, Act.UNREGISTER), *INTO_THE_QUEUE, BOB_ANSWERS, CALLER_LEAVES),
    _script(
        "agent's line breaks, the next one goes on",
        TWO,
        *INTO_THE_QUEUE,
        ANN_ANSWERS,
        _on(ANN, Seen.JOINED, ANN, Act.LOSE_LINE, after_s=2.0),
        BOB_ANSWERS,
        _on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, nth=2, after_s=3.0),
    ),
    _script(
        "agent holds and comes back",
        ONE,
        *INTO_THE_QUEUE,
        ANN_ANSWERS,
        _on(ANN, Seen.JOINED, ANN, Act.HOLD, after_s=1.0),
        _on(ANN, Seen.JOINED, ANN, Act.UNHOLD, after_s=2.0),
        CALLER_LEAVES,
    ),
    _script("agent is busy with a friend", ONE, _at(0.0, ANN, Act.OWN_CALL), *INTO_THE_QUEUE, _at(60.0, CALLER, Act.HANG_UP)),
    _script("agent goes not ready and comes back", ONE, _at(0.1, ANN, Act.DIAL, "131"), _at(30.0, ANN, Act.DIAL, "14")),
    _script("caller presses nothing and hears it all", ONE, CALLS, ANN_ANSWERS, _at(120.0, CALLER, Act.HANG_UP)),
)


def conformance_settings() -> Settings:
    """The center the stories play in: short times, two agents who serve department 1."""
    settings = sample_center(3, wrap_up_s=3.0).settings
    sales = replace(settings.queues[SALES], ring_timeout_s=4.0, announce_position_every_s=None, max_wait_s=None)
    bob = replace(settings.agents[BOBS[0]], skills=settings.agents[ANNS[0]].skills)
    return replace(
        settings, queues={**settings.queues, SALES: sales}, agents={**settings.agents, BOBS[0]: bob}, content_hash="conformance"
    )


def play(script: Script, seed: int) -> list[TraceLine]:
    """One run on the virtual PBX, with every step checked, as a trace from the first act on."""
    trace: list[TraceLine] = []

    def watch(world: World, event: Event, commands: list[Command]) -> None:
        verify(world, event, commands)
        if world.agenda.now_s >= LOGGED_IN_S:
            at_s, seq = world.agenda.now_s - LOGGED_IN_S, world.center.seq
            trace.append(TraceLine(at_s, event))
            trace.extend(TraceLine(at_s, command, CommandId(seq, place)) for place, command in enumerate(commands))

    world = World(conformance_settings(), seed=seed, pins={}, watch=watch)
    cast = Cast(script, world.pbx)
    world.start()
    for number, (agent, phone) in enumerate(script.agents.values()):
        world.agenda.at(0.5 + 0.1 * number, world.post, LoginRequested(request=RequestId(number + 1), agent=agent, phone=phone))
    world.agenda.at(LOGGED_IN_S, cast.begin)
    world.run_until(LOGGED_IN_S + OVER_AFTER_S)
    return trace
