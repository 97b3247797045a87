"""Rows of which nobody knows whose they are, or when they were: they count as nothing, and that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.aggregate import aggregate
from analysis.estimate import Finding
from analysis.moments import ArmKey, MomentTable
from analysis.report import build
from tests.stats.builders import at, events, exposures, metric, plan

SPEND = metric(key="spend", kind="ratio", event_name="order", denominator_event_name="visit")
NOBODY = [(None, "order", 9.0, at(1)), ("u1", "order", 9.0, None), (None, "visit", None, None)]


def seen(nobody: int, somebody: int) -> ibis.Table:
    rows: list[tuple[Any, ...]] = [(f"u{n}", "a", "all", 1, at(0)) for n in range(somebody)]
    return exposures([*rows, *[(None, "a", "all", 1, at(0))] * (nobody - 1), ("u0", "b", "all", 1, None)])


def told(found: MomentTable) -> list[Finding]:
    return [one for one in build(plan(SPEND), found).findings if one.code == "rows_unusable"]


@pytest.mark.parametrize("stored", [False, True])
def test_they_are_counted(stored: bool, tmp_path: Path) -> None:
    """An unknown event is nobody's business; the second row of u0 has no time, so u0 was seen in one arm only."""
    shown, happened = seen(2, 1), events([*NOBODY, (None, "other", 1.0, at(1)), ("u0", "order", 2.0, at(1))])
    if stored:
        for name, table in (("shown", shown), ("happened", happened)):
            pq.write_table(table.to_pyarrow(), tmp_path / f"{name}.parquet")
        connection = ibis.duckdb.connect()
        shown, happened = (connection.read_parquet(tmp_path / f"{name}.parquet") for name in ("shown", "happened"))
    found = aggregate(shown, happened, plan(SPEND))
    assert found.units == {ArmKey(1, "all", "a"): 1}
    assert (found.rows_unusable, found.rows_read) == ({"exposures": 2, "events": 3}, {"exposures": 3, "events": 5})
    assert [(one.severity, one.message) for one in told(found)] == [
        ("warning", "2 of 3 exposures say of no unit or of no time, and count as nothing"),
        ("warning", "3 of 5 events say of no unit or of no time, and count as nothing"),
    ]
    assert MomentTable.from_dict(found.to_dict()) == found
    assert [one.message.split(" say")[0] for one in told(found + found)] == ["6 of 10 events", "4 of 6 exposures"]


@pytest.mark.parametrize(("nobody", "severity"), [(2, "warning"), (1, "info")])
def test_more_than_one_in_a_hundred_is_a_warning(nobody: int, severity: str) -> None:
    [found] = told(aggregate(seen(nobody, 100 - nobody), events([]), plan(SPEND)))
    assert found.severity == severity


def test_where_all_is_well_nothing_is_said_or_kept() -> None:
    found = aggregate(exposures([("u", "a", "all", 1, at(0))]), events([(None, "other", 1.0, None)]), plan(SPEND))
    assert (found.rows_unusable, told(found)) == ({}, [])
    assert not {"rows_unusable", "rows_read"} & found.to_dict().keys()


@pytest.mark.parametrize("rows", [0, 3])
def test_columns_in_which_there_is_nothing_need_no_type(rows: int) -> None:
    """What pandas makes of no rows."""
    shown = pa.table({name: pa.nulls(rows) for name in ("unit_id", "variant", "segment", "epoch", "exposed_at")})
    happened = pa.table({name: pa.nulls(rows) for name in ("unit_id", "name", "value", "occurred_at")})
    found = aggregate(ibis.memtable(shown), ibis.memtable(happened), plan(SPEND))
    assert (found.units, found.units_outside) == ({}, 0)
    assert found.rows_unusable == ({"exposures": rows} if rows else {})
    one = aggregate(exposures([("u", "a", "all", 1, at(0))]), ibis.memtable(happened), plan(SPEND))
    assert one.units == {ArmKey(1, "all", "a"): 1}
