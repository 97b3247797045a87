"""Segments side by side: published examples, numeric likelihoods, the error at any look, the winner's curse."""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, multivariate_normal

from analysis.estimate import Interval, SegmentComparison, Selected, Undefined
from analysis.inference.heterogeneity import (
    Contrast,
    EffectEstimate,
    contrasts,
    difference_scale,
    log_evidence_of_difference,
)
from analysis.inference.selection import SelectedWinner, selected_winner
from analysis.inference.sequential import mixture_scale, multiplier
from analysis.inference.shrinkage import show
from analysis.inference.side_by_side import compare_segments

RHO = mixture_scale(0.05, 5_000)


def compared(values: Any, errors: Any, units: Any = None, **changes: Any) -> SegmentComparison:
    fields: dict[str, Any] = {
        "alpha": 0.05,
        "rho": RHO,
        "stopping_rule": "always_valid",
        "direction": "increase",
        "units": [5_000] * len(values) if units is None else units,
    }
    return compare_segments("b", "a", [f"s{i}" for i in range(len(values))], values, errors, **fields | changes)


# Rubin 1981, table 1: coaching effects on the SAT in eight schools.
SCHOOLS = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]


def test_eight_schools() -> None:
    """Rubin 1981: one effect for all, 7.68562 ± 4.07192, Q 4.70708; nothing else to show of any school."""
    found = compared(*SCHOOLS)
    assert (found.q, found.pooled.value, found.pooled.std_error) == pytest.approx((4.70708, 7.68562, 4.07192), rel=1e-6)
    assert found.p_value == pytest.approx(chi2.sf(4.70708, 7), rel=1e-5)
    assert (found.degrees_of_freedom, found.i_squared, found.tau, found.differ) == (7, 0.0, 0.0, False)
    assert [row.shrunk for row in found.segments] == pytest.approx([found.pooled.value] * 8)
    assert [row.raw for row in found.segments] == SCHOOLS[0]
    assert isinstance(found.pooled.fixed, Interval)
    assert isinstance(found.pooled.always_valid, Interval)
    assert found.pooled.fixed.high == pytest.approx(7.68562 + 1.959964 * 4.07192, rel=1e-6)
    assert found.pooled.always_valid.high == pytest.approx(7.68562 + multiplier(40_000, 0.05, RHO) * 4.07192, rel=1e-6)
    assert isinstance(found.selected, Selected)
    assert (found.selected.segment, found.selected.raw) == ("s0", 28.0)
    assert found.selected.adjusted == found.segments[0].shrunk


def test_the_evidence_is_a_ratio_of_normal_densities() -> None:
    """Of the differences to the first segment, which are free of the common mean: by scipy's densities."""
    values, variances, units, rho = np.array([0.3, -0.2, 0.9]), np.array([0.04, 0.01, 0.09]), [400, 900, 100], 0.05
    to_first = np.array([[-1.0, 1, 0], [-1, 0, 1]])
    spread = variances * np.array(units) * rho**2
    densities = [
        multivariate_normal.logpdf(to_first @ values, cov=to_first @ np.diag(covariance) @ to_first.T)
        for covariance in (variances + spread, variances)
    ]
    found = float(log_evidence_of_difference(values, variances, units, rho))
    assert found == pytest.approx(densities[0] - densities[1], rel=1e-10)


def test_two_segments_are_the_mixture_test_of_their_difference() -> None:
    """½·(z²·t/(1 + t) - log(1 + t)) with t = Στ²/Σv: Johari et al. 2022, for the difference of the two."""
    values, variances, units, rho = [1.0, 0.2], np.array([0.04, 0.09]), np.array([1_000, 300]), 0.04
    t = float((variances * units * rho**2).sum() / variances.sum())
    z2 = 0.8**2 / 0.13
    found = float(log_evidence_of_difference(values, variances, units, rho))
    assert found == pytest.approx(0.5 * (z2 * t / (1 + t) - log(1 + t)), rel=1e-10)
    shifted = float(log_evidence_of_difference([1e6 + 1, 1e6 + 0.2], variances, units, rho))
    assert shifted == pytest.approx(found, rel=1e-8)


