"""Repeat purchases as models of value read them: arrays, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segmentation.behaviour.instants import checked, day_number, day_of
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatPurchases:
    """Per customer, arrays of the same length, all in one unit of time (weeks, say).

    Parameters
    ----------
    repeats
        Purchases after the first one, 0, 1, 2, …
    last_at
        Time from the first purchase to the last one; 0 exactly where there are no repeats.
    age
        Time from the first purchase to the end of observation, > 0 and not before `last_at`.

    Raises
    ------
    Refused
        `not_finite`, `arrays_of_different_length`, `repeats_not_whole`, `times_out_of_order`.
    """

    repeats: Floats
    last_at: Floats
    age: Floats

    def __post_init__(self) -> None:
        x, last_at, age = self.repeats, self.last_at, self.age
        if not (x.shape == last_at.shape == age.shape and x.ndim == 1):
            raise Refused("arrays_of_different_length", "repeats, last_at and age have one number per customer each")
        if not all(np.isfinite(array).all() for array in (x, last_at, age)):
            raise Refused("not_finite", "repeats, last_at and age are finite numbers")
        if (x < 0).any() or (x != np.floor(x)).any():
            raise Refused("repeats_not_whole", "repeats are counts: 0, 1, 2, …")
        if (age <= 0).any() or (last_at < 0).any() or (last_at > age).any() or ((last_at > 0) != (x > 0)).any():
            raise Refused("times_out_of_order", "age > 0; 0 < last_at ≤ age with repeats, last_at = 0 without")

    @classmethod
    def of(cls, repeats: ArrayLike, last_at: ArrayLike, age: ArrayLike) -> RepeatPurchases:
        """Of anything that is like arrays."""
        x, t, T = (np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in (repeats, last_at, age))  # noqa: N806
        return cls(repeats=x, last_at=t, age=T)


def repeat_rows(customers: ir.Table, as_of: datetime, *, days_per_period: float = 7.0) -> ir.Table:
    """Rows for the models from `customers_by_day` as of the same instant.

    Parameters
    ----------
    days_per_period
        The unit of time: 7 for weeks.

    Returns
    -------
    ibis.Table
        `unit_id`, `repeats` (days of purchase after the first: several purchases of one UTC day are one), `last_at` and
        `age` in periods, from whole days; `repeat_cents`: spent on such a day on average (null without any).
        Customers of the last day itself, whose age is 0, are left out: they have had no time to come again.
    """
    if "first_day_cents" not in customers.columns:
        raise Refused("missing_columns", "repeats need days of purchase: a table of customers_by_day")
    today = day_of(checked(as_of))
    first, last = day_number(customers["first_at"]), day_number(customers["last_at"])
    repeats = customers["purchase_days"] - 1
    later_cents = customers["monetary_cents"] - customers["first_day_cents"]
    return customers.filter(first < today).select(
        "unit_id",
        repeats=repeats,
        last_at=(last - first) / days_per_period,
        age=(today - first) / days_per_period,
        repeat_cents=later_cents / repeats.nullif(0),
    )
