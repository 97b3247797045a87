"""Strata are never pooled across splits; what was left out is named."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from analysis.effects.means import critical_value
from analysis.effects.proportions import Proportion, score_interval
from analysis.estimate import Interval
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.moments import MomentTable
from analysis.plan import Cell
from analysis.report import build
from tests.stats.builders import (
    comparison,
    conversions,
    metric,
    plan,
    segment,
    table,
)


def conversions_in(cells: Mapping[tuple[int, str], Mapping[str, tuple[int, int]]]) -> MomentTable:
    return table(
        {
            (epoch, name, variant): {"visits": conversions(*counted)}
            for (epoch, name), arms in cells.items()
            for variant, counted in arms.items()
        }
    )


def test_segments_of_one_split_are_pooled_to_the_plain_test() -> None:
    found = build(
        plan(segments=("s", "t")),
        conversions_in({(1, "s"): {"a": (50, 500), "b": (70, 500)}, (1, "t"): {"a": (10, 400), "b": (30, 400)}}),
    )
    expected = score_interval(Proportion(successes=100, n=900), Proportion(successes=60, n=900), critical_value(0.05))
    interval = comparison(found.overall).difference.fixed
    assert isinstance(interval, Interval)
    assert (interval.low, interval.high) == expected
    assert interval.method == "miettinen_nurminen"


def test_a_ramp_over_a_falling_base_is_not_an_effect() -> None:
    """10 % of 9,000 units at a base of 20 %, then half of 9,000 at 10 %: pooled rates .1167 and .1643, effect 0."""
    cells = [
        Cell(epoch=1, segment="all", weights={"a": 9, "b": 1}),
        Cell(epoch=2, segment="all", weights={"a": 1, "b": 1}),
    ]
    ramp = conversions_in(
        {(1, "all"): {"a": (1620, 8100), "b": (180, 900)}, (2, "all"): {"a": (450, 4500), "b": (450, 4500)}}
    )
    found = build(plan(cells=cells), ramp)
    for scope in (segment(found), found.overall):
        row = comparison(scope)
        assert row.difference.value == pytest.approx(0.0, abs=1e-15)
        assert row.p_value == pytest.approx(1.0)
        assert scope.metrics[0].arms[0].value == pytest.approx(2070 / 12_600)
        assert scope.metrics[0].arms[1].value == pytest.approx(630 / 5_400)


def test_two_strata_by_hand() -> None:
    """Weights .25 and .75; differences .05 and .02; variance Σ w²(p₁q₁/n₁ + p₀q₀/n₀)."""
    cells = [
        Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}),
        Cell(epoch=2, segment="all", weights={"a": 2, "b": 1}),
    ]
    rows = conversions_in(
        {(1, "all"): {"a": (50, 500), "b": (75, 500)}, (2, "all"): {"a": (200, 2000), "b": (120, 1000)}}
    )
    row = comparison(segment(build(plan(cells=cells), rows)))
    variance = 0.0625 * (0.1 * 0.9 + 0.15 * 0.85) / 500 + 0.5625 * (0.1 * 0.9 / 2000 + 0.12 * 0.88 / 1000)
    critical = multiplier(4000, 0.05, mixture_scale(0.05, 5000))
    assert row.difference.value == pytest.approx(0.0275)
    assert row.difference.std_error == pytest.approx(variance**0.5)
    assert isinstance(row.difference.fixed, Interval)
    assert isinstance(row.difference.always_valid, Interval)
    assert row.difference.fixed.low == pytest.approx(0.0275 - 1.959964 * variance**0.5, rel=1e-6)
    assert row.difference.always_valid.low == pytest.approx(0.0275 - critical * variance**0.5, rel=1e-9)


def test_a_stratum_without_one_of_the_arms_is_left_out_by_name() -> None:
    """c starts in epoch 2, where its rate equals b's: epoch 1, with its other base rate, must not matter."""
    cells = [
        Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}),
        Cell(epoch=2, segment="all", weights={"a": 1, "b": 1, "c": 1}),
    ]
    rows = conversions_in(
        {
            (1, "all"): {"a": (400, 1000), "b": (400, 1000)},
            (2, "all"): {"a": (100, 1000), "b": (150, 1000), "c": (150, 1000)},
        }
    )
    found = segment(build(plan(variants=("a", "b", "c"), cells=cells), rows))
    against_b = comparison(found, index=2)
    assert (against_b.treatment, against_b.baseline) == ("c", "b")
    assert against_b.difference.value == 0.0
    left_out = [finding for finding in found.findings if finding.code == "stratum_left_out"]
    assert [(finding.variant, finding.epoch, finding.severity) for finding in left_out] == [("c", 1, "info")]


@pytest.mark.parametrize(("mixed", "severity"), [(0, None), (10, "info"), (11, "warning")])
def test_mixed_exposures(mixed: int, severity: str | None) -> None:
    """10 of 1,000 is 1 % exactly, not above it."""
    arms = table({(1, "all", "a"): {"visits": conversions(90, 990)}}, units_mixed=mixed)
    found = build(plan(), arms).findings
    assert [(finding.code, finding.severity) for finding in found] == (
        [("mixed_exposures", severity)] if severity else []
    )


def test_units_and_values_that_were_left_out() -> None:
    arms = table({}, units_outside=7, values_missing={"visits": 2})
    found = build(plan(metric(kind="mean")), arms)
    assert [(finding.code, finding.severity, finding.metric) for finding in found.findings] == [
        ("exposures_outside", "warning", None),
        ("values_missing", "warning", "visits"),
    ]
    assert found.findings[0].message.startswith("7 units")
    assert (found.units, found.units_outside) == (0, 7)
