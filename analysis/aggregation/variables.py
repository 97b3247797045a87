"""The numbers of a unit that a metric needs, as columns of a table with one row per unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

from analysis.plan import MetricPlan

# Kinds whose values may be skewed by few units.
SHAPED = ("count", "mean", "ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Columns of one metric.

    Parameters
    ----------
    x, y
        Numerator and denominator (of a quantile metric: sum and number of its rows). Null: the unit is not in it.
    covariates
        Filled up; null where x is.
    whole
        Columns known to hold integers.
    """

    metric: MetricPlan
    x: str
    y: str | None = None
    covariates: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.x, *(() if self.y is None else (self.y,)), *self.covariates)

    @property
    def products(self) -> Iterator[tuple[str, ...]]:
        """Whose sums over units are needed: a conversion is its own square."""
        yield from ((column,) for column in self.columns)
        for pair in combinations_with_replacement(self.columns, 2):
            if self.metric.kind != "conversion" or pair != (self.x, self.x):
                yield pair
        if self.metric.kind in SHAPED:
            yield (self.x,) * 3
