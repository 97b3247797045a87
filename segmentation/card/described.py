"""Attributes of all segments, inside and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import ibis

from segmentation.card.base import Base, aggregated
from segmentation.card.card import CategoryProfile, NumberProfile, Profile, Trait
from segmentation.card.question import Question
from segmentation.card.traits import Share, Spread, judged, mean_trait, share_trait

_QUARTILES = (0.25, 0.5, 0.75)
INSIDE, ELSEWHERE = "inside", "elsewhere"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """By attribute: `values` has a row per value, with its units in each segment; `sums` is of everything else."""

    sums: Row
    values: Mapping[str, tuple[Row, ...]]

    def known(self, place: int, member: str, side: str = INSIDE) -> int:
        """Units for which an attribute is known; a side without units has no sums."""
        return int(self.sums.get(f"{side}_known_{place}_{member}", 0))

    def spread(self, place: int, member: str, side: str) -> Spread:
        """Of a number."""
        mean, variance = (self.sums.get(f"{side}_{what}_{place}_{member}") for what in ("mean", "variance"))
        return Spread(known=self.known(place, member, side), mean=mean or 0.0, variance=max(variance or 0.0, 0.0))


def described(base: Base, question: Question) -> Described:
    """Ask for all segments together."""
    return Described(sums=_sums(base), values=_values(base, question))


def _sums(base: Base) -> Row:
    """One segment after the other, as each splits the units in two: with a filter for every sum it takes far longer."""
    rows = base.rows
    numbers = [place for place, kind in enumerate(base.attributes.values()) if kind == "number"]
    columns = [rows[name] for name in base.attributes]
    asked = {f"known_{place}": column.count() for place, column in enumerate(columns)}
    asked |= {f"mean_{place}": columns[place].mean() for place in numbers}
    asked |= {f"variance_{place}": columns[place].var(how="sample") for place in numbers}
    found: dict[str, Any] = {}
    for member in base.members.values() if asked else ():
        for row in rows.group_by(member).aggregate(**asked).to_pyarrow().to_pylist():
            side = INSIDE if row[member] else ELSEWHERE
            found |= {f"{side}_{what}_{member}": row[what] for what in asked}
    quartiles = {
        f"{INSIDE}_quartiles_{place}_{member}": columns[place].quantile(list(_QUARTILES), where=rows[member])
        for place in numbers
        for member in base.members.values()
    }
    return found | aggregated(rows, quartiles)


def _values(base: Base, question: Question) -> dict[str, tuple[Row, ...]]:
    categories = [name for name, kind in base.attributes.items() if kind == "category"]
    if not categories:
        return {}
    parts = [_by_value(base, place, name, question.most_values) for place, name in enumerate(categories)]
    found = reduce(lambda one, other: one.union(other), parts).to_pyarrow().to_pylist()
    found.sort(key=lambda row: (row["place"], -row["units"], row["value"]))
    return {name: tuple(row for row in found if row["place"] == place) for place, name in enumerate(categories)}


def _by_value(base: Base, place: int, name: str, most: int) -> Any:
    rows = base.rows
    members = {member: rows[member].sum() for member in base.members.values()}
    grouped = rows.group_by(value=rows[name]).aggregate(units=rows.count(), **members)
    commonest = grouped.filter(grouped["value"].notnull()).order_by([ibis.desc("units"), "value"]).limit(most)
    return commonest.mutate(place=ibis.literal(place, "int64"))


def profiles_of(base: Base, seen: Described, segment: str, question: Question) -> tuple[Profile, ...]:
    """Attributes of the segment's own units, those that too few of them have left out, and rare values too."""
    member = base.members[segment]
    found: list[Profile] = []
    for place, (name, kind) in enumerate(base.attributes.items()):
        known = seen.known(place, member)
        if known >= question.least_units:
            number = kind == "number"
            found.append(
                _number(seen, place, name, member) if number else _category(seen, name, member, known, question)
            )
    return tuple(found)


def _number(seen: Described, place: int, name: str, member: str) -> NumberProfile:
    lower, median, upper = seen.sums[f"{INSIDE}_quartiles_{place}_{member}"]
    inside = seen.spread(place, member, INSIDE)
    return NumberProfile(attribute=name, known=inside.known, mean=inside.mean, lower=lower, median=median, upper=upper)


def _category(seen: Described, name: str, member: str, known: int, question: Question) -> CategoryProfile:
    told = [row for row in seen.values[name] if row[member] >= question.least_units]
    told.sort(key=lambda row: -row[member])
    return CategoryProfile(
        attribute=name, known=known, shares=tuple((row["value"], row[member] / known) for row in told)
    )


def traits_of(base: Base, seen: Described, segment: str, question: Question) -> tuple[Trait, ...]:
    """All differences of the segment from everybody else, judged together."""
    member = base.members[segment]
    found: list[Trait] = []
    for place, (name, kind) in enumerate(base.attributes.items()):
        if kind == "number":
            found += _of_number(seen, place, name, member, question)
        else:
            found += _of_category(seen, place, name, member, question)
    return judged(
        found,
        alpha=question.alpha,
        least_size=question.least_size,
        defined_by=question.defined_by.get(segment, ()),
    )


def _of_number(seen: Described, place: int, name: str, member: str, question: Question) -> list[Trait]:
    inside, elsewhere = (seen.spread(place, member, side) for side in (INSIDE, ELSEWHERE))
    trait = mean_trait(name, inside, elsewhere, least_units=question.least_units)
    return [] if trait is None else [trait]


def _of_category(seen: Described, place: int, name: str, member: str, question: Question) -> list[Trait]:
    """Of two values that are all there is one says what the other does: the one that the segment has more often."""
    known, others = (seen.known(place, member, side) for side in (INSIDE, ELSEWHERE))
    if not known or not others:
        return []
    rows = seen.values[name]
    compared = [
        share_trait(
            name,
            row["value"],
            Share(with_value=row[member], known=known),
            Share(with_value=row["units"] - row[member], known=others),
            least_units=question.least_units,
        )
        for row in rows
    ]
    found = [trait for trait in compared if trait is not None]
    return [max(found, key=lambda trait: trait.size)] if len(rows) == len(found) == 2 else found
