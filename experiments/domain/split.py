"""What an experiment compiles to, as data: a layer's gate, branches in order, and a split of each.

The closures that answer one unit (`assignment.py`) and the arrays that answer millions (`services/assigning/bulk.py`)
are both made from this, so they cannot come to differ in anything but how they look things up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from experiments.domain.bucketing import Hashing

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Salted:
    """Where the places of units come from."""

    hashing: Hashing
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Generic[T]):
    """Who of a segment sees what: `answers[i]` for places in [`edges[i - 1]`, `edges[i]`).

    Units whose place in the traffic hash is `traffic_edge` or beyond are outside; None lets everybody in.
    """

    edges: tuple[int, ...]
    answers: tuple[T, ...]
    traffic_edge: int | None
    outside: T | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Generic[T]):
    """One segment: its condition as a document, the same compiled, and its split."""

    condition: Mapping[str, Any]
    matches: Callable[[Mapping[str, Any]], bool]
    split: Split[T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Generic[T]):
    """The layer: `answers[i]` for places in [`edges[i - 1]`, `edges[i]`), None where the experiment goes on."""

    place: Salted
    edges: tuple[int, ...]
    answers: tuple[T | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled(Generic[T]):
    """The questions in order: forced? gate? the first branch that matches (the last is always everybody)? split."""

    forced: Mapping[str, T]
    gate: Gate[T] | None
    branches: tuple[Branch[T], ...]
    traffic: Salted
    place: Salted


def alone(answer: T) -> Split[T]:
    """Return the split in which everybody sees the same."""
    return Split(edges=(), answers=(answer,), traffic_edge=None, outside=None)
