"""Promotions as people tell them: what went live where, on whose word, and whether it still stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from experiments.domain.experiment import Experiment, Status
from experiments.domain.promotion import Promotion, PromotionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`revertible`: whether taking it back makes sense now."""

    id: str
    when: str
    who: str
    segment: str
    variant: str
    reasons: tuple[str, ...]
    state: str
    state_word: str
    reverted: str
    evidence: str
    evidence_short: str
    snapshot_id: int
    revertible: bool


def history_of(experiment: Experiment, promotions: Iterable[Promotion], names: Names) -> tuple[Entry, ...]:
    """Return the promotions in the order given."""
    return tuple(_entry(experiment, promotion, names) for promotion in promotions)


def _entry(experiment: Experiment, promotion: Promotion, names: Names) -> Entry:
    live = _is_live(experiment, promotion)
    applied = promotion.state is PromotionState.APPLIED
    return Entry(
        id=promotion.id,
        when=say.instant(promotion.applied_at),
        who=_person(promotion.applied_by),
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        reasons=tuple(reason.message for reason in promotion.reasons),
        state="live" if live else str(promotion.state) if not applied else "superseded",
        state_word="Live" if live else "Replaced" if applied else "Taken back",
        reverted=_reverted(promotion),
        evidence=promotion.evidence_sha256,
        evidence_short=promotion.evidence_sha256[:12],
        snapshot_id=promotion.evidence.snapshot_id,
        revertible=live and experiment.status in (Status.RUNNING, Status.PAUSED),
    )


def _is_live(experiment: Experiment, promotion: Promotion) -> bool:
    plan = experiment.definition.plan_of(promotion.segment)
    return promotion.state is PromotionState.APPLIED and plan is not None and plan.promoted == promotion.variant


def _reverted(promotion: Promotion) -> str:
    if promotion.reverted_at is None:
        return ""
    who = f" by {_person(promotion.reverted_by)}" if promotion.reverted_by else ""
    why = f": {promotion.revert_reason}" if promotion.revert_reason else ""
    return f"Taken back {say.instant(promotion.reverted_at)}{who}{why}"


def _person(actor: str) -> str:
    return actor.removeprefix("key:")
