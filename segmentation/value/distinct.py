"""Customers with the same numbers, taken once: a million of them have some ten thousand different ages and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


def distinct(columns: Sequence[Floats]) -> tuple[Floats, Integers]:
    """Different rows of columns, sorted by the first column, and for each row given which of them it is.

    Column by column, as integers: to sort a million rows as a whole takes NumPy several times as long.
    """
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, places = np.unique(column, return_inverse=True)
        _, codes = np.unique(codes * len(values) + places, return_inverse=True)
    _, first = np.unique(codes, return_index=True)
    return np.column_stack([column[first] for column in columns]), codes
