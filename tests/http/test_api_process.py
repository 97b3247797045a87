"""The process around the app: what it loads, its secret, its looks at the database, its log, a real database."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api import logs
from api.app import create_app
from api.catalog_poller import CatalogPoller
from experiments.bootstrap import Winnow
from experiments.domain.errors import InvalidInput, Unavailable
from experiments.secret import secret_key
from experiments.settings import Settings
from experiments.storage.experiments.catalog_changes import PolledFeed
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller
from tests.http.conftest import SETTINGS, caller, run_banner

ROOT = Path(__file__).parents[2]
LIGHT = """
import sys
from api.app import create_app
from experiments.settings import Settings
app = create_app(Settings(database_url=sys.argv[1], secret_key="s" * 40))
client = app.test_client()
assert client.get("/healthz").status_code == 200
assert client.get("/v1/experiments").status_code == 401
heavy = ("statsmodels", "pandas", "scipy", "duckdb", "ibis", "pyarrow", "numpy", "sklearn", "analysis", "segmentation")
print(sorted(name for name in heavy if name in sys.modules))
"""


def test_no_web_process_loads_the_numbers(sqlite_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIGHT, sqlite_url], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


@pytest.mark.parametrize("url", ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.slow)])
def test_the_whole_way_on_a_real_database(request: pytest.FixtureRequest, url: str, clock: FakeClock) -> None:
    database = open_database(request.getfixturevalue(url))
    api = run_banner(caller(database.unit_of_work, clock))
    (shown,) = api.post("/v1/assignments", {"unit_id": "u1"}).json["assignments"]
    claim = {name: shown[name] for name in ("experiment", "version", "segment", "variant")}
    items = [
        {"type": "exposure", "event_id": "1", "unit_id": "u1", **claim},
        {"type": "event", "event_id": "1", "unit_id": "u1", "name": "visit"},
    ]
    for expected in ("accepted", "duplicate"):
        assert api.post("/v1/events", {"items": items}).json[expected] == 2
    before = api.get("/v1/experiments/banner")
    assert before.json["started_at"] == "2026-01-05T09:00:00+00:00"
    same = api.put("/v1/experiments/banner", before.json["definition"], If_Match=before.headers["ETag"])
    assert (same.status_code, same.json) == (200, before.json)
    renamed = before.json["definition"] | {"name": "Another name"}
    after = api.put("/v1/experiments/banner", renamed, If_Match=before.headers["ETag"])
    assert after.json["definition"] == renamed
    assert [item["version"] for item in api.get("/v1/experiments/banner/versions").json["items"]] == [1, 2]
    assert api.get("/readyz").status_code == 200
    database.close()


def test_a_database_that_was_never_migrated_is_told_by_readiness(empty_sqlite_url: str) -> None:
    client = create_app(Settings(database_url=empty_sqlite_url, secret_key="s" * 40)).test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["code"]) == (503, "database_not_migrated")


def test_a_given_secret_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    given = "g" * 32
    assert secret_key(Settings(secret_key=given), tmp_path / "var" / "key") == given
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_for_us_alone(tmp_path: Path) -> None:
    kept = tmp_path / "var" / "key"
    made = secret_key(Settings(), kept)
    assert len(made) >= 64
    assert secret_key(Settings(), kept) == made
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list(kept.parent.iterdir()) == [kept]


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def make(_: int) -> str:
        start.wait()
        return secret_key(Settings(), tmp_path / "var" / "key")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["key"]


def test_a_secret_that_cannot_be_kept_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="Set WINNOW_SECRET_KEY"):
        secret_key(Settings(), tmp_path / "file" / "key")
    (tmp_path / "short").write_text("short")
    with pytest.raises(InvalidInput, match="too short"):
        secret_key(Settings(), tmp_path / "short")


def test_the_poller_outlives_an_outage_and_tells_of_it_once(
    winnow: Winnow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "winnow.catalog")
    looked, recovered = threading.Semaphore(0), threading.Event()
    refresh = winnow.catalog.refresh
    failures = iter([Unavailable("database_unavailable", "Later."), RuntimeError("worse"), OSError("much worse")])

    def failing() -> Any:
        looked.release()
        failure = next(failures, None)
        if failure is not None:
            raise failure
        recovered.set()
        return refresh()

    monkeypatch.setattr(winnow.catalog, "refresh", failing)
    good = winnow.catalog.current
    poller = CatalogPoller(winnow.catalog, PolledFeed(), every_seconds=0.001)
    poller.start()
    try:
        assert recovered.wait(10)
    finally:
        poller.stop()
        poller.join(10)
    assert not poller.is_alive()
    assert poller.daemon
    assert winnow.catalog.current is good
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_the_poller_brings_what_another_process_did(clock: FakeClock) -> None:
    database = open_database("memory://")
    here, there = caller(database.unit_of_work, clock), caller(database.unit_of_work, clock)
    poller = CatalogPoller(there.winnow.catalog, PolledFeed(), every_seconds=60)
    run_banner(here)
    assert there.post("/v1/assignments", {"unit_id": "u"}).json == {"assignments": []}
    poller.look()
    assert len(there.post("/v1/assignments", {"unit_id": "u"}).json["assignments"]) == 1


def test_every_request_but_a_probe_is_one_line_of_json_with_its_id(
    api: Caller, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    logs.configure(level="info", as_json=True)
    api.get("/v1/experiments", X_Request_Id="abc")
    api.get("/healthz")
    api.anonymous().get("/v1/nothing")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["method"], first["path"], first["status"], first["key"]) == ("GET", "/v1/experiments", 200, "root")
    assert (first["event"], first["level"], first["request_id"]) == ("request", "info", "abc")
    assert (second["path"], second["status"], second["key"]) == ("/v1/nothing", 404, None)
    assert str(api.key) not in str(first)


def test_with_secure_cookies_pages_are_sent_to_https_and_probes_are_not(clock: FakeClock) -> None:
    settings = Settings(database_url="memory://", secret_key="s" * 40, secure_cookies=True)
    api = caller(open_database("memory://").unit_of_work, clock, settings)
    assert api.get("/docs").headers["Location"] == "https://localhost/docs"
    assert api.get("/healthz").status_code == 200
    assert api.get("/readyz").status_code == 200
    assert api.client.application.config["SESSION_COOKIE_SECURE"] is True
    behind_a_proxy = api.get("/docs", X_Forwarded_Proto="https")
    assert behind_a_proxy.status_code == 200
    assert behind_a_proxy.headers["Strict-Transport-Security"].startswith("max-age=")


def test_without_origins_nothing_is_shared(clock: FakeClock) -> None:
    settings = Settings(database_url="memory://", secret_key="s" * 40)
    api = caller(open_database("memory://").unit_of_work, clock, settings)
    answer = api.get("/v1/experiments", Origin=SETTINGS.cors_origins[0])
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_authors_on_two_threads_never_overwrite_each_other(library: Caller) -> None:
    library.post("/v1/experiments", BANNER)
    start = threading.Barrier(8)

    def edit(number: int) -> int:
        start.wait()
        caller_of_its_own = Caller(library.client.application.test_client(), library.winnow, library.key)
        body = {**BANNER, "name": f"By {number}"}
        return caller_of_its_own.put("/v1/experiments/banner", body, If_Match='"1"').status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(edit, range(8))) == [200] + [412] * 7
    assert library.get("/v1/experiments/banner").json["revision"] == 2
