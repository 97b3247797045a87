"""Splits that follow the outcomes: weights of strata, what is refused, and what the report says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.comparison import Evidence, compare_all
from analysis.effects.adaptive import stabilised
from analysis.estimate import AdaptiveComparison, Interval
from analysis.groups import Groups
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.moments import Moments, MomentTable
from analysis.plan import Cell, Looks, PlanError
from analysis.report import build, canonical_json
from analysis.sections.adaptive import NO_BATCH, NO_SPREAD, NO_SUM, ONE_LOOK
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


def test_the_gain_by_hand() -> None:
    """Batches of 1,000: 0, then 400 and 450 units more than declared saw b."""
    found = adapted()
    gain = 400 * (140 / 900 - 0.11) + 450 * (130 / 950 - 0.08)
    assert found.gained.value == pytest.approx(gain)
    assert found.expected_if_fixed == pytest.approx(140 + 500 * (140 / 900 + 0.11) + 500 * (130 / 950 + 0.08))
    assert found.shown == (("a", 650), ("b", 2_350))
    assert found.if_fixed == (("a", 1_500.0), ("b", 1_500.0))
    within = {
        key: sum(x * (n - x) / n for x, n in counts) / sum(n - 1 for _, n in counts)
        for key, counts in {v: [COUNTS[e][v] for e in (1, 2, 3)] for v in ("a", "b")}.items()
    }
    variance = within["a"] * (400**2 / 100 + 450**2 / 50) + within["b"] * (400**2 / 900 + 450**2 / 950)
    assert found.gained.std_error == pytest.approx(variance**0.5)
    assert found.gained.fixed == ONE_LOOK
    typical = (650 * within["a"] + 2_350 * within["b"]) / 3_000
    reach = float(multiplier(variance / typical, 0.05, mixture_scale(0.05, 5_000))) * variance**0.5
    assert isinstance(found.gained.always_valid, Interval)
    assert found.gained.always_valid.low == pytest.approx(gain - reach)
    assert found.gained.always_valid.high == pytest.approx(gain + reach)


def test_the_cost_by_hand() -> None:
    [cost] = adapted().costs
    within = np.array(
        [
            sum(x * (n - x) / n for x, n in counts) / sum(n - 1 for _, n in counts)
            for counts in ([COUNTS[e][v] for e in (1, 2, 3)] for v in ("b", "a"))
        ]
    )
    n1, n0 = np.array([500, 900, 950]), np.array([500, 100, 50])
    w = np.sqrt(n1 * n0)
    share = w / w.sum()
    now = (share**2 * (within[0] / n1 + within[1] / n0)).sum()
    fixed = within.sum() / 1_500
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
