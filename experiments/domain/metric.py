"""Metrics: rules that turn a unit's events into one number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, check_text


class MetricKind(StrEnum):
    CONVERSION = "conversion"
    COUNT = "count"
    MEAN = "mean"
    RATIO = "ratio"


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

    `window_seconds` counts from exposure (None: without end); a unit's value is cut off at `cap`. With
    `*_counts_events` a ratio takes the number of events in place of the sum of their values.
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

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.description, "/description")
        check_key(self.event_name, "/event_name")
        self._check_ratio()
        if self.window_seconds is not None and self.window_seconds <= 0:
            raise InvalidInput("window_invalid", "A window is longer than 0 seconds.", path="/window_seconds")
        if self.cap is not None and not (math.isfinite(self.cap) and self.cap > 0):
            raise InvalidInput("cap_invalid", "A cap is a positive number.", path="/cap")
        if self.cap is not None and self.kind is MetricKind.CONVERSION:
            raise InvalidInput("cap_invalid", "A conversion is 0 or 1: it has no cap.", path="/cap")

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

    @property
    def event_names(self) -> frozenset[str]:
        """Names of all events that the metric reads."""
        return frozenset(name for name in (self.event_name, self.denominator_event_name) if name)


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
