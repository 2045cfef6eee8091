"""A center around flows made of chance, as its administrator would write it: in YAML, read by the real check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from random_expressions import written
from random_flows import LOOK_UPS, MAIN, SCRIPTS

from ccserver.config import Configuration, look_over
from ccserver.core.expressions import Expression
from ccserver.core.ids import FlowId, Language
from ccserver.core.settings import (
    EVERYBODY,
    AgentNode,
    BranchNode,
    CallbackNode,
    CallNode,
    CollectNode,
    ConferenceNode,
    ConsentNode,
    DoneNode,
    DoNotCallNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
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
    SetNode,
    Spoken,
    SpokenKind,
    SurveyNode,
)

PIN_HASH = f"scrypt$2$1$1${'A' * 22}==${'A' * 43}="
"""Of no PIN: what opens a conference the virtual PBX says."""
DID, HASTY_DID = "+34910000001", "+34910000002"
PROMPTS = {name: {"en": f"The words of {name}", "es": f"Las palabras de {name}"} for name in ("hello", "goodbye")}
STATEMENTS = {
    "orders": "select status, total, paid from orders where number = :order",
    "customer": "select name, city from customers where number = :number and credit < :limit",
    "pins": "select pin_hash, token from pins where customer = :customer",
    "cards": "select token from cards where secret = :secret",
}
SCRIPT_FILE = "".join(f"def {name.partition('.')[2]}(agi, call):\n    return None\n\n\n" for name in SCRIPTS)


def site(flows: Mapping[FlowId, Flow]) -> dict[str, Any]:
    """The whole file. Two agents at two phones; the second queue is soon left, by another flow."""
    wait = {"skills": ["sales"], "wrap_up_s": 5, "ring_timeout_s": 4, "max_talk_s": 60}
    return {
        "country": "ES",
        "asterisk": {
            "ami_secret_file": "ami.secret",
            "agi_secret_file": "agi.secret",
            "prompts_dir": "/prompts",
            "prompts_local_dir": "prompts",
        },
        "recording": {"asterisk_dir": "/var/spool/ccserver", "local_dir": "recordings"},
        "default_language": "en",
        "languages": {"en": {}, "es": {"skill": "spanish"}},
        "skills": {"sales": "Sales", "spanish": "Spanish"},
        "agents": {
            101: {"name": "Ana", "skills": {"sales": 50, "spanish": 50}},
            102: {"name": "Bea", "skills": {"sales": 50}},
        },
        "phones": {"1001-1002": {}},
        "reasons": {"lunch": {"code": 1, "name": "Lunch"}, "missed": {"code": 9, "name": "Missed calls"}},
        "offers": {"missed_reason": "missed"},
        "hours": {
            "office": {
                "timezone": "Europe/Madrid",
                "open": {"monday-friday": "09:00-18:00"},
                "holidays": {"country": "ES"},
                "code": 1,
            },
            "never": {"timezone": "UTC", "open": {"monday": "00:00-00:01"}},
        },
        "queues": {
            "sales": {
                **wait,
                "name": "Sales",
                "survey": MAIN,
                "callback": {"offer_after_s": 5, "retry_after_s": 20, "keeps_s": 120, "tries": 1},
            },
            "support": {**wait, "name": "Support", "hours": "office", "max_wait_s": 20, "on_max_wait": {"flow": "excuse"}},
        },
        "direct_calls": {"wrap_up_s": 5, "ring_timeout_s": 4, "max_wait_s": 20, "on_max_wait": {"hang_up": True}},
        "flows": {
            **{str(name): written_flow(flow) for name, flow in flows.items()},
            "excuse": {
                "start": "sorry",
                "nodes": {"sorry": {"say": ["hello"], "next": "wait"}, "wait": {"enqueue": "sales"}},
            },
        },
        "dids": {
            DID: {"flow": str(MAIN), "language": "en", "hours": "office"},
            HASTY_DID: {"flow": "excuse", "language": "es"},
        },
        "conferences": {"open": {"number": "700"}, "locked": {"number": "701", "pin_hash": PIN_HASH}},
        "sendable_flows": {"1": str(MAIN)},
        "databases": {"demo": {"url": "sqlite:////nowhere/demo.db"}},
        "look_ups": {
            name: {
                "sql": STATEMENTS[name],
                "database": "demo",
                "parameters": {each: type_.value for each, type_ in given.items()},
                "gives": {each: type_.value for each, type_ in gives.items()},
                "timeout_s": 2,
            }
            for name, (given, gives) in LOOK_UPS.items()
        },
        "scripts_dir": "scripts",
        "limits": {"menu_steps_max": 40},
        "prompts": PROMPTS,
    }


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Without anchors, which the reader of settings refuses."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of the settings says of a file."""

    configuration: Configuration | None
    problems: list[str]


