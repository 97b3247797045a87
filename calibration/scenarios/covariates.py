"""Less noise from what was known before: the level stays, the variance falls by as much as it can."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

import numpy as np
from numpy.random import Generator

from analysis.effects.arms import ArmPair
from analysis.effects.cuped import adjust, cross_moments
from analysis.effects.means import two_sided_p, welch_degrees_of_freedom
from analysis.estimate import Undefined
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Covariate
from analysis.report import build
from calibration.engine import ALPHA, DEFAULT, METRIC, plan_of
from calibration.scenario import Bound, Floats, Samples, Scenario, near

_PER_ARM = 200
_CORRELATION = 0.7


def _adjusted(rng: Generator, runs: int, safeguard: bool) -> Samples:
    p, variance = np.empty(runs), np.empty(runs)
    for run in range(runs):
        arms = _arm(rng), _arm(rng)
        pair = _pair(*arms, safeguard)
        p[run] = two_sided_p(pair.difference / pair.variance**0.5, welch_degrees_of_freedom(pair))
        variance[run] = pair.variance
        if safeguard and run == 0:
            _audit(arms, p[run])
    return {"p": p, "variance": variance}


def _audit(arms: tuple[Floats, Floats], p: float) -> None:
    """The first experiment's report has the same p-value."""
    covariate = Covariate(key="before", event_name="event", lookback_seconds=86_400)
    plan = plan_of("mean", DEFAULT)
    plan = replace(plan, metrics=(replace(plan.primary, covariates=(covariate,)),))
    keys = [MetricKey(0, "all", variant, METRIC) for variant in ("treatment", "control")]
    cross = dict(zip(keys, map(cross_moments, arms), strict=True))
    moments = {
        key: Moments(n=found.n, mean=found.mean[0], m2=found.centred[0][0], absolute_mean=1.0)
        for key, found in cross.items()
    }
    units = {ArmKey(*key[:3]): found.n for key, found in cross.items()}
    report = build(plan, MomentTable(units=units, moments=moments, cross=cross))
    found = report.segments[0].metrics[0].comparisons[0].p_value
    if not isinstance(found, float) or not isclose(found, p, rel_tol=1e-9):
        raise AssertionError(f"covariates: {p} here, {found} in the report")


def _arm(rng: Generator) -> Floats:
    """Outcome and what was known before, of variance 1 each."""
    before = rng.standard_normal(_PER_ARM)
    noise = rng.standard_normal(_PER_ARM)
    return np.stack([_CORRELATION * before + (1 - _CORRELATION**2) ** 0.5 * noise, before], axis=1)


def _pair(treatment: Floats, baseline: Floats, safeguard: bool) -> ArmPair:
    columns = 2 if safeguard else 1
    arms = adjust([cross_moments(arm[:, :columns]) for arm in (treatment, baseline)]).arms
    first, second = arms
    assert not isinstance(first, Undefined)
    assert not isinstance(second, Undefined)
    return ArmPair(treatment=first, baseline=second)


def _judge(samples: Samples) -> tuple[Bound, ...]:
    kept = float(np.mean(samples["variance"])) * _PER_ARM / 2
    gap = abs(kept / (1 - _CORRELATION**2) - 1)
    return (
        *near("cuped.error", samples["p"] < ALPHA, ALPHA),
        Bound(name="cuped.variance_off", measured=gap, relation="<=", bound=0.05),
    )


SCENARIOS = (
    Scenario(
        key="cuped",
        pitfall="A/A adjusted for a covariate with a correlation of .7",
        safeguard="CUPED",
        naive="the plain difference of means",
        simulate=_adjusted,
        judge=_judge,
    ),
)
