"""Splits that follow the outcomes: weights of strata, what is refused, and what the report says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import fsolve

from analysis.comparison import Evidence, compare_all
from analysis.effects.adaptive import stabilised
from analysis.estimate import AdaptiveComparison, Interval
from analysis.groups import Groups
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.moments import Moments, MomentTable
from analysis.plan import Cell, Looks, PlanError
from analysis.report import build, canonical_json
from analysis.sections.adaptive import FEW_EVENTS, NO_BATCH, NO_SPREAD, NO_SUM, ONE_LOOK
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


def weights(units: list[float], one: list[float], other: list[float]) -> Any:
    arrays = [np.array([row]) for row in (units, one, other)]
    return stabilised(*arrays, np.ones((1, len(units)), dtype=bool))[0]


def test_every_stratum_adds_its_units_to_the_variance() -> None:
    """w²(1/n₁ + 1/n₀) = N, up to a common factor."""
    n1, n0 = np.array([500.0, 900.0, 40.0]), np.array([500.0, 100.0, 160.0])
    w = weights(list(n1 + n0), list(n1), list(n0))
    added = w * w * (1 / n1 + 1 / n0) / (n1 + n0)
    assert added == pytest.approx(added[0])
    assert w.sum() == pytest.approx((n1 + n0).sum())


def test_one_split_all_along_weighs_by_units() -> None:
    assert weights([1000, 3000, 200], [100, 300, 20], [900, 2700, 180]) == pytest.approx([1000, 3000, 200])


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)), min_size=1, max_size=6))
def test_swapping_the_arms_keeps_the_weights(pairs: list[tuple[int, int]]) -> None:
    one, other = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    units = [a + b for a, b in zip(one, other, strict=True)]
    assert list(weights(units, one, other)) == list(weights(units, other, one))


def test_strata_that_do_not_enter_weigh_nothing() -> None:
    inside = np.array([[True, False]])
    units = np.array([[100.0, 900.0]])
    found = stabilised(units, units / 2, units / 2, inside)
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


def test_all_segments_together_weigh_by_units() -> None:
    """Each segment's split goes its own way: the effect on the customers that came, whatever the splits."""
    both = [*cells(adaptive=True, name="s"), *cells(adaptive=True, name="t")]
    report = build(plan(cells=both, segments=("s", "t"), min_units=20), counted("s", "t"))
    together = comparison(report.overall).difference
    assert together.value == pytest.approx(np.mean([0.04, 140 / 900 - 0.11, 130 / 950 - 0.08]))
    assert comparison(report.segments[0]).difference.value != pytest.approx(together.value)


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


def adapted(**changes: Any) -> AdaptiveComparison:
    found = segment(build(plan(cells=cells(adaptive=True), **{"min_units": 20} | changes), counted("all"))).adaptive
    assert found is not None
    return found


def variances(counts: dict[int, dict[str, tuple[int, int]]]) -> tuple[Any, Any]:
    """By batch and arm: its own, and the products v·u with the same sums of squares by batch and by arm."""
    n = np.array([[each[v][1] for v in ("a", "b")] for each in counts.values()], dtype=float)
    x = np.array([[each[v][0] for v in ("a", "b")] for each in counts.values()])
    squares = x * (n - x) / n

    def missed(logs: Any) -> Any:
        fitted = (n - 1) * np.exp(logs[:-1, None] + np.array([0.0, logs[-1]]))
        return np.append((fitted - squares).sum(axis=1), (fitted - squares).sum(axis=0)[1])

    logs = fsolve(missed, np.full(len(n) + 1, -2.0), xtol=1e-13)
    return squares / (n - 1), np.exp(logs[:-1, None] + np.array([0.0, logs[-1]]))


def test_the_gain_by_hand() -> None:
    """Batches of 1,000: 0, then 400 and 450 units more than declared saw b."""
    found = adapted()
    gain = 400 * (140 / 900 - 0.11) + 450 * (130 / 950 - 0.08)
    assert found.gained.value == pytest.approx(gain)
    assert found.expected_if_fixed == pytest.approx(140 + 500 * (140 / 900 + 0.11) + 500 * (130 / 950 + 0.08))
    assert found.shown == (("a", 650), ("b", 2_350))
    assert found.if_fixed == (("a", 1_500.0), ("b", 1_500.0))
    own, fitted = variances(COUNTS)
    n = np.array([[COUNTS[e][v][1] for v in ("a", "b")] for e in (1, 2, 3)])
    moved = np.array([[0, 0], [-400, 400], [-450, 450]])
    variance = (moved**2 * np.maximum(own, fitted) / n).sum()
    assert found.gained.std_error == pytest.approx(variance**0.5)
    assert found.gained.fixed == ONE_LOOK
    typical = (n * fitted).sum() / n.sum()
    reach = float(multiplier(variance / typical, 0.05, mixture_scale(0.05, 5_000))) * variance**0.5
    assert isinstance(found.gained.always_valid, Interval)
    assert found.gained.always_valid.low == pytest.approx(gain - reach)
    assert found.gained.always_valid.high == pytest.approx(gain + reach)


