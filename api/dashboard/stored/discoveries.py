"""The document of a discovery (JSON) read into values: the only place that knows its field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.dashboard.stored.values import Doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Customers for whom a treatment may do something else; intervals are (low, high), effects in the metric's unit."""

    key: str
    treatment: str
    condition: Mapping[str, Any] | None
    units: int
    share: float
    effect: float
    effect_interval: tuple[float, float]
    outside: float
    difference: float
    difference_interval: tuple[float, float]
    p_adjusted: float
    proposed: bool
    units_needed: int | None
    units_needed_at_worst: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """`look` counts the looks at this experiment; `comparisons`: treatment and what came of it, in words."""

    message: str
    metric: str
    metric_kind: str
    look: int
    units: int
    comparisons: tuple[tuple[str, str], ...]
    leaves: tuple[Leaf, ...]
    notes: tuple[str, ...]


def read_discovery(doc: Doc) -> Discovery:
    """Raise KeyError where the document is no discovery."""
    return Discovery(
        message=doc["message"],
        metric=doc["metric"]["name"],
        metric_kind=doc["metric"]["kind"],
        look=doc["look"],
        units=doc["units"],
        comparisons=tuple((one["treatment"], one["message"]) for one in doc["comparisons"]),
        leaves=tuple(map(_leaf, doc["groups"])),
        notes=tuple(doc["notes"]),
    )


def _leaf(doc: Doc) -> Leaf:
    return Leaf(
        key=doc["key"],
        treatment=doc["treatment"],
        condition=doc["condition"],
        units=doc["units"],
        share=doc["share"],
        effect=doc["effect"],
        effect_interval=_ends(doc["effect_interval"]),
        outside=doc["outside"],
        difference=doc["difference"],
        difference_interval=_ends(doc["difference_interval"]),
        p_adjusted=doc["p_adjusted"],
        proposed=doc["proposed"],
        units_needed=_units(doc["units_needed"]),
        units_needed_at_worst=_units(doc["units_needed_at_worst"]),
    )


def _ends(doc: Doc) -> tuple[float, float]:
    return doc["low"], doc["high"]


def _units(value: Any) -> int | None:
    return round(value) if isinstance(value, int | float) else None
