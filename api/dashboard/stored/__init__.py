"""A stored report (JSON) read into values: the only place that knows its field names.

What a report of an earlier release does not hold is None or empty here, so pages leave it out.
"""

from api.dashboard.stored.comparison import Arm, Belief, Comparison, Estimate, MetricReport, Outlook
from api.dashboard.stored.report import Recommendation, StoredReport, read_report
from api.dashboard.stored.scope import DayEffect, Finding, Novelty, SampleRatio, Scope
from api.dashboard.stored.segments import SegmentComparison, SegmentEffect, Selected
from api.dashboard.stored.values import Bounds, Interval, Number

__all__ = [
    "Arm",
    "Belief",
    "Bounds",
    "Comparison",
    "DayEffect",
    "Estimate",
    "Finding",
    "Interval",
    "MetricReport",
    "Novelty",
    "Number",
    "Outlook",
    "Recommendation",
    "SampleRatio",
    "Scope",
    "SegmentComparison",
    "SegmentEffect",
    "Selected",
    "StoredReport",
    "read_report",
]
