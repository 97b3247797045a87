"""Group-sequential designs: published boundaries, another integration, duality, error rates."""

from __future__ import annotations

from itertools import pairwise
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference.crossing import Region, crossing_chances, first_look, next_look
from analysis.inference.group_sequential import (
    Boundary,
    Spending,
    any_look_chance,
    obrien_fleming,
    pocock,
    spending_boundaries,
)
from analysis.inference.repeated import look, repeated_p_value, stagewise_p_value

Z = float(norm.isf(0.025))
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
FAMILIES = ("obrien_fleming", "pocock", "power")

fractions = st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True).map(lambda x: [k / 50 for k in sorted(x)])
spendings = st.builds(
    Spending,
    family=st.sampled_from(FAMILIES),
    alpha=st.sampled_from([0.001, 0.01, 0.05, 0.2]),
    sides=st.sampled_from([1, 2]),
    exponent=st.sampled_from([0.5, 1.0, 3.0]),
)


def critical(boundaries: tuple[Boundary, ...]) -> list[float]:
    return [inf if isinstance(b.critical, Undefined) else b.critical for b in boundaries]


def test_obrien_fleming_boundary() -> None:
    """Jennison & Turnbull (2000), table 2.3: c = 2.040 at K = 5, two-sided 5 %; six digits by arithmetic."""
    expected = [4.56174, 3.22564, 2.63372, 2.28087, 2.04007]
    assert obrien_fleming(5) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(
    ("looks", "expected"), [(1, Z), (2, 2.17827), (3, 2.28948), (4, 2.36130), (5, 2.41318), (10, 2.55501)]
)
def test_pocock_boundary(looks: int, expected: float) -> None:
    """Jennison & Turnbull (2000), table 2.1; six digits by arithmetic."""
    assert pocock(looks) == pytest.approx([expected] * looks, abs=5e-6)


