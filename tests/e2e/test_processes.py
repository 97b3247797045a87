"""Server and worker as processes: how they begin, and how they end when asked to."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from experiments.bootstrap import build
from experiments.cli.serve import default_threads
from experiments.services.keys import Scope
from experiments.settings import Settings
from experiments.spool.listing import spooled
from experiments.worker.lease import LEASE
from tests.e2e.load import start_offer
from tests.e2e.processes import COMMAND, ROOT, Server, environment, new_key, serving, winnow


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_in_good_order(sqlite_url: str, tmp_path: Path, number: int) -> None:
    with serving(sqlite_url, tmp_path / "server.log") as server:
        assert server.end(number) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.address}/healthz")


def test_a_server_starts_without_a_warning(sqlite_url: str, tmp_path: Path) -> None:
    with serving(sqlite_url, tmp_path / "server.log", settings={"WINNOW_LOG_LEVEL": "info"}) as server:
        told = server.log.read_text()
    assert f"Listening at: {server.address}" in told
    assert "WARNING" not in told
    assert "ignoring" not in told


@pytest.mark.parametrize(("cores", "threads"), [(None, 3), (1, 3), (2, 5), (3, 7), (4, 8), (64, 8)])
def test_a_server_has_no_more_threads_than_its_cores_serve(cores: int | None, threads: int) -> None:
    assert default_threads(cores) == threads


ITEMS = [{"type": "event", "event_id": f"e{n}", "unit_id": f"u{n}", "name": "visit"} for n in range(20)]


@contextmanager
def spool_in_use(sqlite_url: str, log: Path) -> Iterator[tuple[Server, httpx.Client, sqlite3.Connection]]:
    """A server with one thread, of whose spool's file somebody else is the writer: nothing can be stored meanwhile."""
    with serving(sqlite_url, log, threads=1) as server:
        start_offer(server.address, new_key(sqlite_url, Scope.ADMIN))
        headers = {"Authorization": f"Bearer {new_key(sqlite_url, Scope.INGEST, Scope.ASSIGN)}"}
        with httpx.Client(base_url=server.address, headers=headers, timeout=15) as client:
            # Flask answers the first of each kind, and waits as it does.
            assert record(client, {**ITEMS[0], "event_id": "first"}) == 202
            assert client.post("/v1/assignments", json={"unit_id": "first"}).status_code == 200
            [spool] = [one.path for one in spooled(server.spool_folder)]
            with closing(sqlite3.connect(spool, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield server, client, other


def record(client: httpx.Client, item: dict[str, str]) -> int:
    return client.post("/v1/events", json={"items": [item]}).status_code


def stored_ids(sqlite_url: str) -> list[str]:
    with create_engine(sqlite_url).connect() as connection:
        return sorted(connection.execute(text("SELECT event_id FROM events")).scalars())


def test_with_one_thread_a_server_answers_while_many_wait_for_the_disk(sqlite_url: str, tmp_path: Path) -> None:
    with (
        spool_in_use(sqlite_url, tmp_path / "server.log") as (server, client, other),
        ThreadPoolExecutor(len(ITEMS)) as pool,
    ):
        waiting = [pool.submit(record, client, item) for item in ITEMS]
        for _ in range(10):
            assert client.post("/v1/assignments", json={"unit_id": "first"}).status_code == 200
        assert not any(one.done() for one in waiting)
        other.execute("ROLLBACK")
        assert {one.result(20) for one in waiting} == {202}
        server.wait_until_drained()
    assert stored_ids(sqlite_url) == sorted(["first", *(item["event_id"] for item in ITEMS)])


def test_who_waits_for_the_disk_is_answered_before_a_server_ends(sqlite_url: str, tmp_path: Path) -> None:
    with (
        spool_in_use(sqlite_url, tmp_path / "server.log") as (server, client, other),
        ThreadPoolExecutor(len(ITEMS)) as pool,
    ):
        waiting = [pool.submit(record, client, item) for item in ITEMS]
        time.sleep(1.5)  # until they are there; those that are not would be refused
        assert client.post("/v1/assignments", json={"unit_id": "first"}).status_code == 200
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert not any(one.done() for one in waiting)
        other.execute("ROLLBACK")
        assert {one.result(20) for one in waiting} == {202}
        assert server.process.wait(20) == 0
    assert stored_ids(sqlite_url) == sorted(["first", *(item["event_id"] for item in ITEMS)])


def test_a_server_migrates_first_where_it_is_told_to(empty_sqlite_url: str, tmp_path: Path) -> None:
    with serving(empty_sqlite_url, tmp_path / "server.log", migrate=True) as server:
        assert httpx.get(f"{server.address}/readyz").json()["status"] == "ready"


def test_a_server_refuses_a_database_that_is_not_migrated(empty_sqlite_url: str) -> None:
    refused = winnow(empty_sqlite_url, "serve", "--port", "1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("winnow: database_not_migrated: ")
    assert "Traceback" not in refused.stderr


def test_a_worker_that_is_told_to_end_gives_its_lease_back(sqlite_url: str) -> None:
    services = build(Settings(database_url=sqlite_url))

    def lease_is_free() -> bool:
        with services.open_unit_of_work() as work:
            taken = work.leases.acquire(LEASE, holder="test", now=services.clock(), ttl_seconds=1)
            work.leases.release(LEASE, holder="test")
            work.commit()
        return taken

    arguments = [*COMMAND, "worker", "--interval", "0.2"]
    process = subprocess.Popen(arguments, cwd=ROOT, env=environment(sqlite_url), start_new_session=True)
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        wait_until(lambda: not lease_is_free())
        standing_by = winnow(sqlite_url, "worker", "--once")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        guard.cancel()
        process.kill()
        process.wait()
    assert standing_by.returncode == 1
    assert lease_is_free()
