"""A caller hangs up in each kind of node, at each stage that the node has: the call is over at once and on record where it ended, and
all others are free again. That no channel, bridge, repair or fault is left is looked at after each."""

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

import pytest
from conftest import AGI_PORT
from harness.calls import call, carrier, heard
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Center, Site, password_of, write_prompts
from harness.keypad import KEYPAD_PROMPT_MS, write_tones
from harness.ledger import Ledger
from harness.passages import newest, walked
from harness.waiting import until

from ccserver.agi.secrets import hash_pin
from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core import settings
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

TONES = {
    "ask": 700,
    "cc-collect-correct": 760,
    "cc-language-choice": 910,
    "cc-callback-confirm": 970,
    "cc-callback-enter": 1090,
    "cc-conference-pin": 1150,
    "cc-conference-enter": 1210,
    "cc-goodbye": 1270,
    "cc-message-leave": 1330,
}
LONG_HZ, LONG_MS = 2500, 6000
SILENT_PORT = 9422
AGENT, EXTENSION, OUTSIDE, ROOM_PIN = "104", "1005", "+34911555666", "4711"
SCRIPTS = """
    import time

    def speaks(agi, call):
        agi.stream_file("long")

    def thinks(agi, call):
        agi.execute("SET MUSIC ON")
        time.sleep(3)
"""
Node = dict[str, Any]


@dataclass
class Visit:
    """A caller in a node, and the phone of whoever the node calls."""

    center: Center
    caller: Phone
    ear: Path
    other: Phone | None

    async def hears(self, prompt: str, times: int = 1) -> None:
        """To the end of the prompt's tone, said so often."""
        await heard(self.ear, TONES[prompt], round(times * KEYPAD_PROMPT_MS * 0.9))

    async def hears_music(self) -> None:
        await heard(self.ear, MUSIC_HZ, 300)

    async def talks(self) -> None:
        await self.rings()
        await self.far.answer()
        await heard(self.ear, AGENT_HZ, 300)

    async def rings(self) -> None:
        await self.far.wait("incoming")

    @property
    def far(self) -> Phone:
        assert self.other is not None
        return self.other


Stage = Callable[[Visit], Awaitable[None]]


async def in_the_words(visit: Visit) -> None:
    await heard(visit.ear, LONG_HZ, 300)


def asked(prompt: str = "ask") -> Stage:
    """The question is out, and the key is waited for."""

    async def stage(visit: Visit) -> None:
        await visit.hears(prompt)

    return stage


def typed(digits: str, prompt: str = "ask") -> Stage:
    async def stage(visit: Visit) -> None:
        await visit.hears(prompt)
        await visit.caller.dtmf(digits)

    return stage


async def asked_again(visit: Visit) -> None:
    await typed("9")(visit)
    await visit.hears("ask", 2)


async def read_back(visit: Visit) -> None:
    await typed("4711")(visit)
    await visit.hears("cc-collect-correct")


async def checked(visit: Visit) -> None:
    await typed("4711")(visit)
    await visit.hears_music()


async def in_the_music(visit: Visit) -> None:
    await visit.hears_music()


async def spoken(visit: Visit) -> None:
    """A message of some length."""

    def recorded() -> bool:
        files = visit.center.site.shared.joinpath("rec").glob("message-*.wav")
        return any(audio.total_ms(audio.heard(file, [CALLER_HZ])[CALLER_HZ]) >= 1000 for file in files)

    await visit.hears("cc-message-leave")
    await until(recorded, what="a message")


async def ringing(visit: Visit) -> None:
    await visit.rings()


async def talking(visit: Visit) -> None:
    await visit.talks()


async def inside(visit: Visit) -> None:
    await typed(f"{ROOM_PIN}#", "cc-conference-pin")(visit)
    await visit.hears("cc-conference-enter")


async def judging(visit: Visit) -> None:
    """The agent leaves after the talk, and the caller is asked how it was."""
    await visit.talks()
    await visit.far.hangup()
    await visit.hears("ask")


Ended = tuple[str, str, str]
"""What is on record: how the call ended, who ended it for the center, and how its passage through the flow ended."""
IN_MENU: Ended = ("left_in_menu", "customer", "gave_up")
QUEUED: Ended = ("abandoned", "customer", "to_people")


@dataclass(frozen=True, kw_only=True)
class Case:
    """`node` is the one named `here`; `other` the phone that it rings."""

    kind: type
    node: Node
    stages: Mapping[str, tuple[Stage, Ended]]
    other: str = ""


