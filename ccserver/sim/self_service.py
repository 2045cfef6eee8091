"""Flows of the full sample that help callers themselves, with every kind of node; and what they ask and run.

A caller chooses a language, is looked for by number, and then asks for an order, a balance behind a secret, a quote by a script; or
for people in each of the ways there are. After a talk the customer is asked to judge it.
"""

from collections.abc import Mapping

from ccserver.core.checksums import Checksum
from ccserver.core.expressions import Both, Compare, Comparison, Expression, Literal, Name, ValueType
from ccserver.core.ids import AgentId, FlowId, HoursId, Language, LookUpId, NodeId, PromptId
from ccserver.core.settings import (
    AgentNode,
    BranchNode,
    CallbackNode,
    CallNode,
    Case,
    CollectNode,
    DoneNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
    FlowExits,
    HangUpNode,
    HoursNode,
    LanguageChoiceNode,
    LanguageNode,
    LookUpNode,
    LookUpShape,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    OpeningHours,
    RecordablePrompt,
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
from ccserver.sim.sample import ENGLISH, SALES, SPANISH, SUPPORT

SELF_SERVICE, IDENTIFY, AFTER_CALL = FlowId("self_service"), FlowId("identify"), FlowId("after_call")
OFFICE = HoursId("office")
T, N, B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
VARIABLES: Mapping[str, ValueType] = {
    "order": T,
    "status": T,
    "due": T,
    "amount": N,
    "token": T,
    "customer": T,
    "number": T,
    "is_known": B,
}
LOOK_UPS: Mapping[LookUpId, LookUpShape] = {
    LookUpId("orders"): LookUpShape(parameters={"order": T}, gives={"status": T, "amount": N, "due": T}, longest_s=4.0),
    LookUpId("customers"): LookUpShape(parameters={"number": T}, gives={"name": T, "good": B}, longest_s=8.0),
    LookUpId("pins"): LookUpShape(parameters={"customer": T}, gives={"hash": T, "token": T}, longest_s=2.0),
}
RECORDABLE_PROMPTS: Mapping[str, RecordablePrompt] = {"1": RecordablePrompt(prompt=PromptId("greeting"), language=ENGLISH)}
HOURS: Mapping[HoursId, OpeningHours] = {OFFICE: OpeningHours(timezone="UTC", week=(((0, 1440),),) * 7, code="1")}


def _node(name: str) -> NodeId:
    return NodeId(name)


def _nodes(nodes: Mapping[str, Node]) -> Mapping[NodeId, Node]:
    return {NodeId(name): node for name, node in nodes.items()}


def _said(*pieces: str | Spoken) -> tuple[Spoken, ...]:
    return tuple(Spoken(SpokenKind.PROMPT, piece) if isinstance(piece, str) else piece for piece in pieces)


def _value(kind: SpokenKind, of: str, beside: str = "", language: Language | None = None) -> Spoken:
    return Spoken(kind, beside, Name(of), language)


def _more(of: str, than: float) -> Expression:
    return Compare(Comparison.MORE, Name(of), Literal(than))


def flows(agent: AgentId, outside: str) -> Mapping[FlowId, Flow]:
    """`agent` is who is called directly, `outside` the number that is."""
    return {SELF_SERVICE: _self_service(agent, outside), IDENTIFY: _identify(), AFTER_CALL: _after_call()}


def _self_service(agent: AgentId, outside: str) -> Flow:
    menu, people, bye = _node("menu"), _node("people"), _node("bye")
    choices = ("order", "balance", "quote", "callback", "message", "outside", "clerk", "direct", "rating")
    nodes: dict[str, Node] = {
        "language": LanguageChoiceNode(choices={"1": ENGLISH, "2": SPANISH}, next=_node("hours")),
        "hours": HoursNode(hours=OFFICE, on_open=_node("hello"), on_closed=_node("message")),
        "hello": SayNode(
            say=_said(
                "greeting",
                Spoken(SpokenKind.EXPECTED_WAIT, SALES),
                Spoken(SpokenKind.CALL_NUMBER, ""),
                _value(SpokenKind.TIME, "now.time"),
            ),
            next=_node("identify"),
        ),
        "identify": CallNode(
            flow=IDENTIFY,
            parameters={"number": Name("caller.number")},
            into={"customer": "customer", "is_known": "is_known"},
            on={"known": menu, "unknown": menu, "gave_up": people},
        ),
        "menu": MenuNode(
            say=_said("self-service-menu"),
            choices={str(number): _node(name) for number, name in enumerate(choices, 1)},
            timeout_s=4.0,
            tries=2,
            say_invalid=_said("no-such-choice"),
        ),
        "order": CollectNode(
            say=_said("which-order"),
            into="order",
            next=_node("find"),
            min_digits=6,
            max_digits=6,
            checksum=Checksum.LUHN,
            confirm=True,
        ),
        "find": LookUpNode(
            look_up=LookUpId("orders"),
            parameters={"order": Name("order")},
            into={"status": "status", "amount": "amount", "due": "due"},
            on_found=_node("tell"),
            on_missing=_node("missing"),
        ),
        "missing": SayNode(say=_said("no-such-order", _value(SpokenKind.DIGITS, "order")), next=menu),
        "tell": SayNode(
            say=_said(
                _value(SpokenKind.TEXT, "status"),
                _value(SpokenKind.MONEY, "amount", "EUR"),
                _value(SpokenKind.DATE, "due"),
                _value(SpokenKind.NUMBER, "amount", language=SPANISH),
                _value(SpokenKind.DURATION, "queue.sales.expected_wait_s"),
                _value(SpokenKind.SPELLED, "order"),
            ),
            next=_node("dear"),
        ),
        "dear": BranchNode(
            cases=(Case(Both((_more("amount", 250.0), _more("queue.sales.staffed", 0.0))), _node("urgent")),),
            otherwise=_node("served"),
        ),
        "urgent": SetNode(
            priority=8,
            variables={"status": Literal("urgent")},
            data={"order": Name("order"), "status": Name("status")},
            next=people,
        ),
        "served": SetNode(serves=True, next=bye),
        "balance": SecretNode(
            say=_said("your-pin"),
            check=SecretRule(
                look_up=LookUpId("pins"), parameters={"customer": Name("customer")}, hash_field="hash", token_field="token"
            ),
            into="token",
            max_digits=4,
            next=_node("tell_balance"),
        ),
        "tell_balance": SayNode(say=_said(_value(SpokenKind.DIGITS, "token")), next=_node("served")),
        "quote": ScriptNode(
            script="shop.quote",
            parameters={"customer": Name("customer"), "is_known": Name("is_known")},
            into={"amount": "total"},
            on={"sent": _node("served"), "again": menu},
            next=people,
            time_limit_s=12.0,
        ),
        "callback": CallbackNode(queue=SALES),
        "message": MessageNode(queue=SUPPORT, max_s=30.0, next=bye),
        "outside": NumberNode(number=outside, on_failure=people),
        "clerk": ExtensionNode(extension="1900", say=_said("one-moment")),
        "direct": AgentNode(agent=agent, on_no_answer=people),
        "rating": SurveyNode(kind=SurveyKind.NPS, say=_said("would-you-recommend"), next=bye),
        "people": EnqueueNode(queue=SALES),
        "bye": HangUpNode(say=_said("goodbye")),
    }
    exits = FlowExits(no_input=people, invalid=people, failure=people, operator=people)
    return Flow(start=_node("language"), nodes=_nodes(nodes), variables=VARIABLES, exits=exits)


def _identify() -> Flow:
    """Gives the customer's name by the caller's number, or by the number that the caller types."""
    nodes: dict[str, Node] = {
        "withheld": BranchNode(cases=(Case(Name("caller.is_withheld"), _node("ask")),), otherwise=_node("look")),
        "look": LookUpNode(
            look_up=LookUpId("customers"),
            parameters={"number": Name("number")},
            into={"customer": "name", "is_known": "good"},
            on_found=_node("known"),
            on_missing=_node("ask"),
            on_failure=_node("unknown"),
        ),
        "ask": CollectNode(
            say=_said("your-number"), into="number", next=_node("look_again"), min_digits=5, max_digits=9, tries=2
        ),
        "look_again": LookUpNode(
            look_up=LookUpId("customers"),
            parameters={"number": Name("number")},
            into={"customer": "name", "is_known": "good"},
            on_found=_node("known"),
        ),
        "known": DoneNode(result="known"),
        "unknown": DoneNode(result="unknown"),
        "gave_up": DoneNode(result="gave_up"),
    }
    exits = FlowExits(no_input=_node("unknown"), invalid=_node("unknown"), failure=_node("unknown"), operator=_node("gave_up"))
    return Flow(
        start=_node("withheld"),
        nodes=_nodes(nodes),
        variables={"number": T, "customer": T, "is_known": B},
        parameters=("number",),
        gives=("customer", "is_known"),
        exits=exits,
    )


def _after_call() -> Flow:
    """Of customers whose agent ended the talk, and of those whom an agent sends here."""
    nodes: dict[str, Node] = {
        "csat": SurveyNode(kind=SurveyKind.CSAT, say=_said("rate-us"), next=_node("fcr")),
        "fcr": SurveyNode(kind=SurveyKind.FCR, say=_said("solved"), next=_node("in_english")),
        "in_english": LanguageNode(language=ENGLISH, next=_node("thanks")),
        "thanks": SayNode(say=_said("thank-you"), next=_node("back")),
        "back": ReturnNode(result=PromptId("cc-flow-done")),
    }
    return Flow(start=_node("csat"), nodes=_nodes(nodes))
