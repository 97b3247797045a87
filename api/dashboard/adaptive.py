"""What an adaptive split gained over the declared one, and what certainty it cost, segment by segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import StoredReport
from api.dashboard.stored.adaptive import Cost
from experiments.domain.wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveLine:
    segment: str
    gained: str
    interval: str
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveSplit:
    """`metric` is what is gained more of (or, where less is better, less)."""

    metric: str
    lines: tuple[AdaptiveLine, ...]


def adaptive_split(report: StoredReport, names: Names) -> AdaptiveSplit | None:
    """Return None where no split follows the results."""
    primary, lines = report.overall.primary, tuple(_lines(report, names))
    if primary is None or not lines:
        return None
    return AdaptiveSplit(metric=names.metric(primary.metric), lines=lines)


def _lines(report: StoredReport, names: Names) -> Iterator[AdaptiveLine]:
    for scope in (report.overall, *report.segments):
        found = scope.adaptive
        if found is None:
            continue
        interval, gained = found.interval.interval, found.gained.value
        yield AdaptiveLine(
            segment=names.segment(scope.segment),
            gained=found.gained.missing if gained is None else say.difference(gained, "count"),
            interval="" if interval is None else say.difference_range(interval.low, interval.high, "count"),
            costs=tuple(_cost(cost, names) for cost in found.costs),
        )


def _cost(cost: Cost, names: Names) -> str:
    name, share = names.variant(cost.treatment), cost.missing.value
    if share is None:
        return f"{name}: {cost.missing.missing}"
    what = "fewer" if share >= 0 else "more"
    return f"{name}: as certain as with {say.share(abs(share))} {what} {plural(names.unit)}"
