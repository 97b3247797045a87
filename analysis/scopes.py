"""What a scope (a segment, or everybody) consists of: strata in which everybody was split the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.moments import ArmKey, MomentTable
from analysis.plan import Plan


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
        return frozenset([variant for variant, _ in self.shares])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One segment, or all of them together (`segment` None).

    `cells`: each (epoch, segment) by itself, in the order of the plan. `offered`: variants that had a positive weight
    at any time, in plan order. `current`: those that still have one.
    """

    segment: str | None
    strata: tuple[Stratum, ...]
    cells: tuple[Stratum, ...]
    offered: tuple[str, ...]
    current: tuple[str, ...]


def scopes_of(plan: Plan, table: MomentTable) -> tuple[Scope, ...]:
    """All segments together first, then each.

    `table`: segments too small for a stratum of their own are pooled in a post-stratified plan.
    """
    cells = [Stratum(epoch=cell.epoch, segments=(cell.segment,), shares=cell.shares) for cell in plan.cells]
    by_segment: dict[str, list[Stratum]] = {segment: [] for segment in plan.segments}
    for cell in cells:
        by_segment[cell.segments[0]].append(cell)
    return (
        _scope(plan, None, cells, _pooled(cells, _alone(plan, cells, table))),
        # A segment has one cell in an epoch: nothing to pool.
        *(_scope(plan, segment, own, sorted(own, key=_epoch)) for segment, own in by_segment.items()),
    )


def _epoch(cell: Stratum) -> int:
    return cell.epoch


def _scope(plan: Plan, segment: str | None, cells: Sequence[Stratum], strata: Sequence[Stratum]) -> Scope:
    latest = {cell.segments: cell for cell in sorted(cells, key=_epoch)}
    offered = _offered(plan, cells)
    return Scope(
        segment=segment,
        strata=tuple(strata),
        cells=tuple(cells),
        offered=offered,
        current=offered if len(latest) == len(cells) else _offered(plan, latest.values()),
    )


def _pooled(cells: Sequence[Stratum], alone: frozenset[Stratum]) -> list[Stratum]:
    """Cells of one epoch with the same split together, those apart that stand `alone`."""
    alike: dict[tuple[int, tuple[tuple[str, float], ...], Stratum | None], list[Stratum]] = {}
    # To twelve digits: 1:1:1 and 0.1:0.1:0.1 are the same split, whatever the last bit says.
    splits = {shares: tuple([(one, round(share, 12)) for one, share in shares]) for shares in {c.shares for c in cells}}
    for cell in sorted(cells, key=lambda cell: (cell.epoch, cell.segments)):
        alike.setdefault((cell.epoch, splits[cell.shares], cell if cell in alone else None), []).append(cell)
    return [
        Stratum(epoch=epoch, segments=tuple([cell.segments[0] for cell in group]), shares=group[0].shares)
        for (epoch, _, _), group in alike.items()
    ]


def _alone(plan: Plan, cells: Sequence[Stratum], table: MomentTable) -> frozenset[Stratum]:
    """Cells that are strata of their own in a post-stratified plan: all arms reach the minimum there.

    Of an adaptive plan all are: each segment's split goes its own way.
    """
    if plan.is_adaptive:
        return frozenset(cells)
    if not plan.post_stratified:
        return frozenset()
    return frozenset(
        cell
        for cell in cells
        if all(
            table.units.get(ArmKey(cell.epoch, cell.segments[0], variant), 0) >= plan.min_units
            for variant, _ in cell.shares
        )
    )


def _offered(plan: Plan, cells: Iterable[Stratum]) -> tuple[str, ...]:
    weighted = {variant for cell in cells for variant, _ in cell.shares}
    return tuple([variant for variant in plan.variants if variant in weighted])
