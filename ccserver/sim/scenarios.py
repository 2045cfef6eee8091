"""Short stories, most with a failure in them, for the virtual PBX and for real phones: the ground for conformance.

Cast: "caller" and "second" call from outside; "ann" and "bob" are agents with the same skills, so that Ann, who logged in
first, is rung first. The site has a menu of two questions (language, department) at `MENU`, whose department 1 is the
queue of `STRAIGHT`, where calls need no menu; `NARROW` leads to a queue in which one caller may wait, `HASTY` to one that nobody
serves and that gives its callers to the agents' queue after a second; in the queue of `TOGETHER` all phones ring; the customers of
the queue of `JUDGED` are asked to judge the talk. `ORDERS` is a flow that asks for the four digits of an order, looks it up, and lets a
script say the rest: what the systems of the site answer stands in `TOLD`. Bob may supervise everybody; `ROOM` is a conference into which
one gets with `ROOM_PIN`.
"""

from collections.abc import Callable, Mapping
from random import Random

from ccserver.core.commands import Command
from ccserver.core.events import Event, LoginRequested, LookUpEnd, VerbEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import AgentId, LookUpId, PhoneId, RequestId
from ccserver.core.settings import Settings
from ccserver.core.traced import TracedStep
from ccserver.sim.day import verify
from ccserver.sim.script import Act, Cast, Script, ScriptStep, Seen
from ccserver.sim.systems import Answer, ScriptRun, Told
from ccserver.sim.trace import TraceLine, unfold
from ccserver.sim.world import World

CALLER, SECOND, ANN, BOB = "caller", "second", "ann", "bob"
ANNS = (AgentId("101"), PhoneId("PJSIP/1001"))
BOBS = (AgentId("102"), PhoneId("PJSIP/1002"))
PINS = {ANNS[0]: "9101", BOBS[0]: "9102"}
FRIEND = "1008"
"""Whom agents call when they call a friend."""
MENU, STRAIGHT, NARROW, HASTY, TOGETHER, JUDGED, ORDERS = "900", "901", "903", "904", "905", "906", "920"
ROOM, ROOM_PIN = "700", "11"
GOOD, SLOW, BROKEN = "4711", "5555", "6666"
"""Orders: one of which all goes well, one that is found after a while, one whose script raises. There are no others."""
SLOW_S = 2.5
LOGGED_IN_S = 1.0
OVER_AFTER_S = 60.0


def on(of: str, seen: Seen, who: str, act: Act, value: str = "", *, nth: int = 1, after_s: float = 0.5) -> ScriptStep:
    """What `who` does when something has happened to `of`."""
    return ScriptStep(who=who, act=act, value=value, of=of, seen=seen, nth=nth, after_s=after_s)


def at(after_s: float, who: str, act: Act, value: str = "") -> ScriptStep:
    """What `who` does so long after the beginning."""
    return ScriptStep(who=who, act=act, value=value, after_s=after_s)


CALLS = at(0.1, CALLER, Act.CALL, MENU)
CALLS_STRAIGHT = at(0.1, CALLER, Act.CALL, STRAIGHT)
INTO_THE_QUEUE = (
    CALLS,
    on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "1"),
    on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "1", nth=2),
)
ANN_ANSWERS = on(ANN, Seen.RINGS, ANN, Act.ANSWER)
BOB_ANSWERS = on(BOB, Seen.RINGS, BOB, Act.ANSWER)
CALLER_LEAVES = on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=1.0)
ASKS_A_COLLEAGUE = (
    CALLS_STRAIGHT,
    ANN_ANSWERS,
    on(ANN, Seen.JOINED, ANN, Act.PRESS, "*2", after_s=1.0),
    on(ANN, Seen.QUESTION, ANN, Act.PRESS, "102#"),
)
ONE: Mapping[str, tuple[AgentId, PhoneId]] = {ANN: ANNS}
TWO: Mapping[str, tuple[AgentId, PhoneId]] = {ANN: ANNS, BOB: BOBS}


def script(
    name: str,
    agents: Mapping[str, tuple[AgentId, PhoneId]],
    *steps: ScriptStep,
    absent: frozenset[str] = frozenset(),
    withheld: frozenset[str] = frozenset(),
    leads: tuple[tuple[str, str], ...] = (),
) -> Script:
    """A story; arguments as the fields of `Script`."""
    return Script(name=name, agents=dict(agents), steps=steps, absent=absent, withheld=withheld, leads=leads)


