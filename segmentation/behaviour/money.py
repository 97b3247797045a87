"""Money as whole numbers of its smallest unit, so that a sum is the same in whatever order it is added."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import floor
from typing import Any

from segmentation.refusal import Refused

# Beyond, a value is a mistake; the sum of 90,000 such purchases still fits a 64-bit integer of cents.
LARGEST_VALUE = 1e12

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
    value = value.cast("float64") if value.type().is_floating() else value
    usable = value.abs() <= LARGEST_VALUE
    scaled = value * cents_per_unit
    whole = scaled if value.type().is_integer() else scaled.round()
    return usable.ifelse(whole.cast("int64"), None)


def total(amounts: Any) -> Any:
    """Their sum as a 64-bit integer, 0 of none: a database that adds in 128 bits is asked for 64."""
    return amounts.sum().coalesce(0).cast("decimal(38, 0)").cast("int64")
