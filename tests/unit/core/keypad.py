"""An agent's phone, dialling a feature code."""

from desk import Desk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId


class Keypad:
    """One feature call from one phone."""

    def __init__(self, desk: Desk, phone: int, digits: str) -> None:
        self.desk = desk
        desk.count += 1
        self.leg = LegId("pbx", f"1700000000.9{desk.count}")
        self.session = f"f-{desk.count}"
        known = f"PJSIP/100{phone}" if f"PJSIP/100{phone}" in desk.settings.phones else None
        desk.tell(ev.FeatureDialled(session=self.session, leg=self.leg, channel="x", phone=known, digits=digits))

    @property
    def heard(self) -> str:
        verbs = [x for x in self.desk.last if isinstance(x[1], c.Say | c.Collect | c.CollectSecret)]
        return verbs[-1][1].say[-1].value

    def pin(self, is_ok: bool | None) -> None:
        command = self.desk.verbs[self.session]
        self.desk.tell(ev.SecretChecked(session=self.session, command=command, is_ok=is_ok))

    def hang_up(self) -> None:
        self.desk.prompt_ends(self.leg)
        assert self.desk.told(c.EndSession)
        self.desk.tell(ev.SessionClosed(session=self.session))
        self.desk.hangs_up(self.leg)
