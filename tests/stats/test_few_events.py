"""Counts, means and ratios wait until both arms rest on enough events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.effects.events import EVENTS_NEEDED, EVENTS_NEEDED_WHEN_UNEQUAL, support
from analysis.estimate import Estimate, Interval, Undefined
from analysis.moments import Moments
from analysis.plan import Cell
from analysis.report import build
from tests.repeats import repeats
from tests.stats.builders import comparison, drawn_moments, metric, moments_of, plan, segment, table


def rare(events: int, n: int) -> Moments:
    """So many units with one event, the others with none."""
    return moments_of([1.0] * events + [0.0] * (n - events))


@pytest.mark.parametrize(
    ("values", "effective"),
    [
        pytest.param([0, 0, 0, 1, 1], 2.0, id="as many as have an event"),
        pytest.param([0, 0, 1, 3], 16 / 10, id="one weighs more: 4²/(1 + 9)"),
        pytest.param([5, 5, 5], 3.0, id="everybody alike"),
        pytest.param([-2, 0, -2], 2.0, id="losses"),
        pytest.param([0, 0], 0.0, id="nothing"),
        pytest.param([1e50, 1e50, 0], 2.0, id="huge"),
    ],
)
def test_effective_events_of_one_arm(values: list[float], effective: float) -> None:
    found = support("mean", [1.0], [moments_of(values)], [moments_of([1.0])])
    assert (found.treatment, found.baseline) == (pytest.approx(effective), pytest.approx(1.0))


def test_effective_events_of_two_strata() -> None:
    """Shares .4 and .6, per unit .4/2 and .6/4: (.2·3 + .15·2)²/(.2²·(1 + 4) + .15²·(1 + 1)) = .81/.245."""
    arm = [moments_of([1.0, 2.0]), moments_of([1.0, 1.0, 0.0, 0.0])]
    found = support("count", [0.4, 0.6], arm, arm)
    assert found.treatment == pytest.approx(0.81 / 0.245)


def test_a_ratio_needs_numerators_and_denominators() -> None:
    """Orders 1, 1, 0, 0 and visits 4, 0, 0, 0: two and one."""
    found = support("ratio", [1.0], [moments_of([1, 1, 0, 0], [4, 0, 0, 0])], [moments_of([1, 1, 1, 0], [1, 1, 1, 1])])
    assert (found.treatment, found.baseline) == (pytest.approx(1.0), pytest.approx(3.0))


@pytest.mark.parametrize(("n", "needed"), [(300, EVENTS_NEEDED), (301, EVENTS_NEEDED_WHEN_UNEQUAL)])
def test_arms_are_unequal_beyond_three_to_one(n: int, needed: int) -> None:
    for pair in ((rare(5, n), rare(5, 100)), (rare(5, 100), rare(5, n))):
        assert support("mean", [1.0], [pair[0]], [pair[1]]).needed == needed


def test_sizes_of_strata_are_those_of_the_weighted_sum() -> None:
    """1/Σ(share²/n) = 1/(.25/100 + .25/20) = 66.7 against 1/(.25/100 + .25/380) = 316.7."""
    found = support("mean", [0.5, 0.5], [rare(5, 100), rare(5, 380)], [rare(5, 100), rare(5, 20)])
    assert found.needed == EVENTS_NEEDED_WHEN_UNEQUAL
    assert 316.7 / 66.7 > 3


@pytest.mark.parametrize(("events", "enough"), [(9, False), (10, True)])
@pytest.mark.parametrize("kind", ["count", "mean", "ratio"])
def test_below_the_minimum_only_the_single_look_answers(kind: str, events: int, enough: bool) -> None:
    few = moments_of([1.0] * events + [0.0] * (200 - events), [1.0] * 200)
    many = moments_of([1.0] * 50 + [0.0] * 150, [1.0] * 200)
    denominator = "session" if kind == "ratio" else None
    question = plan(metric(kind=kind, name="orders", denominator_event_name=denominator))
    found = segment(build(question, table({(1, "all", "a"): {"visits": many}, (1, "all", "b"): {"visits": few}})))
    row = comparison(found)
    assert isinstance(row.p_value, float)
    assert isinstance(row.difference.fixed, Interval)
    always: list[Any] = [row.p_value_always_valid, row.difference.always_valid, row.lift.always_valid]
    early = [(one.code, one.severity, one.variant, one.metric) for one in found.findings if one.severity == "info"]
    if enough:
        assert not any(isinstance(one, Undefined) for one in always)
        assert early == []
    else:
        assert {one.reason for one in always} == {"too_few_events"}
        assert early == [("few_events", "info", "b", "visits")]
        assert found.verdict.outcome == "too_early"
        assert found.verdict.sentence == "Too early to say for all: orders of b comes down to 9 of the 10 units needed."


def test_secondary_metrics_wait_too() -> None:
    metrics = (metric(), metric(key="orders", kind="count", role="guardrail"))
    arms = {(1, "all", arm): {"visits": rare(100, 500), "orders": rare(n, 500)} for arm, n in (("a", 5), ("b", 100))}
    found = segment(build(plan(*metrics), table(arms)))
    estimate: Estimate = comparison(found, metric_index=1).lift
    assert isinstance(estimate.always_valid, Undefined)
    assert comparison(found, metric_index=1).guardrail == "unknown"
    assert found.findings == ()


def test_each_arm_is_named_once_for_the_worst_of_its_comparisons() -> None:
    """5:5:90: c is large, so a and b, with 20 and 30, need 50; among themselves 10 would do. c has enough."""
    cells = [Cell(epoch=1, segment="all", weights={"a": 5, "b": 5, "c": 90})]
    arms = {
        (1, "all", arm): {"visits": rare(*of)} for arm, of in {"a": (20, 500), "b": (30, 500), "c": (400, 9000)}.items()
    }
    found = segment(build(plan(metric(kind="count"), variants=("a", "b", "c"), cells=cells), table(arms)))
    assert [(one.variant, one.message) for one in found.findings if one.code == "few_events"] == [
        ("a", "visits of a comes down to 20 of the 50 units needed"),
        ("b", "visits of b comes down to 30 of the 50 units needed"),
    ]
    # b against a: equal arms, enough for each other.
    assert isinstance(comparison(found, 0).p_value_always_valid, float)
    assert isinstance(comparison(found, 1).p_value_always_valid, Undefined)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["payers", "counts"])
def test_a_small_arm_with_rare_events_keeps_its_level_at_every_look(kind: str) -> None:
    """A/A at 19:1, forty-one looks: .05 + 4 standard errors. Without the minimum .11 and .39 at a hundred.

    Revenue of 20 % payers (lognormal, σ 1), counts of .01.
    """
    runs, rng = repeats(60, 150), np.random.default_rng(19)
    names = tuple(f"run{index:03d}" for index in range(runs))
    cells = [Cell(epoch=1, segment=name, weights={"a": 1, "b": 19}) for name in names]
    question = plan(metric(kind="mean"), segments=names, cells=cells)
    values = {arm: draw(rng, kind, (runs, n)) for arm, n in (("a", 1000), ("b", 19_000))}
    wrong = np.zeros(runs, bool)
    for look in range(10, 51):
        arms = {
            (1, name, arm): {"visits": drawn_moments(values[arm][index, : size * look])}
            for index, name in enumerate(names)
            for arm, size in (("a", 20), ("b", 380))
        }
        p_values = [comparison(scope).p_value_always_valid for scope in build(question, table(arms)).segments]
        wrong |= [isinstance(p, float) and p < 0.05 for p in p_values]
    assert wrong.mean() <= 0.05 + 4 * (0.05 * 0.95 / runs) ** 0.5


def draw(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Any:
    if kind == "counts":
        return rng.poisson(0.01, shape).astype(float)
    return (rng.random(shape) < 0.2) * rng.lognormal(0, 1, shape)
