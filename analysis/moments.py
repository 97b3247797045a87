"""Sufficient statistics: everything the engine needs to know about a group of units on one metric.

Sums are centred. Raw sums of squares lose all their digits when the mean is large against the standard deviation
(mean 1e8, sd 1 gives a negative variance); centred ones do not, and they still merge exactly in algebra.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple, TypeVar

K = TypeVar("K")

MOMENTS_SCHEMA = "winnow.moments/1"

# Rounding noise of values that are all equal, in units of the last place of their size: below it, a spread is none.
_NOISE = 16 * 2.0**-52


class ArmKey(NamedTuple):
    """One variant, in one segment, during one epoch."""

    epoch: int
    segment: str
    variant: str


class MetricKey(NamedTuple):
    """One metric of one `ArmKey`."""

    epoch: int
    segment: str
    variant: str
    metric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Count, mean and centred sums of one number per unit, or of two for a ratio.

    Parameters
    ----------
    n : int
        Units, those without any event included.
    mean, m2 : float
        Mean of the unit values (for a ratio: of the numerators) and the sum of (x - mean)².
    denominator_mean, denominator_m2, co_m2 : float
        For ratios: the same of the denominators, and the sum of (x - mean)(y - denominator_mean). 0 otherwise.

    Notes
    -----
    `a + b` are the moments of both groups together: Chan, Golub & LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", STAN-CS-79-773 (1979), in the form that is symmetric in its
    operands, so that `a + b == b + a` to the last bit; associative up to rounding.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    denominator_mean: float = 0.0
    denominator_m2: float = 0.0
    co_m2: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 0 or self.m2 < 0 or self.denominator_m2 < 0:
            raise ValueError("a count or a sum of squares is negative")

    def __add__(self, other: Moments) -> Moments:
        if not self.n:
            return other
        if not other.n:
            return self
        n = self.n + other.n
        share = self.n * other.n / n
        delta = self.mean - other.mean
        denominator_delta = self.denominator_mean - other.denominator_mean
        return Moments(
            n=n,
            mean=_pooled_mean(self.n, self.mean, other.n, other.mean),
            m2=self.m2 + other.m2 + delta * delta * share,
            denominator_mean=_pooled_mean(self.n, self.denominator_mean, other.n, other.denominator_mean),
            denominator_m2=self.denominator_m2 + other.denominator_m2 + denominator_delta * denominator_delta * share,
            co_m2=self.co_m2 + other.co_m2 + delta * denominator_delta * share,
        )

    @property
    def total(self) -> float:
        """Sum of the unit values."""
        return self.n * self.mean

    @property
    def variance(self) -> float:
        """Unbiased variance of one unit's value, n ≥ 2; exactly 0.0 where the spread is only rounding noise."""
        return _variance(self.n, self.mean, self.m2)

    @property
    def residual_variance(self) -> float:
        """Unbiased variance of numerator - ratio x denominator, the linear part of a ratio (delta method)."""
        ratio = self.mean / self.denominator_mean
        scale = self.m2 + ratio * ratio * self.denominator_m2
        residual = scale - 2 * ratio * self.co_m2
        return residual / (self.n - 1) if residual > _NOISE * scale else 0.0


def _pooled_mean(n: int, mean: float, other_n: int, other_mean: float) -> float:
    if mean == other_mean:
        return mean
    return (n * mean + other_n * other_mean) / (n + other_n)


