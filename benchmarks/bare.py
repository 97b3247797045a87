"""The floor: DuckDB queries written by hand that read the same files and do nothing but sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import sqrt
from typing import Any, NamedTuple

from benchmarks.harness import Numbers, Work
from benchmarks.questions import METRICS
from benchmarks.tables import Tables, connect

OVERALL = ""


class Sums(NamedTuple):
    """Raw sums of one metric in one arm; y only for a ratio."""

    n: int
    x: float
    xx: float
    y: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    def __add__(self, other: object) -> Sums:
        """Not a tuple's: sums of two groups together."""
        if not isinstance(other, Sums):
            return NotImplemented
        n, *sums = (a + b for a, b in zip(self, other, strict=True))
        return Sums(int(n), *sums)

    @property
    def std_dev(self) -> float:
        """Of one unit; of a ratio its linear part over the mean denominator."""
        if not self.y:
            return sqrt((self.xx - self.x * self.x / self.n) / (self.n - 1))
        ratio = self.x / self.y
        residual = self.xx - 2 * ratio * self.xy + ratio * ratio * self.yy
        return sqrt(residual / (self.n - 1)) / (self.y / self.n)


SumsByArm = Mapping[tuple[str, str, str], Sums]
"""(segment, variant, metric) -> sums"""

_COLUMNS = {"ordered": ("ordered",), "visits": ("visits",), "revenue": ("revenue",), "refunds": ("refunds",)}
_RATIO = ("revenue", "visits")


def _sums(column: str) -> str:
    return f"sum({column}), sum({column} * {column})"


_ALL_SUMS = f"""
    count(*), {_sums("ordered")}, {_sums("visits")}, {_sums("revenue")}, {_sums("refunds")}, sum(revenue * visits)
"""

UNIT_SUMS = f"SELECT segment, variant, {_ALL_SUMS} FROM {{source}} GROUP BY segment, variant"
UNIT_SUMS_OVERALL = f"SELECT '{OVERALL}', variant, {_ALL_SUMS} FROM {{source}} GROUP BY variant"

_PER_UNIT = """
    count(*) FILTER (name = 'order') AS orders, count(*) FILTER (name = 'visit') AS visits,
    coalesce(sum(value) FILTER (name = 'order'), 0) AS revenue,
    coalesce(sum(value) FILTER (name = 'refund'), 0) AS refunds
"""

# Grouping a million units by a number is a sixth quicker than by their names.
EVENT_SUMS = f"""
    WITH units AS MATERIALIZED (
        SELECT row_number() OVER () AS key, unit_id, any_value(variant) AS variant, any_value(segment) AS segment,
            min(exposed_at) AS exposed_at
        FROM '{{exposures}}' GROUP BY unit_id
    ),
    outcomes AS (
        SELECT key, {_PER_UNIT}
        FROM '{{events}}' JOIN units USING (unit_id)
        WHERE name IN ('order', 'visit', 'refund') AND occurred_at >= exposed_at
        GROUP BY key
    ),
    everybody AS (
        SELECT segment, variant, least(coalesce(orders, 0), 1)::DOUBLE AS ordered,
            coalesce(visits, 0)::DOUBLE AS visits, coalesce(revenue, 0) AS revenue, coalesce(refunds, 0) AS refunds
        FROM units LEFT JOIN outcomes USING (key)
    )
    {UNIT_SUMS.format(source="everybody")}
"""

EVENT_SUMS_WITHOUT_EXPOSURES = f"""
    WITH outcomes AS (
        SELECT unit_id, {_PER_UNIT} FROM '{{events}}' WHERE name IN ('order', 'visit', 'refund') GROUP BY unit_id
    )
    SELECT count(*), sum(least(orders, 1)), {_sums("visits")}, {_sums("revenue")}, {_sums("refunds")},
        sum(revenue * visits)
    FROM outcomes
"""


def sums_of_units(tables: Tables) -> Work:
    return _query(UNIT_SUMS.format(source=f"'{tables.units}'"))


def sums_of_events(tables: Tables) -> Work:
    return _query(EVENT_SUMS.format(exposures=tables.exposures, events=tables.events))


def sums_of_events_without_exposures(tables: Tables) -> Work:
    run = partial(_fetch, connect(), EVENT_SUMS_WITHOUT_EXPOSURES.format(events=tables.events))
    return Work(run=run, numbers=lambda _: {})


def _query(sql: str) -> Work:
    return Work(run=partial(_fetch, connect(), sql), numbers=lambda rows: sum_numbers(sums_by_arm(rows)))


def _fetch(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    return rows


def sums_by_arm(rows: Sequence[Sequence[Any]]) -> dict[tuple[str, str, str], Sums]:
    """Rows of `UNIT_SUMS` by segment, variant and metric, and over all segments under `OVERALL`."""
    found = sums_as_they_are(rows)
    for (_, variant, metric), value in list(found.items()):
        total = found.get((OVERALL, variant, metric))
        found[OVERALL, variant, metric] = value if total is None else total + value
    return found


def sums_as_they_are(rows: Sequence[Sequence[Any]]) -> dict[tuple[str, str, str], Sums]:
    """Rows of sums by segment, variant and metric."""
    found: dict[tuple[str, str, str], Sums] = {}
    for segment, variant, n, *sums in rows:
        single = dict(zip(_COLUMNS, zip(sums[0:8:2], sums[1:8:2], strict=True), strict=True))
        (x, xx), (y, yy) = (single[name] for name in _RATIO)
        of_arm = {key: Sums(n, *single[key]) for key in single}
        of_arm["revenue_per_visit"] = Sums(n, x, xx, y, yy, sums[8])
        found |= {(segment, variant, metric): value for metric, value in of_arm.items()}
    return found


def sum_numbers(sums: SumsByArm) -> Numbers:
    """Units, total and standard deviation of every arm on every metric, as a report shows them."""
    numbers: dict[str, float] = {}
    for (segment, variant, metric), value in sums.items():
        where = f"{segment or 'all'}/{variant}/{metric}"
        numbers |= {
            f"units/{where}": float(value.n),
            f"total/{where}": float(value.x),
            f"std_dev/{where}": value.std_dev,
        }
    assert {metric for _, _, metric in sums} == {metric.key for metric in METRICS}
    return numbers
