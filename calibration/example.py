"""The worked example of the documentation: a real e-mail test, by what customers had bought before.

Kevin Hillstrom's MineThatData e-mail challenge (2008): 64,000 customers got an e-mail on men's goods, one on women's
goods or none; did they visit the site in the two weeks after?
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.estimate import Interval, Report, ScopeReport
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, MetricPlan, Plan
from analysis.report import build

# Visits and customers.
COUNTS = {
    "men": {"none": (962, 9_638), "men's": (1_615, 9_558), "women's": (1_067, 9_622)},
    "women": {"none": (912, 9_519), "men's": (1_592, 9_568), "women's": (1_638, 9_647)},
    "both": {"none": (388, 2_149), "men's": (687, 2_181), "women's": (533, 2_118)},
}
_SEGMENTS = {"men": "Bought men's goods only", "women": "Bought women's goods only", "both": "Bought both"}
_VARIANTS = {"none": "No e-mail", "men's": "Men's e-mail", "women's": "Women's e-mail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mail in one segment: the lift over no mail, and the interval that the verdict rests on."""

    label: str
    lift: float
    low: float
    high: float
    decided: bool
    verdict: str


def report() -> Report:
    plan = Plan(
        variants=tuple(_VARIANTS),
        control="none",
        segments=tuple(_SEGMENTS),
        metrics=(MetricPlan(key="visits", name="Visits", kind="conversion", role="primary", event_name="visit"),),
        cells=tuple(Cell(epoch=1, segment=segment, weights=dict.fromkeys(_VARIANTS, 1)) for segment in _SEGMENTS),
        units_name="customers",
        variant_names=_VARIANTS,
        segment_names=_SEGMENTS,
    )
    moments = {
        MetricKey(1, segment, variant, "visits"): Moments(n=n, mean=x / n, m2=x * (n - x) / n)
        for segment, arms in COUNTS.items()
        for variant, (x, n) in arms.items()
    }
    units = {ArmKey(*key[:3]): found.n for key, found in moments.items()}
    return build(plan, MomentTable(units=units, moments=moments))


def rows() -> list[Row]:
    return [row for scope in report().segments for row in _rows(scope)]


def _rows(scope: ScopeReport) -> list[Row]:
    found = []
    for comparison in scope.metrics[0].comparisons:
        interval, lift = comparison.lift_in_family, comparison.lift.value
        if comparison.baseline != "none" or not isinstance(interval, Interval) or not isinstance(lift, float):
            continue
        won = scope.verdict.variant == comparison.treatment
        tied = comparison.treatment in scope.verdict.leaders and scope.verdict.outcome == "tied"
        shown = "wins" if won else "tied for first" if tied else _beside(interval)
        found.append(
            Row(
                label=f"{_SEGMENTS[scope.segment or '']}: {_VARIANTS[comparison.treatment].lower()}",
                lift=lift,
                low=interval.low,
                high=interval.high,
                decided=interval.low > 0 or interval.high < 0,
                verdict=shown,
            )
        )
    return found


def _beside(interval: Interval) -> str:
    return "better than no e-mail" if interval.low > 0 else "worse than no e-mail" if interval.high < 0 else "not shown"
