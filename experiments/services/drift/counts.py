"""How many units of each segment are still there, where the others went, and whether a variant sent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.quality.moves import MoveTest, moving_differs
from experiments.domain.segment import EVERYONE

Codes = NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The units that count: numbers of their segment at exposure and now, of their variant and epoch.

    Numbers are places in `segments` and `variants`; now it may be `UNKNOWN`.
    """

    segments: Sequence[str]
    variants: Sequence[str]
    then: Codes
    now: Codes
    variant: Codes
    epoch: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDrift:
    """Of the units that were counted in a segment: `moved` are in another one now, `in_none` of these in no named one.

    `moved_to` names the others; by variant, `known` are units whose present segment is known.
    """

    segment: str
    units: int
    stayed: int
    unknown: int
    in_none: int
    moved_to: Mapping[str, int]
    known: tuple[int, ...]
    test: MoveTest

    @property
    def moved(self) -> int:
        return self.units - self.stayed - self.unknown


def count_drift(placed: Placed) -> tuple[SegmentDrift, ...]:
    """Return a row per segment, in their order."""
    size = len(placed.segments)
    where = np.bincount(placed.then * (size + 1) + placed.now + 1, minlength=size * (size + 1)).reshape(size, -1)
    return tuple(_row(placed, number, where[number]) for number in range(size))


def _row(placed: Placed, number: int, where: Codes) -> SegmentDrift:
    known, moved = _strata(placed, number)
    elsewhere = {
        key: int(units)
        for place, (key, units) in enumerate(zip(placed.segments, where[1:], strict=True))
        if units and place != number
    }
    return SegmentDrift(
        segment=placed.segments[number],
        units=int(where.sum()),
        stayed=int(where[1 + number]),
        unknown=int(where[0]),
        in_none=elsewhere.pop(EVERYONE, 0),
        moved_to=elsewhere,
        known=tuple(known.sum(axis=0).tolist()),
        test=moving_differs(known.tolist(), moved.tolist()),
    )


def _strata(placed: Placed, number: int) -> tuple[Codes, Codes]:
    """Units whose present segment is known, and those of them that moved: epochs × variants."""
    rows = (placed.then == number) & (placed.now != UNKNOWN)
    epochs, place = np.unique(placed.epoch[rows], return_inverse=True)
    width = len(placed.variants)
    cell, shape = place * width + placed.variant[rows], (max(len(epochs), 1), width)
    gone = placed.now[rows] != number
    counts = (np.bincount(some, minlength=shape[0] * width).reshape(shape) for some in (cell, cell[gone]))
    known, moved = counts
    return known, moved
