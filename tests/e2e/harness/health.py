"""What holds after a test in which nothing broke."""

from ccserver.store.database import Store
from harness.center import Center


async def is_healthy(center: Center) -> None:
    """All calls are over and kept, nothing had to be mended, and the history agrees with itself."""
    await center.quiet()
    assert not center.rows("SELECT * FROM repairs")
    assert not center.rows("SELECT * FROM faults")
    store = Store(f"sqlite:///{center.site.directory}/history.db")
    try:
        assert not store.check()
    finally:
        store.close()
