"""Nodes of flows that speak and ask: say, menu, choose_language, collect, secret, survey, consent, do_not_call."""

from collections.abc import Callable, Mapping
from enum import Enum

from ccserver.config import kinds
from ccserver.config.expression_kind import ExpressionText, variable, variable_name
from ccserver.config.kinds import duration, whole
from ccserver.config.pieces import question, speech
from ccserver.config.positions import Node, PathInFile, Table
from ccserver.config.schema import Choice, Field, Flag, Group, MapOf, Reader, Reference, Text, hinted
from ccserver.core.checksums import LENGTHS, Checksum
from ccserver.core.expressions import Expression, ValueType
from ccserver.core.ids import Language, LookUpId, NodeId
from ccserver.core.settings import (
    CollectNode,
    ConsentNode,
    DoNotCallNode,
    LanguageChoiceNode,
    MenuNode,
    SayNode,
    SecretNode,
    SecretRule,
    Spoken,
    SurveyKind,
    SurveyNode,
)
from ccserver.core.settings import Node as FlowNode

menu_keys = Text("a choice of 1 to 4 keys", str, r"[0-9*#]{1,4}", 8, '"1"')
one_key = Text("one key", str, r"[0-9*#]", 8, '"1"')
field_name = Text("the name of a field", str, r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", 200, "amount")
look_up = Reference("a look-up", ("look_ups",), LookUpId)
next_node = Field("next", kinds.node_name, "The node after it.")
given_values = Field(
    "with", MapOf(variable_name, ExpressionText(), "parameters", 30), "An expression for each of its parameters.", default={}
)

_interrupt = Field("can_interrupt", Flag(), "Whether a key stops the speech; without it, yes.", default=True)
_no_input = Field(
    "on_no_input", kinds.node_name, "The node when nothing was typed at every try; without it `exits.no_input`.", default=None
)
_invalid = Field("on_invalid", kinds.node_name, "The node when every try was wrong; without it `exits.invalid`.", default=None)
_tries = Field("tries", whole(1, 10, "3"), "How often it is asked; without it 3 times.", default=3)


def _say_again(key: str, after: str, without: str) -> Field:
    return Field(key, speech, f"Said before asking again after {after}; without it {without}.", default=())


_USUAL = "the usual words"

Values = Mapping[str, Expression]


def node(
    noun: str, make: Callable[..., FlowNode], fields: list[Field], wrong: Mapping[str, str] | None = None
) -> Group[FlowNode]:
    """The description of one kind of node."""
    return Group[FlowNode](noun, make, fields, wrong)


# --- making -----------------------------------------------------------------------------------------------------------
def _menu(menu: tuple[Spoken, ...], **given: object) -> FlowNode:
    return MenuNode(say=menu, **given)  # type: ignore[arg-type]


def _language_choice(choose_language: Mapping[str, Language], **given: object) -> FlowNode:
    return LanguageChoiceNode(choices=choose_language, **given)  # type: ignore[arg-type]


def _collect(
    collect: tuple[Spoken, ...], digits: tuple[int, int] | None, checksum: Checksum | None, **given: object
) -> FlowNode:
    length = LENGTHS.get(checksum) if checksum is not None else None
    shortest, longest = digits or ((length, length) if length is not None else (2 if checksum is not None else 1, 20))
    return CollectNode(say=collect, min_digits=shortest, max_digits=longest, checksum=checksum, **given)  # type: ignore[arg-type]


def _secret(secret: tuple[Spoken, ...], **given: object) -> FlowNode:
    return SecretNode(say=secret, **given)  # type: ignore[arg-type]


def _secret_rule(look_up: LookUpId, hash: str, token: str, **given: Values) -> SecretRule:
    return SecretRule(look_up=look_up, parameters=given["with"], hash_field=hash, token_field=token)


def _survey(survey: SurveyKind, say: tuple[Spoken, ...], next: NodeId, timeout_s: float, tries: int) -> FlowNode:
    return SurveyNode(kind=survey, say=say, next=next, timeout_s=timeout_s, tries=tries)


class _Consent(Enum):
    ANNOUNCE = "announce"
    ASK = "ask"


class _NotCalledBy:
    """`true`, or a table that names a campaign. Gives a tuple with its expression, or an empty one."""

    expected = "true, or {campaign: …}"
    _campaign = Group(
        "a campaign",
        lambda campaign: (campaign,),
        [Field("campaign", ExpressionText(ValueType.TEXT), "Its name, as an expression: \"'winter'\", or a variable.")],
    )

    def read(self, reader: Reader, node: Node, path: PathInFile) -> tuple[Expression, ...] | None:
        if isinstance(node, Table):
            return self._campaign.read(reader, node, path)
        is_so = Flag().read(reader, node, path)
        if is_so is False:
            reader.tell(path, hinted(f"expected {self.expected}, got false", "remove the node"), node.mark)
        return () if is_so else None


def _do_not_call(do_not_call: tuple[Expression, ...], **given: object) -> FlowNode:
    return DoNotCallNode(campaign=do_not_call[0] if do_not_call else None, **given)  # type: ignore[arg-type]


def _consent_node(consent: _Consent, **given: object) -> FlowNode:
    return ConsentNode(asks=consent is _Consent.ASK, **given)  # type: ignore[arg-type]


def _digits(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    shortest, longest = int(first), int(last or first)
    if not 1 <= shortest <= longest <= 30:
        raise ValueError("from 1 to 30, the smaller number first, for example 4-8")
    return shortest, longest


number_of_digits = Text("a number of digits, or from-to", _digits, r"[0-9]{1,2}(-[0-9]{1,2})?", 5, "4-8")


# --- the nodes --------------------------------------------------------------------------------------------------------
say = node(
    "a say node",
    SayNode,
    [Field("say", speech, "What is said: a prompt or a list of pieces."), next_node, _interrupt],
)
menu = node(
    "a menu node",
    _menu,
    [
        Field("menu", question, "What is asked: a prompt or a list of pieces."),
        Field("choices", MapOf(menu_keys, kinds.node_name, "choices", 50, 1), "The node for each choice of keys."),
        Field("timeout_s", duration(0.5, 60, "5"), "Seconds to wait for a key; without it 5.", default=5.0),
        _tries,
        _no_input,
        _invalid,
        _say_again("say_no_input", "no input", "nothing"),
        _say_again("say_invalid", "a wrong key", "nothing"),
        _interrupt,
    ],
)
choose_language = node(
    "a choose_language node",
    _language_choice,
    [
        Field(
            "choose_language",
            MapOf(one_key, kinds.language, "languages by key", 10, 2),
            "The language for each key; each is offered in its own words. Who presses none keeps the language they have.",
        ),
        next_node,
        Field("timeout_s", duration(0.5, 60, "4"), "Seconds to wait for a key; without it 4.", default=4.0),
        Field("tries", whole(1, 10, "2"), "How often it is asked; without it twice.", default=2),
    ],
)
collect = node(
    "a collect node",
    _collect,
    [
        Field("collect", question, "What is asked: a prompt or a list of pieces."),
        Field("into", variable, "The variable (a text) that takes the digits.", hint="name a variable of the flow"),
        next_node,
        Field(
            "digits",
            number_of_digits,
            "How many: `8`, or `4-8`; fewer are invalid. Without it 1-20, or as the checksum has them.",
            default=None,
        ),
        Field("terminator", one_key, "The key that ends the input; without it #.", default="#"),
        Field(
            "checksum",
            Choice(Checksum),
            "The rule that the number fulfils: payment cards (luhn), CPF, CNPJ, partita IVA; a DNI is typed without its letter, "
            "which is worked out.",
            default=None,
        ),
        Field("confirm", Flag(), "Whether the digits are read back, and 1 confirms; without it not.", default=False),
        Field("timeout_s", duration(0.5, 60, "6"), "Seconds to wait for the first key; without it 6.", default=6.0),
        Field("next_timeout_s", duration(0.5, 60, "4"), "Seconds to wait for each further key; without it 4.", default=4.0),
        _tries,
        _no_input,
        _invalid,
        _say_again("say_no_input", "no input", _USUAL),
        _say_again("say_invalid", "a wrong input", _USUAL),
        _interrupt,
    ],
)
_check = Group(
    "a check",
    _secret_rule,
    [
        Field("look_up", look_up, "The look-up that knows."),
        given_values,
        Field(
            "hash",
            field_name,
            "Its field with the hash (as of `ccserver agent hash-pin`) that the digits are held against. Without it the look-up "
            "itself gets the digits, as its parameter `secret`: that it finds something says that they are good.",
            default="",
        ),
        Field("token", field_name, "Its field that stands for the digits from then on; see `into`.", default=""),
    ],
)
secret = node(
    "a secret node",
    _secret,
    [
        Field("secret", question, "What is asked. The digits reach no log, no journal and no expression."),
        Field("check", _check, "How the digits are checked."),
        next_node,
        Field("into", variable, "The variable (a text) that takes the `token` of the check; without it none.", default=None),
        Field("max_digits", whole(1, 30, "12"), "How many at most, ended with #; without it 12.", default=12),
        Field("timeout_s", duration(0.5, 60, "8"), "Seconds to wait for each key; without it 8.", default=8.0),
        _tries,
        _no_input,
        _invalid,
        Field("on_failure", kinds.node_name, "The node when the check failed; without it `exits.failure`.", default=None),
        _say_again("say_invalid", "wrong digits", _USUAL),
    ],
)
consent = node(
    "a consent node",
    _consent_node,
    [
        Field(
            "consent",
            Choice(_Consent),
            "announce: the caller is told of the recording; ask: 1 is yes, 2 is no. It is on record.",
        ),
        Field("say", question, "What is said or asked."),
        next_node,
        Field(
            "on_refused",
            kinds.node_name,
            "The node of callers who say no, or nothing; they are not recorded. Without it `next`.",
            default=None,
        ),
        Field("timeout_s", duration(0.5, 60, "6"), "Seconds to wait for the answer; without it 6.", default=6.0),
        Field("tries", whole(1, 10, "2"), "How often it is asked; without it twice.", default=2),
    ],
)
do_not_call = node(
    "a do_not_call node",
    _do_not_call,
    [
        Field(
            "do_not_call",
            _NotCalledBy(),
            "The caller's number is put on the do-not-call list: true for all campaigns, or `{campaign: …}` for the one whose name the "
            "expression gives (for all, where there is no such campaign).",
        ),
        next_node,
        Field("say", speech, "What the caller then hears; without it that they will not be called again.", default=()),
        Field(
            "on_failure",
            kinds.node_name,
            "The node of callers whose number is not known; without it `exits.failure`.",
            default=None,
        ),
    ],
)
survey = node(
    "a survey node",
    _survey,
    [
        Field("survey", Choice(SurveyKind), "csat asks for 1 to 5, nps for 0 to 10, fcr for 1 (solved) or 2 (not)."),
        Field("say", question, "The question."),
        next_node,
        Field("timeout_s", duration(0.5, 60, "6"), "Seconds to wait for the answer; without it 6.", default=6.0),
        Field("tries", whole(1, 10, "2"), "How often it is asked; without it twice.", default=2),
    ],
)
