"""Two arms on one metric in one scope: the effect, with one test behind the p-values and all four intervals.

Each kind of metric has one statistic z(θ) for "the effect is θ". Its look-once form compares |z| with a quantile, its
always-valid form with the multiplier of a confidence sequence; the difference and the lift test the same thing at 0.
So a p-value is below alpha exactly when its intervals, of the difference and of the lift, leave out 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

from analysis.effects import lift, means, proportions, ratios, scores
from analysis.effects.arms import ArmPair, ArmValue
from analysis.effects.strata import StratumPair, combine
from analysis.estimate import Estimate, Interval, Undefined
from analysis.inference import sequential
from analysis.moments import Moments
from analysis.plan import MetricKind
from analysis.stratum import StratumMoments, entering_strata, events_behind, shares

__all__ = ["Effect", "Evidence", "StratumMoments", "compare"]

ALWAYS_VALID = "asymptotic_confidence_sequence"

TOO_FEW_UNITS = Undefined(
    reason="too_few_units", message="There is no stretch of time yet in which both have enough units side by side."
)
TOO_FEW_EVENTS = Undefined(
    reason="too_few_events", message="Too few events yet for an answer that holds whenever one looks."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The rule for all looks of a plan: error rate, ρ of its confidence sequences, units an arm needs in a stratum."""

    alpha: float
    rho: float
    min_units: int = 0


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
        The strata in which both arms were offered. Those enter in which both have `min_units` and a value (no
        denominators of 0): a handful of units has no standard error, and could outweigh all the others.
    evidence
        Error rate, ρ and minimum.

    Returns
    -------
    Effect
        Conversions: Miettinen–Nurminen score tests. Means, counts and ratios: Welch's t, Fieller's lift; of several
        strata their weighted average with a t-test. These have no always-valid form (`too_few_events`) while one of
        the arms rests on too few events, see `analysis.effects.events`.
    """
    entering = entering_strata(strata, evidence.min_units)
    if not entering:
        return undefined_effect(_nothing_enters(kind, strata))
    if kind == "conversion":
        return _compare_proportions(entering, evidence)
    usable: list[tuple[StratumMoments, ArmPair]] = []
    reason = TOO_FEW_UNITS
    for stratum in entering:
        pair = _pair(kind, stratum)
        if isinstance(pair, Undefined):
            reason = pair
        else:
            usable.append((stratum, pair))
    if not usable:
        return undefined_effect(reason)
    units = sum(stratum.treatment.n + stratum.baseline.n for stratum, _ in usable)
    weighted = [StratumPair(weight=stratum.units, pair=pair) for stratum, pair in usable]
    effect = _compare_values(combine(weighted), units, evidence, stratified=len(usable) > 1)
    return effect if events_behind(kind, [stratum for stratum, _ in usable]).is_enough else _look_once_only(effect)


def _nothing_enters(kind: MetricKind, strata: Sequence[StratumMoments]) -> Undefined:
    if not strata:
        return Undefined(reason="no_common_stratum", message="These two were never offered side by side.")
    reasons = [_pair(kind, stratum) for stratum in strata]
    named = [reason for reason in reasons if isinstance(reason, Undefined)]
    return named[-1] if len(named) == len(reasons) else TOO_FEW_UNITS


def _look_once_only(effect: Effect) -> Effect:
    return replace(
        effect,
        difference=replace(effect.difference, always_valid=TOO_FEW_EVENTS),
        lift=replace(effect.lift, always_valid=TOO_FEW_EVENTS),
        p_value_always_valid=TOO_FEW_EVENTS,
    )


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


def _compare_proportions(strata: Sequence[StratumMoments], evidence: Evidence) -> Effect:
    counts = [
        scores.TwoProportions(
            share=share, treatment=_proportion(stratum.treatment), baseline=_proportion(stratum.baseline)
        )
        for share, stratum in zip(shares(strata), strata, strict=True)
    ]
    units = sum(stratum.treatment.n + stratum.baseline.n for stratum in strata)
    fixed = means.critical_value(evidence.alpha)
    anytime = sequential.multiplier(units, evidence.alpha, evidence.rho)
    z = scores.score_z(counts)
    pair = combine([_wald(stratum) for stratum in counts])
    no_scale = Undefined(reason="zero_variance", message="Nobody or everybody converted in both arms.")
    spread = pair.variance > 0
    name = "miettinen_nurminen" if len(counts) == 1 else "stratified_miettinen_nurminen"

    def interval(
        of: Callable[..., tuple[float, float] | Undefined], critical: float, method: str
    ) -> Interval | Undefined:
        return _interval(of(counts, critical), evidence, method)

    return Effect(
        difference=Estimate(
            value=pair.difference,
            std_error=sqrt(pair.variance) if spread else no_scale,
            fixed=interval(scores.score_interval, fixed, name),
            always_valid=interval(scores.score_interval, anytime, f"{ALWAYS_VALID}_score"),
        ),
        lift=Estimate(
            value=lift.lift_value(pair),
            std_error=lift.lift_std_error(pair) if spread else no_scale,
            fixed=interval(scores.score_lift_interval, fixed, f"{name}_ratio"),
            always_valid=interval(scores.score_lift_interval, anytime, f"{ALWAYS_VALID}_score"),
        ),
        p_value=z if isinstance(z, Undefined) else means.two_sided_p(z, inf),
        p_value_always_valid=z if isinstance(z, Undefined) else sequential.always_valid_p(z, units, evidence.rho),
    )


def _proportion(moments: Moments) -> proportions.Proportion:
    return proportions.Proportion(successes=round(moments.total), n=moments.n)


def _wald(stratum: scores.TwoProportions) -> StratumPair:
    treatment, baseline = proportions.wald_value(stratum.treatment), proportions.wald_value(stratum.baseline)
    return StratumPair(weight=stratum.share, pair=ArmPair(treatment=treatment, baseline=baseline))


def _interval(bounds: tuple[float, float] | Undefined, evidence: Evidence, method: str) -> Interval | Undefined:
    if isinstance(bounds, Undefined):
        return bounds
    low, high = bounds
    return Interval(low=low, high=high, level=1 - evidence.alpha, method=method)
