"""Hand-made report documents in the stored form: what a promotion looks at, and no more."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.ports import Watermark

UNDEFINED = {"undefined": "too_few_units", "message": "Too few units."}


def interval(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "level": 0.95, "method": "by hand"}


def comparison(treatment: str, low: float, high: float, guardrail: str | None = None) -> dict[str, Any]:
    estimate = {"value": (low + high) / 2, "std_error": 0.01, "fixed": UNDEFINED, "always_valid": interval(low, high)}
    return {
        "treatment": treatment,
        "baseline": "a",
        "difference": estimate,
        "lift": estimate,
        "p_value": 0.0001,
        "p_value_always_valid": 0.0002,
        "p_value_adjusted": 0.0004,
        "difference_in_family": interval(low, high),
        "lift_in_family": interval(low, high),
        "guardrail": guardrail,
    }


def metric(key: str, role: str, comparisons: list[dict[str, Any]], units: int = 5_000) -> dict[str, Any]:
    arms = [
        {"variant": v, "units": units, "total": 1.0, "value": 0.1, "std_dev": 0.3, "interval": interval(0.05, 0.15)}
        for v in ("a", "b")
    ]
    return {
        "metric": key,
        "kind": "conversion",
        "role": role,
        "direction": "increase",
        "arms": arms,
        "comparisons": comparisons,
    }


def scope(segment: str | None, outcome: str = "winner", low: float = 0.1, high: float = 0.5) -> dict[str, Any]:
    variant = {"winner": "b", "control_wins": "a"}.get(outcome)
    return {
        "segment": segment,
        "units": 10_000,
        "srm": {
            "chi_square": 0.1,
            "degrees_of_freedom": 1,
            "p_value": 0.75,
            "observed": [["a", 5_000], ["b", 5_000]],
            "expected": [["a", 5_000.0], ["b", 5_000.0]],
        },
        "metrics": [metric("visit", "primary", [comparison("b", low, high)])],
        "verdict": {
            "outcome": outcome,
            "variant": variant,
            "leaders": [variant] if variant else [],
            "sentence": f"{outcome} in {segment}.",
        },
        "findings": [],
    }


def report(*scopes: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": "winnow.report/1",
        "engine_version": "test",
        "control": "a",
        "variants": ["a", "b"],
        "alpha": 0.05,
        "stopping_rule": "always_valid",
        "family": "holm",
        "tuned_for_units": 5_000,
        "units": 10_000,
        "units_mixed": 0,
        "units_outside": 0,
        "watermark_at": None,
        "overall": scope(None),
        "segments": list(scopes),
        "findings": [],
    }


def store(
    open_unit_of_work: OpenUnitOfWork,
    experiment: str,
    document: dict[str, Any],
    *,
    at: datetime,
    version: int = 1,
    realised: dict[str, Any] | None = None,
) -> Snapshot:
    """Put a snapshot into the store, as the worker would."""
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    with open_unit_of_work() as work:
        snapshot = work.snapshots.add(
            NewSnapshot(
                experiment=experiment,
                version=version,
                watermark=Watermark(exposure_id=0, event_id=0, at=at),
                computed_at=at,
                engine_version="test",
                input_sha256="0" * 64,
                report_sha256=hashlib.sha256(content.encode()).hexdigest(),
                moments={},
                report=document,
                realised=realised or {},
            )
        )
        work.commit()
    return snapshot