def checked(flows: Mapping[FlowId, Flow], directory: Path) -> Checked:
    """Written into the directory, and read from there."""
    (directory / "scripts").mkdir(mode=0o700, exist_ok=True)
    for name, text in (
        ("ami.secret", "a-good-secret-1\n"),
        ("agi.secret", "a-good-secret-2\n"),
        ("scripts/shop.py", SCRIPT_FILE),
    ):
        if not (directory / name).exists():
            (directory / name).write_text(text)
            (directory / name).chmod(0o600)
    file = directory / "center.yaml"
    file.write_text(yaml.dump(site(flows), Dumper=_Dumper, sort_keys=False))
    configuration, problems, _ = look_over(file)
    return Checked(configuration, [str(problem) for problem in problems])


# --- one flow -----------------------------------------------------------------------------------------------------------
def written_flow(flow: Flow) -> dict[str, Any]:
    exits = {name: getattr(flow.exits, name) for name in ("no_input", "invalid", "failure", "operator")}
    return {
        "start": str(flow.start),
        "variables": {name: type_.value for name, type_ in flow.variables.items()},
        **({"parameters": list(flow.parameters)} if flow.parameters else {}),
        **({"gives": list(flow.gives)} if flow.gives else {}),
        "exits": {name: to for name, to in exits.items() if to is not None} | {"operator_key": flow.exits.operator_key},
        "nodes": {str(name): _node(node) for name, node in flow.nodes.items()},
    }


def _node(node: Node) -> dict[str, Any]:
    return {key: value for key, value in _NODES[type(node)](node).items() if value is not None}


def _said(say: tuple[Spoken, ...]) -> list[Any]:
    return [_piece(piece) for piece in say]


def _said_if(say: tuple[Spoken, ...]) -> list[Any] | None:
    return _said(say) or None


def _piece(piece: Spoken) -> Any:
    kind, spoken_in = piece.kind, {} if piece.language is None else {"language": str(piece.language)}
    if kind is SpokenKind.CALL_NUMBER:
        return {"call_number": True, **spoken_in}
    if kind is SpokenKind.PROMPT and not spoken_in:
        return piece.value
    value = written(piece.of) if piece.of is not None else piece.value
    return {kind.value: value, **({"currency": piece.value} if kind is SpokenKind.MONEY else {}), **spoken_in}


def _with(given: Mapping[str, Expression]) -> dict[str, str]:
    return {name: written(each) for name, each in given.items()}


def _tried(node: MenuNode | CollectNode) -> dict[str, Any]:
    return {
        "timeout_s": node.timeout_s,
        "tries": node.tries,
        "on_no_input": node.on_no_input,
        "on_invalid": node.on_invalid,
        "say_no_input": _said_if(node.say_no_input),
        "say_invalid": _said_if(node.say_invalid),
        "can_interrupt": node.can_interrupt,
    }


def _collect(node: CollectNode) -> dict[str, Any]:
    shortest, longest = node.min_digits, node.max_digits
    return {
        "collect": _said(node.say),
        "into": node.into,
        "digits": str(shortest) if shortest == longest else f"{shortest}-{longest}",
        "terminator": node.terminator,
        "checksum": node.checksum.value if node.checksum is not None else None,
        "confirm": node.confirm,
        "next_timeout_s": node.next_timeout_s,
        "next": node.next,
        **_tried(node),
    }


def _secret(node: SecretNode) -> dict[str, Any]:
    check = {
        "look_up": str(node.check.look_up),
        "with": _with(node.check.parameters) or None,
        "hash": node.check.hash_field or None,
        "token": node.check.token_field or None,
    }
    return {
        "secret": _said(node.say),
        "check": {key: value for key, value in check.items() if value is not None},
        "into": node.into,
        "max_digits": node.max_digits,
        "timeout_s": node.timeout_s,
        "tries": node.tries,
        "next": node.next,
        "on_no_input": node.on_no_input,
        "on_invalid": node.on_invalid,
        "on_failure": node.on_failure,
        "say_invalid": _said_if(node.say_invalid),
    }


