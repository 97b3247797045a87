"""What is known of a metric before an experiment: its value in the control, and how units vary about it.

`explained` is ρ², the share of the variance that earlier behaviour explains: CUPED leaves 1 - ρ² of it (Deng, Xu,
Kohavi & Walker, WSDM 2013). With several covariates it is the R² of the regression on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt

from analysis.effects.means import too_few_units
from analysis.effects.ratios import ratio_value
from analysis.estimate import Undefined
from analysis.moments import Moments
from analysis.plan import MetricKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A share of units, `rate` in [0, 1]; variance p(1 - p), in the treatment at its own rate."""

    rate: float
    explained: float = 0.0

    def __post_init__(self) -> None:
        _check(self.explained, 0 <= self.rate <= 1, f"a rate must be in [0, 1]: {self.rate}")

    @property
    def value(self) -> float:
        return self.rate

    @property
    def span(self) -> tuple[float, float]:
        return 0.0, 1.0

    def variance_at(self, value: float) -> float:
        return value * (1 - value) * (1 - self.explained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean of any number per unit; the treatment is taken to have the control's standard deviation."""

    mean: float
    std_dev: float
    explained: float = 0.0

    def __post_init__(self) -> None:
        _check(
            self.explained,
            isfinite(self.mean) and 0 <= self.std_dev < inf,
            f"no mean with a standard deviation ≥ 0: {self.mean}, {self.std_dev}",
        )

    @property
    def value(self) -> float:
        return self.mean

    @property
    def span(self) -> tuple[float, float]:
        return -inf, inf

    def variance_at(self, value: float) -> float:
        return self.std_dev * self.std_dev * (1 - self.explained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Events per unit, `rate` ≥ 0; variance `dispersion` · rate, in the treatment at its own rate.

    Dispersion 1 is Poisson. People differ, so it is mostly 2 to 10: taken as 1, the sample is too small by that factor.
    """

    rate: float
    dispersion: float = 1.0
    explained: float = 0.0

    def __post_init__(self) -> None:
        _check(
            self.explained,
            0 <= self.rate < inf and 0 <= self.dispersion < inf,
            f"a rate and a dispersion must be ≥ 0: {self.rate}, {self.dispersion}",
        )

    @property
    def value(self) -> float:
        return self.rate

    @property
    def span(self) -> tuple[float, float]:
        return 0.0, inf

    def variance_at(self, value: float) -> float:
        return self.dispersion * value * (1 - self.explained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of sums over units, x per y (clicks per visit), by means, variances and covariance of one unit's x and y.

    Per unit its variance is (s²ₓ - 2R·sₓᵧ + R²·s²ᵧ)/ȳ² (delta method; Deng, Knoblich & Lu, KDD 2018), the same in the
    treatment. ValueError if the mean denominator is 0 or the three are no covariance matrix.
    """

    numerator_mean: float
    denominator_mean: float
    numerator_variance: float
    denominator_variance: float
    covariance: float
    explained: float = 0.0

    def __post_init__(self) -> None:
        variances = (self.numerator_variance, self.denominator_variance)
        _check(
            self.explained,
            self.denominator_mean != 0
            and min(variances) >= 0
            and abs(self.covariance) <= sqrt(variances[0]) * sqrt(variances[1]) * (1 + 1e-9)
            and all(map(isfinite, (self.numerator_mean, self.denominator_mean, *variances))),
            "no ratio: a denominator of 0, or variances and a covariance that cannot be",
        )

    @property
    def value(self) -> float:
        return self.numerator_mean / self.denominator_mean

    @property
    def span(self) -> tuple[float, float]:
        return -inf, inf

    def variance_at(self, value: float) -> float:
        ratio = self.value
        unit = self.numerator_variance - 2 * ratio * self.covariance + ratio * ratio * self.denominator_variance
        return max(unit, 0.0) / self.denominator_mean / self.denominator_mean * (1 - self.explained)


Metric = Conversion | Mean | Count | Ratio


def from_moments(kind: MetricKind, moments: Moments, *, explained: float = 0.0) -> Metric | Undefined:
    """The metric as seen so far, or in the weeks before: `moments` of one arm, or of everybody before the start.

    Returns
    -------
    Metric
        `Undefined` for fewer than two units, denominators of 0, or a count that nobody has any of.

    Raises
    ------
    ValueError
        `explained` not in [0, 1).
    """
    if moments.n < 2:
        return too_few_units(moments.n)
    if kind == "conversion":
        return Conversion(rate=min(max(moments.mean, 0.0), 1.0), explained=explained)
    if kind == "mean":
        return Mean(mean=moments.mean, std_dev=sqrt(moments.variance), explained=explained)
    if kind == "count":
        return _count(moments, explained)
    seen = ratio_value(moments)
    if isinstance(seen, Undefined):
        return seen
    freedom = moments.n - 1
    return Ratio(
        numerator_mean=moments.mean,
        denominator_mean=moments.denominator_mean,
        numerator_variance=moments.m2 / freedom,
        denominator_variance=moments.denominator_m2 / freedom,
        covariance=moments.co_m2 / freedom,
        explained=explained,
    )


def _count(moments: Moments, explained: float) -> Count | Undefined:
    if moments.mean <= 0:
        return Undefined(reason="no_events", message="Nobody has had an event yet: there is no spread to plan with.")
    return Count(rate=moments.mean, dispersion=moments.variance / moments.mean, explained=explained)


def _check(explained: float, valid: bool, message: str) -> None:
    if not valid:
        raise ValueError(message)
    if not 0 <= explained < 1:
        raise ValueError(f"the explained share of the variance must be in [0, 1): {explained}")
