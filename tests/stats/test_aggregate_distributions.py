"""How rows are distributed, for quantiles."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from analysis.aggregate import aggregate
from analysis.moments import MetricKey, Moments, MomentTable
from tests.stats.aggregating import ALL_A, moments_close, one_arm, rows_up_to
from tests.stats.builders import at, events, exposures, metric, moments_of, plan


def of_a(values: Any, key: str = "visits") -> Any:
    return values[MetricKey(*ALL_A, key)]


def test_a_distribution_counts_rows_up_to_common_thresholds() -> None:
    rng = random.Random(5)
    values = {
        f"{arm}{i}": [round(rng.lognormvariate(0, 1) + (arm == "b"), 1) for _ in range(rng.randrange(6))]
        for arm in "ab"
        for i in range(40)
    }
    rows = [(unit, "visit", value, at(1)) for unit, found in values.items() for value in found]
    rows += [("a0", "visit", None, at(1)), ("a0", "visit", 7.0, at(-1)), ("a0", "other", 7.0, at(1))]
    exposed = exposures([(unit, unit[0], "all", 1, at(0)) for unit in values])
    found = aggregate(exposed, events(rows), plan(metric(kind="quantile", quantile=0.9)))
    assert found.values_missing == {"visits": 1}
    both = [found.distributions[MetricKey(1, "all", arm, "visits")] for arm in "ab"]
    assert both[0].thresholds == both[1].thresholds
    every = sorted(value for found in values.values() for value in found)
    assert (both[0].thresholds[0], both[0].thresholds[-1]) == (every[0], every[-1])
    for arm, distribution in zip("ab", both, strict=True):
        of_arm = {unit: rows for unit, rows in values.items() if unit[0] == arm}
        for threshold, moments in zip(distribution.thresholds, distribution.up_to, strict=True):
            assert moments_close(moments, rows_up_to(of_arm, threshold))
        plain = found.moments[MetricKey(1, "all", arm, "visits")]
        assert moments_close(plain, moments_of(map(sum, of_arm.values()), map(len, of_arm.values())))


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.99])
def test_thresholds_are_dense_about_the_quantile(quantile: float) -> None:
    """Between two of them near the quantile lies a share of the rows that is small against its standard error."""
    rng = np.random.default_rng(1)
    values = np.sort(rng.normal(size=20_000))
    rows = [(str(i), "visit", float(value), at(1)) for i, value in enumerate(values)]
    exposed = exposures([(str(i), "ab"[i % 2], "all", 1, at(0)) for i in range(len(values))])
    found = aggregate(exposed, events(rows), plan(metric(kind="quantile", quantile=quantile)))
    at_ = np.searchsorted(values, of_a(found.distributions).thresholds, side="right") / len(values)
    std_error = np.sqrt(quantile * (1 - quantile) / 10_000)
    near = np.abs(at_ - quantile) < 4 * std_error
    assert near.sum() > 20
    assert np.diff(at_[near]).max() < 0.7 * std_error
    assert np.diff(at_).max() < 0.15
    assert len(at_) <= 110


def test_quantiles_without_rows_or_units() -> None:
    median = metric(kind="quantile", quantile=0.5)
    found = one_arm(median, "uv", [])
    assert of_a(found.distributions).thresholds == ()
    assert of_a(found.moments) == Moments(n=2)
    assert one_arm(median, "", []) == MomentTable()
    single = of_a(one_arm(median, "u", [("u", "visit", 2.0, at(1))]).distributions)
    assert (single.thresholds, single.up_to) == ((2.0,), (moments_of([1], [1]),))


def test_a_quantile_has_the_rows_of_complete_windows() -> None:
    exposed = exposures([("u", "a", "all", 1, at(0)), ("v", "a", "all", 1, at(50))])
    rows = [("u", "visit", 1.0, at(1)), ("u", "visit", 5.0, at(60)), ("v", "visit", 9.0, at(51))]
    median = metric(kind="quantile", quantile=0.5, window_seconds=60)
    found = of_a(aggregate(exposed, events(rows), plan(median, watermark_at=at(60))).distributions)
    assert (found.thresholds, found.up_to) == ((1.0,), (moments_of([1], [1]),))
