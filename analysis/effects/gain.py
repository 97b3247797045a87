"""What an adaptive split gained over the declared one, and what certainty it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Arms in the batches of one segment, shape (batches, arms); leading axes for many segments or simulated runs.

    Parameters
    ----------
    n : array
        Units with an outcome, ≥ 1 wherever an arm was shown or declared.
    mean : array
        Of the units' values.
    declared : array
        Shares of the declared split; they add up to 1 in a batch.
    unit_variance : array, shape (arms,)
        Of one unit's value, within batches.
    """

    n: Floats
    mean: Floats
    declared: Floats
    unit_variance: Floats

    @property
    def sizes(self) -> Floats:
        sizes: Floats = self.n.sum(axis=-1, keepdims=True)
        return sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gained:
    """Sum of outcomes beyond those of the declared split, its squared standard error, and the clock of its sequence."""

    value: Floats
    variance: Floats
    clock: Floats


def gained(shown: Shown) -> Gained:
    """Outcomes that the same units would not have had under the declared split.

    Returns
    -------
    Gained
        Σ_e Σ_a (n_ea - N_e·π_a)·m_ea over batches e and arms a, with variance Σ (n_ea - N_e·π_a)²·s_a²/n_ea.

    Notes
    -----
    Horvitz–Thompson's estimate per batch: within one, the split does not depend on its outcomes, so every term is
    unbiased, whatever effects and base rates do from batch to batch. The tempting shortcut, units moved times the
    effect that is reported, is biased upwards (the split moves to what looked good): without any effect it reports a
    gain of half its standard error.

    The sum is a martingale whose variance depends on the outcomes before: for one look it is not quite normal
    (intervals of .95 cover .93 to .965), so there is none. The confidence sequence needs only the summed variance and
    holds: its clock is that sum, in units of one unit's variance.

    Horvitz & Thompson, JASA 47 (1952), pp. 663-685; Waudby-Smith et al., Ann. Statist. 52 (2024).
    """
    moved = shown.n - shown.sizes * shown.declared
    each = moved * moved * _per_unit(shown)
    weight = shown.n.sum(axis=-2)
    typical = (weight * shown.unit_variance).sum(axis=-1) / weight.sum(axis=-1)
    variance = each.sum(axis=(-2, -1))
    return Gained(
        value=(moved * np.where(shown.n > 0, shown.mean, 0.0)).sum(axis=(-2, -1)),
        variance=variance,
        clock=variance / np.where(typical > 0, typical, 1.0),
    )


def _per_unit(shown: Shown) -> Floats:
    """s²/n, 0 where an arm has nobody."""
    inhabited = shown.n > 0
    found: Floats = np.where(inhabited, shown.unit_variance[..., None, :] / np.where(inhabited, shown.n, 1.0), 0.0)
    return found


def expected(shown: Shown) -> Floats:
    """Outcomes of the same units under the declared split, Σ_e N_e Σ_a π_a·m_ea."""
    together: Floats = (shown.sizes * shown.declared * shown.mean).sum(axis=(-2, -1))
    return together


def variance_of_difference(shown: Shown, pair: tuple[int, int], weights: Floats) -> Floats:
    """Squared standard error of the difference of two arms with these weights of the batches, shape (batches,)."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    each = _per_unit(shown)[..., pair].sum(axis=-1)
    variance: Floats = (share * share * each).sum(axis=-1)
    return variance


def variance_if_fixed(shown: Shown, pair: tuple[int, int]) -> Floats:
    """The same, had the declared split stayed: batches weigh by their units N_e, arms have π_a·N_e of them."""
    sizes = shown.sizes[..., 0]
    share = sizes / sizes.sum(axis=-1, keepdims=True)
    arms = shown.declared[..., pair] * shown.sizes
    each = (shown.unit_variance[..., None, pair] / np.where(arms > 0, arms, np.nan)).sum(axis=-1)
    variance: Floats = (share * share * each).sum(axis=-1)
    return variance
