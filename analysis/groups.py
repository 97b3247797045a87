"""Moments of many groups at once: what `analysis.moments.Moments` is for one, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.moments import Moments
from analysis.moments.one import NOISE

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Count, means and centred sums, in arrays of any one shape; n == 0 where there is no group.

    `absolute_mean` is the mean of |x|; see `Moments` for the others.
    """

    n: Floats
    mean: Floats
    m2: Floats
    denominator_mean: Floats
    denominator_m2: Floats
    co_m2: Floats
    absolute_mean: Floats

    @classmethod
    def of(cls, rows: Sequence[Sequence[Moments]]) -> Groups:
        """Shape (rows, most strata of a row); shorter rows are padded."""
        width = max(map(len, rows), default=0)
        filled = np.zeros((len(rows), width, len(FIELDS)))
        for row, strata in enumerate(rows):
            for column, moments in enumerate(strata):
                filled[row, column] = row_of(moments)
        return cls.from_array(filled)

    @classmethod
    def from_array(cls, filled: Floats) -> Groups:
        """The last axis holds the fields, in their order."""
        return cls(**{name: filled[..., index] for index, name in enumerate(FIELDS)})

    @classmethod
    def from_columns(cls, filled: Floats) -> Groups:
        """The first axis holds the fields, in their order."""
        return cls(**dict(zip(FIELDS, filled, strict=True)))

    def take(self, index: Any) -> Groups:
        return Groups(**{name: getattr(self, name)[index] for name in FIELDS})

    @classmethod
    def paired(cls, first: Groups, second: Groups) -> Groups:
        """Two of a shape as one, along a new first axis."""
        return cls(**{name: np.stack([getattr(first, name), getattr(second, name)]) for name in FIELDS})

    @property
    def total(self) -> Floats:
        return self.n * self.mean

    @property
    def variance(self) -> Floats:
        """Unbiased, of one unit; 0 where the spread is only rounding noise, NaN for fewer than two units."""
        noise = (NOISE * self.mean) ** 2 * self.n
        return np.where(self.m2 > noise, self.m2, 0.0) / np.where(self.n > 1, self.n - 1, np.nan)

    @property
    def residual_variance(self) -> Floats:
        """Of numerator - ratio x denominator; denominators not 0. With denominators of 1 it is the variance."""
        ratio = self.mean / self.denominator_mean
        m2 = put(self.m2.copy(), self.m2 <= (NOISE * self.mean) ** 2 * self.n, 0.0)
        # In this order: a huge ratio of denominators that do not vary must not overflow.
        scale = m2 + ratio * (ratio * self.denominator_m2)
        residual = scale - 2 * ratio * self.co_m2
        return put(residual, ~(residual > NOISE * scale), 0.0) / put(self.n - 1, self.n <= 1, np.nan)


FIELDS = tuple(field.name for field in fields(Groups))
_ROW = attrgetter(*FIELDS[:-1], "size")
# Both means, and the centred sums of squares about them.
_MEANS = slice(FIELDS.index("mean"), FIELDS.index("denominator_mean") + 1, 2)
_SQUARES = slice(FIELDS.index("m2"), FIELDS.index("denominator_m2") + 1, 2)
_CO_M2 = FIELDS.index("co_m2")
# Of the denominators: their mean, and the sums that are 0 where they do not vary.
DENOMINATORS = slice(FIELDS.index("denominator_mean"), FIELDS.index("co_m2") + 1)


def put(numbers: Floats, where: Flags, value: float) -> Floats:
    """The same array, with a value put in: where that is nowhere, as mostly, in a quarter of the time of `np.where`."""
    numbers[where] = value
    return numbers


def over_strata(terms: Floats) -> Floats:
    """Their sum along the last axis; one stratum is its own sum."""
    total: Floats = terms[..., 0] if terms.shape[-1] == 1 else terms.sum(axis=-1)
    return total


def largest_over_strata(terms: Floats) -> Floats:
    largest: Floats = terms[..., 0] if terms.shape[-1] == 1 else terms.max(axis=-1)
    return largest


def in_all_strata(flags: Flags) -> Flags:
    everywhere: Flags = flags[..., 0] if flags.shape[-1] == 1 else np.logical_and.reduce(flags, axis=-1)
    return everywhere


def all_of(flags: Flags | np.bool_) -> bool:
    """`flags.all()` in a quarter of the time."""
    return int(np.count_nonzero(flags)) == flags.size


def row_of(moments: Moments) -> tuple[float, ...]:
    """The fields of `Groups`, of one group."""
    fields: tuple[float, ...] = _ROW(moments)
    return fields


def rows_of(groups: Iterable[Moments]) -> Floats:
    """The same of many, shape (groups, fields)."""
    return np.fromiter(chain.from_iterable(map(_ROW, groups)), np.float64).reshape(-1, len(FIELDS))


def pooled(filled: Floats) -> Floats:
    """Groups along the first axis as one, the last axis holding the fields: exact in algebra, in a fixed order."""
    n = filled[..., 0]
    together: Floats = np.empty(filled.shape[1:])
    together[..., 0] = total = n.sum(axis=0)
    share = (n / np.where(total > 0, total, 1.0))[..., None]
    means, squares = filled[..., _MEANS], filled[..., _SQUARES]
    # From the first group's value, so that equal values have exactly that mean.
    there, start = n > 0, means[:1]
    if not all_of(there[0]):
        start = np.take_along_axis(means, there.argmax(axis=0)[None, ..., None], axis=0)
    together[..., _MEANS] = pooled_means = start[0] + (share * (means - start)).sum(axis=0)
    delta = means - pooled_means
    together[..., _SQUARES] = (squares + n[..., None] * delta * delta).sum(axis=0)
    together[..., _CO_M2] = (filled[..., _CO_M2] + n * delta[..., 0] * delta[..., 1]).sum(axis=0)
    together[..., -1] = (share[..., 0] * filled[..., -1]).sum(axis=0)
    return together