INBOUND: tuple[Script, ...] = (
    script("agent ends the talk", ONE, *INTO_THE_QUEUE, ANN_ANSWERS, on(ANN, Seen.JOINED, ANN, Act.HANG_UP, after_s=1.0)),
    script(
        "caller ends the talk, agent gives a disposition",
        ONE,
        *INTO_THE_QUEUE,
        ANN_ANSWERS,
        CALLER_LEAVES,
        on(ANN, Seen.QUESTION, ANN, Act.PRESS, "1"),
    ),
    script("caller leaves in the menu", ONE, CALLS, on(CALLER, Seen.QUESTION, CALLER, Act.HANG_UP)),
    script(
        "caller leaves in the queue", {}, *INTO_THE_QUEUE, on(CALLER, Seen.QUESTION, CALLER, Act.HANG_UP, nth=2, after_s=3.0)
    ),
    script("caller leaves while the phone rings", ONE, CALLS_STRAIGHT, on(ANN, Seen.RINGS, CALLER, Act.HANG_UP, after_s=1.0)),
    script(
        "caller leaves in the instant of the answer",
        ONE,
        CALLS_STRAIGHT,
        on(ANN, Seen.RINGS, ANN, Act.ANSWER, after_s=1.0),
        on(ANN, Seen.RINGS, CALLER, Act.HANG_UP, after_s=1.0),
    ),
    script("agent does not answer, the next one does", TWO, CALLS_STRAIGHT, BOB_ANSWERS, CALLER_LEAVES),
    script(
        "agent declines, the next one answers",
        TWO,
        CALLS_STRAIGHT,
        on(ANN, Seen.RINGS, ANN, Act.DECLINE),
        BOB_ANSWERS,
        CALLER_LEAVES,
    ),
    script(
        "agent's phone says busy, the next one answers",
        TWO,
        at(0.0, ANN, Act.DO_NOT_DISTURB),
        CALLS_STRAIGHT,
        BOB_ANSWERS,
        CALLER_LEAVES,
    ),
    script(
        "agent's phone loses its contact while it rings",
        TWO,
        CALLS_STRAIGHT,
        on(ANN, Seen.RINGS, ANN, Act.UNREGISTER, after_s=0.2),
        BOB_ANSWERS,
        CALLER_LEAVES,
    ),
    script(
        "agent's line breaks, the next one goes on",
        TWO,
        CALLS_STRAIGHT,
        ANN_ANSWERS,
        on(ANN, Seen.JOINED, ANN, Act.LOSE_LINE, after_s=1.0),
        on(BOB, Seen.RINGS, BOB, Act.ANSWER, after_s=1.0),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, nth=2, after_s=1.0),
    ),
    script(
        "agent holds and comes back",
        ONE,
        CALLS_STRAIGHT,
        ANN_ANSWERS,
        on(ANN, Seen.JOINED, ANN, Act.HOLD, after_s=0.5),
        on(ANN, Seen.JOINED, ANN, Act.UNHOLD, after_s=1.5),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=2.5),
    ),
    script(
        "agent talks with a friend, nobody else is there",
        ONE,
        at(0.0, ANN, Act.OWN_CALL, FRIEND),
        at(1.0, CALLER, Act.CALL, STRAIGHT),
        at(3.0, CALLER, Act.HANG_UP),
        at(4.0, ANN, Act.HANG_UP),
    ),
    script(
        "agent goes not ready and comes back",
        ONE,
        at(0.1, ANN, Act.DIAL, "131"),
        on(ANN, Seen.ENDED, ANN, Act.DIAL, "14"),
    ),
    script(
        "agent logs in by the keypad and answers",
        ONE,
        at(0.1, ANN, Act.DIAL, "11"),
        on(ANN, Seen.QUESTION, ANN, Act.PRESS, "101#"),
        on(ANN, Seen.PIN, ANN, Act.PRESS, "9101#"),
        on(ANN, Seen.ENDED, CALLER, Act.CALL, STRAIGHT),
        on(ANN, Seen.RINGS, ANN, Act.ANSWER),
        CALLER_LEAVES,
        absent=frozenset({ANN}),
    ),
    script(
        "caller presses nothing, hides the number, and is answered",
        ONE,
        CALLS,
        ANN_ANSWERS,
        CALLER_LEAVES,
        withheld=frozenset({CALLER}),
    ),
    script(
        "two callers, one agent",
        ONE,
        CALLS_STRAIGHT,
        at(0.5, SECOND, Act.CALL, STRAIGHT),
        on(ANN, Seen.RINGS, ANN, Act.ANSWER, after_s=0.8),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=1.0),
        on(ANN, Seen.RINGS, ANN, Act.ANSWER, nth=2),
        on(SECOND, Seen.JOINED, SECOND, Act.HANG_UP, after_s=1.0),
    ),
    script(
        "one caller fills the queue, the next is refused",
        {},
        at(0.1, CALLER, Act.CALL, NARROW),
        at(1.0, SECOND, Act.CALL, NARROW),
        on(SECOND, Seen.ENDED, CALLER, Act.HANG_UP),
    ),
    script(
        "caller waits too long and goes to another queue",
        ONE,
        at(0.1, CALLER, Act.CALL, HASTY),
        ANN_ANSWERS,
        CALLER_LEAVES,
    ),
)
"""The dialplan joins whoever answers."""

