"""Records with changes are what `dataclasses.replace` makes of them."""

import dataclasses

import pytest

from ccserver.core.change import replace
from ccserver.core.settings import QueueSettings
from ccserver.core.state import Leg, Role
from ccserver.core.transitions import LegState

LEG = Leg(id=("pbx", "1.1"), role=Role.CALLER, state=LegState.STARTED)


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (LEG, {}),
        (LEG, {"state": LegState.UP, "channel": "x"}),
        (QueueSettings(name="Sales", skills=()), {"skills": ("sales",), "priority": 3}),
    ],
)
def test_a_changed_record_equals_that_of_dataclasses(record: object, changes: dict[str, object]) -> None:
    changed = replace(record, **changes)
    assert changed == dataclasses.replace(record, **changes) and changed is not record
    assert hash(changed) == hash(dataclasses.replace(record, **changes))


def test_the_old_record_stays_and_the_new_one_is_frozen() -> None:
    changed = replace(LEG, channel="x")
    assert LEG.channel == ""
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.channel = "y"


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="Leg has no field chanel"):
        replace(LEG, chanel="x")
