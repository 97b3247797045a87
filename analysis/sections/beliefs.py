"""Chances to be best and expected losses, of pairs and of arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.estimate import ArmBelief, Belief, Undefined
from analysis.groups import all_of
from analysis.inference.beliefs import (
    arm_beliefs,
    beliefs_of_two_arms,
    normal_beliefs,
    rate_arm_beliefs,
    rate_beliefs,
)
from analysis.measured import Batch, Measured
from analysis.plan import Direction, EffectPrior
from analysis.tested import Tested, entering

PairBeliefs: TypeAlias = list[Belief | Undefined]
Rows: TypeAlias = NDArray[np.intp]


def pair_beliefs(measured: Measured) -> dict[int, PairBeliefs]:
    """By metric, and by row of the board.

    Rates in one stratum with a flat prior have Beta posteriors; everything else is near-normal.
    """
    plan, size = measured.board.plan, len(measured.decisive)
    found = {}
    for batch in measured.batches:
        alike: dict[bool, list[int]] = {}
        for number in batch.metrics:
            has_prior = plan.lift_prior is not None and plan.metrics[number].role == "primary"
            alike.setdefault(has_prior, []).append(number)
        for has_prior, metrics in alike.items():
            starts = [batch.metrics.index(number) * size for number in metrics]
            at = np.concatenate([np.arange(start, start + size) for start in starts])
            directions = [plan.metrics[number].direction for number in metrics for _ in range(size)]
            beliefs = _of_rows(measured.board, batch, at, directions, plan.lift_prior if has_prior else None)
            for place, number in enumerate(metrics):
                found[number] = beliefs[place * size : (place + 1) * size]
    return found


def _of_rows(
    board: Board, batch: Batch, rows: Rows, directions: Sequence[Direction], prior: EffectPrior | None
) -> PairBeliefs:
    found = batch.tested
    if batch.kind == "conversion" and not batch.special and prior is None:
        is_plain = (found.why[rows] == 0) & ~found.stratified[rows]
        if all_of(is_plain):
            return rate_beliefs(*_counts(board, batch, rows), direction=directions)
    else:
        is_plain = np.zeros(len(rows), dtype=np.bool_)
    beliefs = normal_beliefs(
        found.difference[rows],
        found.std_error[rows],
        directions,
        prior=prior,
        baseline_values=None if prior is None else _control_values(board, found, rows),
    )
    if is_plain.any():
        plain = is_plain.nonzero()[0].tolist()
        exact = rate_beliefs(*_counts(board, batch, rows[plain]), direction=[directions[row] for row in plain])
        for row, belief in zip(plain, exact, strict=True):
            beliefs[row] = belief
    return beliefs


def _control_values(board: Board, found: Tested, rows: Rows) -> NDArray[np.float64]:
    """Baselines that are the control; NaN for others."""
    controls = np.array([baseline == board.plan.control for _, baseline in board.pairs])
    return np.where(controls[rows % len(controls)], found.baseline[rows], np.nan)


def _counts(board: Board, batch: Batch, rows: Rows) -> list[NDArray[np.float64]]:
    """Successes and units of both arms, of rows with one stratum."""
    arms, column = batch.samples.arms, entering(batch.samples, board.plan.min_units)[rows].argmax(axis=1)
    n, mean = arms.n[:, rows, column], arms.mean[:, rows, column]
    successes = np.rint(n * mean)
    return [successes[0], n[0], successes[1], n[1]]


def arm_rows(board: Board) -> list[list[int]]:
    """By scope, the rows of the arms that are still offered against the control; none where there are not two."""
    places = {pair: place for place, pair in enumerate(board.pairs)}
    control = board.plan.control
    return [
        [
            number * len(board.pairs) + places[variant, control]
            for variant in (scope.current if control in scope.current else ())
            if variant != control
        ]
        for number, scope in enumerate(board.scopes)
    ]


def beliefs_of_arms(measured: Measured, beliefs: Sequence[PairBeliefs]) -> list[list[tuple[ArmBelief, ...]]]:
    """By scope and by metric, the arms that are still offered; none while one of them has no estimate.

    `beliefs`: by metric, and by row of the board.
    """
    board, rows_of = measured.board, arm_rows(measured.board)
    alone = [rows[0] for rows in rows_of if len(rows) == 1]
    known = {
        (number, row): belief
        for number, by_row in enumerate(beliefs)
        for row in alone
        if not isinstance(belief := by_row[row], Undefined)
    }
    pairs = [board.pairs[row % len(board.pairs)] for _, row in known]
    of_two: dict[tuple[int, int], tuple[ArmBelief, ...]]
    of_two = dict(zip(known, beliefs_of_two_arms(pairs, list(known.values())), strict=True))

    def of(number: int, rows: list[int]) -> tuple[ArmBelief, ...]:
        if len(rows) > 1:
            return _several(measured, number, rows)
        return of_two.get((number, rows[0]), ()) if rows else ()

    return [[of(number, rows) for number in range(len(beliefs))] for rows in rows_of]


def _several(measured: Measured, number: int, rows: list[int]) -> tuple[ArmBelief, ...]:
    board, metric = measured.board, measured.board.plan.metrics[number]
    batch, _, of = measured.of(number)
    found, at = batch.tested, of.start + np.array(rows)
    # A prior is on lifts over the control; for several treatments at once there is no posterior here.
    has_prior = metric.role == "primary" and board.plan.lift_prior is not None
    if has_prior or found.why_error[at].any():
        return ()
    variants = [board.plan.control, *(board.pairs[row % len(board.pairs)][0] for row in rows)]
    if metric.kind == "conversion" and not batch.special and not found.stratified[at].any():
        places = [board.variants[variant] for variant in variants]
        arms = board.arms.take(np.s_[number, rows[0] // len(board.pairs), places])
        return rate_arm_beliefs(variants, np.round(arms.total), arms.n, metric.direction)
    # Relative to the control, whose own error all comparisons share.
    values = np.concatenate([[0.0], found.difference[at]])
    variances = np.concatenate([[found.baseline_variance[at].mean()], found.treatment_variance[at]])
    return arm_beliefs(variants, values, np.sqrt(variances), metric.direction)
