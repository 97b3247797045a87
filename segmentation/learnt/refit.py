"""Learning again: which new cluster is which old one, and who has moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from segmentation.learnt.fit import learn
from segmentation.learnt.partition import Labels
from segmentation.learnt.result import Cluster, Learning, LearntSegments, NoClusters, assign

Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Old clusters by new ones on the units that both could place.

    `table` has a row for each of `old` and a column for each of `new`, in units. A matched cluster keeps its key;
    `moved` is the share of units whose new key is not their old one, all of a vanished or a new cluster included.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    moved: float | None
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """The next version, who moved against the one before, and their rows in the table."""

    segments: LearntSegments
    movement: Movement
    moved_rows: tuple[int, ...]


def refit(
    previous: LearntSegments,
    table: object,
    learning: Learning | None = None,
    *,
    before: Labels | None = None,
    least_overlap: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> Refit | NoClusters:
    """Learn from today's table, and give clusters that are still there the keys they had.

    Parameters
    ----------
    table
        Today's units, with all attributes that `previous` used.
    learning
        That of `previous` where none is given.
    before : ndarray of int, shape (n,)
        Where each unit was, as an index into `previous.clusters`, -1 where that is not known. None: where the old
        centroids place it today, so that only what the clusters did is told, not what the units did.
    least_overlap
        Jaccard index in (0, 1] of two clusters' units that makes them the same one; at .5 or below a cluster counts as
        dissolved (Hennig 2007, see `stability`).
    progress
        As for `learn`.

    Returns
    -------
    Refit
        `NoClusters` where today there are none; `previous` stays as it is.

    Raises
    ------
    Refused
        Also "no_column", where a used attribute is gone.

    Notes
    -----
    Today's units are placed by the old centroids and by the new ones; old and new clusters are then matched one to one
    so that the sum of their Jaccard indices is greatest. Kuhn, "The Hungarian method for the assignment problem", Naval
    Research Logistics Quarterly 2 (1955), pp. 83-97.
    """
    if not 0 < least_overlap <= 1:
        raise ValueError(f"an overlap is in (0, 1]: {least_overlap}")
    placed = assign(previous, table)
    before = placed if before is None else _checked(before, len(placed), len(previous.clusters))
    fresh = learn(table, learning or previous.learning, progress=progress)
    if isinstance(fresh, NoClusters):
        return fresh
    after, shape = assign(fresh, table), (len(previous.clusters), len(fresh.clusters))
    matched = _matched(_crossed(placed, after, shape), least_overlap)
    clusters, given = _named(previous, fresh, matched)
    segments = replace(fresh, version=previous.version + 1, keys_given=given, clusters=clusters)
    origin = np.array([matched.get(index, -1) for index in range(len(clusters))])
    moved = (before >= 0) & (after >= 0) & (origin[after] != before)
    return Refit(
        segments=segments,
        movement=_movement(previous, segments, _crossed(before, after, shape)),
        moved_rows=tuple(map(int, np.flatnonzero(moved))),
    )


def _checked(before: Labels, units: int, clusters: int) -> Labels:
    if before.shape != (units,) or not np.all((before >= -1) & (before < clusters)):
        raise ValueError(f"where units were is one of {clusters} clusters, or -1, for each of {units}")
    return before


def _crossed(before: Labels, after: Labels, shape: tuple[int, int]) -> Counts:
    both = (before >= 0) & (after >= 0)
    counts = np.zeros(shape, dtype=np.int64)
    np.add.at(counts, (before[both], after[both]), 1)
    return counts


def _matched(counts: Counts, least_overlap: float) -> dict[int, int]:
    """New index -> old index."""
    union = counts.sum(axis=1)[:, None] + counts.sum(axis=0)[None, :] - counts
    overlap = np.divide(counts, union, out=np.zeros(counts.shape), where=union > 0)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if overlap[old, new] >= least_overlap}


def _named(previous: LearntSegments, fresh: LearntSegments, matched: dict[int, int]) -> tuple[tuple[Cluster, ...], int]:
    given, clusters = previous.keys_given, []
    for index, cluster in enumerate(fresh.clusters):
        if index in matched:
            clusters.append(replace(cluster, key=previous.clusters[matched[index]].key))
        else:
            given += 1
            clusters.append(replace(cluster, key=f"c{given}"))
    return tuple(clusters), given


def _movement(previous: LearntSegments, segments: LearntSegments, counts: Counts) -> Movement:
    old, new = previous.keys, segments.keys
    stayed = sum(int(counts[old.index(key), new.index(key)]) for key in new if key in old)
    placed = int(counts.sum())
    return Movement(
        old=old,
        new=new,
        table=tuple(tuple(map(int, row)) for row in counts),
        moved=1 - stayed / placed if placed else None,
        appeared=tuple(key for key in new if key not in old),
        vanished=tuple(key for key in old if key not in new),
    )
