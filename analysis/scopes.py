"""What a scope (a segment, or everybody) consists of: strata in which everybody was split the same way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from analysis.moments import ArmKey, Moments, MomentTable
from analysis.plan import Cell, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Segments of one epoch with the same split between variants: only these may be pooled.

    `shares` are the intended shares of the variants that may receive units and add up to 1.
    """

    epoch: int
    segments: tuple[str, ...]
    shares: tuple[tuple[str, float], ...]

    @property
    def variants(self) -> frozenset[str]:
        return frozenset(variant for variant, _ in self.shares)

    def moments(self, table: MomentTable, variant: str, metric: str) -> Moments:
        return table.pooled(self.epoch, self.segments, variant, metric)

    def units(self, table: MomentTable, variant: str) -> int:
        return table.units_in(self.epoch, self.segments, variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One segment, or all of them together (`segment` None).

    `offered`: variants that had a positive weight at any time, in plan order. `current`: those that still have one.
    """

    segment: str | None
    strata: tuple[Stratum, ...]
    offered: tuple[str, ...]
    current: tuple[str, ...]

    def units(self, table: MomentTable, variant: str) -> int:
        return sum(stratum.units(table, variant) for stratum in self.strata)

    def pooled(self, table: MomentTable, variant: str, metric: str) -> Moments:
        """Plain sums over all strata: for the description of an arm, never for a comparison."""
        return reduce(Moments.__add__, (stratum.moments(table, variant, metric) for stratum in self.strata), Moments())


def scope_of(plan: Plan, segment: str | None, table: MomentTable | None = None) -> Scope:
    """`table` is needed for a post-stratified plan: segments too small for a stratum of their own are pooled."""
    cells = [cell for cell in plan.cells if segment is None or cell.segment == segment]
    latest: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: cell.epoch):
        latest[cell.segment] = cell
    return Scope(
        segment=segment,
        strata=_strata(cells, _alone(plan, cells, table) if segment is None else frozenset()),
        offered=_offered(plan, cells),
        current=_offered(plan, latest.values()),
    )


def _strata(cells: Iterable[Cell], alone: frozenset[tuple[int, str]]) -> tuple[Stratum, ...]:
    """Cells of one epoch with the same split together, those apart that stand `alone`."""
    alike: dict[tuple[int, tuple[tuple[str, float], ...], str | None], list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.epoch, cell.segment)):
        own = cell.segment if (cell.epoch, cell.segment) in alone else None
        alike.setdefault((cell.epoch, cell.split, own), []).append(cell)
    return tuple(
        Stratum(epoch=epoch, segments=tuple(cell.segment for cell in group), shares=group[0].shares)
        for (epoch, _, _), group in alike.items()
    )


def _alone(plan: Plan, cells: Iterable[Cell], table: MomentTable | None) -> frozenset[tuple[int, str]]:
    """Cells that are strata of their own in a post-stratified plan: all arms reach the minimum there."""
    if not plan.post_stratified or table is None:
        return frozenset()
    return frozenset(
        (cell.epoch, cell.segment)
        for cell in cells
        if all(
            table.units.get(ArmKey(cell.epoch, cell.segment, variant), 0) >= plan.min_units
            for variant, _ in cell.shares
        )
    )


def _offered(plan: Plan, cells: Iterable[Cell]) -> tuple[str, ...]:
    weighted = {variant for cell in cells for variant, _ in cell.shares}
    return tuple(variant for variant in plan.variants if variant in weighted)
