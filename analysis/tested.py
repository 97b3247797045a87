"""Many comparisons at once, each with the one test that its p-values and all its intervals come from.

Every kind of metric has one statistic z(θ) for "the effect is θ". A rule for looking is a critical value for |z|: a
quantile for one look, the multiplier of a confidence sequence for any number of looks. The difference and the lift test
the same thing at 0. So a p-value is below alpha exactly when its intervals, of the difference and of the lift, leave
out 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects import rates, values
from analysis.effects.adaptive import stabilised
from analysis.effects.events import rate_supports, supports
from analysis.effects.ratios import SMALLEST_DENOMINATOR
from analysis.groups import Groups, all_of, over_strata, put
from analysis.plan import MetricKind
from analysis.reasons import Reasons, Why, first_of, or_else

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Two arms in the strata of many comparisons, shape (rows, strata).

    Parameters
    ----------
    arms
        The treatments, then the baselines, shape (2, rows, strata); n == 0 where there is none.
    units
        All units of a stratum, those of other arms included: its weight. Where the split is adaptive, the weight that
        takes their place, see `analysis.effects.adaptive`.
    epoch
        Of the stratum.
    offered
        Whether both arms were offered in the stratum; False also pads rows of fewer strata.
    """

    arms: Groups
    units: Floats
    epoch: Floats
    offered: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmValues:
    """The values of arms, shape (2, rows, strata) or any other, and why there is none; `common`: see `values.Pairs`."""

    values: values.Values
    why: Reasons
    common: Floats | None = None

    def take(self, index: Any) -> ArmValues:
        common = None if self.common is None else self.common[index]
        return ArmValues(values=self.values.take(index), why=self.why[index], common=common)


