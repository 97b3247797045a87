"""Segment cards from what is stored. Heavy to import: never on the path of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from experiments.domain.attribute import AttributeType
from experiments.domain.condition import attributes_of
from experiments.domain.errors import InvalidInput
from experiments.domain.profile import Registry
from experiments.domain.segment import Segment
from experiments.services.ports import Clock, OpenUnitOfWork
from experiments.services.registry_read import every, read_registry
from experiments.services.segment_tables import (
    OUTCOME,
    Described,
    Progress,
    arrivals,
    column_of,
    described,
    purchases_table,
    units_table,
    with_outcome,
)
from segmentation.card import CardBook, Persona, Question, Tables, Trial, make_cards, persona
from segmentation.card.question import AttributeKind

if TYPE_CHECKING:
    import pyarrow as pa

PURCHASE = "purchase"
MOST_WEEKS = 520
NO_SEGMENTS = "There are no segments: `winnow segments make TEMPLATE --save KEY` makes one."
NO_PROFILES = (
    "There are no profiles, so nothing is known of any customer: `winnow import customers FILE` takes them over."
)
NO_MEMBERSHIPS = "Steadiness is not known: who came into a segment and left it is not kept."


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
class Cards:
    """The cards that were asked for; `names` of segments by key, `notes`: sentences on what is not on any card.

    `unregistered`: by segment, the attributes that its condition looks at and no profile can have.
    """

    book: CardBook
    since: datetime
    until: datetime
    names: Mapping[str, str]
    unregistered: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def persona(self, key: str) -> Persona:
        """Raise InvalidInput where there is nobody to draw."""
        if not self.book.cards:
            raise InvalidInput("no_profiles", NO_PROFILES)
        return persona(self.book, key)


class SegmentCards:
    """Reads only."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def make(self, wish: CardWish, progress: Progress) -> Cards:
        """Make the cards of segments, each beside all others, whichever are asked for. Raises NotFound."""
        now = self._clock()
        since = now - timedelta(weeks=wish.weeks)
        with self._open(read_only=True) as work:
            watermark = work.log.watermark(now=now)
            for key in wish.keys:
                work.segments.get(key)
            segments, registry = tuple(every(work.segments)), read_registry(work)
            seen = described(registry)
            units = units_table(work, registry, segments, seen.attributes, now=now, progress=progress)
            purchases = purchases_table(work, wish.purchases, since, watermark, progress)
            arriving = wish.units_per_week or arrivals(work, units, segments, since, watermark)
        known = _Known(segments=segments, units=units, purchases=purchases, arriving=arriving)
        book = _book(known, wish, seen)
        wanted = set(wish.keys) or {one.key for one in segments}
        return Cards(
            book=replace(book, cards=tuple(card for card in book.cards if card.segment in wanted)),
            since=since,
            until=now,
            names={one.key: one.name for one in segments},
            unregistered=_unregistered(segments, registry),
            notes=tuple(_notes(known, wish, seen)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    segments: Sequence[Segment]
    units: pa.Table
    purchases: pa.Table
    arriving: float | Mapping[str, float] | None


def _book(known: _Known, wish: CardWish, seen: Described) -> CardBook:
    if not known.segments or not known.units.num_rows:
        return CardBook(units=known.units.num_rows, everybody=None, cards=())
    bought = known.purchases if known.purchases.num_rows else None
    trial = None
    if bought is not None and known.arriving is not None:
        trial = Trial(outcome=OUTCOME, kind="conversion", units_per_week=known.arriving, minimum_lift=wish.minimum_lift)
    tables = Tables(
        units=with_outcome(known.units, known.purchases),
        segments={one.key: column_of(place) for place, one in enumerate(known.segments)},
        purchases=bought,
    )
    kinds: dict[str, AttributeKind] = {
        key: "number" if one.type is AttributeType.NUMBER else "category" for key, one in seen.attributes.items()
    }
    return make_cards(
        tables,
        Question(
            attributes=kinds,
            defined_by={one.key: attributes_of(one.condition) for one in known.segments},
            trial=trial,
        ),
    )


def _unregistered(segments: Sequence[Segment], registry: Registry) -> dict[str, tuple[str, ...]]:
    looked_at = {one.key: attributes_of(one.condition) - registry.attributes.keys() for one in segments}
    return {key: tuple(sorted(names)) for key, names in looked_at.items() if names}


def _notes(known: _Known, wish: CardWish, seen: Described) -> Iterator[str]:
    """What is missing, and how to get it."""
    if not known.segments:
        yield NO_SEGMENTS
    if not known.units.num_rows:
        yield NO_PROFILES
    if not known.segments or not known.units.num_rows:
        return
    weeks = "the last week" if wish.weeks == 1 else f"the last {wish.weeks} weeks"
    if not known.purchases.num_rows:
        names = ", ".join(wish.purchases)
        yield f"Value, and what can be tested, are not known: no event {names} in {weeks}; --purchases names others."
    elif known.arriving is None:
        yield f"What can be tested is not known: nobody was exposed in {weeks}; --units-per-week says how many will be."
    yield NO_MEMBERSHIPS
    if seen.personal:
        yield f"Left out, as they are personal: {', '.join(seen.personal)}."
    if seen.others:
        yield f"Left out, as cards tell of texts, numbers and flags: {', '.join(seen.others)}."
