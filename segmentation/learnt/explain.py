"""Each cluster as a rule: the leaves of one shallow tree, in the units of the attributes, measured on other units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from segmentation.learnt.partition import Labels
from segmentation.learnt.preparation import Preparation
from segmentation.rules import Bound, Choice, Columns, Leaf, Range, Rule, both, readable, rule_matches, simplified
from segmentation.rules.columns import Column, Flags, Floats

_AS_GOOD = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Rule against cluster on `units` that the tree did not see; precision is None where the rule holds nobody."""

    units: int
    agreement: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cluster's rule; None where no leaf is mostly of that cluster."""

    rule: Rule | None
    fidelity: Fidelity | None


def explain(
    preparation: Preparation,
    columns: Columns,
    labels: Labels,
    *,
    held_out: Flags,
    depth: int,
    least_leaf: float,
    seed: int,
) -> tuple[tuple[Explanation, ...], float]:
    """Rules of all clusters, and the share of held-out units of which exactly their own cluster's rule holds.

    Parameters
    ----------
    columns
        Of the complete units only, shape (n,).
    labels : ndarray, shape (n,)
        0 … k - 1.
    held_out : ndarray of bool, shape (n,)
        Units that are only measured on.
    depth
        The tree is the shallowest up to this depth that is within .01 of the deepest, on the units that it learns from.
    least_leaf
        Share of the learning units that each leaf holds.

    Notes
    -----
    A tree as in Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees" (1984), by Gini's index. Each
    threshold is then rounded as `readable` says; what is told was measured after that. Clusters were formed with the
    held-out units too: fidelity says how well the rule stands for the cluster, not how real the cluster is.
    """
    values = np.column_stack([columns[name].values for name in preparation.attributes])
    learning = ~held_out
    tree = _shallowest(values[learning], labels[learning], depth, least_leaf, seed)
    leaves = list(_leaves(tree, preparation, values[learning]))
    aside = {
        name: Column(name=name, kind=column.kind, values=column.values[held_out]) for name, column in columns.items()
    }
    clusters = int(labels.max()) + 1
    rules = [simplified(tuple(leaf for leaf, cluster in leaves if cluster == k and leaf)) for k in range(clusters)]
    inside = np.array([rule_matches(rule, aside) for rule in rules])
    truth = labels[held_out]
    found = tuple(
        Explanation(rule=rule, fidelity=_fidelity(inside[k], truth == k)) if rule else _UNEXPLAINED
        for k, rule in enumerate(rules)
    )
    right = (inside.sum(axis=0) == 1) & inside[truth, np.arange(len(truth))]
    return found, float(right.mean())


_UNEXPLAINED = Explanation(rule=None, fidelity=None)


def _shallowest(values: Floats, labels: Labels, depth: int, least_leaf: float, seed: int) -> DecisionTreeClassifier:
    least = max(1, round(least_leaf * len(values)))
    trees = [
        DecisionTreeClassifier(max_depth=d, min_samples_leaf=least, random_state=seed).fit(values, labels)
        for d in range(1, depth + 1)
    ]
    scores = [tree.score(values, labels) for tree in trees]
    return next(tree for tree, score in zip(trees, scores, strict=True) if score >= max(scores) - _AS_GOOD)


def _leaves(model: DecisionTreeClassifier, preparation: Preparation, values: Floats) -> Iterator[tuple[Leaf, int]]:
    """Each leaf with its commonest cluster; one that rounding has emptied is left out."""
    tree = model.tree_
    pending: list[tuple[int, dict[str, Bound]]] = [(0, {})]
    while pending:
        node, bounds = pending.pop()
        if tree.children_left[node] < 0:
            yield tuple(bounds.values()), int(model.classes_[tree.value[node][0].argmax()])
            continue
        feature = int(tree.feature[node])
        sides = _sides(preparation, feature, float(tree.threshold[node]), values[:, feature])
        for child, side in zip((tree.children_left[node], tree.children_right[node]), sides, strict=True):
            narrowed = _narrowed(bounds, side)
            if narrowed is not None:
                pending.append((int(child), narrowed))


def _sides(preparation: Preparation, feature: int, threshold: float, values: Floats) -> tuple[Bound, Bound]:
    used = preparation.used[feature]
    if used.boolean:
        no, yes = (Choice(attribute=used.attribute, values=frozenset([value])) for value in (False, True))
        return no, yes
    cut = readable(threshold, values)
    return Range(attribute=used.attribute, at_most=cut), Range(attribute=used.attribute, above=cut)


def _narrowed(bounds: dict[str, Bound], side: Bound) -> dict[str, Bound] | None:
    before = bounds.get(side.attribute)
    try:
        return {**bounds, side.attribute: side if before is None else both(before, side)}
    except ValueError:
        return None


def _fidelity(inside: Flags, truth: Flags) -> Fidelity:
    hits = int((inside & truth).sum())
    held, members = int(inside.sum()), int(truth.sum())
    return Fidelity(
        units=len(truth),
        agreement=float((inside == truth).mean()),
        precision=hits / held if held else None,
        recall=hits / members if members else None,
    )
