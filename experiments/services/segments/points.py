"""One report as a point in the history of its segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.services.segments.few import told
from experiments.services.segments.ports import SegmentReport


def point(report: SegmentReport) -> dict[str, Any]:
    """Return the numbers that a line through time is drawn of; each is a number or the reason why there is none."""
    card = told(report.document)["card"]
    size, value, stability = (_part(card, name) for name in ("size", "value", "stability"))
    last = stability["weeks"][-1] if stability.get("weeks") else stability
    return {
        "number": report.number,
        "revision": report.revision,
        "made_at": report.made_at,
        "units": _in(size, "units"),
        "share": _in(size, "share"),
        "revenue_per_unit": _in(value, "revenue_per_unit"),
        "entered": _in(last, "entered"),
        "left": _in(last, "left"),
        "entering": _in(stability, "entering"),
        "leaving": _in(stability, "leaving"),
        "doubts": [doubt["code"] for doubt in report.document["doubts"]],
    }


def _part(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = card.get(name, card)
    return found


def _in(part: Mapping[str, Any], name: str) -> Any:
    """Return the number, or the reason that stands in place of the whole part."""
    return part.get(name, part)
