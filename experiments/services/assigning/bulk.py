"""Bulk: the answers of one experiment for many units at once, in arrays.

Made from the same data as the answers to single units (`domain/split.py`), with the same hash and the same compiled
conditions: what differs is only that places are looked up in arrays, and that a condition is asked once for each
distinct combination of the attributes that it looks at. Nothing that answers requests may import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.domain.assignment import Assignment, compile_data, without_consent
from experiments.domain.bucketing import HashAll
from experiments.domain.condition import attributes_of
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer
from experiments.domain.split import Compiled, Salted

Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

_AT_ONCE = 4_096
"""Units hashed and looked up in one go: few enough that their numbers stay in the processor's cache."""
_STRIDE = 1 << 33
"""More than any place: segment × stride + place orders the splits of all segments behind each other."""
_DENSE = 1 << 16
"""So many possible combinations of attributes are counted out at any time, more only where there are more units."""
_INSIDE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """An attribute of many units: unit i has `values[codes[i]]`. None is a unit without the attribute."""

    codes: Whole
    values: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """A condition and the attributes that it looks at, in a fixed order."""

    matches: Callable[[Mapping[str, Any]], bool]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    places: HashAll
    edges: Whole
    answers: Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """An experiment compiled for `assign_chunk`, which answers with positions in `answers`.

    `starts` are the places, segment after segment, from which on `shown` is the answer; `withheld` is that to who does
    not consent.
    """

    answers: tuple[Assignment, ...]
    withheld: int
    attributes: frozenset[str]
    forced: Mapping[str, int]
    gate: _Gate | None
    tests: tuple[_Test, ...]
    traffic: HashAll
    traffic_edges: Whole
    is_limited: Mask
    outside: Whole
    places: HashAll
    is_split: Mask
    starts: Whole
    shown: Whole


def compile_bulk(experiment: Experiment, layer: Layer | None = None) -> BulkPlan:
    """Compile a live experiment."""
    answers: list[Assignment] = []

    def position(assignment: Assignment) -> int:
        answers.append(assignment)
        return len(answers) - 1

    compiled = compile_data(experiment, layer, position)
    withheld = position(without_consent(experiment))
    splits = [branch.split for branch in compiled.branches]
    tests = tuple(
        _Test(matches=branch.matches, attributes=tuple(sorted(attributes_of(branch.condition))))
        for branch in compiled.branches[:-1]
    )
    return BulkPlan(
        answers=tuple(answers),
        withheld=withheld,
        attributes=frozenset(name for test in tests for name in test.attributes),
        forced=compiled.forced,
        gate=_gate(compiled),
        tests=tests,
        traffic=_hash(compiled.traffic),
        traffic_edges=_whole(_STRIDE if split.traffic_edge is None else split.traffic_edge for split in splits),
        is_limited=np.array([split.traffic_edge is not None for split in splits]),
        outside=_whole(_INSIDE if split.outside is None else split.outside for split in splits),
        places=_hash(compiled.place),
        is_split=np.array([len(split.answers) > 1 for split in splits]),
        starts=_whole(number * _STRIDE + edge for number, split in enumerate(splits) for edge in (0, *split.edges)),
        shown=_whole(answer for split in splits for answer in split.answers),
    )


def column_of(values: Iterable[Any]) -> Column:
    """Make a column of JSON values, one per unit; text in Arrow is turned into one faster (`services/bulk_file.py`)."""
    found: dict[Any, int] = {}
    kept: list[Any] = []
    codes = []
    for value in values:
        key = (type(value), repr(value) if isinstance(value, list | dict | float) else value)
        code = found.setdefault(key, len(kept))
        if code == len(kept):
            kept.append(value)
        codes.append(code)
    return Column(codes=_whole(codes), values=kept)


