"""Everything a plan compares, laid out in arrays: strata by variants by metrics, and which rows are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.effects.means import critical_value
from analysis.groups import DENOMINATORS, FIELDS, Groups, pooled, rows_of
from analysis.moments import MomentTable
from analysis.plan import Plan
from analysis.remembered import remembered
from analysis.scopes import Scope, Stratum, scopes_of
from analysis.tested import ArmValues, Samples, ratio_values, stabilised_samples

Floats: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[str, str]
Rows: TypeAlias = NDArray[np.intp]
# Numbers of the plan's cells, by (epoch, segment).
Cells: TypeAlias = Mapping[tuple[int, str], int]


def pairs(plan: Plan) -> Iterator[Pair]:
    """(treatment, baseline): every treatment against the control, then every two treatments, the later against the
    earlier; always in plan order."""
    treatments = [variant for variant in plan.variants if variant != plan.control]
    yield from ((treatment, plan.control) for treatment in treatments)
    yield from ((later, earlier) for earlier, later in combinations(treatments, 2))


@dataclass(frozen=True, kw_only=True)
class Board:
    """A plan's moments in arrays.

    Parameters
    ----------
    scopes
        All segments together first, then each.
    strata
        The strata of all scopes, each once.
    places
        By scope, the numbers of its strata in the order of time.
    cells : array
        Shape (fields of `Groups`, metrics, strata + 1, variants); the last stratum is empty and pads. What is no ratio
        has denominators of 1: a mean is the ratio to the number of units, and tested as one.
    units : array
        Shape (strata + 1, variants): units that were first exposed there, whatever their outcomes.
    strata_of : array
        Shape (scopes, most strata of a scope): `places`, padded with the number of the empty one.
    """

    plan: Plan
    table: MomentTable
    scopes: tuple[Scope, ...]
    strata: tuple[Stratum, ...]
    places: tuple[list[int], ...]
    cells: Floats
    units: Floats
    strata_of: Rows

    @remembered
    def pairs(self) -> tuple[Pair, ...]:
        """Compared in every scope, in this order: row = scope · pairs + pair."""
        return tuple(pairs(self.plan))

    @remembered
    def variants(self) -> dict[str, int]:
        return {variant: number for number, variant in enumerate(self.plan.variants)}

    @remembered
    def sides(self) -> Rows:
        """Numbers of the treatments, then of the baselines, shape (2, pairs)."""
        return np.array([[self.variants[one] for one in pair] for pair in self.pairs]).T

    @remembered
    def invited(self) -> NDArray[np.bool_]:
        """Shape (strata + 1, variants): whether a variant had a positive weight."""
        offered = [stratum.variants for stratum in self.strata]
        flags = [[variant in invited for variant in self.plan.variants] for invited in offered]
        return np.array([*flags, [False] * len(self.plan.variants)])

    @remembered
    def offered_together(self) -> NDArray[np.bool_]:
        """By row: pairs of variants that were ever offered in the scope."""
        offered = np.array([[variant in scope.offered for variant in self.plan.variants] for scope in self.scopes])
        together: NDArray[np.bool_] = offered[:, self.sides].all(axis=1).ravel()
        return together

    @remembered
    def members(self) -> NDArray[np.bool_]:
        """Rows that belong to a family: pairs of variants that were ever offered in the scope.

        Pairs that the plan never offers in a scope are no members. Those below the minimum are, and count as 1: what is
        not looked at yet still belongs to what was declared. So the size of a family is known before any data.
        """
        if self.plan.family != "dunnett":
            return self.offered_together
        declared = [baseline == self.plan.control for _, baseline in self.pairs]
        member: NDArray[np.bool_] = self.offered_together & np.array(declared * len(self.scopes))
        return member

    @remembered
    def judged(self) -> NDArray[np.bool_]:
        """Rows with a corrected p-value: the members, and under Dunnett the pairs of treatments tested after them.

        Where the control was never offered nothing comes before them.
        """
        together = self.offered_together.reshape(len(self.scopes), -1)
        has_members = self.members.reshape(together.shape).any(axis=1, keepdims=True)
        judged: NDArray[np.bool_] = (together & has_members).ravel()
        return judged

    @remembered
    def counts(self) -> list[list[int]]:
        """`units` in whole numbers."""
        found: list[list[int]] = self.units.astype(np.int64).tolist()
        return found

    @remembered
    def units_of(self) -> list[int]:
        """All units of every scope."""
        return [sum([sum(self.counts[place]) for place in places]) for places in self.places]

    @remembered
    def primary(self) -> int:
        """Number of the primary metric."""
        return self.plan.metrics.index(self.plan.primary)

    @remembered
    def outcomes(self) -> list[list[float]]:
        """Of every stratum, the units of each variant that have an outcome on the primary metric."""
        found: list[list[float]] = self.cells[0, self.primary].tolist()
        return found

    @remembered
    def epochs(self) -> Floats:
        return np.array([*(float(stratum.epoch) for stratum in self.strata), np.inf])

    @remembered
    def alone(self) -> NDArray[np.bool_]:
        """By scope, whether it consists of one segment."""
        return np.array([len({stratum.segments for stratum in scope.strata}) <= 1 for scope in self.scopes])

    @remembered
    def critical(self) -> float:
        """How many standard errors are significant at one look."""
        return critical_value(self.plan.alpha)

    @remembered
    def is_adaptive(self) -> bool:
        """Whether any split of the plan follows the outcomes."""
        return self.plan.is_adaptive

    @remembered
    def arms(self) -> Groups:
        """Plain sums over a scope's strata, shape (metrics, scopes, variants): to describe arms, never to compare."""
        if self.strata_of.shape[1] == 1:
            return Groups.from_columns(self.cells[:, :, self.strata_of[:, 0]])
        together = pooled(np.moveaxis(self.cells[:, :, self.strata_of], (3, 0), (0, -1)))
        return Groups.from_array(together)

    @remembered
    def values(self) -> ArmValues:
        """What all metrics but quantiles are in every stratum, shape (metrics, strata + 1, variants)."""
        return ratio_values(Groups.from_columns(self.cells))

    @remembered
    def arm_values(self) -> ArmValues:
        """The same of `arms`."""
        if self.strata_of.shape[1] == 1:
            return self.values.take(np.s_[:, self.strata_of[:, 0]])
        return ratio_values(self.arms)

    @remembered
    def weights(self) -> Floats:
        """Units of all variants that were offered, shape (metrics, strata + 1)."""
        weights: Floats = np.where(self.invited, self.cells[0], 0.0).sum(axis=2)
        return weights

    @remembered
    def rows(self) -> tuple[Rows, Rows]:
        """Of each row of the board its strata, shape (rows, strata), and its two variants, shape (2, rows, 1)."""
        variants = np.concatenate([self.sides] * len(self.scopes), axis=1)[:, :, None]
        return self.strata_of.repeat(len(self.pairs), axis=0), variants

    def rows_of(self, metrics: Sequence[int]) -> tuple[Rows, Rows, Rows]:
        """Metric by metric the rows of the board: their metric, shape (rows, 1), and the same as `rows`."""
        strata, variants = self.rows
        own = np.array(metrics).repeat(len(strata))[:, None]
        return own, np.concatenate([strata] * len(metrics)), np.concatenate([variants] * len(metrics), axis=1)

    def samples(self, rows: tuple[Rows, Rows, Rows]) -> Samples:
        """Of the rows of some metrics, see `rows_of`; columns: strata."""
        own, strata, variants = rows
        samples = Samples(
            arms=Groups.from_columns(self.cells[:, own, strata, variants]),
            units=self.weights[own, strata],
            epoch=self.epochs[strata],
            offered=np.logical_and(*self.invited[strata, variants]),
        )
        if not self.is_adaptive:
            return samples
        alone = np.resize(self.alone.repeat(len(self.pairs)), len(strata))
        return stabilised_samples(samples, self.plan.min_units, alone)


