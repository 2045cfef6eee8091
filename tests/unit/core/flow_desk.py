"""A desk whose callers walk flows: the flow of the test is at the number 800."""

from collections.abc import Mapping
from dataclasses import replace

from desk import Desk, spoken

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.expressions import Compare, Comparison, Expression, Literal, Name, Value, ValueType
from ccserver.core.ids import CommandId, LegId, SessionId
from ccserver.core.records import FlowEnd, FlowRecord
from ccserver.core.settings import (
    CollectNode,
    DidSettings,
    EnqueueNode,
    Flow,
    FlowExits,
    HangUpNode,
    LookUpShape,
    Node,
    Settings,
    Spoken,
    SpokenKind,
)

T, N, B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
ENDS: dict[str, Node] = {
    "people": EnqueueNode(queue="sales"),
    "bye": HangUpNode(say=spoken("bye")),
    "silent": HangUpNode(say=spoken("silent")),
    "wrong": HangUpNode(say=spoken("wrong")),
    "broken": HangUpNode(say=spoken("broken")),
}
EXITS = FlowExits(no_input="silent", invalid="wrong", failure="broken", operator="people")
LOOK_UPS = {
    "orders": LookUpShape(parameters={"order": T}, gives={"status": T, "amount": N}, longest_s=4.0),
    "pins": LookUpShape(parameters={"customer": T}, gives={"hash": T}, longest_s=4.0),
}


def a_flow(**nodes: Node) -> Flow:
    """A flow of these nodes, from `start` on, and of the usual ends; it knows the variables `order`, `amount`, `known`, `token`."""
    return Flow(
        start="start",
        nodes={**ENDS, **nodes},
        variables={"order": T, "amount": N, "known": B, "token": T},
        gives=("order", "amount"),
        exits=EXITS,
    )


def asks(**changes: object) -> CollectNode:
    plain = CollectNode(say=spoken("which"), into="order", next="told", min_digits=4, max_digits=6, tries=2)
    return replace(plain, **changes)


def value(kind: SpokenKind, expression: Expression, unit: str = "") -> Spoken:
    return Spoken(kind, unit, expression)


def equals(name: str, given: Value) -> Compare:
    return Compare(Comparison.IS, Name(name), Literal(given))


class FlowDesk(Desk):
    """`others` are further flows, by name. `changes` are of the settings."""

    def __init__(self, flow: Flow, *, agents: int = 1, others: Mapping[str, Flow] | None = None, **changes: object) -> None:
        self._flows = {"flow": flow, **(others or {})}
        self._changes = changes
        super().__init__(agents)

    def adapted(self, settings: Settings) -> Settings:
        return replace(
            settings,
            content_hash=f"{settings.content_hash}-flows",
            flows={**settings.flows, **self._flows},
            dids={**settings.dids, "800": DidSettings(flow="flow", language="en")},
            look_ups=LOOK_UPS,
            **self._changes,
        )

    def dial(self, number: str | None = "+34911222333") -> LegId:
        return self.call("800", number)

    def _took(self, commands: list[c.Command]) -> None:
        super()._took(commands)
        for command_id, command in self.last:
            if isinstance(command, c.RecordMessage | c.RunScript):
                self.verbs[command.session] = command_id

    # --- what the caller hears and where they are ---------------------------------------------------------------------
    @property
    def said(self) -> list[str]:
        """The pieces of the last step, as values."""
        return [piece.value for verb in self.told(c.Say) + self.told(c.Collect) for piece in verb.say]

    def variables(self, number: int = 1) -> Mapping[str, Value]:
        return self.center.snapshot().interactions[number].variables

    def node(self, number: int = 1) -> str | None:
        return self.center.snapshot().interactions[number].node

    def passages(self) -> list[tuple[FlowEnd, str]]:
        """How each passage ended, and the nodes it went through."""
        return [
            (record.end, " ".join(f"{s.node}{'' if s.how.value == 'passed' else '!' + s.how.value}" for s in record.steps))
            for record in self.kept(FlowRecord)
        ]

    # --- what ends ----------------------------------------------------------------------------------------------------
    def looked_up(self, end: ev.LookUpEnd = ev.LookUpEnd.FOUND, **values: Value) -> None:
        command = next(i for i, x in reversed(self.all) if isinstance(x, c.LookUp))
        self.tell(ev.LookedUp(command=command, end=end, values=values))

    def script_ended(self, leg: LegId, end: ev.VerbEnd = ev.VerbEnd.DONE, result: str = "", **values: Value) -> None:
        session = self.session_of(leg)
        self.tell(ev.ScriptEnded(session=session, command=self.verbs[session], end=end, result=result, values=values))

    def secret(self, leg: LegId, is_ok: bool | None, *, is_failed: bool = False, token: str = "") -> None:
        session = self.session_of(leg)
        self.tell(ev.SecretChecked(session=session, command=self.verbs[session], is_ok=is_ok, is_failed=is_failed, token=token))

    def last_command(self, kind: type) -> CommandId:
        return next(i for i, x in reversed(self.all) if isinstance(x, kind))

    def closes(self, leg: LegId) -> SessionId:
        """The session ends and the leg comes back into the loop."""
        self.tell(ev.SessionClosed(session=self.session_of(leg)))
        return self.arrive(leg, did="800")
