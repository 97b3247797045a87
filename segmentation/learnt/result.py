"""What was learnt: everything needed to apply it, to explain it and to learn it again."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np

from segmentation.learnt.explain import Fidelity
from segmentation.learnt.mixture import MixtureView
from segmentation.learnt.partition import Labels, nearest
from segmentation.learnt.preparation import Preparation, matrix
from segmentation.learnt.reference import StructureTest
from segmentation.rules import columns_of

SCHEMA = "winnow.learnt/1"

Refusal = Literal["too_few_units", "no_structure", "unstable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How to learn; outside these bounds `ValueError`.

    Parameters
    ----------
    seed
        ≥ 0; with the same units in the same order and the same libraries it gives the same bytes.
    most_clusters
        2 … most_clusters are looked at, ≥ 2.
    starts
        k-means++ beginnings of the partition that is kept; half as many where the number of clusters is chosen.
    alpha, references
        Error rate of "there are clusters", and how many sets of one lump each test is made beside: ≥ 1/alpha - 1.
    least_stability
        Mean adjusted Rand index below which a number of clusters is no choice.
    sample_units
        The tests, silhouette, stability and mixture are of so many units at most, drawn from all.
    skewness_for_log, most_missing, booleans
        See `prepare`.
    depth, least_leaf
        Of the explaining tree: ≤ 4, and the share of its units that each leaf holds.
    held_out
        Share of the units that the tree does not see, in (0, 1).
    mixture
        Whether mixtures are fitted beside k-means.
    """

    seed: int = 0
    most_clusters: int = 8
    starts: int = 10
    alpha: float = 0.05
    references: int = 59
    pairs: int = 10
    least_stability: float = 0.8
    least_units: int = 100
    sample_units: int = 2000
    skewness_for_log: float = 1.0
    most_missing: float = 0.5
    booleans: bool = False
    depth: int = 4
    least_leaf: float = 0.01
    held_out: float = 0.3
    mixture: bool = True

    def __post_init__(self) -> None:
        bounded = {
            "seed": self.seed >= 0,
            "most_clusters": self.most_clusters >= 2,
            "starts": self.starts >= 1,
            "alpha": 0 < self.alpha < 1,
            "references": self.references + 1 >= 1 / self.alpha if self.alpha > 0 else False,
            "pairs": self.pairs >= 1,
            "least_stability": 0 <= self.least_stability <= 1,
            "least_units": self.least_units >= 10 * self.most_clusters,
            "sample_units": self.sample_units >= self.least_units,
            "skewness_for_log": self.skewness_for_log >= 0 and isfinite(self.skewness_for_log),
            "most_missing": 0 <= self.most_missing <= 1,
            "depth": 1 <= self.depth <= 4,
            "least_leaf": 0 < self.least_leaf < 0.5,
            "held_out": 0 < self.held_out < 1,
        }
        if wrong := [name for name, holds in bounded.items() if not holds]:
            raise ValueError(f"out of bounds: {', '.join(wrong)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A number of clusters: mean silhouette, and mean adjusted Rand index between subsamples."""

    clusters: int
    silhouette: float
    adjusted_rand: float
    jaccard: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`centroid` in prepared units, `typical` the medians in the attributes' own; `condition` is what goes live.

    `jaccard` is the cluster's stability: below .5 it dissolves in subsamples, from .75 it holds (Hennig 2007).
    """

    key: str
    units: int
    share: float
    centroid: tuple[float, ...]
    typical: tuple[float, ...]
    jaccard: float
    condition: dict[str, Any] | None
    fidelity: Fidelity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntSegments:
    """Clusters by falling size; `rules_right` is the share of held-out units that exactly their own rule holds."""

    version: int
    keys_given: int
    libraries: tuple[tuple[str, str], ...]
    learning: Learning
    preparation: Preparation
    structure: StructureTest
    candidates: tuple[Candidate, ...]
    mixture: MixtureView | None
    clusters: tuple[Cluster, ...]
    rules_right: float
    schema: str = SCHEMA

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(cluster.key for cluster in self.clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoClusters:
    """There is nothing to be segmented by, and why; what was found out until then."""

    reason: Refusal
    message: str
    preparation: Preparation
    structure: StructureTest | None = None
    candidates: tuple[Candidate, ...] = ()


def assign(segments: LearntSegments, table: object) -> Labels:
    """The nearest cluster of each unit, as an index into `clusters`, shape (n,); -1 where a used attribute is missing.

    Raises `Refused` as `columns_of` and `matrix` do. What goes live is the condition, which may say otherwise.
    """
    prepared, complete = matrix(segments.preparation, columns_of(table))
    labels = np.full(len(complete), -1, dtype=np.int32)
    labels[complete] = nearest(prepared, np.array([cluster.centroid for cluster in segments.clusters]))
    return labels
