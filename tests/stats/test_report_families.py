"""Families in the report: several treatments and metrics at once."""

from __future__ import annotations

from itertools import pairwise
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from analysis.estimate import Comparison, Interval, Report, Undefined
from analysis.inference.dunnett import dunnett_critical
from analysis.inference.sequential import always_valid_p, mixture_scale
from analysis.report import build
from tests.stats.builders import comparison, conversions, plan, segment, table
from tests.stats.exact_means import means


def three_treatments(**changes: Any) -> list[Comparison]:
    """z of 2.3, 2.0 and 1.0 against the control, equal errors."""
    error = sqrt(2) * 0.01
    arms = [(10.0, 0.01), *((10 + z * error, 0.01) for z in (2.3, 2.0, 1.0))]
    found = means(*arms, stopping_rule="fixed_horizon", **changes)
    return list(segment(found).metrics[0].comparisons)


def test_dunnett_in_the_report() -> None:
    """Against the trivariate normal law with correlations of 1/2, by its distribution function."""
    rows = three_treatments(family="dunnett")
    correlated = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    for row, z in zip(rows, (2.3, 2.0, 1.0), strict=False):
        expected = 1 - multivariate_normal.cdf(np.full(3, z), cov=correlated, lower_limit=np.full(3, -z))
        assert row.p_value_adjusted == pytest.approx(expected, rel=6e-3)
        assert isinstance(row.difference_in_family, Interval)
        half_width = (row.difference_in_family.high - row.difference_in_family.low) / 2
        assert half_width / (sqrt(2) * 0.01) == pytest.approx(2.34897, rel=3e-3)
    # Nobody differs surely from the control, so that no pair of treatments does: their p is that of the gate at least.
    gates = {row.treatment: row.p_value_adjusted for row in rows[:3]}
    for row in rows[3:]:
        gate = min(p for one in (row.treatment, row.baseline) if isinstance(p := gates[one], float))
        assert isinstance(row.p_value, float)
        assert row.p_value_adjusted == pytest.approx(max(gate, min(3 * row.p_value, 1.0)), rel=1e-6)
        assert isinstance(row.difference_in_family, Undefined)
        assert row.difference_in_family.reason == "not_in_family"


def dunnett(*values: float, errors: tuple[float, ...] | None = None) -> Report:
    """Arms at so many hundredths above 10, with standard errors of a hundredth unless told otherwise; all units in."""
    own = errors or (0.01,) * len(values)
    arms = [(10 + 0.01 * value, error) for value, error in zip(values, own, strict=True)]
    return means(*arms, stopping_rule="fixed_horizon", family="dunnett", tuned_for_units=1_000 * len(values))


def test_dunnett_names_the_best_of_two_treatments() -> None:
    """Once one is told apart from the control, two treatments are compared at alpha: 2.0 standard errors are enough."""
    report = dunnett(0.0, 20.0, 20.0 + 2.0 * sqrt(2))
    assert report.overall.verdict.outcome == "winner"
    assert report.overall.verdict.variant == "c"
    assert report.overall.metrics[0].comparisons[2].p_value_adjusted == pytest.approx(2 * norm.sf(2.0), rel=5e-3)


def test_a_draw_under_dunnett_does_not_wait_for_units_that_nobody_planned() -> None:
    report = dunnett(0.0, 20.0, 20.0)
    assert report.overall.verdict.outcome == "tied"
    assert report.recommendation is not None
    assert report.recommendation.waits_for == "nothing"
    assert "All units that were planned are in" in report.recommendation.sentence


