"""What the client reports, once and as the server takes it: exposures, events, and what it refuses by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer
from harness import made

from winnow_client import Client


def test_events_arrive_as_the_api_wants_them(server: FakeServer) -> None:
    server.catalog = catalog(experiment())
    at = datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1)))
    with made(server) as client:
        client.ready()
        shown = client.assign("Müller", {}, "banner")
        assert client.expose("Müller", shown, occurred_at=at)
        assert client.track("Müller", "purchase", 12.5, event_id="order-7", occurred_at=at)
        assert client.flush()
        sent = client.stats().sent
    items = [item for asked in server.requests("/v1/events") for item in asked.body["items"]]
    exposure, event = items
    assert {**exposure, "event_id": "?"} == {
        "type": "exposure", "event_id": "?", "unit_id": "Müller", "experiment": "banner", "version": 3,
        "segment": "everyone", "variant": shown.variant, "occurred_at": "2026-01-05T09:00:00+00:00",
    }  # fmt: skip
    assert event == {
        "type": "event", "event_id": "order-7", "unit_id": "Müller", "name": "purchase", "value": 12.5,
        "occurred_at": "2026-01-05T09:00:00+00:00",
    }  # fmt: skip
    assert (sent.accepted, sent.duplicate, sent.rejected, sent.dropped) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    "unfit",
    [
        *({"name": name} for name in ("", "last words", "-view", "ü", "view\n", "x" * 101, "x" * 6_000_000)),
        *({"event_id": event_id} for event_id in ("a\nb", "\ud800", "x" * 513)),
    ],
    ids=lambda unfit: f"{unfit!r:.20}",
)
def test_what_the_server_takes_of_nobody_is_refused_at_once(server: FakeServer, unfit: dict[str, Any]) -> None:
    told: list[str] = []
    with made(server, told) as client:
        assert not client.track(**{"unit_id": "u1", "name": "view", **unfit})
        assert "its unit id, name, event id, value or time is unfit" in told[-1]
        assert len(told[-1]) < 250
        assert client.track("u1", "A-b._c7", event_id="😀" * 512)
        assert client.flush()
    assert client.stats().sent.accepted == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "12", True, 10**400])
def test_an_unfit_value_is_not_taken(server: FakeServer, value: Any) -> None:
    with made(server) as client:
        assert not client.track("u1", "purchase", value)


@pytest.mark.parametrize("unfit", [{"name": 7}, {"event_id": object()}, {"occurred_at": "now"}])
def test_nothing_that_is_no_event_is_taken(server: FakeServer, unfit: dict[str, Any]) -> None:
    told: list[str] = []
    with made(server, told) as client:
        assert not client.track(**{"unit_id": "u1", "name": "view", **unfit})
        assert client.track("u1", "view")
        assert client.flush()
    assert any("unfit" in line for line in told)


def test_asking_is_showing_where_the_experiment_says_so(server: FakeServer) -> None:
    """The id is what the server gives to the same exposure: see `experiments/services/assigning/assign.py`."""
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    with made(server) as client:
        client.ready()
        for _ in range(3):
            shown = client.assign("ann", {}, "banner")
        client.assign_all("ann")
        client.flush()
    # printf 'banner\x1f2\x1feveryone\x1f<variant>\x1fann' | sha256sum
    hashes = {
        "a": "assigned-" + "4035c5e75c76b28e7021fe8078d333e267fe6ae13c25fab05ce1429a366d9f4e",
        "b": "assigned-" + "c50a1be6b5440c70e65e7b7235d749994efedf0baea81deedf6b342da0b87f16",
    }
    assert list(server.stored) == [hashes[shown.variant or ""]]


def test_an_exposure_that_was_refused_is_reported_when_it_is_implied_again(server: FakeServer) -> None:
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    server.unwilling = {"ann"}
    with made(server, interval_seconds=60) as client:
        client.ready()
        for unit in ("bob", "ann", "cay"):
            client.assign(unit, {}, "banner")
        assert client.flush()
        server.unwilling = set()
        # Nothing is sent again by itself.
        assert client.stats().waiting == 0
        for unit in ("bob", "ann", "cay", "ann"):
            client.assign(unit, {}, "banner")
        assert client.flush()
        sent = client.stats().sent
    posted = [[item["unit_id"] for item in asked.body["items"]] for asked in server.requests("/v1/events")]
    assert posted == [["bob", "ann", "cay"], ["ann"]]
    assert (sent.accepted, sent.rejected) == (3, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_exposure_whose_batch_was_dropped_is_reported_when_it_is_implied_again(
    server: FakeServer, status: int
) -> None:
    server.catalog = catalog(experiment(exposure_policy="on_assignment"))
    server.refusals = [(status, {})]
    with made(server, interval_seconds=60) as client:
        client.ready()
        for _ in range(3):
            client.assign("ann", {}, "banner")
            assert client.flush()
        sent = client.stats().sent
    assert (sent.accepted, sent.dropped, sent.duplicate) == (1, 1, 0)


def test_who_is_not_counted_is_not_exposed(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server) as client:
        client.ready()
        assert not client.expose("ann", client.assign("ann", {}, "banner"))


def test_instants_are_of_now_in_utc(server: FakeServer) -> None:
    with made(server) as client:
        client.track("u1", "view")
        client.flush()
    (item,) = server.stored.values()
    assert abs(datetime.fromisoformat(item["occurred_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_channel_goes_on_all_that_is_reported(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={}))
    with made(server, channel="store") as client:
        assert client.ready()
        shown = client.assign("ann", {}, "banner")
        assert shown.counted
        client.expose("ann", shown)
        client.track("ann", "visit")
        assert client.flush()
    items = [item for asked in server.requests("/v1/events") for item in asked.body["items"]]
    assert len(items) >= 2
    assert {item["type"] for item in items} == {"exposure", "event"}
    assert {item["channel"] for item in items} == {"store"}
    with pytest.raises(ValueError, match="call_centre"):
        Client(server.url, KEY, channel="fax")
