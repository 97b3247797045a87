"""Cents of a column, whatever type the database gave it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest

from segmentation.behaviour.money import cents_column


@pytest.mark.parametrize(
    ("kind", "values", "cents"),
    [
        (pa.uint64(), [5, 2**64 - 1, None], [500, None, None]),
        (pa.int8(), [-128, 127], [-12_800, 12_700]),
        (pa.int64(), [10**12, 10**12 + 1, -(2**63)], [10**14, None, None]),
        (pa.float64(), [19.99, 1e300, float("nan"), float("inf")], [1_999, None, None, None]),
        (pa.decimal128(18, 3), [Decimal("1.005")], [101]),
    ],
    ids=str,
)
def test_what_is_no_usable_value_is_null(kind: Any, values: list[Any], cents: list[int | None]) -> None:
    table = ibis.memtable(pa.table({"value": pa.array(values, kind)}))
    found = table.select(cents=cents_column(table.value, 100)).to_pyarrow()["cents"].to_pylist()
    assert found == cents
