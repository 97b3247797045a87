"""Rules for looking: which p-value may name a winner, and which critical value belongs to it."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effects import values
from analysis.estimate import Undefined
from analysis.inference.group_sequential import Spending, spending_boundaries
from analysis.inference.repeated import repeated_p_value
from analysis.intervals import PValues, multipliers
from analysis.plan import Looks, Plan
from analysis.tested import Tested

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]


def decisive_p(board: Board, found: Tested, p: PValues, rows: Rows) -> Floats:
    """Of these rows of the primary metric; NaN where there is none."""
    if board.plan.stopping_rule == "always_valid":
        return p.always[rows]
    if board.plan.stopping_rule == "fixed_horizon":
        return p.once[rows]
    return np.array([_repeated(board, row, found.z[row], p.once[row]) for row in rows], dtype=np.float64)


def _repeated(board: Board, row: int, z: float, once: float) -> float:
    if np.isnan(once):
        return np.nan
    # The normal score with the same p-value: boundaries are for those.
    score = float(np.copysign(values.critical_values(once, np.inf), z))
    found = repeated_p_value(_spending(board.plan, board.plan.alpha), fractions(board, row // len(board.pairs)), score)
    return np.nan if isinstance(found, Undefined) else found


def critical(board: Board, found: Tested, rows: Rows, alpha: Floats, rho: Floats) -> Floats:
    """Of these rows, each at its alpha; NaN where nothing can be concluded at this look."""
    if board.plan.stopping_rule == "always_valid":
        return multipliers(found.clock[rows], alpha, rho)
    if board.plan.stopping_rule == "fixed_horizon":
        return values.critical_values(alpha, found.freedom[rows])
    scopes = rows // len(board.pairs)
    normal = [
        _boundary(board.plan, float(one), fractions(board, scope)) for one, scope in zip(alpha, scopes, strict=True)
    ]
    each = values.two_sided_p(np.array(normal), np.inf)
    return np.where(np.isfinite(normal), values.critical_values(each, found.freedom[rows]), np.nan)


def fractions(board: Board, scope: int) -> tuple[float, ...]:
    """Units at every look so far over the planned ones, this look included."""
    looks, segment = _looks(board.plan), board.scopes[scope].segment
    now = float(board.units[board.strata_of[scope]].sum())
    earlier = [units for units in looks.earlier_units.get(segment, ()) if units < now]
    return tuple(units / looks.planned_units for units in (*earlier, max(now, 1.0)))


def _looks(plan: Plan) -> Looks:
    if plan.looks is None:
        raise ValueError("only a group-sequential plan has looks")
    return plan.looks


def _spending(plan: Plan, alpha: float) -> Spending:
    return Spending(family=_looks(plan).shape, alpha=alpha)


def _boundary(plan: Plan, alpha: float, at: tuple[float, ...]) -> float:
    return _critical_at(_spending(plan, alpha), at)


@lru_cache(maxsize=4096)
def _critical_at(spending: Spending, at: tuple[float, ...]) -> float:
    """Remembered: all comparisons of a scope look at the same units."""
    found = spending_boundaries(spending, at)[-1].critical
    return np.nan if isinstance(found, Undefined) else found
