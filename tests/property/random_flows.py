"""Flows made of chance, of every kind of node, most of them as the check of the settings wants them.

A flow is a row of nodes. Ways lead on to later ones, so that most flows end by themselves; a question may also lead back, which is lawful
since it waits for somebody. After the row stand the ends. What cannot be reached is left out again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from random import Random

from hypothesis import strategies as st
from random_expressions import LITERALS, B, N, Pick, T, grown

from ccserver.core.checksums import LENGTHS, Checksum
from ccserver.core.expressions import Expression, Literal, Name, ValueType
from ccserver.core.ids import AgentId, FlowId, HoursId, Language, LookUpId, NodeId, PromptId, QueueId, RoomId, SkillId
from ccserver.core.ivr import as_shown
from ccserver.core.settings import (
    EVERYBODY,
    AgentNode,
    BranchNode,
    CallbackNode,
    CallNode,
    Case,
    CollectNode,
    ConferenceNode,
    ConsentNode,
    DoneNode,
    DoNotCallNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
    FlowExits,
    HangUpNode,
    HasSkill,
    HoursNode,
    LanguageChoiceNode,
    LanguageNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    SecretRule,
    SetNode,
    Spoken,
    SpokenKind,
    SurveyKind,
    SurveyNode,
)

MAIN, SUB, DEEPER = FlowId("main"), FlowId("sub"), FlowId("deeper")
PEOPLE, BYE = NodeId("people"), NodeId("bye")
QUEUES = (QueueId("sales"), QueueId("support"))
VARIABLES: Mapping[str, ValueType] = {"order": T, "who": T, "due": T, "amount": N, "tally": N, "is_known": B, "is_paid": B}
PARAMETERS, GIVES = ("order", "amount"), ("who", "tally")
"""Of every flow that others call."""
RESULTS = ("found", "gave_up")
ROOMS = (RoomId("open"), RoomId("locked"))
"""Conferences: into the second one gets with a PIN."""
KNOWN: Mapping[str, ValueType] = {
    "caller.number": T,
    "caller.is_vip": B,
    "call.language": T,
    "call.number": N,
    "now.hour": N,
    "now.weekday": T,
    "queue.sales.waiting": N,
    "queue.sales.staffed": N,
    "queue.support.expected_wait_s": N,
    "queue.support.is_open": B,
    "hours.office.is_open": B,
    "hours.office.is_holiday": B,
}
LOOK_UPS: Mapping[str, tuple[Mapping[str, ValueType], Mapping[str, ValueType]]] = {
    "orders": ({"order": T}, {"status": T, "total": N, "paid": B}),
    "customer": ({"number": T, "limit": N}, {"name": T, "city": T}),
    "pins": ({"customer": T}, {"pin_hash": T, "token": T}),
    "cards": ({"secret": T}, {"token": T}),
}
"""What each is given and gives."""
SCRIPTS = ("shop.quote", "shop.greet")
SCRIPT_VALUES: Mapping[str, ValueType] = {"total": N, "name": T, "good": B}

PROMPTS = (PromptId("hello"), PromptId("goodbye"))
ENGLISH, SPANISH = Language("en"), Language("es")
KEYS = ("1", "2", "3", "9", "0", "*", "#", "12", "21")
STAYING = (
    *("say", "menu", "collect", "secret", "branch", "hours", "look_up", "set", "call", "script", "survey") * 2,
    *("language", "choose_language", "message", "consent", "do_not_call"),
)
LEADING = ("enqueue", "callback", "agent", "number", "message", "return", "extension", "conference", "hang_up")
"""Kinds of nodes: with which the caller stays in the flow, and which lead out of it."""
PIECES: Sequence[tuple[SpokenKind, ValueType]] = (
    (SpokenKind.DIGITS, T),
    (SpokenKind.NUMBER, N),
    (SpokenKind.MONEY, N),
    (SpokenKind.DATE, T),
    (SpokenKind.TIME, T),
    (SpokenKind.DURATION, N),
    (SpokenKind.TEXT, T),
    (SpokenKind.SPELLED, T),
)


class _Author:
    """Writes one flow. `subs` are the flows that it may call."""

    def __init__(self, chance: Random, size: int, subs: Sequence[FlowId], *, is_sub: bool) -> None:
        self.chance = chance
        self.pick: Pick = chance.choice
        self.subs = subs
        self.is_sub = is_sub
        goodbye = Spoken(SpokenKind.PROMPT, "goodbye")
        self.ends: dict[NodeId, Node] = {PEOPLE: EnqueueNode(queue=QUEUES[0]), BYE: HangUpNode(say=(goodbye,))}
        if is_sub:
            self.ends |= {NodeId(f"done-{result}"): DoneNode(result=result) for result in RESULTS}
        self.row = [NodeId(f"n{number}") for number in range(size)]
        self.exits = FlowExits(
            no_input=self.end(),
            invalid=self.end(),
            failure=self.end(),
            operator=PEOPLE if self.luck(0.9) else None,
            operator_key=self.pick("009*"),
        )
        self.place = 0
        self._kinds: Mapping[str, Callable[[], Node]] = {
            "say": lambda: SayNode(say=self.speech(), next=self.on(), can_interrupt=self.luck()),
            "menu": self._menu,
            "collect": self._collect,
            "secret": self._secret,
            "choose_language": lambda: LanguageChoiceNode(
                choices={"1": ENGLISH, "2": SPANISH}, next=self.on(), timeout_s=2.0, tries=self.pick((1, 2))
            ),
            "language": lambda: LanguageNode(language=self.pick((ENGLISH, SPANISH)), next=self.on()),
            "branch": lambda: BranchNode(
                cases=tuple(Case(self.expression(B), self.on()) for _ in range(self.pick((1, 2, 3)))), otherwise=self.on()
            ),
            "hours": self._hours,
            "look_up": self._look_up,
            "set": self._set,
            "call": self._call,
            "script": self._script,
            "survey": lambda: SurveyNode(
                kind=self.pick(tuple(SurveyKind)), say=self.speech(), next=self.on(), tries=self.pick((1, 2))
            ),
            "consent": lambda: ConsentNode(
                say=self.speech(),
                next=self.on(),
                asks=self.luck(),
                on_refused=self.on() if self.luck() else None,
                timeout_s=2.0,
                tries=self.pick((1, 2)),
            ),
            "do_not_call": lambda: DoNotCallNode(
                next=self.on(),
                campaign=self.expression(T) if self.luck() else None,
                say=self.silence_or_speech(),
                on_failure=self.way(self.exits.failure),
            ),
            "message": lambda: MessageNode(
                queue=self.pick(QUEUES),
                say=self.silence_or_speech(),
                max_s=20.0,
                next=self.on() if self.luck() else None,
            ),
            "enqueue": lambda: EnqueueNode(queue=self.pick(QUEUES)),
            "callback": lambda: CallbackNode(queue=QUEUES[0]),
            "agent": lambda: AgentNode(agent=AgentId("101"), on_no_answer=self.on() if self.luck() else None),
            "number": lambda: NumberNode(number="+34910000009", on_failure=self.way(self.exits.failure)),
            "return": lambda: ReturnNode(result=PromptId("goodbye")),
            "extension": lambda: ExtensionNode(extension="2000", say=self.silence_or_speech()),
            "conference": lambda: ConferenceNode(conference=self.pick(ROOMS)),
            "hang_up": lambda: HangUpNode(say=self.silence_or_speech()),
        }

    def write(self) -> Flow:
        nodes: dict[NodeId, Node] = {}
        for place, name in enumerate(self.row):
            self.place = place
            is_late = place + 1 > len(self.row) / 2
            nodes[name] = self._kinds[self.pick(LEADING if is_late and self.luck(0.3) else STAYING)]()
        flow = Flow(
            start=self.row[0],
            nodes=nodes | self.ends,
            variables=VARIABLES,
            parameters=PARAMETERS if self.is_sub else (),
            gives=GIVES if self.is_sub else (),
            exits=self.exits,
        )
        return _pruned(flow)

    def luck(self, ratio: float = 0.5) -> bool:
        return self.chance.random() < ratio

    # --- ways ---------------------------------------------------------------------------------------------------------
    def end(self) -> NodeId | None:
        return self.pick(list(self.ends)) if self.luck(0.75) else None

    def on(self) -> NodeId:
        """The next node mostly, else one soon after it, or an end."""
        later = [*self.row[self.place + 1 :], *self.ends]
        if self.luck(0.7):
            return later[0]
        return self.pick(list(self.ends)) if self.luck(0.15) else self.pick(later[:4])

    def anywhere(self) -> NodeId:
        """Also back, from what waits for somebody."""
        return self.pick(self.row) if self.luck(0.3) else self.on()

    def way(self, exit_: NodeId | None) -> NodeId | None:
        """A way of its own; or none, where the flow's exits have one."""
        return None if exit_ is not None and self.luck() else self.on()

    # --- values and speech --------------------------------------------------------------------------------------------
    def leaf(self, of: ValueType) -> Expression:
        names = [Name(name) for name, has in (*VARIABLES.items(), *KNOWN.items()) if has is of]
        leaf: Expression = self.pick(names) if self.luck(0.6) else self.pick(LITERALS[of])
        return leaf

    def expression(self, of: ValueType) -> Expression:
        return grown(of, self.pick, self.leaf, 2)

    def values(self, of: Mapping[str, ValueType]) -> dict[str, Expression]:
        return {name: self.expression(type_) for name, type_ in of.items()}

    def into(self, given: Mapping[str, ValueType]) -> dict[str, str]:
        """Variables that take some of what is given, each of its type."""
        taken: dict[str, str] = {}
        for name, type_ in given.items():
            fitting = [variable for variable, has in VARIABLES.items() if has is type_ and variable not in taken]
            if fitting and self.luck():
                taken[self.pick(fitting)] = name
        return taken

    def speech(self) -> tuple[Spoken, ...]:
        return tuple(self._piece() for _ in range(self.pick((1, 1, 2))))

    def silence_or_speech(self) -> tuple[Spoken, ...]:
        return self.speech() if self.luck() else ()

    def _piece(self) -> Spoken:
        language = self.pick((None, None, None, ENGLISH, SPANISH))
        plain = (
            Spoken(SpokenKind.PROMPT, self.pick(PROMPTS), language=language),
            Spoken(SpokenKind.EXPECTED_WAIT, self.pick(QUEUES), language=language),
            Spoken(SpokenKind.CALL_NUMBER, "", language=language),
            Spoken(SpokenKind.DIGITS, "0123", language=language),
        )
        if self.luck(0.6):
            return plain[0] if self.luck(0.7) else self.pick(plain)
        kind, of = self.pick(PIECES)
        value = self.expression(of)
        if kind is SpokenKind.NUMBER and isinstance(value, Literal):
            return Spoken(kind, as_shown(value.value), language=language)
        return Spoken(kind, "EUR" if kind is SpokenKind.MONEY else "", value, language)

    # --- nodes --------------------------------------------------------------------------------------------------------
    def _menu(self) -> Node:
        return MenuNode(
            say=self.speech(),
            choices={key: self.anywhere() for key in self.chance.sample(KEYS, self.pick((1, 2, 4)))},
            timeout_s=self.pick((0.5, 3.0)),
            tries=self.pick((1, 2, 3)),
            on_no_input=self.way(self.exits.no_input),
            on_invalid=self.way(self.exits.invalid),
            say_no_input=self.silence_or_speech(),
            say_invalid=self.silence_or_speech(),
            can_interrupt=self.luck(),
        )

    def _collect(self) -> Node:
        checksum = self.pick((None, None, *Checksum))
        length = LENGTHS.get(checksum) if checksum is not None else None
        shortest = length or self.pick((2, 3) if checksum is not None else (1, 2, 4))
        return CollectNode(
            say=self.speech(),
            into=self.pick(("order", "who")),
            next=self.anywhere(),
            min_digits=shortest,
            max_digits=length or shortest + self.pick((0, 3)),
            terminator="#" if self.exits.operator_key == "*" else self.pick("##*"),
            checksum=checksum,
            confirm=self.luck(0.3),
            timeout_s=2.0,
            next_timeout_s=1.0,
            tries=self.pick((1, 2, 3)),
            on_no_input=self.way(self.exits.no_input),
            on_invalid=self.way(self.exits.invalid),
            say_no_input=self.silence_or_speech(),
            say_invalid=self.silence_or_speech(),
            can_interrupt=self.luck(),
        )

    def _secret(self) -> Node:
        is_hashed = self.luck()
        rule = SecretRule(
            look_up=LookUpId("pins" if is_hashed else "cards"),
            parameters=self.values({"customer": T}) if is_hashed else {},
            hash_field="pin_hash" if is_hashed else "",
            token_field="token" if self.luck() else "",
        )
        return SecretNode(
            say=self.speech(),
            check=rule,
            next=self.anywhere(),
            into="who" if rule.token_field else None,
            max_digits=self.pick((1, 4, 6)),
            timeout_s=2.0,
            tries=self.pick((1, 2, 3)),
            on_no_input=self.way(self.exits.no_input),
            on_invalid=self.way(self.exits.invalid),
            on_failure=self.way(self.exits.failure),
            say_invalid=self.silence_or_speech(),
        )

    def _hours(self) -> Node:
        hours, queue = self.pick(((HoursId("office"), None), (HoursId("never"), None), (None, QUEUES[1]), (None, None)))
        on_holiday = self.on() if self.luck() else None
        return HoursNode(hours=hours, queue=queue, on_open=self.on(), on_closed=self.on(), on_holiday=on_holiday)

    def _look_up(self) -> Node:
        name = self.pick(("orders", "customer"))
        given, gives = LOOK_UPS[name]
        return LookUpNode(
            look_up=LookUpId(name),
            parameters=self.values(given),
            into=self.into(gives),
            on_found=self.on(),
            on_missing=self.on() if self.luck() else None,
            on_failure=self.way(self.exits.failure),
        )

    def _set(self) -> Node:
        named = self.chance.sample(list(VARIABLES), self.pick((0, 1, 3)))
        return SetNode(
            next=self.on(),
            requires=HasSkill(SkillId("spanish"), 20) if self.luck(0.3) else EVERYBODY,
            priority=self.pick((None, 0, 10)),
            variables=self.values({name: VARIABLES[name] for name in named}),
            data=self.values({"order": self.pick(tuple(ValueType))}),
            serves=self.luck(0.3),
        )

    def _call(self) -> Node:
        if not self.subs:
            return self._hours()
        return CallNode(
            flow=self.pick(self.subs),
            on={result: self.on() for result in RESULTS},
            parameters=self.values({name: VARIABLES[name] for name in PARAMETERS}),
            into=self.into({name: VARIABLES[name] for name in GIVES}),
        )

    def _script(self) -> Node:
        return ScriptNode(
            script=self.pick(SCRIPTS),
            next=self.anywhere(),
            parameters=self.values({"order": T, "amount": N}),
            into=self.into(SCRIPT_VALUES),
            on={word: self.anywhere() for word in self.chance.sample(("paid", "open"), self.pick((0, 1, 2)))},
            on_failure=self.way(self.exits.failure),
            time_limit_s=self.pick((1.0, 12.0)),
        )


