"""What an author declares before the start: how results are judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.durations import MAX_SECONDS
from experiments.domain.errors import InvalidInput

DAY_SECONDS = 86_400
LEAST_PLANNED_UNITS = 100
MAX_NOVELTY_DAYS = 90


class StoppingRule(StrEnum):
    """`always_valid`: look whenever you like. `fixed_horizon`: one look, planned in advance. `group_sequential`: every
    analysis is a look that spends some of the error rate, until `planned_units` have come. The last needs a policy
    that promotes at a boundary; the second promotes nothing.
    """

    ALWAYS_VALID = "always_valid"
    FIXED_HORIZON = "fixed_horizon"
    GROUP_SEQUENTIAL = "group_sequential"


class Family(StrEnum):
    HOLM = "holm"
    HOCHBERG = "hochberg"
    BONFERRONI = "bonferroni"
    DUNNETT = "dunnett"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    BENJAMINI_YEKUTIELI = "benjamini_yekutieli"
    E_BENJAMINI_HOCHBERG = "e_benjamini_hochberg"


FAMILYWISE = frozenset({Family.HOLM, Family.HOCHBERG, Family.BONFERRONI, Family.DUNNETT})
"""Those that limit the chance of any wrong verdict; the others limit a share of wrong comparisons."""

_RULE_OF_FAMILY = {
    Family.DUNNETT: StoppingRule.FIXED_HORIZON,
    Family.E_BENJAMINI_HOCHBERG: StoppingRule.ALWAYS_VALID,
}


class Spending(StrEnum):
    """How looks spend the error rate: `obrien_fleming` late (hard to stop early), `pocock` evenly."""

    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftPrior:
    """What is believed of a lift before the data: near-normal, both numbers fractions."""

    mean: float
    std_dev: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and -1 < self.mean < 10):
            raise InvalidInput("prior_invalid", "The mean of a prior is a lift, from -1 to 10.", path="/mean")
        if not 0 < self.std_dev <= 10:
            raise InvalidInput("prior_invalid", "The standard deviation of a prior is from 0 to 10.", path="/std_dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisPlan:
    """`alpha` is the error rate of the family: all comparisons of variants × segments on the primary metric.

    `holm`, `hochberg`, `bonferroni` and `dunnett` limit the chance that any verdict is wrong; the others only the share
    of wrong comparisons among those shown, of which verdicts are made: they are for screening, and never promote
    without a person. `minimum_units` is per variant and segment; at `tuned_for_units` in total confidence sequences are
    narrowest. `planned_units` of a segment are the last look of a group-sequential plan; `spending` is how its looks
    share the error rate.

    `minimum_lift` is the smallest lift worth acting on: the power that is left is stated for it. `novelty_days` since
    exposure the effect is followed by day (0: not). With `post_stratified` segments are strata in the comparison of all
    together. `lift_prior` shapes the chances to be best, and nothing else; None: flat.
    """

    alpha: float = 0.05
    stopping_rule: StoppingRule = StoppingRule.ALWAYS_VALID
    family: Family = Family.HOLM
    minimum_duration_seconds: int = 14 * DAY_SECONDS
    minimum_units: int = 100
    minimum_conversions: int = 10
    tuned_for_units: int = 5_000
    planned_units: int | None = None
    spending: Spending = Spending.OBRIEN_FLEMING
    minimum_lift: float | None = None
    novelty_days: int = 14
    post_stratified: bool = False
    lift_prior: LiftPrior | None = None

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_rules()

    def _check_numbers(self) -> None:
        if not (math.isfinite(self.alpha) and 0.0001 <= self.alpha <= 0.5):
            raise InvalidInput("alpha_invalid", "alpha lies between 0.0001 and 0.5.", path="/alpha")
        if not 0 <= self.minimum_duration_seconds <= MAX_SECONDS:
            raise InvalidInput(
                "duration_invalid",
                "A duration is 0 or more seconds, up to a hundred years.",
                path="/minimum_duration_seconds",
            )
        for name, least in (("minimum_units", 20), ("minimum_conversions", 0), ("tuned_for_units", 100)):
            if getattr(self, name) < least:
                raise InvalidInput("minimum_invalid", f"`{name}` is {least} or more.", path=f"/{name}")
        if self.minimum_lift is not None and not 0 < self.minimum_lift <= 10:
            raise InvalidInput(
                "minimum_lift_invalid", "The smallest lift worth acting on is above 0, up to 10.", path="/minimum_lift"
            )
        if not 0 <= self.novelty_days <= MAX_NOVELTY_DAYS:
            raise InvalidInput(
                "novelty_days_invalid", f"`novelty_days` are 0 to {MAX_NOVELTY_DAYS}.", path="/novelty_days"
            )

    def _check_rules(self) -> None:
        if self.stopping_rule is StoppingRule.GROUP_SEQUENTIAL:
            if self.planned_units is None or self.planned_units < LEAST_PLANNED_UNITS:
                raise InvalidInput(
                    "planned_units_missing",
                    f"A group-sequential plan says how many units its last look has, {LEAST_PLANNED_UNITS} or more.",
                    path="/planned_units",
                )
        elif self.planned_units is not None:
            raise InvalidInput(
                "planned_units_unwanted", "Only a group-sequential plan has `planned_units`.", path="/planned_units"
            )
        wanted = _RULE_OF_FAMILY.get(self.family, self.stopping_rule)
        if self.stopping_rule is not wanted:
            raise InvalidInput("family_unfit", f"{self.family} needs the stopping rule {wanted}.", path="/family")
