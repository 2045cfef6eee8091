"""What is known of a caller by the number, and what follows from it at the arrival. Pure.

Marks that a supervisor set live win over those of the settings; an exact number wins over a beginning, a longer beginning over a
shorter one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ccserver.core.change import replace
from ccserver.core.requirements import all_of
from ccserver.core.settings import (
    CustomerSettings,
    DidSettings,
    NumberMark,
    Settings,
    WithheldPolicy,
)
from ccserver.core.state import Interaction, Mark

UNKNOWN_CUSTOMER = CustomerSettings()


@dataclass(frozen=True, slots=True)
class Welcome:
    """`is_blocked`: the call is not even answered. `interaction` is the call with all that is known of the customer."""

    is_blocked: bool
    interaction: Interaction


def mark_of(number: str, settings: Settings, live: Callable[[str], Mark | None]) -> NumberMark | None:
    """What an E.164 number is marked as. A key that ends with `*` stands for all numbers that begin so.
    `live` finds a live mark by its key."""
    keys = [number, *(f"{number[:length]}*" for length in range(len(number), -1, -1))]
    found = next((mark for key in keys if (mark := live(key)) is not None), None)
    if found is not None:
        return found.mark
    return next((settings.callers.marks[key] for key in keys if key in settings.callers.marks), None)


def welcome(interaction: Interaction, did: DidSettings, settings: Settings, live: Callable[[str], Mark | None]) -> Welcome:
    """Hold a new call against the lists and the customers' data."""
    number = interaction.caller_number
    if number is None:
        is_blocked = settings.callers.withheld is WithheldPolicy.REFUSE
        return Welcome(is_blocked, _known(interaction, did, UNKNOWN_CUSTOMER, settings, is_vip=False))
    mark = mark_of(number, settings, live)
    customer = settings.customers.get(number, UNKNOWN_CUSTOMER)
    known = _known(interaction, did, customer, settings, is_vip=mark is NumberMark.VIP)
    return Welcome(mark is NumberMark.BLOCKED, known)


def _known(
    interaction: Interaction, did: DidSettings, customer: CustomerSettings, settings: Settings, *, is_vip: bool
) -> Interaction:
    language = customer.language or did.language
    skill = settings.language_skills.get(language) if language != did.language else None
    return replace(
        interaction,
        language=language,
        needs=(skill,) if skill else (),
        requires=all_of((did.requires, customer.requires)),
        priority=did.priority if customer.priority is None else customer.priority,
        owner=customer.owner,
        is_vip=is_vip,
        caller_name=customer.name or interaction.caller_name,
        data={"customer": customer.name} if customer.name else {},
    )
