"""Promotions as people tell them: what went live where, on whose word, and whether it still stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.reasons import in_words
from api.dashboard.standing import Standing, person_of, standing_of
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`when` and `who` are of the step that showed it first, or else of the proposal."""

    id: str
    when: str
    who: str
    segment: str
    variant: str
    reasons: tuple[str, ...]
    standing: Standing
    evidence: str
    evidence_short: str
    snapshot_id: int


def history_of(
    experiment: Experiment,
    promotions: Iterable[Promotion],
    names: Names,
    since: Mapping[str, datetime],
    *,
    layer: Layer | None,
) -> tuple[Entry, ...]:
    """Return the promotions in the order given; `since` is of `watched_since`."""
    return tuple(_entry(experiment, promotion, names, since, layer) for promotion in promotions)


def _was_cut_short(experiment: Experiment, promotion: Promotion) -> bool:
    """Whether a stop found it on its way: nobody sees it any more, before the machine takes it back."""
    return experiment.status is Status.STOPPED and promotion.state is PromotionState.RAMPING


def _entry(
    experiment: Experiment, promotion: Promotion, names: Names, since: Mapping[str, datetime], layer: Layer | None
) -> Entry:
    went_live, proposal = promotion.went_live, promotion.proposal
    first, verb = (proposal, "Proposed") if went_live is None else (went_live, "Live since")
    if went_live is not None and experiment.definition.is_split_elsewhere:
        verb = "Decided"
    elif went_live is not None and (not promotion.is_live or _was_cut_short(experiment, promotion)):
        verb = "Was live from"
    sha256 = proposal.evidence_sha256 or ""
    return Entry(
        id=promotion.id,
        when=f"{verb} {say.instant(first.at)}",
        who=person_of(first),
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        reasons=in_words(proposal.reasons),
        standing=standing_of(experiment, promotion, names, since, layer=layer),
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=promotion.evidence.snapshot_id,
    )
