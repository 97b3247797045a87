"""Moves: did the variant itself take units out of the segment in which they were exposed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from analysis.estimate import SMALLEST_P, Undefined

LEAST_EXPECTED = 5.0
"""Cochran's rule, as for the sample ratio: a variant that expects fewer moves (or stays) takes no part."""

_TOO_FEW = Undefined(reason="too_few_moves", message="Too few have moved, or stayed, to compare the variants.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTest:
    """Whether the share that moved differs between variants, over all strata.

    `moved` by variant, in the order of the columns; `expected`: how many would have, made variants no difference;
    `took_part`: whether it expects enough to be compared.
    """

    chi_square: float | Undefined
    degrees_of_freedom: int
    p_value: float | Undefined
    moved: tuple[int, ...]
    expected: tuple[float, ...]
    took_part: tuple[bool, ...]


def moving_differs(units: Sequence[Sequence[int]], moved: Sequence[Sequence[int]]) -> MoveTest:
    """Test that within every stratum all variants lost the same share of their units to other segments.

    Parameters
    ----------
    units, moved
        Shape (strata, variants): units whose present segment is known, and how many of them are in another one than
        when they were exposed. A stratum is a segment of one epoch: in it variants were given at random, so that
        without an effect of theirs all have the same chance to move, however long ago it was.

    Returns
    -------
    MoveTest
        With O the moves of a variant over all strata, E = Σ n M / N what they are when moving has nothing to do with
        the variant (n units of the variant, M moves and N units of the stratum), and V the covariance of O - E, the sum
        of M (N - M) (N diag(n) - n nᵀ) / (N² (N - 1)): (O - E)ᵀ V⁺ (O - E), with the rank of V as degrees of freedom.
        `Undefined("too_few_moves")` where fewer than two variants expect five moves and five stays.

    Notes
    -----
    Assumes that units are independent and margins are given (each stratum is multivariate hypergeometric), and one
    look. Summed over strata before it is squared, so that many small strata that point the same way add up; where they
    point in opposite ways they cancel, and nothing is found. With one stratum it is Pearson's chi-square times
    (N - 1) / N; with two variants the Mantel-Haenszel chi-square without its correction for continuity.

    References
    ----------
    Mantel and Haenszel, "Statistical aspects of the analysis of data from retrospective studies of disease", Journal
    of the National Cancer Institute 22 (1959), 719-748. Landis, Heyman and Koch, "Average partial association in
    three-way contingency tables", International Statistical Review 46 (1978), 237-254.
    """
    sizes, gone = np.array(units, dtype=np.float64), np.array(moved, dtype=np.float64)
    expected = _expected(sizes, gone)
    enough = np.minimum(expected.sum(axis=0), (sizes - expected).sum(axis=0)) >= LEAST_EXPECTED
    chi_square, freedom = _chi_square(sizes[:, enough], gone[:, enough])
    return MoveTest(
        chi_square=chi_square if freedom else _TOO_FEW,
        degrees_of_freedom=freedom,
        p_value=max(float(chdtrc(freedom, chi_square)), SMALLEST_P) if freedom else _TOO_FEW,
        moved=tuple(gone.sum(axis=0).astype(int).tolist()),
        expected=tuple(expected.sum(axis=0).tolist()),
        took_part=tuple(enough.tolist()),
    )


def _expected(sizes: NDArray[np.float64], gone: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of margins alone: to leave out a variant that expects few says nothing of how many there were."""
    total, left = sizes.sum(axis=1, keepdims=True), gone.sum(axis=1, keepdims=True)
    expected: NDArray[np.float64] = sizes * np.divide(left, total, out=np.zeros_like(total), where=total > 0)
    return expected


def _chi_square(sizes: NDArray[np.float64], gone: NDArray[np.float64]) -> tuple[float, int]:
    """With its degrees of freedom: 0 where nothing can be compared."""
    if sizes.shape[1] < 2:
        return 0.0, 0
    excess, covariance = _excess(sizes, gone)
    freedom = int(np.linalg.matrix_rank(covariance))
    return max(0.0, float(excess @ np.linalg.pinv(covariance, hermitian=True) @ excess)), freedom


def _excess(sizes: NDArray[np.float64], gone: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """O - E by variant, and its covariance."""
    variants = sizes.shape[1]
    excess, covariance = np.zeros(variants), np.zeros((variants, variants))
    for n, left in zip(sizes, gone, strict=True):
        total, moves = n.sum(), left.sum()
        if total < 2:
            continue
        excess += left - n * moves / total
        spread = total * np.diag(n) - np.outer(n, n)
        covariance += moves * (total - moves) * spread / (total**2 * (total - 1))
    return excess, covariance
