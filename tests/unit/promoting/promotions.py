"""Evidence and promotions by hand; every test says only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from experiments.domain.evidence import ArmBelief, Basis, Evidence, GuardrailEvidence, GuardrailState, Live
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from tests.unit.builders import NOW

LOOK = NOW + timedelta(days=15)

GOOD = Evidence(
    experiment="banner",
    segment="mens",
    segment_name="Men",
    status=Status.RUNNING,
    snapshot_id=7,
    version=1,
    epoch=1,
    watermark_at=LOOK,
    started_at=NOW,
    since_epoch=1,
    current_since_epoch=1,
    segment_since=NOW,
    offered=("a", "b", "c"),
    already_promoted=None,
    declined=(),
    stopping_rule=StoppingRule.ALWAYS_VALID,
    control="a",
    basis=Basis.SEGMENT,
    outcome="winner",
    segment_outcome="winner",
    variant="b",
    leaders=("b",),
    verdict="B wins for men.",
    units=(("a", 5_000), ("b", 5_000)),
    gain=0.3,
    predicted_gain=0.25,
    gain_low=0.1,
    gain_high=0.5,
    best_gain_high=0.5,
    p_value_adjusted=0.001,
    beliefs=(
        ArmBelief(variant="a", chance_to_be_best=0.01, expected_loss=0.3),
        ArmBelief(variant="b", chance_to_be_best=0.99, expected_loss=0.001),
    ),
    srm_p_value=0.4,
    critical=(),
    guardrails=(),
    holdback=None,
    live=None,
)
"""B wins for men, after fifteen days of data."""

HARMED = GuardrailEvidence(metric="spend", variant="b", state=GuardrailState.HARMED)
WORSE = replace(HARMED, state=GuardrailState.WORSE)
UNKNOWN = replace(HARMED, state=GuardrailState.UNKNOWN)
SAFE = replace(HARMED, state=GuardrailState.SAFE)

LIVE = Live(
    promotion="p1",
    variant="b",
    began_at=NOW + timedelta(days=10),
    share_bp=5_000,
    share_since=NOW + timedelta(days=10),
    is_final=False,
    predicted_gain=0.25,
    units=(("a", 500), ("b", 9_500)),
    gain=0.2,
    gain_low=-0.1,
    gain_high=0.5,
    srm_p_value=0.5,
    critical=(),
    guardrails=(),
)
"""B since five days at half of the segment, and doing well."""


def live_evidence(**changes: Any) -> Evidence:
    return replace(GOOD, live=replace(LIVE, **changes))


def step(
    state: PromotionState, *, at: datetime = LOOK, by: str = "ann", version: int = 1, **parts: Any
) -> PromotionStep:
    return PromotionStep(state=state, at=at, by=by, version=version, **parts)


def promotion(*states: PromotionState, promotion_id: str = "p1", **changes: Any) -> Promotion:
    """Return a promotion that went through these states, at one instant; proposed at least."""
    first = step(PromotionState.PROPOSED, evidence=GOOD, evidence_sha256=GOOD.sha256())
    shares = {PromotionState.RAMPING: 5_000, PromotionState.HELD: 9_500}
    others = [
        step(state, share_bp=shares.get(state), version_after=2 if state in shares else None)
        for state in states
        if state is not PromotionState.PROPOSED
    ]
    made = Promotion(id=promotion_id, experiment="banner", segment="everyone", variant="b", steps=(first, *others))
    return replace(made, **changes)
