from collections.abc import Callable, Iterator

import pytest
from outside import Answering, Bench, Crm


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.edge.close()
    assert made.loop.armed == 0, "timers are left over"


@pytest.fixture
def crm() -> Iterator[Callable[..., Crm]]:
    made: list[Crm] = []

    def make(*answering: Answering) -> Crm:
        made.append(Crm(*answering))
        return made[-1]

    yield make
    for each in made:
        each.close()
