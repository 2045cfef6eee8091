"""A database with its schema: SQLite in a temporary directory, or PostgreSQL, which `make provide` installs."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh_store import PostgresTemplate, fresh_store

from ccserver.store.database import Store

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a module names in `ON_POSTGRESQL`, or all of it, is tried on both."""
    if "store" in metafunc.fixturenames:
        both = getattr(metafunc.module, "ON_POSTGRESQL", False)
        is_both = both is True or (both and metafunc.function.__name__ in both)
        kinds = ["sqlite", "postgresql"] if is_both else ["sqlite"]
        metafunc.parametrize("store", kinds, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        made = fresh_store(f"sqlite:///{tmp_path}/history.db", busy_s=60.0)
    else:
        made = request.getfixturevalue("postgresql").fresh()
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresTemplate]:
    """A server of our own, on a socket."""
    assert PROGRAMS, "there is no PostgreSQL here; `make provide` installs it (Debian: postgresql)"
    folder = Path("/tmp") / f"ccserver-postgresql-{os.getpid()}"  # the path of a socket is short
    folder.mkdir(mode=0o700)
    owner: dict[str, Any] = {}
    if os.getuid() == 0:  # which PostgreSQL does not run as
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(*arguments: object) -> None:
        subprocess.run([str(each) for each in arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **owner)

    data, programs = folder / "data", PROGRAMS[-1]
    control = (programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
    try:
        run(programs / "initdb", "-D", data, "-A", "trust", "-U", "cc", "-E", "UTF8", "--no-sync")
        run(*control, "-o", f"-k {folder} -c listen_addresses= -c fsync=off", "start")
        template = PostgresTemplate(f"postgresql+psycopg://cc@/postgres?host={folder}")
        yield template
        template.close()
        run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
