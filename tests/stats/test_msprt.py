"""Mixture SPRT, one-sided sequences and the normal-mixture bound: published numbers, integrals, identities."""

from __future__ import annotations

from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference import sequential
from analysis.inference.msprt import (
    log_mixture_ratio,
    normal_mixture_bound,
    one_sided_multiplier,
    one_sided_p,
    one_sided_scale,
    rho_of,
    running_p_value,
)

RHO = one_sided_scale(0.05, 5_000)


def log_ratio(difference: float, variance: float, n: float, tau_squared: float) -> float:
    found = log_mixture_ratio(difference, variance, n, tau_squared)
    assert isinstance(found, float)
    return found


def test_johari_et_al() -> None:
    """Johari et al. (2022): diff .1, V 2, n 2000 an arm, τ² .01, by arithmetic from their formula."""
    found = log_ratio(0.1, 2, 2000, 0.01)
    assert exp(found) == pytest.approx(28.4033, rel=2e-6)
    assert running_p_value([found]) == pytest.approx(0.0352071, rel=2e-6)


@pytest.mark.parametrize(
    ("difference", "variance", "n", "tau_squared"),
    [(0.1, 2, 2000, 0.01), (-0.03, 0.3, 700, 0.0004), (0.0, 5, 50, 1.0), (2.0, 9, 3, 4.0)],
)
def test_it_is_the_mixture_of_likelihood_ratios(difference: float, variance: float, n: int, tau_squared: float) -> None:
    """∫ N(difference; θ, V/n)/N(difference; 0, V/n) dN(θ; 0, τ²), by quadrature."""
    std_error, tau = sqrt(variance / n), sqrt(tau_squared)

    def integrand(theta: float) -> float:
        ratio = norm.pdf(difference, theta, std_error) / norm.pdf(difference, 0, std_error)
        return float(ratio * norm.pdf(theta, 0, tau))

    centre = difference * tau_squared / (tau_squared + variance / n)
    reach = 12 * sqrt(tau_squared * variance / n / (tau_squared + variance / n))
    integral, _ = quad(integrand, centre - reach, centre + reach, epsabs=0, epsrel=1e-11)
    assert exp(log_ratio(difference, variance, n, tau_squared)) == pytest.approx(integral, rel=1e-9)


@given(st.floats(-2, 2), st.floats(0.01, 100), st.integers(1, 10**7), st.floats(1e-6, 1))
def test_it_is_the_e_value_of_the_confidence_sequence(difference: float, v: float, n: int, tau_squared: float) -> None:
    z = difference / sqrt(v / n)
    ours = running_p_value([log_ratio(difference, v, n, tau_squared)])
    assert ours == pytest.approx(sequential.always_valid_p(z, 2 * n, rho_of(tau_squared, v)), rel=1e-7)


def test_the_running_p_value_never_rises() -> None:
    assert running_p_value([]) == 1.0
    assert running_p_value([-3.0]) == 1.0
    assert running_p_value([-3.0, log(20), 1.0]) == pytest.approx(0.05)
    assert running_p_value([1e9]) == SMALLEST_P


@given(st.floats(-1, 1), st.floats(0.01, 10), st.integers(0, 10**6), st.floats(1e-4, 1))
def test_the_sign_of_a_difference_does_not_matter(difference: float, v: float, n: int, tau_squared: float) -> None:
    assert log_ratio(difference, v, n, tau_squared) == log_ratio(-difference, v, n, tau_squared)


def test_degenerate_ratios_are_named() -> None:
    found = log_mixture_ratio(0.1, 0.0, 100, 0.01)
    assert isinstance(found, Undefined)
    assert found.reason == "zero_variance"
    assert log_ratio(5.0, 2.0, 0, 0.01) == 0.0


