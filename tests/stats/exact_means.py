"""Arms whose means have exactly the standard errors that a test says."""

from __future__ import annotations

from typing import Any

from analysis.estimate import Report
from analysis.moments import Moments
from analysis.report import build
from tests.stats.builders import metric, plan, table


def mean_with(value: float, std_error: float, n: int = 1_000) -> Moments:
    """Moments of n units whose mean has exactly this standard error."""
    return Moments(n=n, mean=value, m2=std_error * std_error * n * (n - 1))


def means(*values: tuple[float, float], **changes: Any) -> Report:
    """One segment; (mean, its standard error) of every arm, the first of them the control."""
    names = "abcdefg"[: len(values)]
    question = plan(metric(kind="mean"), variants=names, **changes)
    arms = {(1, "all", name): {"visits": mean_with(*value)} for name, value in zip(names, values, strict=True)}
    return build(question, table(arms))
