"""What became of items, as Prometheus reads it: each counted once, in no more series than there are codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from api.metrics.items import ACCEPTED_EVENTS, MAX_CODES, Items
from api.metrics.metrics import Metrics
from experiments.domain.errors import Unavailable
from experiments.domain.event import ItemStatus, ItemVerdict
from experiments.services.recording.record import Recorder
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import Caller
from tests.http.conftest import SETTINGS, caller, run_banner
from tests.http.test_api_events import EVENT, EXPOSURE
from tests.http.test_api_metrics import scrape

Counted = dict[tuple[str, str, str], float]


def counted(api: Caller) -> Counted:
    """Return what was counted at all, by kind, status and code."""
    found = {
        (labels["kind"], labels["status"], labels["code"]): value
        for (name, pairs), value in scrape(api).items()
        if name == "winnow_items_total" and (labels := dict(pairs))
    }
    return {name: value for name, value in found.items() if value}


def rejected(code: str) -> ItemVerdict:
    return ItemVerdict(event_id="e1", status=ItemStatus.REJECTED, code=code)


def test_items_are_counted_by_what_became_of_them(running: Caller) -> None:
    items = [
        EVENT,
        EXPOSURE,
        {**EVENT, "event_id": "e2", "value": "3"},
        EVENT,
        {**EXPOSURE, "event_id": "x2", "variant": "b"},
        {**EXPOSURE, "event_id": "x3", "variant": "b"},
        "what",
        {**EVENT, "type": ["event"]},
        {**EVENT, "event_id": "e3", "value": 3},
    ]
    running.post("/v1/events", {"items": items})
    running.post("/v1/events", {"items": [EXPOSURE]})
    assert counted(running) == {
        ("event", "accepted", ""): 2,
        ("event", "duplicate", ""): 1,
        ("event", "rejected", "invalid"): 1,
        ("exposure", "accepted", ""): 1,
        ("exposure", "duplicate", ""): 1,
        ("exposure", "rejected", "exposure_mismatch"): 2,
        ("other", "rejected", "type"): 1,
        ("other", "rejected", "type_unknown"): 1,
    }


def test_a_batch_that_was_not_stored_is_not_counted(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("database_unavailable", "The database does not answer.")

    monkeypatch.setattr(Recorder, "record", away)
    assert running.post("/v1/events", {"items": [EVENT]}).status_code == 503
    assert counted(running) == {}


def test_processes_are_added_up_and_pictures_of_older_releases_read(clock: FakeClock, tmp_path: Path) -> None:
    database = MemoryDatabase()
    here, there = (
        caller(database.unit_of_work, clock, replace(SETTINGS, metrics_folder=str(tmp_path))) for _ in range(2)
    )
    run_banner(here)
    for number, api in enumerate((here, there, there)):
        api.post("/v1/events", {"items": [{**EVENT, "event_id": f"e{number}"}, {**EVENT, "name": "two words"}]})
    older = {name: value for name, value in Metrics().picture().items() if name != "items"}
    (tmp_path / "older.json").write_text(json.dumps(older))
    shared = [api.client.application.extensions["shared_metrics"] for api in (here, there)]
    for one in shared:
        one.stop()
        one.join(10)
    assert counted(here) == {("event", "accepted", ""): 3, ("event", "rejected", "key_invalid"): 3}


def test_there_are_never_more_codes_than_so_many() -> None:
    items = Items()
    for number in range(MAX_CODES + 50):
        items.count([EVENT, EXPOSURE], [rejected(f"code_{number}")] * 2)
    told = dict(items.items())
    assert told["event", "rejected", "other"] == told["exposure", "rejected", "other"] == 50
    assert told["event", "rejected", "code_0"] == told["exposure", "rejected", f"code_{MAX_CODES - 1}"] == 1
    assert len({code for _, _, code in told}) == MAX_CODES + 2


def test_whole_batches_are_added_to_the_same_count() -> None:
    items = Items()
    items.by_slot[ACCEPTED_EVENTS] += 1_000
    items.count([EVENT], [ItemVerdict(event_id="e1", status=ItemStatus.ACCEPTED)])
    assert dict(items.items())["event", "accepted", ""] == 1_001
