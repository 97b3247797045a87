"""A look at everybody for segment cards: what is read, in one transaction. Never on the path of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from experiments.domain.errors import InvalidInput
from experiments.domain.membership import MemberWeek, condition_digest
from experiments.domain.profile import Registry
from experiments.domain.promotion import LIVE_STATES, Promotion
from experiments.domain.segment import Segment
from experiments.services.paging import Stored
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.registry_read import every_stored, read_registry
from experiments.services.segments.tables import (
    Described,
    Progress,
    arrivals,
    contacts_table,
    described,
    purchases_table,
    units_table,
)
from segmentation.card import Won

if TYPE_CHECKING:
    import pyarrow as pa

PURCHASE = "purchase"
MOST_WEEKS = 520
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CardWish:
    """Which cards, and from what.

    `keys`: none named: all. `purchases`: names of the events that are purchases, whose values are money. `weeks`: how
    far back purchases and exposures are looked at. `units_per_week`: customers of all segments together that an
    experiment would reach; None: as measured. `minimum_lift`: the smallest one worth acting on.
    """

    keys: tuple[str, ...] = ()
    purchases: tuple[str, ...] = (PURCHASE,)
    weeks: int = 8
    units_per_week: float | None = None
    minimum_lift: float = 0.05

    def __post_init__(self) -> None:
        if not 1 <= self.weeks <= MOST_WEEKS:
            raise InvalidInput("weeks_invalid", f"1 to {MOST_WEEKS} weeks can be looked at.", path="/weeks")
        if self.units_per_week is not None and not 0 < self.units_per_week < float("inf"):
            raise InvalidInput("units_per_week_invalid", "Some customers come each week.", path="/units_per_week")
        if not 0 < self.minimum_lift < float("inf"):
            raise InvalidInput("minimum_lift_invalid", "A lift worth acting on is above 0.", path="/minimum_lift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All segments, everybody with who is in which, and what else is known.

    `arriving`: customers per week, by segment where it was measured; None: nobody came. `weeks`: what was counted
    of a segment by its present condition. `won`: content that is live in a segment because it won there.
    """

    at: datetime
    since: datetime
    segments: tuple[Stored[Segment], ...]
    registry: Registry
    described: Described
    units: pa.Table
    purchases: pa.Table
    contacts: pa.Table
    arriving: float | Mapping[str, float] | None
    weeks: Mapping[str, tuple[MemberWeek, ...]]
    won: Mapping[str, tuple[Won, ...]]


def look_at(work: UnitOfWork, wish: CardWish, now: datetime, progress: Progress) -> Look:
    """Read everything. Raises NotFound where a segment is named that is not there."""
    since = now - timedelta(weeks=wish.weeks)
    watermark = work.log.watermark(now=now)
    for key in wish.keys:
        work.segments.get(key)
    stored, registry = tuple(every_stored(work.segments)), read_registry(work)
    segments, seen = [one.value for one in stored], described(registry)
    units = units_table(work, registry, segments, seen.attributes, now=now, progress=progress)
    purchases = purchases_table(work, wish.purchases, since, watermark, progress)
    return Look(
        at=now,
        since=since,
        segments=stored,
        registry=registry,
        described=seen,
        units=units,
        purchases=purchases,
        contacts=contacts_table(work, since, watermark, progress),
        arriving=wish.units_per_week or arrivals(work, units, segments, since, watermark),
        weeks={one.key: _weeks(work, one) for one in segments},
        won=_won(work),
    )


def _weeks(work: UnitOfWork, segment: Segment) -> tuple[MemberWeek, ...]:
    condition = condition_digest(segment.condition)
    return tuple(week for week in work.reports.weeks(segment.key) if week.condition == condition)


def _won(work: UnitOfWork) -> dict[str, tuple[Won, ...]]:
    found: dict[str, tuple[Won, ...]] = {}
    for one in _live(work):
        gain = one.evidence.predicted_gain
        if gain is not None:
            won = Won(experiment=one.experiment, variant=one.variant, lift=gain)
            found[one.segment] = (*found.get(one.segment, ()), won)
    return found


def _live(work: UnitOfWork) -> Iterator[Promotion]:
    """Newest first, by state."""
    for state in sorted(LIVE_STATES):
        after, more = None, True
        while more:
            page = work.promotions.page(experiment=None, state=state, after=after, limit=_AT_ONCE)
            yield from page.items
            after, more = page.next_after, page.next_after is not None
