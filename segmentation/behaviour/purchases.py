"""From a table of purchases to one row per customer."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt

from segmentation.behaviour.instants import checked, day_number, instant, prepared, whole_days_between
from segmentation.behaviour.money import cents_column, check_scale, total

if TYPE_CHECKING:
    import ibis.expr.types as ir


def customers(purchases: ir.Table, as_of: datetime, *, cents_per_unit: int = 100) -> ir.Table:
    """Recency, frequency and money of every customer, as one group-by.

    Parameters
    ----------
    purchases : ibis.Table
        `unit_id` string, `at` timestamp or date (without a time zone: UTC), `value` number in units of money. Every row
        is a purchase, in any order; a negative value (a correction) lowers the total. Rows without a unit or an instant
        are none.
    as_of
        Purchases after this instant are not known yet; one at the instant itself is.
    cents_per_unit
        How many smallest units one unit of `value` has: 1 for yen, 100 for dollars.

    Returns
    -------
    ibis.Table
        `unit_id`, `first_at`, `last_at`, `recency_days` (whole spans of 24 hours from `last_at` to `as_of`),
        `frequency` (purchases), `unvalued` (of these without a usable value: null, NaN, infinite or beyond ±1e12; they
        add nothing to the money), `monetary_cents` (64-bit integer), `average_cents` (float, per purchase with a
        value; null without any). In no order.

    Raises
    ------
    Refused
        `missing_columns`, `not_numeric`, `not_an_instant`, `instant_without_zone`, `cents_per_unit_outside`.

    Notes
    -----
    Each value is rounded to whole cents before it is added, halves away from zero; what is added are integers, so that
    a total depends on neither the order of the rows nor the number of threads.
    """
    known = _known(purchases, as_of, cents_per_unit)
    found = known.group_by("unit_id").aggregate(
        first_at=known["at"].min(),
        last_at=known["at"].max(),
        frequency=known.count(),
        valued=known["cents"].count(),
        monetary_cents=total(known["cents"]),
    )
    return _finished(found, as_of)


def customers_by_day(purchases: ir.Table, as_of: datetime, *, cents_per_unit: int = 100) -> ir.Table:
    """`customers`, and what takes a look at the days of purchase: two group-bys, on DuckDB.

    Returns
    -------
    ibis.Table
        The columns of `customers`, and `previous_at` (the last purchase on an earlier day in UTC than that of
        `last_at`; null where there was one day only), `purchase_days`, `first_day_cents` (spent on the first of them).
    """
    known = _known(purchases, as_of, cents_per_unit)
    known = known.mutate(day=day_number(known["at"]))
    days = known.group_by(["unit_id", "day"]).aggregate(
        first_at=known["at"].min(),
        last_at=known["at"].max(),
        frequency=known.count(),
        valued=known["cents"].count(),
        cents=total(known["cents"]),
    )
    found = days.group_by("unit_id").aggregate(
        first_at=days["first_at"].min(),
        last_at=days["last_at"].max(),
        frequency=days["frequency"].sum().cast("decimal(38, 0)").cast("int64"),
        valued=days["valued"].sum().cast("decimal(38, 0)").cast("int64"),
        monetary_cents=total(days["cents"]),
        previous_at=_last_two(days["last_at"])[1],
        purchase_days=days.count(),
        first_day_cents=days["cents"].argmin(days["day"]),
    )
    return _finished(found, as_of)


def _last_two(column: Any) -> Any:
    """The two latest, the last one first: DuckDB's own, quicker than a window over all days."""
    kind = column.type()
    largest = ibis.udf.agg.builtin(_largest, name="max", signature=((kind, dt.int64), dt.Array(kind)))
    return largest(column, 2)


def _largest(column: Any, count: Any) -> Any:
    """So many of them, in descending order; the database has it."""


def _known(purchases: ir.Table, as_of: datetime, cents_per_unit: int) -> ir.Table:
    check_scale(cents_per_unit)
    table = prepared(purchases, "purchases", ["value"])
    is_known = table["unit_id"].notnull() & (table["at"] <= instant(table["at"], checked(as_of)))
    return table.filter(is_known).select("unit_id", "at", cents=cents_column(table["value"], cents_per_unit))


def _finished(found: ir.Table, as_of: datetime) -> ir.Table:
    more: tuple[Any, ...] = tuple(
        found[name] for name in ("previous_at", "purchase_days", "first_day_cents") if name in found.columns
    )
    return found.select(
        "unit_id",
        "first_at",
        "last_at",
        recency_days=whole_days_between(found["last_at"], checked(as_of)),
        frequency=found["frequency"],
        unvalued=found["frequency"] - found["valued"],
        monetary_cents=found["monetary_cents"],
        average_cents=found["monetary_cents"] / found["valued"].nullif(0),
        **{column.get_name(): column for column in more},
    )
