"""The declared family: which comparisons are controlled together, and what holds for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from analysis.comparison import Effect
from analysis.estimate import Estimate, Interval, Undefined
from analysis.inference.multiplicity import Adjustment, benjamini_hochberg, holm
from analysis.plan import FamilyMethod, Plan

K = TypeVar("K", bound=Hashable)

ADJUSTMENTS: dict[FamilyMethod, Adjustment] = {"holm": holm, "benjamini_hochberg": benjamini_hochberg}

TOO_EARLY = Undefined(reason="too_early", message="Below the minimum, nothing is concluded.")
NOT_IN_FAMILY = Undefined(reason="not_in_family", message="Not corrected: no winner is named on this comparison.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One comparison of a family: the p-value that decides, and the same effect with intervals at another alpha."""

    p_value: float | Undefined
    effect_at: Callable[[float], Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A member as its family leaves it: adjusted p-value, and intervals that hold for all members together."""

    p_value: float | Undefined
    difference: Interval | Undefined
    lift: Interval | Undefined


def decisive_p(plan: Plan, effect: Effect) -> float | Undefined:
    """The p-value that may name a winner under the plan's stopping rule."""
    return effect.p_value_always_valid if plan.stopping_rule == "always_valid" else effect.p_value


def adjust(plan: Plan, p_values: Mapping[K, float | Undefined]) -> dict[K, float | Undefined]:
    """Adjusted p-values of one family.

    Parameters
    ----------
    p_values
        All members, those without a p-value included: they count as 1, so that the size of the family is what was
        declared and never depends on the data. They stay undefined.
    """
    numbers = [1.0 if isinstance(p, Undefined) else p for p in p_values.values()]
    adjusted = ADJUSTMENTS[plan.family](numbers)
    return {
        key: p if isinstance(p, Undefined) else value
        for (key, p), value in zip(p_values.items(), adjusted, strict=True)
    }


def judge(plan: Plan, members: Mapping[K, Member]) -> dict[K, Judged]:
    """Adjusted p-values and simultaneous intervals of one family, dual to each other.

    Returns
    -------
    dict
        By member. A member that is too early has no interval. The kind of interval is that of the stopping rule.

    Notes
    -----
    Of m members, declared and therefore constant:

    `holm`: every interval has the level 1 - alpha/m (Bonferroni), so all of them cover together with 1 - alpha, at
    every look. Holm may reject what Bonferroni does not; such an interval ends at 0, which it then leaves out: the
    confidence region that belongs to Holm's procedure. Guilbaud, Biometrical Journal 50 (2008), pp. 678-692. (He shows
    it for one-sided hypotheses; of two sides it is as good as the direction of a Holm rejection.)

    `benjamini_hochberg`: with R members rejected the level is 1 - alpha·max(R, 1)/m, so that the expected share of
    intervals that miss, among those of the rejected, is at most alpha. For confidence sequences from e-values, as ours
    are, under any dependence and at any look: Xu, Wang & Ramdas, "Post-selection inference for e-value based confidence
    intervals", EJS 18 (2024), theorem 1; for fixed ones under independence: Benjamini & Yekutieli, JASA 100 (2005),
    pp. 71-81. A member is rejected exactly when its interval leaves out 0.
    """
    adjusted = adjust(plan, {key: member.p_value for key, member in members.items()})
    rejected = {key for key, p in adjusted.items() if not isinstance(p, Undefined) and p < plan.alpha}
    shares = max(1, len(rejected)) if plan.family == "benjamini_hochberg" else 1
    alpha = plan.alpha * shares / max(1, len(members))
    return {
        key: _judged(plan, member, adjusted[key], alpha, is_rejected=key in rejected) for key, member in members.items()
    }


def _judged(plan: Plan, member: Member, p: float | Undefined, alpha: float, *, is_rejected: bool) -> Judged:
    if p == TOO_EARLY:
        return Judged(p_value=p, difference=TOO_EARLY, lift=TOO_EARLY)
    effect = member.effect_at(alpha)
    return Judged(
        p_value=p,
        difference=_interval(plan, effect.difference, is_rejected=is_rejected),
        lift=_interval(plan, effect.lift, is_rejected=is_rejected),
    )


def _interval(plan: Plan, estimate: Estimate, *, is_rejected: bool) -> Interval | Undefined:
    interval = estimate.always_valid if plan.stopping_rule == "always_valid" else estimate.fixed
    if isinstance(interval, Undefined) or isinstance(estimate.value, Undefined) or not is_rejected:
        return interval
    if estimate.value > 0:
        return replace(interval, low=max(interval.low, 0.0))
    return replace(interval, high=min(interval.high, 0.0))
