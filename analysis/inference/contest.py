"""What a verdict is made of: one scope's comparisons on the primary metric, as their family leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.comparison import Effect
from analysis.estimate import Finding, Undefined
from analysis.inference.families import decisive_p
from analysis.plan import Plan
from analysis.scopes import Scope

Pair = tuple[str, str]
Adjusted = Mapping[Pair, float | Undefined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What a verdict is made of.

    Parameters
    ----------
    effects, adjusted
        On the primary metric, by (treatment, baseline); `adjusted` holds the members of the family.
    critical, early
        Findings that forbid any conclusion: the first for good, the second for now.
    """

    plan: Plan
    scope: Scope
    effects: Mapping[Pair, Effect]
    adjusted: Adjusted
    critical: Sequence[Finding]
    early: Sequence[Finding]

    def advantage(self, variant: str, other: str) -> float:
        """How much better `variant` is, in the direction that is wished for; 0 where that is unknown."""
        sign = 1.0 if self.plan.primary.direction == "increase" else -1.0
        if (variant, other) not in self.effects:
            variant, other, sign = other, variant, -sign
        value = self.effects[variant, other].difference.value
        return 0.0 if isinstance(value, Undefined) else sign * value

    def promising(self) -> list[str]:
        """Treatments that would beat the control, were that the only comparison made."""
        control = self.plan.control
        return [
            treatment
            for (treatment, baseline), effect in self.effects.items()
            if baseline == control and self._is_significant(decisive_p(self.plan, effect))
            if self.advantage(treatment, control) > 0
        ]

    def _is_significant(self, p: float | Undefined | None) -> bool:
        return not (p is None or isinstance(p, Undefined)) and p < self.plan.alpha

    def beats(self, variant: str, other: str) -> bool:
        """Better than the other, significantly within the family."""
        pair = (variant, other) if (variant, other) in self.adjusted else (other, variant)
        return self._is_significant(self.adjusted.get(pair)) and self.advantage(variant, other) > 0
