"""A house with experiments of every kind, served by a real process, for clients that come over the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from experiments.bootstrap import build
from experiments.settings import Settings
from experiments.storage import migrate
from tests.e2e.processes import serving

SEGMENTS = [
    {"key": "dutch", "name": "Dutch", "condition": {"country": "NL", "age": {"$gte": 18}}},
    {"key": "gold", "name": "Gold", "condition": {"plan.tier": {"$in": ["gold", "platinum"]}}},
    {"key": "patterned", "name": "By pattern", "condition": {"mail": {"$regex": "^a"}}},
]
VISIT = {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"}
LAYERS = [
    {"key": "home", "name": "Home", "salt": "layer of home", "holdout_bp": 1_000, "bucketing": 2},
    {"key": "old-home", "name": "Old home", "salt": "old layer", "holdout_bp": 0, "bucketing": 1},
]


def _experiment(key: str, **changes: Any) -> dict[str, Any]:
    variants = [
        {"key": "old", "name": "Old", "content": {"text": f"{key}: old"}, "is_control": True},
        {"key": "new", "name": "New", "content": {"text": f"{key}: new"}},
        {"key": "bold", "name": "Bold", "content": {"text": f"{key}: bold"}},
    ]
    return {
        "key": key,
        "name": key.title(),
        "tags": ["web"],
        "bucketing": 2,
        "variants": variants,
        "segments": [
            {"segment": "dutch", "weights": {"old": 1, "new": 2, "bold": 1}, "traffic_bp": 6_000},
            {"segment": "gold", "weights": {"old": 1, "new": 1, "bold": 0}},
            {"segment": "everyone", "weights": {"old": 1, "new": 1, "bold": 1}, "traffic_bp": 9_000},
        ],
        "metrics": [{"metric": "visit", "role": "primary"}],
        "forced": {"tester-of-ours": "new"},
        **changes,
    }


EXPERIMENTS = [
    _experiment("plain"),
    _experiment("layered", layer={"layer": "home", "share_bp": 5_000}),
    _experiment("paused"),
    _experiment("stopped"),
    # What SDKs cannot decide by themselves:
    _experiment("murmur", bucketing=1),
    _experiment("murmur-layer", layer={"layer": "old-home", "share_bp": 5_000}),
    _experiment("shown-by-asking", exposure_policy="on_assignment"),
    _experiment("patterned", segments=[{"segment": "patterned", "weights": {"old": 1, "new": 1, "bold": 1}}]),
    # What the key may not see:
    _experiment("hidden", tags=["internal"]),
]
LOCAL = ["plain", "layered", "paused", "stopped"]
REMOTE = [*LOCAL, "murmur", "murmur-layer", "shown-by-asking", "patterned"]

UNITS: list[dict[str, Any]] = [
    {
        "id": unit_id,
        **({"country": country} if country else {}),
        **({"age": 17 + number % 3} if number % 4 else {}),
        **({"plan": {"tier": "gold"}} if number % 5 == 0 else {}),
        "mail": f"{'ab'[number % 2]}{number}@example.com",
    }
    for number, (unit_id, country) in enumerate(
        (unit_id, country)
        for country in ("NL", "DE", None)
        for unit_id in [*(f"customer-{number}" for number in range(20)), "Müller", "顧客-七", "👩‍👩‍👧", 12_345]
    )
]


@dataclass(frozen=True)
class Winnow:
    """The server from outside."""

    address: str
    admin: str
    client_key: str
    http: httpx.Client = field(compare=False)

    def post(self, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.admin}"}
        answer = self.http.post(f"{self.address}{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def shown(self, key: str, unit: dict[str, Any]) -> dict[str, Any]:
        """What our own API answers."""
        asked = {"unit_id": str(unit["id"]), "attributes": unit, "experiment": key}
        (answer,) = self.post("/v1/assignments", asked)["assignments"]
        return dict(answer)


def tracked(answer: dict[str, Any], unit: dict[str, Any]) -> list[str] | None:
    """What a client has to track of an answer: nothing where the unit is not counted."""
    if not answer["counted"]:
        return None
    return [answer["experiment"], str(answer["version"]), answer["segment"], answer["variant"], str(unit["id"])]


@contextmanager
def house(folder: Path) -> Iterator[Winnow]:
    url = f"sqlite:///{folder / 'winnow.db'}"
    migrate.upgrade(url)
    keys = build(Settings(database_url=url)).keys
    admin = keys.create("admin", frozenset({"admin"}), actor="test").text
    client = keys.create("web", frozenset({"client"}), tags=frozenset({"web"}), actor="test").text
    with serving(url, folder / "server.log") as server, httpx.Client() as http:
        winnow = Winnow(address=server.address, admin=admin, client_key=client, http=http)
        _fill(winnow)
        yield winnow


def _fill(winnow: Winnow) -> None:
    for noun, bodies in (
        ("segments", SEGMENTS),
        ("metrics", [VISIT]),
        ("layers", LAYERS),
        ("experiments", EXPERIMENTS),
    ):
        for body in bodies:
            winnow.post(f"/v1/{noun}", body)
    for experiment in EXPERIMENTS:
        winnow.post(f"/v1/experiments/{experiment['key']}/start")
    winnow.post("/v1/experiments/paused/pause")
    winnow.post("/v1/experiments/stopped/stop")
