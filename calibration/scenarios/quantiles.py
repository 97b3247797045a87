"""Medians of rows (page loads, orders) when units were randomised, and each unit has several rows."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isclose, sqrt

import numpy as np
from numpy.random import Generator

from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.means import two_sided_p
from analysis.effects.quantiles import distribution_value
from analysis.moments import ArmKey, Distribution, MetricKey, Moments, MomentTable
from analysis.report import build
from calibration.engine import ALPHA, DEFAULT, METRIC, metric, plan_of
from calibration.scenario import Bound, Floats, Samples, Scenario, near

_UNITS, _ROWS = 1_000, 3
# Of values between 0 and 1; as dense as the aggregation puts them.
_THRESHOLDS: Floats = np.linspace(0.39, 0.61, 69)


def _medians(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """Half of a unit's rows have one value in common, its own."""
    p = np.empty(runs)
    for run in range(runs):
        arms = _arm(rng), _arm(rng)
        pair = _pair(*arms, safeguard)
        p[run] = two_sided_p(pair.difference / sqrt(pair.variance), inf)
        if safeguard and run == 0:
            _audit(arms, p[run])
    return {"p": p}


def _arm(rng: Generator) -> Distribution:
    own = rng.random((_UNITS, 1))
    values = np.where(rng.random((_UNITS, _ROWS)) < 0.5, own, rng.random((_UNITS, _ROWS)))
    # How many rows of each unit are up to each threshold.
    up_to = (values[:, :, None] <= _THRESHOLDS).sum(axis=1, dtype=np.int8)
    means = up_to.mean(axis=0)
    squares = (up_to * up_to).sum(axis=0, dtype=float) - _UNITS * means * means
    return Distribution(
        thresholds=tuple(_THRESHOLDS.tolist()),
        up_to=tuple(
            Moments(n=_UNITS, mean=mean, m2=m2, denominator_mean=float(_ROWS))
            for mean, m2 in zip(means.tolist(), squares.tolist(), strict=True)
        ),
    )


def _pair(treatment: Distribution, baseline: Distribution, safeguard: bool) -> ArmPair:
    first, second = ((_clustered if safeguard else _independent)(arm) for arm in (treatment, baseline))
    return ArmPair(treatment=first, baseline=second)


def _clustered(arm: Distribution) -> ArmValue:
    found = distribution_value(arm, 0.5)
    assert isinstance(found, ArmValue)
    return found


def _independent(arm: Distribution) -> ArmValue:
    """As if every row were a unit: the same median, the error that belongs to so many units."""
    every = tuple(_of_rows(round(moments.total)) for moments in arm.up_to)
    return _clustered(replace(arm, up_to=every))


def _of_rows(count: int) -> Moments:
    n = _UNITS * _ROWS
    return Moments(n=n, mean=count / n, m2=count * (n - count) / n, denominator_mean=1.0)


def _audit(arms: tuple[Distribution, Distribution], p: float) -> None:
    """The first experiment's report has the same p-value."""
    plan = plan_of("mean", DEFAULT)
    plan = replace(plan, metrics=(replace(metric("mean"), kind="quantile", quantile=0.5),))
    keys = [MetricKey(0, "all", variant, METRIC) for variant in ("treatment", "control")]
    group = Moments(n=_UNITS, mean=_ROWS / 2, m2=1.0, denominator_mean=float(_ROWS))
    table = MomentTable(
        units={ArmKey(*key[:3]): _UNITS for key in keys},
        moments=dict.fromkeys(keys, group),
        distributions=dict(zip(keys, arms, strict=True)),
    )
    found = build(plan, table).segments[0].metrics[0].comparisons[0].p_value
    if not isinstance(found, float) or not isclose(found, p, rel_tol=1e-9):
        raise AssertionError(f"median: {p} here, {found} in the report")


def _judge(samples: Samples) -> tuple[Bound, ...]:
    return near("median.error", samples["p"] < ALPHA, ALPHA)


SCENARIOS = (
    Scenario(
        key="median",
        pitfall="Median of rows, three of each unit, randomised by unit",
        safeguard="share of rows up to a threshold, by units (Woodruff)",
        naive="every row as a unit",
        simulate=_medians,
        judge=_judge,
        share=0.4,
        chunk=500,
    ),
)
