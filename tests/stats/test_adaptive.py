"""Splits that follow the outcomes: weights of strata, what is refused, and what the report says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.comparison import Evidence, compare_all
from analysis.effects.adaptive import stabilised
from analysis.estimate import Interval
from analysis.groups import Groups
from analysis.moments import Moments, MomentTable
from analysis.plan import Cell, Looks, PlanError
from analysis.report import build, canonical_json
from tests.stats.builders import comparison, conversions, metric, plan, segment, table

EVEN = {"a": 1.0, "b": 1.0}
SPLITS = ({"a": 50.0, "b": 50.0}, {"a": 10.0, "b": 90.0}, {"a": 5.0, "b": 95.0})
COUNTS = {
    1: {"a": (60, 500), "b": (80, 500)},
    2: {"a": (11, 100), "b": (140, 900)},
    3: {"a": (4, 50), "b": (130, 950)},
}


def cells(*, adaptive: bool, name: str = "all") -> list[Cell]:
    return [
        Cell(epoch=epoch, segment=name, weights=split, declared=EVEN if adaptive else None)
        for epoch, split in enumerate(SPLITS, start=1)
    ]


def counted(*names: str) -> MomentTable:
    return table(
        {
            (epoch, name, variant): {"visits": conversions(*counts)}
            for name in names
            for epoch, arms in COUNTS.items()
            for variant, counts in arms.items()
        }
    )


def weights(units: list[float], one: list[float], other: list[float], segments: list[int] | None = None) -> Any:
    arrays = [np.array([row]) for row in (units, one, other)]
    numbers = np.array([segments or [0] * len(units)])
    return stabilised(*arrays, np.ones((1, len(units)), dtype=bool), numbers)[0]


def test_every_stratum_adds_its_units_to_the_variance() -> None:
    """w²(1/n₁ + 1/n₀) = N, up to a common factor."""
    n1, n0 = np.array([500.0, 900.0, 40.0]), np.array([500.0, 100.0, 160.0])
    w = weights(list(n1 + n0), list(n1), list(n0))
    added = w * w * (1 / n1 + 1 / n0) / (n1 + n0)
    assert added == pytest.approx(added[0])
    assert w.sum() == pytest.approx((n1 + n0).sum())


def test_one_split_all_along_weighs_by_units() -> None:
    assert weights([1000, 3000, 200], [100, 300, 20], [900, 2700, 180]) == pytest.approx([1000, 3000, 200])


def test_between_segments_units_weigh_however_splits_moved() -> None:
    found = weights([1000, 1000, 600, 600], [500, 50, 300, 300], [500, 950, 300, 300], [0, 0, 1, 1])
    assert found[:2].sum() == pytest.approx(2000)
    assert list(found[2:]) == pytest.approx([600, 600])
    # √(.25) to √(.05·.95)
    assert found[0] / found[1] == pytest.approx(0.5 / (0.05 * 0.95) ** 0.5)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)), min_size=1, max_size=6))
def test_swapping_the_arms_keeps_the_weights(pairs: list[tuple[int, int]]) -> None:
    one, other = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    units = [a + b for a, b in zip(one, other, strict=True)]
    assert list(weights(units, one, other)) == list(weights(units, other, one))


def test_strata_that_do_not_enter_weigh_nothing() -> None:
    inside = np.array([[True, False]])
    units = np.array([[100.0, 900.0]])
    found = stabilised(units, units / 2, units / 2, inside, np.zeros((1, 2), dtype=np.intp))
    assert found.tolist() == [[100.0, 0.0]]


def test_the_effect_by_hand() -> None:
    found = comparison(segment(build(plan(cells=cells(adaptive=True), min_units=20), counted("all"))))
    n1, n0 = np.array([500, 900, 950]), np.array([500, 100, 50])
    w = np.sqrt((n1 + n0) * n1 * n0 / (n1 + n0))
    effects = np.array([80 / 500 - 60 / 500, 140 / 900 - 0.11, 130 / 950 - 0.08])
    assert found.difference.value == pytest.approx((w * effects).sum() / w.sum())
    assert found.difference.value != pytest.approx(effects.mean())


def test_a_fixed_split_is_not_touched() -> None:
    found = comparison(segment(build(plan(cells=cells(adaptive=False), min_units=20), counted("all"))))
    assert found.difference.value == pytest.approx(np.mean([0.04, 140 / 900 - 0.11, 130 / 950 - 0.08]))


def test_a_report_is_what_compare_all_says() -> None:
    report = build(plan(cells=cells(adaptive=True), min_units=20), counted("all"))
    found = comparison(segment(report)).difference

    def groups(variant: str) -> Groups:
        return Groups.of([[conversions(*COUNTS[epoch][variant]) for epoch in (1, 2, 3)]])

    columns = compare_all(
        "conversion",
        groups("b"),
        groups("a"),
        np.full((1, 3), 1000.0),
        Evidence(alpha=0.05, rho=0.1, min_units=20),
        adaptive=True,
    )
    assert isinstance(found.fixed, Interval)
    assert (found.fixed.low, found.fixed.high) == (columns.fixed_low[0], columns.fixed_high[0])
    assert found.value == columns.difference[0]


def test_segments_with_the_same_split_stay_apart() -> None:
    """Their next splits will not be the same, and all together are then made of the same parts."""
    both = [*cells(adaptive=True, name="s"), *cells(adaptive=True, name="t")]
    question = plan(cells=both, segments=("s", "t"), min_units=20)
    report = build(question, counted("s", "t"))
    one, together = comparison(report.segments[0]).difference, comparison(report.overall).difference
    assert together.value == pytest.approx(one.value)
    assert together.std_error == pytest.approx(one.std_error / 2**0.5)  # type: ignore[operator]


def test_a_falling_base_with_an_adaptive_split_is_no_effect() -> None:
    """Rates fall from .2 to .1 while b goes from 10 % to 90 %: pooled, b looks far worse."""
    moved = [
        Cell(epoch=1, segment="all", weights={"a": 9, "b": 1}, declared={"a": 9, "b": 1}),
        Cell(epoch=2, segment="all", weights={"a": 1, "b": 9}, declared={"a": 9, "b": 1}),
    ]
    arms = {1: {"a": (1620, 8100), "b": (180, 900)}, 2: {"a": (90, 900), "b": (810, 8100)}}
    counts = {(e, "all", v): {"visits": conversions(*c)} for e, each in arms.items() for v, c in each.items()}
    scope = segment(build(plan(cells=moved), table(counts)))
    assert comparison(scope).difference.value == pytest.approx(0, abs=1e-15)
    rates = [arm.value for arm in scope.metrics[0].arms]
    assert rates == pytest.approx([1710 / 9000, 990 / 9000])
    assert "pooled_over_epochs" in {finding.code for finding in scope.findings}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"post_stratified": True}, "adaptive_post_stratified"),
    ({"stopping_rule": "group_sequential", "looks": Looks(planned_units=1000)}, "adaptive_stopping_rule"),
    ({"stopping_rule": "fixed_horizon", "family": "dunnett"}, "adaptive_family"),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED, ids=[code for _, code in REFUSED])
def test_what_cannot_stay_valid_is_refused(asked: dict[str, Any], code: str) -> None:
    plan(cells=cells(adaptive=False), **asked)
    with pytest.raises(PlanError) as refusal:
        plan(cells=cells(adaptive=True), **asked)
    assert refusal.value.code == code


@pytest.mark.parametrize("declared", [{}, {"a": 0.0, "b": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}])
def test_declared_weights_are_weights(declared: dict[str, float]) -> None:
    with pytest.raises(PlanError) as refusal:
        Cell(epoch=1, segment="all", weights=EVEN, declared=declared)
    assert refusal.value.code == "cell_weights"


def test_other_metrics_are_weighted_alike() -> None:
    spend = metric(key="spend", kind="mean", role="secondary", event_name="order")
    moments = {
        (epoch, "all", variant): {
            "visits": conversions(*counts),
            "spend": Moments(n=counts[1], mean=5.0 + epoch * (variant == "b"), m2=4.0 * counts[1]),
        }
        for epoch, arms in COUNTS.items()
        for variant, counts in arms.items()
    }
    report = build(plan(metric(), spend, cells=cells(adaptive=True), min_units=20), table(moments))
    w = weights([1000] * 3, [500, 900, 950], [500, 100, 50])
    found = comparison(segment(report), metric_index=1).difference.value
    assert found == pytest.approx((w * np.array([1, 2, 3])).sum() / w.sum())
    assert canonical_json(report) == canonical_json(
        build(plan(metric(), spend, cells=cells(adaptive=True), min_units=20), table(moments))
    )
