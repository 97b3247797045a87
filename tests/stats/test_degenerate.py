"""Whatever is sent: a finite answer or a named refusal, never a contradiction."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.comparison import Effect, Evidence, StratumMoments, compare
from analysis.estimate import Comparison, Estimate, Interval, Report, Undefined
from analysis.inference.sequential import mixture_scale
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, MetricPlan, Plan
from analysis.report import build, canonical_json
from tests.stats.builders import (
    comparison,
    conversions,
    metric,
    moments_of,
    one_segment,
    plan,
    segment,
    table,
)


def numbers(value: Any, path: str = "") -> Any:
    """Every number of a report, with where it stands."""
    if is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        for item in value:
            yield from numbers(item, path)
    elif isinstance(value, float):
        yield path, value


def check(report: Report) -> None:
    """Finite throughout, p-values above 0, intervals that hold their estimate and are no points."""
    for path, value in numbers(report):
        assert isfinite(value), path
    for scope in (report.overall, *report.segments):
        for row in (row for one in scope.metrics for row in one.comparisons):
            assert isinstance(row.p_value_adjusted, Undefined) or 0 < row.p_value_adjusted <= 1
            check_effect(row)
    json.loads(canonical_json(report), parse_constant=pytest.fail)


def check_effect(row: Comparison | Effect) -> None:
    for _, value in numbers(row):
        assert isfinite(value)
    for p in (row.p_value, row.p_value_always_valid):
        assert isinstance(p, Undefined) or 0 < p <= 1
    for estimate in (row.difference, row.lift):
        check_estimate(estimate)


def check_estimate(estimate: Estimate) -> None:
    for interval in (estimate.fixed, estimate.always_valid):
        if isinstance(interval, Interval):
            assert interval.low < interval.high
            if isinstance(estimate.value, float):
                assert interval.low <= estimate.value <= interval.high


RATIO = metric(kind="ratio", denominator_event_name="session")
MEAN = metric(kind="mean")


@pytest.mark.parametrize(
    ("primary", "control", "treatment", "p"),
    [
        pytest.param(metric(), conversions(0, 100), conversions(0, 100), "zero_variance", id="nobody"),
        pytest.param(metric(), conversions(100, 100), conversions(100, 100), "zero_variance", id="everybody"),
        # Score test by hand: .05/√(.025·.975·(2/100)·200/199) = 2.2589, p .02389.
        pytest.param(metric(), conversions(0, 100), conversions(5, 100), 0.02389, id="0/100 against 5/100"),
        pytest.param(metric(), conversions(0, 50), conversions(50, 50), None, id="nobody against everybody"),
        pytest.param(metric(), Moments(), conversions(5, 100), "no_units", id="empty arm"),
        pytest.param(metric(), Moments(), Moments(), "no_units", id="both empty"),
        pytest.param(metric(), conversions(1, 1), conversions(0, 1), 0.317311, id="one conversion each way"),
        pytest.param(MEAN, moments_of([3.0]), moments_of([1.0, 2.0]), "one_unit", id="one unit"),
        pytest.param(MEAN, moments_of([5.0] * 9), moments_of([5.0] * 9), "zero_variance", id="all equal"),
        pytest.param(MEAN, moments_of([5.0] * 9), moments_of([6.0] * 9), "zero_variance", id="two constants"),
        pytest.param(MEAN, moments_of([0.0] * 9), moments_of([0.0, 1.0] * 9), None, id="one constant"),
        pytest.param(MEAN, moments_of([-3.0, -1.0]), moments_of([1.0, 2.0]), None, id="negative control"),
        pytest.param(MEAN, moments_of([1e8, 1e8 + 1] * 50), moments_of([1e8, 1e8 + 1] * 50), 1.0, id="large mean"),
        pytest.param(MEAN, moments_of([1e50, 0.0] * 50), moments_of([1e50, 3.0] * 50), None, id="huge"),
        pytest.param(MEAN, moments_of([1e-50, 0.0] * 50), moments_of([2e-50, 0.0] * 50), None, id="tiny"),
        pytest.param(RATIO, moments_of([1, 2], [0, 0]), moments_of([1, 2], [1, 2]), "zero_denominator", id="0/0"),
        pytest.param(RATIO, moments_of([2, 4], [1, 2]), moments_of([1, 2], [1, 2]), "zero_variance", id="proportional"),
        pytest.param(RATIO, moments_of([0, 0], [1, 2]), moments_of([1, 1], [1, 2]), None, id="ratio 0"),
        pytest.param(RATIO, moments_of([1], [1]), moments_of([1, 1], [1, 2]), "one_unit", id="ratio of one unit"),
    ],
)
def test_degenerate_input_gets_a_finite_answer_or_a_named_refusal(
    primary: Any, control: Moments, treatment: Moments, p: float | str | None
) -> None:
    units = control.n + treatment.n
    evidence = Evidence(alpha=0.05, rho=mixture_scale(0.05, 5_000))
    found = compare(primary.kind, [StratumMoments(units=units, treatment=treatment, baseline=control)], evidence)
    check_effect(found)
    check(
        build(
            plan(primary, min_units=20, min_conversions=0),
            table({(1, "all", "a"): {"visits": control}, (1, "all", "b"): {"visits": treatment}}),
        )
    )
    p_value = found.p_value
    if isinstance(p, str):
        assert isinstance(p_value, Undefined)
        assert p_value.reason == p
    elif p is not None:
        assert p_value == pytest.approx(p, rel=1e-3)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Plan, MomentTable]:
    """Three arms, two segments, two epochs, any weights, any counts: what nobody would plan but somebody will send."""
    weights = st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, 3.0]), min_size=1).filter(
        lambda found: sum(found.values()) > 0
    )
    cells = [Cell(epoch=epoch, segment=name, weights=draw(weights)) for epoch in (1, 2) for name in "st"]
    arms: dict[tuple[int, str, str], dict[str, Moments]] = {}
    for cell in cells:
        for variant in "abc":
            n = draw(st.sampled_from([0, 1, 2, 40, 3000]))
            if n:
                successes = draw(st.integers(0, n))
                values = draw(st.lists(st.integers(-(10**6), 10**6).map(lambda k: k / 1000), min_size=1, max_size=3))
                spend = moments_of((values * n)[:n], ([*values, 0.0] * n)[:n])
                arms[cell.epoch, cell.segment, variant] = {
                    "visits": conversions(successes, n),
                    "spend": spend,
                    "ratio": spend,
                }
    metrics = (
        metric(),
        metric(key="spend", kind="mean", role="guardrail", margin_lift=0.01),
        metric(key="ratio", kind="ratio", role="secondary", denominator_event_name="x"),
    )
    question = plan(
        *metrics, variants=("a", "b", "c"), segments=("s", "t"), cells=cells, min_units=20, min_conversions=0
    )
    return question, table(arms)


@settings(max_examples=60, deadline=None)
@given(questions())
def test_any_plan_and_table_give_a_report_that_does_not_contradict_itself(asked: tuple[Plan, MomentTable]) -> None:
    question, moments = asked
    found = build(question, moments)
    check(found)
    assert canonical_json(build(question, MomentTable.from_dict(moments.to_dict()))) == canonical_json(found)
    for scope in (found.overall, *found.segments):
        for row in (row for one in scope.metrics for row in one.comparisons):
            agree(row.p_value, row.difference.fixed, found.alpha)
            agree(row.p_value, row.lift.fixed, found.alpha)
            agree(row.p_value_always_valid, row.difference.always_valid, found.alpha)
            agree(row.p_value_always_valid, row.lift.always_valid, found.alpha)
            if isinstance(row.p_value_adjusted, float):
                assert isinstance(row.p_value_always_valid, float)
                assert row.p_value_adjusted >= row.p_value_always_valid
                agree_in_family(row.p_value_adjusted, row.difference_in_family, found.alpha)
                agree_in_family(row.p_value_adjusted, row.lift_in_family, found.alpha)


def agree(p: float | Undefined, interval: Interval | Undefined, alpha: float) -> None:
    if isinstance(p, float) and isinstance(interval, Interval) and abs(p - alpha) > 1e-9:
        assert (p < alpha) == (interval.low > 0 or interval.high < 0)


def agree_in_family(p: float, interval: Interval | Undefined, alpha: float) -> None:
    """An interval that ends at 0 leaves it out."""
    if isinstance(interval, Interval) and abs(p - alpha) > 1e-9:
        assert (p < alpha) == (interval.low >= 0 or interval.high <= 0)


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_swapping_the_arms_flips_the_sign(x: int, y: int) -> None:
    there = comparison(segment(one_segment({"a": conversions(x, 400), "b": conversions(y, 400)})))
    back = comparison(segment(one_segment({"a": conversions(y, 400), "b": conversions(x, 400)})))
    assert isinstance(there.difference.value, float)
    assert there.difference.value == pytest.approx(-back.difference.value)  # type: ignore[operator]
    if isinstance(there.p_value, float):
        assert there.p_value == pytest.approx(back.p_value)
        assert there.p_value_always_valid == pytest.approx(back.p_value_always_valid)


def test_a_treatment_of_zeros_has_a_lift_and_no_interval_of_one_point() -> None:
    """(0 - B)/B = -1 for every B > 0: Fieller's set is the point -1, which is no statement of precision."""
    units = {ArmKey(1, "everyone", variant): 400 for variant in ("a", "b")}
    moments = {
        MetricKey(1, "everyone", "a", "spend"): Moments(n=400, mean=0.5, m2=100.0),
        MetricKey(1, "everyone", "b", "spend"): Moments(n=400, mean=0.0, m2=0.0),
    }
    spend = MetricPlan(key="spend", kind="mean", role="primary", event_name="order")
    asked = Plan(
        variants=("a", "b"),
        control="a",
        segments=("everyone",),
        metrics=(spend,),
        cells=(Cell(epoch=1, segment="everyone", weights={"a": 1, "b": 1}),),
    )
    lift = build(asked, MomentTable(units=units, moments=moments)).overall.metrics[0].comparisons[0].lift
    assert lift.value == -1.0
    assert isinstance(lift.fixed, Undefined)
    assert lift.fixed.reason == "zero_variance"
