"""Segment cards from what is stored. Heavy to import: never on the path of a request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from experiments.domain.attribute import AttributeType
from experiments.domain.condition import attributes_of
from experiments.domain.errors import InvalidInput
from experiments.domain.membership import MemberWeek
from experiments.services.ports import Clock, OpenUnitOfWork
from experiments.services.segments.look import PURCHASE, CardWish, Look, look_at
from experiments.services.segments.reports import NO_SEGMENTS
from experiments.services.segments.tables import OUTCOME, Progress, column_of, with_outcome
from segmentation.card import (
    CardBook,
    Persona,
    Question,
    Stability,
    Tables,
    Trial,
    Week,
    Won,
    make_cards,
    persona,
    stability_of,
)
from segmentation.card.question import AttributeKind

__all__ = ["PURCHASE", "CardWish", "Cards", "SegmentCards", "cards_of"]

WEEKS_TOLD = 12
"""Of those that were counted, so many make a segment's steadiness."""
NO_PROFILES = (
    "There are no profiles, so nothing is known of any customer: `winnow import customers FILE` takes them over."
)
NO_WEEKS = (
    "Steadiness is not known of every segment: who came and left is counted a week after the worker first saw it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """The cards that were asked for; `names` of segments by key, `notes`: sentences on what is not on any card.

    `unregistered`: by segment, the attributes that its condition looks at and no profile can have.
    """

    book: CardBook
    wish: CardWish
    since: datetime
    until: datetime
    names: Mapping[str, str]
    revisions: Mapping[str, int]
    unregistered: Mapping[str, tuple[str, ...]]
    is_registry_used: bool
    won: Mapping[str, tuple[Won, ...]]
    notes: tuple[str, ...]

    def persona(self, key: str) -> Persona:
        """Raise InvalidInput where there is nobody to draw."""
        if not self.book.cards:
            raise InvalidInput("no_profiles", NO_PROFILES)
        return persona(self.book, key, won=self.won.get(key, ()))


class SegmentCards:
    """Reads only."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def make(self, wish: CardWish, progress: Progress) -> Cards:
        """Make the cards of segments, each beside all others, whichever are asked for. Raises NotFound."""
        with self._open(read_only=True) as work:
            found = look_at(work, wish, self._clock(), progress)
        made = cards_of(found, wish)
        wanted = set(wish.keys) or made.names.keys()
        cards = tuple(card for card in made.book.cards if card.segment in wanted)
        return replace(made, book=replace(made.book, cards=cards))


def cards_of(look: Look, wish: CardWish, *, without: Collection[str] = ()) -> Cards:
    """Make the cards of all segments, or of all without some. Raises Refused."""
    segments = [one.value for one in look.segments]
    looked_at = {one.key: attributes_of(one.condition) - look.registry.attributes.keys() for one in segments}
    return Cards(
        book=_book(look, wish, without),
        wish=wish,
        since=look.since,
        until=look.at,
        names={one.key: one.name for one in segments},
        revisions={one.value.key: one.revision for one in look.segments},
        unregistered={key: tuple(sorted(names)) for key, names in looked_at.items() if names},
        is_registry_used=bool(look.registry.attributes),
        won=look.won,
        notes=tuple(_notes(look, wish)),
    )


def _book(look: Look, wish: CardWish, without: Collection[str]) -> CardBook:
    members = {
        one.value.key: column_of(place) for place, one in enumerate(look.segments) if one.value.key not in without
    }
    if not members or not look.units.num_rows:
        return CardBook(units=look.units.num_rows, everybody=None, cards=())
    bought = look.purchases if look.purchases.num_rows else None
    trial = None
    if bought is not None and look.arriving is not None:
        trial = Trial(outcome=OUTCOME, kind="conversion", units_per_week=look.arriving, minimum_lift=wish.minimum_lift)
    tables = Tables(
        units=with_outcome(look.units, look.purchases),
        segments=members,
        purchases=bought,
        contacts=look.contacts if look.contacts.num_rows else None,
        steadiness={key: _steadiness(weeks) for key, weeks in look.weeks.items() if weeks},
    )
    kinds: dict[str, AttributeKind] = {
        key: "number" if one.type is AttributeType.NUMBER else "category"
        for key, one in look.described.attributes.items()
    }
    defined_by = {one.value.key: attributes_of(one.value.condition) for one in look.segments}
    return make_cards(tables, Question(attributes=kinds, defined_by=defined_by, trial=trial))


def _steadiness(weeks: tuple[MemberWeek, ...]) -> Stability:
    return stability_of(
        [
            Week(
                starts_at=one.starts_at,
                ends_at=one.ends_at,
                before=one.before,
                after=one.after,
                entered=one.entered,
                left=one.left,
            )
            for one in weeks[-WEEKS_TOLD:]
        ]
    )


def _notes(look: Look, wish: CardWish) -> Iterator[str]:
    """What is missing, and how to get it."""
    if not look.segments:
        yield NO_SEGMENTS
    if not look.units.num_rows:
        yield NO_PROFILES
    if not look.segments or not look.units.num_rows:
        return
    weeks = "the last week" if wish.weeks == 1 else f"the last {wish.weeks} weeks"
    if not look.purchases.num_rows:
        names = " or ".join(f"“{name}”" for name in wish.purchases)
        yield (
            f"Value, and what can be tested, are not known: there was no event {names} in {weeks}. "
            "WINNOW_PURCHASE_EVENTS names the events that are purchases; with --now, --purchases does."
        )
    elif look.arriving is None:
        yield (
            f"What can be tested is not known: nobody was exposed in {weeks}. "
            "With --now, --units-per-week says how many will be."
        )
    if not all(look.weeks.values()):
        yield NO_WEEKS
    if look.described.personal:
        yield f"Left out, as they are personal: {', '.join(look.described.personal)}."
    if look.described.others:
        yield f"Left out, as cards tell of texts, numbers and flags: {', '.join(look.described.others)}."
