"""Looking again and again at an A/A test: any look that finds a difference is an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.plan import MetricKind
from calibration import draws, naive
from calibration.draws import Sums
from calibration.engine import ALPHA, DEFAULT, Rules, effects
from calibration.scenario import Bound, Floats, Samples, Scenario, at_most

LOOKS = 100
_PER_LOOK = 200
NEVER = LOOKS + 1
# Fifty looks, each a fifth of the units later than the one before.
_EARLY_UNITS = tuple(sorted({10 * round(2 * 1.18**look) for look in range(50)}))

Draw: TypeAlias = Callable[[Generator, int, int], Sums]


def _normal(rng: Generator, rows: int, n: int) -> Sums:
    return draws.normal(rng, rows, n)


def _conversions(rng: Generator, rows: int, n: int) -> Sums:
    return draws.conversions(rng, rows, n, 0.05)


def _revenue(rng: Generator, rows: int, n: int) -> Sums:
    return draws.revenue(rng, rows, n, 0.2, 1.0)


def _skewed_revenue(rng: Generator, rows: int, n: int) -> Sums:
    return draws.revenue(rng, rows, n, 0.05, 2.0)


def may_look(kind: MetricKind, arms: tuple[Sums, Sums], rules: Rules) -> NDArray[np.bool_]:
    """Where the plan's minimum is met; that of events is a part of the comparison itself."""
    ready = np.minimum(arms[0].n, arms[1].n) >= rules.min_units
    if kind == "conversion":
        for arm in arms:
            successes = arm.n * arm.mean
            ready = ready & (np.minimum(successes, arm.n - successes) > rules.min_conversions - 0.5)
    return ready


def _first_error(rng: Generator, runs: int, safeguard: bool, *, kind: MetricKind, draw: Draw) -> Samples:
    """The look at which each experiment first erred."""
    first = np.full(runs, NEVER)
    arms: tuple[Sums, Sums] | None = None
    for look in range(1, LOOKS + 1):
        added = draw(rng, runs, _PER_LOOK), draw(rng, runs, _PER_LOOK)
        arms = added if arms is None else (arms[0] + added[0], arms[1] + added[1])
        p = (
            _anytime_p(kind, arms, audit=look in (1, LOOKS))
            if safeguard
            else effects(kind, [arms[0]], [arms[1]]).p_value
        )
        first[(p < ALPHA) & (first == NEVER)] = look
    return {"first_error": first}


def _anytime_p(kind: MetricKind, arms: tuple[Sums, Sums], *, audit: bool) -> Floats:
    found = effects(kind, [arms[0]], [arms[1]], audit=audit)
    return np.where(may_look(kind, arms, DEFAULT), found.p_value_always_valid, np.nan)


def _early(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """Looks from 20 units on, ever further apart; what is off is the minimum, of units, conversions and events."""
    return {
        name: _erred(rng, runs, safeguard, kind=kind, draw=draw, baseline_share=baseline_share)
        for name, (kind, draw, baseline_share) in _EARLY.items()
    }


def _erred(
    rng: Generator, runs: int, safeguard: bool, *, kind: MetricKind, draw: Draw, baseline_share: float
) -> NDArray[np.bool_]:
    wrong = np.zeros(runs, bool)
    arms: tuple[Sums, Sums] | None = None
    for before, units in pairwise((0, *_EARLY_UNITS)):
        baseline = round(baseline_share * units) - round(baseline_share * before)
        added = draw(rng, runs, units - before - baseline), draw(rng, runs, baseline)
        arms = added if arms is None else (arms[0] + added[0], arms[1] + added[1])
        p = _anytime_p(kind, arms, audit=units == _EARLY_UNITS[-1]) if safeguard else _unrestrained_p(arms)
        wrong |= p < ALPHA
    return wrong


def _unrestrained_p(arms: tuple[Sums, Sums]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum(arm.m2 / (arm.n - 1) / arm.n for arm in arms)
        z = (arms[0].mean - arms[1].mean) / np.sqrt(variance)
    return naive.always_valid_p(z, arms[0].n + arms[1].n, DEFAULT.rho)


def _any_look(name: str, samples: Samples) -> tuple[Bound, ...]:
    return (at_most(name, samples["first_error"] <= LOOKS, ALPHA),)


def _peeking(key: str, what: str, kind: MetricKind, draw: Draw) -> Scenario:
    return Scenario(
        key=key,
        pitfall=f"A/A looked at 100 times: {what}",
        safeguard="always-valid p-value",
        naive="fixed-horizon p-value at every look",
        simulate=partial(_first_error, kind=kind, draw=draw),
        judge=partial(_any_look, f"{key}.any_look_error"),
    )


def _judge_early(samples: Samples) -> tuple[Bound, ...]:
    return tuple(at_most(f"early.{name}", wrong, ALPHA) for name, wrong in samples.items())


_EARLY: dict[str, tuple[MetricKind, Draw, float]] = {
    "normal": ("mean", _normal, 0.5),
    "conversion": ("conversion", _conversions, 0.5),
    "revenue": ("mean", _skewed_revenue, 0.5),
    "revenue_90_10": ("mean", _skewed_revenue, 0.1),
}

SCENARIOS = (
    _peeking("peeking_normal", "normal", "mean", _normal),
    _peeking("peeking_conversion", "5% Bernoulli", "conversion", _conversions),
    _peeking("peeking_revenue", "skewed revenue", "mean", _revenue),
    Scenario(
        key="early",
        pitfall="First look at 20 units; revenue has 5% payers, lognormal σ = 2",
        safeguard="minimum of units, conversions and effective events",
        naive="confidence sequence from the first unit on",
        simulate=_early,
        judge=_judge_early,
    ),
)
