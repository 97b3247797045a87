"""What an adaptive split gained over the declared one, and what certainty it cost, segment by segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import Scope, StoredReport
from api.dashboard.stored.adaptive import Cost
from experiments.domain.allocation import Allocation
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.wording import listed, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveLine:
    segment: str
    gained: str
    interval: str
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveSplit:
    """`metric` is what is gained more of (or, where less is better, less).

    `unmoved` names segments whose split is still the declared one: nothing can be gained or lost there yet.
    """

    metric: str
    lines: tuple[AdaptiveLine, ...]
    unmoved: str


def adaptive_split(report: StoredReport, definition: Definition, names: Names) -> AdaptiveSplit | None:
    """Return None where no split follows the results."""
    primary, scopes = report.overall.primary, [one for one in (report.overall, *report.segments) if one.adaptive]
    if primary is None or not scopes:
        return None
    still = {plan.segment.key for plan in definition.segments if not _has_moved(plan)}
    if len(still) == len(definition.segments):
        return AdaptiveSplit(metric=names.metric(primary.metric), lines=(), unmoved="")
    unmoved = [names.segment(one.segment) for one in scopes if one.segment in still]
    lines = tuple(_lines([one for one in scopes if one.segment not in still], names))
    return AdaptiveSplit(metric=names.metric(primary.metric), lines=lines, unmoved=listed(unmoved))


def _has_moved(plan: SegmentPlan) -> bool:
    """Whether its split is another than the declared one; where a winner is live, it may have been before."""
    return plan.is_promoted or plan.allocation.weights_bp != Allocation.from_weights(plan.weights).weights_bp


def _lines(scopes: Iterable[Scope], names: Names) -> Iterator[AdaptiveLine]:
    for scope in scopes:
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
