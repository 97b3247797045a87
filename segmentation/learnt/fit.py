"""Learn segments from a table of attributes, or say why there are none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import sklearn

from segmentation.learnt.explain import Explanation, explain
from segmentation.learnt.mixture import MixtureView, mixture_view
from segmentation.learnt.partition import Partition, nearest, partition, silhouette, single_thread, stability
from segmentation.learnt.preparation import Preparation, matrix, prepare
from segmentation.learnt.reference import structure_test
from segmentation.learnt.result import Candidate, Cluster, Learning, LearntSegments, NoClusters
from segmentation.rules import Column, Columns, columns_of, rule_document
from segmentation.rules.columns import Flags, Floats

_SAME_SILHOUETTE = 0.05
_SAME_STABILITY = 0.02

_LIBRARIES = (("numpy", np.__version__), ("scikit-learn", sklearn.__version__))


def learn(
    table: object, learning: Learning | None = None, *, progress: Callable[[int, int], None] | None = None
) -> LearntSegments | NoClusters:
    """Clusters of units, each with a condition that a person can read.

    Parameters
    ----------
    table
        An Arrow table or a mapping of names to arrays, shape (n,); numbers are used (see `prepare`). Units without
        a value of a used attribute are left out, and counted.
    learning
        Seed and thresholds.
    progress
        Called with the steps that are done, and with all there are.

    Returns
    -------
    LearntSegments
        k is, of the numbers whose partition is stable, the one of greatest silhouette; of those within .05 of it that
        are as stable as any of them to within .02 the largest. `NoClusters`: "too_few_units",
        "no_structure" (see `structure_test`), "unstable".

    Raises
    ------
    Refused
        As `columns_of` and `prepare` say.

    Notes
    -----
    k-means cuts by distance to a mean: it wants clusters that are round and of like size after the preparation.
    Attributes that do not matter drown those that do; ten well-chosen ones are many.
    """
    learning = learning or Learning()
    columns = columns_of(table)
    preparation = prepare(
        columns,
        skewness_for_log=learning.skewness_for_log,
        most_missing=learning.most_missing,
        booleans=learning.booleans,
    )
    prepared, complete = matrix(preparation, columns)
    if len(prepared) < learning.least_units:
        message = f"Clusters are looked for among {learning.least_units} complete units or more, not {len(prepared)}."
        return NoClusters(reason="too_few_units", message=message, preparation=preparation)
    with single_thread():
        return _learn(learning, columns, preparation, prepared, complete, steps=_Steps(learning, progress))


class _Steps:
    """Of the structure test every partition; each number of clusters then takes as long as a reference or so."""

    def __init__(self, learning: Learning, progress: Callable[[int, int], None] | None) -> None:
        sizes = learning.most_clusters - 1
        self._total = sizes * (1 + 2 * learning.references) + sizes * learning.pairs
        self._done, self._pairs = 0, learning.pairs
        self._progress = progress or (lambda done, total: None)

    def partitioned(self) -> None:
        self._step(1)

    def compared(self) -> None:
        self._step(self._pairs)

    def _step(self, steps: int) -> None:
        self._done += steps
        self._progress(self._done, self._total)


def _learn(
    learning: Learning, columns: Columns, preparation: Preparation, prepared: Floats, complete: Flags, *, steps: _Steps
) -> LearntSegments | NoClusters:
    rng = np.random.default_rng(learning.seed)
    sample = _sample(prepared, learning.sample_units, rng)
    fewer = max(1, learning.starts // 2)

    def dispersion(values: Floats, clusters: int) -> float:
        steps.partitioned()
        return partition(values, clusters, seed=learning.seed, starts=fewer).within

    structure = structure_test(
        sample, dispersion, most_clusters=learning.most_clusters, references=learning.references, rng=rng
    )
    refused = partial(NoClusters, preparation=preparation, structure=structure)
    if structure.p_value > learning.alpha:
        return refused(reason="no_structure", message="These units look like one lump cut into pieces.")
    candidates = tuple(_candidate(sample, k, learning, rng, steps) for k in range(2, learning.most_clusters + 1))
    stable = [one for one in candidates if one.adjusted_rand >= learning.least_stability]
    if not stable:
        message = "Other units of the same kind would have given other clusters, whatever their number."
        return refused(reason="unstable", message=message, candidates=candidates)
    chosen = _choice(stable)
    whole = partition(prepared, chosen.clusters, seed=learning.seed, starts=learning.starts)
    held_out = rng.uniform(size=len(prepared)) < learning.held_out
    present = {
        name: Column(name=name, kind=columns[name].kind, values=columns[name].values[complete])
        for name in preparation.attributes
    }
    explanations, right = explain(
        preparation,
        present,
        whole.labels,
        held_out=held_out,
        depth=learning.depth,
        least_leaf=learning.least_leaf,
        seed=learning.seed,
    )
    drawn = partition(sample, chosen.clusters, seed=learning.seed, starts=fewer)
    return LearntSegments(
        version=1,
        keys_given=chosen.clusters,
        libraries=_LIBRARIES,
        learning=learning,
        preparation=preparation,
        structure=structure,
        candidates=candidates,
        mixture=_mixture(sample, drawn, learning),
        clusters=_clusters(whole, present, preparation, explanations, _jaccard(chosen, whole, drawn)),
        rules_right=right,
    )


def _choice(stable: list[Candidate]) -> Candidate:
    """Clusters that lie close to one another make the coarser cut look a little better: the finer one wins a tie."""
    greatest = max(one.silhouette for one in stable)
    alike = [one for one in stable if one.silhouette >= greatest - _SAME_SILHOUETTE]
    steadiest = max(one.adjusted_rand for one in alike)
    return max((one for one in alike if one.adjusted_rand >= steadiest - _SAME_STABILITY), key=lambda one: one.clusters)


def _sample(prepared: Floats, most: int, rng: np.random.Generator) -> Floats:
    if len(prepared) <= most:
        return prepared
    return prepared[np.sort(rng.choice(len(prepared), size=most, replace=False))]


def _candidate(sample: Floats, clusters: int, learning: Learning, rng: np.random.Generator, steps: _Steps) -> Candidate:
    starts = max(1, learning.starts // 2)
    cut = partition(sample, clusters, seed=learning.seed, starts=starts)
    found = stability(sample, cut.labels, pairs=learning.pairs, share=0.8, starts=starts, rng=rng)
    steps.compared()
    return Candidate(
        clusters=clusters,
        silhouette=silhouette(sample, cut.labels),
        adjusted_rand=found.adjusted_rand,
        jaccard=found.jaccard,
    )


def _mixture(sample: Floats, drawn: Partition, learning: Learning) -> MixtureView | None:
    if not learning.mixture:
        return None
    return mixture_view(sample, drawn.labels, most=learning.most_clusters, starts=1, seed=learning.seed)


def _jaccard(chosen: Candidate, whole: Partition, drawn: Partition) -> tuple[float, ...]:
    """The stability of each cluster of all units: that of the sample's cluster nearest to it."""
    return tuple(chosen.jaccard[index] for index in nearest(whole.centroids, drawn.centroids))


def _clusters(
    whole: Partition,
    columns: Columns,
    preparation: Preparation,
    explanations: tuple[Explanation, ...],
    jaccard: tuple[float, ...],
) -> tuple[Cluster, ...]:
    found = []
    for index, explanation in enumerate(explanations):
        members = whole.labels == index
        found.append(
            Cluster(
                key=f"c{index + 1}",
                units=int(members.sum()),
                share=float(members.mean()),
                centroid=tuple(map(float, whole.centroids[index])),
                typical=tuple(float(np.median(columns[name].values[members])) for name in preparation.attributes),
                jaccard=jaccard[index],
                condition=None if explanation.rule is None else rule_document(explanation.rule),
                fidelity=explanation.fidelity,
            )
        )
    return tuple(found)
