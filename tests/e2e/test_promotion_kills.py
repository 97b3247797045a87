"""SIGKILL, or a broken network, at every boundary of every step: one promotion, one audit trail, one allocation."""

from __future__ import annotations

import subprocess
import sys

import pytest

from experiments.bootstrap import build
from experiments.domain.promotion import PromotionState
from experiments.services.verify_promotion import verify_promotion
from experiments.settings import Settings
from tests.e2e.processes import ROOT

pytestmark = pytest.mark.slow

LIFE = [
    PromotionState.PROPOSED,
    PromotionState.APPROVED,
    PromotionState.RAMPING,
    PromotionState.HELD,
    PromotionState.REVERTED,
]
TRAIL = ["promotion.propose", "promotion.approve", "promotion.ramp", "promotion.hold", "promotion.revert"]
# Every step writes a promotion and an audit entry and commits; three of the five write an experiment too. Each of
# these has a moment before and one after.
LEAST_BOUNDARIES = 2 * (5 * 3 + 3)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["kill", "split"])
def test_struck_at_every_boundary_exactly_one_outcome_stands(sql_url: str, how: str) -> None:
    if how == "split" and not sql_url.startswith("postgresql"):
        pytest.skip("SQLite has no connections that another process could end")
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.promotion_life", sql_url, how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    struck = int(done.stdout.split()[-1])
    assert struck >= LEAST_BOUNDARIES
    winnow = build(Settings(database_url=sql_url))
    for number in range(1, struck + 1):
        key = f"banner-{number}"
        (promotion,) = winnow.promoter.history(experiment=key, after=None, limit=10).items
        assert [step.state for step in promotion.steps] == LIFE, f"boundary {number}"
        entries = winnow.results.audit(subject=key, after=None, limit=50).items
        assert [entry.action for entry in reversed(entries) if entry.action.startswith("promotion.")] == TRAIL
        versions = winnow.author.versions(key)
        splits = [version.definition.segments[0].allocation for version in versions]
        assert [split.weights_bp for split in splits] == [
            {"a": 5_000, "b": 5_000},
            {"a": 4_000, "b": 6_000},
            {"a": 500, "b": 9_500},
            {"a": 5_000, "b": 5_000},
        ]
        assert splits[0] == splits[-1]
        assert verify_promotion(winnow.open_unit_of_work, promotion.id).holds
