"""What an agent hears of a lead before it is dialled: its name and fields, and in preview mode the keys that decide.

1 dials, 2 leaves the lead for later, 3 refuses it for good, 4 takes the next of its numbers, * says it all again. Who presses nothing
for as long as the campaign allows has skipped it. In progressive mode it is said and the callee is dialled. The keypad is enough for
all of it.
"""

from ccserver.core.callers import prompt
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.change import replace
from ccserver.core.commands import Collect, EndSession, GiveBackLeads, Next, Say
from ccserver.core.dialer.campaign_state import Candidate
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.dialer.terms import Mode
from ccserver.core.ids import AgentId, Language
from ccserver.core.outbound import OutboundCalls
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.core.state import Dialogue, Interaction, Leg, Offer, Outbound, Role, Session
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState

DIAL, SKIP, REJECT, NUMBER, AGAIN = "1", "2", "3", "4", "*"
BY_KEY = frozenset({Mode.PREVIEW, Mode.MANUAL})
"""In these nothing is dialled before the agent says so."""
SKIPPED_S = 3600.0
"""A lead that was skipped comes again after so long."""


class Previews:
    """Whoever is offered a call to make, at the desk."""

    def __init__(self, step: Step, book: CampaignBook, calls: OutboundCalls) -> None:
        self.step = step
        self.book = book
        self.calls = calls

    def are_heard(self, interaction: Interaction) -> bool:
        """Whether the agent who is offered it hears something first."""
        config, mode = self._config(interaction)
        outbound = interaction.outbound
        if config is None or outbound is None or outbound.is_reached or outbound.is_accepted:
            return False
        return mode in BY_KEY or (mode is Mode.PROGRESSIVE and bool(config.whisper))

    def opened(self, session: Session, leg: Leg, interaction: Interaction, offer: Offer) -> bool:
        """The agent's leg is at the desk. False: it is there for something else."""
        outbound = interaction.outbound
        if outbound is None or outbound.is_reached:
            return False
        is_open = interaction.state is InteractionState.OFFERED and interaction.joining is None and offer.ends_as is None
        if leg.is_cancelled or not is_open or outbound.is_over:
            self._end(session, leg)
        elif outbound.candidate is None or not self.are_heard(interaction):
            self.step.end_session(EndSession(session=session.id, next=Next.PARK))
        else:
            session = replace(session, dialogue=Dialogue.PREVIEW, agent=offer.agent)
            self.step.sessions.put(session.id, session)
            self._say(session, interaction, outbound.candidate)
        return True

    def _say(self, session: Session, interaction: Interaction, candidate: Candidate) -> None:
        config, mode = self._config(interaction)
        assert config is not None
        language = self._language(session.agent)
        say = self._words(candidate, config)
        if mode not in BY_KEY:
            self.step.speak(Say(session=session.id, say=say, language=language))
            return
        keys = (DIAL, SKIP, REJECT, AGAIN, *((NUMBER,) if len(candidate.lead.sheets) > 1 else ()))
        self.step.speak(
            Collect(
                session=session.id,
                say=(*say, prompt("cc-preview-keys")),
                language=language,
                max_digits=1,
                first_timeout_s=config.preview_s,
                next_timeout_s=config.preview_s,
                terminator="",
                complete=keys,
            )
        )

    @staticmethod
    def _words(candidate: Candidate, config: CampaignSettings) -> tuple[Spoken, ...]:
        """Name and fields as the campaign wants them, or else the name; then the number."""
        lead = candidate.lead
        values = [lead.name if name == "name" else lead.fields.get(name, "") for name in config.whisper or ("name",)]
        said = [Spoken(SpokenKind.TEXT, value) for value in values if value]
        return (*said, Spoken(SpokenKind.DIGITS, candidate.sheet.number.removeprefix("+")))

    def said(self, session: Session) -> None:
        """Progressive: now the callee is dialled."""
        self._accept(session)

    def typed(self, session: Session, digits: str) -> None:
        """A key, or nothing in time."""
        leg = self.step.legs[session.leg]
        interaction = self.step.interactions.get(leg.interaction)
        outbound = interaction.outbound if interaction is not None else None
        if interaction is None or outbound is None or outbound.candidate is None or outbound.is_over:
            self._end(session, leg)
        elif digits == DIAL:
            self._accept(session)
        elif digits == NUMBER:
            self._say(session, interaction, self._next_number(interaction, outbound, outbound.candidate))
        elif digits == AGAIN:
            self._say(session, interaction, outbound.candidate)
        else:
            self._decline(interaction, outbound, outbound.candidate, is_for_good=digits == REJECT)
            self._end(session, leg)

    def _accept(self, session: Session) -> None:
        leg = self.step.legs[session.leg]
        interaction = self.step.interactions.get(leg.interaction)
        outbound = interaction.outbound if interaction is not None else None
        if interaction is None or outbound is None or outbound.is_over:
            self._end(session, leg)
            return
        self.step.put_interaction(replace(interaction, outbound=replace(outbound, is_accepted=True)))
        self.step.end_session(EndSession(session=session.id, next=Next.PARK))
        self.calls.expect_parked(interaction.id)

    def _next_number(self, interaction: Interaction, outbound: Outbound, candidate: Candidate) -> Candidate:
        """The lead with the next of its numbers; the gate looks at it when it is dialled."""
        sheets = candidate.lead.sheets
        place = next((n for n, sheet in enumerate(sheets) if sheet.number == candidate.sheet.number), -1)
        chosen = replace(candidate, sheet=sheets[(place + 1) % len(sheets)])
        self.step.put_interaction(
            replace(interaction, caller_number=chosen.sheet.number, outbound=replace(outbound, candidate=chosen))
        )
        return chosen

    def _decline(self, interaction: Interaction, outbound: Outbound, candidate: Candidate, *, is_for_good: bool) -> None:
        lead = candidate.lead
        self.step.emit(
            GiveBackLeads(
                campaign=outbound.campaign,
                leads=((lead.id, lead.token),),
                until_utc_s=None if is_for_good else self.step.now.utc_s + SKIPPED_S,
                is_over=is_for_good,
            )
        )
        self.calls.end(self.step.interactions[interaction.id])

    def _end(self, session: Session, leg: Leg) -> None:
        """A headset's line parks again; another phone has done what it was called for."""
        if not self.step.sessions[session.id].is_ending:
            onward = Next.PARK if leg.role is Role.HEADSET else Next.HANG_UP
            self.step.end_session(EndSession(session=session.id, next=onward))

    def _config(self, interaction: Interaction) -> tuple[CampaignSettings | None, Mode | None]:
        outbound = interaction.outbound
        if outbound is None:
            return None, None
        known, config = self.step.campaigns.get(outbound.campaign), self.book.settings(outbound.campaign)
        if known is None or config is None:
            return None, None
        return config, self.book.mode(known, config)

    def _language(self, agent: AgentId | None) -> Language:
        settings = self.step.settings
        own = settings.agents.get(agent) if agent is not None else None
        return (own.language if own is not None else None) or settings.default_language
