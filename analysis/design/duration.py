"""How long: whole weeks until a sample is in, and what is left at the present traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, sqrt

from scipy.optimize import brentq

from analysis.design.designs import NO_SCALE, Design
from analysis.design.power import SampleSize, sample_size
from analysis.design.rules import Rule
from analysis.effects.means import too_few_units
from analysis.estimate import Undefined

NO_TRAFFIC = Undefined(reason="no_traffic", message="Nobody comes: it would never end.")
NEVER = Undefined(reason="too_many_units", message="At no number of units would the interval be that narrow.")
_LONGEST_DAYS = 1e9
_MOST_UNITS = 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """`days` from now; `weeks`: the whole weeks, at least one, that the experiment runs from its start to then.

    People differ between weekdays: an experiment that ends within a week has more of some days than of others.
    """

    days: float
    weeks: int


def duration(
    units: float, units_per_day: float, *, share: float = 1.0, days_so_far: float = 0.0
) -> Duration | Undefined:
    """Time until so many *new* units have come.

    Parameters
    ----------
    units
        ≥ 0, still needed in all arms together.
    units_per_day
        ≥ 0: units that enter for the first time, per day. Returning ones do not count, so visitors per day are too
        many, the more so the longer it runs.
    share
        In [0, 1]: of them the part that takes part (segment share × traffic share).
    days_so_far
        ≥ 0 since the start, for whole weeks from there.

    Returns
    -------
    Duration
        `Undefined("no_traffic")` when nobody comes but somebody is needed, or for more than 10⁹ days.

    Raises
    ------
    ValueError
        Outside these.
    """
    if not (0 <= units < inf and 0 <= units_per_day < inf and 0 <= share <= 1 and 0 <= days_so_far < inf):
        raise ValueError(f"no duration: {units} units, {units_per_day} a day, share {share}, after {days_so_far} days")
    arriving = units_per_day * share
    if units > arriving * _LONGEST_DAYS:
        return NO_TRAFFIC
    days = units / arriving if units else 0.0
    # A sliver of a day beyond whole weeks is rounding.
    return Duration(days=days, weeks=max(1, ceil((days + days_so_far) / 7 - 1e-9)))


def segment_durations(
    needed: Mapping[str, SampleSize | Undefined], units_per_day: float, shares: Mapping[str, float]
) -> dict[str, Duration | Undefined]:
    """Of each segment on its own, in the order of `needed`; the whole experiment takes as long as the slowest.

    Parameters
    ----------
    needed
        Sample size of each segment; a segment without one has no duration either, for the same reason.
    units_per_day
        New units of all segments together.
    shares
        Of the segments in these units, each in [0, 1], together at most 1 (first match wins, so none counts twice).

    Raises
    ------
    ValueError
        Outside these, or a segment without a share.
    """
    if sum(shares.values()) > 1 + 1e-9 or not needed.keys() <= shares.keys():
        raise ValueError(f"every segment needs a share, and all together at most 1: {dict(shares)}")
    return {
        segment: size if isinstance(size, Undefined) else duration(size.total, units_per_day, share=shares[segment])
        for segment, size in needed.items()
    }


def time_left_for_effect(
    design: Design,
    *,
    control_units: float,
    units_per_day: float,
    difference: float,
    target_power: float = 0.8,
    days_so_far: float = 0.0,
) -> Duration | Undefined:
    """Time until a difference would be found with the target power, at the present traffic.

    Parameters
    ----------
    design
        Metric (now best from the moments so far), rule, arms.
    control_units
        ≥ 0 already in the control.
    units_per_day
        ≥ 0 new units in all arms together.
    difference
        The one worth finding, fixed beforehand. The estimate so far put in here gives a number that means nothing.
    target_power, days_so_far
        As in `sample_size` and `duration`.

    Returns
    -------
    Duration
        0 days when it is reached already. `Undefined` as `sample_size` and `duration`.

    Raises
    ------
    ValueError
        As `sample_size` and `duration` do.
    """
    size = sample_size(design, difference=difference, target_power=target_power)
    if isinstance(size, Undefined):
        return size
    missing = max(size.control - control_units, 0.0) * design.arms.total_per_control
    return duration(missing, units_per_day, days_so_far=days_so_far)


def time_left_for_width(
    rule: Rule,
    *,
    units: float,
    std_error: float,
    half_width: float,
    units_per_day: float,
    days_so_far: float = 0.0,
) -> Duration | Undefined:
    """Time until the interval reaches no farther than `half_width` from the estimate.

    Parameters
    ----------
    rule
        Says which interval: at one look (normal quantile), or a confidence sequence.
    units
        ≥ 0 so far in the two arms of the comparison.
    std_error
        ≥ 0, of the estimate now; it falls with the root of the units as long as traffic and its split stay as they are.
    half_width
        > 0, in the unit of the standard error.
    units_per_day
        ≥ 0 new units in the two arms.

    Returns
    -------
    Duration
        0 days when it is that narrow already. `Undefined`: "no_units", "one_unit", "zero_variance", "no_traffic",
        "too_many_units".

    Raises
    ------
    ValueError
        Outside these.
    """
    if not (0 <= units < inf and 0 <= std_error < inf and 0 < half_width < inf):
        raise ValueError(f"no interval: {units} units, standard error {std_error}, half-width {half_width}")
    if units < 2:
        return too_few_units(int(units))
    if std_error == 0:
        return NO_SCALE

    def narrowing(factor: float) -> float:
        return rule.critical_at(units * factor) * std_error / sqrt(factor) - half_width

    if narrowing(1.0) <= 0:
        return duration(0.0, units_per_day, days_so_far=days_so_far)
    farthest = _MOST_UNITS / units
    if farthest <= 1 or narrowing(farthest) > 0:
        return NEVER
    factor = float(brentq(narrowing, 1.0, farthest, rtol=1e-12))
    return duration(units * (factor - 1), units_per_day, days_so_far=days_so_far)
