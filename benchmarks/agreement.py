"""Sides that do the same work come to the same numbers, or the race is worth nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose

# Raw sums of squares lose some digits that centred ones keep; what is compared is far above both.
RELATIVE, ABSOLUTE = 1e-7, 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many numbers two sides have in common, and the first that differs."""

    case: str
    ours: str
    other: str
    compared: int
    differs: str | None = None

    @property
    def is_kept(self) -> bool:
        return self.differs is None and self.compared > 0


def agreements(case: str, ours: str, numbers: Mapping[str, Mapping[str, float]]) -> tuple[Agreement, ...]:
    """Our numbers beside those of each other side that names any."""
    return tuple(
        _compared(case, ours, numbers[ours], other, theirs)
        for other, theirs in numbers.items()
        if ours in numbers and other != ours and theirs
    )


def _compared(case: str, ours: str, mine: Mapping[str, float], other: str, theirs: Mapping[str, float]) -> Agreement:
    common = [key for key in mine if key in theirs]
    differing = (
        f"{key}: {mine[key]!r} v {theirs[key]!r}"
        for key in common
        if not isclose(mine[key], theirs[key], rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    )
    return Agreement(case=case, ours=ours, other=other, compared=len(common), differs=next(differing, None))
