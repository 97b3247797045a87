"""Gains as people read them: the metric's own change, with its sign, and which way surely lies."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from experiments.domain.definition import Definition
from experiments.domain.metric import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The metric that decides. A gain is in the direction that is wished for; `lift` turns it into the metric's own."""

    metric: str
    control: str
    rises: bool

    def lift(self, gain: float) -> float:
        return gain if self.rises else 0 - gain

    def said(self, gain: float) -> str:
        """A change of the metric: +4.1%, or −4.1% where it shall fall."""
        return say.lift(self.lift(gain))

    def beyond(self, gain: float) -> str:
        """On the better side of it: above +1.2%, or below −1.2% where it shall fall."""
        return f"{'above' if self.rises else 'below'} {self.said(gain)}"

    def short_of(self, gain: float) -> str:
        """On the worse side of it."""
        return f"{'below' if self.rises else 'above'} {self.said(gain)}"

    def between(self, low: float, high: float) -> str:
        """Both ends, the lower number first."""
        first, last = sorted((self.lift(low), self.lift(high)))
        return say.between(first, last)


def measure_of(definition: Definition, names: Names) -> Measure:
    """Return the measure of an experiment."""
    primary = definition.primary.metric
    return Measure(
        metric=names.metric(primary.key),
        control=names.variant(definition.control.key),
        rises=primary.direction is Direction.INCREASE,
    )


def how_sure(measure: Measure, gain: float | None, low: float | None, high: float | None) -> str:
    """Say a gain with what is sure of it, never more than the interval holds."""
    if gain is None:
        return "Not known yet"
    if low is None:
        return f"{measure.said(gain)}; how sure is not known"
    if low >= 0:
        return f"{measure.said(gain)}, surely {measure.beyond(low)}"
    if high is None:
        return f"{measure.said(gain)}, but perhaps no more than {measure.said(low)}"
    return f"{measure.said(gain)}, but anything {measure.between(low, high)} is possible"
