"""The circuit breaker, walked at random beside what it promises."""

from hypothesis import given
from hypothesis import strategies as st

from ccserver.lookups.breaker import Breaker, BreakerState, Ticket

REST_S = 30.0

steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ok", "fail", "withdraw"]), st.integers(0, 5), st.sampled_from([0.0, 1.0, 10.0, 29.0, 31.0])
    ),
    max_size=60,
)


@given(steps, st.integers(1, 4))
def test_whatever_happens_it_rests_after_so_many_failures_and_only_one_tries_after_the_rest(
    walk: list[tuple[str, int, float]], failures_max: int
) -> None:
    breaker = Breaker(failures_max, REST_S)
    now_s = 0.0
    out: list[Ticket] = []
    trial: Ticket | None = None
    opened_at_s = 0.0
    in_a_row = 0  # of those asked since it was last closed
    for step, which, passes_s in walk:
        now_s += passes_s
        before = breaker.state
        if step == "ask":
            ticket = breaker.ask(now_s)
            match before:
                case BreakerState.CLOSED:
                    assert ticket is not None
                case BreakerState.OPEN:
                    assert (ticket is not None) == (now_s - opened_at_s >= REST_S)
                    if ticket is not None:
                        trial = ticket
                        assert breaker.state is BreakerState.TRIAL
                case BreakerState.TRIAL:
                    assert ticket is None
            if ticket is not None:
                out.append(ticket)
            continue
        if not out:
            continue
        ticket = out.pop(which % len(out))
        is_trial = before is BreakerState.TRIAL and ticket == trial
        is_counted = is_trial or (before is BreakerState.CLOSED and _is_of_now(breaker, ticket, now_s))
        match step:
            case "ok":
                breaker.succeeded(ticket)
                if is_counted:
                    assert breaker.state is BreakerState.CLOSED
                    in_a_row = 0
            case "fail":
                breaker.failed(ticket, now_s)
                if is_counted:
                    in_a_row += 1
                    if is_trial or in_a_row == failures_max:
                        assert breaker.state is BreakerState.OPEN
                        opened_at_s, in_a_row = now_s, 0
                    else:
                        assert breaker.state is BreakerState.CLOSED
            case "withdraw":
                breaker.withdrawn(ticket)
                if is_trial:
                    assert breaker.state is BreakerState.OPEN
                    assert now_s - opened_at_s >= REST_S  # the next may try at once
        if not is_counted:
            assert breaker.state is before


def _is_of_now(breaker: Breaker, ticket: Ticket, now_s: float) -> bool:
    """While it is closed, all that were asked since then have one ticket."""
    return breaker.ask(now_s) == ticket


def test_one_that_was_begun_before_it_opened_does_not_end_its_rest() -> None:
    breaker = Breaker(1, REST_S)
    slow, quick = breaker.ask(0.0), breaker.ask(0.0)
    assert slow is not None and quick is not None
    breaker.failed(quick, 1.0)
    breaker.succeeded(slow)
    assert breaker.ask(2.0) is None
    trial = breaker.ask(31.0)
    assert trial is not None
    breaker.succeeded(slow)
    assert breaker.state is BreakerState.TRIAL
    breaker.succeeded(trial)
    assert breaker.state is BreakerState.CLOSED
