"""A causal tree: leaves in which the treatment seems to do something else, proposed by one half of the units."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from segmentation.discovery.cuts import Cut, Numbered, cuts_of, numbered
from segmentation.discovery.experiment import Experiment
from segmentation.discovery.sums import Codes, Sums, effect, noise, sums_by, worth
from segmentation.rules import Bound, Leaf, both


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """When a node is cut: `least_arm` units an arm on both sides, `least_z` standard errors between their effects."""

    depth: int
    least_arm: int
    least_z: float
    most_values: int


def propose(experiment: Experiment, growing: Growing, ratio: float) -> tuple[Leaf, ...]:
    """Leaves that split everybody; one without bounds where nothing is worth a cut.

    Parameters
    ----------
    experiment
        The proposing half.
    growing
        Depth and least sizes.
    ratio
        Proposing per estimating unit.

    Notes
    -----
    Greedy. The cut is that of the greatest Σ n·τ̂² - (1 + ratio)·Σ n·(s₁²/n₁ + s₀²/n₀) over both sides: Athey & Imbens'
    honest criterion ("Recursive partitioning for heterogeneous causal effects", PNAS 113 (2016), pp. 7353-7360), which
    rewards effects that differ and charges for leaves whose effect the other half will hardly know; with n/n₁ of the
    leaf in place of one over the share of the treated. They prune by cross-validation, we by the least gap in standard
    errors. Numbers are cut at 31 quantiles at most, rounded; values of a choice in the order of their effects; units
    without the attribute go to the side where they fit better.
    """
    centred = Experiment(
        treated=experiment.treated,
        outcome=experiment.outcome - experiment.outcome.mean(),
        columns=experiment.columns,
    )
    attributes = [found for column in experiment.columns.values() if (found := numbered(column, growing.most_values))]
    tree = _Tree(experiment=centred, attributes=attributes, growing=growing, ratio=ratio)
    return tuple(tree.grown((), np.arange(experiment.units), growing.depth))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    experiment: Experiment
    attributes: list[Numbered]
    growing: Growing
    ratio: float

    def grown(self, leaf: Leaf, inside: Codes, depth: int) -> list[Leaf]:
        """The leaves below a node, `inside` being its rows."""
        cut = self._best(inside) if depth else None
        if cut is None:
            return [leaf]
        found: list[Leaf] = []
        for side in (cut.left, cut.right):
            matching = side.matches(self.experiment.columns[side.attribute])[inside]
            found.extend(self.grown(_narrowed(leaf, side), inside[matching], depth - 1))
        return found

    def _best(self, inside: Codes) -> Cut | None:
        node = self.experiment.part(inside)
        whole = float(worth(_everybody(node), self.ratio))
        best, most = None, whole
        for attribute in self.attributes:
            for cut in cuts_of(attribute, node, inside):
                if self._large_enough(cut):
                    gained = float(worth(np.stack([cut.left_sums, cut.right_sums]), self.ratio).sum())
                    best, most = (cut, gained) if gained > most else (best, most)
        return best if best is not None and _gap(best) >= self.growing.least_z else None

    def _large_enough(self, cut: Cut) -> bool:
        return bool(
            min(cut.left_sums[0], cut.left_sums[3], cut.right_sums[0], cut.right_sums[3]) >= self.growing.least_arm
        )


def _everybody(node: Experiment) -> Sums:
    found: Sums = sums_by(node, np.zeros(node.units, dtype=np.intp), 1)[0]
    return found


def _gap(cut: Cut) -> float:
    """Difference of the two sides' effects, in standard errors."""
    sides = np.stack([cut.left_sums, cut.right_sums])
    variance = float((noise(sides) / (sides[:, 0] + sides[:, 3])).sum())
    difference = float(np.diff(effect(sides))[0])
    return abs(difference) / sqrt(variance) if variance > 0 else inf


def _narrowed(leaf: Leaf, side: Bound) -> Leaf:
    bounds = {bound.attribute: bound for bound in leaf}
    before = bounds.get(side.attribute)
    bounds[side.attribute] = side if before is None else both(before, side)
    return tuple(bounds[name] for name in sorted(bounds))
