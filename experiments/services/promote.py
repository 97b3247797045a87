"""Promote: put a segment's winner live, and take it back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.domain.allocation import Allocation
from experiments.domain.definition import SegmentPlan
from experiments.domain.epoch import Version
from experiments.domain.errors import NoResults, NotFound, PromotionRefused
from experiments.domain.experiment import Experiment
from experiments.domain.names import check_text
from experiments.domain.promotion import (
    Action,
    Decision,
    Evidence,
    Promotion,
    PromotionState,
    decide,
    promoted_plan,
    reverted_plan,
)
from experiments.services.catalog import CatalogHolder
from experiments.services.evidence import evidence_of
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, Page, Snapshot, UnitOfWork
from experiments.services.retry import retried


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would happen in one segment; `allocation_after` only where the answer is to promote."""

    experiment: str
    segment: str
    evidence: Evidence
    evidence_sha256: str
    decision: Decision
    allocation_before: Allocation
    allocation_after: Allocation | None


class Promoter:
    """Acts on exactly one segment at a time; experiment, promotion and audit change in one transaction."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def propose(self, key: str, segment: str | None = None, *, unattended: bool = False) -> list[Proposal]:
        """Return what `apply` would do now in one segment, or in each that was analysed; nothing is stored.

        Raises NotFound.
        """
        with self._open(read_only=True) as work:
            experiment = work.experiments.get(key)
            snapshot = _latest(work, key)
            names = [segment] if segment else _analysed(experiment, snapshot)
            versions = work.experiments.versions(key)
            return [self._propose(versions, experiment, snapshot, name, unattended) for name in names]

    def apply(self, key: str, segment: str, *, actor: str, unattended: bool = False) -> Promotion:
        """Promote the segment's winner. Raises PromotionRefused with the first reason where the policy says no.

        `unattended`: no person has asked for it, so what a person took back stays back.
        """
        return retried(lambda: self._apply(key, segment, actor, unattended))

    def revert(self, promotion_id: str, *, reason: str, actor: str) -> Promotion:
        """Restore the segment's allocation of before, bucket for bucket. Raises PromotionRefused, NotFound."""
        check_text(reason, "/reason", least=1)
        return retried(lambda: self._revert(promotion_id, reason, actor))

    def history(self, *, experiment: str | None, after: str | None, limit: int) -> Page[Promotion]:
        """List newest first."""
        with self._open(read_only=True) as work:
            return work.promotions.page(experiment=experiment, after=after, limit=limit)

    def get(self, promotion_id: str) -> Promotion:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return work.promotions.get(promotion_id)

    def _propose(
        self, versions: Sequence[Version], experiment: Experiment, snapshot: Snapshot, segment: str, unattended: bool
    ) -> Proposal:
        definition = experiment.definition
        evidence = evidence_of(experiment, versions, snapshot, segment)
        decision = decide(evidence, definition.promotion, definition.analysis, self._clock(), unattended=unattended)
        plan = _plan_of(experiment, segment)
        after = (
            promoted_plan(plan, decision.variant, definition.control.key, definition.promotion).allocation
            if decision.action is Action.PROMOTE and decision.variant
            else None
        )
        return Proposal(
            experiment=experiment.key,
            segment=segment,
            evidence=evidence,
            evidence_sha256=evidence.sha256(),
            decision=decision,
            allocation_before=plan.allocation,
            allocation_after=after,
        )

    def _apply(self, key: str, segment: str, actor: str, unattended: bool) -> Promotion:
        now = self._clock()
        with self._open() as work:
            before = work.experiments.get(key)
            versions = work.experiments.versions(key)
            proposal = self._propose(versions, before, _latest(work, key), segment, unattended)
            variant = proposal.decision.variant
            if proposal.decision.action is not Action.PROMOTE or variant is None:
                first = proposal.decision.reasons[0]
                raise PromotionRefused(first.code, first.message)
            definition = before.definition
            promotion_id = str(uuid.uuid4())
            plan = promoted_plan(
                _plan_of(before, segment),
                variant,
                definition.control.key,
                definition.promotion,
                promotion=promotion_id,
            )
            after = before.replan(plan, by=actor, now=now)
            promotion = Promotion(
                id=promotion_id,
                experiment=key,
                segment=segment,
                variant=variant,
                state=PromotionState.APPLIED,
                evidence=proposal.evidence,
                evidence_sha256=proposal.evidence_sha256,
                reasons=proposal.decision.reasons,
                version_before=before.current.number,
                version_after=after.current.number,
                applied_at=now,
                applied_by=actor,
            )
            work.experiments.save(after, expected_revision=before.revision)
            work.promotions.add(promotion)
            work.audit.append(_entry(promotion, "promotion.apply", actor, now))
            work.commit()
        self._catalog.catch_up()
        return promotion

    def _revert(self, promotion_id: str, reason: str, actor: str) -> Promotion:
        now = self._clock()
        with self._open() as work:
            promotion = work.promotions.get(promotion_id)
            reverted = promotion.revert(by=actor, reason=reason, now=now)
            before = work.experiments.get(promotion.experiment)
            old = work.experiments.version(promotion.experiment, promotion.version_before).definition
            old_plan, now_plan = old.plan_of(promotion.segment), before.definition.plan_of(promotion.segment)
            if old_plan is None or now_plan is None:
                raise PromotionRefused("superseded", f"The experiment has no segment {promotion.segment!r} any more.")
            plan = reverted_plan(now_plan, old_plan, promotion)
            after = before.replan(plan, by=actor, now=now)
            work.experiments.save(after, expected_revision=before.revision)
            work.promotions.save(reverted)
            work.audit.append(_entry(reverted, "promotion.revert", actor, now))
            work.commit()
        self._catalog.catch_up()
        return reverted


def _latest(work: UnitOfWork, key: str) -> Snapshot:
    snapshot = work.snapshots.latest(key)
    if snapshot is None:
        raise NoResults(key)
    return snapshot


def _analysed(experiment: Experiment, snapshot: Snapshot) -> list[str]:
    """The experiment's segments that the snapshot knows: a new one has to wait for the next."""
    known = {scope["segment"] for scope in snapshot.report["segments"]}
    return [plan.segment.key for plan in experiment.definition.segments if plan.segment.key in known]


def _plan_of(experiment: Experiment, segment: str) -> SegmentPlan:
    plan = experiment.definition.plan_of(segment)
    if plan is None:
        raise NotFound("segment", segment)
    return plan


def _entry(promotion: Promotion, action: str, actor: str, now: datetime) -> AuditEntry:
    return AuditEntry(
        at=now,
        actor=actor,
        action=action,
        subject=promotion.experiment,
        detail={
            "promotion": promotion.id,
            "segment": promotion.segment,
            "variant": promotion.variant,
            "snapshot": promotion.evidence.snapshot_id,
            "reason": promotion.revert_reason or promotion.reasons[0].message,
        },
        evidence_sha256=promotion.evidence_sha256,
    )
