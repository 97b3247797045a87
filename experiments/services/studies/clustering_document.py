"""What was learnt as the document that is stored and shown: docs/segmentation/learnt.md writes it down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from segmentation.learnt import (
    Candidate,
    Cluster,
    Learning,
    LearntSegments,
    NoClusters,
    Preparation,
    Projection,
    Refit,
    project,
    to_document,
)

SCHEMA = "winnow.clustering/1"
MAP_POINTS = 300
CLOSE_SILHOUETTE = 0.5
HOLDS_JACCARD = 0.75
"""From here on a cluster holds in subsamples: Hennig 2007, see `segmentation.learnt.partition.stability`."""
NO_RULE = "No rule stands for this cluster: no leaf of the tree is mostly of it."


def clustering_document(
    found: LearntSegments | Refit | NoClusters,
    table: pa.Table,
    attributes: Sequence[str],
    *,
    name: str,
    version: int,
    learning: Learning,
    previous: tuple[int, LearntSegments] | None = None,
) -> dict[str, Any]:
    """Return the document of a version; `previous`: the number of the one that it was matched to, and what it found."""
    segments = found.segments if isinstance(found, Refit) else found
    document = {
        "schema": SCHEMA,
        "attributes": list(attributes),
        "method": "both" if learning.mixture else "kmeans",
        "seed": learning.seed,
        **_prepared(segments.preparation),
        "structure": None if segments.structure is None else asdict(segments.structure),
        "numbers": [_number(one) for one in segments.candidates],
        "movement": _movement(found, previous) if isinstance(found, Refit) and previous else None,
    }
    if isinstance(segments, NoClusters):
        return document | _nothing(segments)
    return document | _clusters(segments, table, f"clustering {name}, version {version}")


def _prepared(preparation: Preparation) -> dict[str, Any]:
    return {
        "units": preparation.units,
        "incomplete": preparation.incomplete,
        "left_out": [asdict(one) for one in preparation.left_out],
    }


def _number(one: Candidate) -> dict[str, Any]:
    return {"clusters": one.clusters, "silhouette": one.silhouette, "adjusted_rand": one.adjusted_rand}


def _nothing(refused: NoClusters) -> dict[str, Any]:
    nothing = ("chosen", "silhouette", "adjusted_rand", "rules_right", "mixture", "chart", "learnt")
    return {
        "outcome": refused.reason,
        "message": refused.message,
        **dict.fromkeys(nothing),
        "groups": [],
        "notes": list(_told_of(refused.preparation)),
    }


def _clusters(segments: LearntSegments, table: pa.Table, study: str) -> dict[str, Any]:
    chosen = next(one for one in segments.candidates if one.clusters == len(segments.clusters))
    return {
        "outcome": "clusters",
        "message": f"{len(segments.clusters)} clusters of {_complete(segments):,} customers.",
        "chosen": chosen.clusters,
        "silhouette": chosen.silhouette,
        "adjusted_rand": chosen.adjusted_rand,
        "rules_right": segments.rules_right,
        "mixture": None if segments.mixture is None else asdict(segments.mixture),
        "groups": [_group(one, segments, study) for one in segments.clusters],
        "chart": _chart(project(segments, table, points=MAP_POINTS, seed=segments.learning.seed), segments),
        "learnt": to_document(segments),
        "notes": [*_told_of(segments.preparation), *_doubts(segments, chosen)],
    }


def _group(cluster: Cluster, segments: LearntSegments, study: str) -> dict[str, Any]:
    typical = dict(zip(segments.preparation.attributes, cluster.typical, strict=True))
    return {
        "key": cluster.key,
        "units": cluster.units,
        "share": cluster.share,
        "typical": typical,
        "stability": cluster.jaccard,
        "condition": cluster.condition,
        "fidelity": None if cluster.fidelity is None else asdict(cluster.fidelity),
        "refusal": NO_RULE if cluster.condition is None else None,
        "sentence": _sentence(cluster, typical, study),
    }


def _sentence(cluster: Cluster, typical: dict[str, float], study: str) -> str:
    told = f"Cluster {cluster.key} of {study}: {cluster.share:.1%} of customers, typically with "
    told += ", ".join(f"{name} {value:,.4g}" for name, value in list(typical.items())[:10])
    if cluster.fidelity is None:
        return f"{told}."
    return f"{told}. The rule says the same as the cluster of {cluster.fidelity.agreement:.1%} of customers."


def _movement(found: Refit, previous: tuple[int, LearntSegments]) -> dict[str, Any]:
    movement = found.movement
    return {
        "from_version": previous[0],
        "old": list(movement.old),
        "new": list(movement.new),
        "table": [list(row) for row in movement.table],
        "units": sum(map(sum, movement.table)),
        "moved": movement.moved,
        "moved_units": len(found.moved_rows),
        "appeared": list(movement.appeared),
        "vanished": list(movement.vanished),
        "shares_before": {cluster.key: cluster.share for cluster in previous[1].clusters},
    }


def _chart(found: Projection, segments: LearntSegments) -> dict[str, Any]:
    units = {cluster.key: cluster.units for cluster in segments.clusters}
    return {
        "axes": [{"share": axis.share, "loadings": dict(axis.loadings)} for axis in found.axes],
        "centres": [{**asdict(one), "units": units[one.key]} for one in found.centres],
        "points": [asdict(one) for one in found.points],
    }


def _told_of(preparation: Preparation) -> Iterator[str]:
    if preparation.incomplete:
        missing = ", ".join(f"{name} ({units:,})" for name, units in preparation.missing if units)
        told = f"{preparation.incomplete:,} of {preparation.units:,} profiles lack a value"
        yield f"{told}, and are in no cluster: {missing}."
    for one in preparation.left_out:
        yield f"Left out: {one.attribute}, {one.why.replace('_', ' ')}."


def _doubts(segments: LearntSegments, chosen: Candidate) -> Iterator[str]:
    if chosen.silhouette < CLOSE_SILHOUETTE:
        yield (
            f"The clusters lie close together (silhouette {chosen.silhouette:.2f}): "
            "a way to cut, stable and readable, rather than kinds of customers."
        )
    for cluster in segments.clusters:
        if cluster.jaccard < HOLDS_JACCARD:
            yield f"{cluster.key} comes and goes with the sample (stability {cluster.jaccard:.2f}): adopt it with care."
    if segments.mixture is not None and segments.mixture.components != len(segments.clusters):
        yield (
            f"A Gaussian mixture would take {segments.mixture.components} components (BIC), and agrees with these "
            f"clusters by {segments.mixture.agreement:.2f} (adjusted Rand); one skewed lump takes several."
        )


def _complete(segments: LearntSegments) -> int:
    return segments.preparation.units - segments.preparation.incomplete
