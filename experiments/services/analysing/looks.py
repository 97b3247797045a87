"""Looks: how far the data reached whenever results were computed. A group-sequential plan counts every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Doc = Mapping[str, Any]
Looks = Mapping[str | None, tuple[int, ...]]
"""Units at each look so far, ascending: by segment, and under None all together."""


def earlier_units(reports: Iterable[Doc]) -> Looks:
    """Return the looks that these reports were.

    Reports of all versions count: an edit does not give back what a look has spent.
    """
    seen: dict[str | None, set[int]] = {}
    for report in reports:
        for scope in (report["overall"], *report["segments"]):
            if units := _with_outcome(scope):
                seen.setdefault(scope["segment"], set()).add(units)
    return {segment: tuple(sorted(units)) for segment, units in seen.items()}


def _with_outcome(scope: Doc) -> int:
    """Units that had an outcome on the primary metric: what a look has seen."""
    primary = next(metric for metric in scope["metrics"] if metric["role"] == "primary")
    return sum(arm["units"] for arm in primary["arms"])