def case(kind: type, node: Node, other: str = "", ended: Ended = IN_MENU, **stages: Stage | tuple[Stage, Ended]) -> Case:
    """A stage without an end of its own has `ended`."""
    whole = {name: stage if isinstance(stage, tuple) else (stage, ended) for name, stage in stages.items()}
    return Case(kind=kind, node=node, other=other, stages=whole)


ASKS = {"timeout_s": 5, "tries": 3}
NEXT = {"next": "people"}
COLLECT = {"collect": "ask", "into": "said", "digits": "4", **ASKS, **NEXT}
SECRET = {"secret": "ask", "into": "said", "max_digits": 4, **ASKS, **NEXT, "check": {"look_up": "silent", "token": "token"}}
TALKED: Ended = ("answered", "customer", "to_people")
CASES = {
    "say": case(settings.SayNode, {"say": "long", **NEXT}, words=in_the_words),
    "menu": case(
        settings.MenuNode,
        {"menu": ["ask"], "choices": {"1": "people"}, **ASKS},
        waits=asked(),
        again=asked_again,
    ),
    "long-menu": case(settings.MenuNode, {"menu": ["long"], "choices": {"1": "people"}, **ASKS}, words=in_the_words),
    "collect": case(settings.CollectNode, COLLECT, waits=asked(), types=typed("47")),
    "collect-confirmed": case(settings.CollectNode, {**COLLECT, "confirm": True}, confirms=read_back),
    "secret": case(settings.SecretNode, SECRET, waits=asked(), types=typed("47"), is_checked=checked),
    "consent": case(settings.ConsentNode, {"consent": "ask", "say": "ask", **NEXT, "on_refused": "people"}, waits=asked()),
    "announcement": case(settings.ConsentNode, {"consent": "announce", "say": "long", **NEXT}, words=in_the_words),
    "language": case(
        settings.LanguageChoiceNode,
        {"choose_language": {"1": "en", "2": "es"}, **NEXT},
        waits=asked("cc-language-choice"),
    ),
    "look-up": case(
        settings.LookUpNode, {"look_up": "silent", "with": {"secret": "'1'"}, "on_found": "people"}, waits=in_the_music
    ),
    "script": case(settings.ScriptNode, {"script": "calls.speaks", **NEXT}, words=in_the_words),
    "thinking-script": case(settings.ScriptNode, {"script": "calls.thinks", **NEXT}, thinks=in_the_music),
    "do-not-call": case(settings.DoNotCallNode, {"do_not_call": True, "say": "long", **NEXT}, words=in_the_words),
    "message": case(
        settings.MessageNode,
        {"message": "sales", "max_s": 30},
        ended=("left_message", "customer", "to_people"),
        words=asked("cc-message-leave"),
        speaks=spoken,
    ),
    "enqueue": case(settings.EnqueueNode, {"enqueue": "sales"}, ended=QUEUED, waits=in_the_music),
    "callback": case(
        settings.CallbackNode,
        {"callback": "sales"},
        ended=QUEUED,
        waits=asked("cc-callback-confirm"),
        types=typed("2", "cc-callback-confirm"),
    ),
    "agent": case(
        settings.AgentNode,
        {"agent": AGENT, "on_no_answer": "people"},
        other=AGENT,
        rings=(ringing, QUEUED),
        talks=(talking, TALKED),
    ),
    "number": case(
        settings.NumberNode,
        {"number": OUTSIDE, "on_failure": "people"},
        other=OUTSIDE,
        ended=("overflowed", "customer", "to_people"),
        rings=ringing,
        talks=talking,
    ),
    "extension": case(
        settings.ExtensionNode,
        {"extension": EXTENSION},
        other=EXTENSION,
        ended=("overflowed", "system", "to_people"),
        rings=ringing,
        talks=talking,
    ),
    "conference": case(
        settings.ConferenceNode,
        {"conference": "monday"},
        waits=asked("cc-conference-pin"),
        types=typed("47", "cc-conference-pin"),
        inside=(inside, ("conference", "system", "to_people")),
    ),
    "survey": case(
        settings.SurveyNode, {"enqueue": "judged"}, other=AGENT, ended=("answered", "agent", "to_people"), judges=judging
    ),
    "goodbye": case(
        settings.HangUpNode, {"hang_up": True, "say": "long"}, words=(in_the_words, ("refused", "customer", "ended"))
    ),
}
AT_ONCE = {
    settings.LanguageNode,
    settings.BranchNode,
    settings.HoursNode,
    settings.SetNode,
    settings.CallNode,
    settings.DoneNode,
    settings.ReturnNode,
}
"""Nobody can hang up in these: they are gone through in the same step as the node before."""


