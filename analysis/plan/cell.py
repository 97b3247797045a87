"""Cells: segments in epochs, with the split that was in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from analysis.plan.words import PlanError, require_aware


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One segment during one epoch: the smallest stretch in which the split between variants did not change.

    Parameters
    ----------
    weights
        Variant -> intended relative weight (any positive scale; 0 = must receive nobody). Basis of the SRM test.
    follow_up_ends_at
        When this segment's allocation changed next: outcomes of the cell's units from this instant on do not count,
        since units may have moved to another variant. None: still the same.
    declared
        Where the split follows the outcomes: the weights that were declared, and would be in force did it not. It is
        compared with them, and strata weigh as `analysis.effects.adaptive` says. None: it follows nothing.

    Raises
    ------
    PlanError
        `cell_weights`, `naive_datetime`.
    """

    epoch: int
    segment: str
    weights: Mapping[str, float]
    follow_up_ends_at: datetime | None = None
    declared: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for split in (self.weights, self.declared):
            weights = () if split is None else split.values()
            if not all(isfinite(weight) and weight >= 0 for weight in weights) or (
                split is not None and not sum(weights)
            ):
                raise PlanError("cell_weights", f"{self.segment}, epoch {self.epoch}: weights are ≥ 0, one of them > 0")
        require_aware(self.follow_up_ends_at)

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """Variants that may receive units, by key, with their intended share; the shares add up to 1."""
        total = sum(self.weights.values())
        return tuple(sorted((variant, weight / total) for variant, weight in self.weights.items() if weight > 0))

    @property
    def split(self) -> tuple[tuple[str, float], ...]:
        """`shares` to twelve digits: 1:1:1 and 0.1:0.1:0.1 are the same split, whatever the last bit says."""
        return tuple((variant, round(share, 12)) for variant, share in self.shares)
