"""Promote: what people do with winners: look, put live, approve, reject, take back."""

from __future__ import annotations

from datetime import datetime

from experiments.domain.decision import Action
from experiments.domain.errors import NoResults, PromotionRefused
from experiments.domain.evidence import Evidence
from experiments.domain.names import check_text
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.paging import Page
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.promoting.acts import Actor, give_share, move, open_promotion, take_back
from experiments.services.promoting.look import Look, look_at
from experiments.services.promoting.proposals import Proposal, propose
from experiments.services.retry import retried

NOTE_LENGTH = 500


class Promoter:
    """Acts on exactly one segment at a time; experiment, promotion and audit change in one transaction."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def propose(self, key: str, segment: str | None = None, *, unattended: bool = False) -> list[Proposal]:
        """Return what would be done now in one segment, or in each that was analysed; nothing is stored.

        Raises NotFound.
        """
        with self._open(read_only=True) as work:
            look = look_at(work, key)
        names = [segment] if segment else look.analysed
        return [propose(look, name, self._clock(), unattended=unattended) for name in names]

    def apply(self, key: str, segment: str, *, actor: str, note: str = "") -> Promotion:
        """Put the segment's winner live, as a person who needs no approval; with a ramp, its first share.

        One that is on its ramp gets its next share, as soon as the machine could give it. Raises PromotionRefused with
        the first reason where the policy says no.
        """
        check_text(note, "/reason", most=NOTE_LENGTH)
        return retried(lambda: self._apply(key, segment, actor, note))

    def approve(self, promotion_id: str, *, note: str = "", actor: str) -> Promotion:
        """Let a proposal go live: now, or in quiet hours as soon as they are over.

        Raises NotFound; PromotionRefused where it is not waiting, or where the evidence as it stands says no.
        """
        check_text(note, "/reason", most=NOTE_LENGTH)
        return retried(lambda: self._approve(promotion_id, note, actor))

    def reject(self, promotion_id: str, *, reason: str, actor: str) -> Promotion:
        """Turn a proposal down: its variant is not proposed there again. Raises PromotionRefused, NotFound."""
        check_text(reason, "/reason", least=1, most=NOTE_LENGTH)
        return retried(lambda: self._reject(promotion_id, reason, actor))

    def revert(self, promotion_id: str, *, reason: str, actor: str) -> Promotion:
        """Restore the segment's allocation of before, bucket for bucket. Raises PromotionRefused, NotFound."""
        check_text(reason, "/reason", least=1, most=NOTE_LENGTH)
        return retried(lambda: self._revert(promotion_id, reason, actor))

    def history(
        self, *, experiment: str | None, state: PromotionState | None = None, after: str | None, limit: int
    ) -> Page[Promotion]:
        """List newest first."""
        with self._open(read_only=True) as work:
            return work.promotions.page(experiment=experiment, state=state, after=after, limit=limit)

    def waiting(self) -> int:
        """Return how many proposals wait for a person."""
        with self._open(read_only=True) as work:
            return work.promotions.count(PromotionState.PROPOSED)

    def get(self, promotion_id: str) -> Promotion:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return work.promotions.get(promotion_id)

    def present_evidence(self, promotion_id: str) -> Evidence | None:
        """Return what an open promotion's segment shows now, None where it has ended. Raises NotFound."""
        with self._open(read_only=True) as work:
            proposal = _present(work, work.promotions.get(promotion_id), self._clock())
        return proposal.evidence if proposal else None

    def _apply(self, key: str, segment: str, name: str, note: str) -> Promotion:
        actor = Actor(name=name, now=self._clock(), note=note)
        with self._open() as work:
            look = look_at(work, key)
            waiting = look.open_in(segment)
            if waiting is not None and waiting.is_live:
                promotion = give_share(work, look, waiting, _soaked(look, waiting, actor), actor)
            elif waiting is not None:
                promotion = self._go(work, look, waiting, actor)
            else:
                proposal = self._agreed(look, segment, actor)
                opened = open_promotion(work, look, proposal, actor)
                approved = move(work, look.experiment, opened, PromotionState.APPROVED, actor)
                promotion = give_share(work, look, approved, proposal, actor)
            work.commit()
        self._catalog.catch_up()
        return promotion

    def _approve(self, promotion_id: str, note: str, name: str) -> Promotion:
        actor = Actor(name=name, now=self._clock(), note=note)
        with self._open() as work:
            promotion = work.promotions.get(promotion_id)
            look = look_at(work, promotion.experiment)
            if look.experiment.definition.promotion.is_quiet(actor.now):
                approved = move(work, look.experiment, promotion, PromotionState.APPROVED, actor)
                self._agreed(look, promotion.segment, actor, promotion.variant)
            else:
                approved = self._go(work, look, promotion, actor)
            work.commit()
        self._catalog.catch_up()
        return approved

    def _go(self, work: UnitOfWork, look: Look, waiting: Promotion, actor: Actor) -> Promotion:
        approved = waiting
        if waiting.state is not PromotionState.APPROVED:
            approved = move(work, look.experiment, waiting, PromotionState.APPROVED, actor)
        proposal = self._agreed(look, waiting.segment, actor, waiting.variant)
        return give_share(work, look, approved, proposal, actor)

    def _agreed(self, look: Look, segment: str, actor: Actor, variant: str | None = None) -> Proposal:
        """The evidence as it stands must still say so, and of the same variant."""
        proposal = propose(look, segment, actor.now, unattended=False)
        decision = proposal.decision
        if decision.action is not Action.PROMOTE or decision.variant is None:
            first = decision.reasons[0]
            raise PromotionRefused(first.code, first.message)
        if variant not in (None, decision.variant):
            raise PromotionRefused("evidence_changed", f"The evidence now speaks for {decision.variant}.")
        return proposal

    def _reject(self, promotion_id: str, reason: str, name: str) -> Promotion:
        actor = Actor(name=name, now=self._clock(), note=reason)
        with self._open() as work:
            promotion = work.promotions.get(promotion_id)
            experiment = work.experiments.get(promotion.experiment)
            rejected = move(work, experiment, promotion, PromotionState.REJECTED, actor)
            work.commit()
        return rejected

    def _revert(self, promotion_id: str, reason: str, name: str) -> Promotion:
        actor = Actor(name=name, now=self._clock(), note=reason)
        with self._open() as work:
            promotion = work.promotions.get(promotion_id)
            experiment = work.experiments.get(promotion.experiment)
            reverted = take_back(work, experiment, promotion, actor, proposal=_present(work, promotion, actor.now))
            work.commit()
        self._catalog.catch_up()
        return reverted


def _soaked(look: Look, live: Promotion, actor: Actor) -> Proposal:
    """What gives a live promotion its next share. Raises PromotionRefused where it is not time for that, or never."""
    proposal = propose(look, live.segment, actor.now, unattended=False)
    if proposal.decision.action is not Action.RAMP:
        message = f"{live.variant} is live in {live.segment} already."
        if live.state is PromotionState.RAMPING:
            message += " It gets no further share now: " + proposal.decision.reasons[0].message
        raise PromotionRefused("already_promoted", message)
    return proposal


def _present(work: UnitOfWork, promotion: Promotion, now: datetime) -> Proposal | None:
    """What an open promotion's segment shows now, None where that is not known."""
    try:
        look = look_at(work, promotion.experiment)
    except NoResults:
        return None
    if not promotion.is_open or promotion.segment not in look.analysed:
        return None
    return propose(look, promotion.segment, now, unattended=False)
