"""As much as the API allows of everything, against the definitions in plain Python."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from analysis.aggregate import TablesError, aggregate
from analysis.moments import ArmKey, MetricKey, MomentTable
from analysis.plan import Cell, Plan
from tests.stats.builders import at, events, exposures, metric, moments_of, plan

HOUR = 3_600
METRICS = 100
SEGMENTS = tuple(f"s{number}" for number in range(100))
VARIANTS = tuple(f"v{number}" for number in range(20))
EPOCHS = (1, 2, 3)
FOLLOW_UP_ENDS_AT = at(70 * HOUR)
WATERMARK_AT = at(90 * HOUR)

Unit = tuple[ArmKey, int, list[int]]


def _metrics(windows: int) -> list[Any]:
    """Metric i counts visits within 1 + (i mod `windows`) hours; the longest windows come first."""
    hours = [1 + number % windows for number in reversed(range(METRICS))]
    return [
        metric(key=f"m{index}", kind="count", role="secondary" if index else "primary", window_seconds=one * HOUR)
        for index, one in enumerate(hours)
    ]


def _question(windows: int) -> Plan:
    """In the first epoch, which had another split, nobody is followed for long."""
    cells = [
        Cell(
            epoch=epoch,
            segment=segment,
            weights=dict.fromkeys(VARIANTS, 1.0),
            follow_up_ends_at=FOLLOW_UP_ENDS_AT if epoch == 1 else None,
        )
        for epoch in EPOCHS
        for segment in SEGMENTS
    ]
    return plan(
        *_metrics(windows),
        variants=VARIANTS,
        segments=SEGMENTS,
        cells=cells,
        watermark_at=WATERMARK_AT,
        novelty_days=0,
    )


def _units(generator: random.Random, size: int) -> list[Unit]:
    """Arm, hour of the first exposure and hours of visits after it: in the second half of each, so never on an end."""
    arms = [ArmKey(epoch, segment, variant) for epoch in EPOCHS for segment in SEGMENTS for variant in VARIANTS]
    few = [arms[0], arms[-1], *generator.sample(arms, 30)]
    return [
        (generator.choice(few), generator.randrange(60), [generator.randrange(100) for _ in range(3)])
        for _ in range(size)
    ]


def _reduced(units: list[Unit], question: Plan, order: random.Random | None = None) -> MomentTable:
    seen = [(f"u{i}", arm.variant, arm.segment, arm.epoch, at(hour * HOUR)) for i, (arm, hour, _) in enumerate(units)]
    visits = [
        (f"u{i}", "visit", None, at((hour + later + 0.5) * HOUR))
        for i, (_, hour, hours) in enumerate(units)
        for later in hours
    ]
    if order is not None:
        order.shuffle(seen)
        order.shuffle(visits)
    return aggregate(exposures(seen), events(visits), question)


def _expected(units: list[Unit], question: Plan) -> dict[MetricKey, Any]:
    found: dict[MetricKey, list[float]] = {}
    for arm, hour, hours in units:
        ends_at = min(WATERMARK_AT, FOLLOW_UP_ENDS_AT) if arm.epoch == 1 else WATERMARK_AT
        for one in question.metrics:
            window = timedelta(seconds=one.window_seconds or 0)
            if at(hour * HOUR) + window <= ends_at:
                within = sum(timedelta(hours=later + 0.5) < window for later in hours)
                found.setdefault(MetricKey(*arm, one.key), []).append(within)
    return {key: moments_of(values) for key, values in found.items()}


@pytest.mark.parametrize("windows", [pytest.param(100, id="each its own"), pytest.param(2, id="two for all")])
def test_a_hundred_metrics_with_windows_in_six_thousand_arms(windows: int) -> None:
    units, question = _units(random.Random(5), 400), _question(windows)
    found = _reduced(units, question)
    assert found.units == Counter(arm for arm, _, _ in units)
    assert dict(found.moments) == _expected(units, question)
    if windows < METRICS:
        assert json.dumps(_reduced(units, question, random.Random(1)).to_dict()) == json.dumps(found.to_dict())


@pytest.mark.parametrize("count", [45, 64])
def test_however_many_windows_a_mean_is_that_of_the_values(count: int) -> None:
    """Unit i spends i: in arm a the even numbers up to 998, in b the odd ones, whatever the order of the rows."""
    metrics = [
        metric(
            key=f"m{index}",
            kind="mean",
            role="secondary" if index else "primary",
            event_name="order",
            window_seconds=index * HOUR + 1,
        )
        for index in range(count)
    ]
    question = plan(*metrics, watermark_at=at(90 * HOUR), novelty_days=0)
    seen = [(f"u{i}", "ab"[i % 2], "all", 1, at(0)) for i in range(1_000)]
    orders = [(f"u{i}", "order", float(i), at(0)) for i in range(1_000)]
    found = aggregate(exposures(seen), events(orders), question)
    for one in metrics:
        assert [found.of(MetricKey(1, "all", arm, one.key)).mean for arm in "ab"] == [499.0, 500.0]


@pytest.mark.parametrize("column", ["unit_id", "variant", "segment", "epoch", "exposed_at"])
def test_exposures_without_a_column_are_refused_by_name(column: str) -> None:
    with pytest.raises(
        TablesError, match=f"the table of exposures has no column {column}; it needs unit_id, "
    ) as found:
        aggregate(exposures([("1", "a", "all", 1, at(0))]).drop(column), events([("1", "visit", 1.0, at(1))]), plan())
    assert found.value.code == "missing_columns"


@pytest.mark.parametrize("column", ["unit_id", "name", "value", "occurred_at"])
def test_events_without_a_column_are_refused_by_name(column: str) -> None:
    with pytest.raises(TablesError, match=f"the table of events has no column {column}; it needs unit_id, ") as found:
        aggregate(exposures([("1", "a", "all", 1, at(0))]), events([("1", "visit", 1.0, at(1))]).drop(column), plan())
    assert found.value.code == "missing_columns"
