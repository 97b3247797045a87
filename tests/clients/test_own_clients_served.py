"""Winnow's own clients against a running server: they show what its API answers, and it accepts what they report."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import node
from tests.clients.served import REMOTE, UNITS, Winnow, house
from winnow_client import Assignment, Client

FIELDS = ("experiment", "version", "epoch", "segment", "variant", "content", "reason", "counted")
ASKED = [(unit, key) for unit in UNITS for key in REMOTE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def winnow(folder: Path) -> Iterator[Winnow]:
    with house(folder) as served:
        yield served


@pytest.fixture(scope="module")
def shown(winnow: Winnow) -> list[dict[str, Any]]:
    """What the API answers; asking for `shown-by-asking` exposes."""
    return [winnow.shown(key, unit) for unit, key in ASKED]


def _attributes(unit: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in unit.items() if name != "id"}


def _fields(answer: Assignment) -> dict[str, Any]:
    return {field: getattr(answer, field) for field in FIELDS}


def test_python(winnow: Winnow, shown: list[dict[str, Any]], folder: Path) -> None:
    problems: list[str] = []
    with Client(winnow.address, winnow.admin, on_problem=problems.append) as client:
        assert client.ready(30)
        answers = [(str(unit["id"]), client.assign(str(unit["id"]), _attributes(unit), key)) for unit, key in ASKED]
        reported = [client.expose(unit_id, answer) for unit_id, answer in answers if not answer.exposes]
        tracked = [client.track(str(unit["id"]), "visit", 1.5) for unit in UNITS]
        assert client.flush(60)
        sent = client.stats().sent
    assert [_fields(answer) for _, answer in answers] == shown
    assert (sent.rejected, sent.dropped, problems) == (0, 0, [])
    assert sum(tracked) == len(UNITS)
    # The API has exposed these units already, and the client gives the same ids: each is stored once.
    by_asking = {(unit_id, answer.segment, answer.variant) for unit_id, answer in answers if answer.exposes}
    assert sent.accepted + sent.duplicate == sum(reported) + sum(tracked) + len(by_asking)
    wanted = sum(reported) + len(by_asking)
    deadline = time.monotonic() + 30
    while _stored(folder, "%") < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (_stored(folder, "%"), _stored(folder, "shown-by-asking")) == (wanted, len(by_asking))


def _stored(folder: Path, experiment: str) -> int:
    """How many exposures are in the database."""
    with closing(sqlite3.connect(folder / "winnow.db")) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM exposures WHERE experiment_key LIKE ?", [experiment]
        ).fetchone()
    return int(count)


def test_javascript(winnow: Winnow, shown: list[dict[str, Any]]) -> None:
    told = node(
        "winnow_served.mjs",
        {
            "url": winnow.address,
            "clientKey": winnow.client_key,
            "secretKey": winnow.admin,
            "keys": REMOTE,
            "units": UNITS,
        },
    )
    assert told["remote"] == shown
    assert told["local"] == shown
    assert (told["flushed"], told["problems"]) == (True, [])
    # The page says once what it shows again and again; ids come three times, from three countries.
    exposed = {
        (unit["id"], *(answer[field] for field in ("experiment", "version", "segment", "variant")))
        for (unit, _), answer in zip(ASKED, shown, strict=True)
        if answer["counted"]
    }
    assert told["stats"] == {
        "accepted": len(exposed) + len(UNITS),
        "duplicate": 0,
        "rejected": 0,
        "dropped": 0,
        "waiting": 0,
    }


def test_openfeature_for_servers() -> None:
    """The types are OpenFeature's by structure only: its real SDK calls them."""
    told = node("winnow_openfeature.mjs", {})
    assert told["value"] == {"text": "Start"}
    sent = [{name: item[name] for name in item if name not in ("event_id", "occurred_at")} for item in told["sent"]]
    exposure = {"experiment": "headline", "version": 4, "segment": "everyone", "variant": "bold"}
    assert sent == [
        {"type": "exposure", "unit_id": "u1", **exposure},
        {"type": "event", "unit_id": "u1", "name": "purchase", "value": 12.5},
        {"type": "event", "unit_id": "u1", "name": "signup"},
    ]
