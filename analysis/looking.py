"""Rules for looking: which p-value may name a winner, and which critical value belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.effects import values
from analysis.estimate import Finding, Undefined
from analysis.inference.group_sequential import Spending, spending_boundaries
from analysis.inference.repeated import repeated_p_value
from analysis.intervals import PValues, multipliers
from analysis.plan import Looks, Plan, Standing
from analysis.quality.exclusions import incomplete
from analysis.tested import Tested

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]


def decisive_p(board: Board, found: Tested, p: PValues, rows: Rows) -> Floats:
    """Of these rows of the primary metric; NaN where there is none."""
    if board.plan.stopping_rule == "always_valid":
        return p.always[rows]
    if board.plan.stopping_rule == "fixed_horizon":
        return p.once[rows]
    return np.array([_repeated(board, row, found.z[row], p.once[row]) for row in rows.tolist()], dtype=np.float64)


def _repeated(board: Board, row: int, z: float, once: float) -> float:
    if np.isnan(once):
        return np.nan
    # The normal score with the same p-value: boundaries are for those.
    score = float(np.copysign(values.critical_values(once, np.inf), z))
    at = fractions(board, _scope(board, row))
    if at is None:
        return np.nan
    found = repeated_p_value(_spending(board.plan, board.plan.alpha), at, score)
    return np.nan if isinstance(found, Undefined) else found


def critical(board: Board, found: Tested, rows: Rows, alpha: Floats, rho: Floats) -> Floats:
    """Of these rows, each at its alpha; NaN where nothing can be concluded at this look."""
    if board.plan.stopping_rule == "always_valid":
        return multipliers(found.clock[rows], alpha, rho)
    if board.plan.stopping_rule == "fixed_horizon":
        return values.critical_values(alpha, found.freedom[rows])
    scopes = [_scope(board, row) for row in rows.tolist()]
    normal = [
        _boundary(board.plan, float(one), fractions(board, scope)) for one, scope in zip(alpha, scopes, strict=True)
    ]
    each = values.two_sided_p(np.array(normal), np.inf)
    return np.where(np.isfinite(normal), values.critical_values(each, found.freedom[rows]), np.nan)


def _scope(board: Board, row: int) -> int:
    """Rows of a batch are metric by metric, each with those of the board."""
    return row // len(board.pairs) % len(board.scopes)


def fractions(board: Board, scope: int) -> tuple[float, ...] | None:
    """Units at every look so far over the planned ones, this look included; None where this look sees no more of them.

    Units with an outcome on the primary metric: those whose window is not complete bring no information yet. A look at
    the same units again, whose outcomes may have changed, has nothing to spend: it would be free otherwise.
    """
    looks, segment = _looks(board.plan), board.scopes[scope].segment
    now = float(board.arms.n[board.primary, scope].sum())
    earlier = looks.earlier_units.get(segment, ())
    if not now or (earlier and now <= earlier[-1]):
        return None
    return tuple(units / planned_units(board.plan, segment) for units in (*earlier, now))


def standing(board: Board, scope: int) -> Mapping[tuple[str, str], Standing]:
    """What stands of a scope, by (treatment, baseline), where this look decides nothing."""
    if not stands(board, scope):
        return {}
    found = _looks(board.plan).standing.get(board.scopes[scope].segment, ())
    return {(one.treatment, one.baseline): one for one in found}


def stands(board: Board, scope: int) -> bool:
    """Whether an earlier look was the last one that decides anything here."""
    if board.plan.looks is None or not board.arms.n[board.primary, scope].sum():
        return False
    return fractions(board, scope) is None


def planned_units(plan: Plan, segment: str | None) -> float:
    """Of all segments together, and of each: as many as of any other, unless the plan says more."""
    looks = _looks(plan)
    if segment is None:
        return float(looks.planned_units)
    return looks.planned_by_segment.get(segment, looks.planned_units / len(plan.segments))


def with_outcome(board: Board) -> int:
    """Units whose outcome on the primary metric will not change any more: the windows of the others are not over."""
    maturing = incomplete(board.scopes[0], board.table.maturing).get(board.plan.primary.key, 0)
    return int(board.units_of[0]) - maturing


def before_its_look(plan: Plan, units: int) -> str:
    """'Only 1,500 of the 20,000 planned customers are in', of a plan with one look that is still to come; else ''.

    `units`: those with an outcome.
    """
    if plan.stopping_rule != "fixed_horizon" or units >= plan.tuned_for_units:
        return ""
    how = "are in" if plan.primary.window_seconds is None else "have had their time"
    return f"Only {units:,} of the {plan.tuned_for_units:,} planned {plan.units_name} {how}"


def has_ended(plan: Plan) -> bool:
    """Whether nobody can come in any more: the data reach to the end of all epochs."""
    ends = [cell.follow_up_ends_at for cell in plan.cells]
    return plan.watermark_at is not None and all(end is not None and end <= plan.watermark_at for end in ends)


def look_findings(plan: Plan, units: int) -> list[Finding]:
    """A reminder where verdicts do not hold at every look; a warning before the one that was planned."""
    if plan.stopping_rule != "fixed_horizon":
        return []
    early = before_its_look(plan, units)
    if early and has_ended(plan):
        message = f"{early}, and it has ended: stopped for what they said, numbers show differences that are not there"
        return [Finding(code="single_look", severity="info", message=message)]
    if early:
        message = f"{early}: who looks early and often finds winners that are none; do not act on this before the "
        return [Finding(code="single_look", severity="warning", message=f"{message}planned end")]
    message = "The verdicts hold for one look, planned beforehand; looking again and again makes them wrong more often"
    return [Finding(code="single_look", severity="info", message=message)]


def _looks(plan: Plan) -> Looks:
    if plan.looks is None:
        raise ValueError("only a group-sequential plan has looks")
    return plan.looks


def _spending(plan: Plan, alpha: float) -> Spending:
    return Spending(family=_looks(plan).shape, alpha=alpha)


def _boundary(plan: Plan, alpha: float, at: tuple[float, ...] | None) -> float:
    if at is None:
        return np.nan
    return _critical_at(_spending(plan, alpha), at)


@lru_cache(maxsize=4096)
def _critical_at(spending: Spending, at: tuple[float, ...]) -> float:
    """Remembered: all comparisons of a scope look at the same units."""
    found = spending_boundaries(spending, at)[-1].critical
    return np.nan if isinstance(found, Undefined) else found
