"""A running experiment whose promotions go their way, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from experiments.bootstrap import Winnow
from experiments.domain.definition import SegmentPlan
from experiments.domain.policy import DAY_SECONDS
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import ExperimentWish
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

S = PromotionState
AUTOMATIC = PromotionPolicy(automatic=True)
RAMP = PromotionPolicy(automatic=True, ramp_bp=(6_000, 9_000), soak_seconds=DAY_SECONDS)


@dataclass
class World:
    """A running experiment of 15 days, and snapshots in which b wins for men; `realised` is what it comes to later."""

    winnow: Winnow
    clock: FakeClock
    wish: ExperimentWish

    def start(self, policy: PromotionPolicy) -> None:
        self.winnow.author.create(replace(self.wish, promotion=policy), actor="ann")
        self.winnow.author.step("banner", "start", actor="ann")
        self.clock.advance(days=15)
        self.look()

    def look(self, *, realised: tuple[float, float] | None = None, **changes: Any) -> None:
        """Store a snapshot as of now; where a promotion is live, with its realised gain between these ends."""
        document = report(scope("mens"), scope("new", "undecided", -0.1, 0.2)) | changes
        low, high = realised or (0.0, 0.4)
        live = self.winnow.promoter.history(experiment="banner", after=None, limit=1).items
        reports = {one.id: {"since_epoch": 2, "report": report(scope("mens", "winner", low, high))} for one in live}
        number = self.winnow.author.get("banner").current.number
        store(self.winnow.open_unit_of_work, "banner", document, at=self.clock.now, version=number, realised=reports)

    def edit(self, wish: ExperimentWish) -> None:
        revision = self.winnow.author.get("banner").revision
        self.winnow.author.edit("banner", wish, expected_revision=revision, actor="ann")

    def advance(self, segment: str = "mens") -> list[PromotionState]:
        """Do every step that is due, and say which."""
        done = []
        while (promotion := self.winnow.advancer.step("banner", segment)) is not None:
            done.append(promotion.state)
        return done

    def after(self, days: float, **look: Any) -> list[PromotionState]:
        self.clock.advance(days=days)
        self.look(**look)
        return self.advance()

    @property
    def promotion(self) -> Promotion:
        (promotion,) = self.winnow.promoter.history(experiment="banner", after=None, limit=10).items
        return promotion

    @property
    def plan(self) -> SegmentPlan:
        return self.winnow.author.get("banner").definition.segments[0]

    @property
    def shares(self) -> dict[str, int]:
        return self.plan.allocation.weights_bp

    def audited(self) -> list[str]:
        entries = self.winnow.results.audit(subject="banner", after=None, limit=50).items
        return [entry.action for entry in reversed(entries) if entry.action.startswith("promotion.")]


Begin = Callable[[PromotionPolicy], World]
