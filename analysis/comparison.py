"""Two arms on one metric in one scope: the effect, with one test behind the p-values and all four intervals.

Each kind of metric has one statistic z(θ) for "the effect is θ". Its look-once form compares |z| with a quantile, its
always-valid form with the multiplier of a confidence sequence; the difference and the lift test the same thing at 0.
So a p-value is below alpha exactly when its intervals, of the difference and of the lift, leave out 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from analysis.effects import lift, means, proportions, ratios
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.strata import StratumPair, combine
from analysis.estimate import Estimate, Interval, Undefined
from analysis.inference import sequential
from analysis.moments import Moments
from analysis.plan import MetricKind

ALWAYS_VALID = "asymptotic_confidence_sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The rule for all looks of a plan: error rate, and the ρ of its confidence sequences."""

    alpha: float
    rho: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumMoments:
    """Two arms within one stratum; `units` counts all arms of the stratum, it is the stratum's weight."""

    units: int
    treatment: Moments
    baseline: Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a comparison says before it is seen in its family."""

    difference: Estimate
    lift: Estimate
    p_value: float | Undefined
    p_value_always_valid: float | Undefined


_VALUES: dict[MetricKind, Callable[[Moments], ArmValue | Undefined]] = {
    "conversion": proportions.proportion_value,
    "count": means.mean_value,
    "mean": means.mean_value,
    "ratio": ratios.ratio_value,
}


def arm_value(kind: MetricKind, moments: Moments) -> ArmValue | Undefined:
    return _VALUES[kind](moments)


def compare(kind: MetricKind, strata: Sequence[StratumMoments], evidence: Evidence) -> Effect:
    """The effect of a treatment over a baseline.

    Parameters
    ----------
    kind
        Of the metric: decides the statistic.
    strata
        The strata in which both arms were offered. Those in which one of them has no value yet (fewer than two units,
        denominators of 0) are left out as long as another has one.
    evidence
        Error rate and ρ.

    Returns
    -------
    Effect
        Conversions in one stratum: Miettinen–Nurminen score tests. Means, counts and ratios: Welch's t, Fieller's lift.
        Several strata: their weighted average with a t-test (conversions: z-test) and Fieller's lift.
    """
    inhabited = [stratum for stratum in strata if stratum.treatment.n and stratum.baseline.n]
    if kind == "conversion" and len(inhabited) == 1:
        return _compare_proportions(inhabited[0], evidence)
    usable: list[tuple[StratumMoments, ArmPair]] = []
    reason = Undefined(reason="no_common_stratum", message="These two were never offered side by side.")
    for stratum in strata:
        pair = _pair(kind, stratum)
        if isinstance(pair, Undefined):
            reason = pair
        else:
            usable.append((stratum, pair))
    if not usable:
        return undefined_effect(reason)
    if kind == "conversion" and len(usable) == 1:
        return _compare_proportions(usable[0][0], evidence)
    units = sum(stratum.treatment.n + stratum.baseline.n for stratum, _ in usable)
    weighted = [StratumPair(weight=stratum.units, pair=pair) for stratum, pair in usable]
    return _compare_values(combine(weighted), units, evidence, stratified=len(usable) > 1)


def undefined_effect(reason: Undefined) -> Effect:
    nothing = Estimate(value=reason, std_error=reason, fixed=reason, always_valid=reason)
    return Effect(difference=nothing, lift=nothing, p_value=reason, p_value_always_valid=reason)


def _pair(kind: MetricKind, stratum: StratumMoments) -> ArmPair | Undefined:
    treatment, baseline = arm_value(kind, stratum.treatment), arm_value(kind, stratum.baseline)
    if isinstance(treatment, Undefined):
        return treatment
    if isinstance(baseline, Undefined):
        return baseline
    return ArmPair(treatment=treatment, baseline=baseline)


def _compare_values(pair: ArmPair, units: int, evidence: Evidence, *, stratified: bool) -> Effect:
    if pair.variance == 0:
        return _without_spread(pair)
    std_error = sqrt(pair.variance)
    z = pair.difference / std_error
    freedom = means.welch_degrees_of_freedom(pair)
    fixed = means.critical_value(evidence.alpha, freedom)
    anytime = sequential.multiplier(units, evidence.alpha, evidence.rho)
    test = "z" if freedom == inf else "t" if stratified else "welch_t"
    name = f"stratified_{test}" if stratified else test
    return Effect(
        difference=Estimate(
            value=pair.difference,
            std_error=std_error,
            fixed=_interval(means.wald_interval(pair, fixed), evidence, name),
            always_valid=_interval(means.wald_interval(pair, anytime), evidence, ALWAYS_VALID),
        ),
        lift=Estimate(
            value=lift.lift_value(pair),
            std_error=lift.lift_std_error(pair),
            fixed=_interval(lift.fieller(pair, fixed), evidence, "fieller"),
            always_valid=_interval(lift.fieller(pair, anytime), evidence, f"{ALWAYS_VALID}_fieller"),
        ),
        p_value=means.two_sided_p(z, freedom),
        p_value_always_valid=sequential.always_valid_p(z, units, evidence.rho),
    )


def _without_spread(pair: ArmPair) -> Effect:
    reason = Undefined(
        reason="zero_variance", message="Nobody differs from anybody within an arm: no scale to test on."
    )
    return Effect(
        difference=Estimate(value=pair.difference, std_error=reason, fixed=reason, always_valid=reason),
        lift=Estimate(value=lift.lift_value(pair), std_error=reason, fixed=reason, always_valid=reason),
        p_value=reason,
        p_value_always_valid=reason,
    )


def _compare_proportions(stratum: StratumMoments, evidence: Evidence) -> Effect:
    treatment = proportions.Proportion(successes=round(stratum.treatment.total), n=stratum.treatment.n)
    baseline = proportions.Proportion(successes=round(stratum.baseline.total), n=stratum.baseline.n)
    units = treatment.n + baseline.n
    fixed = means.critical_value(evidence.alpha)
    anytime = sequential.multiplier(units, evidence.alpha, evidence.rho)
    z = proportions.score_z(treatment, baseline)
    pair = ArmPair(treatment=proportions.wald_value(treatment), baseline=proportions.wald_value(baseline))
    no_scale = Undefined(reason="zero_variance", message="Nobody or everybody converted in both arms.")
    spread = pair.variance > 0

    def interval(
        of: Callable[..., tuple[float, float] | Undefined], critical: float, name: str
    ) -> Interval | Undefined:
        return _interval(of(treatment, baseline, critical), evidence, name)

    return Effect(
        difference=Estimate(
            value=pair.difference,
            std_error=sqrt(pair.variance) if spread else no_scale,
            fixed=interval(proportions.score_interval, fixed, "miettinen_nurminen"),
            always_valid=interval(proportions.score_interval, anytime, f"{ALWAYS_VALID}_score"),
        ),
        lift=Estimate(
            value=lift.lift_value(pair),
            std_error=lift.lift_std_error(pair) if spread else no_scale,
            fixed=interval(proportions.score_lift_interval, fixed, "miettinen_nurminen_ratio"),
            always_valid=interval(proportions.score_lift_interval, anytime, f"{ALWAYS_VALID}_score"),
        ),
        p_value=z if isinstance(z, Undefined) else means.two_sided_p(z, inf),
        p_value_always_valid=z if isinstance(z, Undefined) else sequential.always_valid_p(z, units, evidence.rho),
    )


def _interval(bounds: tuple[float, float] | Undefined, evidence: Evidence, method: str) -> Interval | Undefined:
    if isinstance(bounds, Undefined):
        return bounds
    low, high = bounds
    return Interval(low=low, high=high, level=1 - evidence.alpha, method=method)
