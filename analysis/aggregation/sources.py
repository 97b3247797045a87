"""What a metric's numbers are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.aggregation.variables import Variables
from analysis.plan import Covariate, MetricPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One number of a unit: the events that make it, and when they count.

    `lookback_seconds` is set for what happened before the exposure, `window_seconds` perhaps for what came after.
    """

    column: str
    event_name: str
    counts_events: bool
    window_seconds: int | None = None
    lookback_seconds: int | None = None
    cap: float | None = None

    @property
    def what(self) -> tuple[object, ...]:
        """The same for two numbers that are made of the same events in the same way."""
        return (self.event_name, self.counts_events, self.window_seconds, self.lookback_seconds)


def sources(metric: MetricPlan, index: int) -> Iterator[Source]:
    """x; y of a ratio or (the number of rows) of a quantile; covariates."""
    window, cap = metric.window_seconds, metric.cap
    counts = metric.kind in ("conversion", "count") or metric.numerator_counts_events
    yield Source(column=f"x{index}", event_name=metric.event_name, counts_events=counts, window_seconds=window, cap=cap)
    if metric.denominator_event_name is not None:
        yield Source(
            column=f"y{index}",
            event_name=metric.denominator_event_name,
            counts_events=metric.denominator_counts_events,
            window_seconds=window,
            cap=cap,
        )
    yield from (_of_covariate(one, f"c{index}_{number}") for number, one in enumerate(metric.covariates))


def _of_covariate(covariate: Covariate, column: str) -> Source:
    return Source(
        column=column,
        event_name=covariate.event_name,
        counts_events=covariate.counts_events,
        lookback_seconds=covariate.lookback_seconds,
        cap=covariate.cap,
    )


def variables(metric: MetricPlan, index: int) -> Variables:
    found = list(sources(metric, index))
    whole = {one.column for one in found if one.counts_events and (one.cap is None or one.cap == int(one.cap))}
    has_denominator = metric.kind in ("ratio", "quantile")
    return Variables(
        metric=metric,
        x=f"x{index}",
        y=f"y{index}" if has_denominator else None,
        covariates=tuple(one.column for one in found if one.lookback_seconds is not None),
        whole=frozenset(whole | ({f"y{index}"} if metric.kind == "quantile" else set())),
    )
