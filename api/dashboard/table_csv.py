"""The figures as a table to download: one row per segment, metric and comparison, numbers in full."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from api.dashboard.names import Names
from api.dashboard.stored import Comparison, Interval, MetricReport, Number, Scope, SegmentEffect, StoredReport
from experiments.services.analysing.ports import Snapshot

COLUMNS = (
    "experiment", "snapshot_id", "data_until", "segment", "segment_name", "segment_units", "verdict",
    "metric", "metric_name", "metric_kind", "metric_role", "direction",
    "treatment", "treatment_name", "baseline", "baseline_name",
    "treatment_units", "baseline_units", "treatment_value", "baseline_value",
    "difference", "difference_always_valid_low", "difference_always_valid_high",
    "difference_fixed_low", "difference_fixed_high",
    "lift", "lift_always_valid_low", "lift_always_valid_high", "lift_fixed_low", "lift_fixed_high",
    "p_value", "p_value_always_valid", "p_value_adjusted", "guardrail",
    "difference_in_family_low", "difference_in_family_high", "lift_in_family_low", "lift_in_family_high",
    "chance_to_beat", "loss_if_treatment", "loss_if_baseline",
    "treatment_chance_to_be_best", "treatment_expected_loss", "variance_kept",
    "power_left", "detectable_lift", "units_left", "days_left",
    "shrunk_difference", "shrunk_difference_low", "shrunk_difference_high",
    "against_others", "against_others_low", "against_others_high", "against_others_p_value",
    "srm_p_value", "srm_p_value_any_look",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def results_csv(snapshot: Snapshot, report: StoredReport, names: Names) -> str:
    """Return the table with its header; a number that does not exist is an empty cell. Segment `` is all together."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for scope in report.scopes:
        for metric in scope.metrics:
            for comparison in metric.comparisons:
                writer.writerow(
                    [
                        *_row(snapshot, scope, metric, comparison, names),
                        *_beliefs(metric, comparison),
                        *_outlook(comparison),
                        *_among_segments(_effect(report, scope, metric, comparison)),
                        _number(scope.ratio.one_look),
                        _number(scope.ratio.any_look),
                    ]
                )
    return text.getvalue()


def _row(snapshot: Snapshot, scope: Scope, metric: MetricReport, comparison: Comparison, names: Names) -> Iterator[str]:
    treatment, baseline = metric.arm(comparison.treatment), metric.arm(comparison.baseline)
    difference, lift = comparison.difference, comparison.lift
    yield from map(
        guarded,
        (
            snapshot.experiment, str(snapshot.id), snapshot.watermark.at.isoformat(),
            scope.segment or "", names.segment(scope.segment), str(scope.units), scope.outcome,
            metric.metric, names.metric(metric.metric), metric.kind, metric.role, metric.direction,
            comparison.treatment, names.variant(comparison.treatment),
            comparison.baseline, names.variant(comparison.baseline),
        ),
    )  # fmt: skip
    yield str(treatment.units) if treatment else ""
    yield str(baseline.units) if baseline else ""
    yield _number(treatment.value if treatment else None)
    yield _number(baseline.value if baseline else None)
    for estimate in (difference, lift):
        yield _number(estimate.value)
        yield from _ends(estimate.always_valid)
        yield from _ends(estimate.fixed)
    yield _number(comparison.p_value)
    yield _number(comparison.p_value_always_valid)
    yield _number(comparison.p_value_adjusted)
    yield guarded(comparison.guardrail or "")
    yield from _ends(comparison.difference_in_family.interval)
    yield from _ends(comparison.lift_in_family.interval)


def _beliefs(metric: MetricReport, comparison: Comparison) -> Iterator[str]:
    belief, arm = comparison.belief, metric.arm(comparison.treatment)
    yield _number(belief.chance_to_beat if belief else None)
    yield _number(belief.loss_if_treatment if belief else None)
    yield _number(belief.loss_if_baseline if belief else None)
    yield _number(arm.chance_to_be_best if arm else None)
    yield _number(arm.expected_loss if arm else None)
    yield _number(comparison.variance_kept)


def _outlook(comparison: Comparison) -> Iterator[str]:
    outlook = comparison.outlook
    yield _number(outlook.power_left if outlook else None)
    yield _number(outlook.detectable_lift if outlook else None)
    yield _number(outlook.units_left if outlook else None)
    yield _number(outlook.days_left if outlook else None)


def _effect(report: StoredReport, scope: Scope, metric: MetricReport, comparison: Comparison) -> SegmentEffect | None:
    """The segment's place among all, which only the metric that decides has."""
    if metric.role != "primary":
        return None
    pair = (comparison.treatment, comparison.baseline)
    found = next((one for one in report.segment_comparisons if (one.treatment, one.baseline) == pair), None)
    return found.effect(scope.segment) if found else None


def _among_segments(effect: SegmentEffect | None) -> Iterator[str]:
    yield _number(effect.shrunk if effect else None)
    yield from _ends(effect.shrunk_interval.interval if effect else None)
    yield _number(effect.against_others if effect else None)
    yield from _ends(effect.against_others_interval.interval if effect else None)
    yield _number(effect.against_others_p_value if effect else None)


def guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _number(number: Number | None) -> str:
    return "" if number is None or number.value is None else repr(number.value)


def _ends(interval: Interval | None) -> tuple[str, str]:
    return ("", "") if interval is None else (repr(interval.low), repr(interval.high))
