"""By which channels a segment can be reached: one pass over the contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis

from segmentation.card.base import UNIT, Base, as_table, check_same_units
from segmentation.card.card import Reach, Reached
from segmentation.card.counts import NOBODY, Counts
from segmentation.card.question import Tables


def reached_by(base: Base, tables: Tables, counts: Counts) -> tuple[dict[str, Reached], int]:
    """By segment, and how many of all units any channel reaches; empty where there are no contacts to look at."""
    if tables.contacts is None:
        return {}, 0
    contacts: Any = as_table(tables.contacts, UNIT, "channel")
    check_same_units(base.rows, contacts)
    some = contacts.filter(contacts["channel"].notnull())
    each = some.select(UNIT, channel=some["channel"].cast("string")).distinct()
    anyone = some.select(UNIT).distinct().mutate(channel=ibis.null("string"))
    joined = base.rows.select(UNIT, *base.members.values()).inner_join(each.union(anyone), UNIT)
    sums = {member: joined[member].sum() for member in base.members.values()}
    rows = joined.group_by("channel").aggregate(all=joined.count(), **sums).to_pyarrow().to_pylist()
    seen = next((row["all"] for row in rows if row["channel"] is None), 0)
    found = {key: _reached(rows, member, counts.groups[key].units, base.units) for key, member in base.members.items()}
    return found, seen


def _reached(rows: list[Mapping[str, Any]], member: str, units: int, everybody: int) -> Reached:
    by_any = next((row[member] for row in rows if row["channel"] is None), 0)
    channels = sorted(
        (row for row in rows if row["channel"] is not None), key=lambda row: (-row[member], row["channel"])
    )
    return Reached(
        channels=tuple(_reach(row, member, units, everybody) for row in channels),
        by_none=1 - by_any / units if units else NOBODY,
    )


def _reach(row: Mapping[str, Any], member: str, units: int, everybody: int) -> Reach:
    share = row[member] / units if units else NOBODY
    return Reach(
        channel=row["channel"],
        units=row[member],
        share=share,
        index=share / (row["all"] / everybody) if isinstance(share, float) else share,
    )
