"""What a live winner has come to: its own small report, against the control's holdback. Heavy to import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from analysis.plan import Cell, Plan
from experiments.domain.epoch import Version
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep


class Watched(NamedTuple):
    """A promotion that is measured: since which epoch, and since which it has its present share.

    `share_epoch` None: snapshots of earlier releases did not look at that.
    """

    promotion: Promotion
    since_epoch: int
    share_epoch: int | None


def measured_from(promotion: Promotion, versions: Sequence[Version]) -> int | None:
    """Return the epoch from which on a promotion is measured, None where it is not live.

    On a ramp that is its first step; once all but the holdback have it, everybody is counted anew, as the split will
    not change again: so it is what customers do now, those of before included.
    """
    if not (promotion.is_live and promotion.is_open):
        return None
    step = promotion.shares[0] if promotion.state is PromotionState.RAMPING else promotion.shares[-1]
    return _epoch_after(step, versions)


def measured(promotions: Sequence[Promotion], versions: Sequence[Version]) -> Iterator[Watched]:
    """Give the promotions that are measured."""
    for promotion in promotions:
        epoch = measured_from(promotion, versions)
        if epoch is not None:
            yield Watched(promotion, epoch, _epoch_after(promotion.shares[-1], versions))


def _epoch_after(step: PromotionStep, versions: Sequence[Version]) -> int:
    return next(version.epoch for version in versions if version.number == step.version_after)


def stretches(plan: Plan, promotion: Promotion, since_epoch: int) -> dict[int, int]:
    """Return for each epoch that is measured the one that it goes on: nothing has changed in this segment since.

    Every change of any split opens an epoch, for all segments: next to an adaptive one, or to one on its ramp, a
    holdback would never have the minimum of units in one of them, and no harm would ever show.
    """
    homes: dict[int, int] = {}
    before: Cell | None = None
    for cell in sorted(plan.cells, key=lambda cell: cell.epoch):
        if cell.segment != promotion.segment or cell.epoch < since_epoch:
            continue
        goes_on = (
            before is not None and before.weights == cell.weights and before.follow_up_ends_at == cell.follow_up_ends_at
        )
        homes[cell.epoch] = homes[before.epoch] if before is not None and goes_on else cell.epoch
        before = cell
    return homes


def realised_plan(plan: Plan, promotion: Promotion, since_epoch: int) -> Plan:
    """Return the plan of winner against holdback in that segment, from that epoch on: one comparison, at any look.

    Its cells are those of `stretches`.
    """
    variants = (plan.control, promotion.variant)
    homes = stretches(plan, promotion, since_epoch)
    cells = tuple(
        replace(cell, weights={key: cell.weights.get(key, 0.0) for key in variants})
        for cell in plan.cells
        if cell.segment == promotion.segment and homes.get(cell.epoch) == cell.epoch
    )
    return replace(
        plan,
        variants=variants,
        segments=(promotion.segment,),
        cells=cells,
        stopping_rule="always_valid",
        family="holm",
        looks=None,
        lift_prior=None,
        minimum_lift=None,
        novelty_days=0,
        post_stratified=False,
    )
