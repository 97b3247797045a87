"""Promotions as documents, with the evidence they rest on; its hash can be checked again after reading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.domain.promotion import (
    DecisionReason,
    Evidence,
    GuardrailEvidence,
    GuardrailState,
    Promotion,
    PromotionState,
)
from experiments.storage.documents.versioned import Document, instant_from, instant_text, refuse_other_schema

PROMOTION_SCHEMA = EVIDENCE_SCHEMA = 1


def promotion_to_document(promotion: Promotion) -> Document:
    return {
        "schema": PROMOTION_SCHEMA,
        "id": promotion.id,
        "experiment": promotion.experiment,
        "segment": promotion.segment,
        "variant": promotion.variant,
        "state": promotion.state,
        "evidence": evidence_to_document(promotion.evidence),
        "evidence_sha256": promotion.evidence_sha256,
        "reasons": [{"code": reason.code, "message": reason.message} for reason in promotion.reasons],
        "version_before": promotion.version_before,
        "version_after": promotion.version_after,
        "applied_at": promotion.applied_at.isoformat(),
        "applied_by": promotion.applied_by,
        "reverted_at": instant_text(promotion.reverted_at),
        "reverted_by": promotion.reverted_by,
        "revert_reason": promotion.revert_reason,
    }


def promotion_from_document(document: Mapping[str, Any]) -> Promotion:
    refuse_other_schema(document, "promotion", PROMOTION_SCHEMA)
    return Promotion(
        id=document["id"],
        experiment=document["experiment"],
        segment=document["segment"],
        variant=document["variant"],
        state=PromotionState(document["state"]),
        evidence=evidence_from_document(document["evidence"]),
        evidence_sha256=document["evidence_sha256"],
        reasons=tuple(DecisionReason(code=reason["code"], message=reason["message"]) for reason in document["reasons"]),
        version_before=document["version_before"],
        version_after=document["version_after"],
        applied_at=datetime.fromisoformat(document["applied_at"]),
        applied_by=document["applied_by"],
        reverted_at=instant_from(document["reverted_at"]),
        reverted_by=document["reverted_by"],
        revert_reason=document["revert_reason"],
    )


def evidence_to_document(evidence: Evidence) -> Document:
    return {
        "schema": EVIDENCE_SCHEMA,
        "experiment": evidence.experiment,
        "segment": evidence.segment,
        "status": evidence.status,
        "snapshot_id": evidence.snapshot_id,
        "version": evidence.version,
        "watermark_at": evidence.watermark_at.isoformat(),
        "started_at": instant_text(evidence.started_at),
        "since_epoch": evidence.since_epoch,
        "current_since_epoch": evidence.current_since_epoch,
        "segment_since": evidence.segment_since.isoformat(),
        "offered": list(evidence.offered),
        "already_promoted": evidence.already_promoted,
        "declined": evidence.declined,
        "stopping_rule": evidence.stopping_rule,
        "control": evidence.control,
        "outcome": evidence.outcome,
        "variant": evidence.variant,
        "leaders": list(evidence.leaders),
        "verdict": evidence.verdict,
        "units": [[variant, units] for variant, units in evidence.units],
        "lift": evidence.lift,
        "gain_low": evidence.gain_low,
        "gain_high": evidence.gain_high,
        "p_value_adjusted": evidence.p_value_adjusted,
        "srm_p_value": evidence.srm_p_value,
        "critical": list(evidence.critical),
        "guardrails": [_guardrail_to(guardrail) for guardrail in evidence.guardrails],
    }


def evidence_from_document(document: Mapping[str, Any]) -> Evidence:
    refuse_other_schema(document, "evidence", EVIDENCE_SCHEMA)
    return Evidence(
        experiment=document["experiment"],
        segment=document["segment"],
        status=Status(document["status"]),
        snapshot_id=document["snapshot_id"],
        version=document["version"],
        watermark_at=datetime.fromisoformat(document["watermark_at"]),
        started_at=instant_from(document["started_at"]),
        since_epoch=document["since_epoch"],
        current_since_epoch=document["current_since_epoch"],
        segment_since=datetime.fromisoformat(document["segment_since"]),
        offered=tuple(document["offered"]),
        already_promoted=document["already_promoted"],
        declined=document["declined"],
        stopping_rule=StoppingRule(document["stopping_rule"]),
        control=document["control"],
        outcome=document["outcome"],
        variant=document["variant"],
        leaders=tuple(document["leaders"]),
        verdict=document["verdict"],
        units=tuple((variant, units) for variant, units in document["units"]),
        lift=document["lift"],
        gain_low=document["gain_low"],
        gain_high=document["gain_high"],
        p_value_adjusted=document["p_value_adjusted"],
        srm_p_value=document["srm_p_value"],
        critical=tuple(document["critical"]),
        guardrails=tuple(_guardrail_from(guardrail) for guardrail in document["guardrails"]),
    )


def _guardrail_to(guardrail: GuardrailEvidence) -> Document:
    return {"metric": guardrail.metric, "variant": guardrail.variant, "state": guardrail.state}


def _guardrail_from(document: Document) -> GuardrailEvidence:
    return GuardrailEvidence(
        metric=document["metric"], variant=document["variant"], state=GuardrailState(document["state"])
    )
