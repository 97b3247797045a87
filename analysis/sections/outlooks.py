"""When an open comparison will decide, and which effects are too good to be true for the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from math import isnan

import numpy as np

from analysis.board import Board
from analysis.design.outlook import Deciding, outlook
from analysis.estimate import Comparison, Finding, Interval, Outlook, Undefined
from analysis.looking import planned_units
from analysis.measured import Measured
from analysis.plan import Plan
from analysis.quality.too_good import nearest_to_zero, too_good_finding
from analysis.reasons import NO_UNITS_HELP, UNDEFINED

# Traffic is that of the last whole weeks: days of the week differ.
_TRAFFIC_DAYS = 7


def outlooks(measured: Measured) -> dict[int, Outlook]:
    """By row of the board: of the primary metric's comparisons with the control that belong to a family."""
    board, plan = measured.board, measured.board.plan
    batch, _, rows = measured.of(board.primary)
    found = batch.tested
    columns = zip(
        measured.family.alpha.tolist(),
        found.difference[rows].tolist(),
        found.std_error[rows].tolist(),
        found.baseline[rows].tolist(),
        found.units[rows].astype(np.int64).tolist(),
        batch.rho[rows].tolist(),
        strict=True,
    )
    why = found.why_p[rows].tolist()
    is_sequential = plan.stopping_rule == "always_valid"
    planned = [_planned(plan, scope.segment) for scope in board.scopes]
    traffic = [_units_per_day(board, scope) for scope in range(len(board.scopes))]
    answers = {}
    for row, (alpha, difference, error, control_value, units, rho) in enumerate(columns):
        scope, pair = divmod(row, len(board.pairs))
        if board.pairs[pair][1] != plan.control or isnan(alpha):
            continue
        if (reason := UNDEFINED.get(why[row])) and reason.reason in NO_UNITS_HELP:
            answers[row] = Outlook(power_left=reason, detectable_lift=reason, units_left=reason, days_left=reason)
            continue
        answers[row] = outlook(
            _number(difference),
            _number(error),
            _number(control_value),
            units=units,
            units_in_scope=max(board.units_of[scope], units),
            planned_units=planned[scope],
            deciding=Deciding(alpha=alpha, rho=rho if is_sequential else None),
            minimum_lift=plan.minimum_lift,
            increase=plan.metrics[board.primary].direction == "increase",
            units_per_day=traffic[scope],
        )
    return answers


def _planned(plan: Plan, segment: str | None) -> int:
    return plan.tuned_for_units if plan.looks is None else round(planned_units(plan, segment))


_NO_NUMBER = Undefined(reason="no_estimate", message="There is no estimate yet.")


def _number(value: float) -> float | Undefined:
    return _NO_NUMBER if isnan(value) else value


def _units_per_day(board: Board, scope: int) -> float | None:
    """New units of the last whole days that the data reach; None without any: a part of a day is no rate."""
    segment = board.scopes[scope].segment
    days: dict[str, int] = {}
    for (of, day), units in board.table.arrivals.items():
        if segment is None or of == segment:
            days[day] = days.get(day, 0) + units
    if not days:
        return None
    watermark = board.plan.watermark_at
    last = date.fromisoformat(max(days)) if watermark is None else watermark.date()
    first = max(date.fromisoformat(min(days)), last - timedelta(days=_TRAFFIC_DAYS))
    whole = [units for day, units in days.items() if first <= date.fromisoformat(day) < last]
    return sum(whole) / (last - first).days if last > first else None


def is_closed(board: Board) -> bool:
    """Whether nobody new comes in: all epochs are over, or the last weeks' days have brought nobody."""
    plan = board.plan
    if plan.watermark_at is None:
        return False
    ends = [cell.follow_up_ends_at for cell in plan.cells]
    if all(end is not None and end <= plan.watermark_at for end in ends):
        return True
    days = [day for _, day in board.table.arrivals]
    return bool(days) and date.fromisoformat(max(days)) < plan.watermark_at.date() - timedelta(days=_TRAFFIC_DAYS)


def too_good(board: Board, found: Mapping[int, Outlook], scope: int, rows: Sequence[Comparison]) -> Iterator[Finding]:
    """Of one scope's comparisons on the primary metric."""
    plan, primary = board.plan, board.plan.metrics[board.primary]
    for place, comparison in enumerate(rows):
        ahead = found.get(scope * len(board.pairs) + place)
        interval = comparison.lift_in_family
        if ahead is None or not isinstance(interval, Interval):
            continue
        finding = too_good_finding(
            comparison.lift.value,
            nearest_to_zero(interval.low, interval.high),
            ahead.detectable_lift,
            metric=primary.key,
            treatment=comparison.treatment,
            treatment_name=plan.variant_name(comparison.treatment),
        )
        if finding:
            yield finding
