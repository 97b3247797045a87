"""Error rates, measured through the public entry with fixed seeds.

Every tolerance is four standard errors of a rate measured in S runs, 4·√(p(1 - p)/S). The runs are the segments of one
plan: each is an experiment of its own, and one report per look covers them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.estimate import Comparison, Interval, Report
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, Plan
from analysis.report import build
from tests.stats.builders import metric, plan

Floats = NDArray[np.float64]
LOOKS = 100


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


def looks(
    draw: Callable[[tuple[int, int]], Floats], per_look: int, question: Plan, count: int = LOOKS
) -> Iterator[Report]:
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


def rows(report: Report) -> list[Comparison]:
    return [scope.metrics[0].comparisons[0] for scope in report.segments]


def below(value: object, alpha: float) -> bool:
    return isinstance(value, float) and value < alpha


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "runs", "draw"),
    [
        pytest.param("mean", 300, lambda rng: lambda shape: rng.normal(3, 1, shape), id="normal"),
        pytest.param("conversion", 150, lambda rng: lambda shape: (rng.random(shape) < 0.05) * 1.0, id="5% Bernoulli"),
        pytest.param(
            "mean",
            300,
            lambda rng: lambda shape: (rng.random(shape) < 0.2) * rng.lognormal(0, 1, shape),
            id="skewed revenue",
        ),
    ],
)
def test_looking_a_hundred_times(kind: str, runs: int, draw: Callable[..., Callable[..., Floats]]) -> None:
    """A/A, 200 more units an arm at each look. Naive repeated testing errs in .37 (Armitage et al. 1969)."""
    question = plan(metric(kind=kind), segments=names(runs))
    anytime, naive, outside = np.zeros(runs, bool), np.zeros(runs, bool), np.zeros(runs, bool)
    for report in looks(draw(np.random.default_rng(2026)), 200, question):
        found = rows(report)
        anytime |= [below(row.p_value_always_valid, 0.05) for row in found]
        naive |= [below(row.p_value, 0.05) for row in found]
        outside |= [excludes_zero(row) for row in found]
    assert anytime.mean() <= 0.05 + tolerance(0.05, runs)
    assert (anytime == outside).all()
    assert naive.mean() > 0.30


def excludes_zero(row: Comparison) -> bool:
    interval = row.lift.always_valid
    return isinstance(interval, Interval) and (interval.low > 0 or interval.high < 0)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["holm", "benjamini_hochberg"])
def test_twenty_null_segments_with_three_arms_name_no_winner(family: str) -> None:
    """Sixty comparisons, looked at 25 times: any conclusion in any segment at any look is an error."""
    experiments, segments, rng = 50, 20, np.random.default_rng(20)
    questions = plan(variants=("a", "b", "c"), segments=names(segments), family=family, metrics=(metric(kind="mean"),))
    wrong = 0
    for _ in range(experiments):
        concluded = False
        for report in looks(lambda shape: rng.normal(3, 1, shape), 240, questions, count=25):
            concluded |= any(scope.verdict.outcome not in ("undecided", "too_early") for scope in report.segments)
        wrong += concluded
    assert wrong / experiments <= 0.05 + tolerance(0.05, experiments)


def once(moments: dict[str, list[Moments]], kind: str) -> Report:
    """One look: variant -> moments per run."""
    runs = len(next(iter(moments.values())))
    question = plan(metric(kind=kind, denominator_event_name="x" if kind == "ratio" else None), segments=names(runs))
    return build(
        question,
        MomentTable(
            units={
                ArmKey(1, name, arm): found[i].n for arm, found in moments.items() for i, name in enumerate(names(runs))
            },
            moments={
                MetricKey(1, name, arm, "visits"): found[i]
                for arm, found in moments.items()
                for i, name in enumerate(names(runs))
            },
        ),
    )


@pytest.mark.parametrize(("n", "runs"), [(300, 1000), (2_000, 1000), (20_000, 1000)])
def test_lift_of_a_small_rate_is_covered_in_each_tail(n: int, runs: int) -> None:
    """Base 3 %, true lift 20 %: each tail .025 ± 4 standard errors; where the baseline has no success, no interval."""
    rng = np.random.default_rng(n)
    counts = {"a": rng.binomial(n, 0.03, runs), "b": rng.binomial(n, 0.036, runs)}
    moments = {
        arm: [Moments(n=n, mean=x / n, m2=x * (n - x) / n) for x in map(int, found)] for arm, found in counts.items()
    }
    intervals = [row.lift.fixed for row in rows(once(moments, "conversion"))]
    found = [interval for interval in intervals if isinstance(interval, Interval)]
    assert len(found) >= 0.99 * runs
    for tail in (np.mean([i.high < 0.2 for i in found]), np.mean([i.low > 0.2 for i in found])):
        assert tail == pytest.approx(0.025, abs=tolerance(0.025, runs))


def test_ratio_metric_randomised_by_user_keeps_its_level() -> None:
    """Users differ in their rate, so events are not independent: .05 where a z-test over events has .167."""
    runs, n, rng = 2000, 400, np.random.default_rng(7)
    moments: dict[str, list[Moments]] = {"a": [], "b": []}
    for found in moments.values():
        events = rng.poisson(5, (runs, n)) + 1
        clicks = rng.binomial(events, rng.beta(1, 3, (runs, n)))
        found.extend(_ratio(x, y) for x, y in zip(clicks.astype(float), events.astype(float), strict=True))
    errors = np.mean([below(row.p_value, 0.05) for row in rows(once(moments, "ratio"))])
    assert errors == pytest.approx(0.05, abs=tolerance(0.05, runs))


def _ratio(x: Floats, y: Floats) -> Moments:
    dx, dy = x - x.mean(), y - y.mean()
    return Moments(
        n=len(x),
        mean=float(x.mean()),
        m2=float(dx @ dx),
        denominator_mean=float(y.mean()),
        denominator_m2=float(dy @ dy),
        co_m2=float(dx @ dy),
    )


RAMP = [Cell(epoch=1, segment="s", weights={"a": 9, "b": 1}), Cell(epoch=2, segment="s", weights={"a": 1, "b": 1})]


def test_a_ramp_while_the_base_rate_falls_keeps_its_level() -> None:
    """10 → 50 % while the base falls from 5 to 3 %: .05 ± 4 standard errors; pooled arms err in .89."""
    runs, rng = 2000, np.random.default_rng(5)
    sizes = {(1, "a"): 9_000, (1, "b"): 1_000, (2, "a"): 5_000, (2, "b"): 5_000}
    counts = {key: rng.binomial(n, 0.05 if key[0] == 1 else 0.03, runs) for key, n in sizes.items()}
    segments = names(runs)
    cells = [Cell(epoch=cell.epoch, segment=name, weights=cell.weights) for cell in RAMP for name in segments]
    units, moments = {}, {}
    for (epoch, variant), found in counts.items():
        n = sizes[epoch, variant]
        for name, x in zip(segments, map(int, found), strict=True):
            units[ArmKey(epoch, name, variant)] = n
            moments[MetricKey(epoch, name, variant, "visits")] = Moments(n=n, mean=x / n, m2=x * (n - x) / n)
    report = build(plan(segments=segments, cells=cells), MomentTable(units=units, moments=moments))
    errors = np.mean([below(row.p_value, 0.05) for row in rows(report)])
    assert errors == pytest.approx(0.05, abs=tolerance(0.05, runs))
    arms = [scope.metrics[0].arms for scope in report.segments]
    pooled = np.mean([_pooled_z(*(arm.total for arm in pair), 14_000, 6_000) < -1.96 for pair in arms])
    assert pooled > 0.5


def _pooled_z(x: float, y: float, n: int, m: int) -> float:
    p = (x + y) / (n + m)
    return (y / m - x / n) / sqrt(p * (1 - p) * (1 / n + 1 / m))


def test_srm_alarms_at_its_level() -> None:
    """100,000 units, alpha .01 to measure it: .01 ± 4 standard errors; at 51 % nearly always."""
    runs, rng = 2000, np.random.default_rng(11)
    for share, low, high in ((0.5, 0.01 - tolerance(0.01, runs), 0.01 + tolerance(0.01, runs)), (0.51, 0.99, 1.0)):
        units = {}
        for name, x in zip(names(runs), rng.binomial(100_000, share, runs), strict=True):
            units |= {ArmKey(1, name, "a"): int(x), ArmKey(1, name, "b"): int(100_000 - x)}
        report = build(plan(segments=names(runs), srm_alpha=0.01), MomentTable(units=units))
        alarms = np.mean([any(finding.code == "srm" for finding in scope.findings) for scope in report.segments])
        assert low <= alarms <= high
