"""Purchases of many customers at once: the states that `History` is of each, a column at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from segmentation.behaviour.money import LARGEST_VALUE, check_scale

Whole = Any
"""An array of 64-bit integers; of Python's own where sums might be larger."""

HistoryRow = tuple[str, datetime, datetime, datetime | None, int, int, int]
"""A unit's id, then the fields of `History` in their order."""

_DAY_MICROSECONDS = 86_400_000_000
_NEVER = -(2**63)
_LARGEST_SUM = 2**62


class State(Protocol):
    """What has the fields of a `History`, as one has itself."""

    @property
    def first_at(self) -> datetime: ...
    @property
    def last_at(self) -> datetime: ...
    @property
    def previous_at(self) -> datetime | None: ...
    @property
    def frequency(self) -> int: ...
    @property
    def unvalued(self) -> int: ...
    @property
    def monetary_cents(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """One `History` per unit, as columns of equal length; merges with `+` as they do, unit by unit, in any order.

    Instants are microseconds since 1970 in UTC; `previous_at` may be none (`rows` tells it as None).
    """

    unit_ids: Sequence[str]
    first_at: Whole
    last_at: Whole
    previous_at: Whole
    frequency: Whole
    unvalued: Whole
    monetary_cents: Whole

    @classmethod
    def of_purchases(
        cls,
        unit_ids: Sequence[str],
        instants: Sequence[datetime],
        values: Sequence[float | None],
        *,
        cents_per_unit: int = 100,
    ) -> Histories:
        """Of purchases in any order, one place in each column per purchase; instants have a time zone."""
        check_scale(cents_per_unit)
        amounts, usable = _cents(values, cents_per_unit)
        return _grouped(unit_ids, _microseconds(instants), np.ones(len(amounts), np.int64), 1 - usable, amounts)

    @classmethod
    def of_states(cls, unit_ids: Sequence[str], states: Sequence[State]) -> Histories:
        """Of one state per unit; units are distinct."""
        previous = [one.previous_at for one in states]
        known = np.array([at is not None for at in previous], np.bool_)
        previous_at = np.full(len(states), _NEVER, np.int64)
        previous_at[known] = _microseconds([at for at in previous if at is not None])
        return cls(
            unit_ids=unit_ids,
            first_at=_microseconds([one.first_at for one in states]),
            last_at=_microseconds([one.last_at for one in states]),
            previous_at=previous_at,
            frequency=np.array([one.frequency for one in states], np.int64),
            unvalued=np.array([one.unvalued for one in states], np.int64),
            monetary_cents=_whole([one.monetary_cents for one in states]),
        )

    def __add__(self, other: Histories) -> Histories:
        """A state is its first, its last and its previous purchase, of which one carries the sums."""
        parts = [part for one in (self, other) for part in one._instants()]
        names = [name for part in parts for name in part[0]]
        return _grouped(names, *(np.concatenate([part[place] for part in parts]) for place in range(1, 5)))

    def _instants(self) -> Iterator[tuple[Sequence[str], Whole, Whole, Whole, Whole]]:
        nothing = np.zeros(len(self.unit_ids), np.int64)
        yield self.unit_ids, self.first_at, self.frequency, self.unvalued, self.monetary_cents
        yield self.unit_ids, self.last_at, nothing, nothing, nothing
        known = np.flatnonzero(self.previous_at != _NEVER)
        some = nothing[: len(known)]
        yield [self.unit_ids[place] for place in known.tolist()], self.previous_at[known], some, some, some

    def rows(self) -> Iterator[HistoryRow]:
        known = (self.previous_at != _NEVER).tolist()
        previous_at = _datetimes(np.where(known, self.previous_at, 0))
        return zip(
            self.unit_ids,
            _datetimes(self.first_at),
            _datetimes(self.last_at),
            [at if one else None for at, one in zip(previous_at, known, strict=True)],
            self.frequency.tolist(),
            self.unvalued.tolist(),
            self.monetary_cents.tolist(),
            strict=True,
        )


def _grouped(names: Sequence[str], at: Whole, frequency: Whole, unvalued: Whole, cents: Whole) -> Histories:
    """Sum up by unit; units keep the order in which they first appear."""
    encoded = pa.array(names, pa.string()).dictionary_encode()
    units = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    order = np.lexsort((at, codes))
    at, codes = at[order], codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sizes = np.diff(starts, append=len(codes))
    last_at = at[starts + sizes - 1] if len(units) else at
    before_last_day = at < np.repeat(last_at // _DAY_MICROSECONDS * _DAY_MICROSECONDS, sizes)
    return Histories(
        unit_ids=units,
        first_at=at[starts],
        last_at=last_at,
        previous_at=_by_unit(np.maximum, np.where(before_last_day, at, _NEVER), starts),
        frequency=_by_unit(np.add, frequency[order], starts),
        unvalued=_by_unit(np.add, unvalued[order], starts),
        monetary_cents=_by_unit(np.add, _summable(cents)[order], starts),
    )


def _by_unit(operation: Any, column: Whole, starts: Whole) -> Whole:
    return operation.reduceat(column, starts) if len(starts) else column


def _summable(cents: Whole) -> Whole:
    """Where 64 bits might not hold a sum, Python's own integers do."""
    if cents.dtype == object or not len(cents) or float(np.abs(cents.astype(float)).sum()) < _LARGEST_SUM:
        return cents
    return cents.astype(object)


def _cents(values: Sequence[float | None], cents_per_unit: int) -> tuple[Whole, Whole]:
    """The nearest whole number of each, halves away from zero, and whether there is a usable value: as `cents`."""
    amounts = np.array(values, np.float64)
    usable = np.abs(amounts) <= LARGEST_VALUE
    sizes = np.abs(np.where(usable, amounts, 0.0) * cents_per_unit)
    below = np.floor(sizes)
    whole = (below + (sizes - below >= 0.5)).astype(np.int64)
    return np.where(amounts < 0, -whole, whole), usable.astype(np.int64)


def _whole(numbers: Sequence[int]) -> Whole:
    try:
        return np.array(numbers, np.int64)
    except OverflowError:
        return np.array(numbers, object)


def _microseconds(instants: Sequence[datetime]) -> Whole:
    return pa.array(instants, pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _datetimes(microseconds: Whole) -> list[datetime]:
    return [at.replace(tzinfo=UTC) for at in microseconds.astype("datetime64[us]").tolist()]
