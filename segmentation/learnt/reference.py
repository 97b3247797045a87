"""Is there any structure at all? The data beside data of one lump that look like them column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from segmentation.rules.columns import Floats

Dispersion = Callable[[Floats, int], float]
"""Within-cluster sum of squares of a matrix cut into k."""

Draws = Callable[[np.random.Generator], Floats]
"""One reference: a matrix of the data's shape."""

_KNOTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """A distribution with one mode: an atom at the first knot, then mass spread evenly between knots."""

    knots: Floats
    cumulative: Floats

    def quantile(self, probabilities: Floats) -> Floats:
        found: Floats = np.interp(probabilities, self.cumulative, self.knots)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A distribution on few values whose probabilities rise, then fall."""

    values: Floats
    cumulative: Floats

    def quantile(self, probabilities: Floats) -> Floats:
        index = np.searchsorted(self.cumulative, probabilities, side="left")
        found: Floats = self.values[np.minimum(index, len(self.values) - 1)]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureTest:
    """The p-value of "these units are one lump", and the number of clusters at which they are least like one."""

    p_value: float
    statistic: float
    clusters: int
    references: int
    units: int


def structure_test(
    matrix: Floats, dispersion: Dispersion, *, most_clusters: int, references: int, rng: np.random.Generator
) -> StructureTest:
    """Test of "these units are one lump".

    Parameters
    ----------
    matrix : ndarray, shape (n, attributes)
        Prepared values.
    dispersion
        How much is left within k clusters.
    most_clusters
        k = 2 … most_clusters are looked at together.
    references
        B ≥ 19: the p-value is at least 1/(B + 1).
    rng
        Draws the references.

    Returns
    -------
    StructureTest
        Let D(k) = log W(k)/W(1). With mean m(k) and standard deviation s(k) of D(k) over the data *and* B references,
        T = max over k of (m(k) - D(k))/s(k), and p = (1 + #{T* ≥ T})/(B + 1). Under the null the B + 1 sets are
        exchangeable, so p ≤ α has probability ≤ α, whatever the number of k. This is done beside references of two
        kinds, and the larger p counts: what either kind of lump explains is no structure.

    Notes
    -----
    The idea, log W(k) beside its mean under a reference, is the gap statistic: Tibshirani, Walther & Hastie, JRSS B 63
    (2001), pp. 411-423. Theirs is uniform over a box. Ours keeps more of the data, as Helgeson, Vock & Bair propose
    ("Nonparametric cluster significance testing with reference to a unimodal null distribution", Biometrics 77 (2021),
    pp. 1215-1226; they smooth kernels until one mode is left): each column has the distribution with one mode nearest
    to its own, in the sense of the dip test (Hartigan & Hartigan, Annals of Statistics 13 (1985), pp. 70-84).

    In the first kind of reference the columns are the attributes, joined by a Gaussian copula with the data's
    correlation of normal scores; in the second they are the principal components, independent. An atom at the least
    value is kept, and columns of few values keep these: never having bought, or small whole numbers, are no structure.

    The null is estimated, so the error rate is nominal only to first order; measured in `tests/learnt`. It does not
    hold for one lump whose dependence is of neither kind, as evenly filled discs, rings and funnels: these are taken
    for clusters more often than alpha says.
    """
    sizes = range(2, most_clusters + 1)
    own = _log_shares(matrix, dispersion, sizes)
    tests = []
    for draws in (_copula(matrix), _own_axes(matrix)):
        drawn = [_log_shares(draws(rng), dispersion, sizes) for _ in range(references)]
        tests.append(_beside(np.array([own, *drawn]), sizes, len(matrix)))
    return max(tests, key=lambda test: test.p_value)


def _beside(logs: Floats, sizes: range, units: int) -> StructureTest:
    """Of log shares, shape (1 + references, sizes), the data's own first."""
    spread = logs.std(axis=0)
    gaps = np.divide(logs.mean(axis=0) - logs, spread, out=np.zeros_like(logs), where=spread > 0)
    most = gaps.max(axis=1)
    return StructureTest(
        p_value=float(np.count_nonzero(most >= most[0]) / len(logs)),
        statistic=float(most[0]),
        clusters=int(sizes[int(gaps[0].argmax())]),
        references=len(logs) - 1,
        units=units,
    )


def unimodal(values: Floats) -> Margin | Steps:
    """The distribution with one mode that is nearest to the values', by the greatest distance of the two functions.

    On the cells between at most 200 quantiles (or, where twenty units share a value on average, on the values): for
    each mode the cells' densities become the nearest that rise up to it and fall after it, by isotonic regression: the
    greatest convex minorant and the least concave majorant of the distribution function.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) * 20 <= len(values):
        masses = _nearest(counts / len(values), np.ones(len(distinct)))
        return Steps(values=distinct, cumulative=_summed(masses))
    knots = np.unique(np.quantile(values, np.linspace(0, 1, min(_KNOTS, len(values) // 5 + 2))))
    at_knots = np.searchsorted(np.sort(values), knots, side="right") / len(values)
    widths = np.diff(knots)
    inner = np.diff(at_knots)
    masses = _nearest(inner / widths, widths) * widths
    masses *= inner.sum() / masses.sum()
    cumulative = np.concatenate([[at_knots[0]], at_knots[0] + np.cumsum(masses)])
    return Margin(knots=knots, cumulative=cumulative)


def _nearest(densities: Floats, widths: Floats) -> Floats:
    """Of the fits over all modes the one whose distribution function stays closest."""
    best, least = densities, np.inf
    target = np.cumsum(densities * widths)
    step = max(1, len(densities) // 50)
    for mode in range(0, len(densities), step):
        fitted = np.concatenate(
            [
                isotonic_regression(densities[: mode + 1], weights=widths[: mode + 1]).x,
                isotonic_regression(densities[mode + 1 :], weights=widths[mode + 1 :], increasing=False).x
                if mode + 1 < len(densities)
                else np.empty(0),
            ]
        )
        distance = float(np.abs(np.cumsum(fitted * widths) - target).max())
        if distance < least:
            best, least = fitted, distance
    return best


def _summed(masses: Floats) -> Floats:
    total: Floats = np.cumsum(masses) / masses.sum()
    total[-1] = 1.0
    return total


def _copula(matrix: Floats) -> Draws:
    """The columns' own margins, joined as normal scores of the data's correlation are."""
    margins = [unimodal(column) for column in matrix.T]
    scores = ndtri(rankdata(matrix, axis=0) / (len(matrix) + 1))
    values, vectors = np.linalg.eigh(np.atleast_2d(np.corrcoef(scores, rowvar=False)))
    factor = vectors * np.sqrt(np.maximum(values, 0.0))

    def draw(rng: np.random.Generator) -> Floats:
        drawn = ndtr(rng.standard_normal(matrix.shape) @ factor.T)
        return np.column_stack([margin.quantile(drawn[:, index]) for index, margin in enumerate(margins)])

    return draw


def _own_axes(matrix: Floats) -> Draws:
    """Margins along the principal axes, independent of one another."""
    axes = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)[2]
    margins = [unimodal(column) for column in (matrix @ axes.T).T]

    def draw(rng: np.random.Generator) -> Floats:
        drawn = rng.uniform(size=matrix.shape)
        turned: Floats = np.column_stack([margin.quantile(drawn[:, i]) for i, margin in enumerate(margins)]) @ axes
        return turned

    return draw


def _log_shares(matrix: Floats, dispersion: Dispersion, sizes: range) -> Floats:
    """Each column at standard deviation 1, as the data were prepared."""
    spread = matrix.std(axis=0)
    scaled = (matrix - matrix.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    whole = float(np.square(scaled).sum())
    return np.array([np.log(max(dispersion(scaled, k) / whole, 1e-300)) for k in sizes])
