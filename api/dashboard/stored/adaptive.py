"""A split that followed the outcomes, beside the declared one."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.stored.values import Bounds, Doc, Number, bounds_of, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`missing`: the treatment's difference is as certain as if this share of the units had not come."""

    treatment: str
    missing: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    """`gained` in sums of outcomes, with the interval that holds at every look."""

    gained: Number
    interval: Bounds
    costs: tuple[Cost, ...]


def adaptive_of(doc: Doc | None) -> Adaptive | None:
    """Read it; None where the split is not adaptive, or the report is of an earlier release."""
    if doc is None:
        return None
    return Adaptive(
        gained=number_of(doc["gained"]["value"]),
        interval=bounds_of(doc["gained"]["always_valid"]),
        costs=tuple(
            Cost(treatment=cost["treatment"], missing=number_of(cost["units_missing"])) for cost in doc["costs"]
        ),
    )
