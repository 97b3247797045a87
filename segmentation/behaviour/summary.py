"""All customers in a few numbers, their heat map, and the sizes of their groups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import ibis

from segmentation.behaviour.money import total

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of a table of customers; what nobody can have is None.

    `bought_once`: customers with one purchase. `unvalued`: purchases without a usable value. Medians of an even number
    are the mean of the middle two. `top_fifth_share`: of the revenue, what the ⌈n/5⌉ customers hold who spent most, a
    fraction; None where there is no revenue, or others gave back more than they bought.
    """

    customers: int
    purchases: int
    unvalued: int
    bought_once: int
    revenue_cents: int
    median_recency_days: float | None
    median_frequency: float | None
    median_monetary_cents: float | None
    top_fifth_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """Customers with these scores of recency and frequency, and what they spent."""

    r: int
    f: int
    customers: int
    revenue_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSize:
    """A named group: how many, what they bought and spent, and their shares of all.

    Fractions; None of nothing, and of revenue where they, or all others, gave back more than they bought.
    """

    name: str
    customers: int
    purchases: int
    revenue_cents: int
    share_of_customers: float | None
    share_of_revenue: float | None


def summarise(customers: ir.Table) -> Summary:
    """Of a table of `customers` (best a stored one: it is read twice)."""
    [row] = _rows(
        customers.aggregate(
            customers=customers.count(),
            purchases=total(customers["frequency"]),
            unvalued=total(customers["unvalued"]),
            bought_once=(customers["frequency"] == 1).sum().coalesce(0),
            revenue_cents=total(customers["monetary_cents"]),
            median_recency_days=customers["recency_days"].median(),
            median_frequency=customers["frequency"].median(),
            median_monetary_cents=customers["monetary_cents"].median(),
        )
    )
    row["bought_once"] = int(row["bought_once"])
    revenue, most = row["revenue_cents"], -(-row["customers"] // 5)
    return Summary(**row, top_fifth_share=part_of(_spent_by_top(customers, most), revenue))


def _spent_by_top(customers: ir.Table, most: int) -> int:
    top = customers.order_by(ibis.desc("monetary_cents")).limit(most)
    [row] = _rows(top.aggregate(spent=total(top["monetary_cents"])))
    return int(row["spent"])


def heat_map(scored: ir.Table, scores: int = 5) -> tuple[HeatCell, ...]:
    """Every pair of scores, empty ones too: the best recency first, then by frequency upwards."""
    sums = scored.group_by(["r_score", "f_score"]).aggregate(
        customers=scored.count(), revenue_cents=total(scored["monetary_cents"])
    )
    found = {(row["r_score"], row["f_score"]): (row["customers"], row["revenue_cents"]) for row in _rows(sums)}
    return tuple(
        HeatCell(r=r, f=f, customers=count, revenue_cents=cents)
        for r, f in product(range(scores, 0, -1), range(1, scores + 1))
        for count, cents in [found.get((r, f), (0, 0))]
    )


def group_sizes(named: ir.Table, names: tuple[str, ...]) -> tuple[GroupSize, ...]:
    """Of a table with `rfm_group`, in the order of the names; a group of nobody is there too."""
    sums = named.group_by("rfm_group").aggregate(
        customers=named.count(),
        purchases=total(named["frequency"]),
        revenue_cents=total(named["monetary_cents"]),
    )
    found = {row.pop("rfm_group"): row for row in _rows(sums)}
    nobody = {"customers": 0, "purchases": 0, "revenue_cents": 0}
    customers, revenue = (sum(row[what] for row in found.values()) for what in ("customers", "revenue_cents"))
    return tuple(
        GroupSize(
            name=name,
            **row,
            share_of_customers=row["customers"] / customers if customers else None,
            share_of_revenue=part_of(row["revenue_cents"], revenue),
        )
        for name in names
        for row in [found.get(name, nobody)]
    )


def part_of(money: float, whole: float) -> float | None:
    """Return a part of revenue as a fraction; None where refunds make it less than nothing or more than all."""
    return money / whole if whole > 0 and 0 <= money <= whole else None


def _rows(table: ir.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
