"""What the first rows look like: a guess, which makes the sums quicker, never other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from analysis.aggregation.asking import Asked, Question

_ROWS = 250
_RARE, _RARE_TOGETHER = 0.2, 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Columns that hold integers, and those that are mostly 0 (or null)."""

    whole: frozenset[str]
    rare: tuple[str, ...]


def look(asked: Asked, what: Hashable, numbers: Question, names: Sequence[str], perhaps_whole: Set[str]) -> Look:
    """How the columns `names` of `numbers` look, or looked the last time that the same was asked.

    Integers are looked for again unless all that are `perhaps_whole` were: sums of integers are more exact, so whether
    a column holds them may depend on its rows, but not on what was there before.
    """
    seen: Look | None = asked.seen(what)
    if seen is None or not perhaps_whole <= seen.whole:
        rows = asked.ask(("look", what), lambda source: numbers(source).select(*names).limit(_ROWS))
        seen = _of({name: [row[name] or 0.0 for row in rows] for name in names}, len(rows))
        asked.keep(what, seen)
    return seen


def _of(values: Mapping[str, list[float]], size: int) -> Look:
    whole = frozenset(name for name, found in values.items() if all(map(float.is_integer, found)))
    rare = tuple(name for name, found in values.items() if size - found.count(0.0) <= _RARE * size)
    together: list[tuple[Any, ...]] = list(zip(*(values[name] for name in rare), strict=True))
    return Look(whole=whole, rare=rare if sum(map(any, together)) <= _RARE_TOGETHER * size else ())
