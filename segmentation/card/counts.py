"""Sizes, values, overlaps and the outcome of all segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import isfinite, sqrt
from typing import Any

import numpy as np

from analysis.effects.means import critical_value
from analysis.estimate import Interval, Undefined
from analysis.moments import Moments
from segmentation.card.base import OUTCOME, PURCHASES, REVENUE, VALUED, Base, aggregated
from segmentation.card.card import Overlap, Size, Value

NOBODY = Undefined(reason="no_units", message="Nobody is in this segment.")
NO_PURCHASES = Undefined(reason="no_purchases", message="Nobody here has bought anything.")
NO_VALUES = Undefined(reason="no_values", message="Nothing that was bought here has a value.")
NO_REVENUE = Undefined(reason="no_revenue", message="There is no revenue to have a share of.")
REFUNDS = Undefined(
    reason="refunds_outweigh", message="More was given back than bought, here or by all others: no share tells that."
)
ONE_UNIT = Undefined(reason="one_unit", message="One customer alone shows no spread.")
ALL = ""
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Counts and sums of one segment; `valued` purchases have a value, `outcome` is empty where there is no trial."""

    units: int
    revenue: float = 0.0
    revenue_variance: float | None = None
    purchases: int = 0
    valued: int = 0
    buyers: int = 0
    outcome: Moments = field(default_factory=Moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Groups by segment, that of `ALL` among them; `both` by pair, in the order of the segments."""

    groups: Mapping[str, Group]
    both: Mapping[tuple[str, str], int]

    def shared(self, one: str, other: str) -> int:
        """Units in both of two segments."""
        return self.both[one, other] if (one, other) in self.both else self.both[other, one]


def counted(base: Base) -> Counts:
    """Count everything at once."""
    rows = base.rows
    flags = {ALL: None, **{key: rows[column] for key, column in base.members.items()}}
    asked: dict[str, Any] = {}
    for place, flag in enumerate(flags.values()):
        asked |= {f"{name}_{place}": one for name, one in _sums(rows, flag).items()}
    row = aggregated(rows, asked)
    return Counts(groups={key: _group(row, place) for place, key in enumerate(flags)}, both=_pairs(base))


def _pairs(base: Base) -> dict[tuple[str, str], int]:
    """From units by the set of segments that they are in: few of all these sets occur."""
    members = list(base.members.values())
    rows = base.rows.group_by(members).aggregate(winnow_units=base.rows.count()).to_pyarrow()
    sets = np.column_stack([rows[member].to_numpy(zero_copy_only=False) for member in members]).astype(np.float64)
    both = sets.T @ (sets * rows["winnow_units"].to_numpy()[:, None])
    return {(a, b): int(both[i, j]) for (i, a), (j, b) in combinations(enumerate(base.members), 2)}


def _sums(rows: Any, flag: Any) -> dict[str, Any]:
    found = {"units": rows.count(where=flag)}
    if REVENUE in rows.columns:
        revenue, purchases = rows[REVENUE], rows[PURCHASES]
        bought = purchases > 0
        found |= {
            "revenue": revenue.sum(where=flag),
            "variance": revenue.var(where=flag, how="sample"),
            "purchases": purchases.sum(where=flag),
            "valued": rows[VALUED].sum(where=flag),
            "buyers": rows.count(where=bought if flag is None else bought & flag),
        }
    if OUTCOME in rows.columns:
        outcome = rows[OUTCOME]
        found |= {
            "known": outcome.count(where=flag),
            "mean": outcome.mean(where=flag),
            "spread": outcome.var(where=flag, how="pop"),
        }
    return found


def _group(row: Mapping[str, Any], place: int) -> Group:
    def got(name: str) -> Any:
        return row.get(f"{name}_{place}")

    known = got("known") or 0
    return Group(
        units=got("units"),
        revenue=float(got("revenue") or 0.0),
        revenue_variance=got("variance"),
        purchases=int(got("purchases") or 0),
        valued=int(got("valued") or 0),
        buyers=int(got("buyers") or 0),
        outcome=Moments(n=known, mean=got("mean"), m2=max(got("spread"), 0.0) * known) if known else Moments(),
    )


def size_of(counts: Counts, segment: str) -> Size:
    """Units, and their share of all, of which there are some."""
    units = counts.groups[segment].units
    return Size(units=units, share=units / counts.groups[ALL].units)


def value_of(counts: Counts, segment: str) -> Value:
    """What the segment bought, beside what all did."""
    group, everybody = counts.groups[segment], counts.groups[ALL]
    per_unit = group.revenue / group.units if group.units else NOBODY
    return Value(
        revenue=group.revenue,
        purchases=group.purchases,
        buyers=group.buyers,
        revenue_per_unit=per_unit,
        interval=_interval(group),
        purchase_value=_purchase_value(group),
        buyer_share=group.buyers / group.units if group.units else NOBODY,
        revenue_share=_revenue_share(group, everybody),
        index=_index(per_unit, everybody),
    )


def _purchase_value(group: Group) -> float | Undefined:
    if not group.purchases:
        return NO_PURCHASES
    return group.revenue / group.valued if group.valued else NO_VALUES


def _revenue_share(group: Group, everybody: Group) -> float | Undefined:
    if everybody.revenue <= 0:
        return NO_REVENUE
    share = group.revenue / everybody.revenue
    # Sums in another order may differ in their last digits.
    return min(share, 1.0) if 0 <= share <= 1 + 1e-9 else REFUNDS


def _index(per_unit: float | Undefined, everybody: Group) -> float | Undefined:
    if isinstance(per_unit, Undefined):
        return per_unit
    return per_unit * everybody.units / everybody.revenue if everybody.revenue > 0 else NO_REVENUE


def _interval(group: Group) -> Interval | Undefined:
    if group.revenue_variance is None or not isfinite(group.revenue_variance) or group.units < 2:
        return ONE_UNIT if group.units else NOBODY
    mean = group.revenue / group.units
    reach = critical_value(1 - _LEVEL) * sqrt(group.revenue_variance / group.units)
    return Interval(low=mean - reach, high=mean + reach, level=_LEVEL, method="normal")


def overlaps_of(counts: Counts, segment: str) -> tuple[Overlap, ...]:
    """With every other segment, the nearest to the same first."""
    others = (_overlap(counts, segment, other) for other in counts.groups if other not in (ALL, segment))
    return tuple(sorted(others, key=lambda one: -one.jaccard if isinstance(one.jaccard, float) else 1.0))


def _overlap(counts: Counts, segment: str, other: str) -> Overlap:
    mine, theirs = counts.groups[segment].units, counts.groups[other].units
    both = counts.shared(segment, other)
    either = mine + theirs - both
    return Overlap(
        other=other,
        both=both,
        jaccard=both / either if either else NOBODY,
        share_of_this=both / mine if mine else NOBODY,
        share_of_other=both / theirs if theirs else NOBODY,
    )