def test_one_segment_alone_is_no_evidence() -> None:
    assert float(log_evidence_of_difference([3.0], [1.0], [100], 0.1)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("segments", [2, 6, 20])
def test_the_scale_is_best_where_it_is_tuned(segments: int) -> None:
    """The Q of `segments` equal segments that crosses at 5,000 units each, least over ρ by scipy."""

    def crossing(log_rho: float) -> float:
        v, d = 5_000 * exp(2 * log_rho), segments - 1
        return (d * log(1 + v) - 2 * log(0.05)) * (1 + v) / v

    least = minimize_scalar(crossing, bounds=(log(1e-4), log(1)), method="bounded").fun
    assert crossing(log(difference_scale(0.05, RHO, segments))) == pytest.approx(least, rel=0.002)
    assert difference_scale(0.05, RHO, 2) == RHO


def test_against_the_others_by_hand() -> None:
    """Effects 4, 1, 1 with errors 1, √2, √2: the others together 1 ± 1, so 3 ± √2; in three segments at α/3."""
    found = compared([4, 1, 1], [1, sqrt(2), sqrt(2)], stopping_rule="fixed_horizon")
    first = found.segments[0]
    assert first.against_others == pytest.approx(3)
    assert isinstance(first.against_others_interval, Interval)
    assert first.against_others_interval.high == pytest.approx(3 + 2.393980 * sqrt(2), rel=1e-6)
    assert first.against_others_p_value == pytest.approx(3 * 0.0338949, rel=1e-5)


rows = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 2), st.integers(200, 20_000)), min_size=2, max_size=8)


@settings(deadline=None)
@given(rows, st.sampled_from(["always_valid", "fixed_horizon"]))
def test_intervals_against_the_others_leave_out_0_when_their_p_value_says_so(
    drawn: list[tuple[float, float, int]], rule: str
) -> None:
    values, errors, units = zip(*drawn, strict=True)
    found = compared(values, errors, units, stopping_rule=rule)
    expected = contrasts([EffectEstimate(value=v, std_error=e) for v, e in zip(values, errors, strict=True)])
    for row, contrast in zip(found.segments, expected, strict=True):
        assert isinstance(contrast, Contrast)
        assert isinstance(row.against_others_interval, Interval)
        assert isinstance(row.against_others_p_value, float)
        assert row.against_others == pytest.approx(contrast.difference, rel=1e-9, abs=1e-9)
        if abs(row.against_others_p_value - 0.05) > 1e-9:
            excludes = row.against_others_interval.low > 0 or row.against_others_interval.high < 0
            assert excludes == (row.against_others_p_value < 0.05)
        if rule == "fixed_horizon":
            assert row.against_others_p_value == pytest.approx(min(1, len(values) * contrast.p_value), rel=1e-9)


def test_which_rule_decides_whether_they_differ() -> None:
    """Two segments at z 2.4 apart: enough at one look, not at every look."""
    values, errors = [0.0, 2.4 * sqrt(2)], [1.0, 1.0]
    assert compared(values, errors, stopping_rule="fixed_horizon").differ
    for rule in ("always_valid", "group_sequential"):
        assert not compared(values, errors, stopping_rule=rule).differ
    apart = compared([0.0, 8.0], errors)
    assert apart.differ
    assert apart.tau == pytest.approx(sqrt(32 - 1), rel=1e-6)  # s² - σ², equal errors
    assert apart.i_squared == pytest.approx(1 - 1 / 32)


@settings(deadline=None, max_examples=40)
@given(rows, st.sampled_from(["always_valid", "fixed_horizon"]))
def test_less_is_better_is_the_mirror(drawn: list[tuple[float, float, int]], rule: str) -> None:
    values, errors, units = zip(*drawn, strict=True)
    up = compared(values, errors, units, stopping_rule=rule)
    down = compared([-v for v in values], errors, units, stopping_rule=rule, direction="decrease")
    if isinstance(up.selected, Undefined):
        assert up.selected.reason == "tied"
        assert down.selected == up.selected
        return
    assert isinstance(down.selected, Selected)
    assert down.selected.segment == up.selected.segment
    for one, other in (
        (down.selected.adjusted, up.selected.adjusted),
        (down.selected.interval.low, up.selected.interval.high),
        (down.selected.interval.high, up.selected.interval.low),
    ):
        assert -one == pytest.approx(other, rel=1e-6, abs=1e-6)
    assert up.selected.interval.low <= up.selected.adjusted <= up.selected.interval.high


def test_the_interval_of_the_selected_one() -> None:
    """At one look the hybrid one of Andrews et al., at every look the sequence at α over the segments."""
    values, errors = [0.0, 0.4, 1.9, 2.0], [1.0, 0.8, 1.1, 1.0]
    winner = selected_winner([EffectEstimate(value=v, std_error=e) for v, e in zip(values, errors, strict=True)])
    once = compared(values, errors, stopping_rule="fixed_horizon").selected
    anytime = compared(values, errors).selected
    assert isinstance(winner, SelectedWinner)
    assert isinstance(once, Selected)
    assert isinstance(anytime, Selected)
    assert once.interval.low == pytest.approx(winner.hybrid.low)
    assert once.interval.high == pytest.approx(winner.hybrid.high)
    reach = multiplier(5_000, 0.05 / 4, mixture_scale(0.05 / 4, 5_000))
    assert anytime.interval.high == pytest.approx(2.0 + reach, rel=1e-9)


