"""What was left out, and whether it matters: units in two variants, units outside of the plan, values, strata."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.board import Board
from analysis.estimate import Finding
from analysis.moments import MetricKey, MomentTable
from analysis.plan import MetricPlan, Plan
from analysis.scopes import Scope, Stratum
from analysis.wording import are, percentage

# Above this share of all units, leaving the mixed ones out may itself distort the comparison.
MIXED_SHARE = 0.01
# Above this share of all rows, what they would have said may be missed in the results.
UNUSABLE_SHARE = 0.01


def exclusion_findings(plan: Plan, table: MomentTable) -> list[Finding]:
    """Findings about the tables as a whole."""
    return [
        *_mixed(plan, table),
        *_outside(plan, table),
        *_unusable(table),
        *_missing(plan, table),
        *_silent(plan, table),
    ]


def _mixed(plan: Plan, table: MomentTable) -> list[Finding]:
    if not table.units_mixed:
        return []
    share = table.units_mixed / (table.units_mixed + sum(table.units.values()))
    return [
        Finding(
            code="mixed_exposures",
            severity="warning" if share > MIXED_SHARE else "info",
            message=f"{table.units_mixed:,} of the {plan.units_name} ({percentage(share)}) saw more than one variant "
            "in one segment while its split did not change, and count in none",
        )
    ]


def _outside(plan: Plan, table: MomentTable) -> list[Finding]:
    if not table.units_outside:
        return []
    message = (
        f"{are(table.units_outside, plan.units_name, 'was', 'were')} first exposed outside of the plan (unknown "
        "segment, epoch or variant), and left out"
    )
    most = table.units_outside > sum(table.units.values())
    return [Finding(code="exposures_outside", severity="critical" if most else "warning", message=message)]


def _unusable(table: MomentTable) -> list[Finding]:
    return [
        Finding(
            code="rows_unusable",
            severity="warning" if size > UNUSABLE_SHARE * table.rows_read.get(what, 0) else "info",
            message=f"{size:,} of {table.rows_read.get(what, 0):,} {what} say of no unit or of no time, and count as "
            "nothing",
        )
        for what, size in table.rows_unusable.items()
        if size
    ]


def _silent(plan: Plan, table: MomentTable) -> list[Finding]:
    """Metrics without a single event, though many had their time: mostly a wrong name, or ids that do not match."""
    heard = {key.metric for key, moments in table.moments.items() if moments.mean or moments.m2}
    heard |= {key for found in (table.events, table.values_missing) for key, events in found.items() if events}
    silent = [metric for metric in plan.metrics if metric.key not in heard]
    units = dict.fromkeys([metric.key for metric in silent], 0)
    for key, moments in table.moments.items() if silent else ():
        if key.metric in units:
            units[key.metric] += moments.n
    return [
        Finding(
            code="no_events",
            severity="warning",
            message=_silence(metric, table, f"{units[metric.key]:,} {plan.units_name}"),
            metric=metric.key,
        )
        for metric in silent
        if units[metric.key] >= max(2 * plan.min_units, 1)
    ]


def _silence(metric: MetricPlan, table: MomentTable, units: str) -> str:
    """Of a table with one row per unit nobody knows more than that it has no numbers."""
    if metric.key in table.events:
        event = f"No event {metric.event_name} of {metric.label} came from any of the {units} after their exposure"
        return f"{event}: is its name right, are ids the same in both tables, and are exposures in time?"
    cut = " once its values are cut off" if table.caps.get(metric.key) == 0 else ""
    return f"{metric.label} is 0 for all of the {units}{cut}: are its event's name and the ids right where it was made?"


def _missing(plan: Plan, table: MomentTable) -> list[Finding]:
    return [
        Finding(
            code="values_missing",
            severity="warning",
            message=f"Events of {metric.label} without a usable value, which add nothing: "
            f"{table.values_missing[metric.key]:,}",
            metric=metric.key,
        )
        for metric in plan.metrics
        if table.values_missing.get(metric.key)
    ]


def scope_findings(board: Board, number: int) -> list[Finding]:
    """Findings about one scope: units without a complete window, strata that enter no comparison."""
    return [*_maturing(board.plan, board.scopes[number], board.table), *_strata_left_out(board, number)]


def _maturing(plan: Plan, scope: Scope, table: MomentTable) -> list[Finding]:
    if not (table.maturing or table.cut_short):
        return []
    recent, cut_short = incomplete(scope, table.maturing), incomplete(scope, table.cut_short)
    findings = []
    for metric in plan.metrics:
        reasons = []
        if units := recent.get(metric.key):
            reasons.append(f"{are(units, plan.units_name)} too recent and will count later")
        if units := cut_short.get(metric.key):
            reasons.append(f"{are(units, plan.units_name, 'was', 'were')} cut off by a new split and never will")
        if reasons and metric.window_seconds is not None:
            window = _duration(metric.window_seconds)
            findings.append(
                Finding(
                    code="units_maturing",
                    severity="info",
                    message=f"{metric.label} takes {window} to be known: {'; '.join(reasons)}",
                    metric=metric.key,
                )
            )
    return findings


def incomplete(scope: Scope, found: Mapping[MetricKey, int]) -> dict[str, int]:
    """Units of a scope by metric."""
    if not found:
        return {}
    cells = {(cell.epoch, cell.segments[0]) for cell in scope.cells}
    units: dict[str, int] = {}
    for (epoch, segment, _, metric), size in found.items():
        if (epoch, segment) in cells:
            units[metric] = units.get(metric, 0) + size
    return units


def _duration(seconds: int) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _strata_left_out(board: Board, number: int) -> list[Finding]:
    """Strata that cannot enter a variant's comparisons: it was not offered there, or has fewer units than the minimum.

    Units count that have an outcome on the primary metric.
    """
    plan, scope = board.plan, board.scopes[number]
    if len(scope.strata) < 2:
        return []
    counts = board.cells[0, board.primary, board.strata_of[number]]
    units = board.units[board.strata_of[number]]
    offered = [(variant, board.variants[variant]) for variant in scope.offered]
    return [
        _left_out(plan, scope, stratum, variant)
        for place, stratum in enumerate(scope.strata)
        if any(units[place, column] for _, column in offered)
        for variant, column in offered
        if variant not in stratum.variants or counts[place, column] < max(plan.min_units, 1)
    ]


def _left_out(plan: Plan, scope: Scope, stratum: Stratum, variant: str) -> Finding:
    name = plan.variant_name(variant)
    segments = ", ".join(plan.segment_name(segment) for segment in stratum.segments)
    where = f"epoch {stratum.epoch}" + (f" ({segments})" if scope.segment is None else "")
    why = f"has too few {plan.units_name}" if variant in stratum.variants else "was not offered"
    return Finding(
        code="stratum_left_out",
        severity="info",
        message=f"{name} {why} in {where}: that part is left out of its comparisons",
        variant=variant,
        epoch=stratum.epoch,
    )
