"""A small plan and small files of results that came from elsewhere."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

HEADER = "mens,history,channel,arm,visit,spend"

PLAN: dict[str, Any] = {
    "experiment": {"key": "sale", "name": "Sale", "weights": [2, 1]},
    "file": {"unit": "", "variant": "arm"},
    "attributes": {"mens": "integer", "history": "number", "channel": "text"},
    "variants": [
        {"key": "old", "name": "Old", "value": "Old", "control": True},
        {"key": "new", "name": "New", "value": "New", "content": {"text": "new"}},
    ],
    "segments": [
        {"key": "mens", "name": "Men", "condition": {"mens": 1}},
        {"key": "rich", "name": "Rich", "condition": {"history": {"$gte": 1000}}, "weights": [1, 1]},
    ],
    "metrics": [
        {"key": "visit", "name": "Visits", "kind": "conversion", "role": "primary"},
        {"key": "spend", "name": "Spend", "kind": "mean", "role": "guardrail", "margin_lift": 0.1, "cap": 500},
    ],
    "analysis": {"minimum_duration_seconds": 0, "minimum_units": 20},
}


def with_units() -> dict[str, Any]:
    """The plan for a file with an id per unit and visits only."""
    document = deepcopy(PLAN)
    document["file"]["unit"] = "id"
    del document["attributes"], document["segments"], document["metrics"][1]
    return document


def edited(*path: str | int, to: Any) -> dict[str, Any]:
    """The plan with one thing in it replaced."""
    document = deepcopy(PLAN)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document
