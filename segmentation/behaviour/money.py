"""Money as whole numbers of its smallest unit, so that a sum is the same in whatever order it is added."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import floor
from typing import Any

from segmentation.refusal import Refused

LARGEST_VALUE = 1e12
"""Beyond, a value is a mistake."""
LARGEST_TOTAL = 2**62
"""Sums of cents stop here, some 46,000 of the largest purchases: they and their differences fit 64 bits."""

Value = int | float | Decimal | None


def check_scale(cents_per_unit: int) -> None:
    if not 1 <= cents_per_unit <= 1_000:
        raise Refused("cents_per_unit_outside", "a unit of money has 1 to 1,000 smallest units")


def cents(value: Value, cents_per_unit: int = 100) -> int | None:
    """The nearest whole number of the smallest unit, halves away from zero; None where there is no usable value."""
    if value is None or not abs(float(value)) <= LARGEST_VALUE:
        return None
    if isinstance(value, Decimal):
        return int((value * cents_per_unit).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return _nearest(value * cents_per_unit)


def _nearest(number: float) -> int:
    below = floor(abs(number))
    size = below + (abs(number) - below >= 0.5)
    return int(size if number >= 0 else -size)


def cents_column(value: Any, cents_per_unit: int) -> Any:
    """The same of a column: null where there is no usable value."""
    kind = value.type()
    value = usable(value.cast("float64") if kind.is_floating() else value)
    scaled = (value.cast("int64") if kind.is_integer() else value) * cents_per_unit
    return (scaled if kind.is_integer() else scaled.round()).cast("int64")


def usable(value: Any) -> Any:
    """The values of a column that are money: null where one is missing, NaN, infinite or a mistake."""
    return value.between(-LARGEST_VALUE, LARGEST_VALUE).ifelse(value, None)


def total(amounts: Any) -> Any:
    """Their sum as a 64-bit integer, 0 of none, `bounded`: a database that adds in 128 bits is asked for 64."""
    wide = amounts.sum().coalesce(0).cast("decimal(38, 0)")
    return wide.clip(-LARGEST_TOTAL, LARGEST_TOTAL).cast("int64")


def bounded(cents: int) -> int:
    """Return a sum of cents, or the largest total where it is larger; either sign."""
    return max(-LARGEST_TOTAL, min(cents, LARGEST_TOTAL))
