"""Moments of many groups at once: what `analysis.moments.Moments` is for one, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.moments import Moments
from analysis.moments.one import NOISE

Floats: TypeAlias = NDArray[np.float64]


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

    def take(self, index: Any) -> Groups:
        return Groups(**{name: getattr(self, name)[index] for name in FIELDS})

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
        """Of numerator - ratio x denominator; denominators not 0."""
        ratio = self.mean / self.denominator_mean
        scale = self.m2 + ratio * ratio * self.denominator_m2
        residual = scale - 2 * ratio * self.co_m2
        return np.where(residual > NOISE * scale, residual, 0.0) / np.where(self.n > 1, self.n - 1, np.nan)


FIELDS = tuple(field.name for field in fields(Groups))


def row_of(moments: Moments) -> tuple[float, ...]:
    """The fields of `Groups`, of one group."""
    absolute = moments.absolute_mean
    return (
        moments.n,
        moments.mean,
        moments.m2,
        moments.denominator_mean,
        moments.denominator_m2,
        moments.co_m2,
        abs(moments.mean) if absolute is None else absolute,
    )


def pooled(filled: Floats) -> Floats:
    """Groups along the first axis as one, the last axis holding the fields: exact in algebra, in a fixed order."""
    n, mean, m2, other, other_m2, co_m2, absolute = np.moveaxis(filled, -1, 0)
    total = n.sum(axis=0)
    share = n / np.where(total > 0, total, 1.0)
    # From the first group's value, so that equal values have exactly that mean.
    start = np.take_along_axis(mean, (n > 0).argmax(axis=0)[None], axis=0)
    other_start = np.take_along_axis(other, (n > 0).argmax(axis=0)[None], axis=0)
    pooled_mean = start + (share * (mean - start)).sum(axis=0)
    pooled_other = other_start + (share * (other - other_start)).sum(axis=0)
    delta, other_delta = mean - pooled_mean, other - pooled_other
    return np.stack(
        [
            total,
            pooled_mean[0],
            (m2 + n * delta * delta).sum(axis=0),
            pooled_other[0],
            (other_m2 + n * other_delta * other_delta).sum(axis=0),
            (co_m2 + n * delta * other_delta).sum(axis=0),
            (share * absolute).sum(axis=0),
        ],
        axis=-1,
    )
