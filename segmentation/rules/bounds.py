"""What a rule asks of one attribute, and what two of them ask together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segmentation.rules.columns import Column, Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """above < x ≤ at_most, either end open where it is None; `missing`: whether a unit without the attribute fits."""

    attribute: str
    above: float | None = None
    at_most: float | None = None
    missing: bool = False

    def __post_init__(self) -> None:
        if self.above is not None and self.at_most is not None and not self.above < self.at_most:
            raise ValueError(f"an empty range of {self.attribute}: {self.above}, {self.at_most}")

    def matches(self, column: Column) -> Flags:
        values, absent = column.values, column.missing
        inside = np.ones(len(values), dtype=bool)
        if self.above is not None:
            inside &= values > self.above
        if self.at_most is not None:
            inside &= values <= self.at_most
        return np.where(absent, self.missing, inside)

    def document(self) -> dict[str, object]:
        """A condition; `$exists` where it must say that a missing value, which order reads as 0, does not fit."""
        operators: dict[str, object] = {}
        if self.above is not None:
            operators["$gt"] = number(self.above)
        if self.at_most is not None:
            operators["$lte"] = number(self.at_most)
        if self.missing:
            return {"$or": [{self.attribute: operators}, {self.attribute: None}]}
        if self._holds_zero():
            operators["$exists"] = True
        return {self.attribute: operators}

    def _holds_zero(self) -> bool:
        return (self.above is None or self.above < 0) and (self.at_most is None or self.at_most >= 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the values, or with `inverted` none of them; `missing`: whether a unit without the attribute fits."""

    attribute: str
    values: frozenset[str | bool]
    inverted: bool = False
    missing: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"a choice of {self.attribute} among nothing")

    def matches(self, column: Column) -> Flags:
        wanted = {float(value) if isinstance(value, bool) else value for value in self.values}
        among = np.fromiter((value in wanted for value in column.values), dtype=bool, count=len(column.values))
        return np.where(column.missing, self.missing, among != self.inverted)

    def document(self) -> dict[str, object]:
        values = sorted(self.values)
        if not self.inverted and len(values) == 1:
            operand: object = values[0]
        else:
            operand = {"$nin" if self.inverted else "$in": values}
        if self.inverted and not self.missing and isinstance(operand, dict):
            operand["$exists"] = True
        if self.missing and not self.inverted:
            return {"$or": [{self.attribute: operand}, {self.attribute: None}]}
        return {self.attribute: operand}


Bound = Range | Choice


def both(one: Bound, other: Bound) -> Bound:
    """What fits both, of the same attribute; an empty one raises `ValueError`."""
    missing = one.missing and other.missing
    if isinstance(one, Range) and isinstance(other, Range):
        return Range(
            attribute=one.attribute,
            above=max((end for end in (one.above, other.above) if end is not None), default=None),
            at_most=min((end for end in (one.at_most, other.at_most) if end is not None), default=None),
            missing=missing,
        )
    if isinstance(one, Choice) and isinstance(other, Choice):
        values, inverted = _common(one, other)
        return Choice(attribute=one.attribute, values=values, inverted=inverted, missing=missing)
    raise ValueError(f"{one.attribute} is a number and a choice")


def _common(one: Choice, other: Choice) -> tuple[frozenset[str | bool], bool]:
    if one.inverted and other.inverted:
        return one.values | other.values, True
    if one.inverted:
        return other.values - one.values, False
    return (one.values - other.values if other.inverted else one.values & other.values), False


def number(value: float) -> int | float:
    """A whole number is written as one."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
