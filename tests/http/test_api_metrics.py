"""What Prometheus reads: counted once, whoever answers, and never more series than routes and experiments."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.catalog_poller import CatalogPoller
from api.metrics.counts import BOUNDS, MAX_EXPERIMENTS, Decisions, Requests, RouteCounts
from api.metrics.metrics import Metrics
from api.metrics.shared import Shared
from experiments.domain.assignment import Reason
from experiments.storage.experiments.catalog_changes import PolledFeed
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller
from tests.http.conftest import SETTINGS, caller, run_banner
from tests.http.test_api_ofrep import FLAGS, context

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """Read as Prometheus does."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(api: Caller) -> Samples:
    answer = api.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return read(answer.text)


def requests(samples: Samples, method: str, route: str, status: int) -> float | None:
    labels = (("method", method), ("route", route), ("status", str(status)))
    return samples.get(("winnow_http_requests_total", labels))


def test_requests_are_counted_by_rule_and_status(running: Caller) -> None:
    for key in ("banner", "none", "nobody"):
        running.post(f"{FLAGS}/{key}", context())
    running.post(f"{FLAGS}/banner", {})
    running.anonymous().get("/v1/experiments")
    running.get("/no/such/page")
    running.client.open("/v1/experiments", method="BREW")
    samples = scrape(running)
    rule = "/ofrep/v1/evaluate/flags/<string:key>"
    assert [requests(samples, "POST", rule, status) for status in (200, 404, 400)] == [1, 2, 1]
    assert requests(samples, "GET", "/v1/experiments", 401) == 1
    assert requests(samples, "GET", "unmatched", 404) == 1
    assert requests(samples, "other", "unmatched", 405) == 1


