"""Twyman's law: a figure that looks interesting is usually wrong."""

from __future__ import annotations

from analysis.design.errors import too_good_to_be_true
from analysis.estimate import Finding, Undefined
from analysis.wording import number

FACTOR = 3.0


def too_good_finding(
    lift: float | Undefined,
    at_least: float,
    detectable: float | Undefined,
    *,
    metric: str,
    treatment: str,
    treatment_name: str,
) -> Finding | None:
    """`too_good_to_be_true` for an effect that is surely beyond three times what the plan was made to detect.

    Parameters
    ----------
    lift, detectable
        The effect, and the one that the planned number of units detects with a power of .8; without one of them there
        is no finding.
    at_least
        The end of its interval that is nearest to zero, 0 if the interval holds 0. All of it has to lie beyond: early
        in a large plan noise alone is larger than any effect the plan was made for.

    Notes
    -----
    With an interval that holds at every look a true effect of up to three times the detectable one is flagged at most
    at the interval's error rate, ever. Kohavi, Tang & Xu, "Trustworthy Online Controlled Experiments" (2020), chapter
    3; as much as that is mostly a broken metric.
    """
    if isinstance(lift, Undefined) or isinstance(detectable, Undefined) or not detectable > 0:
        return None
    if not too_good_to_be_true(at_least, detectable, factor=FACTOR):
        return None
    return Finding(
        code="too_good_to_be_true",
        severity="warning",
        message=f"The effect of {treatment_name} is {_times(abs(lift) / detectable)} times what this experiment was "
        "planned for: look for an error in the data before believing it",
        variant=treatment,
        metric=metric,
    )


def _times(factor: float) -> str:
    """Two digits; never an exponent."""
    return f"{factor:.2g}" if factor < 99 else number(factor)


def nearest_to_zero(low: float, high: float) -> float:
    """Of an interval: 0 if it holds 0."""
    return low if low > 0 else high if high < 0 else 0.0
