"""Shares of events, and percentages: what is randomised, and what is divided by what."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.random import Generator

from calibration import draws, naive
from calibration.draws import Sums
from calibration.engine import ALPHA, effects
from calibration.scenario import Bound, Samples, Scenario, near

_USERS = 200


def clicks(rng: Generator, rows: int, users: int = _USERS) -> Sums:
    """Users have a rate of their own, so the events of one user are alike."""
    events = rng.poisson(5, (rows, users)) + 1
    found = rng.binomial(events, rng.beta(1, 3, (rows, users)))
    return draws.of_values(found.astype(float), events.astype(float))


def _ratio(rng: Generator, runs: int, safeguard: bool) -> Samples:
    arms = clicks(rng, runs), clicks(rng, runs)
    found = effects("ratio", [arms[0]], [arms[1]], audit=safeguard)
    return {"p": found.p_value if safeguard else naive.event_level_p(*arms)}


def _level(name: str, samples: Samples) -> tuple[Bound, ...]:
    return near(name, samples["p"] < ALPHA, ALPHA)


def _lift(rng: Generator, runs: int, safeguard: bool, *, n: int, base: float, lift: float) -> Samples:
    arms = draws.conversions(rng, runs, n, base * (1 + lift)), draws.conversions(rng, runs, n, base)
    found = effects("conversion", [arms[0]], [arms[1]], intervals=True, audit=safeguard)
    low, high = (found.lift_fixed_low, found.lift_fixed_high) if safeguard else naive.wald_lift(*arms)
    contradicts = (found.p_value < ALPHA) != ((low > 0) | (high < 0))
    if safeguard:
        contradicts |= (found.p_value < ALPHA) != ((found.fixed_low > 0) | (found.fixed_high < 0))
        contradicts |= (found.p_value_always_valid < ALPHA) != (
            (found.lift_always_valid_low > 0) | (found.lift_always_valid_high < 0)
        )
    return {"too_low": high < lift, "too_high": low > lift, "contradicts": contradicts & ~np.isnan(low)}


def _tails(name: str, samples: Samples) -> tuple[Bound, ...]:
    contradictions = float(np.sum(samples["contradicts"]))
    return (
        *near(f"{name}.lower_tail", samples["too_low"], 0.025),
        *near(f"{name}.upper_tail", samples["too_high"], 0.025),
        Bound(name=f"{name}.p_against_interval", measured=contradictions, relation="<=", bound=0),
    )


def _doubled(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """A lift of 100%: the baseline's own error is as large a part of it as the treatment's."""
    arms = draws.conversions(rng, runs, 2_000, 0.10), draws.conversions(rng, runs, 2_000, 0.05)
    found = effects("conversion", [arms[0]], [arms[1]], intervals=True)
    low, high = (
        (found.lift_fixed_low, found.lift_fixed_high) if safeguard else naive.divided_by_baseline(found, arms[1])
    )
    return {"covered": (low <= 1) & (high >= 1)}


def _coverage(name: str, samples: Samples) -> tuple[Bound, ...]:
    return near(name, samples["covered"], 0.95)


def _lift_row(n: int) -> Scenario:
    return Scenario(
        key=f"lift_{n}",
        pitfall=f"Lift of a rate of 3%, n = {n:,} an arm",
        safeguard="interval that inverts the test of the p-value",
        naive="Wald interval of the lift",
        simulate=partial(_lift, n=n, base=0.03, lift=0.2),
        judge=partial(_tails, f"lift_{n}"),
    )


SCENARIOS = (
    Scenario(
        key="ratio",
        pitfall="Clicks per view, randomised by user",
        safeguard="delta method over users",
        naive="z-test over events",
        simulate=_ratio,
        judge=partial(_level, "ratio.error"),
    ),
    *(_lift_row(n) for n in (300, 2_000, 20_000)),
    Scenario(
        key="lift_doubled",
        pitfall="Interval of a lift of 100%",
        safeguard="interval of the ratio",
        naive="interval of the difference over the baseline's mean",
        simulate=_doubled,
        judge=partial(_coverage, "lift_doubled.coverage"),
    ),
)
