"""The declared family: which comparisons are controlled together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from analysis.comparison import Effect
from analysis.estimate import Undefined
from analysis.inference.multiplicity import Adjustment, benjamini_hochberg, holm
from analysis.plan import FamilyMethod, Plan

K = TypeVar("K", bound=Hashable)

ADJUSTMENTS: dict[FamilyMethod, Adjustment] = {"holm": holm, "benjamini_hochberg": benjamini_hochberg}

TOO_EARLY = Undefined(reason="too_early", message="Below the minimum, nothing is concluded.")
NOT_IN_FAMILY = Undefined(reason="not_in_family", message="Not corrected: no winner is named on this comparison.")


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
