"""Metrics: which events make the number of a unit, and what takes noise out of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import get_args

from analysis.plan.words import Direction, MetricKind, MetricRole, PlanError, require_unique


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
        `metric_kind`, `metric_role`, `metric_event`, `metric_denominator`, `metric_window`, `metric_cap`,
        `metric_margin`, `metric_quantile`, `metric_winsor`, `metric_covariates`, `duplicate_covariate`.
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
        self._check_words()
        self._check_values()
        self._check_noise_reduction()

    def _check_words(self) -> None:
        """What type checkers see, for those who have none."""
        for what, found, known in (
            ("kind", self.kind, get_args(MetricKind)),
            ("role", self.role, get_args(MetricRole)),
        ):
            if found not in known:
                raise PlanError(f"metric_{what}", f"{self.key}: {found!r} is no {what}; there are {', '.join(known)}")
        names = (
            [self.event_name] if self.denominator_event_name is None else [self.event_name, self.denominator_event_name]
        )
        if not all(isinstance(name, str) and name for name in names):
            raise PlanError("metric_event", f"{self.key}: events have a name")

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
        require_unique("duplicate_covariate", tuple(covariate.key for covariate in self.covariates))

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
