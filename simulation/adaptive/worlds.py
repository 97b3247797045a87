"""Seven worlds: what each variant would achieve on each day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["conversion", "mean"]

DAYS = 14
UNITS_A_DAY = 1_000
# Spread of a conversion at a rate of .1: with it, values of standard deviation 1 have the same effects in units of it.
_SPREAD = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`rates`: by day and variant, the control first. `shown`: the treatment whose difference is looked at."""

    key: str
    title: str
    rates: Floats
    shown: int = 1

    @property
    def arms(self) -> int:
        return len(self.rates[0])

    def means(self, kind: Kind) -> Floats:
        """What one unit is expected to bring, by day and variant."""
        return self.rates if kind == "conversion" else self.rates / _SPREAD


def _rates(*arms: Callable[[Floats], Floats] | float) -> Floats:
    days = np.linspace(0.0, 1.0, DAYS)
    return np.stack([np.broadcast_to(arm(days) if callable(arm) else arm, (DAYS,)) for arm in arms], axis=1)


def _falling(days: Floats) -> Floats:
    return 0.2 - 0.1 * days


def _rising(days: Floats) -> Floats:
    """With it the spread of a conversion rises too."""
    return 0.02 * 8**days


WORLDS = (
    World(key="null", title="no difference", rates=_rates(0.1, 0.1)),
    World(key="winner", title="one clear winner of two", rates=_rates(0.1, 0.13)),
    World(key="small", title="a small effect", rates=_rates(0.1, 0.105)),
    World(key="five", title="five variants, one winner", rates=_rates(0.1, 0.1, 0.1, 0.1, 0.12), shown=4),
    World(
        key="drift",
        title="the base rate falls by half",
        rates=_rates(_falling, lambda days: _falling(days) + 0.02),
    ),
    World(
        key="rise",
        title="the base rate rises eightfold",
        rates=_rates(_rising, lambda days: _rising(days) + 0.02),
    ),
    World(
        key="change",
        title="novelty: the best one changes half-way",
        rates=_rates(0.1, lambda days: 0.12 - 0.04 * days),
    ),
)


def world(key: str) -> World:
    return next(one for one in WORLDS if one.key == key)
