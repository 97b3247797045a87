"""The primary metric's effect by day since exposure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.board import Board
from analysis.comparison import Evidence, compare_all
from analysis.estimate import Finding, Novelty
from analysis.groups import FIELDS, Groups, pooled, row_of
from analysis.moments import DayKey
from analysis.quality.novelty import novelty, novelty_finding
from analysis.scopes import Stratum


def novelties(board: Board, number: int) -> tuple[tuple[Novelty, ...], list[Finding]]:
    """Of one scope: every treatment that was offered against the control, and what stands out."""
    plan, scope = board.plan, board.scopes[number]
    if not board.table.by_day or plan.control not in scope.offered:
        return (), []
    together = [variant for variant in scope.offered if variant != plan.control and _common(board, number, variant)]
    found = tuple(_novelty(board, number, variant) for variant in together)
    said = [
        novelty_finding(one, metric=plan.primary.key, treatment_name=plan.variant_name(one.treatment)) for one in found
    ]
    return found, [finding for finding in said if finding]


def _common(board: Board, number: int, treatment: str) -> list[int]:
    """Strata in which both were offered."""
    both = {treatment, board.plan.control}
    return [place for place, stratum in enumerate(board.scopes[number].strata) if both <= stratum.variants]


def _novelty(board: Board, number: int, treatment: str) -> Novelty:
    plan = board.plan
    days = range(plan.novelty_days)
    shared = [one for one in board.scopes[number].strata if {treatment, plan.control} <= one.variants]
    one, other = (Groups.from_array(_groups(board, shared, variant)) for variant in (treatment, plan.control))
    kind = "mean" if plan.primary.covariates or plan.primary.kind == "quantile" else plan.primary.kind
    units = one.n + other.n
    rule = Evidence(alpha=plan.alpha, rho=1.0, min_units=plan.min_units)
    effects = compare_all(kind, one, other, units, rule, intervals=False)
    return novelty(
        treatment,
        plan.control,
        list(days),
        units.sum(axis=1).astype(int).tolist(),
        effects.difference,
        variances=effects.std_error**2,
        alpha=plan.alpha,
    )


def _groups(board: Board, strata: Sequence[Stratum], variant: str) -> np.ndarray:
    """Shape (days, strata, fields of `Groups`); an empty stratum where there is none."""
    days = board.plan.novelty_days
    filled = np.zeros((days, max(len(strata), 1), len(FIELDS)))
    for column, stratum in enumerate(strata):
        for day in range(days):
            keys = (DayKey(stratum.epoch, segment, variant, day) for segment in sorted(stratum.segments))
            rows = [row_of(board.table.by_day[key]) for key in keys if key in board.table.by_day]
            if rows:
                filled[day, column] = pooled(np.array(rows)[:, None])[0]
    return filled
