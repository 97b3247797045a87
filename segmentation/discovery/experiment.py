"""One comparison of an experiment by unit, and its two halves: the one that proposes and the one that estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmentation.refusal import Refused
from segmentation.rules import Column, Columns, columns_of
from segmentation.rules.columns import Flags, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Units of two arms: `treated` and `outcome` of shape (n,), attributes as they were before the exposure."""

    treated: Flags
    outcome: Floats
    columns: Columns

    @property
    def units(self) -> int:
        return len(self.treated)

    def part(self, chosen: Flags | NDArray[np.intp]) -> Experiment:
        columns = {
            name: Column(name=name, kind=column.kind, values=column.values[chosen])
            for name, column in self.columns.items()
        }
        return Experiment(treated=self.treated[chosen], outcome=self.outcome[chosen], columns=columns)


def experiment_of(treated: Any, outcome: Any, attributes: object) -> Experiment:
    """Check and read; raises `Refused` as `columns_of` does, and "bad_arms", "bad_outcome"."""
    columns = columns_of(attributes)
    arms, values = np.asarray(treated), np.asarray(outcome, dtype=np.float64)
    units = len(next(iter(columns.values())).values)
    if arms.dtype != np.bool_ or arms.shape != (units,) or arms.all() or not arms.any():
        raise Refused("bad_arms", "Each unit is treated or not, and there are some of both.")
    if values.shape != (units,) or not np.isfinite(values).all():
        raise Refused("bad_outcome", "Each unit has one finite outcome.")
    return Experiment(treated=arms, outcome=values, columns=columns)


def proposing_half(unit_ids: Sequence[str], treated: Flags, seed: int) -> Flags:
    """Which units propose: of each arm the half of the smaller hashes, the smaller half where it is odd.

    A unit's half depends on its arm, its id and the seed, not on the order of the table; raises `Refused` "bad_ids"
    where an id comes twice or there is not one for each unit.
    """
    if len(unit_ids) != len(treated) or len(set(unit_ids)) != len(unit_ids):
        raise Refused("bad_ids", "Each unit has an id, and no two have the same.")
    places = [blake2b(f"{seed}:{unit}".encode(), digest_size=16).digest() for unit in unit_ids]
    proposing = np.zeros(len(treated), dtype=bool)
    for arm in (False, True):
        members = np.flatnonzero(treated == arm).tolist()
        proposing[sorted(members, key=places.__getitem__)[: len(members) // 2]] = True
    return proposing
