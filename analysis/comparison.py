"""Arms on one metric in one scope: effects with p-values and intervals, many at once (`compare_all`) or one.

Both kinds of evidence are always there: for one look planned in advance, and for every look together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effect_rows import Effect, effects
from analysis.groups import Groups
from analysis.intervals import Ends, Intervals, PValues, p_values
from analysis.intervals import intervals as inverted
from analysis.moments import Moments
from analysis.plan import MetricKind
from analysis.tested import (
    ArmValues,
    Samples,
    Tested,
    mean_values,
    of_rates,
    of_values,
    ratio_values,
    stabilised_samples,
)

__all__ = ["Effect", "EffectColumns", "Evidence", "StratumMoments", "compare", "compare_all"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The rule for all looks of a plan: error rate, ρ of its confidence sequences (one, or one per row), units an arm
    needs in a stratum."""

    alpha: float
    rho: float | Floats
    min_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumMoments:
    """Two arms within one stratum; `units` counts all arms of the stratum, it is the stratum's weight."""

    units: int
    treatment: Moments
    baseline: Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectColumns:
    """One row per comparison; NaN where a number does not exist (`tested` says why)."""

    tested: Tested
    p: PValues
    intervals: Intervals

    @property
    def difference(self) -> Floats:
        return self.tested.difference

    @property
    def std_error(self) -> Floats:
        return self.tested.std_error

    @property
    def lift(self) -> Floats:
        return self.tested.lift

    @property
    def lift_std_error(self) -> Floats:
        return self.tested.lift_std_error

    @property
    def p_value(self) -> Floats:
        return self.p.once

    @property
    def p_value_always_valid(self) -> Floats:
        return self.p.always

    @property
    def fixed_low(self) -> Floats:
        return self.intervals.once.low

    @property
    def fixed_high(self) -> Floats:
        return self.intervals.once.high

    @property
    def always_valid_low(self) -> Floats:
        return self.intervals.always.low

    @property
    def always_valid_high(self) -> Floats:
        return self.intervals.always.high

    @property
    def lift_fixed_low(self) -> Floats:
        return self.intervals.once.lift_low

    @property
    def lift_fixed_high(self) -> Floats:
        return self.intervals.once.lift_high

    @property
    def lift_always_valid_low(self) -> Floats:
        return self.intervals.always.lift_low

    @property
    def lift_always_valid_high(self) -> Floats:
        return self.intervals.always.lift_high


def choose_test(kind: MetricKind, samples: Samples, min_units: int, arms: ArmValues | None = None) -> Tested:
    """The test for a kind of metric: scores for conversions, Welch's t for the others and for adjusted `arms`."""
    if arms is not None:
        return of_values(kind, samples, arms, min_units)
    if kind == "conversion":
        return of_rates(samples, min_units)
    own = ratio_values if kind == "ratio" else mean_values
    return of_values(kind, samples, own(samples.arms), min_units)


def compare_all(
    kind: MetricKind,
    treatment: Groups,
    baseline: Groups,
    units: Floats,
    evidence: Evidence,
    *,
    epoch: Floats | None = None,
    intervals: bool = True,
    adaptive: bool = False,
) -> EffectColumns:
    """The effects of many treatments over their baselines: what a report is made of, as arrays.

    Parameters
    ----------
    kind
        Of the metric: decides the statistic.
    treatment, baseline
        Shape (rows, strata): one row per comparison. Strata enter in which both arms have `min_units` and a value (no
        denominators of 0): a handful of units has no standard error, and could outweigh all the others. n == 0 where
        a row has fewer strata.
    units
        All units of each stratum, its weight; same shape.
    evidence
        Error rate, ρ and minimum.
    epoch
        Of each stratum, same shape; None: the strata are in the order of time.
    intervals
        False leaves them NaN, for who needs p-values only.
    adaptive
        The splits followed the outcomes of earlier strata of the row, which is one segment: strata weigh as in
        `analysis.effects.adaptive`.

    Returns
    -------
    EffectColumns
        Conversions: Miettinen–Nurminen score tests. Means, counts and ratios: Welch's t, Fieller's lift; of several
        strata their weighted average with a t-test. These have no always-valid form while one of the arms rests on too
        few events, see `analysis.effects.events`.
    """
    if kind == "quantile":
        raise ValueError("quantiles are made of distributions, not of moments")
    order = np.broadcast_to(np.arange(units.shape[1], dtype=float), units.shape) if epoch is None else epoch
    offered = (treatment.n > 0) | (baseline.n > 0)
    arms = Groups.paired(treatment, baseline)
    samples = Samples(arms=arms, units=units, epoch=order, offered=offered)
    # Groups without units divide by nothing; what comes of them is never used.
    with np.errstate(all="ignore"):
        if adaptive:
            samples = stabilised_samples(samples, evidence.min_units)
        return _columns(choose_test(kind, samples, evidence.min_units), evidence, intervals=intervals)


def _columns(found: Tested, evidence: Evidence, *, intervals: bool) -> EffectColumns:
    none = np.empty(0)
    if intervals:
        both, _ = inverted(found, evidence.alpha, evidence.rho, none.astype(np.intp), none)
    else:
        nothing = np.full(len(found.z), np.nan)
        ends = Ends(low=nothing, high=nothing, lift_low=nothing, lift_high=nothing)
        both = Intervals(once=ends, always=ends)
    return EffectColumns(tested=found, p=p_values(found, evidence.rho), intervals=both)


def compare(kind: MetricKind, strata: Sequence[StratumMoments], evidence: Evidence) -> Effect:
    """One comparison; see `compare_all`. `strata`: those in which both arms were offered, in the order of time."""
    samples = Samples(
        arms=Groups.of(
            [
                [stratum.treatment for stratum in strata] or [Moments()],
                [stratum.baseline for stratum in strata] or [Moments()],
            ]
        ).take(np.s_[:, None]),
        units=np.array([[float(stratum.units) for stratum in strata] or [0.0]]),
        epoch=np.arange(max(len(strata), 1), dtype=float)[None, :],
        offered=np.full((1, max(len(strata), 1)), bool(strata)),
    )
    with np.errstate(all="ignore"):
        columns = _columns(choose_test(kind, samples, evidence.min_units), evidence, intervals=True)
    return effects(kind, columns.tested, columns.p, columns.intervals, alpha=evidence.alpha).one_by_one()[0]
