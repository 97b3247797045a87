"""What to compare, how, and how sure one wants to be: everything the engine needs besides the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Literal

MetricKind = Literal["conversion", "count", "mean", "ratio", "quantile"]
MetricRole = Literal["primary", "secondary", "guardrail"]
Direction = Literal["increase", "decrease"]
StoppingRule = Literal["always_valid", "fixed_horizon", "group_sequential"]
FamilyMethod = Literal[
    "holm", "hochberg", "bonferroni", "benjamini_hochberg", "benjamini_yekutieli", "e_benjamini_hochberg", "dunnett"
]
SpendingShape = Literal["obrien_fleming", "pocock"]

# Methods that keep the chance of any wrong verdict; the others keep an expected share of wrong comparisons.
FAMILYWISE: frozenset[FamilyMethod] = frozenset({"holm", "hochberg", "bonferroni", "dunnett"})

LEAST_UNITS = 20
LEAST_TUNED_FOR_UNITS = 100


class PlanError(ValueError):
    """The plan contradicts itself; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """A number known of a unit before it was exposed, to take noise out of a metric (CUPED).

    Parameters
    ----------
    key
        The column's name where units are handed in as a table.
    event_name
        The events that make it: their values (or their number, with `counts_events`) are summed over
        [exposed_at - lookback_seconds, exposed_at). Units without any have 0: nobody is left out.
    cap
        A unit's value is cut off here; None: never.

    Raises
    ------
    PlanError
        `covariate_lookback`, `covariate_cap`.
    """

    key: str
    event_name: str
    lookback_seconds: int
    counts_events: bool = False
    cap: float | None = None

    def __post_init__(self) -> None:
        if self.lookback_seconds <= 0:
            raise PlanError("covariate_lookback", f"{self.key}: the pre-period must last longer than nothing")
        if self.cap is not None and not (isfinite(self.cap) and self.cap > 0):
            raise PlanError("covariate_cap", f"{self.key}: a cap is positive and finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """A rule that turns a unit's events into one number (two for a ratio).

    Parameters
    ----------
    key, kind, role, direction
        `conversion`: 1 if any event counts, else 0. `count`: how many count. `mean`: the sum of their values per
        unit (0 without events). `ratio`: sum of `event_name` values over sum of `denominator_event_name` values.
        `direction` is the change that is wished for.
    event_name, denominator_event_name
        Names of the events that count; the second only for `ratio`.
    numerator_counts_events, denominator_counts_events
        Only for `ratio`: take the number of events in place of the sum of their values (orders per visit, say).
    window_seconds
        Only events in [exposed_at, exposed_at + window_seconds) count; None: all after exposure.
    cap
        A unit's value (numerator and denominator alike) is cut off here; None: never.
    winsor_quantile
        A unit's value is cut off at this quantile, in [0.5, 1), of the values of all units together, whatever their
        variant (both arms pooled: a cap per arm would depend on the treatment). Not with `cap`, and not for
        conversions and quantiles.
    covariates
        What was known before: the effect is adjusted for it within every stratum. Not for quantiles.
    quantile
        Only for `quantile`, in (0, 1): which quantile of the values of the events themselves (of orders, of page
        loads), whose units may have several.
    margin_lift
        For guardrails: the largest tolerated harm, as a fraction of the control (0.02 = 2 %), always positive.
        None tolerates none: such a guardrail is safe only once it is shown not to get worse at all.
    name
        What people call it ("visits"); None: its key.

    Notes
    -----
    A null, NaN or infinite `value` adds 0 to a sum; its event is still an event, so conversions and counts see it.

    Raises
    ------
    PlanError
        `metric_denominator`, `metric_window`, `metric_cap`, `metric_margin`, `metric_quantile`, `metric_winsor`,
        `metric_covariates`, `duplicate_covariate`.
    """

    key: str
    kind: MetricKind
    role: MetricRole
    event_name: str
    denominator_event_name: str | None = None
    direction: Direction = "increase"
    window_seconds: int | None = None
    cap: float | None = None
    margin_lift: float | None = None
    numerator_counts_events: bool = False
    denominator_counts_events: bool = False
    name: str | None = None
    winsor_quantile: float | None = None
    covariates: tuple[Covariate, ...] = ()
    quantile: float | None = None

    def __post_init__(self) -> None:
        self._check_values()
        self._check_noise_reduction()

    def _check_values(self) -> None:
        if (self.kind == "ratio") != (self.denominator_event_name is not None):
            raise PlanError("metric_denominator", f"{self.key}: a ratio, and nothing else, has a denominator")
        if self.kind != "ratio" and (self.numerator_counts_events or self.denominator_counts_events):
            raise PlanError("metric_denominator", f"{self.key}: only a ratio chooses between events and values")
        if self.window_seconds is not None and self.window_seconds <= 0:
            raise PlanError("metric_window", f"{self.key}: the window must last longer than nothing")
        if self.cap is not None and not (isfinite(self.cap) and self.cap > 0 and self.kind != "conversion"):
            raise PlanError("metric_cap", f"{self.key}: a cap is positive and finite, and a conversion has none")
        if self.margin_lift is not None and not (isfinite(self.margin_lift) and self.margin_lift > 0):
            raise PlanError("metric_margin", f"{self.key}: the margin is a positive fraction of the control")
        if (self.kind == "quantile") != (self.quantile is not None):
            raise PlanError("metric_quantile", f"{self.key}: a quantile metric, and no other, says which quantile")
        if self.quantile is not None and not 0 < self.quantile < 1:
            raise PlanError("metric_quantile", f"{self.key}: a quantile is in (0, 1)")

    def _check_noise_reduction(self) -> None:
        if self.winsor_quantile is not None and (
            not 0.5 <= self.winsor_quantile < 1 or self.cap is not None or self.kind in ("conversion", "quantile")
        ):
            raise PlanError("metric_winsor", f"{self.key}: one cut-off, at a quantile in [0.5, 1), of sums and counts")
        if self.covariates and self.kind == "quantile":
            raise PlanError("metric_covariates", f"{self.key}: a quantile is not adjusted for covariates")
        _require_unique("duplicate_covariate", tuple(covariate.key for covariate in self.covariates))

    @property
    def label(self) -> str:
        return self.name or self.key

    @property
    def event_names(self) -> tuple[str, ...]:
        return (
            (self.event_name,)
            if self.denominator_event_name is None
            else (self.event_name, self.denominator_event_name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One segment during one epoch: the smallest stretch in which the split between variants did not change.

    Parameters
    ----------
    weights
        Variant -> intended relative weight (any positive scale; 0 = must receive nobody). Basis of the SRM test.
    follow_up_ends_at
        When this segment's allocation changed next: outcomes of the cell's units from this instant on do not count,
        since units may have moved to another variant. None: still the same.
    declared
        Where the split follows the outcomes: the weights that were declared, and would be in force did it not. It is
        compared with them, and strata weigh as `analysis.effects.adaptive` says. None: it follows nothing.

    Raises
    ------
    PlanError
        `cell_weights`, `naive_datetime`.
    """

    epoch: int
    segment: str
    weights: Mapping[str, float]
    follow_up_ends_at: datetime | None = None
    declared: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for split in (self.weights, self.declared):
            weights = () if split is None else split.values()
            if not all(isfinite(weight) and weight >= 0 for weight in weights) or (
                split is not None and not sum(weights)
            ):
                raise PlanError("cell_weights", f"{self.segment}, epoch {self.epoch}: weights are ≥ 0, one of them > 0")
        _require_aware(self.follow_up_ends_at)

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """Variants that may receive units, by key, with their intended share; the shares add up to 1."""
        total = sum(self.weights.values())
        return tuple(sorted((variant, weight / total) for variant, weight in self.weights.items() if weight > 0))

    @property
    def split(self) -> tuple[tuple[str, float], ...]:
        """`shares` to twelve digits: 1:1:1 and 0.1:0.1:0.1 are the same split, whatever the last bit says."""
        return tuple((variant, round(share, 12)) for variant, share in self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A group-sequential design: how the error rate is spent as units come in (Lan & DeMets).

    Parameters
    ----------
    planned_units
        Units of all segments together at the last look. Later looks find nothing left to spend.
    planned_by_segment
        The same of single segments; those that are not named expect as many as any other.
    earlier_units
        Units with an outcome on the primary metric at the looks before this one, in the order of time: by segment, and
        under None for all together. Looks need not have been planned; what matters is that none is left out.
    shape
        `obrien_fleming` spends late (hard to stop early), `pocock` evenly.

    Raises
    ------
    PlanError
        `looks`.
    """

    planned_units: int
    planned_by_segment: Mapping[str, int] = field(default_factory=dict)
    earlier_units: Mapping[str | None, tuple[int, ...]] = field(default_factory=dict)
    shape: SpendingShape = "obrien_fleming"

    def __post_init__(self) -> None:
        if self.planned_units < LEAST_TUNED_FOR_UNITS:
            raise PlanError("looks", f"the planned number of units is at least {LEAST_TUNED_FOR_UNITS}")
        if any(units < 1 for units in self.planned_by_segment.values()):
            raise PlanError("looks", "a segment is planned to have units")
        for units in self.earlier_units.values():
            if any(n < 1 for n in units) or list(units) != sorted(set(units)):
                raise PlanError("looks", "the units at the earlier looks ascend")


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPrior:
    """What is believed of a lift before the data: near-normal with this mean and standard deviation (fractions)."""

    mean: float
    std_dev: float

    def __post_init__(self) -> None:
        if not (isfinite(self.mean) and isfinite(self.std_dev) and self.std_dev > 0):
            raise PlanError("prior", "a prior has a finite mean and a positive standard deviation")


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
        `conversion` only; successes and failures each). At least 20 units: with fewer, a standard error is no scale.
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
        _require_unique("duplicate_variant", self.variants)
        _require_unique("duplicate_segment", self.segments)
        _require_unique("duplicate_metric", tuple(metric.key for metric in self.metrics))
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
        _require_aware(self.watermark_at)

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
        return next(metric for metric in self.metrics if metric.role == "primary")


def _require_unique(code: str, keys: tuple[str, ...]) -> None:
    if len(set(keys)) < len(keys):
        raise PlanError(code, f"named twice among {', '.join(keys)}")


def _require_aware(instant: datetime | None) -> None:
    if instant is not None and instant.utcoffset() is None:
        raise PlanError("naive_datetime", f"{instant} has no time zone")
