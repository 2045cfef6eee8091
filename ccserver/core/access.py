"""Who may take a waiting interaction, as its waiting goes on: relaxations and tiers open, a preferred agent is waited for.

- *Relaxations* and *tiers* open by the time the customer has waited, earlier queues included where that time was kept. A tier also opens
  when nobody of those before it is logged in. What has opened stays open for that visit.
- *Preference*: the customer's own agent, else the one who spoke to them last, gets the interaction alone for a limited time.
  Only somebody who is logged in is waited for, and a log-out ends it at once. The own agent need not have the skills; the one who
  spoke last does. Rank 0 (its agent was lost) waits for nobody.
"""

from ccserver.core import requirements
from ccserver.core.change import replace
from ccserver.core.ids import AgentId, InteractionId
from ccserver.core.pairing import Pairing
from ccserver.core.settings import QueueSettings, Strategy
from ccserver.core.state import SPOKEN_TO_MAX, DeadlineKind, Interaction, SpokenTo, Visit
from ccserver.core.step import Step

DAY_S = 86_400.0
_ROUNDING_S = 1e-6


class Access:
    """Keeps `Visit.requires`, `stage`, `tiers`, `only` of those who wait."""

    def __init__(self, step: Step, pairing: Pairing) -> None:
        self._step = step
        self._pairing = pairing

    def stage_reached(self, interaction: Interaction) -> None:
        """The time of the next relaxation or tier has come."""
        if interaction.visit is not None:
            self._open(interaction, interaction.visit, self._step.queue_settings(interaction.visit.queue, interaction))

    def preferred_reached(self, interaction: Interaction) -> None:
        """The preferred agent was waited for long enough: from now on anybody may take it."""
        self._step.deadlines.clear(DeadlineKind.PREFERRED, interaction.id)
        visit = interaction.visit
        if visit is not None and visit.only_until_s is not None:
            self._step.put_interaction(replace(interaction, visit=replace(visit, only=None, only_until_s=None)))

    def settings_changed(self) -> None:
        for interaction in self._step.interactions.values():
            self.stage_reached(interaction)

    def review(self) -> None:
        """At the end of a step: visits that began in it are opened; those who logged out in it are waited for no longer, and
        tiers without them open."""
        step = self._step
        for interaction_id in list(step.touched_interactions):
            self._review(interaction_id)
        if any(self._pairing.has_left(agent) for agent in step.touched_agents):
            for interaction_id in list(self._pairing.matcher.waiting()):
                self._review(interaction_id)

    def spoke(self, interaction: Interaction, agent: AgentId) -> None:
        """A talk began: remember who spoke to this number, the oldest forgotten first."""
        number, known = interaction.caller_number, self._step.spoken_to
        if number:
            known.drop(number)
            known.put(number, SpokenTo(agent=agent, at_utc_s=self._step.now.utc_s))
            if len(known) > SPOKEN_TO_MAX:
                known.drop(next(iter(known)))

    # --- inside -------------------------------------------------------------------------------------------------------
    def _review(self, interaction_id: InteractionId) -> None:
        interaction = self._step.interactions.get(interaction_id)
        visit = interaction.visit if interaction is not None else None
        if interaction is None or visit is None:
            return
        config = self._step.queue_settings(visit.queue, interaction)
        if not visit.is_opened:
            if config.preference or config.relax or config.tiers:
                self._begin(interaction, visit, config)
        elif visit.only_until_s is not None and visit.only is not None and not self._pairing.is_here(visit.only):
            self.preferred_reached(interaction)
        elif config.strategy is Strategy.TIERS and visit.tiers < len(config.tiers):
            self._open(interaction, visit, config)

    def _begin(self, interaction: Interaction, visit: Visit, config: QueueSettings) -> None:
        if visit.only is None and visit.rank > 0:
            visit = self._preferring(interaction, visit, config)
        self._open(interaction, replace(visit, is_opened=True), config)

    def _open(self, interaction: Interaction, visit: Visit, config: QueueSettings) -> None:
        """Whatever has to be open by now, and a deadline for what comes next."""
        step = self._step
        # Without the tolerance a deadline could come a rounding error before its time has passed, and again at once, for ever.
        waited_s = step.now.mono_s - visit.waiting_since_s + _ROUNDING_S
        stage = sum(relaxation.after_s <= waited_s for relaxation in config.relax)
        requires = visit.requires
        if config.relax:
            requires = requirements.at_stage(config, stage, interaction.needs, interaction.requires)
        has_tiers = config.strategy is Strategy.TIERS and bool(config.tiers)
        tiers = max(visit.tiers, self._pairing.tiers_open(config, requires, waited_s)) if has_tiers else 0
        tiers = min(tiers, len(config.tiers))
        opened = replace(visit, stage=stage, requires=requires, tiers=tiers)
        if opened != interaction.visit:
            step.put_interaction(replace(interaction, visit=opened))
        coming = [relaxation.after_s for relaxation in config.relax[stage:]]
        coming += [tier.after_s for tier in config.tiers[tiers:]] if has_tiers else []
        if coming:
            step.deadlines.set(DeadlineKind.STAGE, interaction.id, visit.waiting_since_s + min(coming))
        else:
            step.deadlines.clear(DeadlineKind.STAGE, interaction.id)

    def _preferring(self, interaction: Interaction, visit: Visit, config: QueueSettings) -> Visit:
        agent = self._preferred(interaction, visit, config)
        if agent is None or config.preference is None:
            return visit
        until_s = self._step.now.mono_s + config.preference.wait_s
        self._step.deadlines.set(DeadlineKind.PREFERRED, interaction.id, until_s)
        return replace(visit, only=agent, only_until_s=until_s)

    def _preferred(self, interaction: Interaction, visit: Visit, config: QueueSettings) -> AgentId | None:
        rules, owner = config.preference, interaction.owner
        if rules is None:
            return None
        if rules.owner and owner is not None and self._pairing.is_here(owner):
            return owner
        last = self._step.spoken_to.get(interaction.caller_number)
        if last is None or rules.last_spoken_days is None or not self._pairing.is_here(last.agent):
            return None
        is_recent = self._step.now.utc_s - last.at_utc_s <= rules.last_spoken_days * DAY_S
        return last.agent if is_recent and last.agent in self._pairing.able(visit.queue, visit.requires) else None
