"""The words of a report: what was estimated, how surely, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REPORT_SCHEMA = "winnow.report/2"

# The smallest normal float. Probabilities below it are shown as it: an upper bound, for no p-value is 0.
SMALLEST_P = 2.0**-1022

Severity = Literal["info", "warning", "critical"]
GuardrailState = Literal["safe", "worse", "harmed", "unknown"]
Outcome = Literal["winner", "tied", "control_wins", "undecided", "too_early", "untrustworthy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undefined:
    """A number that does not exist: `reason` is a stable code, `message` a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided interval; `level` is its coverage (0.95), `method` the field's name for it."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`fixed` holds at one look planned in advance, `always_valid` at every look together."""

    value: float | Undefined
    std_error: float | Undefined
    fixed: Interval | Undefined
    always_valid: Interval | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Posterior of two arms: `chance_to_beat` that the treatment is the better one, in the direction wished for.

    The losses are what choosing the one or the other is expected to cost, ≥ 0, in the metric's unit.
    """

    chance_to_beat: float
    loss_if_treatment: float
    loss_if_baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBelief:
    """Posterior of one arm among all that are still offered in the scope: the chances of all of them add up to 1."""

    variant: str
    chance_to_be_best: float
    expected_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a comparison that is undecided may still come to.

    Parameters
    ----------
    power_left : float | Undefined
        Chance that the planned number of units decides for the plan's `minimum_lift`, were that the truth.
    detectable_lift : float | Undefined
        The lift that the planned number of units, or those that are in if these are more, detects with a power of .8,
        ≥ 0.
    units_left : int | Undefined
        Units (all arms of the scope together) still to come until the comparison decides, if the lift stays what it
        is now. `Undefined("no_effect_in_sight")` if that would be beyond all reason.
    days_left : float | Undefined
        The same in days at the present traffic; `Undefined("unknown_traffic")` without a whole day of
        arrivals after the first one.
    """

    power_left: float | Undefined
    detectable_lift: float | Undefined
    units_left: int | Undefined
    days_left: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`treatment` against `baseline` (the control, or another treatment) on one metric in one scope.

    `p_value_adjusted` is the always-valid p-value corrected within the declared family (the fixed-horizon one
    under the `fixed_horizon` stopping rule); Undefined("not_in_family") outside the primary metric's segments.
    `difference_in_family` and `lift_in_family` are the intervals that belong to it: they hold for all members of the
    family together and, unless the horizon is fixed, at every look; they leave out 0 (or end there) exactly when
    `p_value_adjusted` is below alpha. Two treatments under Dunnett have none, only the p-value. Whatever is concluded
    about the primary metric is concluded from these.
    `guardrail` is set for guardrail metrics only, from the always-valid interval of the lift against the margin (of the
    difference, where the lift has none):
    "safe" (harm beyond the margin is ruled out), "harmed" (beyond the margin), "worse" (harm is shown, perhaps within
    the margin) or "unknown".
    `outlook` is there on the primary metric, against the control, while the comparison is open. `variance_kept` is the
    share of the variance that covariates left, for metrics that have some.
    """

    treatment: str
    baseline: str
    difference: Estimate
    lift: Estimate
    p_value: float | Undefined
    p_value_always_valid: float | Undefined
    p_value_adjusted: float | Undefined
    difference_in_family: Interval | Undefined
    lift_in_family: Interval | Undefined
    guardrail: GuardrailState | None = None
    belief: Belief | Undefined | None = None
    outlook: Outlook | None = None
    variance_kept: float | Undefined | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """One arm on one metric: plain pooled numbers, and `interval` for the value (Wilson for conversions)."""

    variant: str
    units: int
    total: float
    value: float | Undefined
    std_dev: float | Undefined
    interval: Interval | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricReport:
    metric: str
    kind: str
    role: str
    direction: str
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[Comparison, ...]
    beliefs: tuple[ArmBelief, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialRatio:
    """The sample ratio test that holds at every look: running e-value and its p-value, 1 / e."""

    log_evidence: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Chi-square test of the arm counts against the intended split, over all cells of the scope."""

    chi_square: float | Undefined
    degrees_of_freedom: int
    p_value: float | Undefined
    observed: tuple[tuple[str, int], ...]
    expected: tuple[tuple[str, float], ...]
    sequential: SequentialRatio | Undefined | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A warning: stable `code`, how bad, one sentence for a person, and what it is about."""

    code: str
    severity: Severity
    message: str
    variant: str | None = None
    metric: str | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to conclude on the primary metric.

    `winner`: `variant` beats the control and every other one that is still offered. `tied`: `leaders` all beat
    the control and cannot be told apart. `control_wins`: every treatment is worse than the control, which is `variant`.
    `undecided`: the data do not say yet. `too_early`: below the minimum. `untrustworthy`: a critical finding stands.
    """

    outcome: Outcome
    variant: str | None
    leaders: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEffect:
    """The difference among units on their `day`-th day since exposure (0: the first), on the primary metric."""

    day: int
    units: int
    difference: float | Undefined
    interval: Interval | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """A treatment's effect by day since exposure, and `trend_p_value` of its change in time."""

    treatment: str
    baseline: str
    days: tuple[DayEffect, ...]
    trend_p_value: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveCost:
    """Standard errors of the difference: of the split as it was, and had the declared one stayed.

    `units_missing`: the certainty is as if this share of the units were missing; below 0 there is more of it.
    """

    treatment: str
    baseline: str
    std_error: float | Undefined
    if_fixed: float | Undefined
    units_missing: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveComparison:
    """A split that follows the outcomes, beside the declared one on the same units; of the primary metric.

    `gained` is in sums of outcomes (so many conversions, so much revenue) and in the direction that is wished for.
    `shown` and `if_fixed`: units by variant. `units_left_out` are of batches in which a variant has next to nobody.
    """

    units: int
    units_left_out: int
    shown: tuple[tuple[str, int], ...]
    if_fixed: tuple[tuple[str, float], ...]
    expected_if_fixed: float | Undefined
    gained: Estimate
    costs: tuple[AdaptiveCost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeReport:
    """One segment, or all of them together (`segment` None)."""

    segment: str | None
    units: int
    srm: SampleRatio
    metrics: tuple[MetricReport, ...]
    verdict: Verdict
    findings: tuple[Finding, ...]
    novelty: tuple[Novelty, ...] = ()
    adaptive: AdaptiveComparison | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEffect:
    """One segment beside all others, on one treatment's difference to the baseline.

    `raw` is what it showed. `shrunk` is its empirical-Bayes estimate, the number to show for the best of many.
    `against_others` is the interval of its effect less that of all others together.
    """

    segment: str
    raw: float | Undefined
    std_error: float | Undefined
    shrunk: float | Undefined
    shrunk_interval: Interval | Undefined
    against_others: float | Undefined
    against_others_interval: Interval | Undefined
    against_others_p_value: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The segment in which a treatment looks best, corrected for having been picked: `interval` covers after that."""

    segment: str
    raw: float
    adjusted: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentComparison:
    """Does a treatment's effect differ between segments? (The interaction table, on the primary metric.)

    `q`, `degrees_of_freedom`, `p_value`, `i_squared`: Cochran, for one look. `p_value_always_valid`: at every look.
    `tau` is the standard deviation of the true effects between segments. `pooled` is the precision-weighted mean.
    `differ`: shown, under the plan's stopping rule, at its alpha.
    """

    treatment: str
    baseline: str
    q: float | Undefined
    degrees_of_freedom: int
    p_value: float | Undefined
    p_value_always_valid: float | Undefined
    i_squared: float | Undefined
    tau: float | Undefined
    pooled: Estimate
    differ: bool
    segments: tuple[SegmentEffect, ...]
    selected: Selected | Undefined


Advice = Literal["one_for_all", "per_segment", "wait", "none"]
WaitsFor = Literal["units", "time", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to do with all segments, in one sentence.

    `one_for_all`: segments are not shown to differ, and `variant` wins overall. `per_segment`: they differ, or no
    winner fits all; `winners` has the segments that have one (it may be empty: several may be in front), unless it
    harms a guardrail there beyond its margin. `wait`: nothing can be said yet, the sentence says when, or nothing may
    be before the one look that was planned. `none`: nothing to recommend (untrustworthy data, the control stays, or
    the winner harms a guardrail beyond its margin).

    `waits_for`: with `wait` alone, whether `units` are missing, `time` until those that are in count, or `nothing`,
    as waiting does not help.
    """

    advice: Advice
    variant: str | None
    winners: tuple[tuple[str, str], ...]
    sentence: str
    waits_for: WaitsFor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything; `to_dict` in `analysis.report` gives the stored JSON form."""

    schema: str
    engine_version: str
    control: str
    variants: tuple[str, ...]
    alpha: float
    stopping_rule: str
    family: str
    tuned_for_units: int
    units: int
    units_mixed: int
    units_outside: int
    watermark_at: str | None
    overall: ScopeReport
    segments: tuple[ScopeReport, ...]
    findings: tuple[Finding, ...]
    segment_comparisons: tuple[SegmentComparison, ...] = ()
    recommendation: Recommendation | None = None
