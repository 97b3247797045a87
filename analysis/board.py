"""Everything a plan compares, laid out in arrays: strata by variants by metrics, and which rows are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.groups import FIELDS, Groups, pooled, row_of
from analysis.moments import ArmKey, MomentTable
from analysis.plan import Plan
from analysis.scopes import Scope, Stratum, scope_of
from analysis.tested import Samples

Floats: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[str, str]
Rows: TypeAlias = NDArray[np.intp]


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
    cells : array
        Shape (strata + 1, variants, metrics, fields of `Groups`); the last stratum is empty and pads.
    units : array
        Shape (strata + 1, variants): units that were first exposed there, whatever their outcomes.
    strata_of : array
        Shape (scopes, most strata of a scope): numbers of strata in the order of time, padded.
    """

    plan: Plan
    table: MomentTable
    scopes: tuple[Scope, ...]
    strata: tuple[Stratum, ...]
    cells: Floats
    units: Floats
    strata_of: Rows

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Compared in every scope, in this order: row = scope · pairs + pair."""
        return tuple(pairs(self.plan))

    @cached_property
    def variants(self) -> dict[str, int]:
        return {variant: number for number, variant in enumerate(self.plan.variants)}

    @cached_property
    def sides(self) -> tuple[Rows, Rows]:
        """Numbers of the treatment and of the baseline, by pair."""
        numbers = np.array([[self.variants[one] for one in pair] for pair in self.pairs])
        return numbers[:, 0], numbers[:, 1]

    @cached_property
    def invited(self) -> NDArray[np.bool_]:
        """Shape (strata + 1, variants): whether a variant had a positive weight."""
        flags = [[variant in stratum.variants for variant in self.plan.variants] for stratum in self.strata]
        return np.array([*flags, [False] * len(self.plan.variants)])

    @cached_property
    def epochs(self) -> Floats:
        return np.array([*(float(stratum.epoch) for stratum in self.strata), np.inf])

    @cached_property
    def arms(self) -> Groups:
        """Plain sums over a scope's strata, shape (scopes, variants, metrics): to describe arms, never to compare."""
        if self.strata_of.shape[1] == 1:
            return Groups.from_array(self.cells[self.strata_of[:, 0]])
        return Groups.from_array(pooled(np.moveaxis(self.cells[self.strata_of], 1, 0)))

    def samples(self, metrics: Sequence[int]) -> Samples:
        """Rows: metric by metric, scope by scope, pair by pair; columns: strata."""
        treatment, baseline = self.sides
        strata = np.repeat(self.strata_of, len(self.pairs), axis=0)
        variants = [np.tile(side, len(self.scopes))[:, None] for side in (treatment, baseline)]
        offered = self.invited[strata, variants[0]] & self.invited[strata, variants[1]]
        chosen = self.cells[:, :, metrics]
        weights = np.where(self.invited[:, :, None], chosen[..., 0], 0.0).sum(axis=1)
        return Samples(
            treatment=_by_metric(chosen[strata, variants[0]]),
            baseline=_by_metric(chosen[strata, variants[1]]),
            units=np.concatenate(np.moveaxis(weights[strata], 2, 0)),
            epoch=np.tile(self.epochs[strata], (len(metrics), 1)),
            offered=np.tile(offered, (len(metrics), 1)),
        )


def _by_metric(chosen: Floats) -> Groups:
    """(rows, strata, metrics, fields) to (metrics · rows, strata)."""
    return Groups.from_array(np.concatenate(np.moveaxis(chosen, 2, 0)))


def board_of(plan: Plan, table: MomentTable) -> Board:
    scopes = tuple(scope_of(plan, segment, table) for segment in (None, *plan.segments))
    numbers: dict[Stratum, int] = {}
    for scope in scopes:
        for stratum in scope.strata:
            numbers.setdefault(stratum, len(numbers))
    strata = tuple(numbers)
    return Board(
        plan=plan,
        table=table,
        scopes=scopes,
        strata=strata,
        cells=_cells(plan, table, strata),
        units=_units(plan, table, strata),
        strata_of=_padded([[numbers[stratum] for stratum in scope.strata] for scope in scopes], len(strata)),
    )


def _padded(rows: Sequence[Sequence[int]], filler: int) -> Rows:
    width = max(1, *map(len, rows))
    return np.array([[*row, *[filler] * (width - len(row))] for row in rows], dtype=np.intp)


def _cells(plan: Plan, table: MomentTable, strata: Sequence[Stratum]) -> Floats:
    variants = {variant: number for number, variant in enumerate(plan.variants)}
    metrics = {metric.key: number for number, metric in enumerate(plan.metrics)}
    single = {(cell.epoch, cell.segment): number for number, cell in enumerate(plan.cells)}
    filled = np.zeros((len(plan.cells), len(variants), len(metrics), len(FIELDS)))
    for (epoch, segment, variant, metric), moments in table.moments.items():
        cell = single.get((epoch, segment))
        if cell is not None and variant in variants and metric in metrics:
            filled[cell, variants[variant], metrics[metric]] = row_of(moments)
    return _over_strata(filled, strata, single)


def _units(plan: Plan, table: MomentTable, strata: Sequence[Stratum]) -> Floats:
    counts = [
        [
            float(sum(table.units.get(ArmKey(stratum.epoch, segment, variant), 0) for segment in stratum.segments))
            for variant in plan.variants
        ]
        for stratum in strata
    ]
    return np.array([*counts, [0.0] * len(plan.variants)])


def _over_strata(filled: Floats, strata: Sequence[Stratum], single: dict[tuple[int, str], int]) -> Floats:
    """Segments of a stratum together, in a fixed order: pooling is only right where their split is the same."""
    found = np.zeros((len(strata) + 1, *filled.shape[1:]))
    for number, stratum in enumerate(strata):
        members = [single[stratum.epoch, segment] for segment in stratum.segments]
        found[number] = filled[members[0]] if len(members) == 1 else pooled(filled[sorted(members)])
    return found
