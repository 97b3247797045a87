"""Who enters and leaves, week by week: one pass over the stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import ibis

from analysis.estimate import Undefined
from segmentation.card.base import UNIT, as_table
from segmentation.card.card import Stability, Week
from segmentation.card.question import Question, Tables
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

NOBODY_BEFORE = Undefined(reason="no_members", message="Nobody was in this segment at the beginning of any week.")


def stabilities(tables: Tables, question: Question) -> dict[str, Stability]:
    """By segment; empty where there are no memberships to look at. Raises Refused."""
    if tables.memberships is None:
        return dict(tables.steadiness or {})
    if question.as_of is None:
        raise Refused("question_invalid", "Memberships are looked at up to an instant: say as of when.")
    stays = as_table(tables.memberships, UNIT, "segment", "entered_at", "left_at")
    ends = [question.as_of - timedelta(weeks=back) for back in range(question.weeks, -1, -1)]
    rows = {row["segment"]: row for row in _counts(stays, list(tables.segments), ends)}
    return {key: _stability(rows.get(key, {}), ends) for key in tables.segments}


def _counts(stays: ir.Table, segments: Sequence[str], ends: Sequence[datetime]) -> list[Mapping[str, Any]]:
    """Members at each instant, and those at an instant and the next."""
    mine: Any = stays.filter(stays["segment"].isin(segments))
    inside = {f"in_{place}": _is_in(mine, instant).any() for place, instant in enumerate(ends)}
    units = mine.group_by([UNIT, "segment"]).aggregate(**inside)
    members = {f"members_{place}": units[f"in_{place}"].sum() for place in range(len(ends))}
    stayed = {
        f"stayed_{place}": (units[f"in_{place}"] & units[f"in_{place + 1}"]).sum() for place in range(len(ends) - 1)
    }
    found: list[Mapping[str, Any]] = units.group_by("segment").aggregate(**members, **stayed).to_pyarrow().to_pylist()
    return found


def _is_in(stays: Any, instant: datetime) -> Any:
    entered = stays["entered_at"] <= _like(stays["entered_at"], instant)
    still = stays["left_at"].isnull() | (stays["left_at"] > _like(stays["left_at"], instant))
    return entered & still


def _like(column: Any, instant: datetime) -> Any:
    """Columns without a time zone are taken to be in UTC."""
    utc = instant.astimezone(UTC)
    has_zone = getattr(column.type(), "timezone", None) is not None
    return ibis.literal(utc if has_zone else utc.replace(tzinfo=None), column.type())


def _stability(row: Mapping[str, Any], ends: Sequence[datetime]) -> Stability:
    week = partial(_week, row)
    return stability_of([week(place, starts, ends_at) for place, (starts, ends_at) in enumerate(pairwise(ends))])


def stability_of(weeks: Sequence[Week]) -> Stability:
    """Sum up weeks that were counted one by one, oldest first.

    `entering` and `leaving` are Σ entered / Σ before and Σ left / Σ before, so that weeks count by their
    members; undefined where nobody was in at the beginning of any.
    """
    before = sum(one.before for one in weeks)
    return Stability(
        weeks=tuple(weeks),
        entering=sum(one.entered for one in weeks) / before if before else NOBODY_BEFORE,
        leaving=sum(one.left for one in weeks) / before if before else NOBODY_BEFORE,
    )


def _week(row: Mapping[str, Any], place: int, starts_at: datetime, ends_at: datetime) -> Week:
    before, after, stayed = (
        int(row.get(name, 0) or 0) for name in (f"members_{place}", f"members_{place + 1}", f"stayed_{place}")
    )
    return Week(
        starts_at=starts_at,
        ends_at=ends_at,
        before=before,
        after=after,
        entered=after - stayed,
        left=before - stayed,
    )
