"""Simulated experiments: without heterogeneity, in all the ways that look like some, and with planted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    ids: list[str]
    treated: Any
    outcome: Floats
    attributes: dict[str, Any]


def attributes(rng: np.random.Generator, units: int) -> dict[str, Any]:
    recency = rng.exponential(90, size=units)
    recency[rng.uniform(size=units) < 0.1] = np.nan
    return {
        "age": rng.integers(18, 80, size=units).astype(float),
        "spend": np.exp(rng.normal(3, 1, size=units)),
        "recency_days": recency,
        "place": rng.choice(["city", "suburb", "rural"], size=units, p=[0.5, 0.3, 0.2]),
        "app": rng.uniform(size=units) < 0.3,
    }


Response = Callable[[np.random.Generator, dict[str, Any], Floats], Floats]
"""Outcome from attributes and arm (0, 1)."""


def _noise(rng: np.random.Generator, w: Floats) -> Floats:
    return rng.normal(size=len(w))


NULLS: dict[str, Response] = {
    "nothing": lambda rng, x, w: _noise(rng, w),
    "main effect": lambda rng, x, w: 2 * w + _noise(rng, w),
    "prognostic covariates": lambda rng, x, w: (
        0.5 * w + 0.05 * x["age"] + 2 * (x["place"] == "city") - 3 * x["app"] + _noise(rng, w)
    ),
    "heteroscedastic": lambda rng, x, w: (
        0.3 * w + (0.3 + x["age"] / 20) * (1 + 2 * x["app"]) * (1 + w) * _noise(rng, w)
    ),
    "skewed": lambda rng, x, w: np.exp(1.2 * _noise(rng, w)) * (1 + x["app"]),
    "few buyers": lambda rng, x, w: (rng.uniform(size=len(w)) < 0.1) * rng.exponential(50, size=len(w)),
}


def trial(seed: int, units: int, response: Response, share: float = 0.5) -> Trial:
    rng = np.random.default_rng([seed, 17])
    known = attributes(rng, units)
    treated = rng.uniform(size=units) < share
    return Trial(
        ids=[f"u{unit}" for unit in range(units)],
        treated=treated,
        outcome=response(rng, known, treated.astype(float)),
        attributes=known,
    )


def inside(known: dict[str, Any]) -> Any:
    """The planted segment, some 44 in a hundred: over 45, and not in the country."""
    return (known["age"] > 45) & (known["place"] != "rural")
