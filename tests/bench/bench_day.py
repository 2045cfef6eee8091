"""A simulated day of a large center, in processor time: `python tests/bench/bench_day.py [agents] [calls]`."""

import sys
import time

from ccserver.sim.day import Plan, run_day

HOURS = 10.0


def main(agents: int = 200, calls: int = 20_000) -> None:
    began_s = time.process_time()
    day = run_day(Plan(agents=agents, calls=calls, hours=HOURS), seed=1)
    took_s = time.process_time() - began_s
    print(f"{agents} agents, {calls} calls, {HOURS:.0f} h: {took_s:.1f} s, {took_s / day.inputs * 1e6:.0f} us for each input")
    print(f"findings: {day.findings()}, repairs: {day.books.repairs}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
