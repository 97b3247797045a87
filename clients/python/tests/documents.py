"""Catalog documents out of the golden vectors, which others made (`tests/golden/reference.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = {
    version: json.loads((ROOT / "tests" / "golden" / f"assignment_v{version}.json").read_text(encoding="utf-8"))
    for version in (1, 2)
}


def catalog(*experiments: dict[str, Any], version: int = 1) -> dict[str, Any]:
    return {"schema": "winnow.catalog/1", "version": version, "experiments": list(experiments)}


def experiment(**changes: Any) -> dict[str, Any]:
    """Halves of everybody, `a` (the control) and `b`."""
    halves = [{"start": 0, "end": 5_000, "variant": "a"}, {"start": 5_000, "end": 10_000, "variant": "b"}]
    return {
        "key": "banner",
        "status": "running",
        "version": 3,
        "epoch": 2,
        "unit_type": "customer",
        "randomisation": "winnow",
        "exposure_policy": "on_event",
        "bucketing": 1,
        "salt": "banner",
        "layer": None,
        "control": "a",
        "variants": [{"key": "a", "content": {"text": "old"}}, {"key": "b", "content": {"text": "new"}}],
        "segments": [{"key": "everyone", "condition": {}, "traffic_bp": 10_000, "ranges": halves, "after_stop": "a"}],
        "forced": {},
        **changes,
    }


def from_golden(key: str, given: dict[str, Any]) -> dict[str, Any]:
    """The experiment of a golden file; a segment takes the units whose `s` names it."""
    layer = given.get("layer")
    bucketing = given.get("bucketing", 1)
    return experiment(
        key=key.replace(" ", "-"),
        bucketing=bucketing,
        salt=given["salt"],
        layer=None if layer is None else {"key": "l", "bucketing": 1, **layer},
        control=given["control"],
        variants=[{"key": variant, "content": None} for variant in given["variants"]],
        forced=given.get("forced", {}),
        segments=[
            {
                "key": plan["segment"],
                "condition": {} if plan["segment"] == "everyone" else {"s": plan["segment"]},
                "traffic_bp": plan["traffic_bp"],
                "ranges": plan["ranges"],
                "after_stop": given["control"],
            }
            for plan in given["segments"]
        ],
    )
