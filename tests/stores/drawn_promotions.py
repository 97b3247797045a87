"""Strategies for promotions as they are stored: policies, evidence, steps."""

from __future__ import annotations

from datetime import time

from hypothesis import strategies as st

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
from experiments.domain.promotion_policy import (
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    QuietHours,
    WinnerRule,
)
from tests.stores import promotions as built
from tests.stores.drawn_parts import FRACTIONS, INSTANTS, KEYS, TEXTS


@st.composite
def quiet_hours(draw):
    clocks = st.times().map(lambda clock: clock.replace(fold=0))
    start, end = draw(st.lists(clocks, min_size=2, max_size=2, unique=True))
    return QuietHours(start=start, end=end, timezone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])))


@st.composite
def policies(draw):
    winner = draw(st.sampled_from(WinnerRule))
    minimum_lift = draw(st.floats(0, 10))
    minimum_weeks = draw(st.integers(0, 52))
    holdback_bp = draw(st.integers(1, 9_999))
    exploration_bp = draw(st.just(0) | st.integers(8, 2_000)) if holdback_bp < 7_000 else 0
    most = 9_999 - holdback_bp - exploration_bp
    shares = st.lists(st.integers(1, max(1, most)), max_size=10, unique=True).map(sorted)
    return PromotionPolicy(
        automatic=draw(st.booleans()),
        winner=winner,
        scope=draw(st.sampled_from(PromotionScope)),
        minimum_lift=minimum_lift,
        loss_tolerance=draw(FRACTIONS) if winner is WinnerRule.EXPECTED_LOSS else None,
        guardrails=draw(st.sampled_from(GuardrailRule)),
        minimum_weeks=minimum_weeks,
        minimum_units=draw(st.integers(0, 10**9)),
        maximum_weeks=draw(st.none() | st.integers(minimum_weeks + 1, 99)),
        ramp_bp=tuple(draw(shares)) if holdback_bp < 9_999 else (),
        soak_seconds=draw(st.integers(0, 10**7)),
        holdback_bp=holdback_bp,
        exploration_bp=exploration_bp,
        hold_seconds=draw(st.integers(0, 10**8)),
        revert_below_lift=draw(st.floats(-1, minimum_lift, exclude_min=True)),
        quiet_hours=draw(st.none() | quiet_hours()),
        expires_after_seconds=draw(st.integers(1, 10**7)),
        maximum_age_seconds=draw(st.integers(1, 10**7)),
    )


NIGHT = QuietHours(start=time(22, 30), end=time(6), timezone="Europe/Berlin")
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
NAMED = st.lists(KEYS, max_size=3).map(tuple)
SENTENCES = st.lists(TEXTS, max_size=2).map(tuple)
COUNTS = st.lists(st.tuples(KEYS, st.integers(0, 10**12)), max_size=3).map(tuple)
GUARDRAILS = st.lists(
    st.builds(GuardrailEvidence, metric=KEYS, variant=KEYS, state=st.sampled_from(GuardrailState)), max_size=2
).map(tuple)
BELIEFS = st.lists(
    st.builds(ArmBelief, variant=KEYS, chance_to_be_best=st.floats(0, 1), expected_loss=NUMBERS), max_size=3
).map(tuple)
LIVE = st.builds(
    Live,
    promotion=KEYS,
    variant=KEYS,
    began_at=INSTANTS,
    share_bp=st.integers(0, 10_000),
    share_since=INSTANTS,
    is_final=st.booleans(),
    predicted_gain=NUMBERS,
    units=COUNTS,
    gain=NUMBERS,
    gain_low=NUMBERS,
    gain_high=NUMBERS,
    srm_p_value=NUMBERS,
    critical=SENTENCES,
    guardrails=GUARDRAILS,
)
EVIDENCE = st.builds(
    Evidence,
    experiment=KEYS,
    segment=KEYS,
    segment_name=TEXTS,
    status=st.sampled_from(Status),
    snapshot_id=st.integers(1, 2**62),
    version=st.integers(1, 99),
    epoch=st.integers(1, 9),
    watermark_at=INSTANTS,
    started_at=st.none() | INSTANTS,
    since_epoch=st.integers(1, 9),
    current_since_epoch=st.integers(1, 9),
    segment_since=INSTANTS,
    offered=NAMED,
    already_promoted=st.none() | KEYS,
    declined=NAMED,
    stopping_rule=st.sampled_from(StoppingRule),
    control=KEYS,
    basis=st.sampled_from(Basis),
    outcome=KEYS,
    segment_outcome=KEYS,
    variant=st.none() | KEYS,
    leaders=NAMED,
    verdict=TEXTS,
    units=COUNTS,
    gain=NUMBERS,
    predicted_gain=NUMBERS,
    gain_low=NUMBERS,
    gain_high=NUMBERS,
    best_gain_high=NUMBERS,
    p_value_adjusted=NUMBERS,
    beliefs=BELIEFS,
    srm_p_value=NUMBERS,
    critical=SENTENCES,
    guardrails=GUARDRAILS,
    holdback=st.none() | st.builds(Forecast, lift=FRACTIONS, at=INSTANTS),
    live=st.none() | LIVE,
)


@st.composite
def steps(draw):
    seen = draw(
        st.none() | st.builds(built.evidence, verdict=TEXTS, gain=NUMBERS, live=st.none() | st.builds(built.live))
    )
    return PromotionStep(
        state=draw(st.sampled_from(PromotionState)),
        at=draw(INSTANTS),
        by=draw(TEXTS),
        version=draw(st.integers(1, 99)),
        unattended=draw(st.booleans()),
        reasons=tuple(draw(st.lists(st.builds(DecisionReason, code=KEYS, message=TEXTS), max_size=2))),
        note=draw(TEXTS),
        evidence=seen,
        evidence_sha256=None if seen is None else seen.sha256(),
        share_bp=draw(st.none() | st.integers(0, 10_000)),
        exploration_bp=draw(st.integers(0, 2_000)),
        version_after=draw(st.none() | st.integers(1, 99)),
    )


PROMOTIONS = st.builds(
    Promotion,
    id=KEYS,
    experiment=KEYS,
    segment=KEYS,
    variant=KEYS,
    steps=st.lists(steps(), min_size=1, max_size=4).map(tuple),
)
