"""The client decides: from the catalog of the server or of a file, whatever becomes of the server, and for whom."""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer
from harness import made, until

from winnow_client import Client


def test_it_decides_from_the_catalog_and_follows_it(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server) as client:
        assert client.ready()
        assert client.assign("ann", {}, "banner").content == {"text": "new"}
        assert client.stats().catalog_version == 1
        seen: list[int] = []
        client.on_catalog(lambda fresh: seen.append(fresh.version))
        server.catalog = catalog(experiment(forced={"ann": "a"}), version=2)
        until(lambda: client.stats().catalog_version == 2)
        assert client.assign("ann", {}, "banner").content == {"text": "old"}
        assert seen == [2]
    asked = server.requests("/v1/catalog")
    assert asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "If-None-Match" not in asked[0].headers
    assert asked[1].headers["If-None-Match"] == '"1"'


def test_the_last_good_catalog_serves_on(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        server.catalog_status = 500
        until(lambda: told)
        server.catalog_status = 200
        server.catalog = {"schema": "winnow.catalog/9"}
        server.catalog["version"] = 7
        until(lambda: len(told) == 2)
        assert client.assign("ann", {}, "banner").variant == "b"
        assert "the last one stays in use: the server answers 500" in told[0]
        assert "winnow.catalog/1" in told[1]


@pytest.mark.parametrize(("status", "said"), [(401, "unknown or revoked"), (403, "may not read"), (500, "500")])
def test_a_first_catalog_that_cannot_be_read(server: FakeServer, status: int, said: str) -> None:
    server.catalog, server.catalog_status = catalog(experiment()), status
    told: list[str] = []
    with made(server, told) as client:
        assert not client.ready()
        until(lambda: told)
        assert "there is none yet" in told[0]
        assert said in told[0]
        assert ("scope `assign`" in told[0]) == (status != 500)


def test_a_stored_catalog_starts_without_a_server(server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    with made(server, catalog_file=file) as client:
        client.ready()
        until(file.exists)
    assert json.loads(file.read_bytes()) == server.catalog
    assert file.stat().st_mode & 0o077 == 0
    server.catalog = None
    with made(server, catalog_file=file) as client:
        assert client.ready(0)
        assert client.assign("ann", {}, "banner").variant == "b"
        assert client.stats().catalog_age_seconds is None


def test_an_unreadable_stored_catalog_is_told(server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text("{")
    told: list[str] = []
    with made(server, told, catalog_file=file) as client:
        assert client.assign("ann", {}, "banner").reason == "unknown"
    assert "stored catalog" in told[0]


UNFIT = ["", "a\nb", "\ud800", "x" * 513, 4.5, True, 10**512, 10**9_999, None, b"a"]


@pytest.mark.parametrize("unit_id", UNFIT, ids=lambda unfit: type(unfit).__name__)
def test_an_unfit_id_gets_the_default_and_is_told_once(server: FakeServer, unit_id: Any) -> None:
    server.catalog = catalog(experiment())
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        assert client.assign(unit_id, {}, "banner").reason == "unknown"
        assert client.assign_all(unit_id) == []
        assert client.content(unit_id, {}, "banner", "mine") == "mine"
        assert not client.expose(unit_id, client.assign("u1", {}, "banner"))
        assert [line for line in told if "a unit id is unfit" in line] == told
        assert len(told) == 1
        assert not client.track(unit_id, "signup")


@pytest.mark.parametrize("number", [12345, 0, -7, 2**70, 10**511, IntEnum("Unit", {"ANN": 12345}).ANN])
def test_a_whole_number_is_its_digits(server: FakeServer, number: int) -> None:
    text = f"{int(number)}"
    server.catalog = catalog(experiment(forced={text: "b"}), experiment(key="two", exposure_policy="on_assignment"))
    told: list[str] = []
    with made(server, told) as client:
        client.ready()
        assert client.assign(number, {}, "banner").reason == "forced"
        assert client.assign_all(number) == client.assign_all(text)
        assert client.expose(number, client.assign(number, {}, "two"))
        assert client.track(number, "signup")
        assert client.flush()
    assert [item["unit_id"] for item in server.stored.values()] == [text] * 3
    assert told == []


def test_running_experiments_answer_together(server: FakeServer) -> None:
    server.catalog = catalog(experiment(), experiment(key="two"), experiment(key="old", status="stopped"))
    with made(server) as client:
        client.ready()
        assert [answer.experiment for answer in client.assign_all("u1")] == ["banner", "two"]
        assert client.assign("u1", {}, "old").reason == "stopped"


def test_a_failing_listener_ends_nothing(server: FakeServer) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("not ours")

    server.catalog = catalog(experiment())
    with Client(server.url, KEY, on_problem=fail, poll_seconds=0.02) as client:
        client.on_catalog(fail)
        client.ready()
        server.catalog = catalog(experiment(), version=2)
        until(lambda: client.stats().catalog_version == 2)
        server.catalog = catalog(experiment(), version=3)
        until(lambda: client.stats().catalog_version == 3)
        assert not client.track("u1", "purchase", float("nan"))
