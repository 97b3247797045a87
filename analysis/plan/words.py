"""What may be chosen in a plan, and what is said where it contradicts itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

MetricKind = Literal["conversion", "count", "mean", "ratio", "quantile"]
MetricRole = Literal["primary", "secondary", "guardrail"]
Direction = Literal["increase", "decrease"]
StoppingRule = Literal["always_valid", "fixed_horizon", "group_sequential"]
FamilyMethod = Literal[
    "holm", "hochberg", "bonferroni", "benjamini_hochberg", "benjamini_yekutieli", "e_benjamini_hochberg", "dunnett"
]
SpendingShape = Literal["obrien_fleming", "pocock"]

# Methods that keep the chance of any wrong verdict; the others keep an expected share of wrong comparisons.
FAMILYWISE: frozenset[FamilyMethod] = frozenset({"holm", "hochberg", "bonferroni", "dunnett"})

LEAST_UNITS = 20
LEAST_TUNED_FOR_UNITS = 100


class PlanError(ValueError):
    """The plan contradicts itself; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def require_unique(code: str, keys: tuple[str, ...]) -> None:
    if len(set(keys)) < len(keys):
        raise PlanError(code, f"named twice among {', '.join(keys)}")


def require_aware(instant: datetime | None) -> None:
    if instant is not None and instant.utcoffset() is None:
        raise PlanError("naive_datetime", f"{instant} has no time zone")