def flows(seed: int, size: int) -> Mapping[FlowId, Flow]:
    """A main flow of up to `size` nodes and the ends, and those that it calls. The same numbers give the same flows."""
    chance = Random(f"{seed}/flows")
    deeper = _Author(chance, min(size, 3), (), is_sub=True).write()
    sub = _Author(chance, min(size, 6), (DEEPER,), is_sub=True).write()
    main = _Author(chance, size, (SUB, DEEPER), is_sub=False).write()
    made, kept = {MAIN: main, SUB: sub, DEEPER: deeper}, {MAIN: main}
    waiting = [MAIN]
    for name in waiting:
        for node in made[name].nodes.values():
            if isinstance(node, CallNode) and node.flow not in kept:
                kept[node.flow] = made[node.flow]
                waiting.append(node.flow)
    # A call names the results that the flow has, and no others.
    return {name: _with_results(flow, kept) for name, flow in kept.items()}


FLOWS = st.builds(flows, st.integers(0, 2**32), st.integers(1, 10))


def _with_results(flow: Flow, others: Mapping[FlowId, Flow]) -> Flow:
    nodes = dict(flow.nodes)
    for name, node in flow.nodes.items():
        if isinstance(node, CallNode):
            results = {done.result for done in others[node.flow].nodes.values() if isinstance(done, DoneNode)}
            nodes[name] = replace(node, on={result: to for result, to in node.on.items() if result in results})
    return _pruned(replace(flow, nodes=nodes))


