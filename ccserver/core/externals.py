"""Agents at an outside number: whoever answers there is asked for the key 1 before the customer is joined.

A voicemail answers too, and says nothing that we understand: it presses no key, so the offer ends as missed, and no customer has
heard it. The trunk tells no state of such a phone: it counts as idle until a call to it fails.
"""

from ccserver.core.change import replace
from ccserver.core.commands import Collect, EndSession, Next
from ccserver.core.ids import PromptId
from ccserver.core.settings import PhoneKind, Spoken, SpokenKind
from ccserver.core.state import Dialogue, Interaction, Leg, Offer, Session
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState

ACCEPT_KEY = "1"
KEY_S = 8.0
"""After the prompt; all of it is over before `offers.ACCEPT_S`, prompt included."""


class Externals:
    """The dialogue of a leg that was answered outside."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def opened(self, session: Session, leg: Leg, interaction: Interaction, offer: Offer) -> None:
        """The call was answered, or the leg asks again since the daemon was away. A phone inside is asked nothing: its agent has accepted
        at the desk already, and was about to wait for the customer."""
        is_open = interaction.state is InteractionState.OFFERED and interaction.joining is None and offer.ends_as is None
        if leg.is_cancelled or not is_open:
            self.step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        phone = self.step.settings.phones.get(offer.phone)
        if phone is not None and phone.kind is not PhoneKind.EXTERNAL:
            self.step.end_session(EndSession(session=session.id, next=Next.PARK))
            return
        agent = self.step.settings.agents.get(offer.agent)
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.ACCEPT, agent=offer.agent))
        self.step.speak(
            Collect(
                session=session.id,
                say=(Spoken(SpokenKind.PROMPT, PromptId("cc-accept-call")),),
                language=(agent.language if agent is not None else None) or self.step.settings.default_language,
                max_digits=1,
                first_timeout_s=KEY_S,
                next_timeout_s=KEY_S,
                terminator="",
            )
        )

    def typed(self, session: Session, digits: str) -> None:
        """The key, another, or nothing in time."""
        onward = Next.PARK if digits == ACCEPT_KEY else Next.HANG_UP
        self.step.end_session(EndSession(session=session.id, next=onward))
