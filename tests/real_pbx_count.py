"""A plugin for the whole real-PBX run: tells how many of its tests were executed and fails below the committed number.

A test that was skipped, deselected or lost with its worker does not count: the run must not get greener by doing less.
"""

from pathlib import Path

import pytest

COMMITTED = Path(__file__).parent / "e2e" / "COUNT"

executed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.outcome != "skipped":
        executed.add(report.nodeid)


def at_least() -> int:
    return int(COMMITTED.read_text(encoding="utf-8"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and len(executed) < at_least():
        # Not "tests failed": a second run of those that failed does not make up for those that were never run.
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    verdict = "" if len(executed) >= at_least() else ": TOO FEW"
    terminalreporter.write_line(f"real-PBX tests executed: {len(executed)} (committed: at least {at_least()}){verdict}")
