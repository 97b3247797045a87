"""What every table that comes from outside must have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


class TablesError(ValueError):
    """A table is not what it should be; `code` is stable: `missing_columns`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnitsError(TablesError):
    """The table of units is not what the plan asks for.

    `code` is stable: `missing_columns`, `unknown_epoch`, `not_numeric`, `epoch_not_integer`.
    """


def require_columns(
    table: ir.Table, columns: Sequence[str], what: str, *, error: type[TablesError] = TablesError
) -> None:
    """Raise `missing_columns` with the names of those that a table of exposures, events or units lacks."""
    if missing := [column for column in columns if column not in table.columns]:
        raise error(
            "missing_columns",
            f"the table of {what} has no column {', '.join(missing)}; it needs {', '.join(columns)}",
        )
