"""How good a line was: the estimate, and with whom it is kept."""

import pytest
from handover_desk import HandoverDesk

from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.quality import loss_ratio, mos
from ccserver.core.records import LegSide, QualityRecord, Stream

GOOD = Stream(packets=1000, lost=0, jitter_ms=1.0)


def losing(percent: float) -> Stream:
    lost = round(percent * 10)
    return Stream(packets=1000 - lost, lost=lost, jitter_ms=1.0)


def test_a_perfect_line_with_g711_is_as_good_as_it_gets() -> None:
    assert mos(GOOD, "ulaw", 0.0) == pytest.approx(4.39, abs=0.02)


def test_the_published_values_of_the_model_are_met() -> None:
    # ITU-T G.107 Annex B: ratings 93.2, 70 and 50 are MOS 4.41, 3.60 and 2.58. With Bpl 25.1 a loss of 8.0 % takes 23 from the rating.
    assert mos(Stream(packets=1000, lost=0, jitter_ms=-10.0), "ulaw", 0.0) == pytest.approx(4.41, abs=0.005)
    assert mos(Stream(packets=920, lost=80, jitter_ms=-10.0), "ulaw", 0.0) == pytest.approx(3.60, abs=0.03)


def test_loss_delay_and_jitter_make_it_worse_each() -> None:
    scores = [mos(losing(percent), "ulaw", 20.0) for percent in (0, 1, 3, 5, 10, 20, 50)]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(scores)
    assert mos(GOOD, "ulaw", 600.0) < mos(GOOD, "ulaw", 300.0) < mos(GOOD, "ulaw", 20.0)
    assert mos(Stream(packets=1000, lost=0, jitter_ms=150.0), "ulaw", 20.0) < mos(GOOD, "ulaw", 20.0)
    assert mos(GOOD, "g729", 20.0) < mos(GOOD, "alaw", 20.0)


@pytest.mark.parametrize(
    ("stream", "rtt_ms"),
    [
        (Stream(packets=0, lost=0, jitter_ms=0.0), 0.0),
        (Stream(packets=0, lost=9, jitter_ms=0.0), 0.0),
        (GOOD, 1e9),
        (GOOD, 0.0),
    ],
)
def test_it_is_always_from_1_to_5(stream: Stream, rtt_ms: float) -> None:
    assert 1.0 <= mos(stream, "ulaw", rtt_ms) <= 5.0
    assert 0.0 <= loss_ratio(stream) <= 1.0


def measured(desk: HandoverDesk, leg: LegId, received: Stream = GOOD, sent: Stream | None = GOOD) -> list[QualityRecord]:
    desk.tell(ev.LegMeasured(leg=leg, codec="ulaw", received=received, sent=sent, rtt_ms=None if sent is None else 10.0))
    return desk.kept(QualityRecord)


def test_each_leg_of_a_call_is_kept_with_it_and_the_worse_direction_counts() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    measured(desk, customer, received=losing(10))
    of_customer, of_agent = measured(desk, offer.leg, sent=None)
    assert (of_customer.interaction, of_customer.side, of_customer.agent) == (1, LegSide.CUSTOMER, None)
    assert (of_agent.interaction, of_agent.side, of_agent.agent) == (1, LegSide.AGENT, "101")
    assert of_customer.mos == pytest.approx(mos(losing(10), "ulaw", 10.0)) and of_customer.mos < of_agent.mos
    assert of_agent.sent is None


def test_a_leg_that_is_over_or_was_never_ours_is_not_kept() -> None:
    desk = HandoverDesk()
    customer, _ = desk.talk()
    desk.hangs_up(customer)
    assert measured(desk, customer) == [] and measured(desk, LegId("pbx", "9.9")) == []
