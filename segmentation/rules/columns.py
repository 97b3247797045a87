"""Columns of attributes: numbers, yes or no, texts; what is missing stays missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segmentation.refusal import Refused

Kind = Literal["number", "boolean", "text", "other"]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`values`: float64 with NaN where missing for numbers and booleans (0, 1), objects with None for texts."""

    name: str
    kind: Kind
    values: NDArray[Any]

    @property
    def missing(self) -> Flags:
        if self.kind in ("number", "boolean"):
            unknown: Flags = np.isnan(self.values)
            return unknown
        absent: Flags = np.fromiter((value is None for value in self.values), dtype=bool, count=len(self.values))
        return absent


Columns: TypeAlias = Mapping[str, Column]


def columns_of(table: object) -> dict[str, Column]:
    """Read a table.

    Parameters
    ----------
    table
        An Arrow table, or a mapping of names to arrays of one length (n,). Numbers, booleans and texts are read,
        anything else is of kind "other". None, NaN and Arrow's null are missing.

    Raises
    ------
    Refused
        "no_table", "duplicate_column", "bad_name" (empty, or beginning with "$"), "mixed_column", "unequal_lengths",
        "not_finite".
    """
    found: dict[str, Column] = {}
    for name, raw in _named(table):
        if not name or name.startswith("$"):
            raise Refused("bad_name", f"No condition can name this attribute: {name!r}.")
        if name in found:
            raise Refused("duplicate_column", f"There are two columns {name!r}.")
        found[name] = _column(name, raw)
    if not found:
        raise Refused("no_table", "A table has at least one column.")
    if len({len(column.values) for column in found.values()}) > 1:
        raise Refused("unequal_lengths", "The columns of a table have one length.")
    return found


def _named(table: object) -> Iterator[tuple[str, Any]]:
    if isinstance(table, pa.Table):
        yield from zip(table.column_names, table.columns, strict=True)
    elif isinstance(table, Mapping):
        yield from ((str(name), values) for name, values in table.items())
    else:
        raise Refused("no_table", "A table is an Arrow table, or a mapping of names to arrays.")


def _column(name: str, raw: Any) -> Column:
    array = _arrow(name, raw)
    kind = _kind(array.type)
    if kind == "text":
        return Column(name=name, kind=kind, values=np.array(array.cast(pa.string()).to_pylist(), dtype=object))
    if kind == "other":
        return Column(name=name, kind=kind, values=np.array([None] * len(array), dtype=object))
    numbers = array.cast(pa.int8()) if kind == "boolean" else array
    values = numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    if np.isinf(values).any():
        raise Refused("not_finite", f"Column {name!r} holds an infinity.")
    return Column(name=name, kind=kind, values=values)


def _arrow(name: str, raw: Any) -> Any:
    if isinstance(raw, pa.ChunkedArray):
        return raw.combine_chunks()
    if isinstance(raw, pa.Array):
        return raw
    try:
        return pa.array(np.asarray(raw), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as problem:
        raise Refused("mixed_column", f"Column {name!r} is not of one kind.") from problem


def _kind(of: Any) -> Kind:
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_decimal(of):
        return "number"
    dictionary = pa.types.is_dictionary(of) and _kind(of.value_type) == "text"
    return "text" if pa.types.is_string(of) or pa.types.is_large_string(of) or dictionary else "other"
