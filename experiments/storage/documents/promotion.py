"""Promotions as documents: every step, with the evidence it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.domain.bucketing import BUCKETS
from experiments.domain.decision import DecisionReason
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.storage.documents.evidence import evidence_from_document, evidence_to_document
from experiments.storage.documents.versioned import Document, refuse_other_schema

PROMOTION_SCHEMA = 2
"""1: one act, applied at once, and perhaps reverted or superseded."""


def promotion_to_document(promotion: Promotion) -> Document:
    return {
        "schema": PROMOTION_SCHEMA,
        "id": promotion.id,
        "experiment": promotion.experiment,
        "segment": promotion.segment,
        "variant": promotion.variant,
        "steps": [_step_to(step) for step in promotion.steps],
    }


def promotion_from_document(document: Mapping[str, Any]) -> Promotion:
    refuse_other_schema(document, "promotion", PROMOTION_SCHEMA)
    steps = (
        tuple(_step_from(step) for step in document["steps"])
        if document["schema"] == PROMOTION_SCHEMA
        else _steps_of_schema_1(document)
    )
    return Promotion(
        id=document["id"],
        experiment=document["experiment"],
        segment=document["segment"],
        variant=document["variant"],
        steps=steps,
    )


def _step_to(step: PromotionStep) -> Document:
    return {
        "state": step.state,
        "at": step.at.isoformat(),
        "by": step.by,
        "version": step.version,
        "unattended": step.unattended,
        "reasons": [{"code": reason.code, "message": reason.message} for reason in step.reasons],
        "note": step.note,
        "evidence": None if step.evidence is None else evidence_to_document(step.evidence),
        "evidence_sha256": step.evidence_sha256,
        "share_bp": step.share_bp,
        "exploration_bp": step.exploration_bp,
        "version_after": step.version_after,
    }


def _step_from(document: Mapping[str, Any]) -> PromotionStep:
    return PromotionStep(
        state=PromotionState(document["state"]),
        at=datetime.fromisoformat(document["at"]),
        by=document["by"],
        version=document["version"],
        unattended=document["unattended"],
        reasons=_reasons(document),
        note=document["note"],
        evidence=None if document["evidence"] is None else evidence_from_document(document["evidence"]),
        evidence_sha256=document["evidence_sha256"],
        share_bp=document["share_bp"],
        exploration_bp=document.get("exploration_bp", 0),
        version_after=document["version_after"],
    )


def _reasons(document: Mapping[str, Any]) -> tuple[DecisionReason, ...]:
    return tuple(DecisionReason(code=reason["code"], message=reason["message"]) for reason in document["reasons"])


def _steps_of_schema_1(document: Mapping[str, Any]) -> tuple[PromotionStep, ...]:
    """Proposed, approved and live in one act; then perhaps its end. The migration counts these as revisions 3 and 4.

    Only the worker acted under that name; it took nothing back.
    """
    at, by = datetime.fromisoformat(document["applied_at"]), document["applied_by"]
    before, evidence = document["version_before"], evidence_from_document(document["evidence"])
    shared: dict[str, Any] = {"at": at, "by": by, "version": before, "unattended": by == "worker"}
    steps = (
        PromotionStep(
            state=PromotionState.PROPOSED,
            reasons=_reasons(document),
            evidence=evidence,
            evidence_sha256=document["evidence_sha256"],
            **shared,
        ),
        PromotionStep(state=PromotionState.APPROVED, **shared),
        PromotionStep(
            state=PromotionState.HELD,
            # The migration took it from the version; else the holdback was 5 %, unless the policy said otherwise.
            share_bp=document.get("share_bp", BUCKETS - 500),
            version_after=document["version_after"],
            **shared,
        ),
    )
    if document["state"] == "applied":
        return steps
    ended = PromotionStep(
        state=PromotionState(document["state"]),
        at=datetime.fromisoformat(document["reverted_at"]),
        by=document["reverted_by"],
        version=document["version_after"],
        note=document["revert_reason"] or "",
    )
    return (*steps, ended)
