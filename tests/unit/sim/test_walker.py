"""One caller through the flow of a shop, told as transcripts: the real core behind it, and no PBX."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ccserver.cli.walks import spoken
from ccserver.config import look_over
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import AgentId, FlowId, Language, LookUpId
from ccserver.core.records import FlowEnd
from ccserver.sim.outside import Impossible, LookUpAnswer, ScriptAnswer
from ccserver.sim.transcript import LineKind, Stand, Standing
from ccserver.sim.walker import SLOW_SHARE, Call, Walker

CONFIGURATION = look_over(Path(__file__).parent / "shop.yaml")[0]
assert CONFIGURATION is not None
SETTINGS = CONFIGURATION.settings
SHOP = "+34910000077"
HUNG_UP = Standing(Stand.HUNG_UP)
FOUND = LookUpAnswer(end=LookUpEnd.FOUND, values={"status": "sent", "amount": 12.5})
SHOWN = (LineKind.NODE, LineKind.LEFT, LineKind.LOOKS_UP, LineKind.QUEUE, LineKind.ANSWERED, LineKind.ENDS)


class Systems:
    """What the systems outside answer, and what they were asked."""

    def __init__(self, **answers: LookUpAnswer) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Value]]] = []

    def look_up(self, name: str, parameters: Mapping[str, Value]) -> LookUpAnswer:
        self.asked.append((name, dict(parameters)))
        return self.answers[name]

    def script(self, name: str, parameters: Mapping[str, Value]) -> ScriptAnswer:
        raise AssertionError("the shop runs no scripts")


def a_walk(at: str = "2026-11-25T10:00", systems: Systems | None = None, **call: object) -> Walker:
    given: dict[str, object] = {"did": SHOP, "caller": "+34600111222", **call}
    at_utc_s = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Madrid")).timestamp()
    walker = Walker(
        SETTINGS,
        Call(at_utc_s=at_utc_s, **given),  # type: ignore[arg-type]
        systems or Systems(orders=FOUND),
        spoken(CONFIGURATION),  # type: ignore[arg-type]
    )
    walker.start()
    return walker


def types(walker: Walker, *keys: str) -> Walker:
    for each in keys:
        walker.type(each)
    return walker


def way(walker: Walker) -> list[str]:
    """Nodes, how they were left, and what is no speech."""
    return [
        f"{line.kind.value}: {line.text}" if line.kind is not LineKind.NODE else line.text
        for line in walker.lines
        if line.kind in SHOWN
    ]


def said(walker: Walker) -> list[str]:
    return [line.text for line in walker.lines if line.kind is LineKind.SAYS]


def test_an_order_that_was_sent() -> None:
    systems = Systems(orders=FOUND)
    walker = types(a_walk(systems=systems), "1", "123456", "1", "5")
    assert way(walker) == [
        "shop/welcome",
        "shop/opening",
        "shop/main",
        "ask_order/ask",
        "ask_order/found (found)",
        "shop/ask (back from ask_order)",
        "shop/orders",
        "looks_up: orders (order 123456): found",
        "shop/known",
        "shop/sent",
        "shop/served",
        "shop/rate",
        "answered: csat 5",
        "shop/goodbye",
        "ends: the call is hung up",
    ]
    assert "It was sent. It costs twelve euros and fifty cents one two three four five six" in said(walker)
    assert systems.asked == [("orders", {"order": "123456"})]
    assert walker.standing == HUNG_UP and walker.is_over
    (passage,) = walker.passages
    assert passage.end is FlowEnd.SERVED
    assert [answer.score for answer in walker.answers] == [5]


def test_an_order_that_nobody_knows_leads_to_people() -> None:
    walker = types(
        a_walk(systems=Systems(orders=LookUpAnswer(end=LookUpEnd.MISSING)), staffed=[AgentId("101")]), "1", "123456", "1"
    )
    assert way(walker)[-4:] == [
        "shop/unknown",
        "shop/to_sales",
        "queue: sales",
        "ends: agent 101 is rung, out of the queue sales",
    ]
    assert walker.standing == Standing(Stand.AGENT, "101")
    assert walker.last_queue == "sales"


def test_a_look_up_that_fails_takes_the_flow_s_exit() -> None:
    walker = types(a_walk(systems=Systems(orders=LookUpAnswer(end=LookUpEnd.FAILED))), "1", "123456", "1")
    assert way(walker)[-3:] == ["left: failed", "shop/to_sales", "queue: sales"]
    assert walker.standing == Standing(Stand.QUEUE, "sales")


def test_a_slow_look_up_is_filled_with_music() -> None:
    slow = LookUpAnswer(end=LookUpEnd.FOUND, values={"status": "sent"}, is_slow=True)
    walker = types(a_walk(systems=Systems(orders=slow)), "1", "123456", "1")
    begin = next(line for line in walker.lines if line.kind is LineKind.LOOKS_UP)
    music = next(line for line in walker.lines if line.kind is LineKind.MUSIC)
    sent = next(line for line in walker.lines if line.text == "shop/sent")
    slow_s = SETTINGS.look_ups[LookUpId("orders")].longest_s * SLOW_SHARE
    assert (music.at_s - begin.at_s, sent.at_s - begin.at_s) == pytest.approx((1.0, slow_s), abs=0.1)
    # fields that are not given are empty
    assert any("zero euros" in text for text in said(walker))


def test_who_types_nothing_is_asked_twice() -> None:
    walker = a_walk()
    walker.wait()
    assert said(walker)[1:] == ["For an order, press one.", "For an order, press one."]
    assert walker.standing == Standing(Stand.NODE, "shop/main")
    walker.wait()
    assert way(walker)[-3:] == ["left: no input", "shop/goodbye", "ends: the call is hung up"]
    assert [line.text for line in walker.lines if line.kind is LineKind.WAITS] == ["5 s", "5 s"]
    assert walker.passages[0].end is FlowEnd.ENDED


def test_a_wrong_key_is_told_and_counted_with_the_silence() -> None:
    walker = types(a_walk(), "9")
    assert said(walker)[-1] == "There is no such choice. For an order, press one."
    walker.wait()
    assert walker.standing == HUNG_UP


def test_a_wait_that_is_too_short_changes_nothing() -> None:
    walker = a_walk()
    lines, began_s = len(walker.lines), walker.at_s
    walker.wait(4.0)
    assert (len(walker.lines), walker.at_s - began_s) == (lines + 1, 4.0)
    walker.type("5")
    assert walker.standing == Standing(Stand.EXTENSION, "2000")


def test_keys_typed_ahead_are_kept_for_the_next_question() -> None:
    walker = types(a_walk(), "1123456")
    assert way(walker)[-1] == "ask_order/ask" and walker.asked is not None
    walker.type("1")
    assert "shop/sent" in way(walker)


def test_too_few_digits_are_noticed_when_they_stop() -> None:
    walker = types(a_walk(), "1")
    before_s = walker.at_s
    walker.type("12")
    assert walker.at_s - before_s > 4.0
    assert said(walker)[-1].endswith("Please enter your order number.")
    walker.wait()
    assert way(walker)[-5:] == [
        "left: no input",
        "ask_order/gave_up (gave_up)",
        "shop/ask (back from ask_order)",
        "shop/goodbye",
        "ends: the call is hung up",
    ]


@pytest.mark.parametrize(
    ("at", "nodes"),
    [
        ("2026-11-25T17:59", ["shop/opening", "shop/main"]),
        ("2026-11-25T18:00", ["shop/opening", "shop/night"]),
        ("2026-12-24T12:59", ["shop/opening", "shop/main"]),
        ("2026-12-24T13:00", ["shop/opening", "shop/night"]),
        ("2026-12-25T10:00", ["shop/opening", "shop/holiday", "shop/night"]),
    ],
)
def test_the_time_of_the_call_decides(at: str, nodes: list[str]) -> None:
    assert way(a_walk(at))[1:] == nodes


def test_a_message_is_left() -> None:
    walker = a_walk("2026-11-25T22:00")
    with pytest.raises(Impossible, match="let the caller speak"):
        walker.type("1")
    walker.speak(12.0)
    assert walker.messages == ["sales"]
    assert walker.standing == HUNG_UP and walker.passages[0].end is FlowEnd.TO_PEOPLE


def test_who_says_nothing_leaves_no_message() -> None:
    walker = a_walk("2026-11-25T22:00")
    walker.wait()
    assert walker.messages == [] and walker.standing == HUNG_UP


def test_a_secret_is_checked_and_not_on_the_transcript() -> None:
    pins = Systems(pins=LookUpAnswer(end=LookUpEnd.FOUND, values={"secret": "4711"}))
    walker = types(a_walk(systems=pins), "2", "4712#", "4711#")
    assert [line.text for line in walker.lines if line.kind is LineKind.TYPES] == ["2", "*****", "*****"]
    assert not any("471" in line.text for line in walker.lines)
    assert pins.asked == [("pins", {"number": "+34600111222"})] * 2
    assert walker.standing == Standing(Stand.QUEUE, "sales")


def test_a_number_outside_is_called_or_is_not_reached() -> None:
    assert types(a_walk(), "3").standing == Standing(Stand.NUMBER, "+34910000009")
    walker = types(a_walk(is_reached_outside=False), "3")
    assert way(walker)[-2:] == ["shop/goodbye", "ends: the call is hung up"]


def test_a_callback_is_asked_for() -> None:
    walker = types(a_walk(), "4", "1")
    assert walker.callbacks == ["sales"] and walker.standing == HUNG_UP


def test_the_operator_s_key() -> None:
    walker = types(a_walk(), "0")
    assert way(walker)[-3:] == ["left: operator", "shop/to_sales", "queue: sales"]


def test_the_caller_hangs_up() -> None:
    walker = a_walk()
    walker.hang_up()
    assert walker.standing == Standing(Stand.CALLER_GONE)
    assert walker.passages[0].end is FlowEnd.GAVE_UP
    for act in (walker.hang_up, walker.wait, lambda: walker.type("1"), lambda: walker.speak(1.0)):
        with pytest.raises(Impossible, match="the call is over: caller gone"):
            act()


def test_what_cannot_be_done_is_said() -> None:
    walker = a_walk()
    with pytest.raises(Impossible, match="nothing is recorded here"):
        walker.speak(5.0)
    with pytest.raises(Impossible, match="'a' are no keys"):
        walker.type("a")
    for values, text in (
        ({"prize": "1"}, "gives no prize; it gives status, amount"),
        ({"amount": "much"}, "amount as a number"),
    ):
        walker = a_walk(systems=Systems(orders=LookUpAnswer(end=LookUpEnd.FOUND, values=values)))
        with pytest.raises(Impossible, match=text):
            types(walker, "1", "123456", "1")


def test_a_flow_that_no_number_starts_in_another_language() -> None:
    walker = a_walk(did="", flow=FlowId("ask_order"), language=Language("es"), caller=None)
    assert said(walker) == ["Marque su número de pedido."]
    types(walker, "123456", "1")
    assert way(walker)[-2:] == ["ask_order/found (found)", "ends: the call is hung up"]


def test_a_call_to_nobody_s_number_is_refused() -> None:
    assert "*" in SETTINGS.dids
    walker = a_walk(did="+34919999999")
    assert walker.lines[0].text.startswith("main/")
