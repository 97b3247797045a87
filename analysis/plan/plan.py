"""The plan itself: metrics, cells and rules, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from analysis.plan.cell import Cell
from analysis.plan.looks import EffectPrior, Looks
from analysis.plan.metric import MetricPlan
from analysis.plan.words import (
    LEAST_TUNED_FOR_UNITS,
    LEAST_UNITS,
    FamilyMethod,
    PlanError,
    StoppingRule,
    require_aware,
    require_unique,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole question.

    Parameters
    ----------
    variants, control
        Keys in display order; `control` is one of them.
    segments
        Keys in display order.
    cells
        One per (epoch, segment) that may hold units. A unit whose first exposure is outside of all cells is
        counted in `units_outside` and left out.
    alpha
        Error rate of the declared family and 1 - level of every interval, in (0, 0.5]. (Intervals that hold for the
        whole family together have a higher level each.)
    stopping_rule
        Which kind of evidence may name a winner. Both kinds are always reported.
    family
        How the pairwise comparisons x segments on the primary metric are controlled together. `holm`: the chance
        that any verdict is wrong. `benjamini_hochberg`: the expected share of wrong *comparisons* among those shown,
        which says little about verdicts (each is made of several comparisons); for screening many segments.
    tuned_for_units
        Total number of units of a scope at which the confidence sequences are narrowest (a planning value, it must
        not depend on the data), at least 100: tuned for fewer, they are narrow where they are not valid yet. Those of
        the primary metric are tuned at the level of one member of the family, alpha / size.
    min_units, min_conversions
        Per arm, in a stratum, before the first look: below, nothing is concluded (conversions: primary metrics of kind
        `conversion` only; successes and failures each: counted, or expected of both arms of each comparison if they do
        not differ; of several strata their effective number). At least 20 units: with fewer, a standard error is no
        scale.
    watermark_at
        The instant the data reach, never read from a clock: stamped on the report, and units whose window ends later
        do not count for that metric yet. The tables are not cut there: hand in tables that end there.
    post_stratified
        Segments are strata of their own in the comparison of all together, instead of being pooled where their split
        is the same: less noise where segments differ in their level.
    looks
        Of the stopping rule `group_sequential`, and of no other.
    lift_prior
        For the chances to be best and the expected losses; None: flat (Beta(1, 1) for rates).
    minimum_lift
        The smallest lift worth acting on, a positive fraction: the power that is left is stated for it.
    novelty_days
        So many days since exposure the primary metric's effect is followed by day; 0: not.
    units_name
        What people call the units, in the plural ("customers").
    variant_names, segment_names
        Names for people, used in sentences; where one is missing, its key.

    Raises
    ------
    PlanError
        `too_few_variants`, `duplicate_variant`, `unknown_control`, `duplicate_segment`, `duplicate_metric`,
        `primary_metric`, `no_cells`, `duplicate_cell`, `unknown_segment`, `unknown_variant`, `alpha`, `srm_alpha`,
        `tuned_for_units`, `minimum`, `naive_datetime`, `looks`, `family`, `minimum_lift`, `novelty_days`,
        `adaptive_post_stratified`, `adaptive_stopping_rule`, `adaptive_family`.
    """

    variants: tuple[str, ...]
    control: str
    segments: tuple[str, ...]
    metrics: tuple[MetricPlan, ...]
    cells: tuple[Cell, ...]
    alpha: float = 0.05
    stopping_rule: StoppingRule = "always_valid"
    family: FamilyMethod = "holm"
    tuned_for_units: int = 5_000
    min_units: int = 100
    min_conversions: int = 10
    srm_alpha: float = 0.001
    units_name: str = "units"
    variant_names: Mapping[str, str] | None = None
    segment_names: Mapping[str, str] | None = None
    watermark_at: datetime | None = None
    post_stratified: bool = False
    looks: Looks | None = None
    lift_prior: EffectPrior | None = None
    minimum_lift: float | None = None
    novelty_days: int = 0

    def __post_init__(self) -> None:
        self._check_names()
        self._check_cells()
        self._check_numbers()
        self._check_rules()

    def _check_names(self) -> None:
        if len(self.variants) < 2:
            raise PlanError("too_few_variants", "a comparison needs two variants")
        require_unique("duplicate_variant", self.variants)
        require_unique("duplicate_segment", self.segments)
        require_unique("duplicate_metric", tuple(metric.key for metric in self.metrics))
        if self.control not in self.variants:
            raise PlanError("unknown_control", f"the control {self.control!r} is not one of the variants")
        if sum(metric.role == "primary" for metric in self.metrics) != 1:
            raise PlanError("primary_metric", "exactly one metric is primary")

    def _check_cells(self) -> None:
        if not self.cells:
            raise PlanError("no_cells", "without a cell no unit can count")
        if len({(cell.epoch, cell.segment) for cell in self.cells}) < len(self.cells):
            raise PlanError("duplicate_cell", "a segment has one cell in an epoch")
        for cell in self.cells:
            if cell.segment not in self.segments:
                raise PlanError("unknown_segment", f"no segment {cell.segment!r} in the plan")
            if unknown := {*cell.weights, *(cell.declared or ())} - set(self.variants):
                raise PlanError("unknown_variant", f"no variant {min(unknown)!r} in the plan")

    def _check_numbers(self) -> None:
        if not 0 < self.alpha <= 0.5:
            raise PlanError("alpha", "alpha is in (0, 0.5]")
        if not 0 < self.srm_alpha < 1:
            raise PlanError("srm_alpha", "srm_alpha is in (0, 1)")
        if self.tuned_for_units < LEAST_TUNED_FOR_UNITS:
            raise PlanError("tuned_for_units", f"the planned number of units is at least {LEAST_TUNED_FOR_UNITS}")
        if self.min_units < LEAST_UNITS or self.min_conversions < 0:
            raise PlanError("minimum", f"the minimum of units is at least {LEAST_UNITS}, that of conversions 0")
        require_aware(self.watermark_at)

    def _check_rules(self) -> None:
        if (self.stopping_rule == "group_sequential") != (self.looks is not None):
            raise PlanError("looks", "a group-sequential plan, and no other, says how it looks")
        if self.family == "e_benjamini_hochberg" and self.stopping_rule != "always_valid":
            raise PlanError("family", "e-values are always valid: the stopping rule is always_valid")
        if self.family == "dunnett" and self.stopping_rule != "fixed_horizon":
            raise PlanError("family", "Dunnett's critical values are for one look: the stopping rule is fixed_horizon")
        if self.minimum_lift is not None and not (isfinite(self.minimum_lift) and self.minimum_lift > 0):
            raise PlanError("minimum_lift", "the smallest lift worth acting on is a positive fraction")
        if self.novelty_days < 0:
            raise PlanError("novelty_days", "a number of days is not negative")
        if self.is_adaptive:
            self._check_adaptive()

    def _check_adaptive(self) -> None:
        if self.post_stratified:
            raise PlanError("adaptive_post_stratified", "small segments would be pooled; adaptive splits never are")
        if self.stopping_rule == "group_sequential":
            raise PlanError(
                "adaptive_stopping_rule", "the boundaries of planned looks are not made for adaptive splits"
            )
        if self.family == "dunnett":
            raise PlanError("adaptive_family", "Dunnett's correlations are those of one split for all strata")

    def variant_name(self, variant: str) -> str:
        return (self.variant_names or {}).get(variant, variant)

    def segment_name(self, segment: str) -> str:
        return (self.segment_names or {}).get(segment, segment)

    @property
    def is_adaptive(self) -> bool:
        """Whether any split follows the outcomes."""
        return any(cell.declared is not None for cell in self.cells)

    @property
    def primary(self) -> MetricPlan:
        (primary,) = [metric for metric in self.metrics if metric.role == "primary"]
        return primary
