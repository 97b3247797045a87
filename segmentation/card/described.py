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
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """By attribute: `values` has a row per value, with its units in each segment; `sums` is of everything else."""

    sums: Row
    values: Mapping[str, tuple[Row, ...]]


def described(base: Base, question: Question) -> Described:
    """Ask for all segments together."""
    return Described(sums=_sums(base), values=_values(base, question))


def _sums(base: Base) -> Row:
    rows, asked = base.rows, {}
    for place, (name, kind) in enumerate(base.attributes.items()):
        column = rows[name]
        for member in base.members.values():
            inside, elsewhere = rows[member], ~rows[member]
            asked[f"known_{place}_{member}"] = column.count(where=inside)
            asked[f"others_{place}_{member}"] = column.count(where=elsewhere)
            if kind == "number":
                asked[f"mean_{place}_{member}"] = column.mean(where=inside)
                asked[f"variance_{place}_{member}"] = column.var(where=inside, how="sample")
                asked[f"others_mean_{place}_{member}"] = column.mean(where=elsewhere)
                asked[f"others_variance_{place}_{member}"] = column.var(where=elsewhere, how="sample")
                asked[f"quartiles_{place}_{member}"] = column.quantile(list(_QUARTILES), where=inside)
    return aggregated(rows, asked)


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
        known = seen.sums[f"known_{place}_{member}"]
        if known >= question.least_units:
            number = kind == "number"
            found.append(
                _number(seen, place, name, member) if number else _category(seen, name, member, known, question)
            )
    return tuple(found)


def _number(seen: Described, place: int, name: str, member: str) -> NumberProfile:
    def of(what: str) -> Any:
        return seen.sums[f"{what}_{place}_{member}"]

    lower, median, upper = of("quartiles")
    return NumberProfile(attribute=name, known=of("known"), mean=of("mean"), lower=lower, median=median, upper=upper)


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
    def spread(of: str) -> Spread:
        known = seen.sums[f"{of or 'known_'}{place}_{member}"]
        mean, variance = (seen.sums[f"{of}{one}_{place}_{member}"] for one in ("mean", "variance"))
        return Spread(known=known, mean=mean or 0.0, variance=max(variance or 0.0, 0.0))

    trait = mean_trait(name, spread(""), spread("others_"), least_units=question.least_units)
    return [] if trait is None else [trait]


def _of_category(seen: Described, place: int, name: str, member: str, question: Question) -> list[Trait]:
    """Of two values that are all there is one says what the other does: the one that the segment has more often."""
    known, others = (seen.sums[f"{of}_{place}_{member}"] for of in ("known", "others"))
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
