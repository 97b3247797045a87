"""The processes of one server answer Prometheus with one sum, whichever of them is asked."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from experiments.services.keys import Scope
from tests.e2e.processes import Server, free_port, new_key

pytestmark = pytest.mark.slow
ASKED = 60


def read(server: Server, key: str) -> dict[str, float]:
    text = httpx.get(f"{server.address}/metrics", headers={"Authorization": f"Bearer {key}"}).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {sample.name: sample.value for sample in samples if not sample.labels}
    route = {"method": "GET", "route": "/v1/experiments", "status": "200"}
    asked = [sample.value for sample in samples if sample.labels == route]
    return {**found, "asked": asked[0] if asked else 0}


def test_workers_and_streams_are_counted_together(sqlite_url: str, tmp_path: Path) -> None:
    port = free_port()
    more = {"WINNOW_STREAM_URL": f"http://127.0.0.1:{port}", "WINNOW_STREAM_PORT": str(port)}
    server = Server(url=sqlite_url, log=tmp_path / "serve.log", workers=2, settings=more)
    try:
        server.start()
        key = new_key(sqlite_url, Scope.READ)
        for _ in range(ASKED):  # a connection each, so that both workers get some
            answer = httpx.get(f"{server.address}/v1/experiments", headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            told = read(server, key)
            if told["asked"] == ASKED and told["winnow_processes"] == 3:
                break
            time.sleep(0.2)
        for _ in range(6):
            told = read(server, key)
            assert told["asked"] == ASKED
            assert (told["winnow_processes"], told["winnow_streams"]) == (3, 0)
            assert told["winnow_catalog_age_seconds"] < 30
            assert told["winnow_resident_memory_bytes"] > 3 * 10_000_000
        assert server.end() == 0
    finally:
        server.clean_up()
