"""A map of units and clusters: the plane in which the prepared attributes vary most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.learnt.partition import nearest
from segmentation.learnt.preparation import matrix
from segmentation.learnt.result import LearntSegments
from segmentation.rules import columns_of
from segmentation.rules.columns import Floats

_DECIMALS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """`share` of all variance along it, in [0, 1]; `loadings`: the weight of each prepared attribute, of length 1."""

    share: float
    loadings: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A unit, or a centroid, on the map; `key` is its cluster's."""

    key: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """`points` are some of the units, without saying which."""

    axes: tuple[Axis, Axis]
    centres: tuple[Place, ...]
    points: tuple[Place, ...]


def project(segments: LearntSegments, table: object, *, points: int = 300, seed: int = 0) -> Projection:
    """Units and clusters on the first two principal components of the prepared attributes.

    Parameters
    ----------
    table
        The units, shape (n,); those that lack a used attribute are left out.
    points
        How many units are shown at most, drawn by the seed; in order of cluster, then of place.

    Returns
    -------
    Projection
        Eigenvectors of the covariance of the prepared columns, each turned so that its greatest weight is positive: the
        signs of eigenvectors mean nothing. Places are rounded to two decimals. Of one attribute the second axis is 0.

    Raises
    ------
    Refused
        As `assign`.

    Notes
    -----
    Hotelling, "Analysis of a complex of statistical variables into principal components", J. Educational Psychology 24
    (1933), pp. 417-441 and 498-520. Clusters that are apart may lie over one another on a map of more attributes.
    """
    prepared, _ = matrix(segments.preparation, columns_of(table))
    weights, shares = _components(prepared)
    centroids = np.array([cluster.centroid for cluster in segments.clusters])
    chosen = _chosen(len(prepared), points, seed)
    labels = nearest(prepared[chosen], centroids)
    shown = sorted(_places(prepared[chosen], prepared.mean(axis=0), weights, labels.tolist()))
    return Projection(
        axes=(_axis(segments, weights[0], shares[0]), _axis(segments, weights[1], shares[1])),
        centres=tuple(
            Place(key=segments.keys[cluster], x=x, y=y)
            for cluster, x, y in _places(centroids, prepared.mean(axis=0), weights, list(range(len(centroids))))
        ),
        points=tuple(Place(key=segments.keys[cluster], x=x, y=y) for cluster, x, y in shown),
    )


def _components(prepared: Floats) -> tuple[Floats, Floats]:
    """Two rows of weights, and the share of variance of each."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(prepared, rowvar=False)))
    order = np.argsort(-values, kind="stable")[:2]
    weights = vectors[:, order].T
    weights = weights * np.sign(weights[np.arange(len(order)), np.abs(weights).argmax(axis=1)])[:, None]
    total = float(values.sum())
    shares = np.maximum(values[order], 0.0) / total if total > 0 else np.zeros(len(order))
    missing = 2 - len(order)
    return np.vstack([weights, np.zeros((missing, weights.shape[1]))]), np.append(shares, np.zeros(missing))


def _axis(segments: LearntSegments, weights: Floats, share: float) -> Axis:
    named = zip(segments.preparation.attributes, map(float, weights), strict=True)
    return Axis(share=float(share), loadings=tuple(named))


def _chosen(units: int, most: int, seed: int) -> NDArray[np.int64]:
    if units <= most:
        return np.arange(units)
    drawn: NDArray[np.int64] = np.random.default_rng([seed, 2]).choice(units, size=most, replace=False)
    return drawn


def _places(rows: Floats, middle: Floats, weights: Floats, clusters: list[int]) -> list[tuple[int, float, float]]:
    flat = np.round((rows - middle) @ weights.T, _DECIMALS) + 0.0
    return [(cluster, float(x), float(y)) for cluster, (x, y) in zip(clusters, flat, strict=True)]