class Inverse(Protocol):
    """Turns critical values into intervals of the rows they are for (any, in any order); NaN where there is none."""

    def __call__(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Low and high ends of the difference, then of the lift."""

    def lift_z(self, rows: Rows, lift: Floats) -> Floats:
        """The statistic of "the lift is this", one for each row, as a test of treatment - (1 + lift)·baseline.

        It exists where the lift itself does not, as of a baseline of 0; NaN where there is no test.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One row per comparison; NaN where a number does not exist, and `Why` in the columns of reasons.

    `units`: of both arms, in the strata that are in it. `clock`: the units behind the effect, see `multiplier` in
    `analysis.inference.sequential`. `events`: the effective events of the treatment, of the baseline, and those needed
    for an always-valid statement; `is_supported`: there are as many. `stratified`: more than one stratum is in it.
    """

    difference: Floats
    std_error: Floats
    lift: Floats
    lift_std_error: Floats
    z: Floats
    freedom: Floats
    units: Floats
    clock: Floats
    events: tuple[Floats, Floats, Floats]
    is_supported: Flags
    stratified: Flags
    why: Reasons
    why_p: Reasons
    why_error: Reasons
    why_interval: Reasons
    why_lift: Reasons
    why_lift_interval: Reasons
    treatment: Floats
    baseline: Floats
    treatment_variance: Floats
    baseline_variance: Floats
    inverse: Inverse


def entering(samples: Samples, min_units: int) -> Flags:
    """Strata in which both arms have the minimum of units."""
    n = samples.arms.n
    enough: Flags = samples.offered & (np.minimum(n[0], n[1]) >= max(min_units, 1))
    return enough


def stabilised_samples(samples: Samples, min_units: int, alone: Flags | None = None) -> Samples:
    """The samples of adaptive splits: rows that are `alone`, of one segment, weigh so that the sum is near normal."""
    inside = entering(samples, min_units)
    weights = stabilised(samples.units, samples.arms.n[0], samples.arms.n[1], inside)
    return replace(samples, units=weights if alone is None else np.where(alone[:, None], weights, samples.units))


def mean_values(groups: Groups) -> ArmValues:
    """Mean per unit and its squared standard error s²/n; see `analysis.effects.means`."""
    return ArmValues(
        values=values.Values(value=groups.mean, variance=groups.variance / groups.n, freedom=groups.n - 1),
        why=_too_few(groups),
    )


def ratio_values(groups: Groups) -> ArmValues:
    """Ratio of sums and its squared standard error by linearisation; see `analysis.effects.ratios`."""
    other = groups.denominator_mean
    nil = np.abs(other) < SMALLEST_DENOMINATOR
    return ArmValues(
        values=values.Values(
            value=put(groups.mean / other, nil, np.nan),
            variance=groups.residual_variance / (groups.n * other * other),
            freedom=groups.n - 1,
        ),
        why=or_else(_too_few(groups), nil, Why.ZERO_DENOMINATOR),
    )


def _too_few(groups: Groups) -> Reasons:
    why = np.zeros(groups.n.shape, dtype=np.int64)
    why[groups.n < 2] = Why.NO_UNITS
    why[groups.n == 1] = Why.ONE_UNIT
    return why


def of_values(kind: MetricKind, samples: Samples, arms: ArmValues, min_units: int) -> Tested:
    """Welch's t (of several strata: their average, weighted by units) for values that are near normal in each stratum.

    The effect is the mean of one contribution per unit: strata weigh by their units.
    """
    inside = entering(samples, min_units)
    pair_why = first_of(arms.why[0], arms.why[1])
    usable = inside & (pair_why == 0)
    why = _why(samples.offered, inside, usable, pair_why)
    share = _shares(samples.units, usable)
    averages = _averaged(arms.values, share)
    common = None if arms.common is None else over_strata(np.where(share > 0, share * share * arms.common[1], 0.0))
    pairs = values.Pairs(treatment=averages.take(0), baseline=averages.take(1), common=common)
    difference, variance = pairs.difference, pairs.variance
    flat, missing = ~(variance > 0), why != 0
    error = np.sqrt(_without(variance, flat))
    lift, lift_error = values.lift(pairs)
    found = supports(kind, share, samples.arms)
    why_error = or_else(why, flat, Why.ZERO_VARIANCE)
    why_lift = or_else(why, ~(pairs.baseline.value > 0), Why.NOT_POSITIVE)
    # A treatment of nothing but zeros has lost everything, whatever the baseline is: a point is no interval.
    certain = lift_error == 0
    each = put(arms.values.variance[0] + arms.values.variance[1], ~usable, 0.0)
    units = _units(samples, usable)
    return Tested(
        difference=_without(difference, missing),
        std_error=_without(error, missing),
        lift=_without(lift, missing),
        lift_std_error=_without(lift_error, missing | flat),
        z=_without(difference / error, missing),
        freedom=pairs.freedom,
        units=over_strata(units),
        clock=_clock(samples, usable, units, each),
        events=(found.treatment, found.baseline, found.needed),
        is_supported=found.is_enough,
        stratified=_stratified(usable),
        why=why,
        why_p=why_error,
        why_error=why_error,
        why_interval=why_error,
        why_lift=why_lift,
        why_lift_interval=or_else(first_of(why_lift, why_error), certain, Why.ZERO_VARIANCE),
        treatment=pairs.treatment.value,
        baseline=pairs.baseline.value,
        treatment_variance=pairs.treatment.variance,
        baseline_variance=pairs.baseline.variance,
        inverse=_PairInverse(pairs=pairs, error=error, exists=why_error == 0),
    )


def _averaged(arms: values.Values, share: Floats) -> values.Values:
    outside = np.array((share, share)) <= 0
    known = values.Values(
        value=put(arms.value.copy(), outside, 0.0),
        variance=put(arms.variance.copy(), outside, 0.0),
        freedom=put(arms.freedom.copy(), outside, np.inf),
    )
    # One stratum is its own average.
    return known.take(np.s_[..., 0]) if share.shape[1] == 1 else known.averaged(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PairInverse:
    pairs: values.Pairs
    error: Floats
    exists: Flags

    def __call__(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        pairs, missing = self.pairs.take(rows), ~self.exists[rows]
        half_width = _without(critical * self.error[rows], missing)
        low, high = values.fieller(pairs, critical)
        centre = pairs.difference
        return centre - half_width, centre + half_width, _without(low, missing), _without(high, missing)

    def lift_z(self, rows: Rows, lift: Floats) -> Floats:
        pairs, ratio = self.pairs.take(rows), 1.0 + lift
        variance = pairs.treatment.variance + ratio * ratio * pairs.baseline.variance
        if pairs.common is not None:
            variance = variance + lift * lift * pairs.common
        error = np.sqrt(np.where(self.exists[rows] & (variance > 0), variance, np.nan))
        return (pairs.treatment.value - ratio * pairs.baseline.value) / error


def of_rates(samples: Samples, min_units: int) -> Tested:
    """Miettinen–Nurminen score tests; see `analysis.effects.rates`."""
    inside = entering(samples, min_units)
    too_few = _too_few(samples.arms)
    why = _why(samples.offered, inside, inside, first_of(too_few[0], too_few[1]))
    share = _shares(samples.units, inside)
    counts = _rates(samples, inside, share)
    treatment, baseline = counts.treatment_rate, counts.baseline_rate
    variances = counts.variances
    wald = variances[0] + variances[1]
    exists, missing, spread = why == 0, why != 0, wald > 0
    why_p = or_else(why, counts.is_degenerate, Why.SAME_RATE)
    z = _without(rates.null_z(counts), missing)
    flat, has_base = missing | ~spread, baseline > 0
    base = put(baseline.copy(), ~has_base, np.nan)
    support = rate_supports(
        share, np.array((counts.treatment_n, counts.baseline_n)), np.array((counts.treatment, counts.baseline))
    )
    units = _units(samples, inside)
    return Tested(
        difference=_without(treatment - baseline, missing),
        std_error=_without(np.sqrt(wald), flat),
        lift=_without((treatment - baseline) / base, missing),
        lift_std_error=_without(np.sqrt(variances[0] + (treatment / base) ** 2 * variances[1]) / base, flat),
        z=put(z.copy(), why_p != 0, np.nan),
        freedom=np.full(len(why), np.inf),
        units=over_strata(units),
        clock=_clock(samples, inside, units, counts.null_variance),
        events=(support.treatment, support.baseline, support.needed),
        is_supported=support.is_enough,
        stratified=_stratified(inside),
        why=why,
        why_p=why_p,
        why_error=or_else(why, ~spread, Why.SAME_RATE),
        why_interval=why,
        why_lift=or_else(why, ~has_base, Why.NOT_POSITIVE),
        why_lift_interval=or_else(why, ~has_base, Why.NOBODY),
        treatment=treatment,
        baseline=baseline,
        treatment_variance=variances[0],
        baseline_variance=variances[1],
        inverse=_RateInverse(counts=counts, exists=exists, at_zero=z),
    )


def _rates(samples: Samples, inside: Flags, share: Floats) -> rates.Rates:
    successes = np.where(inside, np.rint(samples.arms.total), 0.0)
    sizes = np.where(inside, samples.arms.n, 1.0)
    return rates.Rates(
        share=share,
        treatment=successes[0],
        treatment_n=sizes[0],
        baseline=successes[1],
        baseline_n=sizes[1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RateInverse:
    """`at_zero`: the statistic of "no effect", which both intervals share."""

    counts: rates.Rates
    exists: Flags
    at_zero: Floats

    def __call__(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        exists = self.exists[rows]
        if all_of(exists):
            return self._ends(rows, critical)
        ends = np.full((4, len(rows)), np.nan)
        if exists.any():
            ends[:, exists] = self._ends(rows[exists], critical[exists])
        low, high, lift_low, lift_high = ends
        return low, high, lift_low, lift_high

    def lift_z(self, rows: Rows, lift: Floats) -> Floats:
        return np.where(self.exists[rows], rates.lift_z(self.counts.take(rows), 1.0 + lift), np.nan)

    def _ends(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        counts, at_zero = self.counts.take(rows), self.at_zero[rows]
        return (
            *rates.difference_interval(counts, critical, at_zero=at_zero),
            *rates.lift_interval(counts, critical, at_zero=at_zero),
        )


def _why(offered: Flags, inside: Flags, usable: Flags, pair_why: Reasons) -> Reasons:
    """Why a comparison has no stratum: the last one's reason, if all that might enter have one."""
    has_some = usable.any(axis=1)
    if all_of(has_some):
        return np.zeros(len(usable), dtype=np.int64)
    candidates = np.where(inside.any(axis=1, keepdims=True), inside, offered)
    named = (pair_why != 0) | ~candidates
    last = candidates.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
    reason = np.where(named.all(axis=1), np.take_along_axis(pair_why, last[:, None], axis=1)[:, 0], Why.TOO_FEW_UNITS)
    reason = np.where(offered.any(axis=1), reason, Why.NO_COMMON_STRATUM)
    return np.where(has_some, Why.EXISTS, reason)


def _shares(units: Floats, usable: Flags) -> Floats:
    weights = put(units.copy(), ~usable, 0.0)
    total = over_strata(weights).copy()
    return weights / put(total, total <= 0, 1.0)[:, None]


def _stratified(usable: Flags) -> Flags:
    return np.count_nonzero(usable, axis=1) > 1 if usable.shape[1] > 1 else np.zeros(len(usable), dtype=np.bool_)


def _units(samples: Samples, usable: Flags) -> Floats:
    """Of both arms, in the strata that are usable."""
    return put(samples.arms.n[0] + samples.arms.n[1], ~usable, 0.0)


def _clock(samples: Samples, usable: Flags, units: Floats, variance: Floats) -> Floats:
    """The variance of the summed contributions, over that of one unit in the first epoch.

    With one stratum, or where the variance per unit stays what it is, that is the number of units. Counting variance in
    place of units keeps confidence sequences valid when it changes for good (time-uniform central limit theory is in
    the summed variance). The scale must not depend on the data to come: the first epoch's is over when it matters.
    """
    together = over_strata(units)
    if units.shape[1] == 1:
        return together
    summed = np.where(usable, samples.units * samples.units * variance, 0.0)
    epoch = np.where(usable, samples.epoch, np.inf)
    first = usable & (epoch == epoch.min(axis=1, keepdims=True, initial=np.inf))
    reference = np.where(first, summed, 0.0).sum(axis=1)
    known = reference > 0
    of_first = np.where(first, units, 0.0).sum(axis=1)
    clock: Floats = np.where(known, of_first * (summed.sum(axis=1) / np.where(known, reference, 1.0)), together)
    return clock


def _without(numbers: Floats, missing: Flags) -> Floats:
    """The same array, with NaN where numbers are missing."""
    return put(numbers, missing, np.nan)
