"""Which agents may serve which mode of dialling."""

from ccserver.core.dialer.terms import UNBACKED, Mode
from ccserver.core.settings import PhoneKind, PhoneSettings, WorkMode


def may_serve(mode: Mode, works: WorkMode, phone: PhoneSettings) -> bool:
    """Whether an agent at that phone may be given calls of a campaign.

    Who answers a call finds an agent within two seconds; a phone that has to ring first takes longer. So calls that nobody is
    reserved for go to agents who are connected already, or whose phone picks up by itself.
    """
    is_at_once = works is WorkMode.HEADSET or (phone.auto_answer and phone.kind is not PhoneKind.EXTERNAL)
    return is_at_once or mode not in UNBACKED
