"""The words of a report: what was estimated, how surely, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REPORT_SCHEMA = "winnow.report/1"

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
class Comparison:
    """`treatment` against `baseline` (the control, or another treatment) on one metric in one scope.

    `p_value_adjusted` is the always-valid p-value corrected within the declared family (the fixed-horizon one
    under the `fixed_horizon` stopping rule); Undefined("not_in_family") outside the primary metric's segments.
    `difference_in_family` and `lift_in_family` are the intervals that belong to it: they hold for all members of the
    family together and, unless the horizon is fixed, at every look; they leave out 0 (or end there) exactly when
    `p_value_adjusted` is below alpha. Whatever is concluded about the primary metric is concluded from these.
    `guardrail` is set for guardrail metrics only, from the always-valid interval of the lift against the margin:
    "safe" (harm beyond the margin is ruled out), "harmed" (beyond the margin), "worse" (harm is shown, perhaps within
    the margin) or "unknown".
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Chi-square test of the arm counts against the intended split, over all cells of the scope."""

    chi_square: float | Undefined
    degrees_of_freedom: int
    p_value: float | Undefined
    observed: tuple[tuple[str, int], ...]
    expected: tuple[tuple[str, float], ...]


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
class ScopeReport:
    """One segment, or all of them together (`segment` None)."""

    segment: str | None
    units: int
    srm: SampleRatio
    metrics: tuple[MetricReport, ...]
    verdict: Verdict
    findings: tuple[Finding, ...]


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
