"""What one of several group-sequential looks says: its repeated p-value and interval, and the p-value at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf, isnan, log

from scipy.optimize import brentq
from scipy.special import ndtr

from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference.crossing import crossing_chances
from analysis.inference.group_sequential import (
    NOTHING_TO_SPEND,
    Boundary,
    Spending,
    check_fractions,
    region,
    spending_boundaries,
)

_NO_SCALE = Undefined(reason="zero_variance", message="Nobody differs from anybody: no scale to test on.")
_ONE_SIDED = Undefined(reason="one_sided", message="A one-sided test bounds the value from one side only.")
# The boundary is inverted between these; beyond, p-values are 1, or bounded from P(Z > z) alone.
_LEAST_ALPHA, _MOST_ALPHA = 1e-12, 0.999
_FARTHEST = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`low` to `high` is the repeated confidence interval: those of all looks hold together."""

    boundary: Boundary
    low: float | Undefined
    high: float | Undefined
    p_value: float | Undefined


def look(spending: Spending, fractions: Sequence[float], estimate: float, std_error: float) -> Look:
    """Boundary, repeated confidence interval and repeated p-value of the last of these looks.

    Parameters
    ----------
    spending, fractions
        As in `spending_boundaries`.
    estimate, std_error
        Of an effect whose score z = estimate / std_error has independent increments: a difference of means, or of
        efficiently estimated parameters in general. One-sided: larger is the alternative.

    Returns
    -------
    Look
        estimate ± critical · std_error contains the true value at all looks together with probability 1 - alpha,
        stopped or not, and leaves out 0 exactly when the p-value is below alpha; one-sided, `high` is
        `Undefined("one_sided")`. `Undefined("zero_variance")` without a standard error.

    Notes
    -----
    Jennison & Turnbull, "Interim analyses: the repeated confidence interval approach", JRSS B 51 (1989), pp. 305-361.
    Raises as `repeated_p_value` does.
    """
    boundary = spending_boundaries(spending, fractions)[-1]
    if not 0 < std_error < inf:
        return Look(boundary=boundary, low=_NO_SCALE, high=_NO_SCALE, p_value=_NO_SCALE)
    p_value = repeated_p_value(spending, fractions, estimate / std_error)
    if isinstance(boundary.critical, Undefined):
        return Look(boundary=boundary, low=boundary.critical, high=boundary.critical, p_value=p_value)
    reach = boundary.critical * std_error
    high = estimate + reach if spending.sides == 2 else _ONE_SIDED
    return Look(boundary=boundary, low=estimate - reach, high=high, p_value=p_value)


def repeated_p_value(spending: Spending, fractions: Sequence[float], z: float) -> float | Undefined:
    """The alpha at which the last of these looks would just stop: a p-value at all looks together.

    Parameters
    ----------
    z
        Of the last look; its sign matters only when one-sided.

    Returns
    -------
    float
        Below the plan's alpha exactly when z is beyond the boundary. The least of the looks so far is a p-value too.
        Beyond about seven standard errors an upper bound, from P(Z > z) alone. `Undefined("nothing_to_spend")` for a
        look after one at fraction 1 or later.

    Notes
    -----
    Jennison & Turnbull (2000), chapter 9. Raises as `spending_boundaries` does, and ValueError for a z that is NaN.
    """
    check_fractions(fractions)
    distance = _distance(spending, z)
    if len(fractions) > 1 and fractions[-2] >= 1:
        return NOTHING_TO_SPEND

    def short_of_boundary(log_alpha: float) -> float:
        critical = spending_boundaries(spending.at(exp(log_alpha)), fractions)[-1].critical
        return (inf if isinstance(critical, Undefined) else critical) - distance

    least, most = log(_LEAST_ALPHA), log(_MOST_ALPHA)
    if short_of_boundary(most) >= 0:
        return 1.0
    if short_of_boundary(least) <= 0:
        return _far_p_value(spending, fractions, distance)
    return exp(_falling_root(short_of_boundary, least, most))


def stagewise_p_value(spending: Spending, fractions: Sequence[float], z: float) -> float:
    """P(a result at least as extreme), for an experiment that stops at the last of these looks.

    "More extreme" is crossing earlier, or at this look further out: the error spent before, and the chance of reaching
    this look and being beyond z. Uniform over experiments that stop at their boundary or at the planned end; no p-value
    for one that goes on. Tsiatis, Rosner & Mehta, "Exact confidence intervals following a group sequential test",
    Biometrics 40 (1984), pp. 797-803. Raises as `repeated_p_value` does.
    """
    boundaries = spending_boundaries(spending, fractions)
    distance = _distance(spending, z)
    regions = [region(boundary.critical, spending.sides) for boundary in boundaries[:-1]]
    chances = crossing_chances([*regions, region(distance, spending.sides)], tuple(fractions))
    return min(max(sum(below + above for below, above in chances), SMALLEST_P), 1.0)


def _distance(spending: Spending, z: float) -> float:
    """How far out, on the side or sides that count; a number even for an infinite z."""
    if isnan(z):
        raise ValueError("a score must be a number")
    return min(abs(z) if spending.sides == 2 else z, _FARTHEST)


def _far_p_value(spending: Spending, fractions: Sequence[float], distance: float) -> float:
    """An upper bound: P(Z > c and not stopped before) ≤ P(Z > c), so spending at least that much suffices."""
    tail = max(float(ndtr(-distance)), SMALLEST_P)
    before = fractions[-2] if len(fractions) > 1 else 0.0

    def short_of_tail(log_alpha: float) -> float:
        at = spending.at(exp(log_alpha))
        return tail - (at.spent(fractions[-1]) - at.spent(before)) / spending.sides

    return exp(_falling_root(short_of_tail, log(SMALLEST_P) + 1, log(_MOST_ALPHA)))


def _falling_root(function: Callable[[float], float], low: float, high: float) -> float:
    """By bisection where the function is infinite, then as usual; `low` if the function is not positive there."""
    if function(low) <= 0:
        return low
    while function(low) == inf:
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return float(brentq(function, low, high, xtol=1e-10))
