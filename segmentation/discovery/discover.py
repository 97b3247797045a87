"""Segments discovered from an experiment: proposals for the next one, never winners of this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, Literal

from analysis.effects.means import critical_value
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import Heterogeneity, heterogeneity
from analysis.inference.multiplicity import holm
from segmentation.discovery.experiment import Experiment, experiment_of, proposing_half
from segmentation.discovery.leaves import Arms, Beside, Measured, beside, measured
from segmentation.discovery.tree import Growing, propose
from segmentation.refusal import Refused
from segmentation.rules import Leaf, leaf_document

_MOST_UNITS = 1e15

SCHEMA = "winnow.discovery/1"

Outcome = Literal["proposals", "nothing_to_split", "no_estimate", "no_heterogeneity", "no_leaf_differs"]

MESSAGES: dict[Outcome, str] = {
    "proposals": "In these segments the treatment does something else than outside; the next experiment may show it.",
    "nothing_to_split": "No attribute tells units on which the treatment acts otherwise than on the rest.",
    "no_estimate": "The other half has too little to say about the leaves that were proposed.",
    "no_heterogeneity": "The other half does not confirm that the proposed leaves differ.",
    "no_leaf_differs": "The leaves differ, but of none by itself can it be said.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look; outside these bounds `ValueError`.

    Parameters
    ----------
    seed
        Decides which half a unit is in.
    alpha
        Chance to propose anything where effects do not differ, for all comparisons of the experiment together.
    comparisons
        Treatments that are each searched against the control: every one has alpha / comparisons.
    power
        Of the next experiment, in [½, 1).
    depth, least_arm, least_z, most_values
        Of the tree: at most 2^depth leaves, each with so many units an arm in the proposing half, cut where the effects
        are so many standard errors apart; texts with more values than these are not cut.
    """

    seed: int = 0
    alpha: float = 0.05
    comparisons: int = 1
    power: float = 0.8
    depth: int = 2
    least_arm: int = 100
    least_z: float = 2.0
    most_values: int = 50

    def __post_init__(self) -> None:
        bounded = {
            "alpha": 0 < self.alpha < 1,
            "comparisons": self.comparisons >= 1,
            "power": 0.5 <= self.power < 1,
            "depth": 1 <= self.depth <= 4,
            "least_arm": self.least_arm >= 30,
            "least_z": self.least_z >= 0,
            "most_values": self.most_values >= 2,
        }
        if wrong := [name for name, holds in bounded.items() if not holds]:
            raise ValueError(f"out of bounds: {', '.join(wrong)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A leaf as the estimating half sees it; a proposal where `p_adjusted` ≤ alpha.

    `effect` is the difference of means inside, `outside` that of everybody else, `difference` the one minus the other;
    intervals at 1 - alpha, of the difference at 1 - alpha / leaves. `units_needed` in all, drawn and split like these,
    show a difference as large as the estimate with the power asked for; `units_needed_at_worst` one as small as the
    near end of its interval; None where that is 0 or beyond, or beyond any sample there could be.
    """

    condition: dict[str, Any]
    units: int
    share: float
    effect: float
    effect_interval: Interval
    outside: float
    difference: float
    difference_interval: Interval
    p_value: float
    p_adjusted: float
    units_needed: int | None
    units_needed_at_worst: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """`leaves` are all that were proposed; `proposals` those whose effect is shown to differ from that outside."""

    outcome: Outcome
    message: str
    search: Search
    units_proposing: int
    units_estimating: int
    gate: Heterogeneity | None
    leaves: tuple[Proposal, ...]
    proposals: tuple[Proposal, ...]
    schema: str = SCHEMA


def discover(
    unit_ids: Sequence[str], treated: Any, outcome: Any, attributes: object, search: Search | None = None
) -> Discovery:
    """Where does the treatment do something else? One half of the units proposes, the other one answers.

    Parameters
    ----------
    unit_ids
        Distinct, shape (n,).
    treated : array_like of bool, shape (n,)
        Treatment or control; two arms, randomised, at any split that does not hang on anything but these attributes.
    outcome : array_like, shape (n,)
        The metric's value of each unit, finite.
    attributes
        An Arrow table or a mapping of names to arrays, shape (n,), as they were *before* the exposure: what the
        treatment may have changed explains the effect by itself.
    search
        Seed, error rate, tree.

    Returns
    -------
    Discovery
        On the estimating half, after the tree is fixed: the gate is Cochran's Q over the leaves at alpha. If it opens,
        each leaf's effect is tested against the effect outside it by Welch's t, with Holm's correction over the leaves
        (two leaves are one test). Where effects do not differ anything is proposed with probability ≤ alpha, by the
        gate alone; where some do, a leaf that does not is proposed with probability ≤ alpha, by Holm.

    Raises
    ------
    Refused
        "bad_ids", "bad_arms", "bad_outcome", "too_few_units" (fewer than 4·least_arm in an arm), and as `columns_of`.

    Notes
    -----
    Athey & Imbens, "Recursive partitioning for heterogeneous causal effects", PNAS 113 (2016), pp. 7353-7360. Honesty
    is bought with half of the units. It holds for one look at one metric: another seed, or another day, is another
    look. Assumes independent units and means near normal in each leaf, see `analysis.effects.means`. Effects that were
    picked because they are significant are too large on average: hence the next experiment, and its size at the near
    end of the interval.
    """
    search = search or Search()
    experiment = experiment_of(treated, outcome, attributes)
    fewest = min(int(experiment.treated.sum()), int((~experiment.treated).sum()))
    if fewest < 4 * search.least_arm:
        raise Refused("too_few_units", f"Each arm needs {4 * search.least_arm} units or more, one has {fewest}.")
    first = proposing_half(unit_ids, experiment.treated, search.seed)
    proposing, estimating = experiment.part(first), experiment.part(~first)
    growing = Growing(
        depth=search.depth, least_arm=search.least_arm, least_z=search.least_z, most_values=search.most_values
    )
    leaves = propose(proposing, growing, proposing.units / estimating.units)
    return _answered(leaves, proposing, estimating, search)


def _answered(leaves: tuple[Leaf, ...], proposing: Experiment, estimating: Experiment, search: Search) -> Discovery:
    alpha = search.alpha / search.comparisons

    def found(outcome: Outcome, gate: Heterogeneity | None, rows: tuple[Proposal, ...] = ()) -> Discovery:
        return Discovery(
            outcome=outcome,
            message=MESSAGES[outcome],
            search=search,
            units_proposing=proposing.units,
            units_estimating=estimating.units,
            gate=gate,
            leaves=rows,
            proposals=tuple(row for row in rows if row.p_adjusted <= alpha) if outcome == "proposals" else (),
        )

    if len(leaves) < 2:
        return found("nothing_to_split", None)
    arms = measured(leaves, estimating)
    if isinstance(arms, Undefined):
        return found("no_estimate", None)
    gate = heterogeneity([one.effect for one in arms])
    if isinstance(gate, Undefined):
        return found("no_estimate", None)
    rows = _rows(leaves, arms, search, alpha)
    if gate.p_value > alpha:
        return found("no_heterogeneity", gate, rows)
    return found("proposals" if any(row.p_adjusted <= alpha for row in rows) else "no_leaf_differs", gate, rows)


def _rows(leaves: tuple[Leaf, ...], arms: Measured, search: Search, alpha: float) -> tuple[Proposal, ...]:
    contrasts = [beside(arms, index) for index in range(len(arms))]
    p_values = [one.p_value for one in contrasts]
    # Of two leaves each is the other's outside: one hypothesis, told twice.
    adjusted = p_values if len(arms) == 2 else holm(p_values)
    family = 1 if len(arms) == 2 else len(arms)
    units = sum(one.units for one in arms)
    return tuple(
        _row(leaf, one, contrast, units=units, p_adjusted=p, alpha=alpha, family=family, power=search.power)
        for leaf, one, contrast, p in zip(leaves, arms, contrasts, adjusted, strict=True)
    )


def _row(
    leaf: Leaf,
    arms: Arms,
    contrast: Beside,
    *,
    units: int,
    p_adjusted: float,
    alpha: float,
    family: int,
    power: float,
) -> Proposal:
    interval = contrast.interval(alpha / family)
    near = max(interval.low, -interval.high, 0.0)
    per_unit = units * contrast.std_error**2
    return Proposal(
        condition=leaf_document(leaf),
        units=arms.units,
        share=arms.units / units,
        effect=arms.pair.difference,
        effect_interval=arms.interval(alpha),
        outside=contrast.outside,
        difference=contrast.difference,
        difference_interval=interval,
        p_value=contrast.p_value,
        p_adjusted=p_adjusted,
        units_needed=units_needed(per_unit, contrast.difference, alpha=alpha, power=power),
        units_needed_at_worst=units_needed(per_unit, near, alpha=alpha, power=power),
    )


def units_needed(per_unit: float, difference: float, *, alpha: float, power: float) -> int | None:
    """Units in all for a two-sided test of one segment chosen beforehand: (z_{α/2} + z_{1-power})²·V/δ².

    `per_unit` V > 0 is the variance of the estimated difference times the units it was estimated from. None
    for a `difference` δ of 0, or so small that more than 10¹⁵ units were needed.
    """
    quantiles = critical_value(alpha, inf) + critical_value(2 * (1 - power), inf)
    needed = quantiles * quantiles * per_unit
    squared = difference * difference
    return ceil(needed / squared) if needed < _MOST_UNITS * squared else None
