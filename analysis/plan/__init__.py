"""What to compare, how, and how sure one wants to be: everything the engine needs besides the data."""

from analysis.plan.cell import Cell
from analysis.plan.looks import EffectPrior, Looks, Standing
from analysis.plan.metric import Covariate, MetricPlan
from analysis.plan.plan import Plan
from analysis.plan.words import (
    FAMILYWISE,
    LEAST_TUNED_FOR_UNITS,
    LEAST_UNITS,
    Direction,
    FamilyMethod,
    MetricKind,
    MetricRole,
    PlanError,
    SpendingShape,
    StoppingRule,
)

__all__ = [
    "FAMILYWISE",
    "LEAST_TUNED_FOR_UNITS",
    "LEAST_UNITS",
    "Cell",
    "Covariate",
    "Direction",
    "EffectPrior",
    "FamilyMethod",
    "Looks",
    "MetricKind",
    "MetricPlan",
    "MetricRole",
    "Plan",
    "PlanError",
    "SpendingShape",
    "Standing",
    "StoppingRule",
]
