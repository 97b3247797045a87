"""Where a customer stands on the way from the first purchase to none any more, by declared rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import ibis

from segmentation.behaviour.instants import checked, whole_days_between, whole_days_from
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

Stage = Literal["new", "won_back", "active", "cooling", "lapsed"]
STAGES: tuple[Stage, ...] = ("new", "won_back", "active", "cooling", "lapsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The first rule that fits names the stage; all in whole days (24 hours) before the instant that is asked about.

    1. `new`: the first purchase is at most `new_days` ago.
    2. `won_back`: the last one is at most `active_days` ago, and came more than `cooling_days` after the one before (on
       an earlier day): the customer had lapsed. Until the next purchase on another day, or as long as it is fresh.
    3. `active`: the last one is at most `active_days` ago.
    4. `cooling`: at most `cooling_days`.
    5. `lapsed`: longer.

    Raises `Refused("stages_not_ascending")` unless 0 ≤ new_days ≤ active_days < cooling_days.
    """

    new_days: int = 30
    active_days: int = 90
    cooling_days: int = 365

    def __post_init__(self) -> None:
        if not 0 <= self.new_days <= self.active_days < self.cooling_days:
            raise Refused("stages_not_ascending", "0 ≤ new_days ≤ active_days < cooling_days")

    def stage(self, *, age_days: int, recency_days: int, silence_days: int | None) -> Stage:
        """Of one customer: days since the first and the last purchase, and between the last two days of purchase."""
        if age_days <= self.new_days:
            return "new"
        if recency_days > self.active_days:
            return "cooling" if recency_days <= self.cooling_days else "lapsed"
        return "won_back" if silence_days is not None and silence_days > self.cooling_days else "active"

    def staged(self, customers: ir.Table, as_of: datetime) -> ir.Table:
        """A table of `customers_by_day` as of the same instant, with its column `stage`."""
        if "previous_at" not in customers.columns:
            raise Refused("missing_columns", "stages need previous_at: a table of customers_by_day")
        age = whole_days_between(customers["first_at"], checked(as_of))
        recency = customers["recency_days"]
        silence = whole_days_from(customers["previous_at"], customers["last_at"])
        return customers.mutate(
            stage=ibis.cases(
                (age <= self.new_days, "new"),
                ((recency <= self.active_days) & (silence > self.cooling_days).fill_null(False), "won_back"),
                (recency <= self.active_days, "active"),
                (recency <= self.cooling_days, "cooling"),
                else_="lapsed",
            )
        )
