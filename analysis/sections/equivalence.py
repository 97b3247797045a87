"""Variants that are practically the same: no difference worth acting on is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.estimate import Comparison, Finding, Interval
from analysis.plan import Plan
from analysis.wording import percentage


def practically_equal(plan: Plan, comparisons: Sequence[Comparison]) -> Iterator[Finding]:
    """Of one scope's comparisons on the primary metric: the family's interval of the lift lies within ±minimum_lift.

    Not of pairs of which one is shown to be the better one, be it by little.

    Two one-sided tests, at the level of the family and under the plan's rule for looking: with an interval of level
    1 - α they err in at most α/2 for each pair. Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987), pp.
    657-680.
    """
    margin = plan.minimum_lift
    if margin is None:
        return
    for one in comparisons:
        interval, p = one.lift_in_family, one.p_value_adjusted
        if isinstance(p, float) and p < plan.alpha:
            continue
        if isinstance(interval, Interval) and -margin < interval.low and interval.high < margin:
            names = plan.variant_name(one.treatment), plan.variant_name(one.baseline)
            yield Finding(
                code="practically_equal",
                severity="info",
                message=f"{names[0]} and {names[1]} are practically the same: {plan.primary.label} differ by "
                f"less than {percentage(margin)}",
                variant=one.treatment,
                metric=plan.primary.key,
            )
