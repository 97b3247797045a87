"""The winner's curse, by simulation: what 20 segments show of their best, and what is made of it."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate import Undefined
from analysis.inference.heterogeneity import EffectEstimate
from analysis.inference.selection import SelectedWinner, selected_winner
from analysis.inference.shrinkage import Shrunk, shrink


def winner(values: object, errors: object) -> SelectedWinner:
    found = selected_winner(
        [EffectEstimate(value=float(v), std_error=float(e)) for v, e in zip(values, errors, strict=True)]  # type: ignore[call-overload]
    )
    assert isinstance(found, SelectedWinner)
    return found


def test_far_ahead_nothing_needs_correction_but_the_level() -> None:
    """With the others 50 errors below, selection says nothing: the interval is the usual one, cut at alpha/10."""
    found = winner([100, 50, 49], [1, 1, 1])
    assert found.index == 0
    assert found.median_unbiased == pytest.approx(100, abs=1e-6)
    # (1 - .005)-truncation and level (.05 - .005)/(1 - .005): 1.96 to a few hundredths.
    assert (found.hybrid.low, found.hybrid.high) == pytest.approx((98.04, 101.96), abs=0.06)
    # Šidák for three at 5 %: 2.3877, any table.
    assert found.simultaneous.high == pytest.approx(102.3877, abs=1e-4)


def test_a_close_second_pulls_the_winner_down() -> None:
    close, clear = winner([2.0, 1.9, 0], [1, 1, 1]), winner([2.0, 0.5, 0], [1, 1, 1])
    assert close.median_unbiased < clear.median_unbiased < 2.0
    assert close.hybrid.low < clear.hybrid.low


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(0.1, 5)), min_size=2, max_size=8), st.floats(-1e4, 1e4))
def test_winners_move_with_the_level(rows: list[tuple[float, float]], level: float) -> None:
    values = sorted(value for value, _ in rows)
    if values[-1] - values[-2] < 1e-6:
        return
    errors = [error for _, error in rows]
    here, there = winner([v for v, _ in rows], errors), winner([v + level for v, _ in rows], errors)
    assert here.index == there.index
    assert here.hybrid.low <= here.median_unbiased <= here.hybrid.high
    assert here.median_unbiased <= here.raw.value + 1e-6
    for name in ("low", "high"):
        assert getattr(there.hybrid, name) - level == pytest.approx(getattr(here.hybrid, name), abs=1e-3)


def test_what_has_no_winner() -> None:
    one, other = EffectEstimate(value=1.0, std_error=1.0), EffectEstimate(value=1.0, std_error=2.0)
    for effects, reason in (([], "too_few_segments"), ([one], "too_few_segments"), ([one, other], "tied")):
        found = selected_winner(effects)
        assert isinstance(found, Undefined)
        assert found.reason == reason
    two = winner([1, 2], [1, 1])
    assert isinstance(two.shrunk, Undefined)
    with pytest.raises(ValueError, match="alpha"):
        selected_winner([one, one], alpha=1.0)


SEGMENTS, RUNS = 20, 300


def simulate(tau: float, errors: np.ndarray, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    sums = dict.fromkeys(
        ("raw", "shown", "raw_covers", "shrunk_covers", "hybrid", "simultaneous", "under", "shown_squared"), 0.0
    )
    for _ in range(RUNS):
        truth = 0.2 + tau * rng.normal(size=SEGMENTS)
        found = winner(truth + errors * rng.normal(size=SEGMENTS), errors)
        assert isinstance(found.shrunk, Shrunk)
        true = truth[found.index]
        sums["raw"] += found.raw.value - true
        sums["shown"] += found.shrunk.value - true
        sums["shown_squared"] += (found.shrunk.value - true) ** 2
        sums["raw_covers"] += abs(found.raw.value - true) <= 1.959964 * found.raw.std_error
        sums["shrunk_covers"] += found.shrunk.interval.low <= true <= found.shrunk.interval.high
        sums["hybrid"] += found.hybrid.low <= true <= found.hybrid.high
        sums["simultaneous"] += found.simultaneous.low <= true <= found.simultaneous.high
        sums["under"] += found.median_unbiased < true
    return {name: total / RUNS for name, total in sums.items()}


# Segments as they come: the largest holds sixteen times the customers of the smallest.
UNEQUAL = np.geomspace(0.5, 2, SEGMENTS)
EQUAL = np.ones(SEGMENTS)
SETTINGS = [0.0, 0.25, 0.5, 1.0, 2.0]


@pytest.mark.slow
@pytest.mark.parametrize("tau", SETTINGS)
def test_the_shown_winner_of_unequal_segments(tau: float) -> None:
    """Bias at most 10 % of the raw one; its interval covers .94 at least, where the usual one covers .6 to .9.

    Tolerance of coverage: four standard errors at .95. τ from none to four errors of the largest segment.
    """
    found = simulate(tau, UNEQUAL, seed=int(100 * tau) + 1)
    slack = 4 * sqrt(0.95 * 0.05 / RUNS)
    assert found["raw_covers"] < 0.9
    assert abs(found["shown"]) <= 0.1 * found["raw"]
    assert found["shrunk_covers"] >= 0.95 - slack
    assert found["hybrid"] == pytest.approx(0.95, abs=slack)
    assert found["simultaneous"] >= 0.95 - slack
    assert found["under"] == pytest.approx(0.5, abs=4 * sqrt(0.25 / RUNS))


@pytest.mark.slow
@pytest.mark.parametrize(("tau", "share"), [(0.0, 0.2), (0.5, 0.1), (2.0, 0.1)])
def test_the_shown_winner_of_equal_segments(tau: float, share: float) -> None:
    """The hardest case: 20 equal segments tell little about τ, and a fifth of the raw bias stays when it is 0.

    Shares within four standard errors of the mean bias.
    """
    found = simulate(tau, EQUAL, seed=int(100 * tau) + 7)
    slack = 4 * sqrt(0.95 * 0.05 / RUNS)
    error = sqrt((found["shown_squared"] - found["shown"] ** 2) / RUNS)
    assert abs(found["shown"]) <= share * found["raw"] + 4 * error
    assert found["shrunk_covers"] >= 0.95 - slack
    assert found["hybrid"] == pytest.approx(0.95, abs=slack)


@pytest.mark.parametrize("tau", SETTINGS)
def test_shrunk_effects_are_nearer_to_the_truth(tau: float) -> None:
    rng, raw, shrunk = np.random.default_rng(5), 0.0, 0.0
    for _ in range(120):
        truth = 0.2 + tau * rng.normal(size=SEGMENTS)
        shown = truth + UNEQUAL * rng.normal(size=SEGMENTS)
        found = shrink(
            [EffectEstimate(value=float(v), std_error=float(e)) for v, e in zip(shown, UNEQUAL, strict=True)]
        )
        assert isinstance(found, list)
        raw += float(((shown - truth) ** 2).sum())
        shrunk += float(((np.array([one.value for one in found]) - truth) ** 2).sum())
    assert shrunk < raw
