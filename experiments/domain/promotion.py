"""Promotion: a winner's way from a proposal to the whole of its segment, or back; every step with who, when and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from experiments.domain.allocation import Allocation
from experiments.domain.decision import DecisionReason
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.errors import PromotionRefused
from experiments.domain.evidence import Evidence
from experiments.domain.exploration import explored, promoted_weights


class PromotionState(StrEnum):
    """`ramping`: live for a part, and growing. `held`: live for all but the holdback, which measures. `kept`: for good.
    `superseded`: the author has given the segment another split since.
    """

    PROPOSED = "proposed"
    APPROVED = "approved"
    RAMPING = "ramping"
    HELD = "held"
    KEPT = "kept"
    REVERTED = "reverted"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


OPEN_STATES = frozenset({PromotionState.PROPOSED, PromotionState.APPROVED, PromotionState.RAMPING, PromotionState.HELD})
"""Something is still to come; a segment has at most one promotion in one of them."""

LIVE_STATES = frozenset({PromotionState.RAMPING, PromotionState.HELD, PromotionState.KEPT})
"""The variant is on show because of this promotion."""

DECLINED_STATES = frozenset({PromotionState.REJECTED, PromotionState.REVERTED, PromotionState.SUPERSEDED})
"""Somebody, or the data, said no to the variant; a split of the author's own says so once the variant was live."""

_LEGAL: dict[PromotionState, frozenset[PromotionState]] = {
    PromotionState.PROPOSED: frozenset(
        {PromotionState.APPROVED, PromotionState.REJECTED, PromotionState.EXPIRED, PromotionState.SUPERSEDED}
    ),
    PromotionState.APPROVED: frozenset(
        {
            PromotionState.RAMPING,
            PromotionState.HELD,
            PromotionState.REJECTED,
            PromotionState.EXPIRED,
            PromotionState.SUPERSEDED,
        }
    ),
    PromotionState.RAMPING: frozenset(
        {PromotionState.RAMPING, PromotionState.HELD, PromotionState.REVERTED, PromotionState.SUPERSEDED}
    ),
    PromotionState.HELD: frozenset({PromotionState.KEPT, PromotionState.REVERTED, PromotionState.SUPERSEDED}),
    PromotionState.KEPT: frozenset({PromotionState.REVERTED, PromotionState.SUPERSEDED}),
}
"""What may follow what; a state without a row is an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionStep:
    """One step, and what it rests on: `evidence` where a decision made it, and `version` of the experiment then.

    `share_bp` is the variant's share of the segment from here on, where this step moved it; `version_after` is the
    experiment's version that did so. `exploration_bp` see any variant from then on, the winner among them: on purpose,
    and beside its share. `unattended`: no person asked for it. `note` is the person's own reason.
    """

    state: PromotionState
    at: datetime
    by: str
    version: int
    unattended: bool = False
    reasons: tuple[DecisionReason, ...] = ()
    note: str = ""
    evidence: Evidence | None = None
    evidence_sha256: str | None = None
    share_bp: int | None = None
    exploration_bp: int = 0
    version_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One variant's way in one segment: its steps, in order. The last one says where it stands."""

    id: str
    experiment: str
    segment: str
    variant: str
    steps: tuple[PromotionStep, ...]

    @property
    def state(self) -> PromotionState:
        return self.steps[-1].state

    @property
    def revision(self) -> int:
        """Grows with every step; a saver names the one that it read."""
        return len(self.steps)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def is_declined(self) -> bool:
        """Whether nobody but a person may put the variant live there again."""
        if self.state is PromotionState.SUPERSEDED:
            return self.went_live is not None
        return self.state in DECLINED_STATES

    @property
    def proposal(self) -> PromotionStep:
        return self.steps[0]

    @property
    def evidence(self) -> Evidence:
        """What it was proposed on."""
        found = self.proposal.evidence
        if found is None:
            raise ValueError(f"promotion {self.id} was proposed without evidence")
        return found

    @property
    def shares(self) -> tuple[PromotionStep, ...]:
        """The steps that gave the variant another share."""
        return tuple(step for step in self.steps if step.share_bp is not None)

    @property
    def went_live(self) -> PromotionStep | None:
        return next(iter(self.shares), None)

    @property
    def approved_unattended(self) -> bool:
        return any(step.state is PromotionState.APPROVED and step.unattended for step in self.steps)

    @property
    def approved_by_person(self) -> bool:
        """Whether it waits to go live on a person's word: then it is held to what a person may do."""
        return self.state is PromotionState.APPROVED and not self.approved_unattended

    def since(self, state: PromotionState) -> datetime | None:
        """Return when it first came into that state."""
        return next((step.at for step in self.steps if step.state is state), None)

    def step(self, step: PromotionStep) -> Promotion:
        """Return the promotion one step further. Raises PromotionRefused where that step may not follow."""
        legal = _LEGAL.get(self.state, frozenset())
        if step.state not in legal:
            ended = not legal or step.state is self.state
            code = f"already_{self.state}" if ended else f"illegal_{self.state}_to_{step.state}"
            raise PromotionRefused(code, f"Promotion {self.id} is {self.state}: it cannot become {step.state}.")
        return replace(self, steps=(*self.steps, step))


def share_plan(
    definition: Definition,
    plan: SegmentPlan,
    variant: str,
    share_bp: int,
    *,
    promotion: str | None,
    is_final: bool,
    harmful: Collection[str] = (),
) -> SegmentPlan:
    """Return the segment's plan with that share for the winner, the exploration for all and the rest for the control.

    It moves the fewest units; `harmful` variants are not explored. Only at its last share is the winner what stays on
    show when the experiment stops.
    """
    control, variants = definition.control.key, [one.key for one in definition.variants]
    weights = promoted_weights(
        variant,
        control,
        share_bp,
        variants=explored(variants, plan.allocation.weights_bp, variant, control, harmful=harmful),
        exploration_bp=definition.promotion.exploration_bp,
    )
    return replace(
        plan,
        weights=weights,
        allocation=plan.allocation.reweighted(weights),
        promoted=variant if is_final else None,
        promotion=promotion,
        declined=None,
    )


def reverted_plan(now: SegmentPlan, before: SegmentPlan, promotion: Promotion) -> SegmentPlan:
    """Return the segment's plan with the split of before the promotion, bucket for bucket; its traffic stays."""
    if now.promotion != promotion.id:
        raise PromotionRefused("superseded", f"Promotion {promotion.id} is not what is live in {promotion.segment}.")
    return replace(
        now,
        weights=before.weights,
        allocation=before.allocation,
        promoted=None,
        promotion=None,
        declined=promotion.variant,
    )


def split_of(allocation: Allocation) -> str:
    """Return the split as people write it: `95% b, 5% a`."""
    return ", ".join(f"{width / 100:g}% {variant}" for variant, width in allocation.weights_bp.items())
