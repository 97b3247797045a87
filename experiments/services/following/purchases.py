"""Following purchases: what customers bought becomes what their profiles say, and what is expected of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import ibis

from analysis.estimate import Undefined
from experiments.domain.attribute import Attribute
from experiments.domain.purchases import Followed, Purchases
from experiments.services.following.follower import EVENTS_AT_ONCE, UNITS_AT_ONCE, Follower
from experiments.services.following.forecast import (
    HORIZON_WEEKS,
    expectations,
    forecast_document,
    forecast_of,
    looked_at,
    sayable_by,
)
from experiments.services.following.persons import Happened
from experiments.services.following.purchase_attributes import (
    ATTRIBUTES,
    cuts_document,
    history_of,
    next_due,
    purchases_of,
    values,
)
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.ports import BehaviourStore
from segmentation.behaviour.cuts import Cuts, quantile_cuts
from segmentation.behaviour.histories import Histories
from segmentation.value.forecast import fit_forecast

CUTS_SECONDS = 86_400
"""How old cuts become: finding them takes a look at everybody."""
FEW_CUSTOMERS = 1_000
"""While there are fewer, cuts are found anew whenever customers have doubled, and everybody is scored by them."""


class PurchaseFollower(Follower[Purchases, Followed]):
    """`cuts`: declared ones; None: quantiles, found anew every `cuts_seconds`."""

    attributes = ATTRIBUTES

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        names: Sequence[str],
        *,
        register: Callable[[Sequence[Attribute]], None],
        cuts: Cuts | None = None,
        cuts_seconds: float = CUTS_SECONDS,
        events_at_once: int = EVENTS_AT_ONCE,
        units_at_once: int = UNITS_AT_ONCE,
    ) -> None:
        super().__init__(
            open_unit_of_work,
            clock,
            names,
            register=register,
            events_at_once=events_at_once,
            units_at_once=units_at_once,
        )
        self._declared = cuts
        self._cuts_age = timedelta(seconds=cuts_seconds)

    def _rows(self, work: UnitOfWork) -> BehaviourStore:
        return work.behaviour

    def _add(self, happened: Happened, work: UnitOfWork, now: datetime) -> None:
        new = Histories.of_purchases(happened.unit_ids, happened.instants, happened.values)
        before = work.behaviour.some(new.unit_ids)
        work.behaviour.put(_joined(new, before.values(), now))

    def _merged(self, row: Purchases, before: Purchases | None, unit_id: str, now: datetime) -> Purchases:
        bought = Histories.of_states([unit_id], [history_of(row)])
        [merged] = _joined(bought, [] if before is None else [before], now)
        return merged

    def _when_due(self, followed: Followed, work: UnitOfWork, now: datetime) -> Callable[[], None]:
        return self._cut if self._wants_cuts(followed, work, now) else self._write

    def _wants_cuts(self, followed: Followed, work: UnitOfWork, now: datetime) -> bool:
        if self._declared is not None:
            return False
        if followed.cuts_at is None or abs(now - followed.cuts_at) >= self._cuts_age:
            return work.behaviour.count(most=1) > 0
        few = followed.cuts_customers < FEW_CUSTOMERS
        return few and work.behaviour.count(most=FEW_CUSTOMERS) >= 2 * followed.cuts_customers

    def _cut(self) -> None:
        """Find cuts and models in what everybody is now; they count for who buys, or is due, from now on.

        Everybody is due where something begins to be expected, or ceases to be.
        """
        now = self._clock()
        with self._open(read_only=True) as work:
            columns, seen = looked_at(work.behaviour.states(), now)
        cuts = quantile_cuts(ibis.memtable(columns))
        if isinstance(cuts, Undefined):
            return
        customers = columns.num_rows
        forecast = forecast_document(fit_forecast(seen, weeks=HORIZON_WEEKS))
        with self._open() as work:
            before = work.behaviour.take()
            found = {"cuts": cuts_document(cuts), "cuts_at": now, "cuts_customers": customers, "forecast": forecast}
            work.behaviour.advance(replace(before, **found))
            is_news = before.cuts_at is not None and sayable_by(before.forecast) != sayable_by(forecast)
            if customers < FEW_CUSTOMERS or is_news:
                work.behaviour.make_all_due(now)
            work.commit()

    def _said(
        self, counted: Mapping[str, Purchases], followed: Followed, now: datetime
    ) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, datetime]]:
        cuts = self._declared or _cuts(followed.cuts)
        if cuts is None:
            return {}, {}
        histories = {unit_id: history_of(row) for unit_id, row in counted.items()}
        expected = expectations(histories, forecast_of(followed.forecast), now)
        said = {unit_id: values(one, cuts, now) | expected[unit_id] for unit_id, one in histories.items()}
        due_at = {
            unit_id: next_due(one, cuts, now, expects=bool(expected[unit_id])) for unit_id, one in histories.items()
        }
        return said, due_at


def _joined(new: Histories, before: Iterable[Purchases], now: datetime) -> list[Purchases]:
    """Add to what was counted before; who bought is due."""
    counted = [row for row in before if not row.is_empty]
    states = Histories.of_states([row.unit_id for row in counted], counted)
    return [purchases_of(row, due_at=now) for row in (new + states).rows()]


def _cuts(stored: Mapping[str, tuple[int, ...]] | None) -> Cuts | None:
    return None if stored is None else Cuts(**stored)
