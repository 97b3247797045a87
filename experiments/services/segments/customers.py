"""Everybody who bought, in a few numbers: scores, heat map and named groups. Never on the path of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis
import pyarrow as pa

from analysis.estimate import Undefined
from experiments.services.ports import UnitOfWork
from segmentation.behaviour.cuts import Cuts, quantile_cuts
from segmentation.behaviour.groups import NAMED_GROUPS
from segmentation.behaviour.summary import GroupSize, HeatCell, Summary, group_sizes, heat_map, summarise

NOT_FOLLOWED = Undefined(
    reason="not_followed", message="No events are followed as purchases: WINNOW_PURCHASE_EVENTS names them."
)
NO_CUSTOMERS = Undefined(reason="no_customers", message="No purchase had been counted when this was made.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPicture:
    cuts: Cuts
    summary: Summary
    heat_map: tuple[HeatCell, ...]
    groups: tuple[GroupSize, ...]


def customer_picture(work: UnitOfWork, now: datetime) -> CustomerPicture | Undefined:
    """Score everybody by the cuts that profiles are scored by; before there are any, by quantiles."""
    followed = work.behaviour.followed()
    if not followed.names:
        return NOT_FOLLOWED
    table = ibis.memtable(_columns(work, now))
    cuts = _cuts(followed.cuts) or quantile_cuts(table)
    summary = summarise(table)
    if isinstance(cuts, Undefined) or not summary.customers:
        return NO_CUSTOMERS
    scored = NAMED_GROUPS.named(cuts.scored(table))
    return CustomerPicture(
        cuts=cuts,
        summary=summary,
        heat_map=heat_map(scored, NAMED_GROUPS.scores),
        groups=group_sizes(scored, NAMED_GROUPS.names),
    )


def _cuts(stored: Mapping[str, tuple[int, ...]] | None) -> Cuts | None:
    return None if stored is None else Cuts(**stored)


def _columns(work: UnitOfWork, now: datetime) -> pa.Table:
    """As `segmentation.behaviour` has customers; a purchase a little ahead of our clock is one of now."""
    days: list[int] = []
    frequency: list[int] = []
    cents: list[int] = []
    for batch in work.behaviour.numbers():
        for last_at, purchases, money in batch:
            days.append(max(0, (now - last_at).days))
            frequency.append(purchases)
            cents.append(money)
    return pa.table(
        {
            "recency_days": pa.array(days, pa.int64()),
            "frequency": pa.array(frequency, pa.int64()),
            "monetary_cents": pa.array(cents, pa.int64()),
            # How many of them had no value is not kept apart here.
            "unvalued": pa.array([0] * len(days), pa.int64()),
        }
    )
