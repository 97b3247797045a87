"""Segments side by side, and what to do with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from analysis.board import Board
from analysis.estimate import (
    Interval,
    Recommendation,
    ScopeReport,
    SegmentComparison,
    Selected,
    Undefined,
)
from analysis.inference.contest import direction_shown
from analysis.inference.recommend import Names, recommend
from analysis.inference.sequential import mixture_scale
from analysis.inference.side_by_side import compare_segments
from analysis.inference.waiting import Prospects
from analysis.looking import before_its_look, has_ended, with_outcome
from analysis.measured import Measured
from analysis.plan import Plan
from analysis.quality.exclusions import incomplete
from analysis.reasons import UNDEFINED, Why, hopeless
from analysis.sections.guardrails import harms_of
from analysis.sections.outlooks import closed, ends, open_question
from analysis.sections.values import nothing_left

# Standard errors beyond these leave nothing of other numbers beside them.
_LARGEST, _FARTHEST = 1e60, 1e6
_NOT_FINITE = UNDEFINED[Why.NOT_FINITE]


def segment_comparisons(measured: Measured) -> tuple[SegmentComparison, ...]:
    """Each treatment against the control on the primary metric; segments below the minimum have no estimate yet."""
    board, plan = measured.board, measured.board.plan
    if len(plan.segments) < 2:
        return ()
    batch, _, rows = measured.of(board.primary)
    found, open_ = batch.tested, measured.family.why == 0
    size = len(board.pairs)
    rho = mixture_scale(plan.alpha, plan.tuned_for_units)
    answers = []
    for place, (treatment, baseline) in enumerate(board.pairs):
        if baseline != plan.control:
            continue
        own = np.arange(size + place, len(open_), size)
        at = rows.start + own
        answers.append(
            compare_segments(
                treatment,
                baseline,
                plan.segments,
                np.where(open_[own], found.difference[at], np.nan),
                found.std_error[at],
                units=np.maximum(found.clock[at], 1.0),
                alpha=plan.alpha,
                rho=rho,
                stopping_rule=plan.stopping_rule,
                direction=plan.primary.direction,
            )
        )
    named = [_among(answer, len(answers), plan) for answer in answers]
    return tuple(named if _moderate(found.std_error[rows]) else map(only_finite, named))


def _among(answer: SegmentComparison, treatments: int, plan: Plan) -> SegmentComparison:
    """One of several treatments whose segments are looked at: Bonferroni."""
    p = answer.p_value if plan.stopping_rule == "fixed_horizon" else answer.p_value_always_valid
    differ = isinstance(p, float) and p < plan.alpha / treatments
    return answer if answer.differ == differ else replace(answer, differ=differ)


def _moderate(errors: np.ndarray) -> bool:
    """Far from the ends of floats, and none so small that nothing is left of the others beside it."""
    known = errors[np.isfinite(errors) & (errors > 0)]
    return not len(known) or bool(known.max() < min(_LARGEST, _FARTHEST * known.min()))


def only_finite(value: Any) -> Any:
    """The same with a reason in place of every number that is none, and of intervals that have such an end."""
    if isinstance(value, float):
        return value if isfinite(value) else _NOT_FINITE
    if isinstance(value, tuple):
        return tuple(map(only_finite, value))
    if isinstance(value, Undefined) or not is_dataclass(value) or isinstance(value, type):
        return value
    checked = {field.name: only_finite(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Interval | Selected) and _NOT_FINITE in checked.values():
        return _NOT_FINITE
    return replace(value, **checked)


def recommendation(
    measured: Measured,
    overall: ScopeReport,
    segments: Sequence[ScopeReport],
    comparisons: Sequence[SegmentComparison],
) -> Recommendation:
    board, plan = measured.board, measured.board.plan
    over_all = overall.metrics[board.primary].comparisons
    # Nobody waits for a segment that has nobody.
    inhabited = {number: scope for number, scope in enumerate(segments, start=1) if scope.units}
    return recommend(
        overall.verdict,
        {scope.segment or "": scope.verdict for scope in inhabited.values()},
        comparisons,
        open_question(overall.verdict, over_all, plan.control),
        control=plan.control,
        names=Names(
            variant=plan.variant_name,
            segment=plan.segment_name,
            metric={metric.key: metric.label for metric in plan.metrics}.__getitem__,
            units=plan.units_name,
            primary=plan.primary.label,
        ),
        unfit={scope.segment or "": _unfit(board, number, scope) for number, scope in inhabited.items()},
        harms=[harm for scope in (overall, *inhabited.values()) for harm in harms_of(scope.findings, scope.segment)],
        doubted=any(one.code == "srm_suspected" for scope in (overall, *segments) for one in scope.findings),
        early=before_its_look(plan, with_outcome(board)),
        is_over=has_ended(plan),
        ends=ends(plan),
        prospects=_prospects(board, overall),
    )


def _prospects(board: Board, overall: ScopeReport) -> Prospects:
    plan, scope = board.plan, board.scopes[0]
    maturing = incomplete(scope, board.table.maturing).get(plan.primary.key, 0)
    return Prospects(
        untestable=nothing_left(board)
        or hopeless(
            one.p_value_adjusted
            for one in overall.metrics[board.primary].comparisons
            if one.baseline == plan.control and one.treatment in scope.current
        ),
        maturing=maturing,
        enough=maturing > 0 and _enough(board, overall),
        scarce=_scarce(overall),
        closed=closed(board),
    )


def _enough(board: Board, overall: ScopeReport) -> bool:
    """Whether units are all that an early look lacks, and those that are maturing are as many in each arm."""
    if _scarce(overall):
        return False
    plan, scope = board.plan, board.scopes[0]
    units = dict(zip(plan.variants, board.arms.n[board.primary, 0].tolist(), strict=True))
    for variant in scope.offered:
        own = {key: size for key, size in board.table.maturing.items() if key.variant == variant}
        units[variant] += incomplete(scope, own).get(plan.primary.key, 0)
    return all(units[variant] >= plan.min_units for variant in scope.offered)


def _scarce(overall: ScopeReport) -> bool:
    return any(one.code in ("few_conversions", "few_events") for one in overall.findings)


def _unfit(board: Board, number: int, scope: ScopeReport) -> frozenset[str]:
    """Variants that are shown to be worse than another one in this segment, or are not on offer there."""
    plan = board.plan
    worse = set(plan.variants) - set(board.scopes[number].current)
    for one in scope.metrics[board.primary].comparisons:
        p, shown = one.p_value_adjusted, direction_shown(one)
        if isinstance(p, float) and p < plan.alpha and shown:
            treatment_is_better = (shown > 0) == (plan.primary.direction == "increase")
            worse.add(one.baseline if treatment_is_better else one.treatment)
    return frozenset(worse)