JOINS: tuple[Script, ...] = (
    script(
        "two phones ring, the first to answer takes the call",
        TWO,
        at(0.1, CALLER, Act.CALL, TOGETHER),
        on(ANN, Seen.RINGS, ANN, Act.ANSWER, after_s=0.8),
        CALLER_LEAVES,
    ),
    script(
        "two phones ring, the caller leaves",
        TWO,
        at(0.1, CALLER, Act.CALL, TOGETHER),
        on(BOB, Seen.RINGS, CALLER, Act.HANG_UP, after_s=0.8),
    ),
    script(
        "agent on a headset takes two calls",
        ONE,
        at(0.1, ANN, Act.DIAL, "18"),
        on(ANN, Seen.QUESTION, ANN, Act.PRESS, "101#"),
        on(ANN, Seen.PIN, ANN, Act.PRESS, "9101#"),
        on(ANN, Seen.PIN, CALLER, Act.CALL, STRAIGHT, after_s=2.5),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=1.0),
        on(CALLER, Seen.ENDED, SECOND, Act.CALL, STRAIGHT, after_s=2.0),
        on(SECOND, Seen.JOINED, ANN, Act.PRESS, "*0", after_s=1.0),
        on(SECOND, Seen.ENDED, ANN, Act.HANG_UP, after_s=2.0),
        absent=frozenset({ANN}),
    ),
    script(
        "agent hands the call to a colleague by a key",
        TWO,
        CALLS_STRAIGHT,
        ANN_ANSWERS,
        on(ANN, Seen.JOINED, ANN, Act.PRESS, "*1", after_s=1.0),
        on(ANN, Seen.QUESTION, ANN, Act.PRESS, "102#"),
        BOB_ANSWERS,
        on(BOB, Seen.JOINED, CALLER, Act.HANG_UP, after_s=1.0),
    ),
    script(
        "agent asks a colleague and hands the call over",
        TWO,
        *ASKS_A_COLLEAGUE,
        BOB_ANSWERS,
        on(BOB, Seen.JOINED, ANN, Act.PRESS, "*1", after_s=1.0),
        on(BOB, Seen.JOINED, CALLER, Act.HANG_UP, nth=2, after_s=1.0),
    ),
    script(
        "agent asks a colleague and goes back",
        TWO,
        *ASKS_A_COLLEAGUE,
        BOB_ANSWERS,
        on(BOB, Seen.JOINED, ANN, Act.PRESS, "*9", after_s=1.0),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, nth=2, after_s=1.0),
    ),
    script(
        "agent asks a colleague who declines",
        TWO,
        *ASKS_A_COLLEAGUE,
        on(BOB, Seen.RINGS, BOB, Act.DECLINE),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, nth=2, after_s=1.0),
    ),
    script(
        "agent's phone transfers the call",
        TWO,
        CALLS_STRAIGHT,
        ANN_ANSWERS,
        on(ANN, Seen.JOINED, ANN, Act.REFER, "102", after_s=1.0),
        BOB_ANSWERS,
        on(BOB, Seen.JOINED, CALLER, Act.HANG_UP, after_s=1.0),
    ),
)
"""The daemon joins, parts and moves the legs."""

ASKED = at(0.1, CALLER, Act.CALL, ORDERS)
AFTER_THE_TALK = (
    at(0.1, CALLER, Act.CALL, JUDGED),
    ANN_ANSWERS,
    on(ANN, Seen.JOINED, ANN, Act.HANG_UP, after_s=1.0),
)
FLOWS: tuple[Script, ...] = (
    script("caller asks for an order by its digits", {}, ASKED, on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, GOOD)),
    script(
        "caller types too few digits, then the right ones",
        {},
        ASKED,
        on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "47#"),
        on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, GOOD, nth=2),
    ),
    script(
        "caller leaves in the middle of the digits",
        {},
        ASKED,
        on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "47"),
        on(CALLER, Seen.QUESTION, CALLER, Act.HANG_UP, after_s=1.5),
    ),
    script(
        "caller waits for an order that is found slowly",
        {},
        ASKED,
        on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, SLOW),
    ),
    script(
        "caller whose script fails is answered by an agent",
        ONE,
        ASKED,
        on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, BROKEN),
        ANN_ANSWERS,
        CALLER_LEAVES,
    ),
    script(
        "customer judges after the talk", ONE, *AFTER_THE_TALK, on(CALLER, Seen.QUESTION, CALLER, Act.PRESS, "5", after_s=1.0)
    ),
    script(
        "customer hangs up instead of judging",
        ONE,
        *AFTER_THE_TALK,
        on(CALLER, Seen.QUESTION, CALLER, Act.HANG_UP, after_s=1.0),
    ),
)
"""Callers who help themselves, and customers who are asked after the talk."""

