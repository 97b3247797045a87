"""The minimum before the first look: below it standard errors have not settled, and nothing is concluded."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.estimate import Finding
from analysis.plan import Plan
from analysis.tested import Tested

Floats: TypeAlias = NDArray[np.float64]


def below_minimum(board: Board, number: int, primary: Tested, rows: slice) -> list[Finding]:
    """`few_units`, and `few_conversions` or `few_events`, of every arm that was offered in a scope.

    All on the primary metric: units whose window is not complete have no outcome yet and do not help.

    Parameters
    ----------
    number
        Of the scope on the board.
    primary, rows
        The tests of the primary metric, and which of their rows are the pairs of this scope.
    """
    plan, scope = board.plan, board.scopes[number]
    findings = [
        *_few_units(board, number),
    ]
    short = {finding.variant for finding in findings}
    if plan.primary.kind == "conversion":
        findings += [
            few for variant in scope.offered if variant not in short for few in _few_conversions(board, number, variant)
        ]
        return sorted(findings, key=lambda finding: scope.offered.index(finding.variant or ""))
    return [*findings, *_few_events(board, number, primary, rows, short)]


def _few_units(board: Board, number: int) -> Iterator[Finding]:
    """Strata are compared one by one, so the minimum has to be met in one of them, next to a control that meets it."""
    plan, scope = board.plan, board.scopes[number]
    counts = board.cells[board.strata_of[number], :, primary_number(plan), 0]
    beside = counts[:, board.variants[plan.control]] >= plan.min_units
    for variant in scope.offered:
        units = counts[:, board.variants[variant]]
        most = units.max()
        if most >= plan.min_units and beside.any():
            most = units[beside].max()
        if most >= plan.min_units:
            continue
        in_one = "" if units.sum() < plan.min_units else " while the split does not change"
        window = "" if plan.primary.window_seconds is None else " with a complete window"
        yield Finding(
            code="few_units",
            severity="info",
            message=f"{plan.variant_name(variant)} has {round(most)} of the {plan.min_units} {plan.units_name}{window} "
            f"needed{in_one}",
            variant=variant,
        )


def primary_number(plan: Plan) -> int:
    return plan.metrics.index(plan.primary)


def _few_conversions(board: Board, number: int, variant: str) -> Iterator[Finding]:
    plan = board.plan
    place = number, board.variants[variant], primary_number(plan)
    units, converted = round(board.arms.n[place]), round(board.arms.total[place])
    for count, who in ((converted, "with an event"), (units - converted, "without an event")):
        if count < plan.min_conversions:
            yield Finding(
                code="few_conversions",
                severity="info",
                message=f"{plan.variant_name(variant)} has {count} of the {plan.min_conversions} {plan.units_name} "
                f"{who} needed",
                variant=variant,
                metric=plan.primary.key,
            )


def _few_events(board: Board, number: int, primary: Tested, rows: slice, short: set[str | None]) -> Iterator[Finding]:
    """One finding for each arm that holds up a comparison, the scarcer one of the two; the worst case of each arm."""
    plan, offered = board.plan, set(board.scopes[number].offered)
    worst: dict[str, tuple[float, int]] = {}
    columns = (primary.why[rows], *(events[rows] for events in primary.events))
    for pair, why, treatment, baseline, needed in zip(board.pairs, *columns, strict=True):
        if why or short & set(pair) or not set(pair) <= offered:
            continue
        scarcer = pair[0] if treatment < baseline else pair[1]
        if min(treatment, baseline) < needed and needed > worst.get(scarcer, (0.0, 0))[1]:
            worst[scarcer] = float(min(treatment, baseline)), int(needed)
    for variant in board.scopes[number].offered:
        if variant in worst:
            yield _few_events_finding(plan, variant, *worst[variant])


def _few_events_finding(plan: Plan, variant: str, events: float, needed: int) -> Finding:
    return Finding(
        code="few_events",
        severity="info",
        message=f"{plan.primary.label} of {plan.variant_name(variant)} comes down to {floor(events)} of the {needed} "
        f"{plan.units_name} needed",
        variant=variant,
        metric=plan.primary.key,
    )
