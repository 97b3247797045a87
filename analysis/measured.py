"""A plan's comparisons, all metrics and scopes together: tested, judged in their families, with all intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis import looking
from analysis.board import Board
from analysis.comparison import choose_test
from analysis.inference.families import Judged, Members, each_alpha, judge
from analysis.inference.sequential import mixture_scale
from analysis.intervals import Ends, Intervals, PValues, p_values
from analysis.intervals import intervals as inverted
from analysis.plan import MetricKind
from analysis.reasons import Why
from analysis.special import is_special, special_arms
from analysis.tested import Samples, Tested

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Metrics that are tested alike, as one table of rows: metric by metric, each with the rows of the board."""

    metrics: tuple[int, ...]
    kind: MetricKind
    special: bool
    samples: Samples
    tested: Tested
    p: PValues
    rho: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class InFamily:
    """The primary metric's rows as their families leave them; `why` a row has no interval, `why_p` no p-value."""

    p_value: Floats
    alpha: Floats
    ends: Ends
    why: NDArray[np.int64]
    why_p: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that is compared. `decisive`: the p-values that may name a winner, of the primary metric's rows."""

    board: Board
    batches: tuple[Batch, ...]
    intervals: tuple[Intervals, ...]
    decisive: Floats
    family: InFamily

    def of(self, metric: int) -> tuple[Batch, Intervals, slice]:
        """A metric's batch, its intervals, and which of their rows are the metric's."""
        size = len(self.decisive)
        for batch, intervals in zip(self.batches, self.intervals, strict=True):
            if metric in batch.metrics:
                start = batch.metrics.index(metric) * size
                return batch, intervals, slice(start, start + size)
        raise KeyError(metric)


def batches(board: Board) -> list[Batch]:
    plan = board.plan
    alike: dict[str, list[int]] = {}
    for number, metric in enumerate(plan.metrics):
        # Means are tested as ratios to the number of units.
        kind = metric.kind if metric.kind == "conversion" else "ratio"
        alike.setdefault(metric.key if is_special(board, metric) else f"/{kind}", []).append(number)
    return [_batch(board, tuple(metrics)) for metrics in alike.values()]


def _batch(board: Board, metrics: tuple[int, ...]) -> Batch:
    plan = board.plan
    first = plan.metrics[metrics[0]]
    special = is_special(board, first)
    kind = first.kind if special or first.kind == "conversion" else "ratio"
    rows = board.rows_of(metrics)
    samples = board.samples(rows)
    arms = special_arms(board, first) if special else None if kind == "conversion" else board.values.take(rows)
    found = choose_test(kind, samples, plan.min_units, arms)
    rho = _rho(board, metrics)
    return Batch(
        metrics=metrics, kind=kind, special=special, samples=samples, tested=found, p=p_values(found, rho), rho=rho
    )


def _rho(board: Board, metrics: Sequence[int]) -> Floats:
    """One scale for the p-values and all intervals of a row, or they would contradict each other.

    The family decides at alpha / size: that is where the sequences of its metric are to be narrow.
    """
    plan, size = board.plan, len(board.scopes) * len(board.pairs)
    rho = np.full(len(metrics) * size, mixture_scale(plan.alpha, plan.tuned_for_units))
    if board.primary in metrics:
        start, member = metrics.index(board.primary) * size, board.members
        of_primary = rho[start : start + size]
        for family in families(board):
            of_primary[family] = mixture_scale(
                each_alpha(plan, int(np.count_nonzero(member[family]))), plan.tuned_for_units
            )
    return rho


def families(board: Board) -> tuple[slice, slice]:
    """Rows of the two families: all segments together is a question of its own."""
    return slice(0, len(board.pairs)), slice(len(board.pairs), None)


def home_of(board: Board, found: Sequence[Batch]) -> tuple[Batch, int]:
    """The primary metric's batch, and the first of its rows there."""
    number = board.primary
    home = next(batch for batch in found if number in batch.metrics)
    return home, home.metrics.index(number) * len(board.scopes) * len(board.pairs)


