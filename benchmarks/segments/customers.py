"""Recency, frequency and money of everybody: ours, and the bare group-by."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis.estimate import Undefined
from benchmarks.harness import Numbers, Work
from benchmarks.segments.shop import AS_OF, Shop
from benchmarks.tables import connect, ibis_connect
from segmentation.behaviour.rfm import Rfm, rfm

_BARE = """
    SELECT unit_id, max("at") AS last_at, count(*) AS frequency, sum(value) AS money FROM '{files}' GROUP BY unit_id
"""


def ours(shop: Shop) -> Work:
    """Rows with scores and groups, quantile cuts, summary, heat map and sizes of groups."""
    purchases = ibis_connect().read_parquet(shop.files)
    return Work(run=partial(rfm, purchases, AS_OF), numbers=_numbers)


def bare(shop: Shop) -> Work:
    """What nobody can do without: four columns of everybody, as an Arrow table."""
    return Work(run=partial(_fetched, connect(), _BARE.format(files=shop.files)), numbers=_bare_numbers)


def _fetched(connection: Any, sql: str) -> pa.Table:
    return connection.sql(sql).to_arrow_table()


def _numbers(found: Rfm | Undefined) -> Numbers:
    assert isinstance(found, Rfm)
    cents = pc.sum(found.rows["monetary_cents"]).as_py()
    assert sum(cell.customers for cell in found.heat_map) == found.rows.num_rows
    assert sum(group.revenue_cents for group in found.groups) == cents == found.summary.revenue_cents
    return _sums(found.rows, cents / 100)


def _bare_numbers(rows: pa.Table) -> Numbers:
    return _sums(rows, pc.sum(rows["money"]).as_py())


def _sums(rows: pa.Table, money: float) -> Numbers:
    return {
        "customers": float(rows.num_rows),
        "purchases": float(pc.sum(rows["frequency"]).as_py()),
        "bought once": float(pc.sum(pc.equal(rows["frequency"], 1)).as_py()),
        "money": money,
        "last purchases": float(pc.mean(rows["last_at"].cast("int64")).as_py()),
    }
