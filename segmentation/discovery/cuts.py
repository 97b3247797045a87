"""All ways to cut a node in two by one attribute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segmentation.discovery.experiment import Experiment
from segmentation.discovery.sums import Codes, Sums, effect, sums_by
from segmentation.rules import Bound, Choice, Column, Range, readable
from segmentation.rules.columns import Floats

_MOST_CUTS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An attribute as codes of the proposing units: 0 … groups - 1 in order, and `groups` for missing.

    `cuts` are the upper ends of a number's groups but the last; `values` what a choice's groups stand for.
    """

    attribute: str
    codes: Codes
    groups: int
    missing: bool
    cuts: tuple[float, ...] = ()
    values: tuple[str | bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Two sides, and the sums of each."""

    left: Bound
    right: Bound
    left_sums: Sums
    right_sums: Sums


def numbered(column: Column, most_values: int) -> Numbered | None:
    """None where there is nothing to cut, or more texts than `most_values`."""
    present = ~column.missing
    if column.kind == "number":
        return _of_numbers(column, column.values[present])
    if column.kind == "other":
        return None
    values = sorted(set(column.values[present].tolist()))
    if not values or len(values) > most_values or (len(values) == 1 and present.all()):
        return None
    place = {value: index for index, value in enumerate(values)}
    codes = np.fromiter((place.get(value, len(values)) for value in column.values), dtype=np.intp)
    named = tuple(bool(value) if column.kind == "boolean" else value for value in values)
    return Numbered(attribute=column.name, codes=codes, groups=len(values), missing=not present.all(), values=named)


def _of_numbers(column: Column, present: Floats) -> Numbered | None:
    if not len(present):
        return None
    ends = np.unique(np.quantile(present, np.linspace(0, 1, _MOST_CUTS + 2)[1:-1], method="lower"))
    cuts = sorted({readable(float(end), present, 0.01) for end in ends})
    cuts = [cut for cut in cuts if present.min() <= cut < present.max()]
    if not cuts:
        return None
    codes = np.searchsorted(np.array(cuts), column.values, side="left").astype(np.intp)
    codes[column.missing] = len(cuts) + 1
    return Numbered(
        attribute=column.name, codes=codes, groups=len(cuts) + 1, missing=bool(column.missing.any()), cuts=tuple(cuts)
    )


def cuts_of(attribute: Numbered, experiment: Experiment, inside: Codes) -> Iterator[Cut]:
    """Of the units whose rows are `inside`, `experiment` being those; missing ones on either side."""
    sums = sums_by(experiment, attribute.codes[inside], attribute.groups + 1)
    present, absent = sums[:-1], sums[-1]
    order = np.arange(attribute.groups) if attribute.cuts else np.argsort(effect(present), kind="stable")
    before = np.cumsum(present[order], axis=0)
    whole = before[-1] + absent
    somebody = bool(absent[0] + absent[3])
    for place in range(attribute.groups - 1 + bool(somebody and attribute.values)):
        for missing_left in (False, True) if somebody and place < attribute.groups - 1 else (False,):
            left = before[place] + absent if missing_left else before[place]
            one, other = _sides(attribute, order, place, missing_left)
            yield Cut(left=one, right=other, left_sums=left, right_sums=whole - left)


def _sides(attribute: Numbered, order: Codes, place: int, missing_left: bool) -> tuple[Bound, Bound]:
    name = attribute.attribute
    if attribute.cuts:
        cut = attribute.cuts[place]
        return (
            Range(attribute=name, at_most=cut, missing=missing_left),
            Range(attribute=name, above=cut, missing=attribute.missing and not missing_left),
        )
    values = frozenset(attribute.values[index] for index in order[: place + 1])
    return (
        Choice(attribute=name, values=values, missing=missing_left),
        Choice(attribute=name, values=values, inverted=True, missing=attribute.missing and not missing_left),
    )
