"""What every table that comes from outside must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis.expr.types as ir

from analysis.aggregation.instants import INSTANT


class TablesError(ValueError):
    """A table is not what it should be; `code` is stable: `not_a_table`, `missing_columns`, `not_instants`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnitsError(TablesError):
    """The table of units is not what the plan asks for.

    `code` is stable: `not_a_table`, `missing_columns`, `unknown_epoch`, `not_numeric`, `epoch_not_integer`.
    """


def require_columns(
    table: ir.Table, columns: Sequence[str], what: str, *, error: type[TablesError] = TablesError
) -> None:
    """Raise `missing_columns` with the names of those that a table of exposures, events or units lacks.

    Raise `not_a_table` for tables that are none of Ibis.
    """
    if not isinstance(table, ir.Table):
        found = type(table)
        raise error(
            "not_a_table",
            f"the table of {what} is a {found.__module__.partition('.')[0]} {found.__name__}, not one of Ibis: "
            "ibis.memtable(…) takes those of pandas, Polars and Arrow, ibis.read_parquet(…) files",
        )
    if missing := [column for column in columns if column not in table.columns]:
        raise error(
            "missing_columns",
            f"the table of {what} has no column {', '.join(missing)}; it needs {', '.join(columns)}",
        )


def with_types(table: ir.Table, types: Mapping[str, str]) -> ir.Table:
    """Give a type to columns without any: those in which there is nothing, as in a frame of pandas without rows."""
    schema = table.schema()
    untyped = {column: wanted for column, wanted in types.items() if schema[column].is_null()}
    return table.mutate(**{column: table[column].cast(wanted) for column, wanted in untyped.items()})


def require_instants(table: ir.Table, column: str, what: str) -> None:
    """Raise `not_instants` for text in which somebody wrote instants in a way of their own."""
    if not table[column].type().is_string():
        return
    text = table.filter(table[column].notnull())[column]
    odd = text.as_table().filter(text.try_cast("timestamp(6)").isnull() & text.try_cast(INSTANT).isnull())
    if found := odd.limit(1).to_pyarrow()[column].to_pylist():
        raise TablesError(
            "not_instants",
            f"the column {column} of the table of {what} holds text that is no instant as of ISO 8601 "
            f"(2026-01-31 12:00:00+00:00): {found[0]!r}",
        )
