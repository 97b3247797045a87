"""The skew of a difference: by hand, by scipy, and what intervals of skewed revenue cover when nothing warns."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.stats import skew, t

from analysis.estimate import Undefined
from analysis.moments import Shape
from analysis.quality.skew import SKEW_LIMIT, ShapePair, skew_finding, skew_of_difference


def shape(values: object) -> Shape:
    x = np.asarray(values, dtype=float)
    away = x - x.mean()
    return Shape(
        n=len(x),
        mean=float(x.mean()),
        m2=float((away**2).sum()),
        m3=float((away**3).sum()),
        smallest=float(x.min()),
        largest=float(x.max()),
    )


def test_it_is_the_third_cumulant_over_the_error_cubed() -> None:
    """Equal values in both arms, 9:1: skewness g of the values makes g·(1/n₁² - 1/n₀²)/(1/n₁ + 1/n₀)^1.5."""
    values = np.random.default_rng(1).exponential(size=50)
    pair = ShapePair(treatment=shape(values), baseline=shape(np.tile(values, 9)))
    expected = float(skew(values)) * (1 / 50**2 - 1 / 450**2) / (1 / 50 + 1 / 450) ** 1.5
    assert skew_of_difference([pair]) == pytest.approx(expected, rel=1e-10)
    mirror = ShapePair(treatment=pair.baseline, baseline=pair.treatment)
    assert skew_of_difference([mirror]) == pytest.approx(-expected, rel=1e-10)


def test_one_stratum_in_two_halves_has_less_skew() -> None:
    """Two alike strata of half the weight: cumulants 2·(½)³ over (2·(½)²)^1.5 are √½ of one."""
    pair = ShapePair(treatment=shape([0, 0, 0, 9]), baseline=shape([0] * 30 + [9] * 10))
    one = skew_of_difference([pair])
    halves = [ShapePair(treatment=pair.treatment, baseline=pair.baseline, share=0.5)] * 2
    assert skew_of_difference(halves) == pytest.approx(one / sqrt(2), rel=1e-12)  # type: ignore[operator]


def test_equal_arms_cancel_and_no_spread_is_named() -> None:
    rng = np.random.default_rng(2)
    equal = ShapePair(treatment=shape(rng.lognormal(0, 2, 500)), baseline=shape(rng.lognormal(0, 2, 500)))
    assert skew_of_difference([equal]) == 0
    for strata in (
        [],
        [ShapePair(treatment=shape([1, 1]), baseline=shape([1, 1, 1]))],
        [ShapePair(treatment=shape([1]), baseline=shape([2, 3]))],
    ):
        found = skew_of_difference(strata)
        assert isinstance(found, Undefined)
        assert found.reason == "zero_variance"


@pytest.mark.parametrize(("large", "warns"), [(SKEW_LIMIT * 0.99, False), (SKEW_LIMIT * 1.01, True)])
def test_the_finding(large: float, warns: bool) -> None:
    """Shapes with exactly that skew: μ₃ of both arms is chosen so."""
    n, n0 = 100, 900
    m3 = large * (1 / n + 1 / n0) ** 1.5 / (1 / n**2 - 1 / n0**2)
    arms = [Shape(n=k, mean=1.0, m2=float(k), m3=k * m3, smallest=0.0, largest=50.0) for k in (n, n0)]
    found = skew_finding(
        [ShapePair(treatment=arms[0], baseline=arms[1])],
        metric="spend",
        label="Spend",
        units_name="customers",
        treatment="b",
        treatment_name="New",
    )
    assert (found is not None) == warns
    if found:
        assert (found.code, found.severity, found.metric, found.variant) == ("skewed_metric", "warning", "spend", "b")
        assert found.message.startswith("A few customers make up most of Spend, and New and the control differ in size")


def revenue(rng: np.random.Generator, runs: int, n: int, sigma: float) -> tuple[np.ndarray, ...]:
    """Mean, Σ(x - x̄)² and Σ(x - x̄)³ of `runs` arms of n units, 5 % of them payers of lognormal amounts."""
    payers = rng.binomial(n, 0.05, runs)
    amounts, of = np.exp(sigma * rng.normal(size=payers.sum())), np.repeat(np.arange(runs), payers)
    s1, s2, s3 = (np.bincount(of, amounts**k, runs) for k in (1, 2, 3))
    mean = s1 / n
    return mean, s2 - n * mean**2, s3 - 3 * mean * s2 + 2 * n * mean**3


@pytest.mark.parametrize(
    ("n", "n0", "sigma", "flagged"),
    [
        pytest.param(1_000, 1_000, 2.0, (0, 0), id="2,000 at 1:1"),
        pytest.param(10_000, 10_000, 2.0, (0, 0), id="20,000 at 1:1"),
        pytest.param(10_000, 10_000, 1.0, (0, 0), id="20,000 at 1:1, sigma 1"),
        pytest.param(1_800, 200, 2.0, (1, 1), id="2,000 at 9:1"),
        pytest.param(18_000, 2_000, 2.0, (0.99, 1), id="20,000 at 9:1"),
        pytest.param(18_000, 2_000, 1.0, (0.99, 1), id="20,000 at 9:1, sigma 1"),
        pytest.param(90_000, 10_000, 1.0, (0.1, 1), id="100,000 at 9:1, sigma 1"),
        pytest.param(14_000, 6_000, 2.0, (0.9, 1), id="20,000 at 7:3"),
        pytest.param(14_000, 6_000, 1.0, (0, 1), id="20,000 at 7:3, sigma 1"),
    ],
)
def test_skewed_revenue_is_covered_or_flagged(n: int, n0: int, sigma: float, flagged: tuple[float, float]) -> None:
    """Each tail misses ≤ .037 where nothing warns; at 1:1 nothing does, and .936 at least is covered (S = 2,000)."""
    rng, runs = np.random.default_rng(n + int(sigma)), 2_000
    one, other = revenue(rng, runs, n, sigma), revenue(rng, runs, n0, sigma)
    v, v0 = one[1] / (n - 1) / n, other[1] / (n0 - 1) / n0
    freedom = (v + v0) ** 2 / (v**2 / (n - 1) + v0**2 / (n0 - 1))
    z, critical = (one[0] - other[0]) / np.sqrt(v + v0), t.isf(0.025, freedom)
    skews = [
        skew_of_difference(
            [
                ShapePair(
                    treatment=Shape(n=n, mean=a, m2=b, m3=c, smallest=0, largest=0),
                    baseline=Shape(n=n0, mean=d, m2=e, m3=f, smallest=0, largest=0),
                )
            ]
        )
        for a, b, c, d, e, f in zip(*one, *other, strict=True)
    ]
    quiet = np.abs(np.array(skews, dtype=float)) <= SKEW_LIMIT
    assert flagged[0] <= 1 - quiet.mean() <= flagged[1]
    assert (quiet & (z > critical)).mean() <= 0.037
    assert (quiet & (z < -critical)).mean() <= 0.037
    if n == n0:
        assert 0.936 <= (abs(z) <= critical).mean() <= 0.985
