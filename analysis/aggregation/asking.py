"""Short questions to a table, put to DuckDB without translating the same expression from Ibis to SQL every time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

import ibis
import ibis.expr.operations as ops

if TYPE_CHECKING:
    import ibis.expr.types as ir

_NAME = "winnow_rows"
_MOST_KEPT = 256

K = TypeVar("K")
V = TypeVar("V")

Rows = list[dict[str, Any]]
Question = Callable[[Any], Any]


class Asked:
    """A table that is asked several questions, each an Ibis expression of the table.

    On other backends than DuckDB, and for tables that live in this process, questions are asked through Ibis alone.
    """

    _texts: ClassVar[dict[Hashable, str]] = {}
    # Parsed: reading a long text takes DuckDB as long as answering a short one.
    _statements: ClassVar[dict[str, Any]] = {}
    _seen: ClassVar[dict[tuple[str | None, Hashable], Any]] = {}
    # For as long as somebody has the expression.
    _sources: ClassVar[WeakKeyDictionary[ops.Relation, str | None]] = WeakKeyDictionary()

    def __init__(self, table: ir.Table) -> None:
        self.table = table
        self._backend = ibis.get_backend(table)
        self._source = self._source_of(table)

    def _source_of(self, table: ir.Table) -> str | None:
        expression = table.op()
        if expression not in self._sources:
            is_stored = self._backend.name == "duckdb" and not expression.find(ops.InMemoryTable)
            self._sources[expression] = str(ibis.to_sql(table, dialect="duckdb")) if is_stored else None
        return self._sources[expression]

    def ask(self, what: Hashable, question: Question) -> Rows:
        """The rows of `question(table)`. The same `what` of a table with the same columns is the same question."""
        if self._source is None:
            found: Rows = question(self.table).to_pyarrow().to_pylist()
            return found
        cursor = self._put(self._text(what, question))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def ask_all(self, questions: Sequence[tuple[Hashable, Question]]) -> list[Rows]:
        """The rows of each question; DuckDB answers all of them from the same state of the table."""
        if self._source is None or len(questions) < 2:
            return [self.ask(what, question) for what, question in questions]
        texts = (f"(SELECT list(answer) FROM ({self._text(*one)}) AS answer)" for one in questions)
        # Fetching all of it, one row, lets the connection go.
        return [rows or [] for rows in self._put(f"SELECT {', '.join(texts)}").fetchall()[0]]

    def keep(self, what: Hashable, value: Any) -> None:
        """What was found, to guess the same the next time."""
        if self._source is not None:
            if len(self._seen) >= _MOST_KEPT:
                self._seen.clear()
            self._seen[self._source, what] = value

    def seen(self, what: Hashable) -> Any:
        """What was kept of a table of the same text, if it was."""
        return self._seen.get((self._source, what))

    def forget(self) -> None:
        """Everything that was kept: some of it was wrong."""
        self._seen.clear()

    def _put(self, text: str) -> Any:
        text = f"WITH {_NAME} AS NOT MATERIALIZED ({self._source}) {text}"
        connection = self._backend.con
        return connection.execute(_kept(self._statements, text, lambda: connection.extract_statements(text)[0]))

    def _text(self, what: Hashable, question: Question) -> str:
        schema = self.table.schema()

        def translated() -> str:
            return str(ibis.to_sql(question(ibis.table(schema, name=_NAME)), dialect="duckdb"))

        return _kept(self._texts, (tuple(schema.items()), what), translated)


def _kept(kept: dict[K, V], key: K, make: Callable[[], V]) -> V:
    if key not in kept:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key] = make()
    return kept[key]
