"""The plan of results by present segment: units keep the split under which their variant was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.plan import Cell, Plan

Homes = Mapping[tuple[int, str, str], int]
"""(epoch, segment at exposure, segment now) -> the epoch under which such units stand in the plan."""


def present_plan(plan: Plan, found: Sequence[tuple[int, str, str]]) -> tuple[Plan, Homes]:
    """Return the plan with a cell for each split that units of a present segment come from.

    Two segments of one epoch may be split differently: units that came from both into a third one can be compared only
    with those who were drawn under the same split. So those get an epoch of their own each. Where all splits of an
    epoch are alike, as they mostly are, nothing but the segment has changed.

    `found`: the combinations that occur. A plan of planned looks is one that may look at any time: this look counts
    nowhere.
    """
    groups = _alike(plan)
    width = 1 + max(groups.values(), default=0)
    homes: dict[tuple[int, str, str], int] = {}
    cells: dict[tuple[int, str], Cell] = {}
    own = [(cell.epoch, cell.segment, cell.segment) for cell in plan.cells]
    of = {(cell.epoch, cell.segment): cell for cell in plan.cells}
    for epoch, then, now in dict.fromkeys([*own, *found]):
        group = groups[epoch, then]
        # The last of an epoch is the split of the present segment itself, for it says what is on offer there.
        place = width if group == groups.get((epoch, now)) else group
        home = homes[epoch, then, now] = epoch * (width + 1) + place
        cells.setdefault((home, now), replace(of[epoch, then], epoch=home, segment=now))
    planned = plan.stopping_rule == "group_sequential"
    return replace(
        plan,
        cells=tuple(cells.values()),
        stopping_rule="always_valid" if planned else plan.stopping_rule,
        looks=None,
        lift_prior=None,
        minimum_lift=None,
        novelty_days=0,
    ), homes


def _alike(plan: Plan) -> dict[tuple[int, str], int]:
    """Number the splits of each epoch; segments that are split alike, and followed as long, have the same number."""
    numbers: dict[tuple[int, str], int] = {}
    seen: dict[int, list[object]] = {}
    for cell in plan.cells:
        split = (cell.split, cell.declared, cell.follow_up_ends_at)
        known = seen.setdefault(cell.epoch, [])
        if split not in known:
            known.append(split)
        numbers[cell.epoch, cell.segment] = known.index(split)
    return numbers