BOB_LISTENS = (CALLS_STRAIGHT, ANN_ANSWERS, on(ANN, Seen.JOINED, BOB, Act.DIAL, "61101"))
CALLER_LEAVES_LATER = on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=6.0)
WATCHED: tuple[Script, ...] = (
    script(
        "supervisor listens, whispers, and goes",
        TWO,
        *BOB_LISTENS,
        on(ANN, Seen.JOINED, BOB, Act.PRESS, "5", after_s=3.0),
        on(ANN, Seen.JOINED, BOB, Act.HANG_UP, after_s=4.5),
        CALLER_LEAVES_LATER,
    ),
    script(
        "supervisor barges in and stays until the customer leaves",
        TWO,
        CALLS_STRAIGHT,
        ANN_ANSWERS,
        on(ANN, Seen.JOINED, BOB, Act.DIAL, "63101"),
        on(CALLER, Seen.JOINED, CALLER, Act.HANG_UP, after_s=4.0),
        on(CALLER, Seen.ENDED, BOB, Act.HANG_UP, after_s=2.0),
    ),
    script(
        "supervisor takes the customer over",
        TWO,
        *BOB_LISTENS,
        on(ANN, Seen.JOINED, BOB, Act.PRESS, "9", after_s=3.0),
        CALLER_LEAVES_LATER,
    ),
    script(
        "agent hangs up while a supervisor hears",
        TWO,
        *BOB_LISTENS,
        on(ANN, Seen.JOINED, ANN, Act.HANG_UP, after_s=3.0),
        on(ANN, Seen.ENDED, BOB, Act.HANG_UP, after_s=1.5),
    ),
    script(
        "agent goes into a room with a PIN and leaves",
        ONE,
        at(0.1, ANN, Act.DIAL, f"60{ROOM}"),
        on(ANN, Seen.PIN, ANN, Act.PRESS, f"{ROOM_PIN}#"),
        on(ANN, Seen.PIN, ANN, Act.HANG_UP, after_s=5.0),
    ),
    script(
        "agent, colleague and customer confer, the colleague leaves",
        TWO,
        *ASKS_A_COLLEAGUE,
        BOB_ANSWERS,
        on(BOB, Seen.JOINED, ANN, Act.PRESS, "*3", after_s=1.0),
        on(BOB, Seen.JOINED, BOB, Act.HANG_UP, nth=2, after_s=1.5),
        on(BOB, Seen.ENDED, CALLER, Act.HANG_UP, after_s=1.0),
    ),
)
"""Somebody hears a talk, or more than two talk."""

SCENARIOS = INBOUND + JOINS + FLOWS + WATCHED


def _found(parameters: Mapping[str, Value]) -> Answer:
    order = parameters["order"]
    if order not in (GOOD, SLOW, BROKEN):
        return Answer(end=LookUpEnd.MISSING)
    return Answer(end=LookUpEnd.FOUND, values={"status": "sent"}, after_s=SLOW_S if order == SLOW else 0.01)


def _ran(parameters: Mapping[str, Value]) -> ScriptRun:
    is_good = parameters["order"] != BROKEN
    return ScriptRun(end=VerbEnd.DONE if is_good else VerbEnd.FAILED, result="told" if is_good else "", after_s=0.5)


TOLD = Told(look_ups={LookUpId("orders"): _found}, scripts={"shop.tell": _ran})
"""The site's systems."""


def play(
    story: Script, seed: int, settings: Settings, *, prepare: Callable[[World, Cast], None] | None = None
) -> list[TraceLine]:
    """One run on the virtual PBX, with every step checked, from the start of the script on. `prepare`: whatever else must be there."""
    trace: list[TraceLine] = []

    def watch(world: World, event: Event, commands: list[Command]) -> None:
        verify(world, event, commands)
        now = world.now()
        if now.mono_s >= LOGGED_IN_S:
            step = TracedStep(seq=world.center.seq, mono_s=now.mono_s, utc_s=now.utc_s, event=event, commands=tuple(commands))
            trace.extend(unfold([step]))

    world = World(settings, seed=seed, pins=PINS, watch=watch, told=TOLD)
    cast = Cast(story, world.pbx, Random(f"{seed}/cast"))
    if prepare is not None:
        prepare(world, cast)
    world.start()
    present = [who for name, who in story.agents.items() if name not in story.absent]
    for number, (agent, phone) in enumerate(present):
        world.agenda.at(0.5 + 0.1 * number, world.post, LoginRequested(request=RequestId(number + 1), agent=agent, phone=phone))
    world.agenda.at(LOGGED_IN_S, cast.begin)
    world.run_until(LOGGED_IN_S + OVER_AFTER_S)
    return trace