@pytest.mark.parametrize(
    ("looks", "error"),
    [(1, 0.05), (2, 0.0831178), (5, 0.141689), (10, 0.193357), (20, 0.247911), (50, 0.320450), (100, 0.373619)],
)
def test_naive_peeking(looks: int, error: float) -> None:
    """Armitage, McPherson & Rowe (1969): .050, .083, .142, .193, .248, .320, .374; further digits by arithmetic."""
    assert any_look_chance([Z] * looks) == pytest.approx(error, rel=4e-6)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        # Reboussin, DeMets, Kim & Lan, Controlled Clinical Trials 21 (2000): five equal looks, two-sided 5 %.
        ("obrien_fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_spending_boundaries_of_lan_and_demets(family: str, expected: list[float]) -> None:
    found = critical(spending_boundaries(Spending(family=family), FIFTHS))  # type: ignore[arg-type]
    assert found == pytest.approx(expected, abs=1.5e-4)


@pytest.mark.parametrize(
    ("bounds", "power", "factor"),
    [
        # Jennison & Turnbull (2000), tables 2.2 and 2.4: how much larger the sample is at most than with one look.
        pytest.param(pocock(5), 0.8, 1.229, id="Pocock .8"),
        pytest.param(pocock(5), 0.9, 1.207, id="Pocock .9"),
        pytest.param(obrien_fleming(5), 0.8, 1.028, id="O'Brien-Fleming .8"),
        pytest.param(obrien_fleming(5), 0.9, 1.026, id="O'Brien-Fleming .9"),
    ],
)
def test_power_is_reached_with_the_published_inflation(bounds: tuple[float, ...], power: float, factor: float) -> None:
    drift = (Z + float(norm.ppf(power))) * sqrt(factor)
    assert any_look_chance(bounds, drift=drift) == pytest.approx(power, abs=3e-4)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("drift", [0.0, 1.7])
def test_integration_agrees_with_the_multivariate_normal(sides: int, drift: float) -> None:
    """Genz's algorithm in scipy on the joint distribution, corr(Z_j, Z_k) = √(t_j/t_k)."""
    reached, bounds = np.array([0.15, 0.5, 0.7, 1.1]), np.array([2.5, 2.2, 2.1, 1.9])
    correlation = np.sqrt(np.minimum.outer(reached, reached) / np.maximum.outer(reached, reached))
    inside = multivariate_normal.cdf(
        bounds - drift * np.sqrt(reached),
        cov=correlation,
        lower_limit=(-bounds if sides == 2 else np.full(4, -inf)) - drift * np.sqrt(reached),
        maxpts=1_000_000,
        abseps=1e-7,
        rng=np.random.default_rng(3),
    )
    found = any_look_chance(list(bounds), fractions=list(reached), drift=drift, sides=sides)  # type: ignore[arg-type]
    assert found == pytest.approx(1 - inside, abs=2e-6)


def test_what_is_not_stopped_goes_on() -> None:
    """Mass left after three looks and the chances to stop until then add up to 1."""
    regions, reached = [Region(-1.5, 2.0), Region(-inf, 1.0), Region(-0.5, inf)], [0.3, 0.4, 0.9]
    state = next_look(next_look(first_look(0.3, regions[0], 0.7), 0.4, regions[1]), 0.9, regions[2])
    stopped = sum(sum(pair) for pair in crossing_chances(regions, reached, 0.7))
    assert state.mass.sum() + stopped == pytest.approx(1.0, abs=1e-7)


def test_a_look_that_lets_nobody_go_on_ends_it() -> None:
    assert any_look_chance([0.0, 2.0]) == pytest.approx(1.0)
    assert any_look_chance([inf, 2.0]) == pytest.approx(2 * norm.sf(2.0))


@settings(max_examples=60, deadline=None)
@given(spendings, fractions)
def test_exactly_what_is_released_is_spent(spending: Spending, reached: list[float]) -> None:
    boundaries = spending_boundaries(spending, reached)
    found = any_look_chance(critical(boundaries), fractions=reached, sides=spending.sides)
    assert found == pytest.approx(spending.spent(reached[-1]), rel=1e-6, abs=1e-9)
    assert [b.spent for b in boundaries] == [spending.spent(t) for t in reached]


@given(spendings, st.floats(0, 2), st.floats(0, 2))
def test_spending_rises_from_nothing_to_alpha(spending: Spending, one: float, other: float) -> None:
    assert spending.spent(0) == 0
    assert spending.spent(1) == spending.alpha
    assert spending.spent(min(one, other)) <= spending.spent(max(one, other)) <= spending.alpha * (1 + 1e-12)


@pytest.mark.parametrize("looks", [2, 5, 12])
@pytest.mark.parametrize("sides", [1, 2])
def test_boundaries_fall_and_use_all_of_alpha(looks: int, sides: int) -> None:
    for bounds in (
        obrien_fleming(looks, sides=sides),  # type: ignore[arg-type]
        tuple(critical(spending_boundaries(Spending(sides=sides), [k / looks for k in range(1, looks + 1)]))),  # type: ignore[arg-type]
    ):
        assert all(after < before for before, after in pairwise(bounds))
        assert any_look_chance(bounds, sides=sides) == pytest.approx(0.05, abs=1e-8)  # type: ignore[arg-type]


@given(st.floats(0, 6), st.floats(0.01, 2))
@settings(max_examples=20, deadline=None)
def test_more_effect_is_found_more_often(drift: float, more: float) -> None:
    assert any_look_chance(pocock(3), drift=drift) < any_look_chance(pocock(3), drift=drift + more)


@settings(max_examples=15, deadline=None)
@given(spendings, fractions, st.floats(-6, 6))
def test_repeated_p_value_is_dual_to_the_boundary(spending: Spending, reached: list[float], z: float) -> None:
    said = look(spending, reached, z, 1.0)
    assume(not isinstance(said.boundary.critical, Undefined))
    assert isinstance(said.boundary.critical, float)
    distance = abs(z) if spending.sides == 2 else z
    assume(abs(distance - said.boundary.critical) > 1e-6)
    assert isinstance(said.p_value, float)
    assert (said.p_value < spending.alpha) == (distance > said.boundary.critical)
    assert isinstance(said.low, float)
    outside = said.low > 0 or (isinstance(said.high, float) and said.high < 0)
    assert outside == (distance > said.boundary.critical)
    assert isinstance(said.high, float) == (spending.sides == 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_p_values_on_the_boundary(family: str) -> None:
    """On it the repeated p-value is alpha, the stagewise one what has been spent up to there."""
    spending = Spending(family=family, exponent=2.0)  # type: ignore[arg-type]
    for k in range(1, 6):
        boundary = spending_boundaries(spending, FIFTHS[:k])[-1]
        assert isinstance(boundary.critical, float)
        assert repeated_p_value(spending, FIFTHS[:k], -boundary.critical) == pytest.approx(0.05, rel=1e-6)
        assert stagewise_p_value(spending, FIFTHS[:k], boundary.critical) == pytest.approx(boundary.spent, rel=1e-6)


def test_one_look_is_no_sequence() -> None:
    for z in (0.5, 1.0, 2.5):
        assert repeated_p_value(Spending(), [1.0], z) == pytest.approx(2 * norm.sf(z), rel=1e-8)
        assert stagewise_p_value(Spending(), [1.0], z) == pytest.approx(2 * norm.sf(z), rel=1e-12)


def test_far_out_the_p_value_is_a_bound_and_no_zero() -> None:
    near, far = (repeated_p_value(Spending(family="pocock"), [0.5, 1.0], z) for z in (6.5, 9.0))
    assert isinstance(near, float)
    assert isinstance(far, float)
    # All of it from one look's tail, at most: 1/(share of alpha released since the last look).
    released = 1 - np.log1p((np.e - 1) / 2)
    assert far == pytest.approx(2 * norm.sf(9.0) / released, rel=1e-6)
    assert 2 * norm.sf(6.5) < near <= 2 * norm.sf(6.5) / released * (1 + 1e-6)
    nothing = repeated_p_value(Spending(), [0.5, 1.0], 1e6)
    assert isinstance(nothing, float)
    assert SMALLEST_P <= nothing < 1e-300
    assert repeated_p_value(Spending(), [0.5, 1.0], 0.0) == 1.0


@pytest.mark.parametrize("reached", [[0.5], [0.5, 1.0]])
def test_an_infinite_score_has_a_p_value_and_none_has_not(reached: list[float]) -> None:
    for z, sides, expected in ((inf, 2, 0.0), (-inf, 2, 0.0), (inf, 1, 0.0), (-inf, 1, 1.0)):
        spending = Spending(sides=sides)  # type: ignore[arg-type]
        found = repeated_p_value(spending, reached, z)
        assert found == pytest.approx(expected, abs=1e-150)
        assert isinstance(found, float)
        assert found > 0
        assert stagewise_p_value(spending, reached[:1], z) == pytest.approx(expected, abs=1e-150)
    for p_value in (repeated_p_value, stagewise_p_value):
        with pytest.raises(ValueError, match="must be a number"):
            p_value(Spending(), reached, float("nan"))


def test_when_all_is_spent_nothing_can_be_decided() -> None:
    late = look(Spending(), [0.5, 1.0, 1.2], 9.0, 1.0)
    for value in (late.boundary.critical, late.low, late.high, late.p_value):
        assert isinstance(value, Undefined)
        assert value.reason == "nothing_to_spend"
    early = spending_boundaries(Spending(), [1e-4, 1.0])[0].critical
    assert isinstance(early, Undefined)
    assert early.reason == "nothing_to_spend"


@pytest.mark.parametrize("std_error", [0.0, -1.0, inf, float("nan")])
def test_no_standard_error_no_look(std_error: float) -> None:
    said = look(Spending(), [0.5], 1.0, std_error)
    assert isinstance(said.p_value, Undefined)
    assert said.p_value.reason == "zero_variance"
    assert isinstance(said.boundary.critical, float)


@pytest.mark.parametrize("reached", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.4], [0.5, inf], [float("nan")]])
def test_fractions_must_increase(reached: list[float]) -> None:
    with pytest.raises(ValueError, match="must increase"):
        spending_boundaries(Spending(), reached)