def test_segments_without_an_estimate_take_no_part() -> None:
    with_gaps = compared([1.0, nan, 2.0, 5.0, 4.0], [1.0, 1.0, 2.0, 0.0, inf], stopping_rule="fixed_horizon")
    alone = compared([1.0, 2.0], [1.0, 2.0], stopping_rule="fixed_horizon")
    assert (with_gaps.q, with_gaps.pooled, with_gaps.degrees_of_freedom) == (alone.q, alone.pooled, 1)
    for index in (1, 3, 4):
        row = with_gaps.segments[index]
        assert row.segment == f"s{index}"
        for value in (row.raw, row.shrunk, row.against_others_interval):
            assert isinstance(value, Undefined)
            assert value.reason == "no_estimate"
    # Five were declared: the two that have an estimate share alpha with the others.
    assert with_gaps.segments[0].against_others_p_value == pytest.approx(
        min(1.0, 2.5 * alone.segments[0].against_others_p_value)  # type: ignore[operator]
    )


@pytest.mark.parametrize(("values", "pooled"), [([], None), ([nan, nan], None), ([nan, 2.0], 2.0)])
def test_fewer_than_two_do_not_differ(values: list[float], pooled: float | None) -> None:
    found = compared(values, [1.0] * len(values))
    assert not found.differ
    for value in (found.q, found.p_value, found.p_value_always_valid, found.i_squared, found.tau, found.selected):
        assert isinstance(value, Undefined)
        assert value.reason == "too_few_segments"
    assert isinstance(found.pooled.value, Undefined) if pooled is None else found.pooled.value == pooled
    assert len(found.segments) == len(values)


