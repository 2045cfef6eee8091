"""Callers in the flows: what each node does, and what the end of it means. Where to go next is the stepper's business (`ivr`).

A caller in a flow always has something that will end: a verb of the open session, a look-up with its deadline, or a leg on its way back
into the loop, which brings a new session; there the node is begun anew. So nobody is left in silence, whatever does not answer.

Each node that asks has so many tries. What was no answer leads to the node's own way out, else to that of the flow's exits. Which rule
wins, where one input could mean two things: a choice of the node before the operator's key; what is typed before what is said.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ccserver.core import checksums, ivr, requirements, speaking
from ccserver.core.callers import Callers, prompt, spelled
from ccserver.core.change import replace
from ccserver.core.commands import Collect, CollectSecret, LookUp, RunScript, SecretCheck, WaitUntil
from ccserver.core.dialer.gate import E164
from ccserver.core.events import LookedUp, LookUpEnd, ScriptEnded, SecretChecked, VerbEnd
from ccserver.core.expressions import Expression, Value, evaluate
from ccserver.core.facts import CallbackOffered, ConferenceWanted, FlowReturned, NumberWanted
from ccserver.core.flow_facts import FlowFacts
from ccserver.core.ids import CampaignId, FlowId, NodeId, QueueId
from ccserver.core.ledger import Ledger
from ccserver.core.queueing import Queueing
from ccserver.core.records import (
    ConsentKind,
    ConsentRecord,
    DoNotCallRecord,
    DoNotCallSource,
    FlowEnd,
    Outcome,
    StepHow,
    SurveyRecord,
)
from ccserver.core.settings import (
    DIRECT,
    AgentNode,
    CallbackNode,
    CollectNode,
    ConferenceNode,
    ConsentNode,
    DoneNode,
    DoNotCallNode,
    EnqueueNode,
    ExtensionNode,
    Flow,
    HangUpNode,
    LanguageChoiceNode,
    LookUpNode,
    MenuNode,
    MessageNode,
    Node,
    NumberNode,
    ReturnNode,
    SayNode,
    ScriptNode,
    SecretNode,
    Spoken,
    SpokenKind,
    SurveyNode,
)
from ccserver.core.state import After, AfterKind, Awaited, DeadlineKind, Interaction, Outstanding
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

NEXT_DIGIT_S = 3.0
CONFIRM_S = 8.0
YES, AGAIN = "1", "2"
QUIET_S = 1.0
"""A look-up that takes longer is filled with music."""
LOOK_UP_GUARD_S = 5.0
"""How much later than the edge itself gives up a look-up that says nothing is given up here."""
WITH_THE_CALLER = (
    SayNode,
    MenuNode,
    LanguageChoiceNode,
    CollectNode,
    SecretNode,
    LookUpNode,
    ScriptNode,
    SurveyNode,
    ConferenceNode,
    ConsentNode,
    DoNotCallNode,
    MessageNode,
    ReturnNode,
)
"""What a flow does without leading to somebody else, or to the end."""

Asking = MenuNode | LanguageChoiceNode | CollectNode | SurveyNode | ConsentNode
N = TypeVar("N", bound=Node)


class Flows:
    """`taken_away`: the flow into which an agent has sent the customer leads on to somebody else."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        callers: Callers,
        queueing: Queueing,
        facts: FlowFacts,
        *,
        taken_away: Callable[[Interaction], Interaction],
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.callers = callers
        self.queueing = queueing
        self.facts = facts
        self._taken_away = taken_away
        self._stops: Mapping[type[Any], Callable[[Interaction, Any], None]] = {
            SayNode: self._say,
            MenuNode: lambda it, node: self._ask(it, node, node.say),
            LanguageChoiceNode: lambda it, node: self._ask(it, node, _languages(node)),
            CollectNode: lambda it, node: self._ask(it, node, node.say),
            SurveyNode: lambda it, node: self._ask(it, node, node.say),
            ConsentNode: self._consent,
            DoNotCallNode: self._not_called,
            SecretNode: lambda it, node: self._ask_secret(it, node, node.say),
            LookUpNode: self._look_up,
            ScriptNode: self._run_script,
            EnqueueNode: lambda it, node: self.queueing.enqueue(it, node.queue),
            AgentNode: lambda it, node: self.queueing.enqueue(it, DIRECT, only=node.agent),
            CallbackNode: self._callback,
            MessageNode: self._message,
            NumberNode: self._number,
            DoneNode: lambda it, node: self._release(it, ()),
            ReturnNode: lambda it, node: self.step.tell(FlowReturned(it.id, node.result)),
            ExtensionNode: self._extension,
            ConferenceNode: lambda it, node: step.tell(ConferenceWanted(it.id, node.conference)),
            HangUpNode: lambda it, node: self._release(it, node.say),
            ivr.Overrun: lambda it, node: self._lost(it),
        }
        self._answers: Mapping[type[Any], Callable[[Interaction, Any, str], None]] = {
            MenuNode: self._chosen,
            LanguageChoiceNode: self._language_chosen,
            CollectNode: self._collected,
            SurveyNode: self._judged,
            ConsentNode: self._agreed,
        }

    # --- the way through ----------------------------------------------------------------------------------------------
    def enter(self, interaction: Interaction, flow_id: FlowId) -> None:
        """From the start of a flow, with nothing but the call. The interaction is in MENU."""
        flow = self.step.settings_of(interaction).flows[flow_id]
        fresh = replace(interaction, flow=flow_id, node=flow.start, variables={}, frames=(), path=(), tries=0, typed="")
        self._walk(fresh, self._at(fresh))

    def resume(self, interaction: Interaction) -> None:
        """The node it is at, from its beginning: there is a new session. Who has left their message already is thanked again."""
        if self._at_node(interaction, MessageNode) is not None and interaction.after == After(kind=AfterKind.LEAVE):
            self.callers.farewell(interaction)
            return
        anew = replace(interaction, steps=max(0, interaction.steps - 1), typed="")
        self._walk(anew, self._at(anew), is_resumed=True)

    def again_at(self, interaction: Interaction, node: NodeId) -> None:
        """Out of a queue, on with a node of the flow it came from."""
        fresh = replace(interaction, node=node, path=(), tries=0, typed="")
        self._walk(fresh, self._at(fresh))

    def go_on(self, interaction: Interaction, to: NodeId | None, how: StepHow = StepHow.PASSED) -> None:
        """Out of the node it is at."""
        at = ivr.left(self._at(interaction), to, how, interaction.tries)
        self._walk(replace(interaction, tries=0, typed=""), at)

    def _at(self, interaction: Interaction) -> ivr.Walk:
        assert interaction.flow is not None
        return ivr.Walk(
            flow=interaction.flow,
            node=interaction.node,
            language=interaction.language,
            variables=interaction.variables,
            frames=interaction.frames,
            steps=interaction.steps,
            path=interaction.path,
            data=interaction.data,
            is_served=interaction.is_served,
        )

    def _walk(self, interaction: Interaction, at: ivr.Walk, *, is_resumed: bool = False) -> None:
        settings = self.step.settings_of(interaction)
        at, stop = ivr.walk(
            at,
            settings.flows,
            look=lambda name: self.facts.look(interaction, name),
            hours=self.facts.hours_of(interaction),
            steps_max=settings.limits.menu_steps_max,
        )
        needs = interaction.needs
        if at.language != interaction.language:
            old, new = (settings.language_skills.get(x) for x in (interaction.language, at.language))
            needs = tuple(s for s in needs if s != old) + ((new,) if new else ())
        self.step.deadlines.clear(DeadlineKind.LOOK_UP, interaction.id)
        node = interaction.node if at.node is None else at.node
        stays = is_resumed and (at.flow, node) == (interaction.flow, interaction.node)
        interaction = self.ledger.put(
            replace(
                interaction,
                flow=at.flow,
                node=node,
                node_since=interaction.node_since if stays else self.step.now,
                language=at.language,
                variables=at.variables,
                frames=at.frames,
                steps=at.steps,
                path=at.path,
                data=at.data,
                is_served=at.is_served,
                needs=needs,
                requires=requirements.all_of((interaction.requires, at.requires)),
                priority=interaction.priority if at.priority is None else at.priority,
                look_up=None,
                after=None,
            )
        )
        if interaction.handover is not None and not isinstance(stop, WITH_THE_CALLER):
            interaction = self._taken_away(interaction)
        self._stops[type(stop)](interaction, stop)

    def _flow(self, interaction: Interaction) -> Flow | None:
        settings = self.step.settings_of(interaction)
        return settings.flows.get(interaction.flow) if interaction.flow is not None else None

    def _at_node(self, interaction: Interaction, kind: type[N]) -> tuple[Flow, N] | None:
        """The node it is at, if it is in a flow and at one of this kind: else what ended there is late."""
        flow = self._flow(interaction)
        node = flow.nodes.get(interaction.node) if flow is not None and interaction.node is not None else None
        is_there = interaction.state is InteractionState.MENU and isinstance(node, kind)
        return (flow, node) if is_there and flow is not None and isinstance(node, kind) else None

    def _value(self, interaction: Interaction, flow: Flow, expression: Expression) -> Value:
        look = ivr.scope(flow, interaction.variables, lambda name: self.facts.look(interaction, name))
        return evaluate(expression, look)

    def _values(self, interaction: Interaction, given: Mapping[str, Expression]) -> dict[str, Value]:
        flow = self._flow(interaction)
        return {} if flow is None else {name: self._value(interaction, flow, each) for name, each in given.items()}

    def spoken(self, interaction: Interaction, say: tuple[Spoken, ...]) -> tuple[Spoken, ...]:
        """What a node says, with all values in it."""
        flow = self._flow(interaction)
        if flow is not None:
            look = ivr.scope(flow, interaction.variables, lambda name: self.facts.look(interaction, name))
            say = speaking.resolved(say, look, lambda queue: self.facts.expected_wait_s(interaction, queue))
        return spelled(say, interaction)

    def queue_of_people(self, interaction: Interaction) -> QueueId | None:
        """The queue to which the flow's operator exit leads at once, if it does. Does not raise."""
        flow = self._flow(interaction)
        node = flow.nodes.get(flow.exits.operator) if flow is not None and flow.exits.operator is not None else None
        return node.queue if isinstance(node, EnqueueNode) else None

    # --- ways out that any node may take ------------------------------------------------------------------------------
    def _fail(self, interaction: Interaction, own: NodeId | None) -> None:
        flow = self._flow(interaction)
        usual = flow.exits.failure if flow is not None else None
        self.go_on(interaction, own or usual, StepHow.FAILED)

    def _tried(self, interaction: Interaction, flow: Flow, node: MenuNode | CollectNode | SecretNode, how: StepHow) -> bool:
        """One more try was no answer. False: it was the last, and the caller left the node."""
        if interaction.tries + 1 < node.tries:
            return True
        own, usual = (
            (node.on_no_input, flow.exits.no_input) if how is StepHow.NO_INPUT else (node.on_invalid, flow.exits.invalid)
        )
        self.go_on(interaction, own or usual, how)
        return False

    # --- saying and asking --------------------------------------------------------------------------------------------
    def _say(self, interaction: Interaction, node: SayNode) -> None:
        after = After(kind=AfterKind.NODE, target=node.next)
        say = self.spoken(interaction, node.say)
        self.callers.say(interaction, say, after, stop_digits="0123456789*#" if node.can_interrupt else "")

    def _ask(self, interaction: Interaction, node: Asking, say: tuple[Spoken, ...]) -> None:
        """Put the question of the node, beginning with `say`; without a session it is put when there is one."""
        session, flow = self.step.caller_session(interaction), self._flow(interaction)
        if session is None or flow is None:
            return
        key = ivr.operator_key(flow, node)
        say = self.spoken(interaction, say)
        match node:
            case CollectNode():
                ask = Collect(
                    session=session,
                    say=say,
                    language=interaction.language,
                    max_digits=max(node.max_digits, len(key)),
                    first_timeout_s=node.timeout_s,
                    next_timeout_s=node.next_timeout_s,
                    terminator=node.terminator,
                    can_interrupt=node.can_interrupt,
                    complete=(key,) if key and not key.isdigit() else (),
                )
            case _:
                choices = _choices(node, key)
                ask = Collect(
                    session=session,
                    say=say,
                    language=interaction.language,
                    max_digits=max(map(len, choices)),
                    first_timeout_s=node.timeout_s,
                    next_timeout_s=NEXT_DIGIT_S,
                    terminator="" if any("#" in c for c in choices) else "#",
                    can_interrupt=node.can_interrupt if isinstance(node, MenuNode) else True,
                    complete=ivr.complete_choices(choices),
                )
        self.step.speak(ask)

    def digits_collected(self, interaction: Interaction, digits: str) -> None:
        """The answer to what a node asks; empty: none in time."""
        for kind, answer in self._answers.items():
            found = self._at_node(interaction, kind)
            if found is not None:
                answer(interaction, found[1], digits)
                return

    def _chosen(self, interaction: Interaction, node: MenuNode, digits: str) -> None:
        flow = self._flow(interaction)
        to = node.choices.get(digits)
        if flow is None:
            return
        if to is not None:
            self.go_on(interaction, to)
        elif digits and digits == ivr.operator_key(flow, node):
            self.go_on(interaction, flow.exits.operator, StepHow.OPERATOR)
        elif self._tried(interaction, flow, node, StepHow.INVALID if digits else StepHow.NO_INPUT):
            again = self.ledger.put(replace(interaction, tries=interaction.tries + 1))
            self._ask(again, node, (*(node.say_invalid if digits else node.say_no_input), *node.say))

    def _language_chosen(self, interaction: Interaction, node: LanguageChoiceNode, digits: str) -> None:
        language = node.choices.get(digits)
        if language is not None or interaction.tries + 1 >= node.tries:
            how = StepHow.PASSED if language is not None else StepHow.INVALID if digits else StepHow.NO_INPUT
            at = replace(self._at(interaction), language=language or interaction.language)
            self._walk(replace(interaction, tries=0), ivr.left(at, node.next, how, interaction.tries))
        else:
            self._ask(self.ledger.put(replace(interaction, tries=interaction.tries + 1)), node, _languages(node))

    # --- collecting ---------------------------------------------------------------------------------------------------
    def _collected(self, interaction: Interaction, node: CollectNode, digits: str) -> None:
        flow = self._flow(interaction)
        if flow is None:
            return
        if interaction.typed:
            self._confirmed(interaction, flow, node, digits)
        elif digits and digits == ivr.operator_key(flow, node):
            self.go_on(interaction, flow.exits.operator, StepHow.OPERATOR)
        elif not digits:
            self._collect_again(interaction, flow, node, StepHow.NO_INPUT, node.say_no_input or (prompt("cc-no-input"),))
        elif not _is_good(node, digits):
            self._collect_again(interaction, flow, node, StepHow.INVALID, node.say_invalid or (prompt("cc-invalid-input"),))
        elif node.confirm or node.checksum is checksums.Checksum.DNI:
            self._ask_confirmation(self.ledger.put(replace(interaction, typed=digits)), node)
        else:
            self._take(interaction, node, digits)

    def _collect_again(
        self, interaction: Interaction, flow: Flow, node: CollectNode, how: StepHow, say: tuple[Spoken, ...]
    ) -> None:
        if self._tried(interaction, flow, node, how):
            again = self.ledger.put(replace(interaction, tries=interaction.tries + 1, typed=""))
            self._ask(again, node, (*say, *node.say))

    def _ask_confirmation(self, interaction: Interaction, node: CollectNode) -> None:
        """The input is read back, a DNI with its letter."""
        session = self.step.caller_session(interaction)
        if session is None:
            return
        read_back = [Spoken(SpokenKind.DIGITS, interaction.typed)]
        if node.checksum is checksums.Checksum.DNI:
            read_back.append(Spoken(SpokenKind.SPELLED, checksums.dni_letter(interaction.typed)))
        self.step.speak(
            Collect(
                session=session,
                say=(prompt("cc-collect-confirm"), *read_back, prompt("cc-collect-correct")),
                language=interaction.language,
                max_digits=1,
                first_timeout_s=CONFIRM_S,
                next_timeout_s=NEXT_DIGIT_S,
                complete=(YES, AGAIN),
            )
        )

    def _confirmed(self, interaction: Interaction, flow: Flow, node: CollectNode, digits: str) -> None:
        if digits == YES:
            self._take(interaction, node, interaction.typed)
        elif digits == AGAIN:
            self._collect_again(interaction, flow, node, StepHow.INVALID, ())
        elif self._tried(interaction, flow, node, StepHow.INVALID if digits else StepHow.NO_INPUT):
            self._ask_confirmation(self.ledger.put(replace(interaction, tries=interaction.tries + 1)), node)

    def _take(self, interaction: Interaction, node: CollectNode, digits: str) -> None:
        value = checksums.completed(node.checksum, digits)
        self._keep(interaction, {node.into: value}, node.next, None)

    def _keep(self, interaction: Interaction, new: Mapping[str, object], to: NodeId | None, on_failure: NodeId | None) -> None:
        """On with new values of variables, if they fit."""
        flow = self._flow(interaction)
        variables = ivr.kept(flow, interaction.variables, new) if flow is not None else None
        if variables is None:
            self._fail(interaction, on_failure)
        else:
            self.go_on(replace(interaction, variables=variables), to)

    # --- secrets ------------------------------------------------------------------------------------------------------
    def _ask_secret(self, interaction: Interaction, node: SecretNode, say: tuple[Spoken, ...]) -> None:
        session = self.step.caller_session(interaction)
        if session is None:
            return
        rule = node.check
        self.step.speak(
            CollectSecret(
                session=session,
                say=self.spoken(interaction, say),
                language=interaction.language,
                timeout_s=node.timeout_s,
                max_digits=node.max_digits,
                check=SecretCheck(
                    look_up=rule.look_up,
                    parameters=self._values(interaction, rule.parameters),
                    hash_field=rule.hash_field,
                    token_field=rule.token_field,
                ),
            )
        )

    def secret_checked(self, interaction: Interaction, event: SecretChecked) -> None:
        found = self._at_node(interaction, SecretNode)
        if found is None:
            return
        flow, node = found
        if event.is_failed:
            self._fail(interaction, node.on_failure)
        elif event.is_ok:
            self._keep(interaction, {node.into: event.token} if node.into else {}, node.next, node.on_failure)
        elif self._tried(interaction, flow, node, StepHow.NO_INPUT if event.is_ok is None else StepHow.INVALID):
            again = self.ledger.put(replace(interaction, tries=interaction.tries + 1))
            wrong = () if event.is_ok is None else node.say_invalid or (prompt("cc-secret-wrong"),)
            self._ask_secret(again, node, (*wrong, *node.say))

    # --- what takes time elsewhere ------------------------------------------------------------------------------------
    def _look_up(self, interaction: Interaction, node: LookUpNode) -> None:
        step = self.step
        if node.look_up not in step.settings_of(interaction).look_ups:
            self._fail(interaction, node.on_failure)
            return
        command = step.emit(
            LookUp(
                interaction=interaction.id,
                look_up=node.look_up,
                parameters=self._values(interaction, node.parameters),
                language=interaction.language,
            )
        )
        step.outstanding.put(command, Outstanding(what=Awaited.LOOK_UP, leg=interaction.leg, sent_s=step.now.mono_s))
        self.ledger.put(replace(interaction, look_up=command))
        step.deadlines.set(DeadlineKind.LOOK_UP, interaction.id, step.now.mono_s + QUIET_S)

    def looked_up(self, event: LookedUp) -> None:
        """What came too late, or for a caller who is gone or elsewhere, means nothing."""
        awaited = self.step.outstanding.get(event.command)
        self.step.outstanding.drop(event.command)
        leg = self.step.legs.get(awaited.leg) if awaited is not None else None
        interaction = self.step.interactions.get(leg.interaction) if leg is not None else None
        found = self._at_node(interaction, LookUpNode) if interaction is not None else None
        if interaction is None or interaction.look_up != event.command or found is None:
            return
        self.step.about = interaction.id
        node = found[1]
        match event.end:
            case LookUpEnd.FOUND:
                new = {variable: event.values.get(given) for variable, given in node.into.items()}
                self._keep(interaction, new, node.on_found, node.on_failure)
            case LookUpEnd.MISSING if node.on_missing is not None:
                self.go_on(interaction, node.on_missing)
            case _:
                self._fail(interaction, node.on_failure)

    def look_up_due(self, interaction: Interaction) -> None:
        """It takes long: music. It takes too long: it is given up."""
        found = self._at_node(interaction, LookUpNode)
        if found is None or interaction.look_up is None:
            return
        node, awaited = found[1], self.step.outstanding.get(interaction.look_up)
        shape = self.step.settings_of(interaction).look_ups[node.look_up]
        end_s = (awaited.sent_s if awaited is not None else 0.0) + shape.longest_s + LOOK_UP_GUARD_S
        if end_s <= self.step.now.mono_s:
            self._fail(interaction, node.on_failure)
            return
        self.step.deadlines.set(DeadlineKind.LOOK_UP, interaction.id, end_s)
        session = self.step.caller_session(interaction)
        if session is not None:
            self.step.speak(WaitUntil(session=session, music=node.music))

    def _run_script(self, interaction: Interaction, node: ScriptNode) -> None:
        session = self.step.caller_session(interaction)
        if session is not None:
            self.step.speak(
                RunScript(
                    session=session,
                    script=node.script,
                    parameters=self._values(interaction, node.parameters),
                    language=interaction.language,
                    time_limit_s=node.time_limit_s,
                    facts={
                        "number": str(interaction.id),
                        "did": interaction.did,
                        "caller_number": interaction.caller_number or "",
                        "caller_name": interaction.caller_name,
                    },
                )
            )

    def script_ended(self, interaction: Interaction, event: ScriptEnded) -> None:
        found = self._at_node(interaction, ScriptNode)
        if found is None:
            return
        node = found[1]
        if event.end is VerbEnd.DONE:
            new = {variable: event.values.get(given) for variable, given in node.into.items()}
            self._keep(interaction, new, node.on.get(event.result, node.next), node.on_failure)
        else:
            self._fail(interaction, node.on_failure)

    # --- surveys ------------------------------------------------------------------------------------------------------
    def _judged(self, interaction: Interaction, node: SurveyNode, digits: str) -> None:
        score = ivr.ANSWERS[node.kind].get(digits)
        if score is not None and interaction.node is not None:
            self.step.store(
                SurveyRecord(
                    interaction=interaction.id,
                    number=interaction.answers,
                    kind=node.kind,
                    question=interaction.node,
                    score=score,
                    queue=interaction.queue,
                    agent=interaction.agent,
                    at_utc_s=self.step.now.utc_s,
                )
            )
            self.go_on(replace(interaction, answers=interaction.answers + 1), node.next)
        elif interaction.tries + 1 >= node.tries:
            self.go_on(interaction, node.next, StepHow.INVALID if digits else StepHow.NO_INPUT)
        else:
            self._ask(self.ledger.put(replace(interaction, tries=interaction.tries + 1)), node, node.say)

    # --- consent to being recorded ------------------------------------------------------------------------------------
    def _consent(self, interaction: Interaction, node: ConsentNode) -> None:
        if node.asks:
            self._ask(interaction, node, node.say)
            return
        interaction = self._on_record(interaction, ConsentKind.ANNOUNCED)
        self.callers.say(interaction, self.spoken(interaction, node.say), After(kind=AfterKind.NODE, target=node.next))

    def _agreed(self, interaction: Interaction, node: ConsentNode, digits: str) -> None:
        if digits == YES:
            self.go_on(self._on_record(interaction, ConsentKind.GRANTED), node.next)
        elif digits == AGAIN:
            self.go_on(self._on_record(interaction, ConsentKind.REFUSED), node.on_refused or node.next)
        elif interaction.tries + 1 < node.tries:
            self._ask(self.ledger.put(replace(interaction, tries=interaction.tries + 1)), node, node.say)
        else:
            how = StepHow.INVALID if digits else StepHow.NO_INPUT
            self.go_on(self._on_record(interaction, ConsentKind.UNANSWERED), node.on_refused or node.next, how)

    def _on_record(self, interaction: Interaction, kind: ConsentKind) -> Interaction:
        """What the caller was told, or has answered. An announcement that is heard again, in a new session, is no news."""
        if interaction.consent is kind and kind is ConsentKind.ANNOUNCED:
            return interaction
        assert interaction.flow is not None and interaction.node is not None
        self.step.store(
            ConsentRecord(
                interaction=interaction.id,
                kind=kind,
                language=interaction.language,
                flow=interaction.flow,
                node=interaction.node,
                at_utc_s=self.step.now.utc_s,
            )
        )
        return self.ledger.put(replace(interaction, consent=kind))

    def _not_called(self, interaction: Interaction, node: DoNotCallNode) -> None:
        """On the list before it is said. Heard again, in a new session, it is on the list already."""
        number, flow = interaction.caller_number or "", self._flow(interaction)
        if E164.fullmatch(number) is None or flow is None:
            self._fail(interaction, node.on_failure)
            return
        named = "" if node.campaign is None else str(self._value(interaction, flow, node.campaign))
        dialing = self.step.settings.dialing
        is_known = dialing is not None and named in dialing.campaigns
        self.step.store(
            DoNotCallRecord(
                number=number,
                campaign=CampaignId(named) if is_known else None,
                source=DoNotCallSource.KEYPAD,
                at_utc_s=self.step.now.utc_s,
                by=f"flow {interaction.flow}",
                interaction=interaction.id,
            )
        )
        say = self.spoken(interaction, node.say) or (prompt("cc-not-called"),)
        self.callers.say(interaction, say, After(kind=AfterKind.NODE, target=node.next))

    # --- the ways out of the flows ------------------------------------------------------------------------------------
    def _callback(self, interaction: Interaction, node: CallbackNode) -> None:
        """Into the queue, where the place is kept, and asked for the number."""
        self.queueing.enqueue(interaction, node.queue)
        waiting = self.step.interactions.get(interaction.id)
        if waiting is not None and waiting.state is InteractionState.WAITING and waiting.visit is not None:
            self.step.tell(CallbackOffered(interaction.id, None))

    def _message(self, interaction: Interaction, node: MessageNode) -> None:
        if not self.step.settings.recording_dir:
            self._fail(interaction, None)
        elif self.step.caller_session(interaction) is not None:
            self.callers.record_for(interaction, node.queue, self.spoken(interaction, node.say), node.max_s, node.next)

    def _number(self, interaction: Interaction, node: NumberNode) -> None:
        if not interaction.is_answered:
            interaction = self.callers.answer(interaction)
        interaction = self.ledger.menu_segment(interaction, FlowEnd.TO_PEOPLE)
        self.ledger.put(replace(interaction, outcome=interaction.outcome or Outcome.OVERFLOWED))
        self.step.tell(NumberWanted(interaction.id, node.number))

    def number_failed(self, interaction: Interaction) -> bool:
        """Nobody answered at the number that a node led to: on with the node's way out. False: no node led there."""
        flow = self._flow(interaction)
        node = flow.nodes.get(interaction.node) if flow is not None and interaction.node is not None else None
        to = (node.on_failure or flow.exits.failure) if flow is not None and isinstance(node, NumberNode) else None
        if to is None or interaction.visit is not None:
            return False
        self.step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        state = advance(INTERACTION, interaction.state, InteractionStep.BACK_TO_MENU)
        outcome = interaction.outcome if interaction.visits else None  # as before it was sent out
        interaction = self.ledger.put(replace(interaction, state=state, outcome=outcome, menu_since=self.step.now))
        self.go_on(interaction, to, StepHow.FAILED)
        return True

    def _extension(self, interaction: Interaction, node: ExtensionNode) -> None:
        say = self.spoken(interaction, node.say)
        self.callers.say(interaction, say, After(kind=AfterKind.EXTENSION, target=node.extension))

    def _release(self, interaction: Interaction, say: tuple[Spoken, ...]) -> None:
        """The end that the flow itself puts."""
        outcome = interaction.outcome
        if outcome is not Outcome.LEFT_MESSAGE:
            served = Outcome.SERVED if interaction.is_served else Outcome.REFUSED
            outcome = served if interaction.agent is None else Outcome.ANSWERED
        interaction = self.ledger.put(replace(interaction, outcome=outcome))
        self.callers.say(interaction, self.spoken(interaction, say), After(kind=AfterKind.LEAVE))

    def _lost(self, interaction: Interaction) -> None:
        """There is no way on: an excuse, and the caller is let go."""
        interaction = self.ledger.put(replace(interaction, outcome=Outcome.LOST))
        self.callers.say(interaction, (prompt("cc-error"),), After(kind=AfterKind.LEAVE))


def _choices(node: MenuNode | LanguageChoiceNode | SurveyNode | ConsentNode, key: str) -> Mapping[str, object]:
    if isinstance(node, SurveyNode):
        return ivr.ANSWERS[node.kind]
    if isinstance(node, ConsentNode):
        return {YES: "", AGAIN: ""}
    return {**node.choices, key: ""} if key else node.choices


def _languages(node: LanguageChoiceNode) -> tuple[Spoken, ...]:
    """Each language is offered in itself."""
    return tuple(
        piece
        for key, language in node.choices.items()
        for piece in (replace(prompt("cc-language-choice"), language=language), Spoken(SpokenKind.DIGITS, key, None, language))
    )


def _is_good(node: CollectNode, digits: str) -> bool:
    if not digits.isascii() or not digits.isdigit() or not node.min_digits <= len(digits) <= node.max_digits:
        return False
    return node.checksum is None or checksums.is_valid(node.checksum, digits)
