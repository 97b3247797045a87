"""Time: a split that changes while the level does, or from next to nothing, and a spread that grows."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from calibration import draws, naive
from calibration.draws import Sums
from calibration.engine import ALPHA, DEFAULT, effects
from calibration.scenario import Bound, Floats, Samples, Scenario, at_most, near

_PER_LOOK = 100
_LOOKS = 100
_CANARY_LOOKS = (6_000, 4_000, 10_000)
_SPREADS = {"four_epochs": (1.0, 5.0, 25.0, 125.0), "ten_epochs": tuple(4.0**k for k in range(10))}


def _ramp(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """10 % of 10,000 units get the treatment while 5 % convert, then half of 10,000 while 3 % do."""
    treatment = [draws.conversions(rng, runs, 1_000, 0.05), draws.conversions(rng, runs, 5_000, 0.03)]
    baseline = [draws.conversions(rng, runs, 9_000, 0.05), draws.conversions(rng, runs, 5_000, 0.03)]
    found = effects("conversion", treatment, baseline, audit=safeguard)
    if safeguard:
        return {"p": found.p_value}
    together = treatment[0] + treatment[1], baseline[0] + baseline[1]
    return {"p": naive.normal_p(naive.pooled_z(*together))}


def _judge_ramp(samples: Samples) -> tuple[Bound, ...]:
    return near("ramp.error", samples["p"] < ALPHA, ALPHA)


def _canary(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """1 % of 12,000 units get the treatment, then half of those who come; three looks. 1.5 % have an event."""
    arms = [draws.conversions(rng, runs, 120, 0.015)], [draws.conversions(rng, runs, 11_880, 0.015)]
    wrong = np.zeros(runs, bool)
    for look, units in enumerate(_CANARY_LOOKS):
        for strata in arms:
            added = draws.conversions(rng, runs, units, 0.015)
            strata[1:] = [strata[1] + added] if look else [added]
        found = effects("count", *arms, audit=safeguard and look == len(_CANARY_LOOKS) - 1)
        z, together = found.difference / found.std_error, 12_000.0 + 2 * sum(_CANARY_LOOKS[: look + 1])
        p = found.p_value_always_valid if safeguard else naive.always_valid_p(z, np.full_like(z, together), DEFAULT.rho)
        wrong |= p < ALPHA
    return {"error": wrong}


def _judge_canary(samples: Samples) -> tuple[Bound, ...]:
    return (at_most("canary.error", samples["error"], ALPHA),)


def _growth(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """The level grows with the spread, as prices do; a hundred looks, evenly over the epochs."""
    return {name: _erred(rng, runs, safeguard, spreads) for name, spreads in _SPREADS.items()}


def _erred(rng: Generator, runs: int, safeguard: bool, spreads: tuple[float, ...]) -> NDArray[np.bool_]:
    wrong = np.zeros(runs, bool)
    arms: tuple[list[Sums], list[Sums]] = [], []
    for look in range(_LOOKS):
        epoch = look * len(spreads) // _LOOKS
        for strata in arms:
            added = draws.normal(rng, runs, _PER_LOOK, 3 * spreads[epoch], spreads[epoch])
            if len(strata) > epoch:
                strata[epoch] += added
            else:
                strata.append(added)
        found = effects("mean", *arms, audit=safeguard and look == _LOOKS - 1)
        z = found.difference / found.std_error
        wrong |= (found.p_value_always_valid if safeguard else _counting_units(z, look)) < ALPHA
    return wrong


def _counting_units(z: Floats, look: int) -> Floats:
    units = np.full_like(z, 2.0 * _PER_LOOK * (look + 1))
    return naive.always_valid_p(z, units, DEFAULT.rho)


def _judge_growth(samples: Samples) -> tuple[Bound, ...]:
    return tuple(at_most(f"growth.{name}", wrong, ALPHA) for name, wrong in samples.items())


SCENARIOS = (
    Scenario(
        key="ramp",
        pitfall="Ramp from 10% to 50% while the base falls from 5% to 3%",
        safeguard="strata by epoch",
        naive="all epochs in one pot",
        simulate=_ramp,
        judge=_judge_ramp,
    ),
    Scenario(
        key="canary",
        pitfall="Start with 1% of 12,000, then halves; 1.5% have an event",
        safeguard="effective events, of both arms together where one has none",
        naive="every epoch's own variance, 0 where nothing happened",
        simulate=_canary,
        judge=_judge_canary,
    ),
    Scenario(
        key="growth",
        pitfall="Spread that grows fivefold in four epochs, fourfold in ten",
        safeguard="confidence sequence in the time of summed variance",
        naive="confidence sequence in the time of units",
        simulate=_growth,
        judge=_judge_growth,
    ),
)
