"""Type M and type S errors of a design: published figures, a simulation, degenerate designs."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.design.errors import DesignErrors, design_errors, too_good_to_be_true
from analysis.estimate import Undefined


def errors(signal: float, **how: float) -> DesignErrors:
    found = design_errors(signal, 1.0, **how)
    assert isinstance(found, DesignErrors)
    return found


def signal_of(power: float) -> float:
    return float(brentq(lambda signal: errors(signal).power - power, 1e-9, 10))


@pytest.mark.parametrize(("power", "exaggeration"), [(0.06, 8.0), (0.2, 2.26), (0.5, 1.41)])
def test_exaggeration_at_published_powers(power: float, exaggeration: float) -> None:
    """Gelman & Carlin (2014), exaggeration against power, by simulation there: within 2 %."""
    assert errors(signal_of(power)).exaggeration == pytest.approx(exaggeration, rel=0.02)


def test_the_example_of_beauty_and_sex_ratio() -> None:
    """Gelman & Carlin (2014): effect .1, standard error 3.3: power .05, type S .46, exaggeration 77, by simulation."""
    found = design_errors(0.1, 3.3)
    assert isinstance(found, DesignErrors)
    assert found.power == pytest.approx(0.05, abs=0.001)
    assert found.type_s == pytest.approx(0.46, abs=0.01)
    assert found.exaggeration == pytest.approx(77, rel=0.02)


@pytest.mark.parametrize("signal", [0.3, 1.1, 2.8])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_closed_form_is_the_simulation(signal: float, alpha: float) -> None:
    """S = 1,000,000 estimates; tolerances of four standard errors."""
    runs = 1_000_000
    x = np.random.default_rng(53).normal(signal, 1, runs)
    significant = x[np.abs(x) > norm.isf(alpha / 2)]
    found = errors(signal, alpha=alpha)
    count = len(significant)
    assert found.power == pytest.approx(count / runs, abs=4 * sqrt(found.power * (1 - found.power) / runs))
    wrong, type_s = (significant < 0).mean(), found.type_s
    assert type_s == pytest.approx(wrong, abs=4 * sqrt(type_s * (1 - type_s) / count) + 4 / count)
    exaggerations = np.abs(significant) / signal
    assert found.exaggeration == pytest.approx(exaggerations.mean(), abs=4 * exaggerations.std() / sqrt(count))


@given(st.floats(1e-3, 8), st.floats(1.01, 3))
def test_a_larger_effect_is_found_more_often_and_exaggerated_less(signal: float, factor: float) -> None:
    small, large = errors(signal), errors(signal * factor)
    assert large.power >= small.power
    assert large.type_s <= small.type_s
    assert isinstance(small.exaggeration, float)
    assert isinstance(large.exaggeration, float)
    assert 1 - 1e-9 <= large.exaggeration <= small.exaggeration * (1 + 1e-9)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_only_the_size_of_the_effect_in_standard_errors_counts(difference: float, std_error: float) -> None:
    assert design_errors(difference, std_error) == design_errors(-difference, std_error)
    found = design_errors(difference, std_error)
    assert isinstance(found, DesignErrors)
    assert found == errors(difference / std_error)


def test_another_critical_value_takes_the_place_of_the_quantile() -> None:
    assert errors(1.0, critical=float(norm.isf(0.005))).power == pytest.approx(errors(1.0, alpha=0.01).power, rel=1e-12)
    stricter = errors(1.0, critical=3.0)
    assert stricter.power == pytest.approx(norm.sf(2.0) + norm.sf(4.0), rel=1e-12)
    assert stricter.type_s == pytest.approx(norm.sf(4.0) / (norm.sf(2.0) + norm.sf(4.0)), rel=1e-12)


def test_no_effect_and_no_spread_are_named() -> None:
    nothing = errors(0.0)
    assert nothing.power == pytest.approx(0.05)
    assert nothing.type_s == pytest.approx(0.5)
    assert isinstance(nothing.exaggeration, Undefined)
    assert nothing.exaggeration.reason == "no_effect"
    spread = design_errors(1.0, 0.0)
    assert isinstance(spread, Undefined)
    assert spread.reason == "zero_variance"


def test_extremes_stay_finite() -> None:
    assert errors(1e200) == DesignErrors(power=1.0, type_s=0.0, exaggeration=1.0)
    assert isinstance(errors(5e-324).exaggeration, Undefined)
    far = errors(1.0, critical=1e3)
    assert (far.power, far.type_s) == (0.0, 0.0)
    assert far.exaggeration == 1e3


@pytest.mark.parametrize("arguments", [(inf, 1.0), (float("nan"), 1.0), (1.0, -1.0), (1.0, inf)])
def test_nonsense_is_refused(arguments: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no difference"):
        design_errors(*arguments)


@pytest.mark.parametrize("how", [{"alpha": 0.0}, {"alpha": 1.0}, {"critical": 0.0}, {"critical": inf}])
def test_nonsense_rules_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="critical"):
        design_errors(1.0, 1.0, **how)


@pytest.mark.parametrize(("difference", "flagged"), [(0.06, False), (0.061, True), (-0.061, True), (0.0, False)])
def test_an_effect_three_times_the_detectable_one_is_flagged(difference: float, flagged: bool) -> None:
    assert too_good_to_be_true(difference, 0.02) is flagged


def test_another_factor_flags_elsewhere() -> None:
    assert too_good_to_be_true(0.05, 0.02, factor=2.0)
    assert not too_good_to_be_true(0.05, 0.02)
    for detectable, factor in ((0.0, 3.0), (0.1, 0.0), (float("nan"), 3.0)):
        with pytest.raises(ValueError, match="positive"):
            too_good_to_be_true(1.0, detectable, factor=factor)
