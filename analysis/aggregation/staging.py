"""Results that are needed more than once, kept in the database for as long as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir


@contextmanager
def staged(table: ir.Table) -> Iterator[ir.Table]:
    """The table, computed once: a temporary table of the connection it comes from.

    Not Ibis' `cache`, which hands out the same rows for the same expression even after a table under it has changed.
    """
    backend = ibis.get_backend(table)
    name = f"winnow_{uuid4().hex}"
    found = backend.create_table(name, table, temp=True)
    try:
        yield found
    finally:
        backend.raw_sql(f"DROP TABLE {name}")
