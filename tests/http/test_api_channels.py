"""A channel on events, exposures and questions, in both lanes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from experiments.bootstrap import Winnow, build
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.golden.reference import bucket
from tests.http.api_client import BANNER, Caller
from tests.http.conftest import run_banner
from tests.http.lanes import Lanes

EVERYTHING = Watermark(exposure_id=10**9, event_id=10**9, at=FakeClock().now)


def shown(unit_id: str, salt: str) -> str:
    return "a" if bucket(f"{salt}/variant", unit_id) < 5_000 else "b"


@pytest.fixture
def spooled(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Caller]:
    """A running banner on SQLite, with a spool, so that the lane takes events."""
    settings = Settings(database_url=sqlite_url, secret_key="s" * 40, spool_dir=tmp_path / "spool")
    winnow = build(settings, clock=clock, spooled=True)
    key = winnow.keys.create("root", frozenset({"admin"}), actor="test").text
    yield run_banner(Caller(client=create_app(winnow=winnow).test_client(), winnow=winnow, key=key))
    assert winnow.spool is not None
    winnow.spool.close(within_seconds=5)


def drained(winnow: Winnow) -> list[tuple[str, str | None]]:
    assert winnow.spool is not None
    winnow.spool.close(within_seconds=5)
    with winnow.open_unit_of_work(read_only=True) as work:
        rows = [row for batch in work.log.exposures("banner", EVERYTHING) for row in batch]
    return sorted((row[0], row[5]) for row in rows)


def exposure(unit_id: str, salt: str, **more: object) -> dict[str, object]:
    said = {"experiment": "banner", "version": 1, "segment": "mens", "variant": shown(unit_id, salt)}
    return {"type": "exposure", "event_id": f"x-{unit_id}", "unit_id": unit_id, **said, **more}


def salt_of(there: Caller) -> str:
    return there.winnow.catalog.current.live["banner"].experiment.definition.salt


def test_both_lanes_take_channels_and_say_the_same(spooled: Caller) -> None:
    lanes, salt = Lanes.of(spooled), salt_of(spooled)
    lanes.fast("/v1/events", b'{"items":[{"type":"event","event_id":"first","unit_id":"u","name":"visit"}]}')
    for turn, channel in enumerate([{"channel": "app"}, {"channel": None}, {}, {"channel": "call_centre"}]):
        event = {"type": "event", "event_id": f"e{turn}", "unit_id": "u1", "name": "visit", **channel}
        body = json.dumps({"items": [event, exposure(f"u{turn}", salt, **channel)]}).encode()
        told = lanes.same("/v1/events", body)
        assert (told.status, told.by_flask, json.loads(told.body)["accepted"]) == ("202 ACCEPTED", False, 2)
    assert drained(spooled.winnow) == [("u0", "app"), ("u1", None), ("u2", None), ("u3", "call_centre")]


def test_what_is_no_channel_is_refused_item_by_item(spooled: Caller) -> None:
    lanes, salt = Lanes.of(spooled), salt_of(spooled)
    refused = ("rejected", "channel_unknown", "/channel")
    for turn, channel in enumerate(["fax", "", "EMAIL", 7, ["web"], {"web": 1}, True]):
        event = {"type": "event", "event_id": f"e{turn}", "unit_id": "u1", "name": "visit", "channel": channel}
        items = [event, exposure("u1", salt, channel=channel), exposure(f"good-{turn}", salt)]
        told = lanes.same("/v1/events", json.dumps({"items": items}).encode())
        verdicts = [(one["status"], one["code"], one["path"]) for one in json.loads(told.body)["items"]]
        assert verdicts == [refused, refused, ("accepted", None, None)], channel
        asked = lanes.same("/v1/assignments", json.dumps({"unit_id": "u1", "channel": channel}).encode())
        assert asked.status == "422 UNPROCESSABLE ENTITY"
        found = [(one["path"], one["code"]) for one in json.loads(asked.body)["errors"]]
        assert found == [("/channel", "channel_unknown")], channel


def test_where_asking_is_showing_the_channel_of_the_question_is_stored(api: Caller) -> None:
    api.post("/v1/segments", {"key": "mens", "name": "Men's", "condition": {"mens": 1}})
    api.post("/v1/metrics", {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"})
    assert api.post("/v1/experiments", {**BANNER, "exposure_policy": "on_assignment"}).status_code == 201
    api.post("/v1/experiments/banner/start")
    lanes = Lanes.of(api)
    for unit, more in (("u0", {}), ("u1", {"channel": "store"}), ("u2", {"channel": None}), ("u3", {"channel": "web"})):
        body = json.dumps({"unit_id": unit, **more}).encode()
        fast = lanes.fast("/v1/assignments", body)
        assert fast.by_flask == (unit == "u0")  # which the lane learns its headers from
        assert fast.body == lanes.plain("/v1/assignments", body).body
    many = json.dumps({"units": [{"unit_id": "u4"}, {"unit_id": "u5"}], "channel": "email"}).encode()
    assert lanes.fast("/v1/assignments/batch", many).status == "200 OK"
    many = json.dumps({"units": [{"unit_id": "u6"}, {"unit_id": "u1"}], "channel": "email"}).encode()
    assert not lanes.same("/v1/assignments/batch", many).by_flask
    with api.winnow.open_unit_of_work(read_only=True) as work:
        rows = [row for batch in work.log.exposures("banner", EVERYTHING) for row in batch]
    assert {row[0]: row[5] for row in rows} == {
        "u0": None,
        "u1": "store",
        "u2": None,
        "u3": "web",
        **dict.fromkeys(("u4", "u5", "u6"), "email"),
    }
