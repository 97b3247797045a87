"""What `winnow timeline` says has come of a promotion, right after a new share as well."""

from __future__ import annotations

import pytest

from experiments.cli.inbox import realised_so_far
from experiments.domain.evidence import Evidence
from experiments.domain.promotion import PromotionState, PromotionStep
from tests.unit.promoting.promotions import GOOD, live_evidence, step

UNTIL = f"{GOOD.watermark_at:%Y-%m-%d %H:%M} UTC"
SAID = f"+25.0%; realised so far +20.0%, surely between -10.0% and +50.0% (data until {UNTIL})."
FEW = "+25.0%; too early to say what came of it: 10 saw b."
NONE_YET = live_evidence(share_bp=8_000, units=(), gain=None, gain_low=None, gain_high=None)
EARLY = live_evidence(units=(("b", 10),), gain=None, gain_low=None, gain_high=None)


def grew(evidence: Evidence | None, share_bp: int) -> PromotionStep:
    return step(PromotionState.RAMPING, evidence=evidence, share_bp=share_bp)


@pytest.mark.parametrize(
    ("now", "steps", "said"),
    [
        pytest.param(
            NONE_YET,
            (grew(GOOD, 5_000), grew(live_evidence(), 8_000)),
            f"At 80% nobody was counted yet; at 50%: predicted {SAID}",
            id="the last share's own",
        ),
        pytest.param(
            NONE_YET,
            (grew(live_evidence(), 5_000), grew(EARLY, 6_000), grew(None, 8_000)),
            f"At 80% nobody was counted yet; at 50%: predicted {FEW}",
            id="the newest that counted",
        ),
        pytest.param(
            NONE_YET,
            (grew(GOOD, 5_000), grew(NONE_YET, 8_000)),
            "Predicted +25.0%; too early to say what came of it: nobody was counted yet.",
            id="nobody at any share",
        ),
        pytest.param(live_evidence(), (grew(EARLY, 5_000),), f"Predicted {SAID}", id="somebody at this share"),
    ],
)
def test_right_after_a_new_share_the_last_one_is_told(
    now: Evidence, steps: tuple[PromotionStep, ...], said: str
) -> None:
    assert now.live is not None
    assert realised_so_far(now, now.live, steps) == said