def measure(board: Board, found: Sequence[Batch], waits: Flags) -> Measured:
    """Intervals of all batches, and the primary metric in its families.

    Parameters
    ----------
    waits
        Rows of the primary metric that are below the minimum: nothing is concluded there.
    """
    home, offset = home_of(board, found)
    rows = offset + np.arange(len(waits))
    decisive = looking.decisive_p(board, home.tested, home.p, rows)
    judged = _judged(board, home.tested, rows, np.where(waits, np.nan, decisive))
    why, why_p = _why_not(board, waits)
    concluded = (why == 0).nonzero()[0]
    both, family = [], None
    for batch in found:
        asked, critical = np.empty(0, dtype=np.intp), np.empty(0)
        if batch is home:
            asked = rows[concluded]
            critical = looking.critical(board, batch.tested, asked, judged.alpha[concluded], batch.rho[asked])
        intervals, extra = inverted(batch.tested, board.plan.alpha, batch.rho, asked, critical)
        both.append(intervals)
        family = extra if batch is home else family
    if family is None:
        raise AssertionError("the primary metric is in one batch")
    return Measured(
        board=board,
        batches=tuple(found),
        intervals=tuple(both),
        decisive=decisive,
        family=_in_family(home.tested, rows, judged, (why, why_p), family),
    )


def _judged(board: Board, found: Tested, rows: Rows, p: Floats) -> Judged:
    """Judged by row of the board."""
    tested = board.judged
    adjusted, alpha = np.full((2, len(rows)), np.nan)
    rejected = np.zeros(len(rows), dtype=bool)
    for family in families(board):
        of = np.arange(len(rows))[family]
        of = of[tested[of]]
        if len(of):
            judged = judge(board.plan, _members(board, found, p[of], of, rows[of]))
            adjusted[of], rejected[of], alpha[of] = judged.p_value, judged.rejected, judged.alpha
    return Judged(p_value=adjusted, rejected=rejected, alpha=alpha)


def _why_not(board: Board, waits: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Why a row of the board has no interval, and why it has no p-value in its family."""
    member, tested = board.members, board.judged
    why = np.where(waits, Why.TOO_EARLY, Why.EXISTS)
    outside = np.where(tested & ~waits, Why.DIRECTION_ALONE, np.where(tested, why, Why.NOT_IN_FAMILY))
    return np.where(member, why, outside), np.where(tested, why, Why.NOT_IN_FAMILY)


def _members(board: Board, found: Tested, p: Floats, of: Rows, rows: Rows) -> Members:
    """`of`: rows of the board, `rows` the same among those that were tested."""
    scope, pair = np.divmod(of, len(board.pairs))
    return Members(
        p_value=p,
        scope=scope,
        sides=board.sides[:, pair].T,
        control=board.variants[board.plan.control],
        treatment_variance=found.treatment_variance[rows],
        baseline_variance=found.baseline_variance[rows],
    )


def _in_family(
    found: Tested, rows: Rows, judged: Judged, whys: tuple[NDArray[np.int64], NDArray[np.int64]], ends: Ends
) -> InFamily:
    why, why_p = whys
    spread = np.full((4, len(why)), np.nan)
    spread[:, why == 0] = ends.low, ends.high, ends.lift_low, ends.lift_high
    effects = (found.difference[rows], found.lift[rows]) if judged.rejected.any() else ()
    for column, effect in zip((0, 2), effects, strict=False):
        up, down = judged.rejected & (effect > 0), judged.rejected & (effect < 0)
        spread[column] = np.where(up, np.maximum(spread[column], 0.0), spread[column])
        spread[column + 1] = np.where(down, np.minimum(spread[column + 1], 0.0), spread[column + 1])
    return InFamily(
        p_value=judged.p_value,
        alpha=judged.alpha,
        ends=Ends(low=spread[0], high=spread[1], lift_low=spread[2], lift_high=spread[3]),
        why=why,
        why_p=why_p,
    )
