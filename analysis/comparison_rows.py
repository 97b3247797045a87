"""One metric's comparisons in all scopes, as the words of a report."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from analysis.board import Board, Pair
from analysis.comparison import choose_test
from analysis.effect_rows import Effect, EffectRows, interval_of, number_of
from analysis.estimate import Comparison, Interval, Outlook, Undefined
from analysis.inference.guardrails import guardrail_state
from analysis.measured import InFamily, Measured
from analysis.plan import MetricPlan
from analysis.reasons import UNDEFINED, Why
from analysis.sections.beliefs import pair_beliefs
from analysis.sections.outlooks import outlooks

_OUTSIDE = UNDEFINED[Why.NOT_IN_FAMILY]


class Rows:
    """Rows of the board: scope by scope, pair by pair."""

    def __init__(self, measured: Measured, number: int) -> None:
        board = measured.board
        batch, intervals, rows = measured.of(number)
        self.metric: MetricPlan = board.plan.metrics[number]
        self.control, self.alpha = board.plan.control, board.plan.alpha
        self.effects = EffectRows(
            "mean" if batch.special and batch.kind == "conversion" else batch.kind,
            batch.tested,
            batch.p,
            intervals,
            alpha=board.plan.alpha,
            rows=rows,
        )
        is_primary = self.metric.role == "primary"
        self.beliefs = pair_beliefs(measured, number)
        self.outlooks: Mapping[int, Outlook] = outlooks(measured) if is_primary else {}
        self.kept = _variance_kept(measured, number)
        self.family = _Family(board, measured.family) if is_primary else None

    def comparison(self, row: int, pair: Pair) -> Comparison:
        effect = self.effects.effect(row)
        family = self.family
        difference, lift = (_OUTSIDE, _OUTSIDE) if family is None else family.intervals(row, effect)
        guarded = self.metric.role == "guardrail" and pair[1] == self.control
        return Comparison(
            treatment=pair[0],
            baseline=pair[1],
            difference=effect.difference,
            lift=effect.lift,
            p_value=effect.p_value,
            p_value_always_valid=effect.p_value_always_valid,
            p_value_adjusted=_OUTSIDE if family is None else family.p_value(row, effect),
            difference_in_family=difference,
            lift_in_family=lift,
            guardrail=guardrail_state(self.metric, effect.lift) if guarded else None,
            belief=self.beliefs[row],
            outlook=self._outlook(row),
            variance_kept=None if self.kept is None else number_of(self.kept[row], self.effects.why_error[row]),
        )

    def _outlook(self, row: int) -> Outlook | None:
        """While the comparison is open."""
        decided = self.family is not None and self.family.p[row] < self.alpha
        return None if decided else self.outlooks.get(row)


def _variance_kept(measured: Measured, number: int) -> list[float] | None:
    """The adjusted comparison's variance over the plain one's, by row."""
    board = measured.board
    metric = board.plan.metrics[number]
    batch, _, rows = measured.of(number)
    if not (batch.special and metric.covariates):
        return None
    plain = choose_test("ratio" if metric.kind == "ratio" else "mean", board.samples([number]), board.plan.min_units)
    kept: list[float] = ((batch.tested.std_error[rows] / plain.std_error) ** 2).tolist()
    return kept


class _Family:
    """What the families add to the primary metric's rows."""

    def __init__(self, board: Board, family: InFamily) -> None:
        self.rule, self.why = board.plan.stopping_rule, family.why.tolist()
        self.p, self.level = family.p_value.tolist(), (1 - family.alpha).tolist()
        self.low, self.high = family.ends.low.tolist(), family.ends.high.tolist()
        self.lift_low, self.lift_high = family.ends.lift_low.tolist(), family.ends.lift_high.tolist()

    def p_value(self, row: int, effect: Effect) -> float | Undefined:
        if self.why[row]:
            return UNDEFINED[self.why[row]]
        shown = effect.p_value_always_valid if self.rule == "always_valid" else effect.p_value
        if isinstance(shown, Undefined):
            return shown
        p: float = self.p[row]
        return UNDEFINED[Why.NOTHING_TO_SPEND] if isnan(p) else p

    def intervals(self, row: int, effect: Effect) -> tuple[Interval | Undefined, Interval | Undefined]:
        if why := self.why[row]:
            return UNDEFINED[why], UNDEFINED[why]
        return (
            self._interval(row, self.low, self.high, effect.difference.always_valid, effect.difference.fixed),
            self._interval(row, self.lift_low, self.lift_high, effect.lift.always_valid, effect.lift.fixed),
        )

    def _interval(
        self,
        row: int,
        low: list[float],
        high: list[float],
        always: Interval | Undefined,
        once: Interval | Undefined,
    ) -> Interval | Undefined:
        alike = always if self.rule == "always_valid" else once
        missing = isnan(low[row])
        if isinstance(alike, Undefined) and (missing or alike.reason == "too_few_events"):
            return alike
        if missing:
            return UNDEFINED[Why.NOTHING_TO_SPEND if self.rule == "group_sequential" else Why.UNBOUNDED]
        method = alike.method if isinstance(alike, Interval) else ""
        if self.rule == "group_sequential":
            method = f"repeated_{method}"
        return interval_of(low[row], high[row], 0, self.level[row], method)
