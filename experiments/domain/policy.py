"""What an author declares before the start: how results are judged, and when a winner may go live."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.bucketing import BUCKETS
from experiments.domain.errors import InvalidInput

DAY_SECONDS = 86_400


class StoppingRule(StrEnum):
    """`always_valid`: look whenever you like. `fixed_horizon`: one look, planned in advance; never promotes."""

    ALWAYS_VALID = "always_valid"
    FIXED_HORIZON = "fixed_horizon"


class Family(StrEnum):
    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPlan:
    """`alpha` is the error rate of the family: all comparisons of variants × segments on the primary metric.

    `holm` limits the chance that any verdict is wrong; `benjamini_hochberg` only the share of wrong comparisons among
    those shown, of which verdicts are made: it is for screening, and never promotes without a person.
    `minimum_units` is per variant and segment; at `tuned_for_units` in total confidence sequences are narrowest.
    """

    alpha: float = 0.05
    stopping_rule: StoppingRule = StoppingRule.ALWAYS_VALID
    family: Family = Family.HOLM
    minimum_duration_seconds: int = 14 * DAY_SECONDS
    minimum_units: int = 100
    minimum_conversions: int = 10
    tuned_for_units: int = 5_000

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and 0.0001 <= self.alpha <= 0.5):
            raise InvalidInput("alpha_invalid", "alpha lies between 0.0001 and 0.5.", path="/alpha")
        if self.minimum_duration_seconds < 0:
            raise InvalidInput("duration_invalid", "A duration is 0 or more seconds.", path="/minimum_duration_seconds")
        for name, least in (("minimum_units", 20), ("minimum_conversions", 0), ("tuned_for_units", 100)):
            if getattr(self, name) < least:
                raise InvalidInput("minimum_invalid", f"`{name}` is {least} or more.", path=f"/{name}")


class GuardrailRule(StrEnum):
    """`not_harmed`: promote unless harm is shown, beyond the margin or perhaps within it. What is not known yet does
    not stop it, also where no person looks: an automation that has to be sure takes `proven_safe`, which promotes only
    when harm beyond the margin is ruled out.
    """

    NOT_HARMED = "not_harmed"
    PROVEN_SAFE = "proven_safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """`minimum_lift` is the practical threshold that the always-valid lower bound must pass.

    `holdback_bp` of the segment keep seeing the control, so that the winner goes on being measured. An `automatic`
    policy lets the worker act alone. Evidence older than `maximum_age_seconds` is stale.
    """

    automatic: bool = False
    minimum_lift: float = 0.0
    holdback_bp: int = 500
    guardrails: GuardrailRule = GuardrailRule.NOT_HARMED
    maximum_age_seconds: int = DAY_SECONDS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minimum_lift) and 0 <= self.minimum_lift <= 10):
            raise InvalidInput(
                "minimum_lift_invalid", "`minimum_lift` is a fraction from 0 to 10.", path="/minimum_lift"
            )
        if not 0 < self.holdback_bp < BUCKETS:
            raise InvalidInput(
                "holdback_invalid", f"A holdback is 1 to {BUCKETS - 1} basis points.", path="/holdback_bp"
            )
        if self.maximum_age_seconds <= 0:
            raise InvalidInput("age_invalid", "A maximum age is longer than 0 seconds.", path="/maximum_age_seconds")
