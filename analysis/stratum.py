"""Two arms within one stratum, and which strata a comparison may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.effects.events import Support, support
from analysis.moments import Moments
from analysis.plan import MetricKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumMoments:
    """Two arms within one stratum; `units` counts all arms of the stratum, it is the stratum's weight."""

    units: int
    treatment: Moments
    baseline: Moments


def entering_strata(strata: Sequence[StratumMoments], min_units: int) -> list[StratumMoments]:
    """Strata in which both arms have the minimum of units."""
    return [stratum for stratum in strata if min(stratum.treatment.n, stratum.baseline.n) >= max(min_units, 1)]


def events_behind(kind: MetricKind, strata: Sequence[StratumMoments]) -> Support:
    """The effective events of both arms in these strata, at least one."""
    return support(
        kind, shares(strata), [stratum.treatment for stratum in strata], [stratum.baseline for stratum in strata]
    )


def shares(strata: Sequence[StratumMoments]) -> list[float]:
    total = sum(stratum.units for stratum in strata)
    return [stratum.units / total for stratum in strata]
