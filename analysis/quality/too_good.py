"""Twyman's law: a figure that looks interesting is usually wrong."""

from __future__ import annotations

from analysis.design.errors import too_good_to_be_true
from analysis.estimate import Finding, Undefined

FACTOR = 3.0


def too_good_finding(
    difference: float | Undefined,
    std_error: float | Undefined,
    detectable: float | Undefined,
    *,
    critical: float,
    metric: str,
    treatment: str,
    treatment_name: str,
) -> Finding | None:
    """`too_good_to_be_true` for an effect beyond three times what the plan was made to detect.

    Parameters
    ----------
    difference, std_error, detectable
        The effect and the one that the planned number of units detects with a power of .8, all as lifts or all as
        differences; without one of them there is no finding.
    critical
        The effect has to be significant besides: beyond so many standard errors. Early on, noise alone is larger than
        any effect the plan was made for.

    Notes
    -----
    A plan that detects an effect of 2.8 standard errors is exceeded threefold at its end in less than 1e-16 of A/A
    tests, and in less than one in a million where the true effect is 1.25 times the detectable one. Kohavi, Tang & Xu,
    "Trustworthy Online Controlled Experiments" (2020), chapter 3; as much as that is mostly a broken metric.
    """
    if isinstance(difference, Undefined) or isinstance(std_error, Undefined) or isinstance(detectable, Undefined):
        return None
    if not (detectable > 0 and std_error > 0) or abs(difference) <= critical * std_error:
        return None
    if not too_good_to_be_true(difference, detectable, factor=FACTOR):
        return None
    return Finding(
        code="too_good_to_be_true",
        severity="warning",
        message=f"The effect of {treatment_name} is {abs(difference) / detectable:.2g} times what this experiment was "
        "planned for: look for an error in the data before believing it",
        variant=treatment,
        metric=metric,
    )
