"""Strata are never pooled across splits; what was left out is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from analysis.effects.means import critical_value
from analysis.effects.proportions import Proportion
from analysis.effects.scores import TwoProportions, score_interval, score_z
from analysis.estimate import Interval, Undefined
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.moments import ArmKey, MetricKey, MomentTable
from analysis.plan import Cell
from analysis.report import build
from tests.stats import likelihood
from tests.stats.builders import (
    comparison,
    conversions,
    metric,
    moments_of,
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
    expected = score_interval(
        [
            TwoProportions(
                treatment=Proportion(successes=100, n=900),
                baseline=Proportion(successes=60, n=900),
            )
        ],
        critical_value(0.05),
    )
    interval = comparison(found.overall).difference.fixed
    assert isinstance(interval, Interval)
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-12)
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
    """Weights .25 and .75; differences .05 and .02; variance Σ w²(p₁q₁/n₁ + p₀q₀/n₀) for the scale people see.

    The tests are score tests: at each end of an interval a numerical maximum likelihood gives the critical value.
    """
    cells = [
        Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}),
        Cell(epoch=2, segment="all", weights={"a": 2, "b": 1}),
    ]
    rows = conversions_in(
        {(1, "all"): {"a": (50, 500), "b": (75, 500)}, (2, "all"): {"a": (200, 2000), "b": (120, 1000)}}
    )
    row = comparison(segment(build(plan(cells=cells), rows)))
    variance = 0.0625 * (0.1 * 0.9 + 0.15 * 0.85) / 500 + 0.5625 * (0.1 * 0.9 / 2000 + 0.12 * 0.88 / 1000)
    assert row.difference.value == pytest.approx(0.0275)
    assert row.difference.std_error == pytest.approx(variance**0.5)
    strata: list[tuple[float, likelihood.Counts]] = [
        (0.25, ((75, 500), (50, 500))),
        (0.75, ((120, 1000), (200, 2000))),
    ]
    assert row.p_value == pytest.approx(2 * norm.sf(likelihood.z_difference(strata, 0.0)), rel=1e-8)
    # The clock: the first epoch's 1,000 units times all summed variance over the first epoch's, no effect being there.
    first, second = 0.125 * 0.875 * (2 / 500), 320 / 3000 * (2680 / 3000) * (1 / 1000 + 1 / 2000)
    clock = 1000 * (1000**2 * first + 3000**2 * second) / (1000**2 * first)
    anytime = multiplier(clock, 0.05, mixture_scale(0.05, 5000))
    for critical, difference, lift in (
        (norm.isf(0.025), row.difference.fixed, row.lift.fixed),
        (anytime, row.difference.always_valid, row.lift.always_valid),
    ):
        assert isinstance(difference, Interval)
        assert isinstance(lift, Interval)
        assert likelihood.z_difference(strata, difference.low) == pytest.approx(critical, rel=1e-7)
        assert likelihood.z_difference(strata, difference.high) == pytest.approx(-critical, rel=1e-7)
        assert likelihood.z_lift(strata, lift.low) == pytest.approx(critical, rel=1e-7)
        assert likelihood.z_lift(strata, lift.high) == pytest.approx(-critical, rel=1e-7)
    assert isinstance(row.difference.fixed, Interval)
    assert row.difference.fixed.method == "stratified_miettinen_nurminen"


PROMOTED = [
    Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}),
    Cell(epoch=2, segment="all", weights={"a": 5, "b": 95}),
]


@pytest.mark.parametrize("kind", ["conversion", "mean"])
def test_a_stratum_in_which_an_arm_is_below_the_minimum_does_not_enter(kind: str) -> None:
    """100:100 and then 21:399 (with a minimum of 21 they would enter, with 22 they do not)."""
    rows = conversions_in({(1, "all"): {"a": (30, 100), "b": (40, 100)}, (2, "all"): {"a": (0, 21), "b": (200, 399)}})
    before = comparison(segment(build(plan(metric(kind=kind)), rows_of(rows, epoch=1))))
    found = segment(build(plan(metric(kind=kind), cells=PROMOTED, min_units=22), rows))
    row = comparison(found)
    assert row.difference.value == pytest.approx(0.1)
    assert (row.p_value, row.difference.fixed) == (before.p_value, before.difference.fixed)
    assert [(one.variant, one.epoch) for one in found.findings if one.code == "stratum_left_out"] == [("a", 2)]
    entered = comparison(segment(build(plan(metric(kind=kind), cells=PROMOTED, min_units=21), rows)))
    # 200 and 420 of 620 units: .1·200/620 + (200/399)·420/620.
    assert entered.difference.value == pytest.approx(20 / 620 + 200 / 399 * 420 / 620)


def rows_of(rows: MomentTable, *, epoch: int) -> MomentTable:
    return MomentTable(
        units={key: n for key, n in rows.units.items() if key.epoch == epoch},
        moments={key: value for key, value in rows.moments.items() if key.epoch == epoch},
    )


@pytest.mark.parametrize("kind", ["conversion", "mean"])
def test_no_stratum_with_enough_of_both_is_too_early(kind: str) -> None:
    """60 and 60 units of each arm, minimum 100: no stratum may be compared, however many there are together."""
    rows = conversions_in({(epoch, "all"): {"a": (30, 60), "b": (30, 60)} for epoch in (1, 2)})
    cells = [Cell(epoch=epoch, segment="all", weights={"a": 1, "b": 1}) for epoch in (1, 2)]
    found = segment(build(plan(metric(kind=kind), cells=cells), rows))
    p = comparison(found).p_value
    assert isinstance(p, Undefined)
    assert p.reason == "too_few_units"
    assert found.verdict.outcome == "too_early"
    assert found.verdict.sentence == (
        "Too early to say for all: a has 60 of the 100 units needed while the split does not change."
    )


def test_a_promotion_leaves_conversions_their_level() -> None:
    """1 % in both arms; 1,200 and 1,200, then 100 and 1,900: .05 + 4 standard errors; Wald errs in more than .09."""
    runs, rng = 4000, np.random.default_rng(3)
    sizes = {(1, "a"): 1200, (1, "b"): 1200, (2, "a"): 100, (2, "b"): 1900}
    counts = {key: rng.binomial(n, 0.01, runs) for key, n in sizes.items()}
    shares = {1: 2400 / 4400, 2: 2000 / 4400}
    found = [
        score_z(
            [
                TwoProportions(
                    share=shares[epoch],
                    treatment=Proportion(successes=int(counts[epoch, "b"][run]), n=sizes[epoch, "b"]),
                    baseline=Proportion(successes=int(counts[epoch, "a"][run]), n=sizes[epoch, "a"]),
                )
                for epoch in (1, 2)
            ]
        )
        for run in range(runs)
    ]
    errors = np.mean([isinstance(z, float) and abs(z) > 1.959964 for z in found])
    assert errors <= 0.05 + 4 * (0.05 * 0.95 / runs) ** 0.5
    rates = {key: found / sizes[key] for key, found in counts.items()}
    difference = sum(shares[epoch] * (rates[epoch, "b"] - rates[epoch, "a"]) for epoch in (1, 2))
    wald = sum(shares[key[0]] ** 2 * rates[key] * (1 - rates[key]) / n for key, n in sizes.items())
    assert np.mean(np.abs(difference) > 1.959964 * np.sqrt(wald)) > 0.09


def test_units_without_a_complete_window_are_told_and_have_no_outcome() -> None:
    """Of 300 customers an arm, 90 of a and 210 of b count for visits: b has the minimum of 100, a has not."""
    spend = moments_of([1.0, 2.0] * 150)
    arms = table(
        {(1, "all", arm): {"visits": conversions(30, n), "spend": spend} for arm, n in (("a", 90), ("b", 210))}
    )
    key = {arm: MetricKey(1, "all", arm, "visits") for arm in "ab"}
    arms = replace(arms, maturing={key["a"]: 1234, key["b"]: 1000}, cut_short={key["b"]: 1})
    metrics = (metric(window_seconds=7 * 86_400), metric(key="spend", kind="mean", role="secondary"))
    found = segment(build(plan(*metrics, units_name="customers"), arms))
    early, maturing = found.findings
    assert (early.code, early.message) == ("few_units", "a has 90 of the 100 customers with a complete window needed")
    assert (maturing.code, maturing.severity, maturing.metric) == ("units_maturing", "info", "visits")
    assert maturing.message == (
        "visits takes 7 days to be known: 2,234 customers are too recent and will count later; "
        "1 of the customers was cut off by a new split and never will"
    )
    assert found.units == 600
    assert [arm.units for arm in found.metrics[0].arms] == [90, 210]
    assert isinstance(comparison(found, metric_index=1).p_value, float)
    assert found.verdict.outcome == "too_early"


@pytest.mark.parametrize(
    ("seconds", "told"), [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (7200, "2 hours"), (86_400, "1 day")]
)
def test_windows_in_words(seconds: int, told: str) -> None:
    arms = replace(table({}), maturing={MetricKey(1, "all", "a", "visits"): 2})
    found = segment(build(plan(metric(window_seconds=seconds)), arms)).findings
    assert found[-1].message == f"visits takes {told} to be known: 2 units are too recent and will count later"


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
    arms = table({(1, "all", "a"): {"visits": conversions(90, 990)}}, mixed={ArmKey(1, "all", "a"): mixed})
    found = build(plan(), arms).findings
    assert [(finding.code, finding.severity) for finding in found] == (
        [("mixed_exposures", severity)] if severity else []
    )


def test_units_and_values_that_were_left_out() -> None:
    arms = table({}, units_outside=7, values_missing={"visits": 2})
    found = build(plan(metric(kind="mean")), arms)
    assert [(finding.code, finding.severity, finding.metric) for finding in found.findings] == [
        ("exposures_outside", "critical", None),
        ("values_missing", "warning", "visits"),
    ]
    assert found.findings[0].message.startswith("7 units")
    assert (found.units, found.units_outside) == (0, 7)
