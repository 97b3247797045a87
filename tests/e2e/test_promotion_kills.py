"""SIGKILL, or a broken network, at every boundary of every step: one promotion, one audit trail, one allocation."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.promotion import PromotionState
from experiments.services.promoting.verify import verify_promotion
from experiments.settings import Settings
from tests.e2e.processes import ROOT
from tests.repeats import repeats

pytestmark = pytest.mark.slow

LIFE = [
    PromotionState.PROPOSED,
    PromotionState.APPROVED,
    PromotionState.RAMPING,
    PromotionState.HELD,
    PromotionState.REVERTED,
]
TRAIL = ["promotion.propose", "promotion.approve", "promotion.ramp", "promotion.hold", "promotion.revert"]
TOLD = ["promotion.promoted", "promotion.promoted", "promotion.reverted"]
# Every step writes a promotion and an audit entry and commits; three of the five write an experiment too. Each of
# these has a moment before and one after.
LEAST_BOUNDARIES = 2 * (5 * 3 + 3)


def notices_of(winnow: Winnow) -> dict[str | None, list[str]]:
    """The kinds of all notices of each experiment, in order of name."""
    kinds: dict[str | None, list[str]] = defaultdict(list)
    after: str | None = None
    with winnow.open_unit_of_work(read_only=True) as work:
        while True:
            page = work.notices.page(state=None, target=None, after=after, limit=500)
            for letter in page.items:
                kinds[letter.notice.experiment].append(letter.notice.kind.value)
            if (after := page.next_after) is None:
                return {experiment: sorted(found) for experiment, found in kinds.items()}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["kill", "split"])
def test_struck_at_every_boundary_exactly_one_outcome_stands(sql_url: str, how: str) -> None:
    if how == "split" and not sql_url.startswith("postgresql"):
        pytest.skip("SQLite has no connections that another process could end")
    every = 1 if how == "kill" else repeats(3, 1)
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.promotion_life", sql_url, how, str(every)],
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
    told = notices_of(winnow)
    for number in range(1, struck + 1, every):
        key = f"banner-{number}"
        (promotion,) = winnow.promoter.history(experiment=key, after=None, limit=10).items
        assert [step.state for step in promotion.steps] == LIFE, f"boundary {number}"
        entries = winnow.results.audit(subject=key, after=None, limit=50).items
        assert [entry.action for entry in reversed(entries) if entry.action.startswith("promotion.")] == TRAIL
        assert told[key] == TOLD
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
