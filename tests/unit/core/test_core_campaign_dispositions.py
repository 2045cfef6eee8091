"""What agents enter after a campaign's call: its own dispositions where it names some, on every kind of phone, and nobody else's."""

from dataclasses import replace

import pytest
from desk import a_queue
from dial_desk import DialDesk, a_campaign
from keypad import Keypad

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.dialer.terms import Mode
from ccserver.core.records import AttemptOutcome, AttemptRecord, InteractionRecord, ShownState
from ccserver.core.settings import DispositionMeaning, DispositionSettings, Settings, WrapUpKind

OWN = ("won", "later", "no")
"""Of the campaign; of these only `no` may be entered after other calls of the queue too."""


class OwnList(DialDesk):
    def adapted(self, settings: Settings) -> Settings:
        adapted = super().adapted(settings)
        own = {
            "won": DispositionSettings(code="71", name="Won", means=DispositionMeaning.SUCCESS),
            "later": DispositionSettings(code="72", name="Later", means=DispositionMeaning.CALL_BACK),
        }
        return replace(adapted, dispositions={**adapted.dispositions, **own})


def wrapping_up(dispositions: tuple[str, ...] = OWN, *, is_kept: bool = True, **changes: object) -> tuple[OwnList, c.RingAgent]:
    """The callee has hung up; the agent's leg is kept, or is gone too."""
    queue = {"sales": a_queue(wrap_up=changes.pop("wrap_up", WrapUpKind.TIMED), wrap_up_max_s=40.0)}
    desk = OwnList(1, campaign=a_campaign(dispositions=dispositions, **changes), **queue)
    desk.add(1)
    desk.start()
    offer = desk.ring()
    desk.accepts(offer)
    (dial,) = desk.dials()
    desk.picks_up(dial)
    desk.bridged(dial.leg, offer.leg)
    desk.hangs_up(dial.leg)
    if is_kept:
        desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    else:
        desk.hangs_up(offer.leg)
    return desk, offer


def test_the_campaigns_own_are_asked_for_and_the_queues_are_not_known() -> None:
    desk, offer = wrapping_up()
    (asked,) = desk.told(c.Collect)
    assert (asked.say[0].value, asked.max_digits) == ("cc-disposition-ask", 2)
    desk.types(offer.leg, "1")
    (again,) = desk.told(c.Collect)
    assert again.say[0].value == "cc-disposition-unknown"
    desk.types(offer.leg, "71")
    assert desk.kept(InteractionRecord)[-1].disposition == "won"
    (record,) = desk.kept(AttemptRecord)
    assert record.is_success and record.outcome is AttemptOutcome.ANSWERED


def test_without_a_list_of_its_own_it_is_the_queues() -> None:
    desk, offer = wrapping_up(())
    desk.types(offer.leg, "71")
    assert desk.told(c.Collect)[0].say[0].value == "cc-disposition-unknown"
    desk.types(offer.leg, "1")
    assert desk.kept(InteractionRecord)[-1].disposition == "sold"


def test_a_time_is_asked_for_after_one_of_its_own_that_means_call_back() -> None:
    desk, offer = wrapping_up()
    desk.types(offer.leg, "72")
    assert desk.told(c.Collect)[0].say[0].value == "cc-appointment-when"
    desk.types(offer.leg, "1630")
    desk.types(offer.leg, "1")
    (record,) = desk.kept(AttemptRecord)
    assert record.is_callback and desk.kept(InteractionRecord)[-1].disposition == "later"


@pytest.mark.parametrize(("code", "heard"), [("1", "cc-disposition-unknown"), ("71", "cc-disposition-done")])
def test_by_feature_code_too(code: str, heard: str) -> None:
    desk, _ = wrapping_up(is_kept=False)
    assert Keypad(desk, 1, f"17{code}").heard == heard


def test_where_one_must_be_entered_it_is_one_of_the_campaigns() -> None:
    desk, _ = wrapping_up(is_kept=False, wrap_up=WrapUpKind.UNTIL_DISPOSITION)
    assert Keypad(desk, 1, "15").heard == "cc-disposition-needed"
    assert Keypad(desk, 1, "171").heard == "cc-disposition-unknown"
    assert Keypad(desk, 1, "1771").heard == "cc-disposition-done"
    assert desk.shown(1) is not ShownState.WRAP_UP


def test_after_a_caller_of_the_same_queue_it_is_the_queues() -> None:
    desk = OwnList(1, campaign=a_campaign(mode=Mode.MANUAL, dispositions=OWN))
    desk.start()
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    desk.types(offer.leg, "71")
    assert desk.told(c.Collect)[0].say[0].value == "cc-disposition-unknown"
    desk.types(offer.leg, "1")
    assert desk.kept(InteractionRecord)[-1].disposition == "sold"


def test_the_campaigns_wrap_up_is_what_is_extended() -> None:
    desk, _ = wrapping_up(is_kept=False, wrap_up=WrapUpKind.EXTENDABLE, wrap_up_s=15.0)
    desk.wait(10.0)
    assert Keypad(desk, 1, "21").heard == "cc-wrap-up-extended"
    desk.wait(15.0)
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.wait(5.5)
    assert desk.shown(1) is not ShownState.WRAP_UP