def _pruned(flow: Flow) -> Flow:
    """Without nodes that no way leads to, and ways of the flow that no node takes."""
    reached, waiting = {flow.start: None}, [flow.start]
    for name in waiting:
        node = flow.nodes[name]
        for other in [*_names(node, flow.nodes), *_left_to(node, flow.exits)]:
            if other not in reached:
                reached[other] = None
                waiting.append(other)
    exits = {each.name: getattr(flow.exits, each.name) for each in fields(FlowExits)}
    kept = {name: to for name, to in exits.items() if name == "operator_key" or to in reached}
    nodes = {name: node for name, node in flow.nodes.items() if name in reached}
    return replace(flow, nodes=nodes, exits=FlowExits(**kept))


def _left_to(node: Node, exits: FlowExits) -> list[NodeId]:
    """Where the node lets the flow decide."""
    ways = {"on_no_input": exits.no_input, "on_invalid": exits.invalid, "on_failure": exits.failure}
    found = [to for name, to in ways.items() if getattr(node, name, BYE) is None]
    found += [exits.operator] if isinstance(node, MenuNode | CollectNode | SecretNode) else []
    return [to for to in found if to is not None]


def _names(value: object, nodes: Mapping[NodeId, Node]) -> list[NodeId]:
    """The names of nodes in a node: no other text of a flow looks like one."""
    if isinstance(value, str):
        return [NodeId(value)] if value in nodes else []
    if isinstance(value, Mapping):
        return [name for each in value.values() for name in _names(each, nodes)]
    if isinstance(value, tuple):
        return [name for each in value for name in _names(each, nodes)]
    if is_dataclass(value):
        return [name for each in fields(value) for name in _names(getattr(value, each.name), nodes)]
    return []
