"""Where falling functions meet their targets, many at once: how tests become intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]

# x and the rows it is for, to values; falling in x within every row.
Falling: TypeAlias = Callable[[Floats, Rows], Floats]

_MOST_STEPS = 400
_HALVE_EVERY = 8
_CLOSE = 1e-10
_HIT = 1e-5
_WORTH_NARROWING = 64


class Bracket(NamedTuple):
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Known:
    """A point of every row, and the finite value there."""

    point: Floats
    value: Floats


@dataclass(slots=True)
class _Search:
    """Rows that are still searched: bracket, the point before, the point now."""

    rows: Rows
    low: Floats
    high: Floats
    before: Floats
    excess_before: Floats
    point: Floats
    reach: Floats

    def keep(self, open_: NDArray[np.bool_]) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name)[open_])


def falling_roots(function: Falling, target: Floats, bracket: Bracket, known: Known, guess: Floats) -> Floats:
    """x in the bracket with function(x) = target, row by row.

    Parameters
    ----------
    function
        At the low end above the target, at the high end not above it.
    bracket
        An end may be infinite.
    known, guess
        The search starts with the line through both; the guess is a first idea of the root, another point than the
        known one. Points outside of the bracket are moved to its middle.

    Returns
    -------
    array
        The last step is below 1e-10 of the distance between known point and guess, its error much below that.

    Notes
    -----
    The secant method inside of a bracket, which is halved (doubled, while an end is infinite) when the line leaves it
    and at every eighth step: some six evaluations where the function is nearly straight, as test statistics are in
    their hypothesis.
    """
    rows, (low, high) = np.arange(len(target)), bracket
    away = np.abs(guess - known.point)
    scale = _CLOSE * away
    search = _Search(
        rows=rows,
        low=low.copy(),
        high=high.copy(),
        before=known.point,
        excess_before=known.value - target,
        point=guess,
        reach=np.maximum(away, 1e-3),
    )
    found = np.empty_like(target)
    # Infinite ends and values are meant; what comes of them is outside of every bracket.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        search.point = _kept_inside(search, guess, (low < guess) & (guess < high))
        for step in range(1, _MOST_STEPS):
            moved, is_done = _advance(search, function, target[search.rows], scale[search.rows], step)
            found[search.rows] = moved
            if is_done.all():
                break
            if len(is_done) > _WORTH_NARROWING:
                search.keep(~is_done)
    return found


def _advance(
    search: _Search, function: Falling, target: Floats, scale: Floats, step: int
) -> tuple[Floats, NDArray[np.bool_]]:
    point = search.point
    excess = function(point, search.rows) - target
    above = excess > 0
    search.low = np.where(above, point, search.low)
    search.high = np.where(above, search.high, point)
    moved = point - excess * ((point - search.before) / (excess - search.excess_before))
    inside = (search.low < moved) & (moved < search.high) & (np.abs(moved - point) <= 4 * search.reach)
    if step % _HALVE_EVERY == 0:
        inside &= ~(np.abs(moved - point) > 1e3 * scale)
    moved = _kept_inside(search, moved, inside)
    moved = np.where(excess == 0, point, moved)
    # A short step alone is no sign of a root where the function bends sharply.
    close = scale + 2.0**-52 * np.abs(point)
    is_done = (np.abs(moved - point) <= close) & (np.abs(excess) <= _HIT) | (search.high - search.low <= close)
    search.before, search.excess_before, search.point = point, excess, moved
    return moved, is_done


def _kept_inside(search: _Search, point: Floats, inside: NDArray[np.bool_]) -> Floats:
    """The point, or the bracket's middle; while an end is infinite, twice as far from the other one as before."""
    if inside.all():
        return point
    low, high = search.low, search.high
    search.reach = np.where(inside, search.reach, 2 * search.reach)
    middle = low + (high - low) / 2
    middle = np.where(np.isinf(high), low + search.reach, middle)
    middle = np.where(np.isinf(low), high - search.reach, middle)
    return np.where(inside, point, middle)