def test_a_tie_has_no_best() -> None:
    found = compared([1.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert isinstance(found.selected, Undefined)
    assert found.selected.reason == "tied"


def test_what_is_shown_of_equal_segments_that_differ_is_james_stein() -> None:
    """1 - (k - 2.5)/Q of the distance from the mean, where Q has p < .1; for two segments all of it."""
    values = np.array([0.0, 1.0, 2.0, 3.0, 9.0])
    q = float(((values - 3) ** 2).sum())
    assert chi2.sf(q, 4) < 0.1
    assert show(values, np.ones(5)).values == pytest.approx(3 + (1 - 2.5 / q) * (values - 3), rel=1e-8)
    assert show(values / 6, np.ones(5)).values == pytest.approx([0.5] * 5)
    assert show(np.array([0.0, 9.0]), np.ones(2)).values == pytest.approx([0.0, 9.0])


def test_the_error_of_what_is_shown_by_quadrature() -> None:
    """Posterior mean square about the shown value, by scipy over τ with the prior τ/(1 + (τ/4s)⁴)^¾."""
    values, variances = np.array([0.5, -1.0, 2.5]), np.array([1.0, 0.25, 2.0])
    found = show(values, variances)
    size = 1 / np.sqrt((1 / variances).mean())

    def at(tau: float) -> tuple[float, np.ndarray]:
        precision = 1 / (variances + tau * tau)
        mean = (precision * values).sum() / precision.sum()
        likelihood = sqrt(precision.prod() / precision.sum()) * exp(-0.5 * (precision * (values - mean) ** 2).sum())
        kept = tau * tau * precision
        spread = kept * variances + (1 - kept) ** 2 / precision.sum()
        square = spread + (mean + kept * (values - mean) - found.values) ** 2
        return likelihood * tau / (1 + (tau / (4 * size)) ** 4) ** 0.75, square

    whole = quad(lambda tau: at(tau)[0], 0, inf, limit=400)[0]
    for i in range(3):
        square = quad(lambda tau, i=i: at(tau)[0] * at(tau)[1][i], 0, inf, limit=400)[0] / whole
        assert found.std_errors[i] == pytest.approx(sqrt(square), rel=2e-3)


def any_look(sizes: np.ndarray, speeds: np.ndarray, tau: float, runs: int, looks: int) -> float:
    """Share of runs in which segments are shown to differ at one of the looks; contributions have variance 4."""
    rng, segments = np.random.default_rng(len(sizes) + int(sizes[-1])), len(sizes)
    units = (sizes * np.linspace(0.02, 1, looks)[:, None] ** speeds).round().clip(200)
    rho = difference_scale(0.05, RHO, segments)
    truth, total, hit = 2 * tau * rng.normal(size=(runs, segments)), np.zeros((runs, segments)), np.zeros(runs, bool)
    for now, before in zip(units, np.vstack([np.zeros(segments), units]), strict=False):
        new = now - before
        total += new * truth + 2 * np.sqrt(new) * rng.normal(size=total.shape)
        hit |= log_evidence_of_difference(total / now, np.broadcast_to(4 / now, total.shape), now, rho) >= -log(0.05)
    return float(hit.mean())


@pytest.mark.parametrize("segments", [2, 6])
def test_the_error_at_any_of_sixty_looks(segments: int) -> None:
    slack = 4 * sqrt(0.05 * 0.95 / 2_000)
    assert any_look(np.full(segments, 10_000.0), np.ones(segments), 0.0, 2_000, 60) <= 0.05 + slack


def test_segments_that_differ_are_found() -> None:
    """Effects that vary by .06 of a unit's standard deviation, six segments of 10,000: by the end in .9."""
    assert any_look(np.full(6, 10_000.0), np.ones(6), 0.03, 1_000, 60) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("segments", [2, 6, 20])
@pytest.mark.parametrize("ratio", [1, 10])
@pytest.mark.parametrize("apart", [False, True], ids=["alike", "at different speeds"])
def test_the_error_at_any_of_a_hundred_looks(segments: int, ratio: int, apart: bool) -> None:
    """S = 10,000: at most .0587, four standard errors above .05."""
    speeds = np.geomspace(0.5, 2, segments) if apart else np.ones(segments)
    assert any_look(10_000 * np.geomspace(1, 1 / ratio, segments), speeds, 0.0, 10_000, 100) <= 0.0587


def winners(tau: float, errors: np.ndarray, runs: int, seed: int) -> tuple[float, float, float, float]:
    """Bias of the best one as shown in shares of its raw bias, coverage of its interval and of all, error to raw's."""
    rng, count = np.random.default_rng(seed), np.arange(runs)
    truth = 0.2 + tau * rng.normal(size=(runs, len(errors)))
    raw = truth + errors * rng.normal(size=truth.shape)
    shown = show(raw, np.broadcast_to(errors**2, raw.shape))
    best, off = raw.argmax(axis=1), shown.values - truth
    covers = abs(off) <= 1.959964 * shown.std_errors
    share = off[count, best].mean() / (raw - truth)[count, best].mean()
    error = sqrt((off**2).mean() / ((raw - truth) ** 2).mean())
    return float(share), float(covers[count, best].mean()), float(covers.mean()), error


EQUAL, UNEQUAL = np.ones(20), np.geomspace(0.5, 2, 20)


@pytest.mark.parametrize("errors", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_the_shown_winner_of_segments_that_do_not_differ(errors: np.ndarray) -> None:
    """The hardest case: the raw best one of 20 shows 1.9 errors too much, a tenth of that may stay (S = 2,000)."""
    share, covered, _, error = winners(0.0, errors, 2_000, 3)
    assert abs(share) <= 0.1
    assert covered >= 0.94
    assert error < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("errors", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_the_shown_winner(tau: float, errors: np.ndarray) -> None:
    """20 segments, S = 10,000: bias ≤ 10 % of the raw one, covered ≥ .94, nearer to the truth than raw effects are."""
    share, covered, all_covered, error = winners(tau, errors, 10_000, int(100 * tau) + 1)
    assert abs(share) <= 0.1
    assert covered >= 0.94
    assert all_covered >= 0.94
    assert error < 1


@pytest.mark.parametrize("truth", ["none differs", "some differ", "one differs"])
@pytest.mark.parametrize("rule", ["fixed_horizon", "always_valid"])
def test_the_interval_of_the_selected_one_covers(truth: str, rule: str) -> None:
    """20 segments, S = 500, through the public entry: .95 also where the effects are not normal."""
    rng, covered, runs = np.random.default_rng(11), 0, 500
    for _ in range(runs):
        effects = np.zeros(20) if truth == "none differs" else rng.normal(size=20)
        if truth == "one differs":
            effects = 3.0 * (np.arange(20) == 7)
        found = compared(effects + UNEQUAL * rng.normal(size=20), UNEQUAL, stopping_rule=rule).selected
        assert isinstance(found, Selected)
        covered += found.interval.low <= effects[int(found.segment[1:])] <= found.interval.high
    assert covered / runs >= 0.95 - 4 * sqrt(0.05 * 0.95 / runs)
