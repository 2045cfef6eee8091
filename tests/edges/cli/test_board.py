"""The live board as text."""

from dataclasses import replace

from ccserver.cli.board import board
from ccserver.core.ids import AgentId, InteractionId, PhoneId, QueueId, ReasonId, WatchId
from ccserver.core.records import ShownState, VisitOutcome
from ccserver.core.settings import WatchMode
from ccserver.core.views import AgentView, Overview, QueueView, WaitingView, WatchView


def waiting(number: int, wait_s: float, position: int, caller: str | None = "+34600111222") -> WaitingView:
    return WaitingView(
        number=InteractionId(number), caller_number=caller, caller_name="", wait_s=wait_s, position=position, ringing=None
    )


def an_agent(number: str, state: ShownState, reason: str | None = None) -> AgentView:
    return AgentView(
        id=AgentId(number),
        name=f"Agent {number}",
        state=state,
        reason=ReasonId(reason) if reason else None,
        since_s=65.0,
        phone=PhoneId("PJSIP/1001"),
        interaction=None,
    )


def an_overview(*callers: WaitingView) -> Overview:
    sales = QueueView(
        id=QueueId("sales"),
        name="Sales",
        waiting=callers,
        longest_wait_s=max((caller.wait_s for caller in callers), default=0.0),
        offered=10,
        outcomes={VisitOutcome.ANSWERED: 6, VisitOutcome.ABANDONED: 1, VisitOutcome.SHORT_ABANDONED: 1},
        within_service_level=3,
        answered_wait_s=60.0,
        service_level=0.5,
        talking=2,
        agents_ready=1,
        agents_logged_in=3,
    )
    return Overview(
        is_linked=True,
        is_observed=True,
        at_utc_s=0.0,
        queues=(sales,),
        agents=(
            an_agent("101", ShownState.READY),
            an_agent("102", ShownState.NOT_READY, "lunch"),
            an_agent("103", ShownState.LOGGED_OUT),
        ),
        calls=(),
        repairs=0,
        faults=0,
    )


def test_the_board_shows_who_waits_and_for_how_long_longest_first() -> None:
    lines = board(an_overview(waiting(8, 5.0, 2), waiting(7, 75.0, 1, caller=None)))
    rows = [line for line in lines if "Sales" in line]
    assert rows[0].split() == ["Sales", "2", "1:15", "2", "1/3", "10", "6", "2", "0", "50%"]
    assert rows[1].split()[:5] == ["1.", "7", "withheld", "Sales", "1:15"]
    assert rows[2].split()[:5] == ["2.", "8", "+34600111222", "Sales", "0:05"]
    assert any("102" in line and "not ready (lunch)" in line for line in lines)
    assert "  and 1 logged out" in lines


def test_the_board_fits_the_terminal() -> None:
    lines = board(an_overview(*(waiting(number, float(number), number) for number in range(1, 60))), width=70, height=20)
    assert len(lines) == 20
    assert max(map(len, lines)) <= 70
    assert any("more lines" in line for line in lines)
    assert any("101" in line for line in lines)  # callers do not push the agents off the board


def test_a_lost_link_and_faults_cannot_be_overlooked() -> None:
    lost = replace(an_overview(), is_linked=False, repairs=2, faults=1)
    assert "NO LINK TO THE PBX" in board(lost)[0]
    assert "repairs 2, faults 1" in board(lost)[0]


def test_nothing_a_caller_sent_moves_the_cursor() -> None:
    assert not any("\x1b" in line or "\n" in line for line in board(an_overview(waiting(1, 1.0, 1, caller="\x1b[2J\n"))))


def a_session(number: int, **changes: object) -> WatchView:
    plain = WatchView(
        id=WatchId(number),
        by="agent 103",
        phone=PhoneId("PJSIP/1003"),
        agent=AgentId("101"),
        queue=None,
        mode=WatchMode.WHISPER,
        interaction=InteractionId(4711),
        since_s=65.0,
    )
    return replace(plain, **changes)


def test_who_supervises_whom_is_drawn_and_takes_its_place_from_those_who_wait() -> None:
    waits_for = a_session(8, by="ana\x1b[2J", agent=None, queue=QueueId("sales"), mode=WatchMode.TAKE_OVER, interaction=None)
    shown = replace(an_overview(*(waiting(n, 9.0, n) for n in range(1, 30))), watches=(a_session(7), waits_for))
    lines = board(shown, width=100)
    head = next(place for place, line in enumerate(lines) if line.startswith("SUPERVISES"))
    assert lines[head + 1] == "   7. agent 103      PJSIP/1003       whisper    agent 101                    1:05  4711"
    assert lines[head + 2].split() == ["8.", "ana?[2J", "PJSIP/1003", "take", "over", "next", "of", "sales", "1:05"]
    assert not any("SUPERVISES" in line for line in board(an_overview()))
    short = board(shown, width=100, height=20)
    assert len(short) == 20 and short[-1] == lines[-1] and any("more lines" in line for line in short)