@pytest.mark.parametrize(
    "arguments",
    [(float("nan"), 1, 1, 1), (inf, 1, 1, 1), (0, -1, 1, 1), (0, inf, 1, 1), (0, 1, -1, 1), (0, 1, 1, 0)],
)
def test_nonsense_is_refused(arguments: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no mixture ratio"):
        log_mixture_ratio(*arguments)


@pytest.mark.parametrize(("v", "expected"), [(10, 12.1908), (100, 30.3521), (1_000, 102.512), (10_000, 356.164)])
def test_normal_mixture_bound(v: float, expected: float) -> None:
    """confseq, normal_mixture_bound(v, alpha=.05, v_opt=100, alpha_opt=.05, is_one_sided=False)."""
    assert normal_mixture_bound(v, 0.05, 100) == pytest.approx(expected, rel=4e-6)


@given(st.floats(0.01, 1e6), st.floats(1e-4, 0.5), st.floats(0.1, 1e5))
def test_normal_mixture_bound_is_the_formula_of_howard_et_al(v: float, alpha: float, v_opt: float) -> None:
    """√((v + r)·log((v + r)/(r·α²))), Annals of Statistics 49 (2021)."""
    r = v_opt / (-2 * log(alpha) + log(1 - 2 * log(alpha)))
    assert normal_mixture_bound(v, alpha, v_opt) == pytest.approx(sqrt((v + r) * log((v + r) / r / alpha**2)), rel=1e-9)


@pytest.mark.parametrize(("z", "units"), [(0.5, 100), (2.0, 800), (3.1, 5_000), (4.0, 10**6)])
def test_one_sided_p_is_one_over_a_half_normal_mixture(z: float, units: int) -> None:
    """∫ exp(λz - λ²/2) over the positive half of N(0, v), by quadrature."""
    spread = sqrt(units) * RHO
    integral, _ = quad(
        lambda x: 2 * exp(x * z - x * x / 2) * norm.pdf(x, 0, spread), 0, min(z + 12, 12 * spread), epsrel=1e-11
    )
    assert one_sided_p(z, units, RHO) == pytest.approx(min(1.0, 1 / integral), rel=1e-8)


@given(st.floats(-10, 30), st.integers(1, 10**7), st.floats(0.001, 0.5))
def test_one_sided_p_is_dual_to_the_bound(z: float, units: int, alpha: float) -> None:
    p = one_sided_p(z, units, RHO)
    assume(abs(p - alpha) > 1e-9)
    assert (z > one_sided_multiplier(units, alpha, RHO)) == (p < alpha)


@given(st.integers(1, 10**9), st.floats(0.0001, 0.4), st.integers(1, 10**7))
def test_one_side_is_narrower_than_two_and_than_the_closed_form(units: int, alpha: float, tuned_for: int) -> None:
    """The closed form of Waudby-Smith et al.; the two-sided sequence at twice the error is a lower bound."""
    rho = one_sided_scale(alpha, tuned_for)
    ours, v = one_sided_multiplier(units, alpha, rho), units * rho * rho
    assert ours <= sqrt(2 * log(1 + sqrt(v + 1) / (2 * alpha)) * (v + 1) / v) * (1 + 1e-12)
    assert sequential.multiplier(units, 2 * alpha, rho) <= ours * (1 + 1e-12)
    assert ours <= sequential.multiplier(units, alpha, rho) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("z", "expected"), [(0.0, 1.0), (-inf, 1.0), (-5.0, 1.0), (1e5, SMALLEST_P), (inf, SMALLEST_P)]
)
def test_one_sided_p_stays_a_probability(z: float, expected: float) -> None:
    assert one_sided_p(z, 10_000, RHO) == expected


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="error rate"):
        one_sided_scale(0.5, 100)
    with pytest.raises(ValueError, match="positive"):
        one_sided_scale(0.05, 0)
    with pytest.raises(ValueError, match="error rate"):
        normal_mixture_bound(1.0, 1.0, 1.0)
    for v, v_opt in ((0.0, 1.0), (1.0, -1.0), (inf, 1.0)):
        with pytest.raises(ValueError, match="positive"):
            normal_mixture_bound(v, 0.05, v_opt)
    with pytest.raises(ValueError, match="positive"):
        one_sided_multiplier(0, 0.05, RHO)
    with pytest.raises(ValueError, match="positive"):
        one_sided_p(1.0, 100, 0.0)


def test_any_look_error_of_both() -> None:
    """S = 4,000 null experiments looked at 200 times: one-sided and two-sided sequences ≤ .05 + 4 standard errors."""
    runs, looks, per_look, rng = 4_000, 200, 50, np.random.default_rng(29)
    units = per_look * np.arange(1, looks + 1)
    z = rng.normal(size=(runs, looks)).cumsum(axis=1) / np.sqrt(np.arange(1, looks + 1))
    ceiling = 0.05 + 4 * sqrt(0.05 * 0.95 / runs)
    one_sided = np.array([one_sided_multiplier(int(n), 0.05, RHO) for n in units])
    rho = sequential.mixture_scale(0.05, 5_000)
    two_sided = np.array([sequential.multiplier(int(n), 0.05, rho) for n in units])
    assert 0.01 < (z > one_sided).any(axis=1).mean() <= ceiling
    assert 0.01 < (np.abs(z) > two_sided).any(axis=1).mean() <= ceiling
    assert (z > 1.6449).any(axis=1).mean() > 0.3
