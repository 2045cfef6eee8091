"""The name on the agent's phone."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue

from ccserver.core.settings import CallerRules, NumberMark, Settings

VIP_NUMBER = "+34911222333"


class VipDesk(Desk):
    def adapted(self, settings: Settings) -> Settings:
        return replace(settings, callers=CallerRules(marks={VIP_NUMBER: NumberMark.VIP}))


@pytest.mark.parametrize(
    ("display", "shown"),
    [
        ("{queue}", "Sales"),
        ("{vip} {queue} {call}", "VIP Sales 1"),
        ("{wait}, {did}", "0 min, 901"),
        ("no fields", "no fields"),
        ("{number}!", f"{VIP_NUMBER}!"),
    ],
)
def test_the_template_is_filled_in(display: str, shown: str) -> None:
    desk = VipDesk(sales=a_queue(display=display))
    desk.call(number=VIP_NUMBER)
    assert desk.ring().name == shown


def test_what_is_empty_leaves_no_gap_and_a_caller_s_braces_are_only_text() -> None:
    desk = VipDesk(sales=a_queue(display="{vip} {queue} {number}"))
    desk.call(number="{call}{queue}")
    assert desk.ring().name == "Sales {call}{queue}"
