"""The named groups of the trade, as a table of scores that a person can read and change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import ibis

from segmentation.behaviour.cuts import Scores
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """A group: from which to which score of recency, and of frequency and money together, both ends included."""

    name: str
    r: tuple[int, int]
    fm: tuple[int, int]

    def holds(self, r: int, fm: int) -> bool:
        return self.r[0] <= r <= self.r[1] and self.fm[0] <= fm <= self.fm[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Ranges that hold each pair of scores once, else `Refused("groups_do_not_tile")`; a name may have several."""

    ranges: tuple[Ranges, ...]
    scores: int = 5
    _names: Mapping[tuple[int, int], str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scores = range(1, self.scores + 1)
        held = Counter((r, fm) for one in self.ranges for r, fm in _cells(one))
        wrong = [cell for cell in {*product(scores, scores), *held} if held[cell] != 1 or not set(cell) <= set(scores)]
        if wrong:
            r, fm = min(wrong)
            found = f"{held[r, fm]} ranges hold recency {r} with frequency and money {fm}"
            raise Refused("groups_do_not_tile", f"every pair of scores from 1 to {self.scores} is held once; {found}")
        object.__setattr__(self, "_names", {cell: one.name for one in self.ranges for cell in _cells(one)})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.name for one in self.ranges))

    def of(self, scores: Scores) -> str:
        """The group of one customer."""
        return self._names[scores.r, scores.fm]

    def named(self, scored: ir.Table) -> ir.Table:
        """A table with scores (`Cuts.scored`), with its column `rfm_group`."""
        r, fm = scored["r_score"], scored["fm_score"]
        cases = ((r.between(*one.r) & fm.between(*one.fm), one.name) for one in self.ranges)
        return scored.mutate(rfm_group=ibis.cases(*cases))


def _cells(one: Ranges) -> Iterator[tuple[int, int]]:
    (r_low, r_high), (fm_low, fm_high) = one.r, one.fm
    return product(range(r_low, r_high + 1), range(fm_low, fm_high + 1))


# fm:            1                2                3                4              5
# r = 5   new              potential_loyalists              champions
# r = 4   promising        potential_loyalists              champions
# r = 3   about_to_sleep   need_attention                   loyal
# r = 2   hibernating                      at_risk
# r = 1   lost                                              cannot_lose
NAMED_GROUPS = Groups(
    ranges=(
        Ranges(name="champions", r=(4, 5), fm=(4, 5)),
        Ranges(name="loyal", r=(3, 3), fm=(4, 5)),
        Ranges(name="potential_loyalists", r=(4, 5), fm=(2, 3)),
        Ranges(name="new", r=(5, 5), fm=(1, 1)),
        Ranges(name="promising", r=(4, 4), fm=(1, 1)),
        Ranges(name="need_attention", r=(3, 3), fm=(2, 3)),
        Ranges(name="about_to_sleep", r=(3, 3), fm=(1, 1)),
        Ranges(name="at_risk", r=(2, 2), fm=(3, 5)),
        Ranges(name="cannot_lose", r=(1, 1), fm=(4, 5)),
        Ranges(name="hibernating", r=(2, 2), fm=(1, 2)),
        Ranges(name="lost", r=(1, 1), fm=(1, 3)),
    )
)