def spread(*batches: dict[str, tuple[int, float]]) -> AdaptiveComparison:
    """Sums of 10 a unit; units and standard deviation of each variant in each batch."""
    moments = {
        (epoch, "all", variant): {"visits": Moments(n=n, mean=10.0, m2=sd**2 * (n - 1))}
        for epoch, arms in enumerate(batches, start=1)
        for variant, (n, sd) in arms.items()
    }
    splits = [
        Cell(epoch=epoch, segment="all", weights={v: float(n) for v, (n, _) in arms.items()}, declared=EVEN)
        for epoch, arms in enumerate(batches, start=1)
    ]
    found = segment(build(plan(metric(kind="mean"), cells=splits, min_units=20), table(moments))).adaptive
    assert found is not None
    return found


def test_where_the_spread_rises_a_batch_has_its_own() -> None:
    """Ten times as much in the batch whose control is small: 450² · 10² · (1/50 + 1/950), and no part of the first's.

    With the control's variance of both batches together, (499 · 1 + 49 · 100) / 548 = 9.9 in place of 100, the interval
    of a growing metric missed at some look in .11 of experiments.
    """
    risen = spread({"a": (500, 1.0), "b": (500, 1.0)}, {"a": (50, 10.0), "b": (950, 10.0)})
    assert risen.gained.std_error == pytest.approx((450**2 * 100 * (1 / 50 + 1 / 950)) ** 0.5)
    fallen = spread({"a": (500, 10.0), "b": (500, 10.0)}, {"a": (50, 1.0), "b": (950, 1.0)})
    assert fallen.gained.std_error == pytest.approx((450**2 * (1 / 50 + 1 / 950)) ** 0.5)


def test_the_cost_is_of_the_spread_of_each_batch() -> None:
    """Weights √(n₁n₀) of batches of 1,000, as many in each: variances of 1 and 100."""
    [cost] = spread({"a": (500, 1.0), "b": (500, 1.0)}, {"a": (50, 10.0), "b": (950, 10.0)}).costs
    w = np.sqrt([500 * 500, 50 * 950])
    share = w / w.sum()
    now = share**2 @ [1 / 500 + 1 / 500, 100 / 50 + 100 / 950]
    assert cost.std_error == pytest.approx(now**0.5)
    assert cost.if_fixed == pytest.approx((0.25 * (2 / 500 + 200 / 500)) ** 0.5)


def test_a_small_arm_that_shows_no_spread_has_that_of_the_others() -> None:
    """Twenty who did nothing: their own variance is 0, and their arm's was .09 in a batch of the same rate of b."""
    counts = {1: {"a": (50, 500), "b": (50, 500)}, 2: {"a": (0, 20), "b": (98, 980)}}
    moments = {(e, "all", v): {"visits": conversions(*c)} for e, arms in counts.items() for v, c in arms.items()}
    splits = [
        Cell(epoch=1, segment="all", weights=EVEN, declared=EVEN),
        Cell(epoch=2, segment="all", weights={"a": 2.0, "b": 98.0}, declared=EVEN),
    ]
    found = segment(build(plan(cells=splits, min_units=20), table(moments))).adaptive
    assert found is not None
    _, fitted = variances(counts)
    assert fitted[1, 0] == pytest.approx(0.0825, rel=0.001)
    assert found.gained.std_error == pytest.approx(
        (480**2 * (fitted[1, 0] / 20 + 0.09 * 980 / 979 / 980)) ** 0.5, rel=1e-4
    )


@pytest.mark.parametrize(("a", "ranged"), [((10, 1_000), True), ((9, 1_000), False), ((991, 1_000), False)])
def test_the_range_of_the_gain_waits_for_events(a: tuple[int, int], ranged: bool) -> None:
    """Ten with and ten without one in each variant, as any always-valid range; what was gained is told before."""
    counts = {"a": a, "b": (45, 1_500)}
    moments = {(1, "all", v): {"visits": conversions(*c)} for v, c in counts.items()}
    cells_ = [Cell(epoch=1, segment="all", weights={"a": 2.0, "b": 3.0}, declared=EVEN)]
    found = segment(build(plan(cells=cells_), table(moments))).adaptive
    assert found is not None
    assert found.gained.value == pytest.approx(250 * (0.03 - a[0] / a[1]))
    assert isinstance(found.gained.always_valid, Interval) is ranged
    if not ranged:
        assert found.gained.always_valid == FEW_EVENTS


