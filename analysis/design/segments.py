"""How small a segment may be and still have an answer of its own."""

from __future__ import annotations

from analysis.design.designs import Design
from analysis.design.metrics import Metric
from analysis.design.power import SampleSize, sample_size
from analysis.design.rules import Arms, Rule
from analysis.estimate import Undefined


def smallest_segment(
    metric: Metric,
    minimum_lift: float,
    *,
    family_size: int,
    alpha: float = 0.05,
    tuned_for_units: int | None = None,
    arms: Arms | None = None,
    target_power: float = 0.8,
) -> SampleSize | Undefined:
    """Units that a segment needs to find `minimum_lift`, judged in its family: `total` is the segment's size.

    Parameters
    ----------
    metric
        As it is in this segment's control, or is expected to be.
    minimum_lift
        > 0: the smallest one worth acting on, a fraction.
    family_size
        Comparisons that are judged together: segments × pairs of variants.
    alpha
        Of the whole family.
    tuned_for_units
        Of the plan, where it is looked at any time; None: one look.

    Returns
    -------
    SampleSize
        As `sample_size` by Bonferroni, so a little more than Holm's procedure needs. `Undefined` as there, and
        "no_effect" where the control's value is 0.

    Raises
    ------
    ValueError
        A lift that is not positive; as `sample_size` does.
    """
    if not minimum_lift > 0:
        raise ValueError(f"a lift worth acting on is positive: {minimum_lift}")
    rule = Rule(alpha=alpha, comparisons=family_size, tuned_for_units=tuned_for_units)
    design = Design(metric=metric, rule=rule, arms=arms or Arms())
    return sample_size(design, difference=minimum_lift * metric.value, target_power=target_power)
