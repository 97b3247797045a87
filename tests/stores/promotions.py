"""Evidence and promotions with everything in them that a store could lose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from experiments.domain.decision import DecisionReason
from experiments.domain.evidence import (
    ArmBelief,
    Basis,
    Evidence,
    Forecast,
    GuardrailEvidence,
    GuardrailState,
    Live,
)
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep

NOW = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)

WAYS: dict[PromotionState, tuple[PromotionState, ...]] = {
    PromotionState.PROPOSED: (),
    PromotionState.APPROVED: (PromotionState.APPROVED,),
    PromotionState.RAMPING: (PromotionState.APPROVED, PromotionState.RAMPING),
    PromotionState.HELD: (PromotionState.APPROVED, PromotionState.RAMPING, PromotionState.HELD),
    PromotionState.KEPT: (PromotionState.APPROVED, PromotionState.HELD, PromotionState.KEPT),
    PromotionState.REVERTED: (PromotionState.APPROVED, PromotionState.RAMPING, PromotionState.REVERTED),
    PromotionState.EXPIRED: (PromotionState.EXPIRED,),
    PromotionState.REJECTED: (PromotionState.REJECTED,),
    PromotionState.SUPERSEDED: (PromotionState.APPROVED, PromotionState.SUPERSEDED),
}
"""A legal way from a proposal to every state."""

_SHARES = {PromotionState.RAMPING: 2_500, PromotionState.HELD: 9_500}
_SAFE = GuardrailEvidence(metric="returns", variant="b", state=GuardrailState.SAFE)


def live(**changes: Any) -> Live:
    parts: dict[str, Any] = {
        "promotion": "p1",
        "variant": "b",
        "began_at": NOW - timedelta(days=3),
        "share_bp": 2_500,
        "share_since": NOW - timedelta(days=2, microseconds=1),
        "is_final": False,
        "predicted_gain": 0.1 + 0.2,
        "units": (("b", 510), ("a", 490)),
        "gain": 0.02,
        "gain_low": -1e-300,
        "gain_high": None,
        "srm_p_value": 0.25,
        "critical": ("Exposures stopped – überall.",),
        "guardrails": (_SAFE,),
    }
    return Live(**{**parts, **changes})


def evidence(**changes: Any) -> Evidence:
    parts: dict[str, Any] = {
        "experiment": "checkout",
        "segment": "everyone",
        "segment_name": "Everyone else",
        "status": Status.RUNNING,
        "snapshot_id": 4,
        "version": 3,
        "epoch": 2,
        "watermark_at": NOW,
        "started_at": NOW - timedelta(days=20),
        "since_epoch": 1,
        "current_since_epoch": 1,
        "segment_since": NOW - timedelta(days=20),
        "offered": ("b", "a"),
        "already_promoted": None,
        "declined": ("c",),
        "stopping_rule": StoppingRule.ALWAYS_VALID,
        "control": "a",
        "basis": Basis.OVERALL,
        "outcome": "winner",
        "segment_outcome": "inconclusive",
        "variant": "b",
        "leaders": ("b",),
        "verdict": "b gewinnt – sicher",
        "units": (("b", 1010), ("a", 1000)),
        "gain": 0.0312345678901234,
        "predicted_gain": 0.029,
        "gain_low": 0.001,
        "gain_high": None,
        "best_gain_high": 0.07,
        "p_value_adjusted": 0.01,
        "beliefs": (
            ArmBelief(variant="b", chance_to_be_best=0.99, expected_loss=1e-5),
            ArmBelief(variant="a", chance_to_be_best=0.01, expected_loss=None),
        ),
        "srm_p_value": 0.5,
        "critical": ("nothing",),
        "guardrails": (_SAFE,),
        "holdback": Forecast(lift=0.015, at=NOW + timedelta(days=28)),
        "live": live(),
    }
    return Evidence(**{**parts, **changes})


def step(state: PromotionState, **changes: Any) -> PromotionStep:
    """A step of a person; a proposal rests on evidence, and what gives another share makes a version."""
    parts: dict[str, Any] = {"state": state, "at": NOW, "by": "key:ada", "version": 3, "note": "Los – jetzt"}
    if state is PromotionState.PROPOSED:
        seen = evidence()
        reasons = (DecisionReason(code="winner", message="b wins"), DecisionReason(code="safe", message=""))
        parts |= {"unattended": True, "reasons": reasons, "evidence": seen, "evidence_sha256": seen.sha256()}
    if state in _SHARES:
        parts |= {"share_bp": _SHARES[state], "version_after": 4}
    return PromotionStep(**{**parts, **changes})


def promotion(promotion_id: str = "p1", state: PromotionState = PromotionState.PROPOSED, **changes: str) -> Promotion:
    """A promotion that has come to that state by `WAYS`."""
    parts = {"experiment": "checkout", "segment": "everyone", "variant": "b"} | changes
    made = Promotion(id=promotion_id, steps=(step(PromotionState.PROPOSED),), **parts)
    for number, following in enumerate(WAYS[state], 1):
        made = made.step(step(following, at=NOW + timedelta(days=number)))
    return made
