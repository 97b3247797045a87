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


_WORDS = {
    PromotionState.PROPOSED: "Waiting",
    PromotionState.APPROVED: "Approved",
    PromotionState.RAMPING: "Going live",
    PromotionState.HELD: "Live",
    PromotionState.KEPT: "Kept",
    PromotionState.REVERTED: "Taken back",
    PromotionState.EXPIRED: "Expired",
    PromotionState.REJECTED: "Rejected",
    PromotionState.SUPERSEDED: "Replaced",
}


def history_of(experiment: Experiment, promotions: Iterable[Promotion], names: Names) -> tuple[Entry, ...]:
    """Return the promotions in the order given."""
    return tuple(_entry(experiment, promotion, names) for promotion in promotions)


def _entry(experiment: Experiment, promotion: Promotion, names: Names) -> Entry:
    live = _is_live(experiment, promotion)
    first = promotion.went_live or promotion.proposal
    sha256 = promotion.proposal.evidence_sha256 or ""
    return Entry(
        id=promotion.id,
        when=say.instant(first.at),
        who=_person(first.by),
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        reasons=tuple(reason.message for reason in promotion.proposal.reasons),
        state="live" if live else str(promotion.state),
        state_word=_WORDS[promotion.state],
        reverted=_reverted(promotion),
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=promotion.evidence.snapshot_id,
        revertible=live and experiment.status in (Status.RUNNING, Status.PAUSED),
    )


def _is_live(experiment: Experiment, promotion: Promotion) -> bool:
    plan = experiment.definition.plan_of(promotion.segment)
    return promotion.is_live and plan is not None and plan.promotion == promotion.id


def _reverted(promotion: Promotion) -> str:
    last = promotion.steps[-1]
    if last.state is not PromotionState.REVERTED:
        return ""
    why = last.note or (last.reasons[0].message if last.reasons else "")
    return f"Taken back {say.instant(last.at)} by {_person(last.by)}{': ' if why else ''}{why}"


def _person(actor: str) -> str:
    return actor.removeprefix("key:")
