"""The whole real-PBX run: every test, several side by side, then what failed again, each test in a new Asterisk of its own.

Calls are real time, and the machine may be somebody else's for a moment. Every failure is shown; what fails each time fails the run.
The options are pytest's, for the first run.
"""

import json
import subprocess
import sys
from pathlib import Path

TESTS = "tests/e2e"
FAILED = Path(".pytest_cache/v/cache/lastfailed")
TRIES = 3
MANY = 40
"""So many failures are not chance, nor a module whose Asterisk did not start."""


def pytest(*options: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *options], check=False).returncode


def failed() -> list[str]:
    """What failed when it was run last."""
    return [name for name in json.loads(FAILED.read_text(encoding="utf-8")) if name.startswith(TESTS)]


def say(text: str) -> None:
    print(f"e2e: {text}", flush=True)


def main() -> int:
    FAILED.unlink(missing_ok=True)  # what an earlier run left there says nothing of this one
    code = pytest("-p", "real_pbx_count", *sys.argv[1:], TESTS)
    if code != 1:
        return code
    left = failed()
    if not 0 < len(left) <= MANY:
        say(f"{len(left)} tests failed; nothing is tried again")
        return code
    tries = dict.fromkeys(left, 1)
    for attempt in range(2, TRIES + 1):
        say(f"try {attempt}, each alone in a new Asterisk, of {len(left)} that failed")
        left = [name for name in left if pytest(name) != 0]
        tries |= dict.fromkeys(left, attempt)
        if not left:
            break
    for name, count in sorted(tries.items()):
        say(f"failed {count} of {count if name in left else count + 1} tries: {name}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
