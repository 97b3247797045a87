"""Every metric's comparisons in all scopes, as the words of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, repeat
from math import isnan, nan
from typing import Any, TypeAlias

import numpy as np

from analysis.board import Board
from analysis.comparison import choose_test
from analysis.effect_rows import Effect, EffectRows, effects, interval_of, numbers
from analysis.estimate import Comparison, Estimate, GuardrailState, Interval, Outlook, Undefined
from analysis.in_rows import rows
from analysis.inference.guardrails import guardrail_state, margin_in_question
from analysis.intervals import multipliers
from analysis.looking import standing
from analysis.measured import InFamily, Measured
from analysis.plan import MetricKind
from analysis.reasons import UNDEFINED, Why
from analysis.sections.beliefs import PairBeliefs, pair_beliefs
from analysis.sections.outlooks import Ahead, outlooks

InFamilyWords: TypeAlias = tuple[float | Undefined, Interval | Undefined, Interval | Undefined]

_OUTSIDE = UNDEFINED[Why.NOT_IN_FAMILY]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRows:
    """What one metric has to say, by row of the board: scope by scope, pair by pair."""

    comparisons: list[Comparison]
    beliefs: PairBeliefs
    outlooks: Mapping[int, Ahead]


def metric_rows(measured: Measured) -> list[MetricRows]:
    """By metric of the plan."""
    size, alpha = len(measured.decisive), measured.board.plan.alpha
    beliefs = pair_beliefs(measured)
    found: dict[int, MetricRows] = {}
    for batch, intervals in zip(measured.batches, measured.intervals, strict=True):
        kind: MetricKind = "mean" if batch.special else batch.kind
        written = effects(kind, batch.tested, batch.p, intervals, alpha=alpha)
        for place, number in enumerate(batch.metrics):
            own = written.take(slice(place * size, (place + 1) * size))
            found[number] = _metric_rows(measured, number, own, beliefs[number])
    return [found[number] for number in range(len(found))]


def _metric_rows(measured: Measured, number: int, written: EffectRows, beliefs: PairBeliefs) -> MetricRows:
    board, metric = measured.board, measured.board.plan.metrics[number]
    in_family: Iterable[Iterable[Any]] = (repeat(_OUTSIDE), repeat(_OUTSIDE), repeat(_OUTSIDE))
    ahead: Mapping[int, Ahead] = {}
    shown: Iterable[Outlook | None] = repeat(None)
    if metric.role == "primary":
        family = _Family(board, measured.family)
        in_family = zip(*map(family.words, count(), written.one_by_one()), strict=True)
        ahead = outlooks(measured)
        # While the comparison is open.
        shown = [
            ahead[row].outlook if row in ahead and not p < board.plan.alpha else None for row, p in enumerate(family.p)
        ]
    comparisons = rows(
        Comparison,
        *zip(*board.pairs * len(board.scopes), strict=True),
        *written,
        *in_family,
        _guardrails(measured, number, written),
        beliefs,
        shown,
        _variance_kept(measured, number),
    )
    return MetricRows(comparisons=comparisons, beliefs=beliefs, outlooks=ahead)


def _guardrails(measured: Measured, number: int, written: EffectRows) -> Iterable[GuardrailState | None]:
    """Against the control."""
    board, metric = measured.board, measured.board.plan.metrics[number]
    if metric.role != "guardrail":
        return repeat(None)
    control, pairs = board.plan.control, board.pairs * len(board.scopes)
    return [
        guardrail_state(metric, difference, lift, beyond) if baseline == control else None
        for (_, baseline), difference, lift, beyond in zip(
            pairs, written.difference, written.lift, _beyond_margin(measured, number, written.lift), strict=True
        )
    ]


def _beyond_margin(measured: Measured, number: int, lifts: Sequence[Estimate]) -> list[float]:
    """Where the lift has no interval, the test of "harm at the margin": its statistic over its critical value."""
    asked = [row for row, lift in enumerate(lifts) if not isinstance(lift.always_valid, Interval)]
    metric = measured.board.plan.metrics[number]
    if not asked or not metric.margin_lift:
        return [nan] * len(lifts)
    beyond = np.full(len(lifts), nan)
    batch, _, own = measured.of(number)
    of = own.start + np.array(asked)
    margins = [margin_in_question(metric, control) for control in batch.tested.baseline[of].tolist()]
    critical = multipliers(batch.tested.clock[of], measured.board.plan.alpha, batch.rho[of])
    beyond[asked] = batch.tested.inverse.lift_z(of, np.array(margins)) / critical
    found: list[float] = beyond.tolist()
    return found


def _variance_kept(measured: Measured, number: int) -> Iterable[float | Undefined | None]:
    """The adjusted comparison's variance over the plain one's, by row."""
    plan = measured.board.plan
    batch, _, rows = measured.of(number)
    if not (batch.special and plan.metrics[number].covariates):
        return repeat(None, len(measured.decisive))
    plain = choose_test("ratio", batch.samples, plan.min_units)
    kept = (batch.tested.std_error[rows] / plain.std_error) ** 2
    return numbers(kept, batch.tested.why_error[rows])


class _Family:
    """What the families add to the primary metric's rows."""

    def __init__(self, board: Board, family: InFamily) -> None:
        self.rule, self.why, self.why_p = board.plan.stopping_rule, family.why.tolist(), family.why_p.tolist()
        self.p, self.level = family.p_value.tolist(), (1 - family.alpha).tolist()
        self.low, self.high = family.ends.low.tolist(), family.ends.high.tolist()
        self.lift_low, self.lift_high = family.ends.lift_low.tolist(), family.ends.lift_high.tolist()

        size = len(board.pairs)
        earlier = [standing(board, scope) for scope in range(len(board.scopes))]
        self.earlier = [earlier[row // size].get(board.pairs[row % size]) for row in range(len(self.p))]

    def words(self, row: int, effect: Effect) -> InFamilyWords:
        """The adjusted p-value, and the intervals of difference and lift."""
        if (found := self.earlier[row]) is not None and not self.why_p[row]:
            missing = UNDEFINED[self.why[row] or Why.UNBOUNDED]
            return found.p_value, found.difference or missing, found.lift or missing
        if why := self.why[row]:
            p = UNDEFINED[self.why_p[row]] if self.why_p[row] else self._p_value(row, effect)
            return p, UNDEFINED[why], UNDEFINED[why]
        return (
            self._p_value(row, effect),
            self._interval(row, self.low, self.high, effect.difference),
            self._interval(row, self.lift_low, self.lift_high, effect.lift),
        )

    def _p_value(self, row: int, effect: Effect) -> float | Undefined:
        shown = effect.p_value_always_valid if self.rule == "always_valid" else effect.p_value
        if isinstance(shown, Undefined):
            return shown
        p: float = self.p[row]
        return UNDEFINED[Why.NOTHING_TO_SPEND] if isnan(p) else p

    def _interval(self, row: int, low: list[float], high: list[float], effect: Estimate) -> Interval | Undefined:
        alike = effect.always_valid if self.rule == "always_valid" else effect.fixed
        missing = isnan(low[row])
        if isinstance(alike, Undefined) and (missing or alike.reason == "too_few_events"):
            return alike
        if missing:
            return UNDEFINED[Why.NOTHING_TO_SPEND if isnan(self.p[row]) else Why.UNBOUNDED]
        method = alike.method if isinstance(alike, Interval) else ""
        if self.rule == "group_sequential":
            method = f"repeated_{method}"
        return interval_of(low[row], high[row], 0, self.level[row], method)
