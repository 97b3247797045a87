"""The primary metric unit by unit: every value beside one that is added up here, and the sums beside `aggregate`."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any

import ibis
import pyarrow as pa
import pytest

from analysis.aggregate import aggregate
from analysis.plan import Cell, MetricPlan, Plan, PlanError
from analysis.units import unit_values

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
WATERMARK = START + 40 * HOUR
SPEND = MetricPlan(key="spend", kind="mean", role="primary", event_name="buy")
PLAN = Plan(
    variants=("a", "b"),
    control="a",
    segments=("all",),
    metrics=(SPEND, replace(SPEND, key="other", role="secondary", event_name="look", window_seconds=20 * 3_600)),
    cells=(
        Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=START + 30 * HOUR),
        Cell(epoch=2, segment="all", weights={"a": 1, "b": 1}),
    ),
    watermark_at=WATERMARK,
)


def rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    draw = random.Random(4)
    exposures = [
        {
            "unit_id": f"u{n}",
            "variant": draw.choice("ab"),
            "segment": "all",
            "epoch": 1 if n < 30 else 2,
            "exposed_at": START + draw.uniform(0, 20) * HOUR,
        }
        for n in range(60)
    ]
    exposures += [
        {**exposures[0], "variant": "ab"[exposures[0]["variant"] == "a"]},  # mixed
        {**exposures[1], "unit_id": "elsewhere", "segment": "none"},
    ]
    events = [
        {
            "unit_id": f"u{draw.randrange(70)}",
            "name": draw.choice(["buy", "buy", "look"]),
            "value": draw.choice([None, -1.5, 3.25, 10.0, 1e6]),
            "occurred_at": START + draw.uniform(0, 40) * HOUR,
        }
        for _ in range(300)
    ]
    return exposures, events


EXPOSURES, EVENTS = rows()
_INSTANT = pa.timestamp("us", "UTC")


def tables() -> tuple[Any, Any]:
    shown = pa.schema(
        [
            ("unit_id", "string"),
            ("variant", "string"),
            ("segment", "string"),
            ("epoch", "int64"),
            ("exposed_at", _INSTANT),
        ]
    )
    done = pa.schema([("unit_id", "string"), ("name", "string"), ("value", "float64"), ("occurred_at", _INSTANT)])
    return (
        ibis.memtable(pa.Table.from_pylist(EXPOSURES, schema=shown)),
        ibis.memtable(pa.Table.from_pylist(EVENTS, schema=done)),
    )


def expected(metric: MetricPlan) -> dict[str, float | None]:
    """Straight from the words of `aggregate`, unit by unit."""
    found: dict[str, float | None] = {}
    for one in EXPOSURES[1:60]:
        ends = [START + 30 * HOUR] if one["epoch"] == 1 else []
        window = None if metric.window_seconds is None else timedelta(seconds=metric.window_seconds)
        if window is not None and one["exposed_at"] + window > min([*ends, WATERMARK]):
            found[one["unit_id"]] = None
            continue
        if window is not None:
            ends.append(one["exposed_at"] + window)
        own = [
            event["value"] or 0.0
            for event in EVENTS
            if (event["unit_id"], event["name"]) == (one["unit_id"], "buy")
            and one["exposed_at"] <= event["occurred_at"]
            and all(event["occurred_at"] < end for end in ends)
        ]
        value = {"mean": fsum(own), "count": float(len(own)), "conversion": float(bool(own))}[metric.kind]
        found[one["unit_id"]] = value if metric.cap is None else min(value, metric.cap)
    if metric.winsor_quantile is not None:
        known = sorted(value for value in found.values() if value is not None)
        cap = known[round(len(known) * metric.winsor_quantile) - 1]
        found = {unit: None if value is None else min(value, cap) for unit, value in found.items()}
    return dict(sorted(found.items()))


@pytest.mark.parametrize(
    "metric",
    [
        SPEND,
        replace(SPEND, kind="conversion"),
        replace(SPEND, kind="count", cap=1.0),
        replace(SPEND, window_seconds=15 * 3_600, cap=12.0),
        replace(SPEND, winsor_quantile=50 / 59),
    ],
    ids=["mean", "conversion", "count-cap", "window", "winsor"],
)
def test_each_unit_has_its_value(metric: MetricPlan) -> None:
    plan = replace(PLAN, metrics=(PLAN.metrics[1], metric))
    exposures, events = tables()
    found = unit_values(exposures, events, plan)
    assert dict(zip(found["unit_id"].to_pylist(), found["value"].to_pylist(), strict=True)) == expected(metric)
    told = {(one["unit_id"], one["epoch"], one["variant"], one["exposed_at"]) for one in found.to_pylist()}
    assert told == {(one["unit_id"], one["epoch"], one["variant"], one["exposed_at"]) for one in EXPOSURES[1:60]}
    moments = aggregate(exposures, events, plan)
    known = [one for one in found.to_pylist() if one["value"] is not None]
    checked = 0
    for key, arm in moments.moments.items():
        own = [one["value"] for one in known if (one["epoch"], one["variant"]) == (key.epoch, key.variant)]
        if key.metric == "spend":
            assert (arm.n, arm.mean) == (len(own), pytest.approx(fsum(own) / len(own)))
            checked += 1
    assert checked == 4


def test_a_ratio_has_no_value_of_its_own() -> None:
    ratio = replace(SPEND, kind="ratio", denominator_event_name="look")
    with pytest.raises(PlanError, match="spend") as refusal:
        unit_values(*tables(), replace(PLAN, metrics=(ratio,)))
    assert refusal.value.code == "metric_kind"
