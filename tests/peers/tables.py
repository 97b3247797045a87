"""Random tables of units, and our report on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.estimate import Comparison, Interval, Undefined
from analysis.report import build
from tests.stats.builders import comparison, metric, moments_of, plan, segment, table

Floats = NDArray[np.float64]

bounded = settings(max_examples=25, derandomize=True, deadline=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """Per unit: a value, a denominator (at least 1) and what was known before."""

    x: Floats
    y: Floats
    before: Floats

    @property
    def n(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    treatment: Arm
    baseline: Arm


@st.composite
def tables(draw: st.DrawFn, most_units: int = 800) -> Tables:
    """Two arms with positive means, of unlike size, with tails longer and shorter, with and without an effect."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, scale = draw(st.floats(0.3, 5)), draw(st.floats(0.01, 1e3))

    def arm(lift: float) -> Arm:
        n = draw(st.integers(120, most_units))
        y: Floats = rng.poisson(draw(st.floats(0.5, 5)), n).astype(np.float64) + 1.0
        before = rng.gamma(shape, scale, n)
        x = y * (1 + lift) * rng.gamma(shape, scale, n) + draw(st.floats(0, 2)) * before
        return Arm(x=x, y=y, before=before)

    return Tables(treatment=arm(draw(st.floats(0, 0.4))), baseline=arm(0.0))


def compared(kind: str, found: Tables, **changes: Any) -> Comparison:
    """Our comparison of x, or of x over y for a ratio."""
    ratio = kind == "ratio"
    question = plan(metric(kind=kind, **({"denominator_event_name": "visit"} if ratio else {})), **changes)
    arms = {"a": found.baseline, "b": found.treatment}
    moments = {
        (1, "all", name): {"visits": moments_of(arm.x, arm.y) if ratio else moments_of(arm.x)}
        for name, arm in arms.items()
    }
    return comparison(segment(build(question, table(moments))))


def ends(interval: Interval | Undefined) -> tuple[float, float]:
    assert isinstance(interval, Interval)
    return interval.low, interval.high


def number(value: float | Undefined) -> float:
    assert not isinstance(value, Undefined)
    return value
