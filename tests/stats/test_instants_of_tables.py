"""The library on instants as people have them: every type gives what instants in UTC give, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest

from analysis.aggregate import TablesError, aggregate
from analysis.moments import ArmKey
from tests.stats.builders import metric, plan

EXPOSURES = """
    SELECT 'u' || i AS unit_id, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END AS variant,
        CASE WHEN i = 7 THEN 'nobody named it' ELSE 's' END AS segment, 1 AS epoch,
        TIMESTAMP '2026-01-01' + INTERVAL (i) MINUTE AS exposed_at
    FROM range(200) t(i) UNION ALL SELECT 'u5', 'a', 's', 1, TIMESTAMP '2026-01-03'
"""
EVENTS = """
    SELECT 'u' || i AS unit_id, 'visit' AS name, 1.0::DOUBLE AS value,
        TIMESTAMP '2026-01-01' + INTERVAL (i + 5) MINUTE AS occurred_at
    FROM range(200) t(i) WHERE i % 10 = 0
"""
QUESTION = plan(metric(event_name="visit"), segments=("s",))


def tables(folder: Path, written: str) -> tuple[ir.Table, ir.Table]:
    """Exposures of 200 units, one of them outside of the plan and one in two arms, and their visits."""
    return _read(folder, "exposures", EXPOSURES, "exposed_at", written), _read(
        folder, "events", EVENTS, "occurred_at", written
    )


def _read(folder: Path, name: str, query: str, column: str, written: str) -> ir.Table:
    path = folder / f"{name}.parquet"
    if written.startswith("TIMESTAMP_"):
        duckdb.sql(f"SELECT * REPLACE ({column}::{written} AS {column}) FROM ({query})").to_parquet(str(path))
    else:
        rows = duckdb.sql(query).df()
        rows[column] = {
            "zone, nanoseconds": lambda at: at.dt.tz_localize("UTC").astype("datetime64[ns, UTC]"),
            "zone": lambda at: at.dt.tz_localize("UTC"),
            "text with a zone": lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "text": lambda at: at.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "text of another kind": lambda at: at.dt.strftime("%d.%m.%Y %H:%M"),
        }[written](rows[column])
        rows.to_parquet(path)
    return ibis.read_parquet(path)


@pytest.mark.parametrize(
    "written",
    [
        "zone",
        "zone, nanoseconds",
        "text with a zone",
        "text",
        "TIMESTAMP_S",
        "TIMESTAMP_MS",
        "TIMESTAMP_US",
        "TIMESTAMP_NS",
    ],
)
def test_who_is_outside_or_saw_two_arms_is_found_however_instants_are_written(tmp_path: Path, written: str) -> None:
    """u7 has a segment that the plan does not name, u5 saw both: of b 98 are left. Every tenth visits, all with a."""
    found = aggregate(*tables(tmp_path, written), QUESTION)
    a, b = ArmKey(1, "s", "a"), ArmKey(1, "s", "b")
    assert (found.units, found.mixed, found.units_outside) == ({a: 100, b: 98}, {b: 1}, 1)
    assert {key.variant: moments.n * moments.mean for key, moments in found.moments.items()} == {"a": 20, "b": 0}


@pytest.mark.parametrize("odd", ["exposures", "events"])
def test_text_of_another_kind_is_refused_by_name(tmp_path: Path, odd: str) -> None:
    written = {"exposures": "zone", "events": "zone", odd: "text of another kind"}
    exposures = _read(tmp_path, "exposures", EXPOSURES, "exposed_at", written["exposures"])
    events = _read(tmp_path, "events", EVENTS, "occurred_at", written["events"])
    with pytest.raises(TablesError, match=rf"of the table of {odd} holds text .*'01\.01\.2026 00:0") as refused:
        aggregate(exposures, events, QUESTION)
    assert refused.value.code == "not_instants"


@pytest.mark.parametrize("table", [pd.DataFrame(), duckdb.sql("SELECT 1 AS unit_id")], ids=["pandas", "DuckDB"])
def test_tables_that_are_none_of_ibis_are_refused_by_name(table: object) -> None:
    with pytest.raises(TablesError, match=r"table of exposures is a \w+ \w+, not one of Ibis") as refused:
        aggregate(table, table, QUESTION)  # type: ignore[arg-type]
    assert refused.value.code == "not_a_table"