def test_nonsense_is_refused() -> None:
    for alpha in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="error rate"):
            Spending(alpha=alpha)
        with pytest.raises(ValueError, match="error rate"):
            pocock(3, alpha=alpha)
    with pytest.raises(ValueError, match="exponent"):
        Spending(family="power", exponent=0.0)
    with pytest.raises(ValueError, match="at least one look"):
        obrien_fleming(0)
    with pytest.raises(ValueError, match="one-sided"):
        pocock(3, alpha=0.6, sides=1)


def test_looks_that_nobody_planned_keep_the_level() -> None:
    """S = 40,000 Brownian motions at seven odd times: any-look error and coverage at all looks, and at one look."""
    runs, rng = 40_000, np.random.default_rng(17)
    reached = [0.07, 0.1, 0.33, 0.35, 0.6, 0.92, 1.0]
    steps = np.sqrt(np.diff([0.0, *reached]))
    z = (rng.normal(size=(runs, len(reached))) * steps).cumsum(axis=1) / np.sqrt(reached)
    tolerance = 4 * sqrt(0.05 * 0.95 / runs)
    for family in FAMILIES:
        bounds = critical(spending_boundaries(Spending(family=family), reached))  # type: ignore[arg-type]
        assert (np.abs(z) > bounds).any(axis=1).mean() == pytest.approx(0.05, abs=tolerance)
    assert (np.abs(z) > Z).any(axis=1).mean() > 0.12


def test_stagewise_p_values_are_uniform_where_one_stops() -> None:
    """S = 400 experiments that stop at the boundary or the end: the share below p is p, for p = .02, .3 and .7."""
    runs, rng, reached = 400, np.random.default_rng(23), (0.3, 0.7, 1.0)
    spending = Spending(family="pocock", alpha=0.3)
    bounds = critical(spending_boundaries(spending, reached))
    z = (rng.normal(size=(runs, 3)) * np.sqrt(np.diff([0.0, *reached]))).cumsum(axis=1) / np.sqrt(reached)
    crossed = np.abs(z) > bounds
    ends = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 2)
    found = np.array([stagewise_p_value(spending, reached[: k + 1], z[i, k]) for i, k in enumerate(ends.tolist())])
    for p in (0.02, 0.3, 0.7):
        assert (found < p).mean() == pytest.approx(p, abs=4 * sqrt(p * (1 - p) / runs))