def _hours(node: HoursNode) -> dict[str, Any]:
    whose: Any = {"did": True} if node.queue is None else {"queue": str(node.queue)}
    whose = node.hours if node.hours is not None else whose
    return {"hours": whose, "on_open": node.on_open, "on_closed": node.on_closed, "on_holiday": node.on_holiday}


def _set(node: SetNode) -> dict[str, Any]:
    given = {
        "requires": _required(node),
        "priority": node.priority,
        "variables": _with(node.variables) or None,
        "data": _with(node.data) or None,
        "serves": node.serves or None,
    }
    return {"set": {key: value for key, value in given.items() if value is not None}, "next": node.next}


def _required(node: SetNode) -> str | None:
    assert isinstance(node.requires, HasSkill) or node.requires == EVERYBODY
    return f"{node.requires.skill} >= {node.requires.level}" if isinstance(node.requires, HasSkill) else None


def _asked(key: str, name: str, node: LookUpNode | ScriptNode) -> dict[str, Any]:
    return {key: name, "with": _with(node.parameters) or None, "into": dict(node.into) or None, "on_failure": node.on_failure}


_NODES: Mapping[type[Any], Callable[[Any], dict[str, Any]]] = {
    SayNode: lambda node: {"say": _said(node.say), "next": node.next, "can_interrupt": node.can_interrupt},
    MenuNode: lambda node: {"menu": _said(node.say), "choices": dict(node.choices), **_tried(node)},
    CollectNode: _collect,
    SecretNode: _secret,
    LanguageChoiceNode: lambda node: {
        "choose_language": {key: str(language) for key, language in node.choices.items()},
        "next": node.next,
        "timeout_s": node.timeout_s,
        "tries": node.tries,
    },
    LanguageNode: lambda node: {"language": str(Language(node.language)), "next": node.next},
    BranchNode: lambda node: {
        "branch": [{"when": written(case.when), "then": case.then} for case in node.cases],
        "otherwise": node.otherwise,
    },
    HoursNode: _hours,
    LookUpNode: lambda node: {
        **_asked("look_up", node.look_up, node),
        "on_found": node.on_found,
        "on_missing": node.on_missing,
    },
    EnqueueNode: lambda node: {"enqueue": str(node.queue)},
    CallbackNode: lambda node: {"callback": str(node.queue)},
    MessageNode: lambda node: {
        "message": str(node.queue),
        "say": _said_if(node.say),
        "max_s": node.max_s,
        "next": node.next,
    },
    AgentNode: lambda node: {"agent": str(node.agent), "on_no_answer": node.on_no_answer},
    NumberNode: lambda node: {"number": node.number, "on_failure": node.on_failure},
    SetNode: _set,
    CallNode: lambda node: {
        "call": str(node.flow),
        "with": _with(node.parameters) or None,
        "into": dict(node.into) or None,
        "on": dict(node.on) or None,
    },
    DoneNode: lambda node: {"done": node.result},
    ScriptNode: lambda node: {
        **_asked("script", node.script, node),
        "on": dict(node.on) or None,
        "next": node.next,
        "time_limit_s": node.time_limit_s,
    },
    SurveyNode: lambda node: {
        "survey": node.kind.value,
        "say": _said(node.say),
        "next": node.next,
        "timeout_s": node.timeout_s,
        "tries": node.tries,
    },
    ConsentNode: lambda node: {
        "consent": "ask" if node.asks else "announce",
        "say": _said(node.say),
        "next": node.next,
        "on_refused": node.on_refused,
        "timeout_s": node.timeout_s,
        "tries": node.tries,
    },
    DoNotCallNode: lambda node: {
        "do_not_call": True if node.campaign is None else {"campaign": written(node.campaign)},
        "say": _said_if(node.say),
        "next": node.next,
        "on_failure": node.on_failure,
    },
    ReturnNode: lambda node: {"return": node.result},
    ConferenceNode: lambda node: {"conference": str(node.conference)},
    ExtensionNode: lambda node: {"extension": node.extension, "say": _said_if(node.say)},
    HangUpNode: lambda node: {"hang_up": True, "say": _said_if(node.say)},
}
