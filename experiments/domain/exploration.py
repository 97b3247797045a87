"""Exploration: a small share of a segment that goes on seeing any content once a winner is live, on purpose.

Without it a segment sees for ever what it once liked, and nobody learns that it has come to like something else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from experiments.domain.bucketing import BUCKETS


def explored(
    variants: Sequence[str], offered: Mapping[str, int], winner: str, control: str, *, harmful: Collection[str]
) -> tuple[str, ...]:
    """Return the variants that share the exploration, the winner and the control among them.

    What the split offers to nobody stays unseen, and what is shown to do harm leaves.
    """
    return tuple(key for key in variants if key in (winner, control) or (offered.get(key) and key not in harmful))


def promoted_weights(
    variant: str, control: str, share_bp: int, *, variants: Sequence[str], exploration_bp: int
) -> dict[str, int]:
    """Return the split at a winner's share, in basis points: exploration evenly, and what is left the control's.

    Each of `variants` has its part of the exploration, the winner and the control beside their own; what cannot be
    shared evenly is the winner's.
    """
    part = exploration_bp // len(variants)
    own = {
        variant: share_bp + exploration_bp - part * (len(variants) - 1),
        control: BUCKETS - share_bp - exploration_bp + part,
    }
    return own | {key: part for key in variants if part and key not in own}
