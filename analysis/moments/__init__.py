"""Sufficient statistics: everything the engine needs to know about groups of units. Standard library only.

Sums are centred. Raw sums of squares lose all their digits when the mean is large against the standard deviation
(mean 1e8, sd 1 gives a negative variance); centred ones do not, and they still merge exactly in algebra. All of these
are frozen, merge with `+`, and refuse NaN and infinities with a `ValueError`.
"""

from analysis.moments.cross import CrossMoments
from analysis.moments.document import MOMENTS_SCHEMA
from analysis.moments.keys import ArmKey, ArrivalKey, DayKey, MetricKey
from analysis.moments.one import Moments
from analysis.moments.shape import Distribution, Shape
from analysis.moments.table import MomentTable

__all__ = [
    "MOMENTS_SCHEMA",
    "ArmKey",
    "ArrivalKey",
    "CrossMoments",
    "DayKey",
    "Distribution",
    "MetricKey",
    "MomentTable",
    "Moments",
    "Shape",
]
