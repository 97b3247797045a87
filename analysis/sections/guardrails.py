"""Harm to guardrails as findings, for whoever reads of a winner and not of its price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor

from analysis.board import Board
from analysis.estimate import Comparison, Finding, Interval, MetricReport, Undefined
from analysis.inference.recommend import Harm
from analysis.plan import MetricPlan, Plan
from analysis.scopes import Scope
from analysis.wording import number, percentage


def guardrail_findings(
    board: Board, number: int, reports: Sequence[MetricReport], early: Sequence[Finding]
) -> Iterator[Finding]:
    """Harm that a treatment on offer is shown to do; of those below the minimum nothing is said."""
    plan, scope = board.plan, board.scopes[number]
    short = {finding.variant for finding in early}
    if plan.control in short:
        return
    for metric, found in zip(plan.metrics, reports, strict=True):
        for one in found.comparisons if metric.role == "guardrail" else ():
            if one.guardrail in ("harmed", "worse") and one.treatment in scope.current and one.treatment not in short:
                yield _finding(plan, scope, metric, one)


def harms_of(findings: Sequence[Finding], segment: str | None) -> Iterator[Harm]:
    """The same, as the recommendation takes them: it knows of no harm that is not among the findings."""
    for one in findings:
        if one.code in ("guardrail_harmed", "guardrail_worse"):
            yield Harm(
                segment=segment,
                variant=one.variant or "",
                metric=one.metric or "",
                beyond=one.code == "guardrail_harmed",
            )


def _finding(plan: Plan, scope: Scope, metric: MetricPlan, one: Comparison) -> Finding:
    name, where, change = plan.variant_name(one.treatment), _where(plan, scope), _change(plan, one)
    tolerated = f"{number(100 * metric.margin_lift)}%" if metric.margin_lift else "no harm"
    if one.guardrail == "harmed":
        return Finding(
            code="guardrail_harmed",
            severity="warning",
            message=f"{name} harms {metric.label}{where}: {change}{_surely(metric, one)}; {tolerated} is tolerated",
            variant=one.treatment,
            metric=metric.key,
        )
    return Finding(
        code="guardrail_worse",
        severity="warning",
        message=f"{name} does some harm to {metric.label}{where}: {change}, perhaps no more than the {tolerated} that "
        "is tolerated",
        variant=one.treatment,
        metric=metric.key,
    )


def _where(plan: Plan, scope: Scope) -> str:
    """One segment is all there is, and needs no name."""
    if len(plan.segments) == 1:
        return ""
    return " for all segments together" if scope.segment is None else f" for {plan.segment_name(scope.segment)}"


def _change(plan: Plan, one: Comparison) -> str:
    value = one.lift.value
    # Of a control that may be 0, any percentage comes out: it tells nothing.
    if isinstance(value, Undefined) or isinstance(one.lift.always_valid, Undefined):
        return f"worse than with {plan.variant_name(plan.control)}"
    return f"{percentage(abs(value))} {'higher' if value > 0 else 'lower'} than with {plan.variant_name(plan.control)}"


def _surely(metric: MetricPlan, one: Comparison) -> str:
    """The least harm within the interval, rounded down: no more is said than is shown."""
    interval = one.lift.always_valid
    if not isinstance(interval, Interval):
        return ""
    least = 100 * (0 - interval.high if metric.direction == "increase" else interval.low)
    scale = 10 ** _decimals(least)
    rounded = floor(least * scale) / scale
    return f", surely by {rounded:.{_decimals(least)}f}% or more" if rounded > 0 else ""


def _decimals(percent: float) -> int:
    return 0 if percent >= 10 else 1 if percent >= 1 else 2
