"""Verdicts of many variants in many segments at many looks. All other error rates: `test_simulations.py`.

The tolerance is four standard errors of a rate measured in S runs, 4·√(p(1 - p)/S).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.estimate import Report
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Plan
from analysis.report import build
from tests.repeats import repeats
from tests.stats.builders import metric, plan

Floats = NDArray[np.float64]


def tolerance(rate: float, runs: int) -> float:
    return 4 * sqrt(rate * (1 - rate) / runs)


def names(runs: int) -> tuple[str, ...]:
    return tuple(f"run{index:04d}" for index in range(runs))


def merge(n: int, mean: Floats, m2: Floats, added: Floats) -> tuple[int, Floats, Floats]:
    """Chan et al. over all runs at once; rows are runs, columns the new units."""
    k = added.shape[1]
    new_mean = added.mean(axis=1)
    delta = new_mean - mean
    spread = ((added - new_mean[:, None]) ** 2).sum(axis=1)
    return n + k, mean + delta * k / (n + k), m2 + spread + delta**2 * n * k / (n + k)


def looks(draw: Callable[[tuple[int, int]], Floats], per_look: int, question: Plan, count: int) -> Iterator[Report]:
    """One report per look; both arms draw from the same distribution, `per_look` more units each time."""
    runs = len(question.segments)
    state = {variant: (0, np.zeros(runs), np.zeros(runs)) for variant in question.variants}
    for _ in range(count):
        state = {variant: merge(*sums, draw((runs, per_look))) for variant, sums in state.items()}
        units, moments = {}, {}
        for variant, (n, mean, m2) in state.items():
            for name, run_mean, run_m2 in zip(question.segments, mean.tolist(), m2.tolist(), strict=True):
                units[ArmKey(1, name, variant)] = n
                moments[MetricKey(1, name, variant, "visits")] = Moments(n=n, mean=run_mean, m2=run_m2)
        yield build(question, MomentTable(units=units, moments=moments))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["holm", "benjamini_hochberg"])
def test_twenty_null_segments_with_three_arms_name_no_winner(family: str) -> None:
    """Sixty comparisons, looked at 25 times: any conclusion in any segment at any look is an error."""
    experiments, segments, rng = repeats(20, 50), 20, np.random.default_rng(20)
    questions = plan(variants=("a", "b", "c"), segments=names(segments), family=family, metrics=(metric(kind="mean"),))
    wrong = 0
    for _ in range(experiments):
        concluded = False
        for report in looks(lambda shape: rng.normal(3, 1, shape), 240, questions, count=25):
            concluded |= any(scope.verdict.outcome not in ("undecided", "too_early") for scope in report.segments)
        wrong += concluded
    assert wrong / experiments <= 0.05 + tolerance(0.05, experiments)
