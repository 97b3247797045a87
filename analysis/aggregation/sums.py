"""Exact sums of one group to its moments: one rounding per number, at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.aggregation.exact import ZERO, Exact, Range
from analysis.aggregation.variables import SHAPED, Variables
from analysis.moments import CrossMoments, Moments, Shape

ABSOLUTE = "|x|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums of products of (value - shift) over the n units of a group.

    `smallest` and `largest` are those of x; None: not asked for, and none of the group's units has a row.
    """

    variables: Variables
    n: int
    shifts: Mapping[str, float]
    totals: Mapping[tuple[str, ...], Any]
    smallest: float | None
    largest: float | None

    @classmethod
    def of(
        cls, variables: Variables, n: int, ranges: Mapping[str, Range], totals: Mapping[tuple[str, ...], Any]
    ) -> Sums:
        x = variables.x
        ends = [end for end in (totals.get(("min", x)), totals.get(("max", x))) if end is not None]
        # Units without a row have 0.
        if totals.get(("count", x), n if totals else 0) < n:
            ends.append(0.0)
        return cls(
            variables=variables,
            n=n,
            shifts={column: ranges[column].shift for column in variables.columns},
            totals=totals,
            smallest=min(ends, default=None),
            largest=max(ends, default=None),
        )

    def moments(self) -> Moments:
        x, y = self.variables.x, self.variables.y
        if not self.n:
            return Moments()
        plain = Moments(
            n=self.n, mean=self._mean(x), m2=max(self._centred(x, x), 0.0), absolute_mean=self._absolute_mean()
        )
        if y is None:
            return plain
        return Moments(
            n=self.n,
            mean=plain.mean,
            m2=plain.m2,
            denominator_mean=self._mean(y),
            denominator_m2=max(self._centred(y, y), 0.0),
            co_m2=self._centred(x, y),
            absolute_mean=plain.absolute_mean,
        )

    def shape(self, moments: Moments) -> Shape | None:
        """For kinds that have one, beside `moments`."""
        x = self.variables.x
        if self.variables.metric.kind not in SHAPED or not self.n:
            return None
        return Shape(
            n=self.n,
            mean=moments.mean,
            m2=moments.m2,
            m3=self._cubed(x),
            smallest=self.smallest or 0.0,
            largest=self.largest or 0.0,
        )

    def cross(self) -> CrossMoments | None:
        """For metrics with covariates."""
        columns = self.variables.columns
        if not self.variables.covariates or not self.n:
            return None
        return CrossMoments(
            n=self.n,
            mean=tuple(map(self._mean, columns)),
            centred=tuple(tuple(self._centred(a, b) for b in columns) for a in columns),
        )

    def approximate(self, what: tuple[str, ...]) -> float:
        """The sum as a float."""
        return self._total(*what).value

    def is_constant(self, column: str) -> bool:
        """Whether all units are known to have the same value."""
        return column == self.variables.x and self._is_constant

    @property
    def _is_constant(self) -> bool:
        return self.smallest is not None and self.smallest == self.largest

    def _total(self, *columns: str) -> Exact:
        if self.variables.metric.kind == "conversion" and columns == (self.variables.x,) * 2:
            columns = columns[:1]
        found: Exact | None = self.totals.get(columns)
        return found or self.totals.get(columns[::-1]) or ZERO

    def _mean(self, column: str) -> float:
        if column == self.variables.x and self._is_constant:
            return self.smallest or 0.0
        total, shift = self._total(column), Exact.of(self.shifts[column])
        bits = max(total.bits, shift.bits)
        return (shift.over(bits) * self.n + total.over(bits)) / (self.n << bits)

    def _centred(self, a: str, b: str) -> float:
        """Σ(a - ā)(b - b̄); of equal values exactly 0, where the rounding of their squares would leave something."""
        if self._is_constant and self.variables.x in (a, b):
            return 0.0
        left, right, both = self._total(a), self._total(b), self._total(a, b)
        bits = max(both.bits, left.bits + right.bits)
        product = Exact(left.numerator * right.numerator, left.bits + right.bits)
        return (self.n * both.over(bits) - product.over(bits)) / (self.n << bits)

    def _cubed(self, x: str) -> float:
        """Σ(x - x̄)³ = Σx³ - 3 Σx Σx² / n + 2 (Σx)³ / n²."""
        if self._is_constant:
            return 0.0
        n, one, two, three = self.n, self._total(x), self._total(x, x), self._total(x, x, x)
        mixed = Exact(one.numerator * two.numerator, one.bits + two.bits)
        cube = Exact(one.numerator**3, 3 * one.bits)
        bits = max(three.bits, mixed.bits, cube.bits)
        return (n * n * three.over(bits) - 3 * n * mixed.over(bits) + 2 * cube.over(bits)) / (n * n << bits)

    def _absolute_mean(self) -> float | None:
        if self.smallest is None or self.largest is None or not self.smallest < 0 < self.largest:
            return None
        total = self._total(ABSOLUTE, self.variables.x)
        return total.numerator / (self.n << total.bits)
