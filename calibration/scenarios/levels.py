"""Single looks: p-values that are uniform, and significant results that exaggerate."""

from __future__ import annotations

from functools import partial
from math import sqrt

import numpy as np
from numpy.random import Generator
from scipy.optimize import brentq

from analysis.design.errors import DesignErrors, design_errors
from analysis.plan import MetricKind
from calibration import draws, naive
from calibration.draws import Sums
from calibration.engine import ALPHA, Rules, effects, report
from calibration.scenario import Bound, Floats, Samples, Scenario
from calibration.scenarios.ratios import clicks

_POWERS = (0.06, 0.2, 0.5)
_PUBLISHED_EXAGGERATION = (8.0, 2.26, 1.41)
_PER_ARM = 500


def _mean_arms(rng: Generator, rows: int) -> tuple[Sums, Sums]:
    """The same mean, another spread, another size."""
    return draws.normal(rng, rows, 400, 3, 2), draws.normal(rng, rows, 1_600, 3, 1)


def _count_arms(rng: Generator, rows: int) -> tuple[Sums, Sums]:
    """Customers differ in how often they come."""
    first, second = (rng.negative_binomial(2, 0.4, (rows, _PER_ARM)).astype(float) for _ in range(2))
    return draws.of_values(first), draws.of_values(second)


def _conversion_arms(rng: Generator, rows: int) -> tuple[Sums, Sums]:
    return draws.conversions(rng, rows, 20_000, 0.5), draws.conversions(rng, rows, 20_000, 0.5)


def _ratio_arms(rng: Generator, rows: int) -> tuple[Sums, Sums]:
    return clicks(rng, rows), clicks(rng, rows)


def _seen_twice_p(treatment: Sums, baseline: Sums) -> Floats:
    """Every customer is a unit again at a second exposure."""
    return naive.normal_p(sqrt(2) * naive.pooled_z(treatment, baseline))


_ARMS = {"mean": _mean_arms, "count": _count_arms, "conversion": _conversion_arms, "ratio": _ratio_arms}
_NAIVE = {
    "mean": ("one variance for both arms", naive.pooled_t_p),
    "count": ("Poisson test", naive.poisson_p),
    "conversion": ("every exposure as a unit", _seen_twice_p),
    "ratio": ("z-test over events", naive.event_level_p),
}


def _uniform(rng: Generator, runs: int, safeguard: bool, *, kind: MetricKind) -> Samples:
    arms = _ARMS[kind](rng, runs)
    if not safeguard:
        return {"p": _NAIVE[kind][1](*arms)}
    return {"p": effects(kind, [arms[0]], [arms[1]], audit=True).p_value}


def _judge_uniform(name: str, samples: Samples) -> tuple[Bound, ...]:
    p = np.sort(samples["p"].astype(float))
    steps = np.arange(1, p.size + 1) / p.size
    distance = float(max((steps - p).max(), (p - steps + 1 / p.size).max()))
    return (Bound(name=name, measured=distance, relation="<=", bound=1.95 / sqrt(p.size)),)


def _uniform_row(kind: MetricKind) -> Scenario:
    return Scenario(
        key=f"uniform_{kind}",
        pitfall=f"p-values of an A/A test are uniform: {kind}",
        safeguard="the engine's p-value",
        naive=_NAIVE[kind][0],
        simulate=partial(_uniform, kind=kind),
        judge=partial(_judge_uniform, f"uniform_{kind}.kolmogorov_smirnov"),
        chunk=500,
    )


def predicted(power: float) -> tuple[float, DesignErrors]:
    """The true difference, in standard errors, at which a test has this power; and what is to be expected there."""

    def errors(signal: float) -> DesignErrors:
        found = design_errors(signal, 1.0)
        assert isinstance(found, DesignErrors)
        return found

    signal = float(brentq(lambda x: errors(x).power - power, 1e-6, 10))
    return signal, errors(signal)


def _significant(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """The estimate over the truth where it is significant, per power; what the design foretells of it, or nothing."""
    samples = {}
    for power in _POWERS:
        signal, errors = predicted(power)
        truth = signal * sqrt(2 / _PER_ARM)
        found = effects(
            "mean", [draws.normal(rng, runs, _PER_ARM, 3 + truth)], [draws.normal(rng, runs, _PER_ARM)], audit=safeguard
        )
        shown = np.where(found.p_value < ALPHA, found.difference / truth, np.nan)
        samples[f"shown_{power:g}"] = shown
        samples[f"foretold_{power:g}"] = np.full(runs, errors.exaggeration if safeguard else 1.0)
    return samples


def _judge_significant(samples: Samples) -> tuple[Bound, ...]:
    bounds = []
    for power, published in zip(_POWERS, _PUBLISHED_EXAGGERATION, strict=True):
        shown, foretold = samples[f"shown_{power:g}"].astype(float), float(samples[f"foretold_{power:g}"][0])
        significant = np.abs(shown[~np.isnan(shown)])
        error = float(significant.std() / sqrt(significant.size) / significant.mean())
        for against, value in (("published", published), ("foretold", foretold)):
            gap = abs(float(significant.mean()) / value - 1)
            name = f"twyman.exaggeration_v_{against}_at_power_{power:g}"
            bounds.append(Bound(name=name, measured=gap, relation="<=", bound=max(0.02, 4 * error)))
    return tuple(bounds)


def _too_good(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """Made to find a lift of 10 %. Once that is the truth, once events are counted twice in one arm."""
    flagged = {}
    for name, rate in (("true", 0.11), ("doubled", 0.20)):
        arms = draws.conversions(rng, runs, 15_000, rate), draws.conversions(rng, runs, 15_000, 0.10)
        flagged[name] = np.array([safeguard and _is_flagged(*arms, row) for row in range(runs)])
    return flagged


def _is_flagged(treatment: Sums, baseline: Sums, row: int) -> bool:
    found = report("conversion", [treatment], [baseline], Rules(tuned_for_units=30_000), row).segments[0]
    return any(finding.code == "too_good_to_be_true" for finding in found.findings)


def _judge_too_good(samples: Samples) -> tuple[Bound, ...]:
    wrong, right = (float(np.mean(samples[name])) for name in ("true", "doubled"))
    return (
        Bound(name="twyman.flagged_true", measured=wrong, relation="<=", bound=0.01),
        Bound(name="twyman.flagged_doubled", measured=right, relation=">=", bound=0.99),
    )


SCENARIOS = (
    *(_uniform_row(kind) for kind in ("mean", "count", "conversion", "ratio")),
    Scenario(
        key="twyman_exaggeration",
        pitfall="Significant results of weak designs exaggerate (type M)",
        safeguard="exaggeration foretold by the design",
        naive="the significant estimate taken as it is",
        simulate=_significant,
        judge=_judge_significant,
        share=4,
    ),
    Scenario(
        key="twyman_flag",
        pitfall="A lift beyond three times what the design can find",
        safeguard="flagged as too good to be true",
        naive="believed",
        simulate=_too_good,
        judge=_judge_too_good,
        share=0.03,
    ),
)
