"""The experiments of `tests/golden/catalog_v1.json`, made over HTTP."""

from __future__ import annotations

from typing import Any

from tests.http.api_client import BANNER, VISIT, Caller

SEGMENTS = [
    {"key": "mens", "name": "Men's", "condition": {"mens": 1}},
    {"key": "new", "name": "New", "condition": {"$or": [{"orders": {"$lte": 1}}, {"plan.tier": {"$in": ["trial"]}}]}},
]
LAYERS = [
    {"key": "home", "name": "Home", "salt": "home, salted", "holdout_bp": 500, "bucketing": 2},
    {"key": "mail", "name": "Mail", "salt": "mail", "holdout_bp": 0},
]
WITH_SEGMENTS = [
    {"segment": "mens", "weights": {"a": 1, "b": 3}, "traffic_bp": 5_000},
    {"segment": "new", "weights": {"a": 0, "b": 1}},
    {"segment": "everyone", "weights": {"a": 2, "b": 1}},
]
EXPERIMENTS: list[dict[str, Any]] = [
    {**BANNER, "segments": WITH_SEGMENTS, "forced": {"tester/1": "b", "Jürgen": "a"}, "tags": ["shop"]},
    {
        **BANNER,
        "key": "front",
        "bucketing": 2,
        "salt": "front, sälted",
        "segments": WITH_SEGMENTS,
        "layer": {"layer": "home", "share_bp": 4_000},
        "tags": ["shop", "web"],
    },
    {**BANNER, "key": "rival", "bucketing": 2, "layer": {"layer": "home", "share_bp": 3_000}},
    {**BANNER, "key": "letter", "layer": {"layer": "mail", "share_bp": 10_000}, "exposure_policy": "on_assignment"},
    {**BANNER, "key": "elsewhere", "randomisation": "external", "unit_type": "account"},
    {**BANNER, "key": "resting", "bucketing": 2},
    {**BANNER, "key": "over", "bucketing": 2, "segments": WITH_SEGMENTS},
    {**BANNER, "key": "idea"},
]


def fill(api: Caller) -> Caller:
    """Make them all, and start all but the last; what is not live is in no catalog."""
    for noun, bodies in (
        ("segments", SEGMENTS),
        ("metrics", [VISIT]),
        ("layers", LAYERS),
        ("experiments", EXPERIMENTS),
    ):
        for body in bodies:
            assert api.post(f"/v1/{noun}", body).status_code == 201, body
    for experiment in EXPERIMENTS[:-1]:
        assert api.post(f"/v1/experiments/{experiment['key']}/start").status_code == 200
    assert api.post("/v1/experiments/resting/pause").status_code == 200
    assert api.post("/v1/experiments/over/stop").status_code == 200
    return api
