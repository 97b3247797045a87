"""What a winner is expected to bring."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.domain.policy import LiftPrior
from experiments.domain.predicted import expected_gain


def test_without_a_prior_a_share_of_one_over_z_squared_goes() -> None:
    assert expected_gain(0.10, 0.05) == pytest.approx(0.075)
    assert expected_gain(0.20, 0.02) == pytest.approx(0.198)
    assert expected_gain(-0.10, 0.05) == pytest.approx(-0.075)


@pytest.mark.parametrize("z", [5.0, 6.0, 8.0, 10.0])
def test_it_is_the_posterior_mean_where_all_sizes_are_alike(z: float) -> None:
    """By quadrature, with the density 1/|θ| from .001 to 100 standard errors; the series goes on with 2/z³."""
    sizes = np.exp(np.linspace(np.log(1e-3), np.log(100), 200_001))
    up, down = np.exp(-((z - sizes) ** 2) / 2), np.exp(-((z + sizes) ** 2) / 2)
    exact = (sizes * (up - down)).sum() / (up + down).sum()
    assert expected_gain(z, 1.0) == pytest.approx(exact, abs=4 / z**3)
    assert abs(z - exact) > 0.9 / z


def test_a_prior_of_the_plan_is_weighed_by_its_precision() -> None:
    """A normal mean with known variance: Gelman et al., Bayesian Data Analysis, 3rd ed., eq. 2.10."""
    assert expected_gain(0.10, 0.03, LiftPrior(mean=0.0, std_dev=0.04)) == pytest.approx(0.064)
    assert expected_gain(0.10, 0.02, LiftPrior(mean=0.05, std_dev=0.02)) == pytest.approx(0.075)


def test_an_estimate_without_an_error_is_what_it_is() -> None:
    assert expected_gain(0.07, 0.0) == 0.07


def test_what_is_within_its_noise_is_nothing() -> None:
    assert expected_gain(0.01, 0.02) == expected_gain(0.0, 0.02) == expected_gain(0.02, 0.02) == 0
