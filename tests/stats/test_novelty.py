"""Effects by day: by hand, and by simulation of days that are the same units again."""

from __future__ import annotations

from dataclasses import replace
from math import nan, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from analysis.estimate import Interval, Novelty, Undefined
from analysis.quality.novelty import novelty, novelty_finding


def days(differences: object, variances: object, **changes: float) -> Novelty:
    k = len(differences)  # type: ignore[arg-type]
    return novelty("b", "a", range(k), [1_000 - day for day in range(k)], differences, variances=variances, **changes)  # type: ignore[arg-type]


def test_the_first_day_against_the_later_half_by_hand() -> None:
    """Errors 1, 1, 1, 3: the later half weighs 1 and 1/3, (2 + 8/3)/(4/3) = 3.5 ± 2/(4/3) = 1.5 (fully correlated)."""
    found = days([0.0, 9.0, 2.0, 8.0], [1.0, 1.0, 1.0, 9.0], alpha=0.1)
    assert found.trend_p_value == pytest.approx(2 * norm.sf(3.5 / sqrt(1.5**2 + 1)), rel=1e-10)
    last = found.days[3]
    assert (last.day, last.units, last.difference) == (3, 997, 8.0)
    assert isinstance(last.interval, Interval)
    assert (last.interval.high, last.interval.level) == (pytest.approx(8 + 3 * 1.644854, rel=1e-6), 0.9)


def test_days_without_a_difference_take_no_part() -> None:
    found, alone = days([0.0, nan, 5.0, 4.0, 3.0], [1.0, 1.0, 2.0, 0.0, nan]), days([0.0, 5.0], [1.0, 2.0])
    assert found.trend_p_value == alone.trend_p_value
    assert isinstance(found.days[1].difference, Undefined)
    assert found.days[3].difference == 4.0
    for day in (1, 3, 4):
        interval = found.days[day].interval
        assert isinstance(interval, Undefined)
        assert interval.reason == "no_estimate"


@pytest.mark.parametrize("differences", [[], [1.0], [nan, 1.0]])
def test_one_day_is_no_trend(differences: list[float]) -> None:
    found = days(differences, [1.0] * len(differences))
    assert isinstance(found.trend_p_value, Undefined)
    assert found.trend_p_value.reason == "too_few_days"
    assert novelty_finding(found, metric="visits", treatment_name="New") is None


@pytest.mark.parametrize(
    ("differences", "code"),
    [
        pytest.param([9.0, 5.0, 1.0, 1.0], "novelty", id="it wears off"),
        pytest.param([-9.0, 0.0, -1.0, -1.0], "novelty", id="a loss wears off"),
        pytest.param([9.0, 0.0, -9.5, -9.5], "novelty", id="it turns round"),
        pytest.param([1.0, 5.0, 9.0, 9.0], "primacy", id="it grows"),
        pytest.param([-1.0, -5.0, -9.0, -9.0], "primacy", id="a loss grows"),
        pytest.param([5.0, 5.0, 5.0, 5.0], None, id="it stays"),
        pytest.param([6.0, 5.0, 5.0, 4.0], None, id="by chance"),
    ],
)
def test_the_finding(differences: list[float], code: str | None) -> None:
    found = novelty_finding(days(differences, [1.0] * 4), metric="visits", treatment_name="New")
    assert (found.code if found else None) == code
    if found:
        assert (found.severity, found.variant, found.metric) == ("warning", "b", "visits")
        turned = differences[0] * differences[-1] < 0 and code == "novelty" and differences[-1] < -2
        how = "turns round" if turned else "wears off" if code == "novelty" else "grows"
        assert found.message.startswith(f"The effect of New {how}")


def test_it_warns_at_its_level() -> None:
    found = days([9.0, 1.0], [1.0, 1.0])
    for p_value, warns in ((0.0099, True), (0.0101, False)):
        finding = novelty_finding(replace(found, trend_p_value=p_value), metric="visits", treatment_name="New")
        assert (finding is not None) == warns


RUNS = 2_000


def simulate(k: int, near: float, fade: np.ndarray, level: float) -> float:
    """Share of p-values below the level: day differences with correlations near^distance and errors 1 to 1.5."""
    rng, errors = np.random.default_rng(k), np.linspace(1, 1.5, k)
    correlation = near ** abs(np.subtract.outer(np.arange(k), np.arange(k)))
    noise = rng.multivariate_normal(np.zeros(k), correlation, RUNS) * errors
    return float(np.mean([days(row, errors**2).trend_p_value < level for row in fade + noise]))  # type: ignore[operator]


@pytest.mark.parametrize("k", [7, 14])
@pytest.mark.parametrize("near", [1e-9, 0.5, 0.9])
def test_it_errs_less_than_its_level(k: int, near: float) -> None:
    assert simulate(k, near, np.zeros(k), 0.05) <= 0.05 + 4 * sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize("k", [7, 14])
def test_a_strong_effect_that_wears_off_is_found(k: int) -> None:
    """Six errors of a day at first, e^(-t/2) of it after t days: at .01 in .8 or more."""
    assert simulate(k, 0.9, 6 * np.exp(-np.arange(k) / 2), 0.01) > 0.8 - 4 * sqrt(0.8 * 0.2 / RUNS)