@pytest.mark.parametrize(
    ("errors", "enough", "too_little"),
    [
        pytest.param((0.01,) * 4, 0.99, 1.01, id="equal arms: alpha over three pairs"),
        pytest.param((0.1, 0.01, 0.01, 0.01), 0.99, 1.01, id="noisy control: what one treatment's error leaves"),
    ],
)
def test_pairs_of_three_treatments_have_a_level_of_their_own(
    errors: tuple[float, ...], enough: float, too_little: float
) -> None:
    """The smaller one of alpha/3 and alpha - D(1), D(1) the two-sided tail beyond Dunnett's value: .0167 and .0086."""
    loading = errors[0] / sqrt(errors[0] ** 2 + errors[1] ** 2)
    level = min(0.05 / 3, 0.05 - 2 * norm.sf(dunnett_critical([loading] * 3, 0.05)))
    for times, winner in ((enough, True), (too_little, False)):
        apart = norm.isf(level * times / 2) * sqrt(2) * errors[1] / 0.01
        verdict = dunnett(0.0, 1_000.0, 1_000.0, 1_000.0 + apart, errors=errors).overall.verdict
        assert (verdict.outcome == "winner") is winner


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param((0.0, 0.0, 0.0), id="nothing differs"),
        pytest.param((0.0, 50.0, 50.0), id="two do, alike"),
    ],
)
def test_dunnett_with_its_pairs_errs_at_alpha(truth: tuple[float, ...]) -> None:
    """Without the gate .12 of the first; at most .05 + 4·√(.05·.95/400) of 400 experiments have a false difference."""
    rng, wrong = np.random.default_rng(17), 0
    for _ in range(400):
        rows = dunnett(*rng.normal(truth, 1.0)).segments[0].metrics[0].comparisons
        equal = [one for one in rows if truth["abc".index(one.treatment)] == truth["abc".index(one.baseline)]]
        wrong += any(isinstance(one.p_value_adjusted, float) and one.p_value_adjusted < 0.05 for one in equal)
    assert wrong / 400 <= 0.0936


@pytest.mark.parametrize(
    ("family", "factors"),
    [
        pytest.param("bonferroni", (6, 6), id="bonferroni: 6·p"),
        pytest.param("holm", (6, 5), id="holm: 6·p₁, 5·p₂"),
        pytest.param("benjamini_hochberg", (6, 3), id="benjamini-hochberg: 6/1·p₁, 6/2·p₂"),
        pytest.param("benjamini_yekutieli", (14.7, 7.35), id="benjamini-yekutieli: times 1 + 1/2 + … + 1/6 = 2.45"),
    ],
)
def test_families_of_the_report(family: str, factors: tuple[float, float]) -> None:
    """Six pairs, p of 2.3 and 2.0 standard errors the smallest: c against others is 1.3, .7 and less."""
    rows = three_treatments(family=family)
    once = sorted(row.p_value for row in rows if isinstance(row.p_value, float))
    found = sorted(row.p_value_adjusted for row in rows if isinstance(row.p_value_adjusted, float))
    assert found[1] >= found[0]
    step_up = family.startswith("benjamini")
    second = min(1.0, factors[1] * once[1])
    assert found[1] == pytest.approx(second, rel=1e-12) or (step_up and found[1] < second)
    assert found[0] == pytest.approx(min(factors[0] * once[0], second) if step_up else factors[0] * once[0], rel=1e-12)


def test_hochberg_is_never_weaker_than_holm() -> None:
    holm, hochberg = (three_treatments(family=family) for family in ("holm", "hochberg"))
    pairs = [(one.p_value_adjusted, other.p_value_adjusted) for one, other in zip(holm, hochberg, strict=True)]
    assert all(isinstance(a, float) and isinstance(b, float) and b <= a for a, b in pairs)
    assert any(b < a for a, b in pairs if isinstance(a, float) and isinstance(b, float))


def test_e_values_of_the_report_are_those_of_always_valid_p() -> None:
    """Two treatments in one segment: three pairs; e-BH's k-th largest e, times k/3, is compared with 1/alpha."""
    error = sqrt(2) * 0.01
    found = means((10, 0.01), (10 + 5 * error, 0.01), (10, 0.01), family="e_benjamini_hochberg")
    rows = segment(found).metrics[0].comparisons
    p = sorted(always_valid_p(z, 2_000, mixture_scale(0.05 / 3, 5_000)) for z in (5.0, 5.0, 0.0))
    expected = min(3 * p[0], 3 / 2 * p[1], p[2])
    assert rows[0].p_value_adjusted == pytest.approx(expected, rel=1e-6)


def test_ends_of_intervals_are_ordered_at_rising_levels() -> None:
    """At one look, at every look, in the family of two segments at every look: wider and wider."""
    arms = {(1, name, arm): {"visits": conversions(x, 1_000)} for name in "xy" for arm, x in (("a", 100), ("b", 120))}
    row = comparison(segment(build(plan(segments=("x", "y")), table(arms))))
    for once, always, family in (
        (row.difference.fixed, row.difference.always_valid, row.difference_in_family),
        (row.lift.fixed, row.lift.always_valid, row.lift_in_family),
    ):
        widths = [one.high - one.low for one in (once, always, family) if isinstance(one, Interval)]
        assert len(widths) == 3
        assert all(a < b for a, b in pairwise(widths))
    assert row.difference.value is not inf
