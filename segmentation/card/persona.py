"""A portrait of a segment, from its card: who they typically are, what sets them apart, what they do."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.estimate import Undefined
from segmentation.card.card import CardBook, CategoryProfile, NumberProfile, Reach, SegmentCard, Trait, Value

MOST_TRAITS = 5
COLUMNS = (
    "segment", "section", "name", "value", "inside", "elsewhere", "low", "high", "lift", "size", "p_value",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalValue:
    """The commonest value of a category; `share` of the units for which the attribute is known."""

    attribute: str
    value: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalNumber:
    """The median; half of the units lie between `lower` and `upper`."""

    attribute: str
    median: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What they do, per unit, beside what all customers do."""

    name: str
    inside: float
    everybody: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """Content that won with them, as the results said; `lift` a fraction."""

    experiment: str
    variant: str
    lift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """`by_definition` is what the segment's condition says anyway, `distinguishing` is what it did not have to be.

    Both hold at most five traits, of as many attributes, the largest first. `habits` are empty where
    nothing is known of purchases.
    """

    segment: str
    units: int
    share: float
    typical: tuple[TypicalValue | TypicalNumber, ...]
    by_definition: tuple[Trait, ...]
    distinguishing: tuple[Trait, ...]
    habits: tuple[Habit, ...]
    channels: tuple[Reach, ...]
    won: tuple[Won, ...]


def persona(book: CardBook, segment: str, *, won: Sequence[Won] = ()) -> Persona:
    """Draw the portrait of one segment of a book. Raises KeyError."""
    card = book.card(segment)
    telling = tuple(_strongest(card.traits))
    return Persona(
        segment=segment,
        units=card.size.units,
        share=card.size.share,
        typical=tuple(_typical(card)),
        by_definition=tuple(trait for trait in telling if trait.by_definition)[:MOST_TRAITS],
        distinguishing=tuple(trait for trait in telling if not trait.by_definition)[:MOST_TRAITS],
        habits=tuple(_habits(card.value, book.everybody)),
        channels=card.reached.channels if card.reached else (),
        won=tuple(won),
    )


def _strongest(traits: Sequence[Trait]) -> Iterator[Trait]:
    """Of each attribute the largest: that they are seldom here and mostly there is one thing, and not five."""
    told: set[str] = set()
    for trait in traits:
        if trait.distinguishing and trait.attribute not in told:
            told.add(trait.attribute)
            yield trait


def _typical(card: SegmentCard) -> Iterator[TypicalValue | TypicalNumber]:
    for profile in card.profiles:
        if isinstance(profile, NumberProfile):
            yield TypicalNumber(
                attribute=profile.attribute, median=profile.median, lower=profile.lower, upper=profile.upper
            )
        elif isinstance(profile, CategoryProfile) and profile.shares:
            value, share = profile.shares[0]
            yield TypicalValue(attribute=profile.attribute, value=value, share=share)


def _habits(value: Value | None, everybody: Value | None) -> Iterator[Habit]:
    if value is None or everybody is None:
        return
    for name in ("revenue_per_unit", "buyer_share", "purchase_value"):
        inside, of_all = getattr(value, name), getattr(everybody, name)
        if not isinstance(inside, Undefined) and not isinstance(of_all, Undefined):
            yield Habit(name=name, inside=inside, everybody=of_all)


def persona_csv(drawn: Persona) -> str:
    """Return the portrait as a table with its header, numbers in full; what does not apply is an empty cell.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(drawn):
        writer.writerow({"segment": _guarded(drawn.segment)} | row)
    return text.getvalue()


def _rows(drawn: Persona) -> Iterator[dict[str, str]]:
    yield _row("size", "units", inside=drawn.units)
    yield _row("size", "share", inside=drawn.share)
    for one in drawn.typical:
        if isinstance(one, TypicalValue):
            yield _row("typical", one.attribute, one.value, inside=one.share)
        else:
            yield _row("typical", one.attribute, inside=one.median, low=one.lower, high=one.upper)
    for section, traits in (("by_definition", drawn.by_definition), ("distinguishing", drawn.distinguishing)):
        for trait in traits:
            yield _trait(section, trait)
    for habit in drawn.habits:
        yield _row("habit", habit.name, inside=habit.inside, elsewhere=habit.everybody)
    for reach in drawn.channels:
        yield _row("channel", reach.channel, inside=reach.share)
    for content in drawn.won:
        yield _row("won", content.experiment, content.variant, lift=content.lift)


def _trait(section: str, trait: Trait) -> dict[str, str]:
    return _row(
        section,
        trait.attribute,
        trait.value or "",
        inside=trait.inside,
        elsewhere=trait.elsewhere,
        lift=trait.lift,
        size=trait.size,
        p_value=trait.p_value,
    )


def _row(section: str, name: str, value: str = "", **numbers: float | Undefined) -> dict[str, str]:
    told = {key: repr(number) for key, number in numbers.items() if not isinstance(number, Undefined)}
    return {"section": section, "name": _guarded(name), "value": _guarded(value), **told}


def _guarded(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
