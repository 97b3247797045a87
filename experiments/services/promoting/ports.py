"""Where promotions are kept."""

from __future__ import annotations

from typing import Protocol

from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.paging import Page


class PromotionStore(Protocol):
    def add(self, promotion: Promotion) -> None:
        """Raise AlreadyExists, also where another one is open in that segment: of two adders exactly one succeeds."""

    def get(self, promotion_id: str) -> Promotion:
        """Raise NotFound."""

    def save(self, promotion: Promotion, *, expected_revision: int) -> None:
        """Raise RevisionMismatch, NotFound. The check and the write are one step."""

    def standing(self, experiment: str) -> tuple[Promotion, ...]:
        """Those that still bear on decisions, oldest first: open or declined ones."""

    def count(self, state: PromotionState) -> int:
        """How many are in that state."""

    def page(
        self, *, experiment: str | None, state: PromotionState | None = None, after: str | None, limit: int
    ) -> Page[Promotion]:
        """Newest first."""
