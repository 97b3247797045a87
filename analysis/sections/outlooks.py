"""When an open comparison will decide, and which effects are too good to be true for the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from math import inf, isnan
from typing import Literal

import numpy as np

from analysis.board import Board
from analysis.design.outlook import NOT_OPEN, Deciding, lift_found, outlook
from analysis.estimate import Comparison, Finding, Interval, Outlook, Undefined, Verdict
from analysis.looking import has_ended, planned_units
from analysis.measured import Measured
from analysis.plan import Plan
from analysis.quality.too_good import nearest_to_zero, too_good_finding
from analysis.reasons import NO_UNITS_HELP, UNDEFINED

# Traffic is that of the last whole weeks: days of the week differ.
_TRAFFIC_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """`planned_lift`: the lift that the planned units find, however many are in by now; few are asked for it."""

    outlook: Outlook
    planned_lift: Callable[[], float | Undefined]


def outlooks(measured: Measured) -> dict[int, Ahead]:
    """By row of the board: of the primary metric's comparisons that belong to a family.

    Those are the comparisons with the control, and those between treatments that are both still on offer.
    """
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
    is_sequential, increase = not ends(plan), plan.metrics[board.primary].direction == "increase"
    planned = [_planned(plan, scope.segment) for scope in board.scopes]
    traffic = [_units_per_day(board, scope) for scope in range(len(board.scopes))]
    answers = {}
    for row, (alpha, difference, error, control_value, units, rho) in enumerate(columns):
        scope, pair = divmod(row, len(board.pairs))
        if isnan(alpha) or not _asked(board, scope, pair):
            continue
        if (reason := UNDEFINED.get(why[row])) and reason.reason in NO_UNITS_HELP:
            hopeless = Outlook(power_left=reason, detectable_lift=reason, units_left=reason, days_left=reason)
            answers[row] = Ahead(outlook=hopeless, planned_lift=lambda: NOT_OPEN)
            continue
        deciding = Deciding(alpha=alpha, rho=rho if is_sequential else None)
        in_scope = max(board.units_of[scope], units)
        answers[row] = Ahead(
            outlook=outlook(
                _number(difference),
                _number(error),
                _number(control_value),
                units=units,
                units_in_scope=in_scope,
                planned_units=planned[scope],
                deciding=deciding,
                minimum_lift=plan.minimum_lift,
                increase=increase,
                units_per_day=traffic[scope],
                ends=not is_sequential,
            ),
            planned_lift=partial(
                _planned_lift, error, control_value, units, planned[scope] * units / max(in_scope, 1), deciding
            ),
        )
    return answers


def _asked(board: Board, scope: int, pair: int) -> bool:
    treatment, baseline = board.pairs[pair]
    current = board.scopes[scope].current
    return baseline == board.plan.control or (treatment in current and baseline in current)


def _planned_lift(
    error: float, control_value: float, units: int, planned: float, deciding: Deciding
) -> float | Undefined:
    if units < 1 or not 0 < error < inf:
        return NOT_OPEN
    return lift_found(error, _number(control_value), units=units, at_units=planned, deciding=deciding)


def open_question(verdict: Verdict, comparisons: Sequence[Comparison], control: str) -> list[Outlook]:
    """Of what the verdict waits for: who of the leaders is best, if there are leaders, else who beats the control.

    A verdict that has been reached waits for none of these.
    """
    if verdict.outcome in ("winner", "control_wins"):
        return []
    leaders, outlooks = verdict.leaders, [one for one in comparisons if one.outlook is not None]
    if verdict.outcome == "tied":
        asked = [one for one in outlooks if one.treatment in leaders and one.baseline in leaders]
    elif verdict.outcome == "undecided" and leaders:
        asked = [one for one in outlooks if {one.treatment, one.baseline} & {*leaders} and one.baseline != control]
    else:
        asked = [one for one in outlooks if one.baseline == control]
    return [one.outlook for one in asked if one.outlook is not None]


def _planned(plan: Plan, segment: str | None) -> int:
    return plan.tuned_for_units if plan.looks is None else round(planned_units(plan, segment))


_NO_NUMBER = Undefined(reason="no_estimate", message="There is no estimate yet.")


def _number(value: float) -> float | Undefined:
    return _NO_NUMBER if isnan(value) else value


def _units_per_day(board: Board, scope: int) -> float | None:
    """New units of the last whole days that the data reach; None without any: of what part of the first day is known
    nobody can tell, so it is not among them.
    """
    segment = board.scopes[scope].segment
    days: dict[str, int] = {}
    for (of, day), units in board.table.arrivals.items():
        if segment is None or of == segment:
            days[day] = days.get(day, 0) + units
    if not days:
        return None
    watermark = board.plan.watermark_at
    last = date.fromisoformat(max(days)) if watermark is None else watermark.date()
    first = max(date.fromisoformat(min(days)) + timedelta(days=1), last - timedelta(days=_TRAFFIC_DAYS))
    whole = [units for day, units in days.items() if first <= date.fromisoformat(day) < last]
    return sum(whole) / (last - first).days if last > first else None


def ends(plan: Plan) -> bool:
    """Whether the planned units are all that decide: a look after the last one is not covered by the error rate."""
    return plan.stopping_rule != "always_valid"


def closed(board: Board) -> Literal["over", "silent"] | None:
    """Why nobody new comes in: all epochs are over, or the last week's days have brought nobody."""
    plan = board.plan
    if plan.watermark_at is None:
        return None
    if has_ended(plan):
        return "over"
    days = [day for _, day in board.table.arrivals]
    is_silent = days and date.fromisoformat(max(days)) < plan.watermark_at.date() - timedelta(days=_TRAFFIC_DAYS)
    return "silent" if is_silent else None


def too_good(board: Board, found: Mapping[int, Ahead], scope: int, rows: Sequence[Comparison]) -> Iterator[Finding]:
    """Of one scope's comparisons on the primary metric."""
    plan, primary = board.plan, board.plan.metrics[board.primary]
    for place, comparison in enumerate(rows):
        ahead = found.get(scope * len(board.pairs) + place)
        interval = comparison.lift_in_family
        if ahead is None or comparison.baseline != plan.control or not isinstance(interval, Interval):
            continue
        at_least = nearest_to_zero(interval.low, interval.high)
        if not at_least:
            continue
        finding = too_good_finding(
            comparison.lift.value,
            at_least,
            ahead.planned_lift(),
            metric=primary.key,
            treatment=comparison.treatment,
            treatment_name=plan.variant_name(comparison.treatment),
        )
        if finding:
            yield finding
