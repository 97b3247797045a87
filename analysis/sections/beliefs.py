"""Chances to be best and expected losses, of pairs and of arms."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from analysis.estimate import ArmBelief, Belief, Undefined
from analysis.inference.beliefs import arm_beliefs, normal_beliefs, rate_arm_beliefs, rate_beliefs, two_arm_beliefs
from analysis.measured import Measured

PairBeliefs: TypeAlias = list[Belief | Undefined]


def pair_beliefs(measured: Measured, number: int) -> PairBeliefs:
    """By row of the board, on one metric.

    Rates in one stratum with a flat prior have Beta posteriors; everything else is near-normal.
    """
    plan, metric = measured.board.plan, measured.board.plan.metrics[number]
    batch, _, rows = measured.of(number)
    found = batch.tested
    controls = np.array([baseline == plan.control for _, baseline in measured.board.pairs] * len(measured.board.scopes))
    prior = plan.lift_prior if metric.role == "primary" else None
    beliefs = normal_beliefs(
        found.difference[rows],
        found.std_error[rows],
        metric.direction,
        prior=prior,
        baseline_values=None if prior is None else np.where(controls, found.baseline[rows], np.nan),
    )
    if metric.kind != "conversion" or batch.special or prior is not None:
        return beliefs
    plain = np.flatnonzero((found.why[rows] == 0) & ~found.stratified[rows])
    if not len(plain):
        return beliefs
    exact = rate_beliefs(*_counts(measured, number, plain), direction=metric.direction)
    for row, belief in zip(plain.tolist(), exact, strict=True):
        beliefs[row] = belief
    return beliefs


def _counts(measured: Measured, number: int, rows: np.ndarray) -> list[np.ndarray]:
    """Successes and units of both arms, of rows with one stratum."""
    board = measured.board
    samples = board.samples([number])
    inside = samples.offered & (samples.treatment.n > 0) & (samples.baseline.n > 0)
    inside &= np.minimum(samples.treatment.n, samples.baseline.n) >= max(board.plan.min_units, 1)
    column = inside.argmax(axis=1)
    sides = (samples.treatment, samples.baseline)
    return [array[rows, column[rows]] for side in sides for array in (np.round(side.total), side.n)]


def beliefs_of_arms(measured: Measured, number: int, scope: int, pairs: PairBeliefs) -> tuple[ArmBelief, ...]:
    """The arms that are still offered in a scope; none while one of them has no estimate."""
    board = measured.board
    current, control = board.scopes[scope].current, board.plan.control
    if control not in current or len(current) < 2:
        return ()
    places = [board.pairs.index((variant, control)) for variant in current if variant != control]
    rows = [scope * len(board.pairs) + place for place in places]
    if len(rows) == 1:
        belief = pairs[rows[0]]
        return () if isinstance(belief, Undefined) else two_arm_beliefs(*board.pairs[places[0]], belief)
    return _several(measured, number, scope, rows)


def _several(measured: Measured, number: int, scope: int, rows: list[int]) -> tuple[ArmBelief, ...]:
    board, metric = measured.board, measured.board.plan.metrics[number]
    batch, _, of = measured.of(number)
    found, at = batch.tested, of.start + np.array(rows)
    if found.why_error[at].any():
        return ()
    variants = [board.plan.control, *(board.pairs[row % len(board.pairs)][0] for row in rows)]
    if metric.kind == "conversion" and not batch.special and not found.stratified[at].any():
        places = [board.variants[variant] for variant in variants]
        arms = board.arms.take(np.s_[scope, places, number])
        return rate_arm_beliefs(variants, np.round(arms.total), arms.n, metric.direction)
    # Relative to the control, whose own error all comparisons share.
    values = np.concatenate([[0.0], found.difference[at]])
    variances = np.concatenate([[found.baseline_variance[at].mean()], found.treatment_variance[at]])
    return arm_beliefs(variants, values, np.sqrt(variances), metric.direction)
