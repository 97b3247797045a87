"""Ids of lists whose columns have types: texts, and numbers that are whole and exact.

A column of whole numbers in which some are missing is often handed on as one of floats: 12.0 is the id 12 there. Beyond
`EXACT` floats skip whole numbers, so that two ids may have become one; such a list is refused, not guessed at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from experiments.domain.errors import InvalidInput

EXACT = 2**53
"""Up to here a float of 64 bits tells every whole number from its neighbours."""
_EXACT_BY_BITS = {16: 2**11, 32: 2**24, 64: EXACT}


def is_float_column(kind: pa.DataType) -> bool:
    """Say whether a column holds floats, coded or not."""
    return bool(pa.types.is_floating(_plain(kind)))


def is_exact(kind: pa.DataType) -> bool:
    """Say whether each value of a type is an id as it is written: integers, decimals without places, UUIDs."""
    is_whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
    return bool(is_whole or isinstance(kind, pa.UuidType))


def exact_in(kind: pa.DataType) -> int:
    """Return up to where the floats of a column tell whole numbers apart."""
    return _EXACT_BY_BITS[_plain(kind).bit_width]


def ids_of(values: Iterable[Any], first_row: int, *, exact: int = EXACT) -> list[str | None]:
    """Return the ids as text, None where one is missing, as NaN is. Raises InvalidInput, which names the row.

    `first_row`: the number of the first of them, counted from 1.
    """
    return [
        value if value is None or isinstance(value, str) else _digits(value, row, exact)
        for row, value in enumerate(values, first_row)
    ]


def _digits(value: Any, row: int, exact: int) -> str | None:
    if isinstance(value, float):
        return _whole(value, row, exact)
    if (
        isinstance(value, Decimal)
        and not value.is_nan()
        and math.isfinite(value)
        and value == value.to_integral_value()
    ):
        return str(int(value))
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    message = f"Ids are texts or whole numbers; row {row} has one of type {type(value).__name__}."
    raise InvalidInput("id_column_type", message)


def _whole(value: float, row: int, exact: int) -> str | None:
    if math.isnan(value):
        return None
    if abs(value) >= exact:
        told = f"The id of row {row} is a float from ±{exact:,} on, where they skip whole numbers: send ids as texts."
        raise InvalidInput("id_not_exact", told)
    if not value.is_integer():
        raise InvalidInput("id_not_whole", f"The id of row {row} is a number with a fraction; ids are whole, or texts.")
    return str(int(value))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
