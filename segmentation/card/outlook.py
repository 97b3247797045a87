"""Can it be tested in: what lift a segment can show in how many weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import floor

from analysis.design.designs import Design
from analysis.design.duration import duration
from analysis.design.metrics import Metric, from_moments
from analysis.design.power import minimum_detectable_effect, sample_size
from analysis.design.rules import Arms, Rule
from analysis.estimate import Undefined
from analysis.plan import LEAST_TUNED_FOR_UNITS
from segmentation.card.card import Shown, TrialOutlook
from segmentation.card.counts import Group
from segmentation.card.question import Trial

NO_BASELINE = Undefined(reason="no_baseline", message="The metric is not above 0 here, so there is nothing to lift.")
ALL_HAVE_IT = Undefined(
    reason="nothing_to_lift", message="All of its customers did what is counted already, so there is nothing to lift."
)
_ROUNDS = 20
_CLOSE = 0.001


def outlook_of(trial: Trial, segment: str, group: Group, share: float) -> TrialOutlook:
    """What an experiment would come to in a segment.

    Parameters
    ----------
    group
        Its units, with the outcome's moments: how the metric is now, and how units vary about it.
    share
        Of the segment in all units, by which it gets its part of the traffic.

    Notes
    -----
    Lifts and sample sizes are those of `analysis.design`: power at one look, or of the look at the horizon of a
    confidence sequence that is tuned for the units there will be then. Conversions by the score test, means and counts
    by Welch's. The baseline is taken as it is: what the outcome was is no promise.
    """
    arriving = _arriving(trial, segment, share)
    metric = _metric(trial, group)
    shown = tuple(_shown(trial, metric, group, weeks, arriving) for weeks in trial.weeks)
    needed = _possible(trial, metric, _units_needed(trial, metric))
    weeks = _weeks_needed(trial, needed, group, arriving)
    return TrialOutlook(
        baseline=metric if isinstance(metric, Undefined) else metric.value,
        units_per_week=arriving,
        shown=shown,
        units_needed=needed,
        weeks_needed=weeks,
        sentence=_sentence(trial, shown[len(shown) // 2], needed, weeks, group),
    )


def _metric(trial: Trial, group: Group) -> Metric | Undefined:
    found = from_moments(trial.kind, group.outcome)
    return found if isinstance(found, Undefined) or found.value > 0 else NO_BASELINE


def _arriving(trial: Trial, segment: str, share: float) -> float:
    rates = trial.units_per_week
    return float(rates.get(segment, 0.0)) if isinstance(rates, Mapping) else rates * share


def _shown(trial: Trial, metric: Metric | Undefined, group: Group, weeks: int, arriving: float) -> Shown:
    coming = weeks * arriving
    units = floor(coming if trial.refills else min(coming, group.units))
    if isinstance(metric, Undefined):
        return Shown(weeks=weeks, units=units, lift=metric)
    in_variant = units // trial.variants
    design = _design(trial, metric, in_variant * trial.variants)
    found = minimum_detectable_effect(design, control_units=in_variant, target_power=trial.power)
    return Shown(weeks=weeks, units=units, lift=found if isinstance(found, Undefined) else found.lift)


def _design(trial: Trial, metric: Metric, units: float) -> Design:
    """Sequences are tuned for the units that there will be in a pair of variants."""
    pair = max(LEAST_TUNED_FOR_UNITS, round(units * 2 / trial.variants)) if trial.always_valid else None
    rule = Rule(alpha=trial.alpha, comparisons=trial.comparisons, tuned_for_units=pair)
    return Design(metric=metric, rule=rule, arms=Arms(treatments=trial.variants - 1))


def _units_needed(trial: Trial, metric: Metric | Undefined) -> int | Undefined:
    """The sample size follows from what sequences are tuned for, and that from the sample size: round after round."""
    if isinstance(metric, Undefined):
        return metric
    units = 5_000.0
    for _ in range(_ROUNDS):
        design = _design(trial, metric, units)
        size = sample_size(design, difference=trial.minimum_lift * metric.value, target_power=trial.power)
        if isinstance(size, Undefined) or abs(size.total - units) <= _CLOSE * units:
            break
        units = float(size.total)
    return size if isinstance(size, Undefined) else size.total


def _possible(trial: Trial, metric: Metric | Undefined, needed: int | Undefined) -> int | Undefined:
    """Say why no number of units is enough where the lift worth acting on leads beyond 100 %."""
    if isinstance(metric, Undefined) or not isinstance(needed, Undefined) or needed.reason != "out_of_range":
        return needed
    if metric.value >= 1:
        return ALL_HAVE_IT
    message = (
        f"{metric.value:.0%} of its customers did what is counted already, and a lift of {_percent(trial.minimum_lift)}"
    )
    return replace(needed, message=f"{message} would be more than all of them.")


def _weeks_needed(trial: Trial, needed: int | Undefined, group: Group, arriving: float) -> int | Undefined:
    if isinstance(needed, Undefined):
        return needed
    if needed > group.units and not trial.refills:
        message = f"It has {group.units:,} customers, and {needed:,} are needed."
        return Undefined(reason="too_few_units", message=message)
    time = duration(needed, arriving / 7)
    return time if isinstance(time, Undefined) else time.weeks


def _sentence(trial: Trial, shown: Shown, needed: int | Undefined, weeks: int | Undefined, group: Group) -> str:
    if isinstance(needed, Undefined):
        return f"What it can show is not known: {_lowered(needed.message)}"
    worth = _percent(trial.minimum_lift)
    if isinstance(weeks, Undefined) and weeks.reason == "too_few_units" and not shown.units:
        return f"A lift of {worth} cannot be shown: {_lowered(weeks.message)}"
    if not shown.units:
        seen = f"hardly any of its {group.units:,} customers have been seen in an experiment so far"
        return f"What it can show is not known: {seen}. A lift of {worth} takes {needed:,} customers."
    lift = "no lift at all" if isinstance(shown.lift, Undefined) else f"a lift of {_percent(shown.lift)} or more"
    first = f"In {_weeks(shown.weeks)}, with {shown.units:,} customers, it can show {lift}."
    if isinstance(weeks, Undefined):
        return f"{first} A lift of {worth} cannot be shown: {_lowered(weeks.message)}"
    return f"{first} A lift of {worth} takes {_weeks(weeks)} ({needed:,} customers)."


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _weeks(weeks: int) -> str:
    return "1 week" if weeks == 1 else f"{weeks:,} weeks"


def _percent(lift: float) -> str:
    return f"{lift * 100:.2g}%" if lift < 0.1 else f"{lift * 100:,.0f}%"
