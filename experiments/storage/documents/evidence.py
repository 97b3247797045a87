"""Evidence as documents: exactly the text that is hashed, so that its hash can be checked after reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.domain.evidence import ArmBelief, Basis, Evidence, Forecast, GuardrailEvidence, GuardrailState, Live
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.storage.documents.versioned import Document, instant_from, refuse_other_schema

EVIDENCE_SCHEMA = 2
"""1: a lift in the metric's own direction, one declined variant, no beliefs, forecast or promotion under way."""


def evidence_to_document(evidence: Evidence) -> Document:
    return {"schema": EVIDENCE_SCHEMA, **json.loads(evidence.canonical())}


def evidence_from_document(document: Mapping[str, Any]) -> Evidence:
    refuse_other_schema(document, "evidence", EVIDENCE_SCHEMA)
    known = document if document["schema"] == EVIDENCE_SCHEMA else _from_schema_1(document)
    return Evidence(
        experiment=known["experiment"],
        segment=known["segment"],
        segment_name=known["segment_name"],
        status=Status(known["status"]),
        snapshot_id=known["snapshot_id"],
        version=known["version"],
        epoch=known["epoch"],
        watermark_at=datetime.fromisoformat(known["watermark_at"]),
        started_at=instant_from(known["started_at"]),
        since_epoch=known["since_epoch"],
        current_since_epoch=known["current_since_epoch"],
        segment_since=datetime.fromisoformat(known["segment_since"]),
        offered=tuple(known["offered"]),
        already_promoted=known["already_promoted"],
        declined=tuple(known["declined"]),
        stopping_rule=StoppingRule(known["stopping_rule"]),
        control=known["control"],
        basis=Basis(known["basis"]),
        outcome=known["outcome"],
        segment_outcome=known["segment_outcome"],
        variant=known["variant"],
        leaders=tuple(known["leaders"]),
        verdict=known["verdict"],
        units=_units(known),
        gain=known["gain"],
        predicted_gain=known["predicted_gain"],
        gain_low=known["gain_low"],
        gain_high=known["gain_high"],
        best_gain_high=known["best_gain_high"],
        p_value_adjusted=known["p_value_adjusted"],
        beliefs=tuple(ArmBelief(**belief) for belief in known["beliefs"]),
        srm_p_value=known["srm_p_value"],
        critical=tuple(known["critical"]),
        guardrails=_guardrails(known),
        holdback=_forecast(known["holdback"]),
        live=_live(known["live"]),
    )


def _from_schema_1(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it did not have yet is absent; the hash beside it is that of the text as it was then."""
    lift, low = document["lift"], document["gain_low"]
    falls = lift is not None and low is not None and (lift < 0) != (low < 0)
    gain = None if lift is None else (0 - lift if falls else lift)
    return {
        **document,
        "segment_name": document["segment"],
        "epoch": document["since_epoch"],
        "declined": [document["declined"]] if document["declined"] else [],
        "basis": Basis.SEGMENT,
        "segment_outcome": document["outcome"],
        "gain": gain,
        "predicted_gain": gain,
        "best_gain_high": None,
        "beliefs": [],
        "holdback": None,
        "live": None,
    }


def _units(document: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((variant, units) for variant, units in document["units"])


def _guardrails(document: Mapping[str, Any]) -> tuple[GuardrailEvidence, ...]:
    return tuple(
        GuardrailEvidence(metric=one["metric"], variant=one["variant"], state=GuardrailState(one["state"]))
        for one in document["guardrails"]
    )


def _forecast(document: Mapping[str, Any] | None) -> Forecast | None:
    return None if document is None else Forecast(lift=document["lift"], at=datetime.fromisoformat(document["at"]))


def _live(document: Mapping[str, Any] | None) -> Live | None:
    if document is None:
        return None
    return Live(
        promotion=document["promotion"],
        variant=document["variant"],
        began_at=datetime.fromisoformat(document["began_at"]),
        share_bp=document["share_bp"],
        share_since=datetime.fromisoformat(document["share_since"]),
        is_final=document["is_final"],
        predicted_gain=document["predicted_gain"],
        units=_units(document),
        gain=document["gain"],
        gain_low=document["gain_low"],
        gain_high=document["gain_high"],
        srm_p_value=document["srm_p_value"],
        critical=tuple(document["critical"]),
        guardrails=_guardrails(document),
    )
