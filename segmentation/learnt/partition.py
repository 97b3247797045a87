"""k-means, one thread and seeded: the same units in the same order give the same bytes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import ThreadpoolController

from segmentation.rules.columns import Floats

Labels: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Centroids in prepared units, shape (k, attributes), labels 0 … k - 1, and the sum of squares within."""

    centroids: Floats
    labels: Labels
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """`adjusted_rand`: mean over pairs of subsamples; `jaccard`: of each cluster, the mean of its best likeness."""

    adjusted_rand: float
    jaccard: tuple[float, ...]


def single_thread() -> AbstractContextManager[object]:
    """A context in which sums are taken in one order."""
    limited: AbstractContextManager[object] = _controller().limit(limits=1)
    return limited


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def partition(matrix: Floats, clusters: int, *, seed: int, starts: int) -> Partition:
    """Lloyd's k-means from the best of `starts` k-means++ beginnings; clusters by falling size."""
    model = KMeans(n_clusters=clusters, n_init=starts, random_state=seed, algorithm="lloyd").fit(matrix)
    sizes = np.bincount(model.labels_, minlength=clusters)
    order = np.lexsort((np.arange(clusters), -sizes))
    rank = np.empty(clusters, dtype=np.int32)
    rank[order] = np.arange(clusters)
    return Partition(centroids=model.cluster_centers_[order], labels=rank[model.labels_], within=float(model.inertia_))


def nearest(matrix: Floats, centroids: Floats) -> Labels:
    """The cluster of each row; of two equally near the first."""
    squares = np.square(centroids).sum(axis=1)[None, :] - 2 * matrix @ centroids.T
    labels: Labels = squares.argmin(axis=1).astype(np.int32)
    return labels


def silhouette(matrix: Floats, labels: Labels) -> float:
    """Mean of (b - a)/max(a, b); -1 where one cluster is left.

    Rousseeuw, J. Comput. Appl. Math. 20 (1987), pp. 53-65.
    """
    present = len(np.unique(labels))
    return float(silhouette_score(matrix, labels)) if 1 < present < len(labels) else -1.0


def stability(
    matrix: Floats, whole: Labels, *, pairs: int, share: float, starts: int, rng: np.random.Generator
) -> Stability:
    """Would other units have given the same clusters?

    Parameters
    ----------
    matrix : ndarray, shape (n, attributes)
    whole : ndarray, shape (n,)
        Clusters 0 … k - 1 of all of them, k ≥ 2.
    pairs
        Of subsamples without replacement, each of `share` of the units.

    Returns
    -------
    Stability
        Two subsamples are clustered apart and compared on the units they have in common, as in Ben-Hur, Elisseeff &
        Guyon, "A stability based method for discovering structure in clustered data", Pacific Symposium on Biocomputing
        7 (2002), pp. 6-17; by the adjusted Rand index (Hubert & Arabie, J. Classification 2 (1985), pp. 193-218) in
        place of their similarities. Each cluster of all units is compared with its likest in a subsample by Jaccard's
        |A∩B|/|A∪B|: Hennig, "Cluster-wise assessment of cluster stability", Comput. Statist. Data Anal. 52 (2007),
        pp. 258-271.

    Notes
    -----
    Stable is not real: one long lump is cut the same way each time. `structure_test` is asked first.
    """
    clusters = int(whole.max()) + 1
    size = max(clusters + 1, round(share * len(matrix)))
    agreements, likeness = [], []
    for _ in range(pairs):
        sides = []
        for _ in range(2):
            chosen = np.sort(rng.choice(len(matrix), size=size, replace=False))
            labels = np.full(len(matrix), -1, dtype=np.int32)
            labels[chosen] = partition(matrix[chosen], clusters, seed=int(rng.integers(2**31)), starts=starts).labels
            likeness.append(_likest(whole[chosen], labels[chosen], clusters))
            sides.append(labels)
        shared = (sides[0] >= 0) & (sides[1] >= 0)
        agreements.append(adjusted_rand_score(sides[0][shared], sides[1][shared]))
    jaccard = np.mean(likeness, axis=0)
    return Stability(adjusted_rand=float(np.mean(agreements)), jaccard=tuple(map(float, jaccard)))


def _likest(whole: Labels, part: Labels, clusters: int) -> Floats:
    common = np.zeros((clusters, clusters))
    np.add.at(common, (whole, part), 1)
    union = common.sum(axis=1)[:, None] + common.sum(axis=0)[None, :] - common
    best: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0).max(axis=1)
    return best
