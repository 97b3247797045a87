"""A mean of few large values: does its interval cover, on both sides?"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from analysis.moments import Shape
from analysis.quality.skew import ShapePair, skew_finding
from calibration import draws
from calibration.draws import Sums
from calibration.engine import effects
from calibration.scenario import Bound, Floats, Samples, Scenario

_PAYERS, _SIGMA = 0.05, 2.0


def _revenue(rng: Generator, runs: int, safeguard: bool) -> Samples:
    samples = {}
    for split, sizes in _SIZES.items():
        arms = [draws.revenue_and_cubes(rng, runs, n, _PAYERS, _SIGMA) for n in sizes]
        found = effects("mean", [arms[0][0]], [arms[1][0]], intervals=True, audit=safeguard)
        samples[f"{split}_too_low"] = found.fixed_high < 0
        samples[f"{split}_too_high"] = found.fixed_low > 0
        flags = [safeguard and _is_flagged(*(_shape(*arm, row) for arm in arms)) for row in range(runs)]
        samples[f"{split}_flagged"] = np.array(flags)
    return samples


def _shape(arm: Sums, cubes: Floats, row: int) -> Shape:
    """The extremes do not matter here."""
    return Shape(n=int(arm.n[row]), mean=float(arm.mean[row]), m2=float(arm.m2[row]), m3=float(cubes[row]))


def _is_flagged(treatment: Shape, baseline: Shape) -> bool:
    shapes = [ShapePair(treatment=treatment, baseline=baseline)]
    name = "treatment"
    return (
        skew_finding(shapes, metric="x", label="x", units_name="units", treatment=name, treatment_name=name) is not None
    )


def _judge(samples: Samples) -> tuple[Bound, ...]:
    covered = 1 - float(np.mean(samples["even_too_low"] | samples["even_too_high"]))
    even = (
        Bound(name="skew.coverage_even", measured=covered, relation=">=", bound=0.936),
        Bound(name="skew.coverage_even", measured=covered, relation="<=", bound=0.985),
    )
    missed = {side: samples[f"90_10_{side}"] & ~samples["90_10_flagged"] for side in ("too_low", "too_high")}
    false_flags = float(np.mean(samples["even_flagged"]))
    return (
        *even,
        Bound(name="skew.flagged_even", measured=false_flags, relation="<=", bound=0.01),
        *(
            Bound(
                name=f"skew.90_10_{side}_unflagged", measured=float(np.mean(missed[side])), relation="<=", bound=0.037
            )
            for side in missed
        ),
    )


_SIZES = {"even": (10_000, 10_000), "90_10": (2_000, 18_000)}

SCENARIOS = (
    Scenario(
        key="skew",
        pitfall="Revenue of 5% payers, lognormal σ = 2: coverage at 50/50, each tail at 90/10",
        safeguard="Welch's t, and a flag where skewness makes it doubtful",
        naive="Welch's t without a flag",
        simulate=_revenue,
        judge=_judge,
        chunk=500,
    ),
)
