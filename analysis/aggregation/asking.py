"""Short questions to a table, put to DuckDB without translating the same expression from Ibis to SQL every time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ClassVar

import ibis
import ibis.expr.operations as ops

if TYPE_CHECKING:
    import ibis.expr.types as ir

_NAME = "winnow_rows"
_MOST_KEPT = 256

Rows = list[dict[str, Any]]
Question = Callable[[Any], Any]


class Asked:
    """A table that is asked several questions, each an Ibis expression of the table.

    On other backends than DuckDB, and for tables that live in this process, questions are asked through Ibis alone.
    """

    _texts: ClassVar[dict[Hashable, str]] = {}

    def __init__(self, table: ir.Table) -> None:
        self.table = table
        self._backend = ibis.get_backend(table)
        is_stored = self._backend.name == "duckdb" and not table.op().find(ops.InMemoryTable)
        self._source = str(ibis.to_sql(table, dialect="duckdb")) if is_stored else None

    def ask(self, what: Hashable, question: Question) -> Rows:
        """The rows of `question(table)`. The same `what` of a table with the same columns is the same question."""
        if self._source is None:
            found: Rows = question(self.table).to_pyarrow().to_pylist()
            return found
        cursor = self._backend.raw_sql(f"WITH {_NAME} AS ({self._source}) {self._text(what, question)}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _text(self, what: Hashable, question: Question) -> str:
        schema = self.table.schema()
        key = (tuple(schema.items()), what)
        if key not in self._texts:
            if len(self._texts) >= _MOST_KEPT:
                self._texts.clear()
            self._texts[key] = str(ibis.to_sql(question(ibis.table(schema, name=_NAME)), dialect="duckdb"))
        return self._texts[key]
