"""Rows that nobody can be found in: exposures and events without a unit or an instant."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import ibis.expr.operations as ops

from analysis.aggregation.asking import Asked
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


def unusable_rows(exposures: ir.Table, events: ir.Table, plan: Plan) -> tuple[dict[str, int], dict[str, int]]:
    """How many rows are of no use, by table, and how many rows each such table has.

    Of events those count that the plan asks for. Where all rows are of use, files and tables say so by themselves:
    nothing is read.
    """
    unusable, rows = {}, {}
    for what, table, instant in (("exposures", exposures, "exposed_at"), ("events", events, "occurred_at")):
        found = _nulls(table, instant)
        if found is None:
            continue
        broken = table.filter(table.unit_id.isnull() | table[instant].isnull())
        if what == "events":
            broken = broken.filter(reduce(or_, (broken.name == name for name in sorted(_names(plan)))))
        if size := int(broken.count().to_pyarrow().as_py()):
            unusable[what], rows[what] = size, found
    return unusable, rows


def _nulls(table: ir.Table, instant: str) -> int | None:
    """The number of rows, where some of them have nulls; None: they have none."""
    if isinstance(held := table.op(), ops.InMemoryTable):
        rows = held.data.to_pyarrow(table.schema())
        return rows.num_rows if rows["unit_id"].null_count or rows[instant].null_count else None
    [found] = Asked(table).ask(
        ("unusable", instant),
        lambda source: source.aggregate(
            rows=source.count(), units=source.unit_id.count(), instants=source[instant].count()
        ),
    )
    return None if found["rows"] == found["units"] == found["instants"] else int(found["rows"])


def _names(plan: Plan) -> set[str]:
    names = {name for metric in plan.metrics for name in (metric.event_name, metric.denominator_event_name)}
    names |= {covariate.event_name for metric in plan.metrics for covariate in metric.covariates}
    return {name for name in names if name is not None}
