"""Sums of floats that do not depend on the order of the rows, on any database that adds floats as IEEE 754 says.

Adding floats rounds, so the last bits of a parallel sum change from run to run. They do not where every addition is
exact. `split` rounds each value to a multiple of a power of two that is so coarse that the sum of all of them fits a
float's 53 bits, and does the same with what that left over. Both sums are exact in any order; what is dropped is below
2^-2(51 - log₂ n) of the largest value. (The first step of Rump, Ogita & Oishi, "Accurate floating-point summation",
SIAM J. Sci. Comput. 31 (2008), pp. 189-224; used for reproducibility by Demmel & Nguyen, ARITH 2013.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import frexp
from typing import Any, NamedTuple

# Beyond, a power of two or what is added to it may not be a normal float.
_LEAST_EXPONENT = -960


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between which numbers a column's values lie. `whole`: all of them are integers."""

    low: float
    high: float
    whole: bool = False

    @property
    def shift(self) -> float:
        """What to subtract so that squares keep their digits (mean 1e8, sd 1): exactly, since x - s is exact here."""
        if self.low > 0 and self.high <= 2 * self.low:
            return self.low
        if self.high < 0 and self.low >= 2 * self.high:
            return self.high
        return 0.0

    @property
    def largest(self) -> float:
        """Of |x - shift|."""
        return max(abs(self.low - self.shift), abs(self.high - self.shift))

    def with_zero(self) -> Range:
        return Range(low=min(self.low, 0.0), high=max(self.high, 0.0), whole=self.whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How to round so that up to `n` values of up to `largest` add up exactly; `parts` rounded values make one.

    `rounded`: how many those are that are not exact as they are.
    """

    largest: float
    n: int
    whole: bool = False
    rounded: int = 2

    @property
    def parts(self) -> int:
        """Integers need no rounding while their sum is one that a float can hold."""
        if not self.largest:
            return 0
        return 1 if self.is_exact else self.rounded

    @property
    def is_exact(self) -> bool:
        return self.whole and self.largest * self.n <= 2.0**53

    @property
    def anchors(self) -> tuple[float, ...]:
        """Numbers that, added and taken away again, round to the grids, the coarsest first."""
        return tuple(1.5 * 2.0 ** (exponent + 52) for exponent in self._exponents)

    @property
    def dropped(self) -> float:
        """How much of one value is lost at most."""
        return 0.0 if self.parts < 2 else 2.0 ** (self._exponents[-1] - 1)

    @property
    def _exponents(self) -> tuple[int, ...]:
        bits, first = self.bits, frexp(self.largest)[1]
        return tuple(max(first - bits * part, _LEAST_EXPONENT) for part in range(1, self.rounded + 1))

    @property
    def bits(self) -> int:
        """Of a value, in each part."""
        return 51 - self.n.bit_length()


def split(value: Any, grid: Grid) -> list[Any]:
    """The rounded values of an Ibis column that add up to it: their sums are exact."""
    return [value][: grid.parts] if grid.parts < 2 else rounded(value, grid.anchors)


def rounded(value: Any, anchors: Iterable[Any]) -> list[Any]:
    """A value, and what is left of it, rounded to each grid."""
    parts: list[Any] = []
    for anchor in anchors:
        left = value - parts[-1] if parts else value
        parts.append(left + anchor - anchor)
        value = left
    return parts


class Exact(NamedTuple):
    """A float, or a sum of some, without rounding: numerator / 2^bits. (Fractions take ten times as long.)"""

    numerator: int
    bits: int

    @classmethod
    def of(cls, value: Any) -> Exact:
        numerator, denominator = value.as_integer_ratio()
        return cls(numerator, denominator.bit_length() - 1)

    @property
    def value(self) -> float:
        return self.numerator / (1 << self.bits)

    def over(self, bits: int) -> int:
        """Its numerator over 2^bits, of which it has no more."""
        return self.numerator << (bits - self.bits)


ZERO = Exact(0, 0)


def total(sums: list[float | None]) -> Exact:
    """The parts together; a sum of no rows is null."""
    parts = [Exact.of(part) for part in sums if part]
    if len(parts) < 2:
        return parts[0] if parts else ZERO
    bits = max(part.bits for part in parts)
    return Exact(sum(part.over(bits) for part in parts), bits)
