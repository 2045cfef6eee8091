"""Fixtures for tests against a real Asterisk and real SIP phones.

A worker of pytest (`-n 4 --dist loadfile`) moves into a network and mount namespace of its own at its first test here;
so each test module has its own Asterisk on the usual ports.  Tests are `async def`, on one event loop per worker.
A missing Asterisk or phone is a failure, never a skip.
"""

import asyncio
import fcntl
import inspect
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest
from harness.carrier import Carrier
from harness.center import Center, Site, password_of, write_prompts
from harness.ledger import Ledger
from harness.observer import ACCOUNT, Observer
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import asterisk_root, namespace
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import AsteriskPlan, SipAccount, Trunk
from ccserver.lab.carrier import SECOND_TRUNK, carrier_plan
from ccserver.lab.phones import PhoneProcess

AGI_PORT = 4573
TEST_DEADLINE_S = 240.0
NUMBERS = tuple(str(number) for number in range(1001, 1009))


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as loop:
        yield loop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"deadline(seconds): a test that may take longer than {TEST_DEADLINE_S} s")
    config.addinivalue_line(
        "markers", "alone: a module that judges sound by the sample; it has the machine to itself, after all others"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with many tests first, so that none of them is left for one worker at the end; those that are alone last."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("alone") is not None, -tests[item.path], item.path))


@pytest.fixture(scope="module", autouse=True)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The workers share it; a module that is `alone` waits until the others' modules are over, and they for its end."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    is_alone = request.node.get_closest_marker("alone") is not None
    with (tmp_path_factory.getbasetemp().parent / "machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on the worker's loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    loop: asyncio.Runner = pyfuncitem._request.getfixturevalue("runner")
    marked = pyfuncitem.get_closest_marker("deadline")
    deadline_s = marked.args[0] if marked is not None else TEST_DEADLINE_S
    loop.run(_alone(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}), deadline_s))
    return True


async def _alone(test: Coroutine[object, object, None], deadline_s: float) -> None:
    """Run a test and end the tasks it leaves behind when it fails: they would speak up in the middle of a later one."""
    others = asyncio.all_tasks()
    try:
        await asyncio.wait_for(test, deadline_s)
    finally:
        left = asyncio.all_tasks() - others
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@pytest.fixture(scope="session")
def asterisk_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system with Asterisk; made before the network is given up.

    What the worker's tests write is in memory: Asterisk syncs its database while it registers phones, and a disk that many
    tests sync at once would hold it up for seconds.
    """
    source = asterisk_root.provide()
    namespace.enter()
    namespace.mount_memory(tmp_path_factory.getbasetemp(), "4g")
    return source


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    """The site's values; a module that needs others overrides this fixture."""
    write_prompts(shared_directory)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        comfort_sound=str(shared_directory / "prompts" / "en" / "cc-comfort"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that means the same to Asterisk and to us: recordings, prompts, music."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def more_trunks() -> tuple[Trunk, ...]:
    """Carriers besides `carrier`, each at an address of its own; a module with callers of another kind overrides this fixture."""
    return ()


@pytest.fixture(scope="module")
def pbx(
    asterisk_source: Path,
    site_values: AsteriskValues,
    more_trunks: tuple[Trunk, ...],
    shared_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Asterisk]:
    """One Asterisk for the module: phones 1001 to 1008, the trunks `carrier` at 127.0.0.2 and `carrier2` at 127.0.0.22."""
    directory = tmp_path_factory.mktemp("pbx")
    plan = AsteriskPlan(
        directory=directory,
        values=site_values,
        accounts=tuple(SipAccount(number=number, password=password_of(number)) for number in NUMBERS),
        shared=(shared_directory,),
        more_trunks=(SECOND_TRUNK, *more_trunks),
        extra={"manager.conf": ACCOUNT},
    )
    with Asterisk(plan, asterisk_source) as running:
        yield running
        assert running.is_running, f"Asterisk died\n{running.tail()}"


@pytest.fixture(scope="module")
def network(asterisk_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """The other end of the trunks, for the module: `ccserver.lab.carrier` says who answers what."""
    with Asterisk(carrier_plan(tmp_path_factory.mktemp("network"), manager=ACCOUNT), asterisk_source) as running:
        yield running
        assert running.is_running, f"the network died\n{running.tail()}"


@pytest.fixture
def carrier(pbx: Asterisk, network: Asterisk, runner: asyncio.Runner) -> Iterator[Carrier]:
    """The network for one test: nothing was called before, and no call is left at its end."""
    found = runner.run(Carrier.connect(network))
    yield found
    runner.run(found.close())


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The settings of the module's center; a module with other ones overrides this fixture."""
    return Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: Site, runner: asyncio.Runner) -> Iterator[Center]:
    """The daemon on the module's Asterisk. A healthy test has no repair and no fault; one that makes them checks itself."""
    running = runner.run(Center.start(pbx, site))
    yield running
    if running.daemon.is_running:
        assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


@pytest.fixture
def ami(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[Observer]:
    """An observer on AMI, logged in."""
    observer = runner.run(Observer.connect(pbx.plan.values.ami_port))
    yield observer
    runner.run(observer.close())


@pytest.fixture
def phones(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[PhoneProcess]:
    """An empty process for phones, for one test."""
    process = runner.run(PhoneProcess.start())
    yield process
    runner.run(process.close())


@pytest.fixture
def books(center: Center, runner: asyncio.Runner) -> Iterator[Ledger]:
    """The history of this test; checked when its phones are gone."""
    runner.run(center.log_everybody_out())
    ledger = Ledger(center)
    yield ledger
    runner.run(ledger.check())


@pytest.fixture
def desk(books: Ledger, pbx: Asterisk, runner: asyncio.Runner) -> Iterator[PhoneProcess]:
    """A second process for phones: one that can vanish, or fall silent, while the others go on."""
    process = runner.run(PhoneProcess.start())
    yield process
    runner.run(process.close())


def channels_of(running: Asterisk) -> list[str]:
    """The channels that are left, without those that Asterisk itself forgot.

    Bridge() takes a caller out of AGI by a masquerade. When the caller's BYE comes in just that moment, Asterisk may keep the
    other half, `Surrogate/…`, for ever: its thread has ended, nothing hangs it up, and no event tells of it.
    """
    return [name for name in running.channels() if not name.startswith("Surrogate/")]


@pytest.fixture(autouse=True)
def nothing_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test (and after its phones are gone) no channel and no bridge is left in Asterisk."""
    if "pbx" not in request.fixturenames:
        yield
        return
    running: Asterisk = request.getfixturevalue("pbx")
    loop: asyncio.Runner = request.getfixturevalue("runner")
    yield
    if not running.is_running:
        return  # the test killed it; `pbx` complains unless it was started again
    try:
        loop.run(until(lambda: not channels_of(running), what="an Asterisk without channels"))
    except AssertionError as left:
        raise AssertionError(f"{left}\n{running.channels()}") from None
    bridges = running.cli("bridge show all").splitlines()[1:]
    assert not [line for line in bridges if line.strip()], bridges
