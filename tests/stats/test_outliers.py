"""One unit that makes the result: by leaving it out, on made-up values and on a real one."""

from __future__ import annotations

import csv
import gzip
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.moments import Shape
from analysis.quality.outliers import Influence, outlier_finding, outlier_influence
from analysis.quality.skew import ShapePair

COOKIE_CATS = Path(__file__).parents[3] / "shared" / "data" / "cookie_cats.csv.gz"


def shape(values: object) -> Shape:
    x = np.asarray(values, dtype=float)
    away = x - x.mean()
    sums = float((away**2).sum()), float((away**3).sum())
    return Shape(
        n=len(x), mean=float(x.mean()), m2=sums[0], m3=sums[1], smallest=float(x.min()), largest=float(x.max())
    )


def pair(treatment: object, baseline: object, share: float = 1.0) -> ShapePair:
    return ShapePair(treatment=shape(treatment), baseline=shape(baseline), share=share)


def brute(treatment: np.ndarray, baseline: np.ndarray, critical: float) -> tuple[float, bool] | None:
    """The same rule, with the unit really left out."""

    def welch(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        return one.mean() - other.mean(), sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))

    whole, error = welch(treatment, baseline)
    found = []
    for of_treatment, arm in ((True, treatment), (False, baseline)):
        for place in (arm.argmin(), arm.argmax()):
            less = np.delete(arm, place)
            rest, left = welch(less, baseline) if of_treatment else welch(treatment, less)
            move = abs(whole - rest) / left
            other = whole * rest < 0 or (abs(whole) > critical * error) != (abs(rest) > critical * left)
            if move >= 1.5 or (move >= 0.5 and other):
                found.append((move * left, float(arm[place]), of_treatment))
    return max(found)[1:] if found else None


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_leaving_it_out_shows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    treatment, baseline = rng.lognormal(0.2, 1.3, 60), rng.lognormal(0, 1.3, 80)
    found = outlier_influence([pair(treatment, baseline)], 1.96)
    expected = brute(treatment, baseline, 1.96)
    assert (found and (found.value, found.of_treatment)) == expected


def test_both_outcomes_are_among_them() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(60)]
    found = [outlier_influence([pair(r.lognormal(0.2, 1.3, 60), r.lognormal(0, 1.3, 80))], 1.96) for r in rngs]
    assert 5 < sum(one is not None for one in found) < 55


BASE = np.tile([-1.0, 1.0], 200)


@pytest.mark.parametrize(
    ("treatment", "change"),
    [
        pytest.param(np.append(BASE - 0.1, 100), "sign", id="one unit hides a loss"),
        pytest.param(np.append(BASE + 0.2, 100), "lost", id="one unit hides a gain"),
        pytest.param(np.append(BASE * 0.02 + 0.12, 12), "found", id="one unit makes it significant"),
        pytest.param(np.append(BASE + 0.05, 100), "size", id="one unit makes most of it"),
        pytest.param(np.append(BASE + 0.05, 4), None, id="a unit like others"),
        pytest.param(BASE, None, id="no difference at all"),
    ],
)
def test_what_changes(treatment: np.ndarray, change: str | None) -> None:
    """At 2.5 errors: .12 with an error of .05 is within, .15 with one of .058 beyond (the case that makes it)."""
    found = outlier_influence([pair(treatment, BASE)], 2.5)
    assert (found.change if found else None) == change


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100))
def test_neither_level_nor_scale_matters(level: float, scale: float) -> None:
    treatment = np.append(BASE - 0.1, 100)
    found = outlier_influence([pair(level + scale * treatment, level + scale * BASE)], 1.96)
    assert isinstance(found, Influence)
    assert (found.change, found.of_treatment) == ("sign", True)
    assert found.difference_without == pytest.approx(-0.1 * scale, rel=1e-3)


def test_it_is_found_in_its_stratum() -> None:
    """Four fifths of the weight lie in a stratum where one unit hides that the baseline is better."""
    strata = [pair(BASE - 0.1, BASE, 0.2), pair(BASE, np.append(BASE + 0.1, -300), 0.8)]
    found = outlier_influence(strata, 1.96)
    assert isinstance(found, Influence)
    assert (found.value, found.of_treatment, found.change) == (-300, False, "sign")


def test_nobody_or_one_is_no_outlier() -> None:
    assert outlier_influence([], 1.96) is None
    assert outlier_influence([pair([1.0], [2.0])], 1.96) is None
    assert outlier_influence([pair([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])], 1.96) is None


def cookie_cats() -> dict[str, np.ndarray]:
    with gzip.open(COOKIE_CATS, "rt") as lines:
        rows = [(row["test_version"], float(row["sum_gamerounds"])) for row in csv.DictReader(lines)]
    return {version: np.array([x for v, x in rows if v == version]) for version in ("gate_30", "gate_40")}


@pytest.mark.skipif(not COOKIE_CATS.exists(), reason="the real data are not here")
def test_one_player_of_ninety_thousand() -> None:
    """Cookie Cats: one player with 49,854 rounds makes a difference of -1.157 of what is -.043 without."""
    arms = cookie_cats()
    found = outlier_finding(
        [pair(arms["gate_40"], arms["gate_30"])],
        1.96,
        metric="rounds",
        label="Rounds",
        treatment="gate_40",
        treatment_name="Gate 40",
        baseline="gate_30",
        baseline_name="Gate 30",
    )
    assert found is not None
    assert (found.code, found.severity, found.variant, found.metric) == (
        "outlier_influence",
        "warning",
        "gate_30",
        "rounds",
    )
    assert found.message == (
        "One single value counts too much: without the Rounds of 49,854 in Gate 30 the difference would be -0.0433 in "
        "place of -1.16. Look at it, or cap the metric"
    )
    without = arms["gate_30"][arms["gate_30"] < 49_854]
    assert arms["gate_40"].mean() - without.mean() == pytest.approx(-0.0433, abs=5e-5)
    assert outlier_influence([pair(arms["gate_40"], without)], 1.96) is None