def _variance(n: int, mean: float, m2: float) -> float:
    noise = _NOISE * mean
    return m2 / (n - 1) if m2 > n * noise * noise else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentTable:
    """All that is kept of the exposures and events: a report is a function of this table and the plan.

    Parameters
    ----------
    units
        Units per (epoch, segment, variant); only those that count.
    moments
        Moments per (epoch, segment, variant, metric); an absent key is an empty group.
    mixed
        Units that saw two variants in the segment and epoch of their first exposure, by their first variant: in no
        other number.
    units_outside
        Units whose first exposure is in no cell of the plan, or in an unknown variant: in no other number.
    values_missing
        Per metric: events that counted but had no usable value (null, NaN, infinite), taken as 0.
    maturing, cut_short
        Units that count but are in no moments of a metric with a window: the data do not reach the end of theirs yet
        (`maturing`), or the split changed before it and it will never be complete (`cut_short`).
    """

    units: Mapping[ArmKey, int] = field(default_factory=dict)
    moments: Mapping[MetricKey, Moments] = field(default_factory=dict)
    mixed: Mapping[ArmKey, int] = field(default_factory=dict)
    units_outside: int = 0
    values_missing: Mapping[str, int] = field(default_factory=dict)
    maturing: Mapping[MetricKey, int] = field(default_factory=dict)
    cut_short: Mapping[MetricKey, int] = field(default_factory=dict)

    @property
    def units_mixed(self) -> int:
        return sum(self.mixed.values())

    @property
    def units_first_seen(self) -> dict[ArmKey, int]:
        """Units per (epoch, segment, variant), the mixed ones included where they were first."""
        return _added(self.units, self.mixed)

    def __add__(self, other: MomentTable) -> MomentTable:
        """Merge tables of *disjoint* sets of units (of two epochs, of two shards of the customers)."""
        return MomentTable(
            units=_added(self.units, other.units),
            moments={key: self.of(key) + other.of(key) for key in _keys(self.moments, other.moments)},
            mixed=_added(self.mixed, other.mixed),
            units_outside=self.units_outside + other.units_outside,
            values_missing=_added(self.values_missing, other.values_missing),
            maturing=_added(self.maturing, other.maturing),
            cut_short=_added(self.cut_short, other.cut_short),
        )

    def of(self, key: MetricKey) -> Moments:
        return self.moments.get(key, Moments())

    def pooled(self, epoch: int, segments: Iterable[str], variant: str, metric: str) -> Moments:
        """The segments together, in a fixed order: pooling is only right where their split is the same."""
        groups = (self.of(MetricKey(epoch, segment, variant, metric)) for segment in sorted(segments))
        return reduce(Moments.__add__, groups, Moments())

    def units_in(self, epoch: int, segments: Iterable[str], variant: str) -> int:
        return sum(self.units.get(ArmKey(epoch, segment, variant), 0) for segment in segments)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe and lossless: a float's shortest decimal form reads back to the same float."""
        return {
            "schema": MOMENTS_SCHEMA,
            "units": _rows(self.units),
            "moments": [[*key, *_fields(value)] for key, value in sorted(self.moments.items())],
            "mixed": _rows(self.mixed),
            "units_outside": self.units_outside,
            "values_missing": dict(sorted(self.values_missing.items())),
            "maturing": _rows(self.maturing),
            "cut_short": _rows(self.cut_short),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MomentTable:
        if data["schema"] != MOMENTS_SCHEMA:
            raise ValueError(f"not a {MOMENTS_SCHEMA} document: {data['schema']!r}")
        return cls(
            units={ArmKey(*row[:3]): row[3] for row in data["units"]},
            moments={MetricKey(*row[:4]): _moments(row[4:]) for row in data["moments"]},
            mixed={ArmKey(*row[:3]): row[3] for row in data["mixed"]},
            units_outside=data["units_outside"],
            values_missing=dict(data["values_missing"]),
            maturing={MetricKey(*row[:4]): row[4] for row in data["maturing"]},
            cut_short={MetricKey(*row[:4]): row[4] for row in data["cut_short"]},
        )


def _keys(left: Mapping[Any, object], right: Mapping[Any, object]) -> list[Any]:
    return sorted({*left, *right})


def _added(left: Mapping[K, int], right: Mapping[K, int]) -> dict[K, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in _keys(left, right)}


def _rows(counts: Mapping[Any, int]) -> list[list[Any]]:
    return [[*key, count] for key, count in sorted(counts.items())]


def _fields(value: Moments) -> tuple[float, ...]:
    return (value.n, value.mean, value.m2, value.denominator_mean, value.denominator_m2, value.co_m2)


def _moments(row: list[Any]) -> Moments:
    n, *sums = row
    mean, m2, denominator_mean, denominator_m2, co_m2 = map(float, sums)
    return Moments(n=n, mean=mean, m2=m2, denominator_mean=denominator_mean, denominator_m2=denominator_m2, co_m2=co_m2)
