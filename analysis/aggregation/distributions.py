"""How the values of rows are distributed: thresholds common to all arms, and how many rows are up to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import asinh, sinh, sqrt
from typing import Any

import ibis

from analysis.aggregation.reduce import Group
from analysis.moments import Distribution, Moments

# On either side of the quantile.
_STEPS = 50


def distributions_by_group(
    rows: Any, keys: Sequence[str], unit: str | None, quantile: float, sizes: Mapping[Group, int]
) -> dict[Group, Distribution]:
    """The distribution of `value` in each group.

    Parameters
    ----------
    rows : ibis.Table
        `value`, finite, the columns `keys`, and `unit`, what the unit is known by (None: every row is another unit).
    quantile
        About which the thresholds are dense.
    sizes
        Units of each group, those without rows included.
    """
    thresholds = _thresholds(rows, quantile, max(sum(sizes.values()), 1))
    found = _by_bin(rows, keys, unit, thresholds) if thresholds else {}
    return {
        group: Distribution(
            thresholds=tuple(thresholds), up_to=tuple(_up_to(found.get(group, {}), size, len(thresholds)))
        )
        for group, size in sizes.items()
    }


def shares(quantile: float, units: int) -> list[float]:
    """Shares of all rows at which to put thresholds.

    Near the quantile a fifth of the standard error √(q(1 - q)/units) of all units together apart (several rows of one
    unit only make it larger), and wider and wider towards both ends, in step with the distance: so the error of
    interpolating is small against that of sampling, for all of them and for a group of a hundred beside a million.
    """
    first = sqrt(quantile * (1 - quantile) / units) / 5
    ends = []
    for room in (quantile, 1 - quantile):
        rate = _rate(first, room)
        ends.append([room * sinh(step * rate) / sinh(_STEPS * rate) for step in range(1, _STEPS + 1)])
    below, above = ends
    return [max(quantile - gap, 0.0) for gap in reversed(below)] + [quantile] + [min(quantile + g, 1.0) for g in above]


def _rate(first: float, room: float) -> float:
    """So that the first of the steps of sinh to the end of the room is `first` long; equal steps, if that fits."""
    rate = 1e-6
    for _ in range(60):
        rate = max(asinh(room * sinh(rate) / min(first, room / _STEPS)) / _STEPS, 1e-6)
    return rate


def _thresholds(rows: Any, quantile: float, units: int) -> list[float]:
    found = rows.agg(at=rows.value.quantile(shares(quantile, units))).to_pyarrow()["at"].to_pylist()[0]
    return sorted(set(found or ()))


def _by_bin(
    rows: Any, keys: Sequence[str], unit: str | None, thresholds: Sequence[float]
) -> dict[Group, dict[int, tuple[int, int, int]]]:
    """Per group and bin (the first threshold that is not below the value): increments of three sums over units.

    Of rows up to the threshold, their square, and their product with all rows of the unit.
    """
    binned = rows.mutate(bin=_bin(rows.value, thresholds, 0))
    alone = binned.mutate(below=1, squares=1, products=1)
    sized = alone if unit is None else _within_units(binned, keys, unit)
    sums = {name: sized[name].sum().cast("int64") for name in ("below", "squares", "products")}
    groups: dict[Group, dict[int, tuple[int, int, int]]] = {}
    for row in sized.group_by([*keys, "bin"]).agg(**sums).to_pyarrow().to_pylist():
        group = groups.setdefault(tuple(row[key] for key in keys), {})
        group[row["bin"]] = (row["below"], row["squares"], row["products"])
    return groups


def _within_units(binned: Any, keys: Sequence[str], unit: str) -> Any:
    counted = binned.group_by([*keys, unit, "bin"]).agg(below=binned.count())
    of_unit = ibis.window(group_by=[*keys, unit])
    so_far = ibis.window(group_by=[*keys, unit], order_by="bin", preceding=None, following=0)
    counted = counted.mutate(up_to=counted.below.sum().over(so_far), all=counted.below.sum().over(of_unit))
    before = counted.up_to - counted.below
    return counted.mutate(
        squares=counted.up_to * counted.up_to - before * before, products=counted.below * counted["all"]
    )


def _bin(value: Any, thresholds: Sequence[float], first: int) -> Any:
    """A tree of comparisons: seven of them find one of a hundred."""
    if not thresholds:
        return ibis.literal(first, type="int64")
    middle = len(thresholds) // 2
    return (value <= thresholds[middle]).ifelse(
        _bin(value, thresholds[:middle], first), _bin(value, thresholds[middle + 1 :], first + middle + 1)
    )


def _up_to(bins: Mapping[int, tuple[int, int, int]], n: int, count: int) -> list[Moments]:
    """Moments at each of `count` thresholds; the bin above the last one holds what is above it."""
    increments = zip(*(bins.get(bin_, (0, 0, 0)) for bin_ in range(count + 1)), strict=True)
    below, squares, products = (list(accumulate(column)) for column in increments)
    every, every_square = below[-1], squares[-1]
    return [
        Moments(
            n=n,
            mean=below[i] / n,
            m2=(n * squares[i] - below[i] ** 2) / n,
            denominator_mean=every / n,
            denominator_m2=(n * every_square - every**2) / n,
            co_m2=(n * products[i] - below[i] * every) / n,
        )
        for i in range(count)
    ]
