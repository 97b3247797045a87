"""Many comparisons at once, each with the one test that its p-values and all its intervals come from.

Every kind of metric has one statistic z(θ) for "the effect is θ". A rule for looking is a critical value for |z|: a
quantile for one look, the multiplier of a confidence sequence for any number of looks. The difference and the lift test
the same thing at 0. So a p-value is below alpha exactly when its intervals, of the difference and of the lift, leave
out 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects import rates, values
from analysis.effects.events import supports
from analysis.groups import Groups
from analysis.plan import MetricKind
from analysis.reasons import Why

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Reasons: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.intp]

# A mean denominator below it is zero but for rounding; its square is still a float.
_SMALLEST_DENOMINATOR = 1e-50


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Two arms in the strata of many comparisons, shape (rows, strata).

    Parameters
    ----------
    treatment, baseline
        n == 0 where there is none.
    units
        All units of a stratum, those of other arms included: its weight.
    epoch
        Of the stratum.
    offered
        Whether both arms were offered in the stratum; False also pads rows of fewer strata.
    """

    treatment: Groups
    baseline: Groups
    units: Floats
    epoch: Floats
    offered: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmValues:
    """The values of an arm, shape (rows, strata), and why there is none."""

    values: values.Values
    why: Reasons


class Inverse(Protocol):
    """Turns critical values into intervals of the rows they are for (any, in any order); NaN where there is none."""

    def difference(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]: ...

    def lift(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One row per comparison; NaN where a number does not exist, and `Why` in the columns of reasons.

    `units`: of both arms, in the strata that are in it. `clock`: the units behind the effect, see `multiplier` in
    `analysis.inference.sequential`. `events`: the effective events of the treatment, of the baseline, and those needed
    for an always-valid statement (0 for rates). `stratified`: more than one stratum is in it.
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

    @property
    def is_supported(self) -> Flags:
        enough: Flags = np.minimum(self.events[0], self.events[1]) >= self.events[2]
        return enough


def entering(samples: Samples, min_units: int) -> Flags:
    """Strata in which both arms have the minimum of units."""
    enough: Flags = samples.offered & (np.minimum(samples.treatment.n, samples.baseline.n) >= max(min_units, 1))
    return enough


def mean_values(groups: Groups) -> ArmValues:
    """Mean per unit and its squared standard error s²/n; see `analysis.effects.means`."""
    return ArmValues(
        values=values.Values(value=groups.mean, variance=groups.variance / groups.n, freedom=groups.n - 1),
        why=_too_few(groups),
    )


def ratio_values(groups: Groups) -> ArmValues:
    """Ratio of sums and its squared standard error by linearisation; see `analysis.effects.ratios`."""
    other = groups.denominator_mean
    nil = np.abs(other) < _SMALLEST_DENOMINATOR
    why = np.where(nil, Why.ZERO_DENOMINATOR, Why.EXISTS)
    return ArmValues(
        values=values.Values(
            value=groups.mean / np.where(nil, np.nan, other),
            variance=groups.residual_variance / (groups.n * other * other),
            freedom=groups.n - 1,
        ),
        why=np.where(groups.n < 2, _too_few(groups), why),
    )


def _too_few(groups: Groups) -> Reasons:
    return np.where(groups.n >= 2, Why.EXISTS, np.where(groups.n == 1, Why.ONE_UNIT, Why.NO_UNITS))


def of_values(kind: MetricKind, samples: Samples, arms: tuple[ArmValues, ArmValues], min_units: int) -> Tested:
    """Welch's t (of several strata: their average, weighted by units) for values that are near normal in each stratum.

    `arms`: treatment and baseline. The effect is the mean of one contribution per unit: strata weigh by their units.
    """
    inside = entering(samples, min_units)
    pair_why = np.where(arms[0].why != 0, arms[0].why, arms[1].why)
    usable = inside & (pair_why == 0)
    why = _why(samples.offered, inside, usable, pair_why)
    share = _shares(samples.units, usable)
    pairs = values.Pairs(treatment=_averaged(arms[0], share), baseline=_averaged(arms[1], share))
    spread = pairs.variance > 0
    exists, error = why == 0, np.sqrt(np.where(spread, pairs.variance, np.nan))
    lift, lift_error = values.lift(pairs)
    found = supports(kind, share, samples.treatment, samples.baseline)
    why_error = np.where(exists, np.where(spread, Why.EXISTS, Why.ZERO_VARIANCE), why)
    why_lift = np.where(exists, np.where(pairs.baseline.value > 0, Why.EXISTS, Why.NOT_POSITIVE), why)
    variance = np.where(usable, arms[0].values.variance + arms[1].values.variance, 0.0)
    return Tested(
        difference=_where(exists, pairs.difference),
        std_error=_where(exists, error),
        lift=_where(exists, lift),
        lift_std_error=_where(exists & spread, lift_error),
        z=_where(exists, pairs.difference / error),
        freedom=pairs.freedom,
        units=_units(samples, usable),
        clock=_clock(samples, usable, variance),
        events=(found.treatment, found.baseline, found.needed),
        stratified=usable.sum(axis=1) > 1,
        why=why,
        why_p=why_error,
        why_error=why_error,
        why_interval=why_error,
        why_lift=why_lift,
        why_lift_interval=np.where(why_lift != 0, why_lift, why_error),
        treatment=pairs.treatment.value,
        baseline=pairs.baseline.value,
        treatment_variance=pairs.treatment.variance,
        baseline_variance=pairs.baseline.variance,
        inverse=_PairInverse(pairs=pairs, error=error, exists=exists & spread),
    )


def _averaged(arm: ArmValues, share: Floats) -> values.Values:
    inside = share > 0
    return values.Values(
        value=np.where(inside, arm.values.value, 0.0),
        variance=np.where(inside, arm.values.variance, 0.0),
        freedom=np.where(inside, arm.values.freedom, np.inf),
    ).averaged(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PairInverse:
    pairs: values.Pairs
    error: Floats
    exists: Flags

    def difference(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]:
        centre = self.pairs.difference[rows]
        half_width = _where(self.exists[rows], critical * self.error[rows])
        return centre - half_width, centre + half_width

    def lift(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]:
        low, high = values.fieller(self.pairs.take(rows), critical)
        return _where(self.exists[rows], low), _where(self.exists[rows], high)


def of_rates(samples: Samples, min_units: int) -> Tested:
    """Miettinen–Nurminen score tests; see `analysis.effects.rates`."""
    inside = entering(samples, min_units)
    why = _why(samples.offered, inside, inside, _pair_too_few(samples))
    rows = np.flatnonzero(why == 0)
    share = _shares(samples.units, inside)
    counts = _rates(samples, inside, share)
    treatment, baseline = counts.treatment_rate, counts.baseline_rate
    variances = [
        (share * share * successes * (n - successes) / n**3).sum(axis=1)
        for successes, n in ((counts.treatment, counts.treatment_n), (counts.baseline, counts.baseline_n))
    ]
    wald = variances[0] + variances[1]
    exists, spread = why == 0, wald > 0
    z = np.full(len(why), np.nan)
    z[rows] = rates.difference_z(counts.take(rows), np.zeros(len(rows)))
    base = np.where(baseline > 0, baseline, np.nan)
    why_lift = np.where(exists, np.where(baseline > 0, Why.EXISTS, Why.NOT_POSITIVE), why)
    why_p = np.where(exists & counts.is_degenerate, Why.SAME_RATE, why)
    return Tested(
        difference=_where(exists, treatment - baseline),
        std_error=_where(exists & spread, np.sqrt(wald)),
        lift=_where(exists, (treatment - baseline) / base),
        lift_std_error=_where(exists & spread, np.sqrt(variances[0] + (treatment / base) ** 2 * variances[1]) / base),
        z=_where(why_p == 0, z),
        freedom=np.full(len(why), np.inf),
        units=_units(samples, inside),
        clock=_clock(samples, inside, _null_variance(counts)),
        events=(np.full(len(why), np.inf), np.full(len(why), np.inf), np.zeros(len(why))),
        stratified=inside.sum(axis=1) > 1,
        why=why,
        why_p=why_p,
        why_error=np.where(exists & ~spread, Why.SAME_RATE, why),
        why_interval=why,
        why_lift=why_lift,
        why_lift_interval=np.where(exists & ~(baseline > 0), Why.NOBODY, why),
        treatment=treatment,
        baseline=baseline,
        treatment_variance=variances[0],
        baseline_variance=variances[1],
        inverse=_RateInverse(counts=counts, exists=exists),
    )


def _rates(samples: Samples, inside: Flags, share: Floats) -> rates.Rates:
    successes = [np.where(inside, np.round(arm.total), 0.0) for arm in (samples.treatment, samples.baseline)]
    sizes = [np.where(inside, arm.n, 1.0) for arm in (samples.treatment, samples.baseline)]
    return rates.Rates(
        share=share,
        treatment=successes[0],
        treatment_n=sizes[0],
        baseline=successes[1],
        baseline_n=sizes[1],
    )


def _null_variance(counts: rates.Rates) -> Floats:
    """Of the difference in each stratum, were the rates the same."""
    together = (counts.treatment + counts.baseline) / (counts.treatment_n + counts.baseline_n)
    variance: Floats = together * (1 - together) * (1 / counts.treatment_n + 1 / counts.baseline_n)
    return variance


@dataclass(frozen=True, slots=True, kw_only=True)
class _RateInverse:
    counts: rates.Rates
    exists: Flags

    def difference(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]:
        return self._ends(rates.difference_interval, rows, critical)

    def lift(self, rows: Rows, critical: Floats) -> tuple[Floats, Floats]:
        return self._ends(rates.lift_interval, rows, critical)

    def _ends(
        self, invert: Callable[[rates.Rates, Floats], tuple[Floats, Floats]], rows: Rows, critical: Floats
    ) -> tuple[Floats, Floats]:
        exists = self.exists[rows]
        low, high = np.full((2, len(rows)), np.nan)
        if exists.any():
            low[exists], high[exists] = invert(self.counts.take(rows[exists]), critical[exists])
        return low, high


def _pair_too_few(samples: Samples) -> Reasons:
    treatment, baseline = _too_few(samples.treatment), _too_few(samples.baseline)
    return np.where(treatment != 0, treatment, baseline)


def _why(offered: Flags, inside: Flags, usable: Flags, pair_why: Reasons) -> Reasons:
    """Why a comparison has no stratum: the last one's reason, if all that might enter have one."""
    candidates = np.where(inside.any(axis=1, keepdims=True), inside, offered)
    named = (pair_why != 0) | ~candidates
    last = candidates.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
    reason = np.where(named.all(axis=1), np.take_along_axis(pair_why, last[:, None], axis=1)[:, 0], Why.TOO_FEW_UNITS)
    reason = np.where(offered.any(axis=1), reason, Why.NO_COMMON_STRATUM)
    return np.where(usable.any(axis=1), Why.EXISTS, reason)


def _shares(units: Floats, usable: Flags) -> Floats:
    weights = np.where(usable, units, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)


def _units(samples: Samples, usable: Flags) -> Floats:
    units: Floats = np.where(usable, samples.treatment.n + samples.baseline.n, 0.0).sum(axis=1)
    return units


def _clock(samples: Samples, usable: Flags, variance: Floats) -> Floats:
    """The variance of the summed contributions, over that of one unit in the first epoch.

    With one stratum, or where the variance per unit stays what it is, that is the number of units. Counting variance in
    place of units keeps confidence sequences valid when it changes for good (time-uniform central limit theory is in
    the summed variance). The scale must not depend on the data to come: the first epoch's is over when it matters.
    """
    units = np.where(usable, samples.treatment.n + samples.baseline.n, 0.0)
    together = units.sum(axis=1)
    summed = np.where(usable, samples.units * samples.units * variance, 0.0)
    epoch = np.where(usable, samples.epoch, np.inf)
    first = usable & (epoch == epoch.min(axis=1, keepdims=True, initial=np.inf))
    reference = np.where(first, summed, 0.0).sum(axis=1)
    known = reference > 0
    of_first = np.where(first, units, 0.0).sum(axis=1)
    clock: Floats = np.where(known, of_first * (summed.sum(axis=1) / np.where(known, reference, 1.0)), together)
    return clock


def _where(exists: Flags, numbers: Floats) -> Floats:
    return np.where(exists, numbers, np.nan)
