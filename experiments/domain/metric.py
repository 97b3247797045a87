"""Metrics: rules that turn a unit's events into one number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.covariate import Covariate
from experiments.domain.durations import MAX_SECONDS
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, check_text

MAX_COVARIATES = 10


class MetricKind(StrEnum):
    CONVERSION = "conversion"
    COUNT = "count"
    MEAN = "mean"
    RATIO = "ratio"
    QUANTILE = "quantile"


class MetricRole(StrEnum):
    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"


class Direction(StrEnum):
    INCREASE = "increase"
    DECREASE = "decrease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`conversion`: any event; `count`: how many; `mean`: sum of values per unit; `ratio`: sum over sum.

    `quantile`: the `quantile` of the values of the events themselves (the median order, the slowest twentieth of page
    loads), of which a unit may have several. `window_seconds` counts from exposure (None: without end). A unit's value
    is cut off at `cap`, or where `winsor_quantile` of all units lie below. With `*_counts_events` a ratio takes the
    number of events in place of the sum of their values. `covariates` are known before exposure; they take noise out.
    """

    key: str
    name: str
    kind: MetricKind
    event_name: str
    denominator_event_name: str | None = None
    numerator_counts_events: bool = False
    denominator_counts_events: bool = False
    direction: Direction = Direction.INCREASE
    window_seconds: int | None = None
    cap: float | None = None
    description: str = ""
    quantile: float | None = None
    winsor_quantile: float | None = None
    covariates: tuple[Covariate, ...] = ()

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.description, "/description")
        check_key(self.event_name, "/event_name")
        self._check_ratio()
        self._check_quantile()
        if self.window_seconds is not None and not 0 < self.window_seconds <= MAX_SECONDS:
            raise InvalidInput(
                "window_invalid", "A window is longer than 0 seconds, up to a hundred years.", path="/window_seconds"
            )
        if self.cap is not None and not (math.isfinite(self.cap) and self.cap > 0):
            raise InvalidInput("cap_invalid", "A cap is a positive number.", path="/cap")
        if self.cap is not None and self.kind is MetricKind.CONVERSION:
            raise InvalidInput("cap_invalid", "A conversion is 0 or 1: it has no cap.", path="/cap")
        self._check_winsor()
        self._check_covariates()

    def _check_ratio(self) -> None:
        if self.kind is MetricKind.RATIO:
            if self.denominator_event_name is None:
                raise InvalidInput(
                    "denominator_missing", "A ratio needs its denominator.", path="/denominator_event_name"
                )
            check_key(self.denominator_event_name, "/denominator_event_name")
        elif self.denominator_event_name is not None or self.numerator_counts_events or self.denominator_counts_events:
            raise InvalidInput(
                "denominator_unwanted", "Only a ratio has a denominator.", path="/denominator_event_name"
            )

    def _check_quantile(self) -> None:
        if self.kind is not MetricKind.QUANTILE:
            if self.quantile is not None:
                raise InvalidInput("quantile_unwanted", "Only a metric of that kind has a quantile.", path="/quantile")
        elif self.quantile is None or not 0 < self.quantile < 1:
            raise InvalidInput(
                "quantile_invalid", "A quantile lies between 0 and 1 (0.5: the median).", path="/quantile"
            )

    def _check_winsor(self) -> None:
        if self.winsor_quantile is None:
            return
        if not 0.5 <= self.winsor_quantile < 1:
            raise InvalidInput(
                "winsor_invalid", "Values are cut off at a quantile from 0.5 to below 1.", path="/winsor_quantile"
            )
        if self.cap is not None or self.kind in (MetricKind.CONVERSION, MetricKind.QUANTILE):
            raise InvalidInput(
                "winsor_unwanted",
                "There is one cut-off, `cap` or `winsor_quantile`, and none for conversions and quantiles.",
                path="/winsor_quantile",
            )

    def _check_covariates(self) -> None:
        if self.covariates and self.kind is MetricKind.QUANTILE:
            raise InvalidInput("covariates_unwanted", "A quantile is not adjusted for covariates.", path="/covariates")
        if len(self.covariates) > MAX_COVARIATES:
            raise InvalidInput(
                "covariates_count", f"A metric has at most {MAX_COVARIATES} covariates.", path="/covariates"
            )
        keys = [covariate.key for covariate in self.covariates]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise InvalidInput("key_repeated", f"{key!r} stands twice.", path=f"/covariates/{position}")

    @property
    def event_names(self) -> frozenset[str]:
        """Names of all events that the metric reads, before exposure or after."""
        named = (self.event_name, self.denominator_event_name, *(one.event_name for one in self.covariates))
        return frozenset(name for name in named if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricUse:
    """A metric as one experiment uses it: a frozen copy, so that editing the library never rewrites results."""

    metric: Metric
    role: MetricRole
    margin_lift: float | None = None

    def __post_init__(self) -> None:
        if self.role is MetricRole.GUARDRAIL:
            if self.margin_lift is None or not 0 < self.margin_lift < 1:
                raise InvalidInput(
                    "margin_missing",
                    "A guardrail needs the largest tolerated harm, between 0 and 1.",
                    path="/margin_lift",
                )
        elif self.margin_lift is not None:
            raise InvalidInput("margin_unwanted", "Only a guardrail has a margin.", path="/margin_lift")
