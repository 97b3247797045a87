"""What a verdict is made of: one scope's comparisons on the primary metric, as their family leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.estimate import Comparison, Finding, Interval, Undefined
from analysis.plan import Plan
from analysis.reasons import hopeless
from analysis.remembered import remembered
from analysis.scopes import Scope

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What a verdict is made of.

    Parameters
    ----------
    comparisons
        On the primary metric, by (treatment, baseline), as their family leaves them.
    significant_alone
        Pairs that would be significant, were each the only comparison made.
    critical, early
        Findings that forbid any conclusion: the first for good, the second for now.
    maturing
        Units that are in and too recent to count.
    stands
        This look decides nothing: what an earlier one has found stands.
    """

    plan: Plan
    scope: Scope
    comparisons: Mapping[Pair, Comparison]
    significant_alone: frozenset[Pair]
    critical: Sequence[Finding]
    early: Sequence[Finding]
    maturing: int = 0
    stands: bool = False

    @remembered
    def measured(self) -> list[str]:
        """Variants that were offered and have reached the minimum."""
        short = {finding.variant for finding in self.early}
        return [variant for variant in self.scope.offered if variant not in short]

    @remembered
    def contestants(self) -> list[str]:
        """Treatments that may win: measured, and still offered."""
        return [one for one in self.measured if one in self.scope.current and one != self.plan.control]

    @remembered
    def retired(self) -> list[str]:
        """Treatments that were measured and are not offered any more."""
        return [one for one in self.measured if one not in self.scope.current and one != self.plan.control]

    @remembered
    def _sign(self) -> float:
        return 1.0 if self.plan.primary.direction == "increase" else -1.0

    def advantage(self, variant: str, other: str) -> float:
        """How much better `variant` is, in the direction that is wished for; 0 where that is unknown."""
        sign = self._sign
        if (variant, other) not in self.comparisons:
            variant, other, sign = other, variant, -sign
        value = self.comparisons[variant, other].difference.value
        return 0.0 if isinstance(value, Undefined) else sign * value

    def promising(self) -> list[str]:
        """Contestants that would beat the control, were that the only comparison made."""
        control = self.plan.control
        return [
            treatment
            for treatment in self.contestants
            if (treatment, control) in self.significant_alone and self.advantage(treatment, control) > 0
        ]

    def untestable(self) -> Undefined | None:
        """Why no contestant can be compared with the control, however many units come."""
        pairs = ((one, self.plan.control) for one in self.contestants)
        return hopeless(self.comparisons[pair].p_value_adjusted for pair in pairs)

    def beats(self, variant: str, other: str) -> bool:
        """Better than the other, significantly within the family."""
        return (variant, other) in self._shown

    @remembered
    def _shown(self) -> set[Pair]:
        """(better, worse)."""
        found = set()
        for (one, other), compared in self.comparisons.items():
            p = compared.p_value_adjusted
            if isinstance(p, float) and p < self.plan.alpha and (gain := self._sign * direction_shown(compared)):
                found.add((one, other) if gain > 0 else (other, one))
        return found


def direction_shown(compared: Comparison) -> float:
    """Which way a significant difference goes, as its interval does: where an earlier look stands, numbers went on."""
    interval, value = compared.difference_in_family, compared.difference.value
    if isinstance(interval, Interval):
        return interval.low + interval.high
    return 0.0 if isinstance(value, Undefined) else value
