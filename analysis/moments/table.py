"""All groups of one analysis together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, TypeVar

from analysis.moments import document
from analysis.moments.cross import CrossMoments
from analysis.moments.keys import ArmKey, ArrivalKey, DayKey, MetricKey
from analysis.moments.one import Moments
from analysis.moments.shape import Distribution, Shape

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentTable:
    """All that is kept of the exposures and events: a report is a function of this table and the plan.

    Parameters
    ----------
    units
        Units per (epoch, segment, variant); only those that count.
    moments
        Moments per (epoch, segment, variant, metric); an absent key is an empty group. Of a quantile metric those of
        a ratio, (sum of its rows' values, number of its rows) per unit.
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
    cross
        For metrics with covariates, of the same units as `moments`: numerator, [denominator of a ratio], covariates in
        the order of the plan.
    shapes
        For counts, means and (of the numerators) ratios, of the same units as `moments`.
    distributions
        For quantile metrics.
    by_day
        The primary metric on the outcomes of one day since exposure, of the units whose day is complete.
    arrivals
        Units that count, by segment and the UTC date of their first exposure.
    events
        Of a metric that is 0 for all these units: how many events of its (numerator's) name came after the exposure of
        a unit that counts, in its window or not. Not asked of other metrics, nor of a table with one row per unit.
    caps
        Cut-offs found at a metric's `winsor_quantile`, by the metric's key (`key/denominator` for that of a ratio).
    rows_unusable, rows_read
        Of `exposures` and `events`, where some rows have no unit or no instant and were left out: how many, of events
        only those that the plan asks for, and how many rows there are at all.
    """

    units: Mapping[ArmKey, int] = field(default_factory=dict)
    moments: Mapping[MetricKey, Moments] = field(default_factory=dict)
    mixed: Mapping[ArmKey, int] = field(default_factory=dict)
    units_outside: int = 0
    values_missing: Mapping[str, int] = field(default_factory=dict)
    maturing: Mapping[MetricKey, int] = field(default_factory=dict)
    cut_short: Mapping[MetricKey, int] = field(default_factory=dict)
    cross: Mapping[MetricKey, CrossMoments] = field(default_factory=dict)
    shapes: Mapping[MetricKey, Shape] = field(default_factory=dict)
    distributions: Mapping[MetricKey, Distribution] = field(default_factory=dict)
    by_day: Mapping[DayKey, Moments] = field(default_factory=dict)
    arrivals: Mapping[ArrivalKey, int] = field(default_factory=dict)
    caps: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    rows_unusable: Mapping[str, int] = field(default_factory=dict)
    rows_read: Mapping[str, int] = field(default_factory=dict)

    @property
    def units_mixed(self) -> int:
        return sum(self.mixed.values())

    def __add__(self, other: MomentTable) -> MomentTable:
        """Merge tables of *disjoint* sets of units (of two epochs, of two shards of the customers).

        Values that were cut off at different caps, or sorted at different thresholds, raise `ValueError`.
        """
        return MomentTable(
            units=_added(self.units, other.units),
            moments=_merged(self.moments, other.moments),
            mixed=_added(self.mixed, other.mixed),
            units_outside=self.units_outside + other.units_outside,
            values_missing=_added(self.values_missing, other.values_missing),
            maturing=_added(self.maturing, other.maturing),
            cut_short=_added(self.cut_short, other.cut_short),
            cross=_merged(self.cross, other.cross),
            shapes=_merged(self.shapes, other.shapes),
            distributions=_merged(self.distributions, other.distributions),
            by_day=_merged(self.by_day, other.by_day),
            arrivals=_added(self.arrivals, other.arrivals),
            caps=_agreed(self.caps, other.caps),
            events=_added(self.events, other.events),
            rows_unusable=_added(self.rows_unusable, other.rows_unusable),
            rows_read=_added(self.rows_read, other.rows_read),
        )

    def of(self, key: MetricKey) -> Moments:
        return self.moments.get(key, Moments())

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe and lossless: a float's shortest decimal form reads back to the same float."""
        return document.written(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MomentTable:
        """Of this form or an earlier one; else `ValueError`."""
        return cls(**document.read(data))


def _keys(left: Mapping[Any, object], right: Mapping[Any, object]) -> list[Any]:
    return sorted({*left, *right})


def _added(left: Mapping[K, int], right: Mapping[K, int]) -> dict[K, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in _keys(left, right)}


def _merged(left: Mapping[K, Any], right: Mapping[K, Any]) -> dict[K, Any]:
    return {key: reduce(add, (groups[key] for groups in (left, right) if key in groups)) for key in _keys(left, right)}


def _agreed(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    for key in left.keys() & right.keys():
        if left[key] != right[key]:
            raise ValueError(f"{key}: values that were cut off at {left[key]} and at {right[key]} do not add")
    return {key: left[key] if key in left else right[key] for key in _keys(left, right)}