def board_of(plan: Plan, table: MomentTable) -> Board:
    scopes = scopes_of(plan, table)
    numbers: dict[Stratum, int] = {}
    places = tuple([[numbers.setdefault(stratum, len(numbers)) for stratum in scope.strata] for scope in scopes])
    strata = tuple(numbers)
    singles = {(cell.epoch, cell.segment): number for number, cell in enumerate(plan.cells)}
    members = [[singles[stratum.epoch, segment] for segment in stratum.segments] for stratum in strata]
    return Board(
        plan=plan,
        table=table,
        scopes=scopes,
        strata=strata,
        places=places,
        cells=np.ascontiguousarray(_over_strata(_cells(plan, table, singles), members).transpose(3, 2, 0, 1)),
        units=_units(plan, table, singles, members),
        strata_of=_padded(places, len(strata)),
    )


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Rows:
    width = max(1, *map(len, rows))
    return np.array([[*row, *[filler] * (width - len(row))] for row in rows], dtype=np.intp)


def _cells(plan: Plan, table: MomentTable, singles: Cells) -> Floats:
    """Shape (cells of the plan, variants, metrics, fields of `Groups`)."""
    variants = {variant: number for number, variant in enumerate(plan.variants)}
    metrics = {metric.key: number for number, metric in enumerate(plan.metrics)}
    filled = np.zeros((len(plan.cells), len(variants), len(metrics), len(FIELDS)))
    rows = [
        (cell, variants[variant], metrics[metric], moments)
        for (epoch, segment, variant, metric), moments in table.moments.items()
        if (cell := singles.get((epoch, segment))) is not None and variant in variants and metric in metrics
    ]
    if rows:
        *at, found = zip(*rows, strict=True)
        filled[tuple(at)] = rows_of(found)
    plain = [number for number, metric in enumerate(plan.metrics) if metric.kind in ("conversion", "count", "mean")]
    filled[:, :, plain, DENOMINATORS] = 1.0, 0.0, 0.0
    return filled


def _units(plan: Plan, table: MomentTable, singles: Cells, members: Sequence[Sequence[int]]) -> Floats:
    variants = {variant: number for number, variant in enumerate(plan.variants)}
    counts = [[0] * len(variants) for _ in plan.cells]
    for (epoch, segment, variant), units in table.units.items():
        cell = singles.get((epoch, segment))
        if cell is not None and variant in variants:
            counts[cell][variants[variant]] = units
    together = [[sum(column) for column in zip(*[counts[cell] for cell in cells], strict=True)] for cells in members]
    return np.array([*together, [0] * len(variants)], dtype=np.float64)


def _over_strata(filled: Floats, members: Sequence[Sequence[int]]) -> Floats:
    """Segments of a stratum together, in a fixed order: pooling is only right where their split is the same."""
    found = np.zeros((len(members) + 1, *filled.shape[1:]))
    found[:-1] = filled[[cells[0] for cells in members]]
    for number, cells in enumerate(members):
        if len(cells) > 1:
            found[number] = pooled(filled[sorted(cells)])
    return found