def test_the_cost_by_hand() -> None:
    [cost] = adapted().costs
    within = variances(COUNTS)[1].T[::-1]
    n1, n0 = np.array([500, 900, 950]), np.array([500, 100, 50])
    w = np.sqrt(n1 * n0)
    share = w / w.sum()
    now = (share**2 * (within[0] / n1 + within[1] / n0)).sum()
    fixed = (within / 500).sum() / 9
    assert cost.std_error == pytest.approx(now**0.5)
    assert cost.if_fixed == pytest.approx(fixed**0.5)
    assert cost.units_missing == pytest.approx(1 - fixed / now)
    assert (cost.treatment, cost.baseline) == ("b", "a")


def test_a_split_that_stays_gains_and_costs_nothing() -> None:
    same = [Cell(epoch=1, segment="all", weights=EVEN, declared=EVEN)]
    moments = {(1, "all", v): {"visits": conversions(x, 1_000)} for v, x in (("a", 100), ("b", 130))}
    found = segment(build(plan(cells=same), table(moments))).adaptive
    assert found is not None
    assert found.gained.value == 0
    assert found.gained.std_error == NO_SPREAD
    assert found.costs[0].units_missing == pytest.approx(0)


def test_where_less_is_better_less_is_a_gain() -> None:
    up = adapted().gained
    question = plan(metric(direction="decrease"), cells=cells(adaptive=True), min_units=20)
    down = segment(build(question, counted("all"))).adaptive
    assert down is not None
    assert down.gained.value == -up.value  # type: ignore[operator]
    assert down.gained.std_error == up.std_error


def test_segments_add_up() -> None:
    both = [*cells(adaptive=True, name="s"), *cells(adaptive=True, name="t")]
    report = build(plan(cells=both, segments=("s", "t"), min_units=20), counted("s", "t"))
    one, together = report.segments[0].adaptive, report.overall.adaptive
    assert one is not None
    assert together is not None
    assert together.units == 2 * one.units
    assert together.gained.value == pytest.approx(2 * one.gained.value)  # type: ignore[operator]
    assert together.gained.std_error == pytest.approx(2**0.5 * one.gained.std_error)  # type: ignore[operator]
    assert together.costs[0].if_fixed == pytest.approx(one.costs[0].if_fixed / 2**0.5)  # type: ignore[operator]
    assert together.costs[0].std_error == pytest.approx(comparison(report.overall).difference.std_error, rel=0.1)


def test_the_reported_error_is_that_of_the_costs() -> None:
    """Wald's in one place, within batches together in the other: the same but for the estimate of the variance."""
    report = segment(build(plan(cells=cells(adaptive=True), min_units=20), counted("all")))
    assert report.adaptive is not None
    assert report.adaptive.costs[0].std_error == pytest.approx(comparison(report).difference.std_error, rel=0.05)


def test_batches_without_enough_units_are_left_out_and_counted() -> None:
    thin = COUNTS | {3: {"a": (2, 19), "b": (130, 950)}}
    moments = {(e, "all", v): {"visits": conversions(*c)} for e, arms in thin.items() for v, c in arms.items()}
    found = segment(build(plan(cells=cells(adaptive=True), min_units=20), table(moments))).adaptive
    assert found is not None
    assert (found.units, found.units_left_out) == (2_000, 969)
    assert found.gained.value == pytest.approx(400 * (140 / 900 - 0.11))


def test_fewer_batches_in_the_comparison_cost_certainty() -> None:
    assert adapted(min_units=60).costs[0].units_missing > adapted().costs[0].units_missing  # type: ignore[operator]


def test_nothing_is_compared_where_nothing_adapts_or_nobody_came() -> None:
    assert segment(build(plan(cells=cells(adaptive=False), min_units=20), counted("all"))).adaptive is None
    empty = segment(build(plan(cells=cells(adaptive=True)), MomentTable())).adaptive
    assert empty is not None
    assert (empty.units, empty.gained.value, empty.costs[0].std_error) == (0, NO_BATCH, NO_BATCH)


def test_a_promoted_epoch_is_not_the_adaptive_policys() -> None:
    promoted = [*cells(adaptive=True)[:2], Cell(epoch=3, segment="all", weights=SPLITS[2])]
    found = segment(build(plan(cells=promoted, min_units=20), counted("all"))).adaptive
    assert found is not None
    assert found.units == 2_000


def test_a_ratio_has_a_cost_but_no_sum() -> None:
    each = {
        (epoch, "all", variant): {
            "visits": Moments(n=n, mean=2.0, m2=float(n), denominator_mean=4.0, denominator_m2=float(n), co_m2=0.3 * n)
        }
        for epoch, arms in COUNTS.items()
        for variant, (_, n) in arms.items()
    }
    question = plan(metric(kind="ratio", denominator_event_name="call"), cells=cells(adaptive=True), min_units=20)
    found = segment(build(question, table(each)))
    assert found.adaptive is not None
    assert (found.adaptive.gained.value, found.adaptive.expected_if_fixed) == (NO_SUM, NO_SUM)
    assert found.adaptive.costs[0].std_error == pytest.approx(comparison(found).difference.std_error, rel=0.02)
