"""An agent's day in figures."""

from datetime import UTC, datetime

import pytest
from desk import UTC_AT_0, Desk
from keypad import Keypad
from rules import obey

from ccserver.core import commands as c
from ccserver.core import figures
from ccserver.core.hours import local_day
from ccserver.core.moment import Moment
from ccserver.core.settings import SpokenKind
from ccserver.core.state import Figures

MIDNIGHT_S = 16 * 3600.0
"""On the desk's clock, which is 08:00 UTC at 0."""


def of(desk: Desk, agent: int = 1) -> Figures:
    return desk.center.snapshot().agents[f"10{agent}"].figures


def serve(desk: Desk, talk_s: float, wrap_up_s: float) -> None:
    caller, offer = desk.talk()
    desk.now_s += talk_s
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.now_s += wrap_up_s
    Keypad(desk, 1, "15")


def test_calls_talk_and_wrap_up_are_summed() -> None:
    desk = Desk(agents=1)
    serve(desk, 100.0, 10.0)
    ended_s = desk.now_s
    serve(desk, 50.0, 0.0)
    day = of(desk)
    assert (day.calls, day.served, day.missed) == (2, 2, 0)
    assert (day.talk_s, day.wrap_up_s) == (pytest.approx(150.0), pytest.approx(10.0))
    assert day.last_call_s == pytest.approx(ended_s + 2.0 + 50.0)


def test_missed_offers_are_counted_and_a_withdrawn_one_is_not() -> None:
    desk = Desk(agents=1)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    assert of(desk).missed == 1 and of(desk).calls == 0
    desk.wait(5.0)
    again = desk.ring()
    desk.hangs_up(again.caller)
    desk.hangs_up(again.leg)
    assert of(desk).missed == 1


def test_the_time_logged_in_goes_on_over_a_break_in_it() -> None:
    desk = Desk(agents=1)
    since_s = of(desk).logged_in_since_s
    desk.now_s += 100.0
    Keypad(desk, 1, "12")
    assert of(desk).logged_in_s == pytest.approx(desk.now_s - since_s) and of(desk).logged_in_since_s is None
    desk.now_s += 50.0
    desk.log_in(1)
    desk.now_s += 30.0
    now = Moment(desk.now_s, UTC_AT_0 + desk.now_s)
    assert figures.logged_in_time(of(desk), now) == pytest.approx(130.0)


def test_a_new_day_begins_at_midnight_and_remembers_what_strategies_need() -> None:
    desk = Desk(agents=1)
    serve(desk, 100.0, 10.0)
    last_call_s = of(desk).last_call_s
    desk.wait(MIDNIGHT_S - desk.now_s - 0.1)
    assert of(desk).calls == 1
    desk.wait(0.2)
    day = of(desk)
    assert (day.calls, day.talk_s, day.wrap_up_s, day.logged_in_s) == (0, 0.0, 0.0, 0.0)
    assert day.logged_in_since_s == pytest.approx(MIDNIGHT_S)
    assert (day.served, day.last_call_s) == (1, last_call_s)
    desk.wait(24 * 3600.0)
    assert of(desk).day > day.day, "and the next one after it"


def test_the_day_is_the_sites() -> None:
    desk = Desk(agents=1)
    obey(desk, timezone="Asia/Tokyo")
    serve(desk, 100.0, 10.0)
    desk.wait(MIDNIGHT_S - 9 * 3600.0 - desk.now_s + 0.1)
    assert of(desk).calls == 0 and of(desk).day == "2027-01-16"


def test_who_was_away_at_midnight_begins_anew_at_log_in() -> None:
    desk = Desk(agents=1)
    serve(desk, 100.0, 10.0)
    Keypad(desk, 1, "12")
    desk.wait(MIDNIGHT_S)
    desk.log_in(1)
    assert of(desk).calls == 0


def test_today_is_spoken() -> None:
    desk = Desk(agents=1)
    serve(desk, 170.0, 0.0)
    Keypad(desk, 1, "19")
    (say,) = desk.told(c.Say)
    numbers = [piece.value for piece in say.say if piece.kind is SpokenKind.NUMBER]
    assert numbers == ["1", "3"], "one call, three minutes"


def test_yesterday_is_not_spoken_as_today() -> None:
    desk = Desk(agents=1)
    serve(desk, 170.0, 0.0)
    desk.now_s = MIDNIGHT_S + 1.0
    Keypad(desk, 1, "19")
    assert [piece.value for piece in desk.told(c.Say)[0].say if piece.kind is SpokenKind.NUMBER] == ["0", "0"]


@pytest.mark.parametrize(
    ("timezone", "instant", "day", "length_h"),
    [
        ("UTC", "2026-11-22T23:59:59+00:00", "2026-11-22", 24),
        ("Europe/Madrid", "2026-11-22T23:30:00+00:00", "2026-11-23", 24),
        ("Europe/Madrid", "2026-03-29T12:00:00+00:00", "2026-03-29", 23),
        ("Europe/Madrid", "2026-10-25T12:00:00+00:00", "2026-10-25", 25),
    ],
)
def test_a_local_day(timezone: str, instant: str, day: str, length_h: int) -> None:
    utc_s = datetime.fromisoformat(instant).astimezone(UTC).timestamp()
    name, begin, end = local_day(timezone, utc_s)
    assert name == day and begin <= utc_s < end and end - begin == length_h * 3600