def assign_chunk(compiled: BulkPlan, ids: Sequence[str], columns: Mapping[str, Column]) -> Whole:
    """Return per unit the position of its answer in `compiled.answers`.

    `ids` are unit ids that passed `check_id`; an attribute without a column is one that no unit has.
    """
    segments = _segments(compiled, len(ids), columns)
    found = np.empty(len(ids), dtype=np.int64)
    for start in range(0, len(ids), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found[part] = _through_gate(compiled, ids[part], segments[part])
    if compiled.forced and not compiled.forced.keys().isdisjoint(ids):
        for row, unit_id in enumerate(ids):
            if unit_id in compiled.forced:
                found[row] = compiled.forced[unit_id]
    return found


def _through_gate(compiled: BulkPlan, ids: Sequence[str], segments: Whole) -> Whole:
    gate = compiled.gate
    if gate is None:
        return _in_splits(compiled, ids, segments)
    found = gate.answers[np.searchsorted(gate.edges, _places(gate.places, ids), side="right")]
    rows = np.flatnonzero(found == _INSIDE)
    found[rows] = _in_splits(compiled, _taken(ids, rows), segments[rows])
    return found


def _segments(compiled: BulkPlan, count: int, columns: Mapping[str, Column]) -> Whole:
    """The first segment that matches; the last one is everybody."""
    last = len(compiled.tests)
    segments = np.full(count, last, dtype=np.int64)
    # From the last to the first, so that the first has the last word.
    for number in reversed(range(last)):
        test = compiled.tests[number]
        known = [(name, columns[name]) for name in test.attributes if name in columns]
        segments[_matching(test, known, count)] = number
    return segments


def _matching(test: _Test, known: Sequence[tuple[str, Column]], count: int) -> Mask:
    """Ask the condition once per combination that occurs."""
    if not known:
        return np.full(count, test.matches({}))
    combined, size = _combined([column for _, column in known], count)
    # Any unit of a combination can speak for it.
    speakers = np.full(size, -1, dtype=np.int64)
    speakers[combined] = np.arange(count)
    truth = np.zeros(size, dtype=np.bool_)
    occurring = np.flatnonzero(speakers >= 0)
    names = [name for name, _ in known]
    values = [[column.values[code] for code in column.codes[speakers[occurring]].tolist()] for _, column in known]
    matches = test.matches
    truth[occurring] = [matches(dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)]
    return truth[combined]


def _combined(columns: Sequence[Column], count: int) -> tuple[Whole, int]:
    """Number the combinations of values; return each unit's number, and what all numbers are below."""
    combined, size = columns[0].codes, len(columns[0].values)
    for column in columns[1:]:
        combined, size = combined * len(column.values) + column.codes, size * len(column.values)
        if size > max(_DENSE, 4 * count):
            occurring, combined = np.unique(combined, return_inverse=True)
            size = len(occurring)
    return combined, size


def _in_splits(compiled: BulkPlan, ids: Sequence[str], segments: Whole) -> Whole:
    if not compiled.is_limited.any():
        return _by_place(compiled, ids, segments)
    limits = compiled.traffic_edges[segments]
    limited = np.flatnonzero(compiled.is_limited[segments])
    found = np.full(len(ids), _INSIDE, dtype=np.int64)
    out = limited[_places(compiled.traffic, _taken(ids, limited)) >= limits[limited]]
    found[out] = compiled.outside[segments[out]]
    inside = np.flatnonzero(found == _INSIDE)
    found[inside] = _by_place(compiled, _taken(ids, inside), segments[inside])
    return found


def _by_place(compiled: BulkPlan, ids: Sequence[str], segments: Whole) -> Whole:
    ordered = segments * _STRIDE
    if compiled.is_split.all():
        ordered += _places(compiled.places, ids)
    else:
        split = np.flatnonzero(compiled.is_split[segments])
        ordered[split] += _places(compiled.places, _taken(ids, split))
    return compiled.shown[np.searchsorted(compiled.starts, ordered, side="right") - 1]


def _places(hashed: HashAll, ids: Sequence[str]) -> Whole:
    return np.asarray(hashed(ids), dtype=np.int64)


def _taken(ids: Sequence[str], rows: Whole) -> Sequence[str]:
    return ids if len(rows) == len(ids) else [ids[row] for row in rows.tolist()]


def _gate(compiled: Compiled[int]) -> _Gate | None:
    if compiled.gate is None:
        return None
    return _Gate(
        places=_hash(compiled.gate.place),
        edges=_whole(compiled.gate.edges),
        answers=_whole(_INSIDE if answer is None else answer for answer in compiled.gate.answers),
    )


def _hash(salted: Salted) -> HashAll:
    return salted.hashing.salted_all(salted.salt)


def _whole(numbers: Iterable[int]) -> Whole:
    return np.array(list(numbers), dtype=np.int64)