def test_every_kind_of_node_is_tried_or_takes_no_time() -> None:
    assert {each.kind for each in CASES.values()} | AT_ONCE == set(get_args(settings.Node))
    assert not AT_ONCE & {each.kind for each in CASES.values()}


def did(name: str) -> str:
    return str(930 + list(CASES).index(name))


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    for language in ("en", "es"):
        write_tones(shared_directory, TONES, language)
        audio.write_tone(shared_directory / "prompts" / language / "long.wav", LONG_HZ, LONG_MS)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A flow for each case. Nobody is there but who a node rings; `people` lead to a queue in which nobody is needed."""
    callback = {"offer_after_s": 600, "retry_after_s": 60, "keeps_s": 600, "tries": 1}
    judged = {"skills": [], "members": [AGENT], "survey": "after_call", "ring_timeout_s": 8}
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"callback": callback}, "judged": judged},
    )
    scripts = made.directory / "scripts"
    scripts.mkdir(parents=True, mode=0o755)
    (scripts / "calls.py").write_text(dedent(SCRIPTS))
    (scripts / "calls.py").chmod(0o644)
    whole = made.settings()
    words = {"en": "a tone", "es": "un tono"}
    exits = dict.fromkeys(("no_input", "invalid", "operator", "failure"), "people")
    flows = {
        name: {
            "start": "here",
            "variables": {"said": "text"},
            "exits": {**exits, "operator_key": "*"},
            "nodes": {"here": each.node, "people": {"enqueue": "support"}},
        }
        for name, each in CASES.items()
    }
    made.more = {
        "scripts_dir": str(scripts),
        "flows": {
            **whole["flows"],
            **flows,
            "after_call": {
                "start": "how",
                "nodes": {"how": {"survey": "csat", "say": "ask", "next": "bye"}, "bye": {"hang_up": True}},
            },
        },
        "dids": {**whole["dids"], **{did(name): {"flow": name, "language": "en"} for name in CASES}},
        "prompts": {**whole["prompts"], "ask": words, "long": words},
        "conferences": {"monday": {"number": "700", "pin_hash": hash_pin(ROOM_PIN)}},
        "direct_calls": {
            "max_wait_s": 20,
            "ring_timeout_s": 8,
            "wrap_up_s": 1,
            "on_max_wait": {"hang_up": True},
            "music": "cc-wait",
        },
        "look_ups": {
            "silent": {
                "http": f"http://127.0.0.1:{SILENT_PORT}/",
                "method": "post",
                "timeout_s": 6,
                "tries": 1,
                "parameters": {"secret": "text"},
                "gives": {"token": "text"},
            }
        },
    }
    return made


@pytest.fixture(scope="module", autouse=True)
def silent_server(center: Center) -> Iterator[None]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", SILENT_PORT), backlog=64):
        yield


async def other_phone(center: Center, desk: PhoneProcess, who: str) -> Phone | None:
    """Of whoever a node rings, who does not pick up by itself; it sounds as an agent does."""
    match who:
        case "":
            return None
        case _ if who == OUTSIDE:
            return await carrier(desk, tone_hz=AGENT_HZ)
        case _ if who == AGENT:
            return await center.agent(desk, AGENT, tone_hz=AGENT_HZ)
        case _:
            return await desk.phone(who, password=password_of(who), tone_hz=AGENT_HZ)


async def over(center: Center) -> None:
    """Waits until no call is live. A message that was left waits for an agent: nobody is to hear it here."""

    async def look() -> bool:
        for queue in (await center.overview())["queues"]:
            for each in queue["waiting"]:
                if each["kind"] == "message":
                    await center.ask("call.hangup", interaction=each["number"])
        facts = await center.ask("status")
        return not facts["overview"]["calls"] and facts["database"]["backlog"] == 0

    await until(look, what="a center without live calls")


@pytest.mark.parametrize(
    ("name", "stage"),
    [pytest.param(name, stage, id=f"{name}-{stage}") for name, each in CASES.items() for stage in each.stages],
)
async def test_who_hangs_up_is_gone_and_nobody_else_is(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path, *, name: str, stage: str
) -> None:
    reached, ended = CASES[name].stages[stage]
    other = await other_phone(center, desk, CASES[name].other)
    before, ear = newest(center), tmp_path / "ear.wav"
    caller = await call(center, phones, did(name), record=str(ear))
    await reached(Visit(center, caller, ear, other))
    await caller.hangup()
    await over(center)
    row = books.calls()[0]
    end, ((node, _), *_) = walked(center, before)[0]
    assert ((row["outcome"], row["ended_by"], end), node) == (ended, "here")
    if CASES[name].other == AGENT:
        await center.agent_is(AGENT, "ready")