def test_latencies_are_counted_into_buckets(running: Caller) -> None:
    for _ in range(3):
        running.get("/healthz")
    samples = scrape(running)
    labels = (("method", "GET"), ("route", "/healthz"))
    assert samples["winnow_http_request_seconds_count", labels] == 3
    buckets = [
        samples["winnow_http_request_seconds_bucket", (("le", bound), *labels)] for bound in (*map(str, BOUNDS), "+Inf")
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3
    assert 0 < samples["winnow_http_request_seconds_sum", labels] < 30


def test_decisions_are_counted_by_experiment_and_reason(running: Caller) -> None:
    running.post("/v1/assignments/batch", {"units": [{"unit_id": f"u{number}"} for number in range(5)]})
    running.post(FLAGS, context())
    running.post("/v1/experiments/banner/pause")
    running.post(f"{FLAGS}/banner", context())
    samples = scrape(running)
    counted = {
        reason: samples.get(("winnow_decisions_total", (("experiment", "banner"), ("reason", reason))))
        for reason in ("assigned", "paused", "stopped")
    }
    assert counted == {"assigned": 6, "paused": 1, "stopped": None}


def test_who_may_read_them(clock: FakeClock) -> None:
    api = caller(MemoryDatabase().unit_of_work, clock)
    assert api.anonymous().get("/metrics").status_code == 401
    assert api.with_scopes("assign", "ingest").get("/metrics").status_code == 403
    assert api.with_scopes("read").get("/metrics").status_code == 200
    public = caller(MemoryDatabase().unit_of_work, clock, replace(SETTINGS, metrics_public=True))
    assert public.anonymous().get("/metrics").status_code == 200


def test_what_is_watched_is_told_and_what_fails_hides_nothing(running: Caller) -> None:
    metrics: Metrics = running.client.application.extensions["metrics"]
    metrics.watch(lambda: {"spool_items": 7, "spool_bytes": 4_096, "unknown": 1})
    metrics.watch(lambda: {"spool_oldest_seconds": 1 / 0})
    poller = CatalogPoller(running.winnow.catalog, PolledFeed(), every_seconds=60)
    metrics.watch(poller.numbers)
    poller.look()
    samples = scrape(running)
    assert samples["winnow_spool_items", ()] == 7
    assert samples["winnow_spool_bytes", ()] == 4_096
    assert ("winnow_unknown", ()) not in samples
    assert ("winnow_spool_oldest_seconds", ()) not in samples
    assert samples["winnow_catalog_version", ()] == running.winnow.catalog.current.version
    assert 0 <= samples["winnow_catalog_age_seconds", ()] < 30
    assert samples["winnow_processes", ()] == 1


def test_the_age_of_the_catalog_grows_while_looking_fails(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = CatalogPoller(running.winnow.catalog, PolledFeed(), every_seconds=60)
    now = time.monotonic()
    monkeypatch.setattr("api.catalog_poller.time.monotonic", lambda: now + 100)
    poller.look()
    monkeypatch.setattr("api.catalog_poller.time.monotonic", lambda: now + 160)
    monkeypatch.setattr(running.winnow.catalog, "refresh", lambda: 1 / 0)
    poller.look()
    assert poller.numbers()["catalog_age_seconds"] == 60


@pytest.mark.parametrize("ago", [60, -3_600], ids=["a minute ago", "before the clock was set back"])
def test_processes_are_added_up_and_one_that_ended_leaves_its_counts(
    clock: FakeClock, tmp_path: Path, ago: float
) -> None:
    settings = replace(SETTINGS, metrics_folder=str(tmp_path))
    database = MemoryDatabase()
    here, there = (caller(database.unit_of_work, clock, settings) for _ in range(2))
    run_banner(here)
    there.winnow.catalog.refresh()
    extensions = there.client.application.extensions
    shared: Shared = extensions["shared_metrics"]
    extensions["metrics"].watch(lambda: {"spool_items": 5, "catalog_version": 3, "catalog_age_seconds": 2})
    here.client.application.extensions["metrics"].watch(
        lambda: {"spool_items": 2, "catalog_version": 4, "catalog_age_seconds": 1}
    )
    for api in (here, there, there):
        assert api.post(f"{FLAGS}/banner", context()).status_code == 200
    shared.stop()
    shared.join(10)
    rule = "/ofrep/v1/evaluate/flags/<string:key>"
    samples = scrape(here)
    assert requests(samples, "POST", rule, 200) == 3
    assert samples["winnow_decisions_total", (("experiment", "banner"), ("reason", "assigned"))] == 3
    assert samples["winnow_spool_items", ()] == 7
    assert samples["winnow_catalog_version", ()] == 3
    assert samples["winnow_catalog_age_seconds", ()] == 2
    assert samples["winnow_processes", ()] == 2
    os.utime(shared._file, (time.time() - ago,) * 2)
    (tmp_path / "torn.json").write_text('{"requests"')
    later = scrape(here)
    assert requests(later, "POST", rule, 200) == 3
    assert samples["winnow_cpu_seconds_total", ()] > 0
    assert (later["winnow_spool_items", ()], later["winnow_processes", ()]) == (2, 1)
    here.client.application.extensions["shared_metrics"].stop()


def test_counters_never_fall_when_another_process_is_asked_next(tmp_path: Path) -> None:
    here, there = Metrics(), Metrics()
    first, second = (Shared(metrics, tmp_path) for metrics in (here, there))
    here.requests.route("GET", "/").observe(200, 0.001)
    for asked in (first, second):
        told = [route["statuses"] for picture in asked.pictures() for route in picture["requests"]]
        assert told == [{"200": 1}]


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    shared = Shared(Metrics(), tmp_path / "gone")
    shared.leave()
    shared.leave()
    assert len(shared.pictures()) == 1


def test_a_picture_is_json_of_a_few_hundred_bytes_per_route() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.requests.route("GET", f"/{number}").observe(200, 0.001)
    assert len(json.dumps(metrics.picture())) < 50 * 250


def test_a_latency_falls_into_the_bucket_that_bounds_it() -> None:
    counts = RouteCounts()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 1e-9, BOUNDS[-1], BOUNDS[-1] + 1):
        counts.observe(200, seconds)
    assert counts.by_bucket == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 1]


def test_threads_lose_no_count() -> None:
    route, decisions = Requests().route("GET", "/"), Decisions()
    slot = decisions.slot("banner", Reason.ASSIGNED)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def count(_: int) -> None:
        for _ in range(20_000):
            route.observe(200, 0.5)
            decisions.by_slot[slot] += 1

    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))
    finally:
        sys.setswitchinterval(before)
    assert (route.by_status[200], sum(route.by_bucket), decisions.by_slot[slot]) == (160_000,) * 3
    assert route.seconds == 80_000


def test_there_are_never_more_experiments_than_so_many() -> None:
    decisions = Decisions()
    for number in range(MAX_EXPERIMENTS + 50):
        decisions.by_slot[decisions.slot(f"e{number}", Reason.ASSIGNED)] += 1
    told = {experiment: count for experiment, _, count in decisions.items()}
    assert len(told) == MAX_EXPERIMENTS + 1
    assert told["other"] == 50
    assert told["e0"] == 1


def test_an_experiment_that_nobody_asked_for_has_no_series(running: Caller) -> None:
    running.post("/v1/experiments", {**BANNER, "key": "draft"})
    assert not [labels for name, labels in scrape(running) if name == "winnow_decisions_total"]
